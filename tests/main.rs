//! The integration tests, in one binary.

mod architecture;
mod licences;
mod store;
