//! What a reload must not do by accident (an empty or cut-off file is valid YAML), and what it cannot do.

use super::{
    Config, Server, Tenant,
    hooks::HOOKS,
    problem::ConfigProblem,
    tenants::{ISSUERS, REVOKED},
};
use crate::domain::TenantId;

/// Why the new settings must not replace the old ones while running. A file that was cut off has lost its end
/// without a word, so whatever decides who gets in is lost only where a file writes it out empty:
///
/// - everything of the main file: never;
/// - every API key of a tenant that stays, or of all: `api_keys: {}`;
/// - every issuer, revoked token or hook of a tenant that stays: `issuers: []`, `revoked_tokens: []`, `hooks: {}` in it;
/// - every tenant of a file that is still read: `tenants: {}` in it;
/// - a tenant that has issuers and no API key: `issuers: []` in it, and then it may go. Any other goes with its
///   keys, which stand elsewhere: no cut takes both and leaves the keys of the other tenants;
/// - the folder of types, as where its volume is gone: an empty folder, or none in the settings.
pub fn refuse_reload(old: &Config, new: &Config) -> Option<ConfigProblem> {
    if new.origin.empty && !old.origin.empty {
        return Some(ConfigProblem::new(&new.origin.file, "", "is empty; the settings before it stay"));
    }
    lost_keys(old, new)
        .or_else(|| lost_lists(old, new))
        .or_else(|| lost_tenants(old, new))
        .or_else(|| lost_types(old, new))
}

fn refusal(new: &Config, field: &str, lost: &str, way_out: &str) -> Option<ConfigProblem> {
    let message = format!("would lose {lost}, as a cut-off file does; {way_out}");
    Some(ConfigProblem::new(&new.origin.file, field, message))
}

fn has_keys(config: &Config, tenant: &TenantId) -> bool {
    config.keys.iter().any(|key| key.tenant == *tenant)
}

fn lost_keys(old: &Config, new: &Config) -> Option<ConfigProblem> {
    let all = new.keys.is_empty();
    let lost =
        |id: &&TenantId| has_keys(old, id) && !has_keys(new, id) && (all || new.tenants.contains_key(*id));
    let lost: Vec<_> = old.tenants.keys().filter(lost).map(TenantId::as_str).collect();
    if lost.is_empty() || new.origin.keys_emptied {
        return None;
    }
    let way_out = "to shut keys out set disabled: true on each, or write api_keys: {} if none is meant";
    refusal(new, "api_keys", &format!("every API key of {}", lost.join(", ")), way_out)
}

fn lost_lists(old: &Config, new: &Config) -> Option<ConfigProblem> {
    for (id, before) in &old.tenants {
        let Some(after) = new.tenants.get(id) else { continue };
        let issuers = (ISSUERS, "every issuer", !before.issuers.is_empty() && after.issuers.is_empty());
        let revoked = (REVOKED, "every revoked token", has_revoked(before) && !has_revoked(after));
        let hooks = (HOOKS, "every hook", !before.hooks.is_empty() && after.hooks.is_empty());
        for (name, what, lost) in [issuers, revoked, hooks] {
            if lost && !new.origin.emptied.contains(&(id.clone(), name)) {
                let none = if name == HOOKS { "{}" } else { "[]" };
                let way_out = format!("write {name}: {none} there if none is meant");
                return refusal(new, &format!("tenants.{id}.{name}"), &format!("{what} of {id}"), &way_out);
            }
        }
    }
    None
}

fn has_revoked(tenant: &Tenant) -> bool {
    !tenant.revoked.jtis.is_empty() || !tenant.revoked.users.is_empty()
}

fn lost_types(old: &Config, new: &Config) -> Option<ConfigProblem> {
    let folder = new.plugins.as_ref().filter(|_| new.origin.types_missing && !old.origin.types_missing)?;
    if old.plugins.as_ref() != Some(folder) {
        return None;
    }
    let message = format!(
        "{} does not exist any more; the types in it stay; leave it empty, or name none, if none is meant",
        folder.display()
    );
    Some(ConfigProblem::new(&new.origin.file, "plugins", message))
}

