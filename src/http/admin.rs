//! The admin listener: metrics, liveness and readiness.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use ipnet::IpNet;
use poem::{
    Endpoint, IntoResponse, Request, Response, Result,
    http::{
        HeaderValue, StatusCode,
        header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE},
    },
};
use prometheus::IntCounter;
use serde_json::json;

use super::{configured, direct::is_direct, drain::Draining};
use crate::{
    auth::Source,
    cache::UnreadCache,
    clock::Clock,
    config::{Secret, Sort},
    metrics::Metrics,
    snapshot::Shared,
    store::Store,
};

/// What the admin listener shows, and to whom.
pub struct Admin {
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The store whose write path readiness proves.
    pub store: Store,
    /// The unread counts, which count their own hits.
    pub unread: Arc<UnreadCache>,
    /// The snapshot in force.
    pub snapshot: Shared,
    /// The time that published keys age by.
    pub clock: Clock,
    /// Bearer tokens, each of which admits. Where there is one, only the probes need none.
    pub tokens: Vec<Secret>,
    /// Networks that are admitted where no token is needed. Loopback always is.
    pub networks: Vec<IpNet>,
    /// Whether the gateway was told to stop.
    pub draining: Draining,
}

const PATHS: &str = "try /metrics, /healthz, /readyz, /config/summary or /config/changes\n";
const NEEDS_TOKEN: &str =
    "this listener is for operators: send the admin token as Authorization: Bearer TOKEN\n";
const NOT_DIRECT: &str = "this listener is for operators: without server.admin_token it refuses requests that a proxy \
                          forwarded, and a Host that is neither localhost nor one of server.allowed_hosts\n";
const NOT_NEAR: &str = "this listener is for operators: set server.admin_token, or add this address to \
                        server.admin_networks\n";

/// How long after the start readiness waits for the first keys of each issuer: as long as one fetch may take.
const FIRST_KEYS: Duration = Duration::from_secs(10);

/// How long readiness waits for its write.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// The endpoint of the admin listener.
pub fn admin(admin: Admin) -> impl Endpoint<Output = Response> {
    AdminEndpoint { admin, following: Mutex::default(), started: Instant::now() }
}

struct AdminEndpoint {
    admin: Admin,
    /// Held while counters catch up with totals that are kept elsewhere.
    following: Mutex<()>,
    started: Instant,
}

impl Endpoint for AdminEndpoint {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let mut answer = match (self.admin.refusal(&request), request.uri().path()) {
            (Some(refusal), _) => refusal,
            (None, "/healthz") => self.admin.liveness(),
            (None, "/readyz") => self.admin.readiness(self.started).await,
            (None, "/metrics") => self.admin.metrics(&self.following),
            (None, "/config/summary") => self.admin.summary(),
            (None, "/config/changes") => self.admin.changes(),
            _ => text(StatusCode::NOT_FOUND, PATHS),
        };
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(answer)
    }
}

impl Admin {
    /// Returns what to answer who is not admitted. Whoever shows a token is. Without one, the address of the connection
    /// decides: for the probes, and for everything where no token is configured.
    fn refusal(&self, request: &Request) -> Option<Response> {
        let shown = shown_token(request);
        if shown.is_some_and(|shown| self.tokens.iter().any(|token| same(&token.0, shown))) {
            return None;
        }
        let peer: Option<IpAddr> = request.remote_addr().as_socket_addr().map(|a| a.ip().to_canonical());
        let is_near =
            peer.is_some_and(|ip| ip.is_loopback() || self.networks.iter().any(|n| n.contains(&ip)));
        let needs_token = !self.tokens.is_empty() && !matches!(request.uri().path(), "/healthz" | "/readyz");
        let is_direct = is_direct(request, &self.snapshot.load().allowed_hosts);
        match (is_near && !needs_token, is_direct) {
            (true, true) => None,
            _ if !self.tokens.is_empty() => {
                let refusal =
                    text(StatusCode::UNAUTHORIZED, NEEDS_TOKEN).with_header(WWW_AUTHENTICATE, "Bearer");
                Some(refusal.into_response())
            }
            (true, false) => Some(text(StatusCode::FORBIDDEN, NOT_DIRECT)),
            (false, _) => Some(text(StatusCode::FORBIDDEN, NOT_NEAR)),
        }
    }

