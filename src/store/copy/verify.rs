//! Reads both sides of a copy to their ends and compares them row by row.

use sha2::{Digest, Sha256};

use super::end::{Opened, PAGE};
use super::table::{Row, TABLES, Table, Value};
use super::{CopyError, Progress, Stage, Tell};

/// What a table holds, the same whatever engine it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// The table.
    pub table: &'static str,
    /// How many rows.
    pub rows: u64,
    /// The SHA-256 of all rows in the order of keys, in hex.
    pub checksum: String,
}

/// Compares all: rows, the last id, and in the copy each head with its inbox.
pub(super) async fn verify(
    source: &mut Opened,
    target: &mut Opened,
    tell: Tell<'_>,
) -> Result<Vec<Sum>, CopyError> {
    let total = source.counts().await?.iter().sum();
    let mut sums: Vec<Sum> = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        let done = sums.iter().map(|sum| sum.rows).sum::<u64>();
        let mut tell = |rows| {
            tell(Progress { stage: Stage::Verifying, table: table.name, done: done + rows, total });
        };
        sums.push(compared(source, target, table, &mut tell).await?);
    }
    let (here, there) = (source.end.last_id().await, target.end.last_id().await);
    let (here, there) = (here.map_err(|e| source.failed(e))?, there.map_err(|e| target.failed(e))?);
    if there < here {
        return Err(CopyError::Ids(here, there));
    }
    heads(target).await?;
    Ok(sums)
}

/// Reads a table on both sides at once.
async fn compared(
    source: &mut Opened,
    target: &mut Opened,
    table: &'static Table,
    tell: &mut (dyn FnMut(u64) + Send),
) -> Result<Sum, CopyError> {
    let (mut rows, mut sum) = (0, Sha256::new());
    let mut after: Option<Row> = None;
    loop {
        tell(rows);
        let (here, there) =
            tokio::try_join!(source.page(table, after.as_deref()), target.page(table, after.as_deref()))?;
        if here != there {
            let (key, place) = (first_difference(table, &here, &there), place(table));
            let (from, to) = (source.counts().await?[place], target.counts().await?[place]);
            return Err(CopyError::Differs { table: table.name, key, from, to });
        }
        here.iter().flatten().for_each(|value| value.digest(&mut sum));
        rows += here.len() as u64;
        if here.len() < PAGE {
            let checksum = Value::Bytes(sum.finalize().to_vec()).to_string();
            return Ok(Sum { table: table.name, rows, checksum });
        }
        after = here.last().map(|row| row[..table.key].to_vec());
    }
}

fn place(table: &Table) -> usize {
    TABLES.iter().position(|other| other.name == table.name).unwrap_or_default()
}

/// The first key that only one side has, or has with other values.
fn first_difference(table: &Table, here: &[Row], there: &[Row]) -> String {
    let same = here.iter().zip(there).take_while(|(here, there)| here == there).count();
    let row = here.get(same).or_else(|| there.get(same));
    let key: Vec<_> = row.iter().flat_map(|row| &row[..table.key]).map(ToString::to_string).collect();
    key.join(" ")
}

/// Compares each head with its inbox, as the gateway does all the time.
async fn heads(target: &Opened) -> Result<(), CopyError> {
    let mut after = None;
    loop {
        let (drifted, last) =
            target.reads.drifted(after.as_ref()).await.map_err(|e| CopyError::Unread(e.to_string()))?;
        if let Some(first) = drifted.first() {
            return Err(CopyError::Heads(drifted.len(), first.tenant.as_str().to_owned(), first.user.get()));
        }
        if last.is_none() {
            return Ok(());
        }
        after = last;
    }
}