fn lost_tenants(old: &Config, new: &Config) -> Option<ConfigProblem> {
    let lost: Vec<_> = old.tenants.iter().filter(|(id, _)| !new.tenants.contains_key(*id)).collect();
    let named = |ids: &[&str]| format!("the tenant {}", ids.join(", "));
    // The file that named some and is still read, where it now names so many.
    let now_names = |many: Option<usize>| {
        let mut named = old.origin.tenants.iter().filter(|(_, before)| before.is_some_and(|n| n > 0));
        named.find(|(file, _)| new.origin.tenants.get(*file) == Some(&many)).map(|(file, _)| file)
    };
    if let Some(file) = now_names(None).filter(|_| !lost.is_empty()) {
        let ids: Vec<_> = lost.iter().map(|(id, _)| id.as_str()).collect();
        let way_out = format!("write tenants: {{}} in {} if none is meant", file.display());
        return refusal(new, "tenants", &named(&ids), &way_out);
    }
    let bare = |(id, tenant): &&(&TenantId, &Tenant)| !tenant.issuers.is_empty() && !has_keys(old, id);
    let ids: Vec<_> = lost.iter().filter(bare).map(|(id, _)| id.as_str()).collect();
    if ids.is_empty() || now_names(Some(0)).is_some() {
        return None;
    }
    refusal(new, "tenants", &named(&ids), "to remove one that has no API key, first write issuers: [] in it")
}

/// The fields that differ and count only after a restart. What the command line sets is to be set in both.
pub fn restart_needed(old: &Config, new: &Config) -> Vec<&'static str> {
    let (a, b) = (&old.server, &new.server);
    let (store, then) = (&old.store, &new.store);
    let fields = [
        ("server.listen", a.listen != b.listen),
        ("server.admin_listen", a.admin_listen != b.admin_listen),
        ("server.admin_token", a.admin_token != b.admin_token),
        ("server.admin_token_next", a.admin_token_next != b.admin_token_next),
        ("server.admin_networks", a.admin_networks != b.admin_networks),
        ("server.request_timeout", a.request_timeout != b.request_timeout),
        ("server.drain_time", a.drain_time != b.drain_time),
        ("server.shutdown_timeout", a.shutdown_timeout != b.shutdown_timeout),
        ("server.idle_timeout", a.idle_timeout != b.idle_timeout),
        ("server.max_connections", a.max_connections != b.max_connections),
        ("server.max_connections_per_client", a.max_connections_per_client != b.max_connections_per_client),
        ("server.max_body_memory", a.max_body_memory != b.max_body_memory),
        ("store.url", store.url != then.url),
        ("store.min_free_space", store.min_free_space != then.min_free_space),
        ("store.readers", store.readers != then.readers),
        ("store.lanes", store.lanes != then.lanes),
        ("store.connect_timeout", store.connect_timeout != then.connect_timeout),
        ("store.statement_timeout", store.statement_timeout != then.statement_timeout),
        ("store.lock_timeout", store.lock_timeout != then.lock_timeout),
        ("store.commit_timeout", store.commit_timeout != then.commit_timeout),
        ("store.clock_leeway", store.clock_leeway != then.clock_leeway),
        ("log.format", old.log.json != new.log.json),
        ("log.level", old.log.level != new.log.level),
    ];
    fields.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
}

/// Puts back what counts only after a restart, so that `new` says what is in force.
pub fn keep_until_restart(running: &Config, new: &mut Config) {
    let trusted_proxies = std::mem::take(&mut new.server.trusted_proxies);
    let allowed_hosts = std::mem::take(&mut new.server.allowed_hosts);
    new.server = Server { trusted_proxies, allowed_hosts, ..running.server.clone() };
    new.store = running.store.clone();
    new.log = running.log;
}
