//! Changing one's own inbox: mark one read or unread, mark all read, delete one and restore it.

use poem_openapi::{OpenApi, param::Path};

use super::{
    Tag,
    admit::{Admitted, OwnInbox},
    answer::{Answer, Headed},
    body::{Body, FromBody},
    error::Failure,
    json,
    params::Id,
    render,
    wire::{MarkAllReadRequest, MarkAllReadResponse, MessageResponse, NotificationResponse},
};
use crate::domain::{Error, Limits, Notification, NotificationId, Result};

/// Marking and deleting.
pub struct MarkApi;

#[OpenApi(prefix_path = "/crm/notification")]
impl MarkApi {
    /// Mark one notification read
    ///
    /// A second time is not an error and keeps the first `read_at`.
    #[oai(path = "/:id/mark-read", method = "post", operation_id = "markRead", tag = "Tag::Inbox")]
    async fn mark_read(
        &self,
        caller: Admitted<OwnInbox>,
        /// The notification's id.
        id: Path<Id>,
    ) -> poem::Result<Answer<NotificationResponse>> {
        let owner = caller.inbox()?;
        let id = notification_id(id.0).map_err(Failure)?;
        caller
            .context
            .reserve_answer(caller.context.snapshot().limits.notification_bytes())
            .map_err(Failure)?;
        let marked = caller.services.inbox.mark_read(owner, id).await.map_err(Failure)?;
        Ok(one(&marked))
    }

    /// Mark one notification unread
    ///
    /// Its `read_at` goes. One that is unread stays as it is.
    #[oai(path = "/:id/mark-unread", method = "post", operation_id = "markUnread", tag = "Tag::Inbox")]
    async fn mark_unread(
        &self,
        caller: Admitted<OwnInbox>,
        /// The notification's id.
        id: Path<Id>,
    ) -> poem::Result<Answer<NotificationResponse>> {
        let owner = caller.inbox()?;
        let id = notification_id(id.0).map_err(Failure)?;
        caller
            .context
            .reserve_answer(caller.context.snapshot().limits.notification_bytes())
            .map_err(Failure)?;
        let marked = caller.services.inbox.mark_unread(owner, id).await.map_err(Failure)?;
        Ok(one(&marked))
    }

    /// Mark all notifications read
    ///
    /// With `up_to`, those that arrived after it stay unread: send the newest id that the reader has
    /// seen.
    #[oai(path = "/mark-all-read", method = "post", operation_id = "markAllRead", tag = "Tag::Inbox")]
    async fn mark_all_read(
        &self,
        caller: Admitted<OwnInbox>,
        body: Body<MarkAllReadRequest>,
    ) -> poem::Result<Answer<MarkAllReadResponse>> {
        let owner = caller.inbox()?;
        let updated = caller.services.inbox.mark_all_read(owner, body.0).await.map_err(Failure)?;
        Ok(Answer::new(format!(r#"{{"result":"Success","updated":{updated}}}"#)))
    }

    /// Delete a notification
    ///
    /// It is gone from the inbox at once, and the unread count with it. For a while, 30 seconds unless the site
    /// sets another time, it can be restored.
    #[oai(path = "/:id", method = "delete", operation_id = "deleteNotification", tag = "Tag::Inbox")]
    async fn delete(
        &self,
        caller: Admitted<OwnInbox>,
        /// The notification's id.
        id: Path<Id>,
    ) -> poem::Result<Headed<Answer<MessageResponse>>> {
        let owner = caller.inbox()?;
        let id = notification_id(id.0).map_err(Failure)?;
        caller.services.inbox.delete(owner, id).await.map_err(Failure)?;
        Ok(restorable(
            Answer::new(r#"{"result":"Success","message":"Notification deleted"}"#.to_owned()),
            &caller,
        ))
    }

    /// Restore a notification that the caller deleted
    ///
    /// It comes back as it was: in its place, read or unread. When the time for that is over, or it would have left
    /// the inbox by itself since, it is a 404. One that was not deleted stays as it is, so asking again does no harm.
    #[oai(path = "/:id/restore", method = "post", operation_id = "restoreNotification", tag = "Tag::Inbox")]
    async fn restore(
        &self,
        caller: Admitted<OwnInbox>,
        /// The notification's id.
        id: Path<Id>,
    ) -> poem::Result<Answer<NotificationResponse>> {
        let owner = caller.inbox()?;
        let id = notification_id(id.0).map_err(Failure)?;
        let within = caller.context.snapshot().restore_time;
        caller
            .context
            .reserve_answer(caller.context.snapshot().limits.notification_bytes())
            .map_err(Failure)?;
        let restored = caller.services.inbox.restore(owner, id, within).await.map_err(Failure)?;
        Ok(one(&restored))
    }
}

/// The answer to a deletion, which says for how long it can be taken back.
pub fn restorable<A>(answer: A, caller: &Admitted<OwnInbox>) -> Headed<A> {
    let seconds = caller.context.snapshot().restore_time.as_secs();
    Headed::new(answer, "x-restorable-for", Some(seconds.into()))
}

/// The answer that shows one notification.
fn one(notification: &Notification) -> Answer<NotificationResponse> {
    let mut text = String::from(r#"{"result":"Success","notification":"#);
    render::notification(&mut text, notification);
    text.push('}');
    Answer::new(text)
}

fn notification_id(id: Id) -> Result<NotificationId> {
    NotificationId::new(id.0).map_err(|e| Error::Invalid(format!("id {e}")))
}

impl FromBody for MarkAllReadRequest {
    type Output = Option<NotificationId>;
    const REQUIRED: bool = false;

    fn from_body(body: &[u8], _limits: &Limits) -> Result<Self::Output> {
        let [up_to] = json::fields(body, ["up_to"])?;
        // The range of an id was checked by the reading.
        Ok(json::id("up_to", up_to)?.and_then(|id| NotificationId::new(id).ok()))
    }
}
