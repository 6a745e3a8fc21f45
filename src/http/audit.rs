//! `GET /crm/notification/audit`: the tenant's audit record.

use std::fmt::Write;

use poem_openapi::{Object, OpenApi, param::Query};
use serde_json::Value;

use super::{
    Tag,
    admit::{Admitted, MayReadAudit},
    answer::Answer,
    cursor,
    error::Failure,
    params::{Action, Cursor, PageSize, PrincipalName, Time},
    render,
    wire::{DateTime, JsonObject},
};
use crate::{domain, store::AuditQuery};

/// The audit record.
pub struct AuditApi;

#[expect(clippy::too_many_arguments, reason = "each is a parameter of the query")]
#[OpenApi(prefix_path = "/crm/notification")]
impl AuditApi {
    /// Read the audit record
    ///
    /// Who did what, newest first: changes of the configuration, taken and refused, the first use of a key on
    /// a day, what was done to users, withdrawals, refused credentials. What belongs to no tenant (the
    /// configuration, and credentials that are not known) stands in the record of the tenant `default`. A page
    /// may be short, or empty, and yet have a `next_cursor`: each looks at a bounded number of records.
    #[oai(path = "/audit", method = "get", operation_id = "listAudit", tag = "Tag::Audit")]
    async fn list(
        &self,
        caller: Admitted<MayReadAudit>,
        /// How many records to show.
        limit: Query<Option<PageSize>>,
        /// The `next_cursor` of the page before.
        cursor: Query<Option<Cursor>>,
        /// Shows only this action.
        action: Query<Option<Action>>,
        /// Shows only what the principal of this name did.
        principal: Query<Option<PrincipalName>>,
        /// Shows only what was recorded at this time or later.
        since: Query<Option<Time>>,
        /// Shows only what was recorded before this time.
        until: Query<Option<Time>>,
    ) -> poem::Result<Answer<AuditResponse>> {
        let query = AuditQuery {
            before: cursor.0.map(|c| c.0),
            limit: limit.0.unwrap_or_default().0,
            action: action.0.map(|a| a.0),
            principal: principal.0.map(|p| p.0),
            since: since.0.map(|t| t.0),
            until: until.0.map(|t| t.0),
        };
        let page = caller.services.audit.list(&caller.principal.tenant, &query).await.map_err(Failure)?;
        let mut text = String::from(r#"{"result":"Success","records":"#);
        render::array(&mut text, &page.records, record);
        if let Some(next) = page.next {
            let _ = write!(text, r#","next_cursor":"{}""#, cursor::write(next));
        }
        text.push('}');
        Ok(Answer::new(text))
    }
}

fn record(text: &mut String, r: &domain::AuditRecord) {
    let _ = write!(text, r#"{{"at":"{}","action":{}"#, r.at, Value::from(r.action.as_str()));
    if let Some(principal) = &r.principal {
        let _ = write!(text, r#","principal":{}"#, Value::from(principal.as_str()));
    }
    if let Some(id) = &r.request_id {
        let _ = write!(text, r#","request_id":{}"#, Value::from(id.as_str()));
    }
    // Stored as the text of a JSON object.
    let _ = write!(text, r#","detail":{}}}"#, r.detail);
}

/// A page of the audit record, newest first.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct AuditResponse {
    /// Always `Success`.
    result: String,
    /// The page's records.
    records: Vec<AuditRecord>,
    /// Where the next page starts; absent on the last one.
    next_cursor: Option<String>,
}

/// One thing that was done.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct AuditRecord {
    /// When.
    at: DateTime,
    /// What.
    action: String,
    /// By whom: a key's fingerprint, a user's id or a hook's name, also where the credential was refused; absent
    /// where nobody who is known did it.
    principal: Option<String>,
    /// In which request; absent where there was none.
    request_id: Option<String>,
    /// What else there is to say, as the action has it: `user_id`, `changes`, `problems`, `count`, `reason` and so on.
    detail: JsonObject,
}
