//! What a reload must not do by accident (an empty or cut-off file is valid YAML), and what it cannot do.

use super::{Config, Server, problem::ConfigProblem};

/// Why the new settings must not replace the old ones while running: an empty main file, or a tenant left
/// without any API key where no file says `api_keys: {}`.
pub fn refuse_reload(old: &Config, new: &Config) -> Option<ConfigProblem> {
    if new.origin.empty && !old.origin.empty {
        return Some(ConfigProblem::new(&new.origin.file, "", "is empty; the settings before it stay"));
    }
    if new.origin.keys_emptied {
        return None;
    }
    let mut dropped: Vec<&str> = Vec::new();
    for key in &old.keys {
        let name = key.tenant.as_str();
        if !dropped.contains(&name) && !new.keys.iter().any(|k| k.tenant == key.tenant) {
            dropped.push(name);
        }
    }
    if dropped.is_empty() {
        return None;
    }
    let message = format!(
        "would lose every API key of {}, as a cut-off file does; to shut keys out set disabled: true on \
         each, or write api_keys: {{}} if none is meant",
        dropped.join(", ")
    );
    Some(ConfigProblem::new(&new.origin.file, "api_keys", message))
}

/// The fields that differ and count only after a restart. What the command line sets is to be set in both.
pub fn restart_needed(old: &Config, new: &Config) -> Vec<&'static str> {
    let (a, b) = (&old.server, &new.server);
    let fields = [
        ("server.listen", a.listen != b.listen),
        ("server.admin_listen", a.admin_listen != b.admin_listen),
        ("server.admin_token", a.admin_token != b.admin_token),
        ("server.admin_networks", a.admin_networks != b.admin_networks),
        ("server.request_timeout", a.request_timeout != b.request_timeout),
        ("server.shutdown_timeout", a.shutdown_timeout != b.shutdown_timeout),
        ("server.idle_timeout", a.idle_timeout != b.idle_timeout),
        ("server.max_connections", a.max_connections != b.max_connections),
        ("server.max_body_memory", a.max_body_memory != b.max_body_memory),
        ("store.url", old.store.url != new.store.url),
        ("store.min_free_space", old.store.min_free_space != new.store.min_free_space),
        ("log.format", old.log.json != new.log.json),
        ("log.level", old.log.level != new.log.level),
    ];
    fields.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
}

/// Puts back what counts only after a restart, so that `new` says what is in force.
pub fn keep_until_restart(running: &Config, new: &mut Config) {
    let trusted_proxies = std::mem::take(&mut new.server.trusted_proxies);
    new.server = Server { trusted_proxies, ..running.server.clone() };
    new.store = running.store.clone();
    new.log = running.log;
}
