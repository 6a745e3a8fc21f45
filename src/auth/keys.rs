//! API keys, looked up by the hash of what is presented, so that comparing leaks no timing.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use globset::{Glob, GlobSet, GlobSetBuilder};
use ipnet::IpNet;

use super::{
    fingerprint, sha256,
    usage::{KeyRefusal, Usage},
};
use crate::{
    config::{ApiKey, Config},
    domain::{Principal, PrincipalKind, Timestamp},
};

/// Every API key of every tenant.
#[derive(Default)]
pub struct Keys(HashMap<[u8; 32], KeyEntry>);

/// What is known of one API key. Neither the key nor its whole hash is in it.
#[derive(Debug)]
pub struct KeyEntry {
    /// Who it proves.
    pub principal: Arc<Principal>,
    /// The first 12 hexadecimal digits of its hash: names it to people without giving it away.
    pub fingerprint: String,
    /// What it is for.
    pub description: Option<String>,
    /// Its place among the configured keys; its limiter has the same.
    pub index: usize,
    /// The place of its tenant among the configured tenants.
    pub tenant: usize,
    /// It stands in the published documentation, so anyone knows it.
    pub development: bool,
    /// What became of the requests that presented it.
    pub usage: Arc<Usage>,
    expires_at: Option<Timestamp>,
    disabled: bool,
    networks: Vec<IpNet>,
}

impl Keys {
    /// Takes the configured keys, and over from the previous ones what they have counted. The error names the key that cannot be used, by its fingerprint.
    pub fn build(config: &Config, previous: Option<&Self>) -> Result<Self, String> {
        let mut keys = HashMap::with_capacity(config.keys.len());
        for (index, key) in config.keys.iter().enumerate() {
            let before =
                previous.and_then(|p| p.0.get(&key.hash)).filter(|p| p.principal.tenant == key.tenant);
            let usage = before.map(|p| Arc::clone(&p.usage)).unwrap_or_default();
            let entry = KeyEntry::build(config, index, key, usage)?;
            if let Some(twin) = keys.insert(key.hash, entry) {
                return Err(format!("API key {} is configured twice", twin.fingerprint));
            }
        }
        Ok(Self(keys))
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &KeyEntry> {
        self.0.values()
    }

    /// Who the key proves, at a time and from an address. The address is only asked for when the key is
    /// tied to networks, and one that is not known is in none of them.
    ///
    /// # Errors
    /// The key where it is known, but disabled, expired or elsewhere. To callers all of it is one failure.
    pub fn verify(
        &self,
        key: &[u8],
        now: Timestamp,
        client: impl FnOnce() -> Option<IpAddr>,
    ) -> Result<&KeyEntry, Option<&KeyEntry>> {
        let entry = self.0.get(&sha256(key)).ok_or(None)?;
        let fault = if entry.disabled {
            "disabled"
        } else if entry.expires_at.is_some_and(|at| now >= at) {
            "expired"
        } else if !entry.allows(client) {
            "not allowed from there"
        } else {
            return Ok(entry);
        };
        entry.usage.refused(KeyRefusal::Credential);
        tracing::debug!(key = %entry.fingerprint, "an API key was refused: it is {fault}");
        Err(Some(entry))
    }
}

impl KeyEntry {
    fn build(config: &Config, index: usize, key: &ApiKey, usage: Arc<Usage>) -> Result<Self, String> {
        let fingerprint = fingerprint(&key.hash);
        let tenant = config
            .tenants
            .get_index_of(&key.tenant)
            .ok_or_else(|| format!("API key {fingerprint} belongs to no known tenant: {}", key.tenant))?;
        let allowed_types = globs(&key.types).map_err(|e| format!("API key {fingerprint}: {e}"))?;
        let name: Arc<str> = format!("key:{fingerprint}").into();
        let origin = key.replaces.as_ref().map(|first| format!("key:{first}").into());
        let principal = Principal {
            tenant: key.tenant.clone(),
            kind: PrincipalKind::Key { allowed_types: allowed_types.map(Arc::new) },
            permissions: key.permissions,
            origin: origin.unwrap_or_else(|| Arc::clone(&name)),
            name,
        };
        Ok(Self {
            principal: Arc::new(principal),
            fingerprint,
            description: key.description.clone(),
            index,
            tenant,
            development: key.development,
            usage,
            expires_at: key.expires_at,
            disabled: key.disabled,
            networks: key.networks.clone(),
        })
    }

