//! The SQLite engine: one connection that writes, a few that read, one process.

mod error;
mod expire;
mod heads;
mod marks;
mod open;
mod page;
mod purge;
mod reads;
mod send;
mod users;
mod values;
mod writes;

pub use open::OpenError;
pub(super) use open::open;
