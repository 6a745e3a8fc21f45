//! A batch of which it is not known whether it was committed, and the look that tells.

use sqlx::Row;

use super::alone::{self, Mark};
use super::ask::{Session, ask};
use crate::domain::Timestamp;
use crate::store::command::Command;
use crate::store::engine::Applied;

pub(super) struct Doubt {
    pub batch: i64,
    /// What it did if it took place; of one that was a statement alone, its lane's row knows.
    pub applied: Option<Applied>,
}

impl Doubt {
    /// Whether it took place. Waits for a transaction of the lane that has not ended yet. Writes, so that to commit it
    /// is to wait for what was committed before it to be lasting; and where it did not take place the lane's row then
    /// has a later number, so that a statement which is still on its way finds that it comes too late.
    pub async fn look(
        &mut self,
        on: &mut Session<'_>,
        commands: &[Command],
        mark: &Mark,
        now: Timestamp,
    ) -> sqlx::Result<bool> {
        let rows = ask("INSERT INTO lane (id, batch, at) VALUES ($1, $2, $3)
                ON CONFLICT (id) DO UPDATE
                   SET batch = CASE WHEN lane.batch = $4 THEN $4 ELSE excluded.batch END, at = excluded.at
             RETURNING batch, answer")
        .bind(mark.lane)
        .bind(mark.number)
        .bind(now.0)
        .bind(self.batch)
        .rows(on)
        .await?;
        let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
        let took_place = row.try_get::<i64, _>(0)? == self.batch;
        if took_place && self.applied.is_none() {
            let answer: Option<Vec<i64>> = row.try_get(1)?;
            self.applied = Some(alone::applied(commands, &answer.unwrap_or_default(), now)?);
        }
        Ok(took_place)
    }
}
