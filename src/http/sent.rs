//! `GET /crm/notification/sent`: what was sent in the tenant, and whether it was read.

use std::fmt::Write;

use poem_openapi::{Object, OpenApi, param::Query};
use serde_json::Value;

use super::{
    Tag,
    admit::{Admitted, MayAuditSent},
    answer::Answer,
    cursor,
    error::Failure,
    params::{Cursor, Id, PageSize, PrincipalName, Time, TypeName},
    render,
    wire::Notification,
};
use crate::{
    domain::{MAX_ID, NotificationId, UserId},
    store::{self, SentQuery},
};

/// What was sent.
pub struct SentApi;

#[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
#[OpenApi(prefix_path = "/crm/notification")]
impl SentApi {
    /// List what was sent
    ///
    /// Of all users, newest first, with `is_read` and `read_at`. What is in no inbox any more (withdrawn,
    /// deleted, expired, erased) is not shown. A page may be short, or empty, and yet have a `next_cursor`:
    /// each looks at a bounded number of notifications. `user_id`, `since` and `until` narrow that down.
    #[oai(path = "/sent", method = "get", operation_id = "listSent", tag = "Tag::Audit")]
    async fn list(
        &self,
        caller: Admitted<MayAuditSent>,
        /// How many notifications to show.
        limit: Query<Option<PageSize>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<Cursor>>,
        /// Shows only what the principal of this name sent.
        sender: Query<Option<PrincipalName>>,
        /// Shows only notifications of this type.
        r#type: Query<Option<TypeName>>,
        /// Shows only what stands in this user's inbox.
        user_id: Query<Option<Id>>,
        /// Shows only what was sent at this time or later.
        since: Query<Option<Time>>,
        /// Shows only what was sent before this time.
        until: Query<Option<Time>>,
    ) -> poem::Result<Answer<SentResponse>> {
        let query = SentQuery {
            before: cursor.0.and_then(|c| NotificationId::new(c.0.clamp(1, MAX_ID)).ok()),
            limit: limit.0.unwrap_or_default().0,
            sender: sender.0.map(|s| s.0),
            kind: r#type.0.map(|t| t.0),
            // The range of an id was checked by the reading.
            user: user_id.0.and_then(|id| UserId::new(id.0).ok()),
            since: since.0.map(|t| t.0),
            until: until.0.map(|t| t.0),
            deleted: false,
        };
        let page = caller.services.audit.sent(&caller.principal.tenant, &query).await.map_err(Failure)?;
        let mut text = String::from(r#"{"result":"Success","sent":"#);
        render::array(&mut text, &page.sent, sent);
        if let Some(next) = page.next {
            let _ = write!(text, r#","next_cursor":"{}""#, cursor::write(next.get()));
        }
        text.push('}');
        Ok(Answer::new(text))
    }
}

fn sent(text: &mut String, s: &store::Sent) {
    let (sender, id) = (Value::from(s.sender.as_str()), Value::from(s.request_id.as_str()));
    let _ = write!(text, r#"{{"sender":{sender},"request_id":{id},"notification":"#);
    render::notification(text, &s.notification);
    text.push('}');
}

/// A page of what was sent, newest first.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct SentResponse {
    /// Always `Success`.
    result: String,
    /// What was sent and by whom.
    sent: Vec<AuditedNotification>,
    /// Where the next page starts; absent on the last one.
    next_cursor: Option<String>,
}

/// A notification and who sent it.
#[derive(Object)]
struct AuditedNotification {
    /// The name of the principal who sent it: a key's fingerprint, a user's id or a hook's name.
    sender: String,
    /// The id of the request that brought it.
    request_id: String,
    /// As its reader sees it.
    notification: Notification,
}
