//! Who did what: the entries of the audit record.

use std::{fmt, str::FromStr, sync::Arc};

use serde_json::{Map, Value};

use super::{Timestamp, UserId};

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal),* $(,)?) => {
        /// What is recorded.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum AuditAction {
            $($(#[$doc])* $name),*
        }

        impl AuditAction {
            /// Every action there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name in the record.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text),*
                }
            }
        }
    };
}

actions! {
    /// A new configuration came into force. Recorded in the tenant `default`, as it is about all of them.
    ConfigReloaded = "config.reloaded",
    /// A new configuration was refused: what was in force stays. Recorded in the tenant `default`.
    ConfigRefused = "config.refused",
    /// The gateway started from the last good configuration, as the current one was refused. Recorded in
    /// the tenant `default`.
    ConfigLastGood = "config.last_good",
    /// An API key was used for the first time on a day (in UTC).
    KeyUsed = "key.used",
    /// A credential was refused. Recorded in its tenant where it is known and does not hold any more, or not
    /// from there, and else in the tenant `default`.
    CredentialRefused = "credential.refused",
    /// A user was created, or their profile replaced.
    UserPut = "user.put",
    /// An import of users ended.
    UsersImported = "users.imported",
    /// A user was erased.
    UserErased = "user.erased",
    /// Notifications were withdrawn: one entry for each commit, of some hundred at most.
    Withdrawn = "notification.withdrawn",
}

impl fmt::Display for AuditAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AuditAction {
    type Err = ();
    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|action| action.as_str() == name).ok_or(())
    }
}

/// Who does something, and in which request.
#[derive(Debug, Clone)]
pub struct Actor {
    /// The principal's name.
    pub principal: Arc<str>,
    /// The request's id.
    pub request_id: String,
}

/// An entry for the audit record. Never a credential in it.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    /// What was done.
    pub action: AuditAction,
    /// The name of who did it; nobody's for an unknown credential and for the gateway's own doing.
    pub principal: Option<Arc<str>>,
    /// The id of the request, where there was one.
    pub request_id: Option<String>,
    /// What else there is to say.
    pub detail: Map<String, Value>,
}

/// How many lines of a reload's changes, or of its problems, are recorded.
const MOST_LINES: usize = 200;

impl AuditEntry {
    /// What somebody did.
    pub fn by(actor: &Actor, action: AuditAction) -> Self {
        let principal = Some(Arc::clone(&actor.principal));
        Self { action, principal, request_id: Some(actor.request_id.clone()), detail: Map::new() }
    }

    /// What somebody did to a user.
    pub fn about_user(actor: &Actor, action: AuditAction, user: UserId) -> Self {
        Self::by(actor, action).with("user_id", user.get())
    }

    /// What nobody who is known did.
    pub fn of_nobody(action: AuditAction) -> Self {
        Self { action, principal: None, request_id: None, detail: Map::new() }
    }

    /// A reload: the generation that came into force, and what changed for a tenant, a line each.
    pub fn reload(generation: u64, changes: &[String]) -> Self {
        let changes = lines(changes.iter().map(String::as_str));
        Self::of_nobody(AuditAction::ConfigReloaded).with("generation", generation).with("changes", changes)
    }

    /// A configuration that was not taken, and its problems, a line each. For the tenant `default`.
    pub fn refused_configuration(action: AuditAction, problems: &str) -> Self {
        Self::of_nobody(action).with("problems", lines(problems.lines()))
    }

    /// The same entry with one more thing said.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(name.to_owned(), value.into());
        self
    }
}

fn lines<'a>(all: impl Iterator<Item = &'a str> + Clone) -> Vec<Value> {
    let mut lines: Vec<Value> = all.clone().take(MOST_LINES).map(Value::from).collect();
    if let Some(more) = all.count().checked_sub(MOST_LINES).filter(|more| *more > 0) {
        lines.push(format!("… and {more} more").into());
    }
    lines
}

/// An entry as it stands in the record.
#[derive(Debug, Clone)]
pub struct AuditRecord {
    /// Its place: microseconds since 1970, of no two records of a tenant the same.
    pub seq: i64,
    /// When it was written.
    pub at: Timestamp,
    /// What was done.
    pub action: String,
    /// The name of who did it.
    pub principal: Option<String>,
    /// The id of the request.
    pub request_id: Option<String>,
    /// What else there is to say: a JSON object's text.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_of_changes_is_cut() {
        let lines: Vec<String> = (0..203).map(|n| n.to_string()).collect();
        let entry = AuditEntry::reload(2, &lines);
        let changes = entry.detail["changes"].as_array().unwrap();
        assert_eq!((changes.len(), changes[200].as_str()), (201, Some("… and 3 more")));
        assert_eq!(AuditEntry::reload(2, &lines[..200]).detail["changes"].as_array().unwrap().len(), 200);
    }
}
