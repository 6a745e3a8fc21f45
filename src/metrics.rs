//! What the gateway counts and measures, for Prometheus.
//!
//! Every label's values are bounded: by the routes of the document, the tenants and types of the
//! configuration, or a closed list in the code. Nothing that a caller sends becomes a label.

mod configured;

pub use configured::{Configured, HookFigures, IssuerFigures, KeyFigures};

use std::time::Duration;

use prometheus::{
    Encoder, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry, TextEncoder, core::Collector,
};

/// All metrics, made once by the composition root and passed to what reports them.
pub struct Metrics {
    registry: Registry,
    /// Open connections, by listener.
    pub connections: IntGaugeVec,
    /// Connections closed because they were silent for too long, by listener.
    pub connections_timed_out: IntCounterVec,
    /// Connections closed for others, by listener.
    pub connections_refused: IntCounterVec,
    /// Requests by route, method and status.
    pub requests: IntCounterVec,
    /// Seconds from a request's head to its answer, by route and method.
    pub request_seconds: HistogramVec,
    /// Notifications stored, by tenant and type.
    pub sends: IntCounterVec,
    /// Sends refused, by the reason's kind and the component (`core` for the gateway's own limits).
    pub refusals: IntCounterVec,
    /// Advisory problems let through, by type and component.
    pub warnings: IntCounterVec,
    /// Seconds in a type's pipeline.
    pub pipeline_seconds: Histogram,
    /// Commands committed together.
    pub batch_commands: Histogram,
    /// Seconds from a batch's claim to its commit.
    pub commit_seconds: Histogram,
    /// Heads of inboxes that did not match their rows, and were set right.
    pub drift: IntCounter,
    /// Commands that wait for the writer.
    pub queue_depth: IntGauge,
    /// Free bytes of the disk that the database is on.
    pub store_free_bytes: IntGauge,
    /// Seconds that the clock is ahead of where it should be, beyond the leeway.
    pub store_clock_ahead: IntGauge,
    /// Seconds that the clock is behind the times in the store, beyond the leeway.
    pub store_clock_behind: IntGauge,
    /// Bytes of the database's WAL.
    pub store_wal_bytes: IntGauge,
    /// Unread counts answered from memory.
    pub cache_hits: IntCounter,
    /// Unread counts read from the store.
    pub cache_misses: IntCounter,
    /// Open live streams.
    pub streams: IntGauge,
    /// Events that live streams were told.
    pub stream_events: IntCounter,
    /// Live streams that have ended, by reason.
    pub streams_ended: IntCounterVec,
    /// Requests denied by a rate limit, by the limit's name.
    pub limit_denials: IntCounterVec,
    /// Credentials refused, by reason.
    pub auth_failures: IntCounterVec,
    /// Changes of configuration, by outcome.
    pub reloads: IntCounterVec,
    /// The number of the snapshot in force.
    pub snapshot_generation: IntGauge,
    /// When the configuration in force was loaded, in seconds since 1970.
    pub snapshot_loaded_seconds: Gauge,
    /// The hash of the configuration in force, as the one label.
    pub config_info: IntGaugeVec,
    /// Whether what was kept is in force, as the files were broken at the start: 1 or 0.
    pub config_last_good: IntGauge,
    /// Whether what the files say is refused, so that something else is in force: 1 or 0.
    pub config_refused: IntGauge,
    /// Whether what is in force could not be kept for a restart: 1 or 0.
    pub last_good_unwritten: IntGauge,
    /// Changed fields that count only after a restart: 1 for each.
    pub restart_needed: IntGaugeVec,
    /// Seconds from seeing a change to its snapshot's being in force.
    pub reload_seconds: Histogram,
    /// When a configuration was last accepted, in seconds since 1970.
    pub reload_success_seconds: Gauge,
    /// When one was last refused, in seconds since 1970; 0 for never.
    pub reload_failure_seconds: Gauge,
    /// Types that are not served because they are broken.
    pub types_quarantined: IntGauge,
    /// Types served at their last good version because their current one is broken.
    pub types_kept: IntGauge,
    /// Mappings of hooks that are not served because they are broken.
    pub mappings_quarantined: IntGauge,
    /// Mappings of hooks served at their last good version because their current one is broken.
    pub mappings_kept: IntGauge,
}

const SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
const SHORT_SECONDS: &[f64] = &[1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 5e-4, 1e-3, 1e-2];
const COMMANDS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

impl Metrics {
    /// Registers every metric. Fails only where two share a name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let r = Registry::new();
        let build = IntGauge::with_opts(
            Opts::new("bellboard_build_info", "The build that runs; always 1.")
                .const_label("version", env!("CARGO_PKG_VERSION")),
        )?;
        build.set(1);
        r.register(Box::new(build))?;
        Ok(Self {
            connections: add(
                &r,
                IntGaugeVec::new(
                    Opts::new("bellboard_connections_open", "Open connections."),
                    &["listener"],
                )?,
            )?,
            connections_timed_out: counters(
                &r,
                "connections_timed_out_total",
                "Connections closed because they were silent for too long.",
                &["listener"],
            )?,
            connections_refused: counters(
                &r,
                "connections_refused_total",
                "Connections closed as their client had too many, or as they were idle and authenticated nobody while others waited.",
                &["listener"],
            )?,
            requests: counters(
                &r,
                "http_requests_total",
                "Requests answered.",
                &["route", "method", "status"],
            )?,
            request_seconds: add(
                &r,
                HistogramVec::new(
                    histogram("http_request_duration_seconds", "Time to answer a request.", SECONDS),
                    &["route", "method"],
                )?,
            )?,
            sends: counters(&r, "notifications_sent_total", "Notifications stored.", &["tenant", "type"])?,
            refusals: counters(&r, "sends_refused_total", "Sends refused.", &["reason", "component"])?,
            warnings: counters(
                &r,
                "send_warnings_total",
                "Advisory problems let through.",
                &["type", "component"],
            )?,
            pipeline_seconds: add(
                &r,
                Histogram::with_opts(histogram(
                    "pipeline_duration_seconds",
                    "Time in a type's pipeline.",
                    SHORT_SECONDS,
                ))?,
            )?,
            batch_commands: add(
                &r,
                Histogram::with_opts(histogram(
                    "store_batch_commands",
                    "Commands committed together.",
                    COMMANDS,
                ))?,
            )?,
            commit_seconds: add(
                &r,
                Histogram::with_opts(histogram(
                    "store_commit_duration_seconds",
                    "Time to commit a batch.",
                    SECONDS,
                ))?,
            )?,
            drift: counter(
                &r,
                "store_drift_total",
                "Heads of inboxes that did not match their rows, and were set right; stays 0.",
            )?,
            queue_depth: gauge(&r, "store_queue_depth", "Commands that wait for the writer.")?,
            store_free_bytes: gauge(
                &r,
                "store_free_bytes",
                "Free bytes of the disk that the database is on; 0 where it is a server's, or the system does not tell.",
            )?,
            store_clock_ahead: gauge(
                &r,
                "store_clock_ahead_seconds",
                "How far the clock has jumped ahead, beyond store.clock_leeway: retention and purges pause; else 0.",
            )?,
            store_clock_behind: gauge(
                &r,
                "store_clock_behind_seconds",
                "How far the clock is behind the times in the store, beyond store.clock_leeway: retention and purges pause; else 0.",
            )?,
            store_wal_bytes: gauge(
                &r,
                "store_wal_bytes",
                "Bytes of the SQLite database's WAL, which another process that reads for long keeps from being reset.",
            )?,
            cache_hits: counter(&r, "unread_cache_hits_total", "Unread counts answered from memory.")?,
            cache_misses: counter(&r, "unread_cache_misses_total", "Unread counts read from the store.")?,
            streams: gauge(&r, "streams_open", "Open live streams.")?,
            stream_events: counter(&r, "stream_events_total", "Events that live streams were told.")?,
            streams_ended: counters(&r, "streams_ended_total", "Live streams that have ended.", &["reason"])?,
            limit_denials: counters(
                &r,
                "rate_limit_denials_total",
                "Requests denied by a rate limit.",
                &["limit"],
            )?,
            auth_failures: counters(&r, "auth_failures_total", "Credentials refused.", &["reason"])?,
            reloads: counters(&r, "config_reloads_total", "Changes of configuration.", &["outcome"])?,
            snapshot_generation: gauge(&r, "snapshot_generation", "The number of the snapshot in force.")?,
            snapshot_loaded_seconds: time(
                &r,
                "snapshot_loaded_timestamp_seconds",
                "When the snapshot in force was made.",
            )?,
            config_info: gauges(&r, "config_info", "The configuration in force; always 1.", &["hash"])?,
            config_last_good: gauge(
                &r,
                "config_last_good",
                "1 while what was kept is in force, as the files were broken at the start.",
            )?,
            config_refused: gauge(
                &r,
                "config_refused",
                "1 while what the files say is refused and something else is in force.",
            )?,
            last_good_unwritten: gauge(
                &r,
                "config_last_good_unwritten",
                "1 while what is in force could not be kept for a restart.",
            )?,
            restart_needed: gauges(
                &r,
                "config_restart_needed",
                "Changed fields that count only after a restart.",
                &["field"],
            )?,
            reload_seconds: add(
                &r,
                Histogram::with_opts(histogram(
                    "config_reload_duration_seconds",
                    "Time to read, build and swap a changed configuration.",
                    SECONDS,
                ))?,
            )?,
            reload_success_seconds: time(
                &r,
                "config_last_success_timestamp_seconds",
                "When a configuration was last accepted.",
            )?,
            reload_failure_seconds: time(
                &r,
                "config_last_failure_timestamp_seconds",
                "When a configuration was last refused; 0 for never.",
            )?,
            types_quarantined: gauge(&r, "types_quarantined", "Types not served because they are broken.")?,
            types_kept: gauge(&r, "types_kept", "Types served at their last good version.")?,
            mappings_quarantined: gauge(
                &r,
                "mappings_quarantined",
                "Mappings of hooks not served because they are broken.",
            )?,
            mappings_kept: gauge(
                &r,
                "mappings_kept",
                "Mappings of hooks served at their last good version.",
            )?,
            registry: r,
        })
    }

    /// All of them in Prometheus' text format.
    pub fn render(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::with_capacity(16 * 1024);
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }

    /// Reports one request.
    pub fn request(&self, route: &str, method: &str, status: &str, took: Duration) {
        self.requests.with_label_values(&[route, method, status]).inc();
        self.request_seconds.with_label_values(&[route, method]).observe(took.as_secs_f64());
    }
}

fn add<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> Result<C, prometheus::Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn histogram(name: &str, help: &str, buckets: &[f64]) -> HistogramOpts {
    HistogramOpts::new(format!("bellboard_{name}"), help).buckets(buckets.to_vec())
}

fn counters(
    r: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, prometheus::Error> {
    add(r, IntCounterVec::new(Opts::new(format!("bellboard_{name}"), help), labels)?)
}

fn counter(r: &Registry, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
    add(r, IntCounter::new(format!("bellboard_{name}"), help)?)
}

fn gauges(r: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
    add(r, IntGaugeVec::new(Opts::new(format!("bellboard_{name}"), help), labels)?)
}

/// A point in time, in seconds since 1970.
fn time(r: &Registry, name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
    add(r, Gauge::new(format!("bellboard_{name}"), help)?)
}

fn gauge(r: &Registry, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    add(r, IntGauge::new(format!("bellboard_{name}"), help)?)
}
