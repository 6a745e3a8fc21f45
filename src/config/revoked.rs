//! Bearer tokens that are refused though they are still valid.

use super::{Revoked, field::Section, tenants::REVOKED, value};
use crate::domain::UserId;

const FIELDS: &[&str] = &["jti", "user_id", "not_before"];

/// A tenant's list; each entry names one token, or all that a user was given before a time.
pub(super) fn decode(s: &Section<'_>) -> Revoked {
    let mut revoked = Revoked::default();
    for field in s.get(REVOKED).iter().flat_map(super::field::Field::list) {
        let Some(entry) = field.section(FIELDS) else { continue };
        if entry.get("jti").is_some() {
            for name in ["user_id", "not_before"] {
                if let Some(other) = entry.get(name) {
                    other.fail("stands beside jti: give each an entry of its own");
                }
            }
            revoked.jtis.extend(entry.read("jti", value::words(1_024)));
        } else if entry.get("user_id").is_none() && entry.get("not_before").is_none() {
            field.fail("must have jti, or user_id and not_before");
        } else {
            let user = entry.required("user_id").and_then(|id| id.integer(1..=crate::domain::MAX_ID));
            let time = entry.required("not_before").and_then(|time| time.read(value::timestamp));
            let (Some(Ok(user)), Some(time)) = (user.map(UserId::new), time) else { continue };
            let latest = revoked.users.entry(user).or_insert(time);
            *latest = time.max(*latest);
        }
    }
    revoked
}
