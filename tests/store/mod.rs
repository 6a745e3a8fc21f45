//! The store: what every engine must do, run on each, and what only one does.

mod contract;
mod postgres;
mod sqlite;
