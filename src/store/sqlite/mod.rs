//! The SQLite engine: one connection that writes, a few that read, one process.

mod answers;
mod audit;
mod backup;
mod copy;
mod deleted;
mod drift;
mod error;
mod events;
mod expire;
mod fold;
mod heads;
mod marks;
mod open;
mod page;
mod purge;
mod reads;
mod send;
mod sent;
mod sound;
mod users;
mod values;
mod withdraw;
mod writes;

pub use backup::{BackupError, Contents, backup, restore};
pub(super) use copy::open_end;
pub use open::OpenError;
pub(super) use open::{open, path_of};
