//! Identifiers: of tenants, users and notifications.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// The largest id there is, 2^53 − 1: every JSON reader can hold it exactly.
pub const MAX_ID: i64 = (1 << 53) - 1;

/// Why a value is not an id. The text completes a clause such as "user_id …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IdError(pub &'static str);

/// Names a tenant: 1 to 64 characters of `a-z`, `0-9`, `-` and `_`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// The tenant that keys and issuers belong to when they name none.
    pub const DEFAULT: &'static str = "default";

    /// Checks a name.
    pub fn new(name: &str) -> Result<Self, IdError> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
            return Err(IdError("must be 1 to 64 characters of a-z, 0-9, - and _"));
        }
        Ok(Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TenantId {
    fn default() -> Self {
        Self(Self::DEFAULT.into())
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TenantId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::new(&name).map_err(|e| serde::de::Error::custom(format!("a tenant's name {e}")))
    }
}

macro_rules! numeric_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        pub struct $name(i64);

        impl $name {
            /// Checks the range, 1 to 2^53 − 1.
            pub fn new(id: i64) -> Result<Self, IdError> {
                if (1..=MAX_ID).contains(&id) {
                    Ok(Self(id))
                } else {
                    Err(IdError("must be between 1 and 9007199254740991"))
                }
            }

            /// The number.
            pub fn get(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(i64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

numeric_id!(
    /// Names a user inside a tenant: 1 to 2^53 − 1.
    UserId
);
numeric_id!(
    /// Names a notification: never reused, growing within a user in the order of commits.
    NotificationId
);
