//! Stores millions of notifications without the gateway, by its own schema: what it stored itself, again and
//! again.

mod postgres;
mod sqlite;

use std::path::PathBuf;

use crate::{Result, fill::FIRST_USER, load::Random};

/// A gateway's database, as this reaches it beside the gateway.
pub enum Database {
    /// Its file.
    Sqlite(PathBuf),
    /// Its URL.
    Postgres(String),
}

impl Database {
    /// A new one of this name on the server that a URL leads to.
    pub async fn create(server: &str, name: &str) -> Result<Self> {
        Ok(Self::Postgres(postgres::create(server, name).await?))
    }

    /// As the gateway is told of it.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(file) => format!("sqlite://{}", file.display()),
            Self::Postgres(url) => url.clone(),
        }
    }

    /// Stores what stands in it, one notification a user, so many times. The gateway must have ended.
    pub async fn multiply(&self, times: u64) -> Result<()> {
        match self {
            Self::Sqlite(file) => sqlite::multiply(file, times).await,
            Self::Postgres(url) => postgres::multiply(url, times).await,
        }
    }

    /// The unread notifications of the first `readers` users, in any order: the reader's place and the id.
    pub async fn unread(&self, readers: u64) -> Result<Vec<(u64, u64)>> {
        let (first, readers) = (i64::try_from(FIRST_USER)?, i64::try_from(readers)?);
        let mut rows = match self {
            Self::Sqlite(file) => sqlite::unread(file, first, readers).await?,
            Self::Postgres(url) => postgres::unread(url, first, readers).await?,
        };
        let mut random = Random::fresh();
        for place in (1..rows.len()).rev() {
            rows.swap(place, random.below(place as u64 + 1) as usize);
        }
        rows.into_iter().map(|(reader, id)| Ok((u64::try_from(reader)?, u64::try_from(id)?))).collect()
    }

    /// What it takes of the disk, in bytes.
    pub async fn bytes(&self) -> Result<u64> {
        match self {
            Self::Sqlite(file) => Ok(std::fs::metadata(file)?.len()),
            Self::Postgres(url) => postgres::bytes(url).await,
        }
    }
}