    /// When it ends.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    fn allows(&self, client: impl FnOnce() -> Option<IpAddr>) -> bool {
        if self.networks.is_empty() {
            return true;
        }
        client().is_some_and(|client| self.networks.iter().any(|network| network.contains(&client)))
    }
}

/// The types that are allowed: `None` for an empty list, which restricts nothing.
pub fn globs(patterns: &[String]) -> Result<Option<GlobSet>, globset::Error> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(Glob::new(pattern)?);
    }
    set.build().map(Some)
}

#[cfg(test)]
mod tests {
    use super::{super::hex, *};
    use crate::config::fixture::{config, key};

    const PLAIN: &str = "your-secure-api-key-minimum-32-characters";
    const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    fn keys(key: ApiKey) -> Keys {
        Keys::build(&Config { keys: vec![key], ..config() }, None).unwrap()
    }

    fn holds(keys: &Keys, plain: &str, now: i64, from: &str) -> bool {
        keys.verify(plain.as_bytes(), Timestamp(now), || from.parse().ok()).is_ok()
    }

    #[test]
    fn a_key_proves_its_principal_and_its_hash_proves_nothing() {
        let keys = keys(key(PLAIN));
        let entry = keys.verify(PLAIN.as_bytes(), Timestamp(0), || HERE).unwrap();
        assert_eq!(&*entry.principal.name, format!("key:{}", entry.fingerprint));
        assert_eq!(entry.fingerprint.len(), 12);
        for wrong in
            [format!("sha256:{}", hex(&sha256(PLAIN.as_bytes()))), PLAIN.to_uppercase(), String::new()]
        {
            assert!(!holds(&keys, &wrong, 0, "127.0.0.1"), "{wrong}");
        }
    }

    #[test]
    fn a_key_ends_at_its_time_and_when_disabled() {
        let until = keys(ApiKey { expires_at: Some(Timestamp(1_000)), ..key(PLAIN) });
        assert!(holds(&until, PLAIN, 999, "127.0.0.1"));
        assert!(!holds(&until, PLAIN, 1_000, "127.0.0.1"));
        let disabled = keys(ApiKey { disabled: true, ..key(PLAIN) });
        assert!(!holds(&disabled, PLAIN, 0, "127.0.0.1"));
    }

    #[test]
    fn a_key_works_only_from_its_networks() {
        let networks = vec!["10.1.0.0/16".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        let tied = keys(ApiKey { networks, ..key(PLAIN) });
        assert!(holds(&tied, PLAIN, 0, "10.1.200.3"));
        assert!(holds(&tied, PLAIN, 0, "2001:db8::1"));
        assert!(!holds(&tied, PLAIN, 0, "10.2.0.1"));
    }

    #[test]
    fn a_key_sends_only_its_types() {
        let keys = keys(ApiKey { types: vec!["billing_*".into()], ..key(PLAIN) });
        let principal = &keys.verify(PLAIN.as_bytes(), Timestamp(0), || HERE).unwrap().principal;
        assert!(principal.may_send_type("billing_invoice") && !principal.may_send_type("ticket_reply"));
    }

    #[test]
    fn what_cannot_be_built_is_named_by_its_fingerprint() {
        let fingerprint = hex(&sha256(PLAIN.as_bytes())[..6]);
        let twice = Config { keys: vec![key(PLAIN), key(PLAIN)], ..config() };
        let glob = Config { keys: vec![ApiKey { types: vec!["[".into()], ..key(PLAIN) }], ..config() };
        for broken in [twice, glob] {
            let error = Keys::build(&broken, None).err().unwrap();
            assert!(error.contains(&fingerprint) && !error.contains(PLAIN), "{error}");
        }
    }
}
