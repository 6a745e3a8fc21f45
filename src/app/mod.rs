//! The composition root: the one place where the parts are wired.

mod bounds;
mod follow;
mod hints;
mod wiring;

use std::{
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    audit::Audit,
    auth::Fetcher,
    cache::UnreadCache,
    clock::Clock,
    config::{Config, Retention, StoreConfig},
    directory::Directory,
    domain::TenantId,
    events::Streams,
    http::{self, Admin, Services, listen},
    inbox::Inbox,
    metrics::Metrics,
    reload::{self, Override, Parts, Reloader, Start},
    send::Sending,
    snapshot::{Shared, Snapshot},
    store::{self, Store},
};

/// What the command line says over what the files say.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Where the public API listens.
    pub listen: Option<SocketAddr>,
    /// Where metrics and probes listen.
    pub admin_listen: Option<SocketAddr>,
    /// The store's URL.
    pub store: Option<String>,
}

impl Overrides {
    fn apply(&self, config: &mut Config) {
        config.origin.overridden = [
            self.listen.map(|_| "server.listen"),
            self.admin_listen.map(|_| "server.admin_listen"),
            self.store.as_ref().map(|_| "store.url"),
        ]
        .into_iter()
        .flatten()
        .collect();
        config.server.listen = self.listen.unwrap_or(config.server.listen);
        config.server.admin_listen = self.admin_listen.unwrap_or(config.server.admin_listen);
        if let Some(url) = &self.store {
            config.store.url.clone_from(url);
        }
    }
}

/// How many unread counts are remembered.
const CACHED_COUNTS: u64 = 200_000;
/// How long one is, at most, where other nodes may change it.
const REMEMBERED: Duration = Duration::from_millis(500);
/// How often the store's upkeep (expiry, purges) does a round.
const UPKEEP_EVERY: Duration = Duration::from_secs(30);
/// How often upkeep looks whether retention has changed.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often a walk that compares heads with their inboxes begins, and takes a step.
const WALK_EVERY: Duration = Duration::from_secs(5);
const STEP_EVERY: Duration = Duration::from_secs(1);
/// And it rests so many times as long as a step took.
const STEP_REST: u32 = 50;
/// Every so many rounds retention walks all inboxes too: it counts in days.
const RETENTION_ROUNDS: u64 = 20;
/// How often idle limiters are let go.
const TIDY_EVERY: Duration = Duration::from_secs(60);

/// Reads the settings below `main` and makes the first snapshot; with a place where the last good ones are
/// kept, those stand in for broken ones.
///
/// # Errors
/// Every problem, one a line.
pub fn start(main: &Path, overrides: &Overrides, last_good: Option<&Path>) -> Result<Start, String> {
    reload::start(main, &|config| overrides.apply(config), last_good)
}

