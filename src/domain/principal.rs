//! Who a credential proves.

use std::sync::Arc;

use super::{Permissions, TenantId, UserId};

/// Who a request comes from: proved by its credential, fixed for the whole request.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The tenant that everything this request does belongs to.
    pub tenant: TenantId,
    /// A key or a user.
    pub kind: PrincipalKind,
    /// What it may do: the union of its roles.
    pub permissions: Permissions,
    /// A stable name for records: `key:<fingerprint>` or `user:<id>`. Never a secret.
    pub name: Arc<str>,
    /// What stays the same when a key is rotated: the name of the first of the keys that replaced each other. A
    /// user's is their name.
    pub origin: Arc<str>,
}

/// The two kinds of principals.
#[derive(Debug, Clone)]
pub enum PrincipalKind {
    /// An external system with an API key.
    Key {
        /// The types that the key may send, `None` for all.
        allowed_types: Option<Arc<globset::GlobSet>>,
    },
    /// A user with a bearer token.
    User(UserId),
}

impl Principal {
    /// The user of a bearer token.
    pub fn user(&self) -> Option<UserId> {
        match self.kind {
            PrincipalKind::User(user) => Some(user),
            PrincipalKind::Key { .. } => None,
        }
    }

    /// Whether it may send that type, as far as its key restricts types.
    pub fn may_send_type(&self, name: &str) -> bool {
        match &self.kind {
            PrincipalKind::Key { allowed_types: Some(globs) } => globs.is_match(name),
            _ => true,
        }
    }
}