    fn metrics(&self, following: &Mutex<()>) -> Response {
        follow(following, &self.metrics.cache_hits, || self.unread.hits());
        follow(following, &self.metrics.cache_misses, || self.unread.misses());
        self.metrics.queue_depth.set(i64::try_from(self.store.queue_depth()).unwrap_or(i64::MAX));
        let disk = self.store.disk();
        let bytes = |bytes: Option<u64>| i64::try_from(bytes.unwrap_or(0)).unwrap_or(i64::MAX);
        self.metrics.store_free_bytes.set(bytes(disk.as_ref().and_then(|disk| disk.free)));
        let seconds = |time: Option<Duration>| time.map_or(0, |time| time.as_secs());
        let seconds = |time| i64::try_from(seconds(time)).unwrap_or(i64::MAX);
        self.metrics.store_clock_ahead.set(seconds(self.store.clock_ahead()));
        self.metrics.store_clock_behind.set(seconds(self.store.clock_behind()));
        self.metrics.store_wal_bytes.set(bytes(disk.map(|disk| disk.wal)));
        let rendered = self.metrics.render().and_then(|mut text| {
            configured::render(&self.snapshot.load(), self.clock.now(), &mut text)?;
            Ok(text)
        });
        match rendered {
            Ok(body) => {
                Response::builder().content_type("text/plain; version=0.0.4; charset=utf-8").body(body)
            }
            Err(e) => {
                tracing::error!(error = %e, "metrics could not be written");
                text(StatusCode::INTERNAL_SERVER_ERROR, "metrics could not be written\n")
            }
        }
    }

    /// What is in force, without secrets.
    fn summary(&self) -> Response {
        match serde_json::to_vec(&self.snapshot.load().summary) {
            Ok(body) => Response::builder().content_type("application/json").body(body),
            Err(e) => {
                tracing::error!(error = %e, "the summary could not be written");
                text(StatusCode::INTERNAL_SERVER_ERROR, "the summary could not be written\n")
            }
        }
    }

    /// What the last reload changed, for every tenant and the site, and why what the files say now is refused.
    fn changes(&self) -> Response {
        let snapshot = self.snapshot.load();
        let refused = self.snapshot.refused();
        let body = json!({
            "generation": snapshot.generation,
            "hash": snapshot.summary.hash,
            "changes": snapshot.changes,
            "refused": refused.as_deref().map(|why| why.lines().collect::<Vec<_>>()),
        });
        Response::builder().content_type("application/json").body(body.to_string() + "\n")
    }

    /// Alive means that no restart is needed: without its writer the store never writes again.
    fn liveness(&self) -> Response {
        if self.store.is_alive() {
            return text(StatusCode::OK, "ok\n");
        }
        tracing::error!("liveness: the store's writer has stopped");
        text(StatusCode::SERVICE_UNAVAILABLE, "the store's writer has stopped\n")
    }

    /// Ready means that a small write was durable just now, not that a process runs, and that the gateway is to go on.
    async fn readiness(&self, started: Instant) -> Response {
        let (mut status, store) = match tokio::time::timeout(PROBE_TIMEOUT, self.store.probe()).await {
            Ok(Ok(())) => (StatusCode::OK, "ok"),
            Ok(Err(e)) => {
                tracing::warn!(error = %e, "readiness: the store refused a write");
                (StatusCode::SERVICE_UNAVAILABLE, "refused a write")
            }
            Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "a write took too long"),
        };
        let disk = self.store.disk();
        let full = disk.as_ref().is_some_and(|disk| disk.low);
        let store =
            if full && status == StatusCode::OK { "disk nearly full: sends are refused" } else { store };
        let stopping = self.draining.has_begun();
        if stopping {
            status = StatusCode::SERVICE_UNAVAILABLE;
        }
        let snapshot = self.snapshot.load();
        let issuers = |is_so: fn(&Source) -> bool| {
            let all = snapshot.tokens.sources().filter(|source| is_so(source));
            all.map(|source| format!("{}/{}", source.tenant, source.issuer)).collect::<Vec<_>>()
        };
        let (mut fetching, mut failing) = (issuers(Source::is_new), issuers(Source::is_failing));
        if started.elapsed() > FIRST_KEYS {
            failing.append(&mut fetching);
        }
        if !fetching.is_empty() {
            status = StatusCode::SERVICE_UNAVAILABLE;
        }
        let body = json!({
            "ready": status == StatusCode::OK,
            "stopping": stopping,
            "store": store,
            "clock_ahead_seconds": self.store.clock_ahead().map(|ahead| ahead.as_secs()),
            "clock_behind_seconds": self.store.clock_behind().map(|behind| behind.as_secs()),
            "disk": disk.map(|disk| json!({
                "free_bytes": disk.free,
                "wal_bytes": disk.wal,
                "wal_held_by": disk.holders.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })),
            "generation": snapshot.generation,
            "hash": snapshot.summary.hash,
            "refused": self.metrics.config_refused.get() != 0,
            "last_good": snapshot.last_good,
            "last_good_unwritten": self.metrics.last_good_unwritten.get() != 0,
            "fetching_issuers": fetching,
            "failing_issuers": failing,
            "kept_types": snapshot.registry.kept(Sort::Type),
            "quarantined_types": snapshot.registry.quarantined(Sort::Type),
            "kept_mappings": snapshot.registry.kept(Sort::Mapping),
            "quarantined_mappings": snapshot.registry.quarantined(Sort::Mapping),
        });
        let response = Response::builder().status(status).content_type("application/json");
        response.body(body.to_string() + "\n")
    }
}

