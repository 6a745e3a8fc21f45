//! `POST /crm/notification/withdraw`: takes what was sent out of its inboxes.

use std::fmt::Write;

use poem_openapi::{Object, OpenApi, param::Query};
use serde_json::value::RawValue;

use super::{
    Tag,
    admit::{Admitted, MayWithdraw},
    answer::Answer,
    body::{Body, FromBody},
    error::Failure,
    faults::Faults,
    json,
    params::{self, Flag},
    render,
    wire::{DateTime, Id, PrincipalName},
};
use crate::{
    domain::{Error, Limits, Problem, ProblemCode, Result, Timestamp},
    store::{Matched, Withdrawal},
};

/// How many ids one request may name.
const MOST_IDS: usize = 1_000;
/// How many characters a collapse key may have.
const LONGEST_KEY: usize = 255;

/// Withdrawing.
pub struct WithdrawApi;

#[OpenApi(prefix_path = "/crm/notification")]
impl WithdrawApi {
    /// Withdraw what was sent
    ///
    /// Names what to withdraw in one of three ways: `ids`, `collapse_key`, or `sender` with `since` (all that
    /// a leaked key sent, say). It is gone from the inboxes at once, as if its readers had deleted it, and
    /// their unread counts are right at once. Those that are in no inbox are passed over. Large
    /// withdrawals go in steps: after an error ask again, and it goes on. This cannot be undone.
    #[oai(path = "/withdraw", method = "post", operation_id = "withdrawNotifications", tag = "Tag::Audit")]
    async fn withdraw(
        &self,
        caller: Admitted<MayWithdraw>,
        /// `true` to count what it would take, and take nothing.
        dry_run: Query<Option<Flag>>,
        body: Body<WithdrawRequest>,
    ) -> poem::Result<Answer<WithdrawResponse>> {
        let (tenant, audit) = (&caller.principal.tenant, &caller.services.audit);
        if dry_run.0.is_some_and(|flag| flag.0) {
            let matched = audit.match_withdrawal(tenant, &body.0).await.map_err(Failure)?;
            return Ok(Answer::new(matched_text(&matched)));
        }
        let withdrawn = audit.withdraw(tenant, &body.0, &caller.actor()).await.map_err(Failure)?;
        Ok(Answer::new(format!(r#"{{"result":"Success","withdrawn":{withdrawn}}}"#)))
    }
}

/// The answer to a dry run.
fn matched_text(matched: &Matched) -> String {
    let Matched { count, sample, is_complete } = matched;
    let mut text =
        format!(r#"{{"result":"Success","withdrawn":0,"matched":{count},"complete":{is_complete},"sample":"#);
    render::array(&mut text, sample, |text, (user, id)| {
        let _ = write!(text, r#"{{"notification_id":{id},"user_id":{user}}}"#);
    });
    text.push('}');
    text
}

/// What to withdraw: by `ids`, by `collapse_key`, or by `sender` with `since`.
#[derive(Object)]
struct WithdrawRequest {
    /// These notifications.
    #[oai(validator(min_items = 1, max_items = 1000))]
    ids: Option<Vec<Id>>,
    /// The latest notification of each inbox that was sent with this collapse key.
    #[oai(validator(min_length = 1, max_length = 255))]
    collapse_key: Option<String>,
    /// All that the principal of this name sent from `since` on.
    sender: Option<PrincipalName>,
    /// Only what `sender` sent at this time or later.
    since: Option<DateTime>,
    /// Only what `sender` sent before this time; without it, until now.
    until: Option<DateTime>,
}

/// How many notifications were withdrawn.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
struct WithdrawResponse {
    /// Always `Success`.
    result: String,
    /// How many stood in an inbox.
    withdrawn: u64,
    /// Of a dry run: how many match, those included that their readers deleted and can still restore.
    matched: Option<u64>,
    /// Of a dry run: whether all were counted. It reads up to 100 pages.
    complete: Option<bool>,
    /// Of a dry run: up to ten of them.
    sample: Option<Vec<MatchedNotification>>,
}

/// A notification that a withdrawal would take.
#[derive(Object)]
struct MatchedNotification {
    /// Its id.
    notification_id: Id,
    /// Whose inbox it stands in.
    user_id: Id,
}

impl FromBody for WithdrawRequest {
    type Output = Withdrawal;

    fn from_body(body: &[u8], _limits: &Limits) -> Result<Withdrawal> {
        let [ids, key, sender, since, until] =
            json::fields(body, ["ids", "collapse_key", "sender", "since", "until"])?;
        if sender.is_none() && (since.is_some() || until.is_some()) {
            return Err(invalid("since and until go with sender"));
        }
        match (ids, key, sender) {
            (Some(ids), None, None) => Ok(Withdrawal::Ids(json::notification_ids("ids", ids, MOST_IDS)?)),
            (None, Some(key), None) => match json::string("collapse_key", Some(key), LONGEST_KEY)? {
                Some(key) if !key.is_empty() => Ok(Withdrawal::CollapseKey(key)),
                _ => {
                    Err(Problem::new("collapse_key", "must not be empty").coded(ProblemCode::TooShort).into())
                }
            },
            (None, None, Some(sender)) => {
                let mut faults = Faults::default();
                let sender = faults.pass(principal(sender));
                faults.require("since", since.is_some());
                let since = faults.pass(time("since", since));
                let until = faults.pass(time("until", until));
                let made =
                    sender.zip(since).map(|(sender, since)| Withdrawal::Sender { sender, since, until });
                faults
                    .finish(made)?
                    .ok_or_else(|| Error::Internal("a field neither read nor at fault".into()))
            }
            _ => Err(invalid("Give one of ids, collapse_key and sender")),
        }
    }
}

fn principal(field: &RawValue) -> Result<Option<String>, Problem> {
    let name = json::string("sender", Some(field), usize::MAX)?;
    let fault = || Problem::new("sender", params::NO_PRINCIPAL);
    name.filter(|name| params::is_principal(name)).map(Some).ok_or_else(fault)
}

fn time(name: &str, field: json::Field) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = json::string(name, field, 64)? else { return Ok(None) };
    let time = text.parse::<jiff::Timestamp>();
    let fault = |_| Problem::new(name, "must be a time with its offset, such as 2026-01-11T14:30:00Z");
    time.map(|time| Some(Timestamp(time.as_microsecond()))).map_err(fault)
}

fn invalid(reason: &str) -> Error {
    Error::Invalid(reason.to_owned())
}
