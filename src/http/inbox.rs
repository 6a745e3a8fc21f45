//! Reading one's own inbox: the list and the unread count.

use std::fmt::Write;

use poem_openapi::{OpenApi, param::Query};

use super::{
    Tag,
    admit::{Admitted, OwnInbox},
    answer::{Answer, Headed},
    cursor,
    error::Failure,
    params::{Cursor, Flag, PageSize, TypeName},
    render,
    stream::at,
    wire::{ListResponse, UnreadCountResponse},
};
use crate::{
    domain::{MAX_ID, NotificationId},
    store::PageQuery,
};

/// Reading.
pub struct InboxApi;

#[OpenApi(prefix_path = "/crm/notification")]
impl InboxApi {
    /// List the caller's notifications
    ///
    /// Newest first, by id. The list and the unread count are read at the same instant. A page may be short and yet have
    /// a `next_cursor`, as it holds a mebibyte at most; one with a filter may be empty, as each examines a bounded number
    /// of notifications. Only a page without a `next_cursor` is the last. The path with a slash at its end answers the
    /// same.
    #[oai(path = "/", method = "get", operation_id = "listNotifications", tag = "Tag::Inbox")]
    async fn list(
        &self,
        caller: Admitted<OwnInbox>,
        /// How many notifications to show.
        limit: Query<Option<PageSize>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<Cursor>>,
        /// `true` shows only those that are unread.
        unread: Query<Option<Flag>>,
        /// Shows only notifications of this type.
        r#type: Query<Option<TypeName>>,
    ) -> poem::Result<Headed<Answer<ListResponse>>> {
        let owner = caller.inbox()?;
        let query = PageQuery {
            // A cursor past the last id there can be is the first page.
            before: cursor.0.and_then(|c| NotificationId::new(c.0.clamp(1, MAX_ID)).ok()),
            limit: limit.0.unwrap_or_default().0,
            unread_only: unread.0.is_some_and(|f| f.0),
            kind: r#type.0.map(|t| t.0),
        };
        let page = caller.services.inbox.list(owner, &query).await.map_err(Failure)?;
        let size = page.notifications.iter().map(|n| n.content.as_json().len() + 200).sum::<usize>();
        let mut text = String::with_capacity(size + 100);
        text.push_str(r#"{"result":"Success","notifications":"#);
        render::array(&mut text, &page.notifications, render::notification);
        let _ = write!(text, r#","unread_count":{}"#, page.head.unread);
        if let Some(next) = page.next {
            let _ = write!(text, r#","next_cursor":"{}""#, cursor::write(next.get()));
        }
        text.push('}');
        Ok(at(Answer::new(text), page.head.event_id()))
    }

    /// Count the caller's unread notifications
    ///
    /// Those of the whole inbox, as the list's `unread_count`. It costs little, so it may be asked often.
    #[oai(path = "/unread-count", method = "get", operation_id = "getUnreadCount", tag = "Tag::Inbox")]
    async fn unread_count(
        &self,
        caller: Admitted<OwnInbox>,
    ) -> poem::Result<Headed<Answer<UnreadCountResponse>>> {
        let owner = caller.inbox()?;
        let head = caller.services.inbox.unread_count(owner).await.map_err(Failure)?;
        let answer = Answer::new(format!(r#"{{"result":"Success","unread_count":{}}}"#, head.unread));
        Ok(at(answer, head.event_id()))
    }
}
