//! The integration tests, in one binary.

mod architecture;
mod cli;
mod contract;
mod deploy;
mod document;
mod durability;
mod fuzz;
mod http;
mod nodes;
mod outages;
mod reload;
mod senders;
mod store;
mod support;
mod versions;
