//! What the tables hold, read from outside.

use bellboard::domain::{Change, Timestamp};

use super::model::Inbox;
use super::steps::PEOPLE;
use crate::support::{Tool, tool::Cell};

/// A row of the table of changes: whose, revision, kind, notification, count, when.
type Told = (usize, i64, String, Option<i64>, i64, i64);

/// All of it, of the people that the test is about.
pub struct Stored {
    /// Whose, revision, count and next expiry.
    heads: Vec<(usize, i64, i64, Option<i64>)>,
    /// What is shown: whose, id, when it was read and when it expires.
    rows: Vec<(usize, i64, Option<i64>, Option<i64>)>,
    changes: Vec<Told>,
    /// Contents that nothing refers to, and rows without content.
    strays: i64,
}

const HEADS: &str = "SELECT tenant, user_id, rev, unread, next_expiry FROM head";
const ROWS: &str = "SELECT i.tenant, i.user_id, i.id, i.read_at, i.expires_at FROM head h
      JOIN inbox i ON i.tenant = h.tenant AND i.user_id = h.user_id AND i.id > h.erased_upto
     WHERE i.id < 9223372036854775807 ORDER BY i.id";
const CHANGES: &str = "SELECT tenant, user_id, rev, kind, notification_id, unread, at FROM change";
const STRAYS: &str = "SELECT
    (SELECT count(*) FROM notification n
      WHERE NOT EXISTS (SELECT 1 FROM inbox i WHERE i.tenant = n.tenant AND i.user_id = n.user_id AND i.id = n.id)
        AND NOT EXISTS (SELECT 1 FROM change c WHERE c.notification_id = n.id AND c.kind IN ('deleted', 'expired')))
  + (SELECT count(*) FROM inbox i WHERE i.id < 9223372036854775807 AND NOT EXISTS (SELECT 1 FROM notification n WHERE n.id = i.id))";

impl Stored {
    pub async fn read(tool: &mut Tool) -> Self {
        let (heads, rows) = (tool.rows(HEADS).await, tool.rows(ROWS).await);
        let told = tool.rows(CHANGES).await;
        let number = |row: &[Cell], column: usize| row[column].number();
        let maybe = |row: &[Cell], column: usize| row[column].maybe_number();
        let change = |r: &Vec<Cell>| {
            (whose(r), number(r, 2), r[3].text().to_owned(), maybe(r, 4), number(r, 5), number(r, 6))
        };
        let mut changes: Vec<Told> = told.iter().map(change).collect();
        changes.sort_unstable();
        let head = |r: &Vec<Cell>| (whose(r), number(r, 2), number(r, 3), maybe(r, 4));
        Self {
            heads: heads.iter().map(head).collect(),
            rows: rows.iter().map(|r| (whose(r), number(r, 2), maybe(r, 3), maybe(r, 4))).collect(),
            changes,
            strays: tool.number(STRAYS).await,
        }
    }

    /// Compares with the model, and with the changes that must still be there.
    pub fn agrees_with(
        &self,
        inboxes: &[Inbox],
        kept: impl Iterator<Item = (usize, Timestamp, Change)>,
    ) -> Result<(), String> {
        for (who, inbox) in inboxes.iter().enumerate() {
            let at = |time: Option<Timestamp>| time.map(|at| at.0);
            let rows: Vec<_> =
                inbox.rows.iter().map(|(id, row)| (who, *id, at(row.read_at), at(row.expires_at))).collect();
            let stored: Vec<_> = self.rows.iter().filter(|row| row.0 == who).copied().collect();
            same("rows", &stored, &rows)?;
            let Some(head) = self.heads.iter().find(|head| head.0 == who) else {
                same("a user without a head", &inbox.known, &false)?;
                continue;
            };
            same("a user with a head", &inbox.known, &true)?;
            same("the head of", head, &(who, inbox.rev, inbox.unread(), head.3))?;
            // One that is too early costs a look; one that is too late would show what has expired.
            if at(inbox.next_expiry()).is_some_and(|due| head.3.is_none_or(|next| next > due)) {
                return Err(format!("{head:?} overlooks {:?}", inbox.next_expiry()));
            }
        }
        let kept = kept.map(|(who, at, c)| {
            (who, c.rev, c.kind.as_str().to_owned(), c.notification.map(|id| id.get()), c.unread, at.0)
        });
        let mut kept: Vec<Told> = kept.collect();
        kept.sort_unstable();
        same("the changes", &self.changes, &kept)?;
        same("contents and rows apart", &self.strays, &0)
    }
}

fn whose(row: &[Cell]) -> usize {
    let person = (row[0].text(), row[1].number());
    PEOPLE.iter().position(|other| *other == person).expect("one of the test's")
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}, not {expected:?}")) }
}
