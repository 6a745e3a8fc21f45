//! Bellboard, a self-hosted, multi-tenant notification gateway.
//!
//! The modules are layers; imports point down only. See `docs/architecture.md`.

pub mod admit;
pub mod app;
pub mod audit;
pub mod auth;
pub mod cache;
pub mod cli;
pub mod clock;
pub mod config;
pub mod directory;
pub mod domain;
pub mod events;
pub mod http;
pub mod inbox;
pub mod limit;
pub mod metrics;
pub mod registry;
pub mod reload;
pub mod send;
pub mod snapshot;
pub mod store;