/// Runs the gateway until it is told to stop.
///
/// # Errors
/// Why it could not start, one problem a line.
pub async fn serve(start: Start, overrides: Overrides) -> Result<(), String> {
    let Start { snapshot, config, inputs, last_good, told } = start;
    told.log();
    for path in config.readable_secrets() {
        tracing::warn!(?path, "every user of this machine can read this secret file: chmod o-r");
    }
    let metrics = Arc::new(Metrics::new().map_err(|e| format!("metrics: {e}"))?);
    reload::report(&metrics, &snapshot);
    let clock = Clock::default();
    let shared = Shared::new(snapshot);

    let is_shared = store::is_shared(&config.store.url);
    let unread = Arc::new(UnreadCache::new(CACHED_COUNTS, is_shared.then_some(REMEMBERED)));
    let streams = Arc::<Streams>::default();
    let commits = wiring::Commits {
        unread: Arc::clone(&unread),
        streams: Arc::clone(&streams),
        metrics: Arc::clone(&metrics),
    };
    let store = open_store(&config.store, &clock, commits).await?;
    reload::seed(&store, &config).await.map_err(|e| format!("the listed users could not be made: {e}"))?;

    let audit = Audit::new(store.clone());
    let recalled = audit.recall(config.tenants.keys(), clock.now()).await;
    recalled.map_err(|e| format!("the audit record could not be read: {e}"))?;

    told.report(&metrics, &audit, &config);
    let draining = http::Draining::default();
    let (public, private) = bounds::of(&config.server, &metrics, &shared);
    let services = Arc::new(Services {
        snapshot: shared.clone(),
        sending: Sending::new(store.clone(), Arc::clone(&metrics)),
        inbox: Inbox::new(store.clone(), Arc::clone(&unread)),
        directory: Directory::new(store.clone()),
        audit: audit.clone(),
        metrics: Arc::clone(&metrics),
        clock: clock.clone(),
        memory: http::Budget::new(config.server.max_body_memory),
        body_timeout: config.server.request_timeout,
        streams: Arc::clone(&streams),
        connections: public.most,
        draining: draining.clone(),
    });
    let admin = Admin {
        metrics: Arc::clone(&metrics),
        store: store.clone(),
        unread,
        snapshot: shared.clone(),
        clock: clock.clone(),
        tokens: [&config.server.admin_token, &config.server.admin_token_next]
            .into_iter()
            .flatten()
            .cloned()
            .collect(),
        networks: config.server.admin_networks.clone(),
        draining: draining.clone(),
    };
    let public = listen::bind("server.listen", config.server.listen, public).await?;
    let private = listen::bind("server.admin_listen", config.server.admin_listen, private).await?;
    // Whoever reads the addresses may signal at once.
    let mut stop = listen::Stop::heard()?;
    let overrides: Override = Arc::new(move |config| overrides.apply(config));
    let checking = check_heads(store.clone(), Arc::clone(&metrics));
    let parts = Parts { shared: shared.clone(), store: store.clone(), audit, metrics, overrides };
    let reloader = Reloader::new(parts, inputs.clone(), config.clone(), last_good);
    hints::print(&config, public.address, private.address, &inputs);

    let tasks = [
        tokio::spawn(keep(store.clone(), shared.clone())),
        tokio::spawn(checking),
        tokio::spawn(fetch_keys(shared.clone(), clock)),
        tokio::spawn(tidy(shared)),
        tokio::spawn(follow::others(store.clone(), streams, is_shared)),
        tokio::spawn(reloader.run()),
    ];
    let (stored, drains, drain_time) = (store.clone(), draining.clone(), config.server.drain_time);
    let stop = async move {
        tokio::select! {
            () = stop.told() => {}
            () = stored.ended() => return,
        }
        drains.begin();
        if !drain_time.is_zero() {
            tracing::info!(
                "told to stop: not ready any more, and closed after server.drain_time or another signal"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(drain_time) => {}
            () = stop.told() => {}
            () = stored.ended() => {}
        }
    };
    let served = listen::until_told(
        (public, http::api(services)),
        (private, http::admin(admin)),
        draining,
        stop,
        config.server.shutdown_timeout,
    )
    .await;
    for task in tasks {
        task.abort();
    }
    let failed = !store.is_alive();
    store.close().await;
    if failed {
        return Err("the store has failed, as the log says; what was answered is stored, start again".into());
    }
    if served? {
        tracing::info!("stopped; everything accepted was answered");
    } else {
        tracing::warn!("stopped; what was still open after server.shutdown_timeout was cut off");
    }
    Ok(())
}

/// Brings the store at this URL to this version's schema.
///
/// # Errors
/// Why it could not be opened.
pub async fn migrate(store: &StoreConfig) -> Result<(), String> {
    let metrics = Arc::new(Metrics::new().map_err(|e| format!("metrics: {e}"))?);
    let (unread, streams) = (Arc::new(UnreadCache::new(1, None)), Arc::default());
    open_store(store, &Clock::default(), wiring::Commits { unread, streams, metrics }).await?.close().await;
    Ok(())
}

async fn open_store(
    settings: &StoreConfig,
    clock: &Clock,
    commits: wiring::Commits,
) -> Result<Store, String> {
    let options = store::Options {
        clock: clock.clone(),
        min_free_space: settings.min_free_space,
        readers: settings.readers,
        lanes: settings.lanes,
        connect_timeout: settings.connect_timeout,
        statement_timeout: settings.statement_timeout,
        lock_timeout: settings.lock_timeout,
        commit_timeout: settings.commit_timeout,
        clock_leeway: settings.clock_leeway,
        ..store::Options::default()
    };
    let commits = Arc::new(commits);
    Store::open(&settings.url, options, commits.clone(), commits).await.map_err(|e| e.to_string())
}

/// Expiry, retention and purges, in small steps beside the sends.
async fn keep(store: Store, shared: Shared) {
    let mut walked = Vec::new();
    for round in 0_u64.. {
        let snapshot = shared.load();
        let wanted = retentions(&snapshot);
        let walks = round % RETENTION_ROUNDS == 0 || wanted != walked;
        let retention = |tenant: &TenantId| match snapshot.tenant(tenant) {
            Ok(settings) if walks => settings.retention,
            _ => Retention::default(),
        };
        if let Err(e) = store.maintain(&retention).await {
            tracing::warn!(error = %e, "a round of upkeep failed; the next one tries again");
        }
        walked = wanted;
        let seen = snapshot.generation;
        if round % RETENTION_ROUNDS == 0
            && let Err(e) = store.purge_audit(snapshot.audit_retention).await
        {
            tracing::warn!(error = %e, "the audit record was not purged; a later round tries again");
        }
        drop(snapshot);
        rest(&shared, seen, &walked).await;
    }
}

/// Walks through all heads again and again, at little cost, as none should ever differ from its inbox.
async fn check_heads(store: Store, metrics: Arc<Metrics>) {
    let mut walk = store::Walk::default();
    loop {
        let start = Instant::now();
        let rest = match store.check_heads(&mut walk).await {
            Ok(step) => {
                metrics.drift.inc_by(step.repaired);
                if step.done { WALK_EVERY } else { STEP_EVERY }
            }
            Err(e) => {
                tracing::warn!(error = %e, "inboxes could not be checked; it is tried again");
                UPKEEP_EVERY
            }
        };
        tokio::time::sleep(about(rest.max(start.elapsed() * STEP_REST))).await;
    }
}

/// Waits for the next round of upkeep, which comes at once when a tenant's retention has changed.
async fn rest(shared: &Shared, mut seen: u64, walked: &[(TenantId, Retention)]) {
    let due = Instant::now() + about(UPKEEP_EVERY);
    while Instant::now() < due {
        tokio::time::sleep(LOOK_EVERY).await;
        let snapshot = shared.load();
        if snapshot.generation != seen && retentions(&snapshot) != walked {
            return;
        }
        seen = snapshot.generation;
    }
}

/// A time between three quarters and five quarters of this one: nodes that were started together come apart, so that
/// each finds what is due by then, and not all the same.
fn about(time: Duration) -> Duration {
    let dice = getrandom::u32().unwrap_or(u32::MAX / 2);
    time.mul_f64(0.75 + 0.5 * f64::from(dice) / f64::from(u32::MAX))
}

fn retentions(snapshot: &Snapshot) -> Vec<(TenantId, Retention)> {
    snapshot.tenants.iter().map(|(id, tenant)| (id.clone(), tenant.retention)).collect()
}

/// The keys that issuers publish. What is configured now is asked each time, so a reload needs no word.
async fn fetch_keys(shared: Shared, clock: Clock) {
    let sources = || shared.load().tokens.sources().cloned().collect();
    Fetcher::new(clock).run(sources, || shared.credentials_changed()).await;
}

async fn tidy(shared: Shared) {
    loop {
        tokio::time::sleep(TIDY_EVERY).await;
        shared.load().limiters.tidy();
    }
}
