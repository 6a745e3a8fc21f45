//! `bellboard key rotate`: a key's replacement, and the YAML in which both hold for a while.

use std::{fmt::Write as _, io::Read, path::Path, time::Duration};

use super::{Failure, setup};
use crate::{
    auth::{self, NewKey},
    clock::Clock,
    config::{self, ApiKey, Config, Quota},
    domain::{TenantId, Timestamp},
};

/// The options of `key rotate`.
#[derive(clap::Args)]
pub struct Arguments {
    /// The fingerprint or the description of the key. Without it the key itself is read from the standard
    /// input, so that it stands in no shell's history.
    #[arg(value_name = "WHICH")]
    which: Option<String>,
    /// How long the old key goes on beside the new one, such as 12h or 7d.
    #[arg(long, env = "BELLBOARD_OVERLAP", default_value = "7d", value_parser = overlap)]
    overlap: Duration,
}

fn overlap(text: &str) -> Result<Duration, String> {
    config::duration(text, Duration::from_secs(1)..=Duration::from_secs(365 * 86_400))
}

pub fn run(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let (_, config) = setup::read(path)?;
    let old = match &arguments.which {
        Some(which) => by_name(&config, which)?,
        None => by_hash(&config, auth::key_hash(&read_key()?))?,
    };
    let now = Clock::default().now();
    if old.disabled || old.expires_at.is_some_and(|at| at <= now) {
        return Err(format!("{} is disabled or expired: make another with `bellboard key new`", shown(old)));
    }
    let seconds = i64::try_from(arguments.overlap.as_secs()).unwrap_or(i64::MAX);
    let until = now.plus_seconds(seconds);
    let until = old.expires_at.map_or(until, |at| at.min(until));
    let new = auth::new_key()?;
    super::print(&text(&config, old, &new, until))
}

fn text(config: &Config, old: &ApiKey, new: &NewKey, until: Timestamp) -> String {
    let default = config.tenants.get(&old.tenant).map(|tenant| tenant.key_quota);
    format!(
        "The new key, for the system that sends. It is shown this once:\n\n  {}\n\n\
         It replaces {}, which ends at {until}.\n\n\
         To paste in place of the old key's entry; take out the first of the two when nothing uses it any more:\n\n\
         api_keys:\n{}{}",
        new.key,
        shown(old),
        entry(&auth::configured(&old.hash), old, default, Some(until)),
        entry(&new.configured(), &successor(old), default, None).trim_end(),
    )
}

/// What comes in a key's place is known as the first of their line.
fn successor(old: &ApiKey) -> ApiKey {
    let first = old.replaces.clone().unwrap_or_else(|| auth::fingerprint(&old.hash));
    ApiKey { replaces: Some(first), ..old.clone() }
}

/// A key's entry. Text is quoted as JSON does, which YAML reads the same.
fn entry(key: &str, like: &ApiKey, default: Option<Quota>, expires_at: Option<Timestamp>) -> String {
    let mut text = format!("  \"{key}\":\n");
    let mut line = |name: &str, value: String| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "    {name}: {value}");
    };
    if like.tenant.as_str() != TenantId::DEFAULT {
        line("tenant", like.tenant.to_string());
    }
    if !like.roles.is_empty() {
        line("roles", quoted(&like.roles));
    }
    if let Some(description) = &like.description {
        line("description", serde_json::Value::from(description.as_str()).to_string());
    }
    if let Some(first) = &like.replaces {
        line("replaces", format!("\"{first}\""));
    }
    if let Some(at) = expires_at {
        line("expires_at", at.to_string());
    }
    if !like.types.is_empty() {
        line("types", quoted(&like.types));
    }
    if !like.networks.is_empty() {
        line("networks", quoted(&like.networks));
    }
    if default != Some(like.quota) {
        let Quota { per_second, burst } = like.quota;
        line("rate_limit", format!("{{per_second: {per_second}, burst: {burst}}}"));
    }
    if text.lines().count() == 1 {
        text = format!("  \"{key}\": {{}}\n");
    }
    text
}

fn quoted<T: ToString>(items: &[T]) -> String {
    let items: Vec<_> =
        items.iter().map(|item| serde_json::Value::from(item.to_string()).to_string()).collect();
    format!("[{}]", items.join(", "))
}

/// The key of that fingerprint, or the only one of that description. The failure does not repeat what was
/// asked for: it may be the key itself.
fn by_name<'c>(config: &'c Config, which: &str) -> Result<&'c ApiKey, Failure> {
    let fingerprint = |key: &&ApiKey| auth::fingerprint(&key.hash) == which.to_ascii_lowercase();
    if let Some(key) = config.keys.iter().find(fingerprint) {
        return Ok(key);
    }
    let found: Vec<_> = config.keys.iter().filter(|k| k.description.as_deref() == Some(which)).collect();
    match found[..] {
        [key] => Ok(key),
        [] => Err(format!(
            "no API key has that fingerprint or description; there are\n{}",
            listed(&config.keys)
        )),
        _ => Err(format!("several API keys have that description; give a fingerprint\n{}", listed(found))),
    }
}

fn by_hash(config: &Config, hash: [u8; 32]) -> Result<&ApiKey, Failure> {
    let found = config.keys.iter().find(|key| key.hash == hash);
    found.ok_or_else(|| "the configuration does not have that API key".into())
}

fn listed<'k>(keys: impl IntoIterator<Item = &'k ApiKey>) -> String {
    keys.into_iter().map(|key| format!("  {}", shown(key))).collect::<Vec<_>>().join("\n")
}

fn shown(key: &ApiKey) -> String {
    let description = key.description.as_deref().unwrap_or("without a description");
    format!("{} of tenant {} ({description})", auth::fingerprint(&key.hash), key.tenant)
}

/// One line of the standard input.
fn read_key() -> Result<String, Failure> {
    const MOST: u64 = 4_096;
    let mut text = String::new();
    let read = std::io::stdin().lock().take(MOST).read_to_string(&mut text);
    read.map_err(|e| format!("the standard input cannot be read: {e}"))?;
    match text.trim() {
        "" => Err("give a fingerprint or a description, or the key itself on the standard input".into()),
        key => Ok(key.to_owned()),
    }
}
