//! What differs between two snapshots, in the words of the reload's log.

use std::fmt;

use super::summary::{GOOD, Item, STATE, Summary, VEILED};
use crate::domain::TenantId;

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// It is new.
    Added(Item),
    /// It is no more.
    Removed(Item),
    /// Some of its fields have another value: their name, what it was and what it is.
    Changed(Item, Vec<(String, String, String)>),
    /// This field has another value, which counts only after a restart.
    Waits(String),
}

impl Difference {
    /// Whether it is about that tenant alone: what is about the whole site, or another tenant, is not for its admins to
    /// read.
    pub fn concerns(&self, tenant: &TenantId) -> bool {
        match self {
            Self::Added(item) | Self::Removed(item) | Self::Changed(item, _) => {
                item.tenant.as_ref() == Some(tenant)
            }
            Self::Waits(_) => false,
        }
    }
}

/// How many differences one line of a log tells.
const MOST_TOLD: usize = 50;

/// What is to be told of the way from one snapshot to the next.
pub fn differences(old: &Summary, new: &Summary) -> Vec<Difference> {
    let mut found = Vec::new();
    for (name, before) in &old.items {
        match new.items.get(name) {
            None => found.push(Difference::Removed(before.clone())),
            // Neither tenant is to read what it is at the other.
            Some(after) if after.tenant != before.tenant => {
                found.extend([Difference::Removed(before.clone()), Difference::Added(after.clone())]);
            }
            Some(after) => found.extend(changed(before, after)),
        }
    }
    let added = new.items.iter().filter(|(name, _)| !old.items.contains_key(*name));
    found.extend(added.map(|(_, item)| Difference::Added(item.clone())));
    let waits = new.fixed.iter().filter(|(name, value)| old.fixed.get(*name).is_some_and(|v| v != *value));
    found.extend(waits.map(|(name, _)| Difference::Waits(name.clone())));
    found
}

fn changed(before: &Item, after: &Item) -> Option<Difference> {
    let mut names: Vec<_> = before.fields.keys().chain(after.fields.keys()).collect();
    names.sort();
    names.dedup();
    let value = |item: &Item, name| item.fields.get(name).cloned().unwrap_or_else(|| "none".to_owned());
    let fields: Vec<_> = names
        .into_iter()
        .map(|name| (name.clone(), value(before, name), value(after, name)))
        .filter(|(_, old, new)| old != new)
        .collect();
    (!fields.is_empty()).then(|| Difference::Changed(after.clone(), fields))
}

/// All of them on one line, up to a bound.
pub fn line(differences: &[Difference]) -> String {
    if differences.is_empty() {
        return "nothing".to_owned();
    }
    let told: Vec<_> = differences.iter().take(MOST_TOLD).map(ToString::to_string).collect();
    match differences.len().saturating_sub(MOST_TOLD) {
        0 => told.join("; "),
        more => format!("{}; and {more} more", told.join("; ")),
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(item) => {
                write!(f, "{} added", item.label)?;
                match item.fields.get(STATE) {
                    Some(state) if state != GOOD => write!(f, " ({state})"),
                    _ => Ok(()),
                }
            }
            Self::Removed(item) => write!(f, "{} removed", item.label),
            Self::Changed(item, fields) => {
                write!(f, "{} changed: ", item.label)?;
                for (n, (name, old, new)) in fields.iter().enumerate() {
                    f.write_str(if n > 0 { ", " } else { "" })?;
                    let space = if name.is_empty() { "" } else { " " };
                    if [old, new].iter().any(|value| value.starts_with(VEILED)) {
                        f.write_str(name)?;
                    } else {
                        write!(f, "{name}{space}{old} → {new}")?;
                    }
                }
                Ok(())
            }
            Self::Waits(field) => write!(f, "{field} changed, but counts only after a restart"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{
            ApiKey, Config, Secret,
            fixture::{SECRET, config, issuer, key, quota},
        },
        domain::Permissions,
        registry::Registry,
    };

    fn told(old: &Config, new: &Config) -> Vec<String> {
        let sum = |config| Summary::of(config, &Registry::default(), "a salt");
        differences(&sum(old), &sum(new)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn keys_come_go_and_change_by_description_and_fingerprint() {
        let old = Config { keys: vec![key("one"), key("two")], ..config() };
        assert!(told(&old, &old).is_empty());
        let changed = ApiKey { disabled: true, quota: quota(5, 6), ..key("two") };
        let unnamed = ApiKey { description: None, ..key("three") };
        let new = Config { keys: vec![changed, unnamed], ..config() };
        assert_eq!(
            told(&old, &new),
            [
                "API key 3fc4ccfe7458 \"for tests\" changed: disabled false → true, rate_limit 100/s (burst 200) → 5/s (burst 6)",
                "API key 7692c3ad3540 \"for tests\" removed",
                "API key 8b5b9db0c13d added",
            ]
            .map(str::to_owned)
        );
    }

    #[test]
    fn settings_are_told_with_their_values_and_secrets_without() {
        let mut old = config();
        old.tenants[0].issuers.push(issuer());
        let mut new = old.clone();
        new.tenants[0].issuers[0].key = Secret(b"another secret of at least thirty-two bytes".to_vec());
        new.tenants[0].issuers.push(issuer());
        new.tenants[0].retention.newest = Some(9);
        new.tenants[0].roles.insert("idle".into(), Permissions::default());
        new.limits.title = 20;
        new.server.admin_token = Some(Secret(SECRET.to_vec()));
        let told = told(&old, &new);
        assert_eq!(
            told,
            [
                "issuer of default changed: key",
                "limits.title changed: 255 → 20",
                "tenant default changed: retention.newest all → 9",
                "issuer of default #2 added",
                "role idle added",
                "server.admin_token changed, but counts only after a restart",
            ]
        );
        assert_eq!(line(&[]), "nothing");
    }

    #[test]
    fn a_summary_holds_no_secret_and_one_line_is_bounded() {
        let mut new = config();
        new.tenants[0].issuers.push(issuer());
        new.keys =
            (0..60).map(|n| ApiKey { description: Some("a\nb".into()), ..key(&n.to_string()) }).collect();
        let summary = Summary::of(&new, &Registry::default(), "a salt");
        let text = serde_json::to_string(&summary).unwrap();
        assert!(!text.contains(std::str::from_utf8(SECRET).unwrap()));
        let line = line(&differences(&Summary::of(&config(), &Registry::default(), "a salt"), &summary));
        assert!(line.ends_with("; and 11 more") && !line.contains('\n'), "{line}");
    }

    #[test]
    fn the_hash_tells_what_is_in_force_and_not_where_it_listens() {
        let hash = |config: &Config| Summary::of(config, &Registry::default(), "a salt").hash;
        let (old, mut new) = (config(), config());
        new.server.listen.set_port(1);
        assert_eq!(hash(&old), hash(&new));
        new.limits.title = 20;
        assert_ne!(hash(&old), hash(&new));
    }
}
