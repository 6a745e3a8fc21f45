//! The public API and the admin listener, asked over HTTP as their clients do. The files mirror the paths.

mod admin;
mod audit;
mod connections;
mod contract;
mod credentials;
mod delete;
mod docs;
mod dry_run;
mod durability;
mod errors;
mod exact;
mod idempotency;
mod import;
mod limits;
mod list;
mod mark_all_read;
mod mark_read;
mod send;
mod sent;
mod slow;
mod tenants;
mod types;
mod unread_count;
mod users;
mod walk;
mod withdraw;
