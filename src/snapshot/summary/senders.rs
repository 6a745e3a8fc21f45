//! What is told of those who send: API keys and hooks.

use std::collections::BTreeMap;

use super::{Summary, hex, list, names, quota, quoted, span};
use crate::{
    config::{ApiKey, Hook, Secret},
    domain::TenantId,
};

impl Summary {
    pub(super) fn key(&mut self, key: &ApiKey) {
        let ApiKey {
            hash,
            description,
            replaces,
            tenant,
            roles,
            permissions,
            expires_at,
            disabled,
            types,
            networks,
            quota: own,
            development: _,
        } = key;
        let name = format!("API key {}", &hex(hash)[..12]);
        let description = description.as_deref().map_or("none".to_owned(), quoted);
        let label = if description == "none" { name.clone() } else { format!("{name} {description}") };
        let fields = [
            ("key", self.veiled(hash)),
            ("description", description),
            ("replaces", replaces.clone().unwrap_or_else(|| "none".to_owned())),
            ("tenant", tenant.to_string()),
            ("roles", list(roles)),
            ("permissions", names(*permissions)),
            ("expires_at", expires_at.map_or("never".to_owned(), |at| at.to_string())),
            ("disabled", disabled.to_string()),
            ("types", if types.is_empty() { "all".to_owned() } else { list(types) }),
            ("networks", if networks.is_empty() { "all".to_owned() } else { list(networks) }),
            ("rate_limit", quota(*own)),
        ];
        self.add_of(Some(tenant), name, label, fields);
    }

    pub(super) fn hook(&mut self, tenant: &TenantId, id: &str, hook: &Hook) {
        let Hook {
            mapping,
            description,
            authentication,
            secrets,
            replay_window,
            replay_memory,
            body_bytes,
            roles,
            permissions,
            types,
            quota: own,
            overload,
            settings,
            recipients,
            fallback,
            place: _,
        } = hook;
        let secrets: Vec<_> = secrets.iter().map(|Secret(secret)| secret).collect();
        let recipients: BTreeMap<_, _> = recipients.iter().collect();
        let of_mapping = || "the mapping's".to_owned();
        let fields = [
            ("tenant", tenant.to_string()),
            ("mapping", quoted(mapping)),
            ("description", description.as_deref().map_or("none".to_owned(), quoted)),
            ("authentication", authentication.map_or_else(of_mapping, |scheme| scheme.as_str().to_owned())),
            ("secrets", self.veiled(&secrets)),
            ("replay_window", span(Some(*replay_window))),
            ("replay_memory", span(Some(*replay_memory))),
            ("body_bytes", body_bytes.map_or("limits.body_bytes".to_owned(), |bytes| bytes.to_string())),
            ("roles", list(roles)),
            ("permissions", names(*permissions)),
            ("types", if types.is_empty() { "all".to_owned() } else { list(types) }),
            ("rate_limit", quota(*own)),
            ("overload", overload.map_or_else(of_mapping, |overload| overload.status().to_string())),
            ("settings", self.veiled(settings)),
            ("recipients", self.veiled(&recipients)),
            ("fallback", list(fallback)),
        ];
        self.add_of(Some(tenant), format!("hook {id}"), String::new(), fields);
    }
}
