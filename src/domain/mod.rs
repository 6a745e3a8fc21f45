//! The words of the gateway as types: pure, with no I/O and no framework.

mod audit;
mod change;
mod code;
mod error;
mod event;
mod id;
mod limits;
mod notification;
mod permission;
mod principal;
mod spelling;
mod text;
mod timestamp;
mod user;

pub use audit::{Actor, AuditAction, AuditEntry, AuditRecord};
pub use bellboard_sdk::{Draft, Metadata, Problem, ProblemCode, Problems, Severity};
pub use change::{Change, ChangeKind};
pub use code::Code;
pub use error::{AuthFailure, Error, Result};
pub use event::{Event, EventId, NoEventId, What};
pub use id::{IdError, MAX_ID, NotificationId, TenantId, UserId};
pub use limits::{Limits, MAX_RESTORE_TIME};
pub use notification::{Content, Notification, Sealed};
pub use permission::{Permission, Permissions};
pub use principal::{Principal, PrincipalKind};
pub use spelling::closest;
pub use text::{is_blank, is_control};
pub use timestamp::Timestamp;
pub use user::{Head, Profile, User};
