//! Changing one's own inbox: mark one read, mark all read, delete one.

use poem_openapi::{OpenApi, param::Path};

use super::{
    Tag,
    admit::{Admitted, OwnInbox},
    answer::Answer,
    body::{Body, FromBody},
    error::Failure,
    json,
    params::Id,
    render,
    wire::{MarkAllReadRequest, MarkAllReadResponse, MessageResponse, NotificationResponse},
};
use crate::domain::{Error, Limits, NotificationId, Result};

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
        let marked = caller.services.inbox.mark_read(owner, id).await.map_err(Failure)?;
        let mut text = String::from(r#"{"result":"Success","notification":"#);
        render::notification(&mut text, &marked);
        text.push('}');
        Ok(Answer::new(text))
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
    /// It is gone from the inbox at once, and the unread count with it.
    #[oai(path = "/:id", method = "delete", operation_id = "deleteNotification", tag = "Tag::Inbox")]
    async fn delete(
        &self,
        caller: Admitted<OwnInbox>,
        /// The notification's id.
        id: Path<Id>,
    ) -> poem::Result<Answer<MessageResponse>> {
        let owner = caller.inbox()?;
        let id = notification_id(id.0).map_err(Failure)?;
        caller.services.inbox.delete(owner, id).await.map_err(Failure)?;
        Ok(Answer::new(r#"{"result":"Success","message":"Notification deleted"}"#.to_owned()))
    }
}

fn notification_id(id: Id) -> Result<NotificationId> {
    NotificationId::new(id.0).map_err(|e| Error::Invalid(format!("id {e}")))
}

impl FromBody for MarkAllReadRequest {
    type Output = Option<NotificationId>;
    const REQUIRED: bool = false;

    fn from_body(body: &[u8], _limits: &Limits) -> Result<Self::Output> {
        let mut up_to = None;
        json::read_object(body, |name, value| {
            if name == "up_to" {
                up_to = json::present(value);
            }
        })?;
        // The range of an id was checked by the reading.
        Ok(json::id("up_to", up_to)?.and_then(|id| NotificationId::new(id).ok()))
    }
}
