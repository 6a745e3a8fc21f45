//! `bellboard backup` and `bellboard restore`: a copy of the store, and the way back.

use std::path::{Path, PathBuf};

use super::{Failure, setup};
use crate::store::{self, Contents};

/// The options of `backup`.
#[derive(clap::Args)]
pub struct BackupArguments {
    /// The file to make; there must be none of that name.
    #[arg(value_name = "PATH")]
    to: PathBuf,
    /// The store, in place of the configuration's.
    #[arg(long, env = "BELLBOARD_STORE", hide_env_values = true, value_name = "URL")]
    store: Option<String>,
}

/// The options of `restore`.
#[derive(clap::Args)]
pub struct RestoreArguments {
    /// The backup to copy into the store's place. It stays as it is.
    #[arg(value_name = "BACKUP")]
    from: PathBuf,
    /// The store, in place of the configuration's.
    #[arg(long, env = "BELLBOARD_STORE", hide_env_values = true, value_name = "URL")]
    store: Option<String>,
}

pub fn backup(path: &Path, arguments: &BackupArguments) -> Result<(), Failure> {
    let url = url(path, arguments.store.as_ref())?;
    let contents = setup::block_on(store::backup(&url, &arguments.to))?.map_err(|e| e.to_string())?;
    super::print(&format!("{} holds {}, verified", arguments.to.display(), shown(contents)))
}

pub fn restore(path: &Path, arguments: &RestoreArguments) -> Result<(), Failure> {
    let url = url(path, arguments.store.as_ref())?;
    let restored = setup::block_on(store::restore(&url, &arguments.from))?;
    let (contents, kept) = restored.map_err(|e| e.to_string())?;
    let mut text = format!("{} holds {}, verified", store::shown(&url), shown(contents));
    if let Some(kept) = kept {
        text.push_str(&format!("\nwhat was there before is {}", kept.display()));
    }
    super::print(&text)
}

fn url(path: &Path, given: Option<&String>) -> Result<String, Failure> {
    match given {
        Some(url) => Ok(url.clone()),
        None => Ok(setup::read(path)?.1.store.url),
    }
}

fn shown(Contents { users, notifications }: Contents) -> String {
    format!("{notifications} notifications of {users} users")
}
