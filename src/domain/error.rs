//! What can go wrong, without a word of HTTP.

use std::time::Duration;

use super::{Code, NotificationId, Permission, Problem, UserId};

/// The result of a use case.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a use case failed. [`Error::Internal`] alone has text that no caller may see.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// No valid credential.
    #[error(transparent)]
    Unauthenticated(#[from] AuthFailure),
    /// A valid credential that lacks a permission.
    #[error("Permission {0} is required")]
    Lacks(Permission),
    /// A valid API key that may not send a type.
    #[error("This API key may not send the type {0}")]
    TypeNotAllowed(String),
    /// Too many requests for now.
    #[error("Rate limit exceeded; retry in {} s", retry_after.as_secs().max(1))]
    RateLimited {
        /// When to try again.
        retry_after: Duration,
    },
    /// So many live streams of the user or the tenant are open that there may be no more.
    #[error("Too many streams are open; close one, or retry in {} s", retry_after.as_secs().max(1))]
    TooManyStreams {
        /// When to try again.
        retry_after: Duration,
    },
    /// The request says something that cannot be.
    #[error("{0}")]
    Invalid(String),
    /// The body is not what it must be as a whole.
    #[error("{0}")]
    Malformed(String),
    /// Fields of the body are not as they must be: all of them, the one that answers first.
    #[error("{}", .0.first().map_or("", |p| &p.message))]
    Fields(Vec<Problem>),
    /// The type's pipeline or the core's limits refused the draft.
    #[error("{}", join(.0))]
    Refused(Vec<Problem>),
    /// Some of the events that a hook received cannot be stored.
    #[error("{}", join(.0))]
    Events(Vec<Problem>),
    /// An idempotency key that came with another body before.
    #[error("Idempotency-Key was used before with another body")]
    KeyReused,
    /// No such user in the caller's tenant.
    #[error("User {0} not found")]
    UserNotFound(UserId),
    /// No hook of that id.
    #[error("No such hook")]
    HookNotFound,
    /// No such notification in the caller's inbox.
    #[error("Notification {0} not found")]
    NotificationNotFound(NotificationId),
    /// The gateway is full, or its store cannot take more now. Nothing was stored.
    #[error("The service is busy; try again")]
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
    /// The keys that verify the token could not be fetched.
    #[error("The token cannot be verified now: its issuer's keys cannot be fetched; try again")]
    KeysUnavailable {
        /// When to try again.
        retry_after: Duration,
    },
    /// The store gave no answer in time that says whether the change was made.
    #[error("It is not known whether this was stored; look before you try again")]
    Unresolved {
        /// When to look, or to try again.
        retry_after: Duration,
    },
    /// The gateway's own fault. The text is for the log alone.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// What it is called.
    pub fn code(&self) -> Code {
        match self {
            Self::Unauthenticated(why) => why.code(),
            Self::Lacks(_) => Code::PermissionRequired,
            Self::TypeNotAllowed(_) => Code::TypeNotAllowed,
            Self::RateLimited { .. } => Code::RateLimited,
            Self::TooManyStreams { .. } => Code::TooManyStreams,
            Self::Invalid(_) => Code::InvalidRequest,
            Self::Malformed(_) => Code::MalformedBody,
            Self::Fields(_) => Code::InvalidFields,
            Self::Refused(_) => Code::NotificationRefused,
            Self::Events(_) => Code::EventsRefused,
            Self::KeyReused => Code::IdempotencyKeyReused,
            Self::UserNotFound(_) => Code::UserNotFound,
            Self::NotificationNotFound(_) => Code::NotificationNotFound,
            Self::HookNotFound => Code::HookNotFound,
            Self::Busy { .. } => Code::Busy,
            Self::KeysUnavailable { .. } => Code::KeysUnavailable,
            Self::Unresolved { .. } => Code::OutcomeUnknown,
            Self::Internal(_) => Code::InternalError,
        }
    }

    /// What is wrong with the body, field by field.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Fields(problems) | Self::Refused(problems) | Self::Events(problems) => problems,
            _ => &[],
        }
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Fields(vec![problem])
    }
}

fn join(problems: &[Problem]) -> String {
    problems.iter().map(|p| p.message.as_str()).collect::<Vec<_>>().join("; ")
}

/// Why a credential proves nobody. The texts are the contract's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AuthFailure {
    /// An API key that is unknown, disabled, expired or used from a network it may not come from.
    #[error("Invalid API key")]
    InvalidKey,
    /// No credential at all.
    #[error("Authentication required")]
    Missing,
    /// A token that no issuer of any tenant signed as it stands.
    #[error("Invalid token")]
    InvalidToken,
    /// A token past its time.
    #[error("Token has expired")]
    ExpiredToken,
    /// A token that its tenant's configuration revokes. No hint that it was good otherwise.
    #[error("Invalid token")]
    RevokedToken,
    /// A body that its signature is not of.
    #[error("Invalid signature")]
    InvalidSignature,
    /// A signature of another time, too far from now.
    #[error("The signature is not of this time")]
    StaleSignature,
    /// An API key where only a user will do.
    #[error("A user's bearer token is required")]
    UserRequired,
}

impl AuthFailure {
    /// What a caller is told it is called.
    pub fn code(self) -> Code {
        match self {
            Self::InvalidKey => Code::InvalidApiKey,
            Self::Missing => Code::AuthenticationRequired,
            Self::InvalidToken | Self::RevokedToken => Code::InvalidToken,
            Self::ExpiredToken => Code::ExpiredToken,
            Self::InvalidSignature => Code::InvalidSignature,
            Self::StaleSignature => Code::StaleSignature,
            Self::UserRequired => Code::UserTokenRequired,
        }
    }

    /// A short name for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidKey => "invalid_key",
            Self::Missing => "missing",
            Self::InvalidToken => "invalid_token",
            Self::ExpiredToken => "expired_token",
            Self::RevokedToken => "revoked_token",
            Self::InvalidSignature => "invalid_signature",
            Self::StaleSignature => "stale_signature",
            Self::UserRequired => "user_required",
        }
    }
}