/// Brings a counter to a total that only grows. Two at once would both add the same difference.
fn follow(following: &Mutex<()>, counter: &IntCounter, total: impl Fn() -> u64) {
    let _alone = following.lock().unwrap_or_else(PoisonError::into_inner);
    let counted = counter.get();
    counter.inc_by(total().saturating_sub(counted));
}

/// Returns the credential of the `Bearer` scheme, whose name has no case (RFC 9110).
fn shown_token(request: &Request) -> Option<&[u8]> {
    let (scheme, token) =
        request.headers().get(AUTHORIZATION)?.as_bytes().split_at_checked("bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// Compares without telling by its time where the two differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (x, y)| differ | (x ^ y)) == 0
}

fn text(status: StatusCode, body: &'static str) -> Response {
    body.with_status(status).into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::{
        config::fixture::config,
        domain::{Change, Profile, TenantId, UserId},
        limit::Ticks,
        snapshot::Snapshot,
        store::{CommitListener, Options},
    };

    struct Fails;

    impl CommitListener for Fails {
        fn committed(&self, _: &[Change]) {
            panic!("a listener fails");
        }
    }

    #[tokio::test]
    async fn it_does_not_live_without_the_writer() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        let store = Store::open(&url, Options::default(), Arc::new(Fails), Arc::new(())).await.unwrap();
        let endpoint = admin(Admin {
            metrics: Arc::new(Metrics::new().unwrap()),
            store: store.clone(),
            unread: Arc::new(UnreadCache::new(10, None)),
            snapshot: Shared::new(Snapshot::fixture(&config(), None, Ticks::default()).unwrap()),
            clock: Clock::default(),
            tokens: vec![Secret("token".into())],
            networks: Vec::new(),
            draining: Draining::default(),
        });
        let healthz = async || {
            let request = Request::builder().uri("/healthz".parse().unwrap());
            endpoint.call(request.header("authorization", "Bearer token").finish()).await.unwrap().status()
        };
        assert_eq!(healthz().await, StatusCode::OK);
        let (tenant, user) = (TenantId::default(), UserId::new(1).unwrap());
        store.put_user(&tenant, user, Profile::default(), None).await.unwrap();
        store.erase_user(&tenant, user, None).await.unwrap_err();
        // The answer is dropped before the task has ended.
        while store.is_alive() {
            tokio::task::yield_now().await;
        }
        assert_eq!(healthz().await, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn a_counter_that_many_bring_up_to_date_counts_nothing_twice() {
        let (following, total) = (Mutex::default(), AtomicU64::new(0));
        let counter = IntCounter::new("total", "A total.").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        follow(&following, &counter, || {
                            std::thread::yield_now();
                            total.fetch_add(1, Ordering::SeqCst) + 1
                        });
                        let counted = counter.get();
                        assert!(counted <= total.load(Ordering::SeqCst));
                    }
                });
            }
        });
        assert_eq!(counter.get(), total.load(Ordering::SeqCst));
    }
}
