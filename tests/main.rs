//! The integration tests, in one binary.

mod architecture;
mod http;
mod licences;
mod store;
mod support;
