//! `POST /crm/notification/send/dry-run`: what a send would store.

use std::fmt::Write;

use poem_openapi::{Object, OpenApi};

use super::{
    Tag,
    admit::{Admitted, MaySend},
    answer::Answer,
    body::Body,
    error::Failure,
    render,
    wire::{NotificationContent, SendRequest, Warning},
};
use crate::{domain::Timestamp, send::Tried};

/// Where a dry run is asked for.
pub const PATH: &str = "/crm/notification/send/dry-run";

/// Trying a send out.
pub struct DryRunApi;

// Not a parameter of the send: most generators give an operation one good answer, whose type is one.
#[OpenApi(prefix_path = "/crm/notification")]
impl DryRunApi {
    /// Try a send out
    ///
    /// Shows what a send of the same body would store, and stores nothing. It is checked, refused and counted
    /// under the rate limit as a send is; only an unknown user is told in the answer instead. On a command line
    /// `?dry_run=true` behind the path of a send asks for the same.
    #[oai(path = "/send/dry-run", method = "post", operation_id = "tryNotification", tag = "Tag::Sending")]
    async fn try_out(
        &self,
        caller: Admitted<MaySend>,
        body: Body<SendRequest>,
    ) -> poem::Result<Answer<DryRunResponse>> {
        let (context, Body(draft, _)) = (&caller.context, body);
        let (snapshot, now) = (context.snapshot(), context.now());
        let tried = caller.services.sending.try_out(snapshot, &caller.principal, draft, now).await;
        Ok(Answer::new(tried_text(&tried.map_err(Failure)?, now)))
    }
}

/// What a send would do.
#[derive(Object)]
struct DryRunResponse {
    /// Always `Success`.
    result: String,
    /// A sentence for people.
    message: String,
    /// What would be stored, as its reader would see it.
    notification: NotificationContent,
    /// What is wrong with it, and is let through: fields that are unknown, and what its type only warns of.
    warnings: Vec<Warning>,
    /// Whether the directory knows the user. A send to an unknown one makes them in an open directory,
    /// and is a 404 in a managed one.
    user_known: bool,
}

/// The body of a dry run's answer.
fn tried_text(tried: &Tried, now: Timestamp) -> String {
    let mut text =
        String::from(r#"{"result":"Success","message":"Dry run: nothing was stored","notification":"#);
    render::unstored(&mut text, &tried.sealed, now);
    text.push_str(r#","warnings":"#);
    render::warnings(&mut text, &tried.warnings);
    let _ = write!(text, r#","user_known":{}}}"#, tried.user_known);
    text
}
