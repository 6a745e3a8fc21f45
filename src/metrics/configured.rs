//! Figures of what is configured, by API key, by hook and by issuer: made anew for each scrape, so that the series of
//! what is no longer configured go away, and the configuration bounds them.

use prometheus::{Encoder, GaugeVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

use super::{add, counters};

const KEY: &[&str] = &["tenant", "description", "fingerprint"];
const KEY_REASON: &[&str] = &["tenant", "description", "fingerprint", "reason"];
const HOOK: &[&str] = &["tenant", "hook"];
const HOOK_REASON: &[&str] = &["tenant", "hook", "reason"];
const HOOK_OUTCOME: &[&str] = &["tenant", "hook", "outcome"];
const ISSUER: &[&str] = &["tenant", "issuer"];

/// One scrape's figures.
pub struct Configured {
    registry: Registry,
    key_requests: IntCounterVec,
    key_refusals: IntCounterVec,
    key_last_used: GaugeVec,
    key_expires: GaugeVec,
    hook_requests: IntCounterVec,
    hook_refusals: IntCounterVec,
    hook_events: IntCounterVec,
    hook_unknown: IntCounterVec,
    jwks_keys: IntGaugeVec,
    jwks_age: IntGaugeVec,
    jwks_failures: IntCounterVec,
}

/// What is told of one API key. Times are in seconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct KeyFigures<'a> {
    /// Its tenant, description and fingerprint.
    pub labels: [&'a str; 3],
    /// Requests that were let through.
    pub requests: u64,
    /// Requests that were not, by reason.
    pub refusals: [(&'a str, u64); 3],
    /// When it was last used, if it was since the start.
    pub last_used: Option<f64>,
    /// When it ends, if it does.
    pub expires: Option<f64>,
}

/// What is told of one hook.
#[derive(Debug, Clone, Copy)]
pub struct HookFigures<'a> {
    /// Its tenant and its id.
    pub labels: [&'a str; 2],
    /// Requests that were let through.
    pub requests: u64,
    /// Requests that were not, by reason.
    pub refusals: [(&'a str, u64); 3],
    /// What came of events and their notifications, by outcome.
    pub outcomes: [(&'a str, u64); 5],
    /// Events that named no recipient that is known.
    pub unknown: u64,
}

/// What is told of one issuer that publishes its keys.
#[derive(Debug, Clone, Copy)]
pub struct IssuerFigures<'a> {
    /// Its tenant, and its name or position.
    pub labels: [&'a str; 2],
    /// Keys that verify now.
    pub keys: usize,
    /// Seconds since they were fetched, if they were.
    pub age: Option<u64>,
    /// Fetches that failed.
    pub failures: u64,
}

impl Configured {
    /// With nothing yet. Fails only where two metrics share a name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let r = Registry::new();
        Ok(Self {
            key_requests: counters(
                &r,
                "key_requests_total",
                "Requests that an API key was admitted with.",
                KEY,
            )?,
            key_refusals: counters(
                &r,
                "key_refusals_total",
                "Requests refused to a known API key.",
                KEY_REASON,
            )?,
            key_last_used: times(
                &r,
                "key_last_used_timestamp_seconds",
                "When an API key was last used.",
                KEY,
            )?,
            key_expires: times(&r, "key_expires_timestamp_seconds", "When an API key ends.", KEY)?,
            hook_requests: counters(&r, "hook_requests_total", "Requests that a hook let through.", HOOK)?,
            hook_refusals: counters(&r, "hook_refusals_total", "Requests that a hook refused.", HOOK_REASON)?,
            hook_events: counters(
                &r,
                "hook_events_total",
                "What came of a hook's events: notifications stored, repeated or refused, events ignored.",
                HOOK_OUTCOME,
            )?,
            hook_unknown: counters(
                &r,
                "hook_unknown_recipients_total",
                "Events of a hook that named no recipient that is known.",
                HOOK,
            )?,
            jwks_keys: numbers(&r, "jwks_keys", "Published keys that verify tokens now.", ISSUER)?,
            jwks_age: numbers(&r, "jwks_age_seconds", "Since the issuer's keys were fetched.", ISSUER)?,
            jwks_failures: counters(&r, "jwks_failures_total", "Fetches of keys that failed.", ISSUER)?,
            registry: r,
        })
    }

    /// Adds an API key.
    pub fn key(&self, key: KeyFigures<'_>) {
        let [tenant, description, fingerprint] = key.labels;
        self.key_requests.with_label_values(&key.labels).inc_by(key.requests);
        for (reason, count) in key.refusals {
            let labels = [tenant, description, fingerprint, reason];
            self.key_refusals.with_label_values(&labels).inc_by(count);
        }
        let told = [(&self.key_last_used, key.last_used), (&self.key_expires, key.expires)];
        for (metric, at) in told {
            if let Some(at) = at {
                metric.with_label_values(&key.labels).set(at);
            }
        }
    }

    /// Adds a hook.
    pub fn hook(&self, hook: HookFigures<'_>) {
        let [tenant, id] = hook.labels;
        self.hook_requests.with_label_values(&hook.labels).inc_by(hook.requests);
        self.hook_unknown.with_label_values(&hook.labels).inc_by(hook.unknown);
        for (reason, count) in hook.refusals {
            self.hook_refusals.with_label_values(&[tenant, id, reason]).inc_by(count);
        }
        for (outcome, count) in hook.outcomes {
            self.hook_events.with_label_values(&[tenant, id, outcome]).inc_by(count);
        }
    }

    /// Adds an issuer. One that stands twice, for two algorithms, has the same keys both times.
    pub fn issuer(&self, issuer: IssuerFigures<'_>) {
        self.jwks_keys.with_label_values(&issuer.labels).set(number(issuer.keys));
        if let Some(age) = issuer.age {
            self.jwks_age.with_label_values(&issuer.labels).set(number(age));
        }
        let failures = self.jwks_failures.with_label_values(&issuer.labels);
        failures.reset();
        failures.inc_by(issuer.failures);
    }

    /// All of them in Prometheus' text format, behind what is there already.
    pub fn render(&self, text: &mut Vec<u8>) -> Result<(), prometheus::Error> {
        TextEncoder::new().encode(&self.registry.gather(), text)
    }
}

fn number(n: impl TryInto<i64>) -> i64 {
    n.try_into().unwrap_or(i64::MAX)
}

fn times(r: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, prometheus::Error> {
    add(r, GaugeVec::new(Opts::new(format!("bellboard_{name}"), help), labels)?)
}

fn numbers(r: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
    add(r, IntGaugeVec::new(Opts::new(format!("bellboard_{name}"), help), labels)?)
}
