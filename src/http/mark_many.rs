//! Changing some of one's own inbox at once: mark them read, or delete them.

use std::{collections::HashSet, fmt::Write};

use poem_openapi::{Object, OpenApi};

use super::{
    Tag,
    admit::{Admitted, OwnInbox},
    answer::{Answer, Headed},
    body::{Body, FromBody},
    error::Failure,
    json,
    mark::restorable,
    render,
    wire::Id,
};
use crate::{
    domain::{Error, Head, Limits, NotificationId, Result},
    store::Each,
};

/// How many notifications one request may name.
const MOST_IDS: usize = 1_000;
/// Bytes of an id in an answer, with its comma.
const AN_ID: usize = 17;

/// Marking and deleting several.
pub struct MarkManyApi;

#[OpenApi(prefix_path = "/crm/notification")]
impl MarkManyApi {
    /// Mark some notifications read
    ///
    /// In one transaction, each as if it were marked alone: one that is read stays as it is. Those that the inbox does
    /// not have are listed, and keep nothing from being marked; so asking again does no harm.
    #[oai(path = "/mark-read", method = "post", operation_id = "markManyRead", tag = "Tag::Inbox")]
    async fn mark_many_read(
        &self,
        caller: Admitted<OwnInbox>,
        body: Body<NotificationIdsRequest>,
    ) -> poem::Result<Answer<ManyChangedResponse>> {
        let owner = caller.inbox()?;
        caller.context.reserve_answer(body.0.len() * AN_ID).map_err(Failure)?;
        let marked = caller.services.inbox.mark_many_read(owner, &body.0).await.map_err(Failure)?;
        Ok(changed(&marked))
    }

    /// Delete some notifications
    ///
    /// In one transaction, each as if it were deleted alone: for a while each can be restored. Those that the inbox
    /// does not have, or no longer, are listed, and keep nothing from being deleted; so asking again does no harm.
    #[oai(path = "/delete", method = "post", operation_id = "deleteMany", tag = "Tag::Inbox")]
    async fn delete_many(
        &self,
        caller: Admitted<OwnInbox>,
        body: Body<NotificationIdsRequest>,
    ) -> poem::Result<Headed<Answer<ManyChangedResponse>>> {
        let owner = caller.inbox()?;
        caller.context.reserve_answer(body.0.len() * AN_ID).map_err(Failure)?;
        let deleted = caller.services.inbox.delete_many(owner, &body.0).await.map_err(Failure)?;
        Ok(restorable(changed(&deleted), &caller))
    }
}

fn changed((each, head): &(Each, Head)) -> Answer<ManyChangedResponse> {
    let (changed, unread) = (each.changed, head.unread);
    let mut text =
        format!(r#"{{"result":"Success","changed":{changed},"unread_count":{unread},"not_found":"#);
    render::array(&mut text, &each.missing, |text, id| {
        let _ = write!(text, "{id}");
    });
    text.push('}');
    Answer::new(text)
}

/// Some notifications of one's own inbox.
#[derive(Object)]
struct NotificationIdsRequest {
    /// Their ids.
    #[oai(validator(min_items = 1, max_items = 1000))]
    ids: Vec<Id>,
}

/// What came of changing some notifications.
#[derive(Object)]
struct ManyChangedResponse {
    /// Always `Success`.
    result: String,
    /// How many were changed.
    changed: u64,
    /// How many notifications of the inbox are unread after it.
    unread_count: i64,
    /// Those that the inbox does not have.
    not_found: Vec<Id>,
}

impl FromBody for NotificationIdsRequest {
    type Output = Vec<NotificationId>;

    fn from_body(body: &[u8], _limits: &Limits) -> Result<Self::Output> {
        let [ids] = json::fields(body, ["ids"])?;
        let ids = ids.ok_or_else(|| Error::Invalid("ids is required".into()))?;
        let mut ids = json::notification_ids("ids", ids, MOST_IDS)?;
        let mut seen = HashSet::with_capacity(ids.len());
        ids.retain(|id| seen.insert(*id));
        Ok(ids)
    }
}
