//! The settings: read from files, checked, and handed on as plain values.

mod model;

pub use model::*;
