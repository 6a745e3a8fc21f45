//! The HTTP adapters: the public API, its document and page, the inbox for browsers, and the admin listener.
//!
//! A request's way: `entry` (snapshot, id, failures, metrics) → `admit` (before the body) → `body`
//! (one checked pass) → a handler, one file for each group of verbs → `render` or `error`.

mod accept;
mod admin;
mod admit;
mod answer;
mod audit;
mod body;
mod configured;
mod connections;
mod context;
mod cors;
pub mod cursor;
mod direct;
mod docs;
mod document;
mod drain;
mod dry_run;
mod entry;
mod error;
mod faults;
mod fixed;
mod hooks;
mod idempotency_key;
mod import;
mod inbox;
mod json;
pub mod listen;
mod mark;
mod mark_many;
mod memory;
mod params;
mod pieces;
mod query;
mod render;
mod routes;
mod send;
mod send_batch;
mod sent;
mod serve;
mod services;
mod shape;
mod standing;
mod stream;
mod takeover;
mod types;
mod ui;
mod users;
mod wire;
mod withdraw;

use std::sync::Arc;

use poem::{Endpoint, EndpointExt, IntoEndpoint, Response};
use poem_openapi::{OpenApiService, Tags};

pub use self::{
    admin::{Admin, admin},
    document::document,
    drain::Draining,
    hooks::read_event,
    memory::Budget,
    render::unstored,
    send::read_draft,
    services::Services,
};
use self::{entry::Entry, routes::Routes};

/// Where everything public stands.
pub const PREFIX: &str = "/crm/notification";

type Api = (
    (send::SendApi, send_batch::SendBatchApi, dry_run::DryRunApi, hooks::HooksApi),
    inbox::InboxApi,
    (mark::MarkApi, mark_many::MarkManyApi),
    types::TypesApi,
    users::UsersApi,
    import::ImportApi,
    (stream::StreamApi, sent::SentApi, withdraw::WithdrawApi, audit::AuditApi),
);

/// The groups of operations.
#[derive(Tags)]
enum Tag {
    /// For systems that send notifications.
    Sending,
    /// For users, each in their own inbox.
    Inbox,
    /// For systems that keep the tenant's directory of users.
    Users,
    /// For those who must know who did what, and undo it.
    Audit,
}

fn service() -> OpenApiService<Api, ()> {
    let api = (
        (send::SendApi, send_batch::SendBatchApi, dry_run::DryRunApi, hooks::HooksApi),
        inbox::InboxApi,
        (mark::MarkApi, mark_many::MarkManyApi),
        types::TypesApi,
        users::UsersApi,
        import::ImportApi,
        (stream::StreamApi, sent::SentApi, withdraw::WithdrawApi, audit::AuditApi),
    );
    OpenApiService::new(api, "Bellboard", env!("CARGO_PKG_VERSION"))
}

/// The endpoint of the public listener.
pub fn api(services: Arc<Services>) -> impl Endpoint<Output = Response> {
    let limits = services.snapshot.load().limits;
    let pages = [
        (docs::DOCUMENT_PATH, docs::Page::document().boxed()),
        (docs::PAGE_PATH, docs::Page::docs().boxed()),
        (error::CODES_PATH, docs::Page::errors().boxed()),
        (ui::PAGE_PATH, ui::Asset::page().boxed()),
        (ui::COMPONENT_PATH, ui::Asset::component().boxed()),
        (ui::SCRIPT_PATH, ui::Asset::script().boxed()),
    ];
    let routes = Routes::new(&document(&limits), pages);
    Entry::new(service().into_endpoint(), services, routes)
}
