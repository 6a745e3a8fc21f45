//! The composition root: the one place where the parts are wired.

mod bounds;
mod hints;
mod wiring;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use crate::{
    cache::UnreadCache,
    clock::Clock,
    config::{self, Config, Inputs, Retention},
    directory::Directory,
    domain::TenantId,
    http::{self, Admin, Services, listen},
    inbox::Inbox,
    metrics::Metrics,
    reload::{self, Override, Reloader},
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
        config.server.listen = self.listen.unwrap_or(config.server.listen);
        config.server.admin_listen = self.admin_listen.unwrap_or(config.server.admin_listen);
        if let Some(url) = &self.store {
            config.store.url.clone_from(url);
        }
    }
}

/// How many unread counts are remembered.
const CACHED_COUNTS: u64 = 200_000;
/// How often the store's upkeep (expiry, purges) does a round.
const UPKEEP_EVERY: Duration = Duration::from_secs(30);
/// Every so many rounds retention walks all inboxes too: it counts in days.
const RETENTION_ROUNDS: u64 = 20;
/// How often idle limiters are let go.
const TIDY_EVERY: Duration = Duration::from_secs(60);

/// Runs the gateway until it is told to stop.
///
/// # Errors
/// Why it could not start, one problem a line.
pub async fn serve(inputs: Inputs, mut config: Config, overrides: Overrides) -> Result<(), String> {
    overrides.apply(&mut config);
    config::check_exposure(&config).map_err(|p| p.to_string())?;
    let metrics = Arc::new(Metrics::new().map_err(|e| format!("metrics: {e}"))?);
    let clock = Clock::default();
    let shared = Shared::new(first_snapshot(&inputs, &config, &metrics)?);

    let unread = Arc::new(UnreadCache::new(CACHED_COUNTS));
    let store = open_store(&config.store.url, &clock, &unread, &metrics).await?;
    reload::seed(&store, &config).await.map_err(|e| format!("the listed users could not be made: {e}"))?;

    let services = Arc::new(Services {
        snapshot: shared.clone(),
        sending: Sending::new(store.clone(), Arc::clone(&metrics)),
        inbox: Inbox::new(store.clone(), Arc::clone(&unread), clock.clone()),
        directory: Directory::new(store.clone()),
        metrics: Arc::clone(&metrics),
        clock,
        body_timeout: config.server.request_timeout,
    });
    let admin = Admin {
        metrics: Arc::clone(&metrics),
        store: store.clone(),
        unread,
        snapshot: shared.clone(),
        token: config.server.admin_token.clone(),
        networks: config.server.admin_networks.clone(),
    };
    let (public, private) = bounds::of(&config.server, &metrics);
    let public = listen::bind("server.listen", config.server.listen, public).await?;
    let private = listen::bind("server.admin_listen", config.server.admin_listen, private).await?;
    // Whoever reads the addresses may signal at once.
    let stop = listen::Stop::heard()?;
    let reloader =
        reloader(inputs.clone(), config.clone(), overrides, shared.clone(), store.clone(), metrics);
    hints::print(&config, public.address, private.address, &inputs);

    let tasks = [
        tokio::spawn(keep(store.clone(), shared.clone())),
        tokio::spawn(tidy(shared)),
        tokio::spawn(reloader.run()),
    ];
    let served = listen::until_told(
        (public, http::api(services)),
        (private, http::admin(admin)),
        stop,
        config.server.shutdown_timeout,
    )
    .await;
    for task in tasks {
        task.abort();
    }
    store.close().await;
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
pub async fn migrate(url: &str) -> Result<(), String> {
    let metrics = Arc::new(Metrics::new().map_err(|e| format!("metrics: {e}"))?);
    let unread = Arc::new(UnreadCache::new(1));
    open_store(url, &Clock::default(), &unread, &metrics).await?.close().await;
    Ok(())
}

fn first_snapshot(inputs: &Inputs, config: &Config, metrics: &Metrics) -> Result<Snapshot, String> {
    let types = reload::load_types(inputs, None);
    for problem in &types.problems {
        tracing::error!("a notification type is broken and not served: {problem}");
    }
    let snapshot = Snapshot::build(config, Arc::new(types.registry), None)?;
    reload::report(metrics, &snapshot);
    Ok(snapshot)
}

async fn open_store(
    url: &str,
    clock: &Clock,
    unread: &Arc<UnreadCache>,
    metrics: &Arc<Metrics>,
) -> Result<Store, String> {
    let options = store::Options { clock: clock.clone(), ..store::Options::default() };
    let commits = Arc::new(wiring::Commits { unread: Arc::clone(unread), metrics: Arc::clone(metrics) });
    Store::open(url, options, commits.clone(), commits).await.map_err(|e| e.to_string())
}

/// Expiry, retention and purges, in small steps beside the sends.
async fn keep(store: Store, shared: Shared) {
    for round in 0_u64.. {
        let snapshot = shared.load();
        let retention = |tenant: &TenantId| match snapshot.tenant(tenant) {
            Ok(settings) if round % RETENTION_ROUNDS == 0 => settings.retention,
            _ => Retention::default(),
        };
        if let Err(e) = store.maintain(&retention).await {
            tracing::warn!(error = %e, "a round of upkeep failed; the next one tries again");
        }
        drop(snapshot);
        tokio::time::sleep(UPKEEP_EVERY).await;
    }
}

async fn tidy(shared: Shared) {
    loop {
        tokio::time::sleep(TIDY_EVERY).await;
        shared.load().limiters.tidy();
    }
}

fn reloader(
    inputs: Inputs,
    config: Config,
    overrides: Overrides,
    shared: Shared,
    store: Store,
    metrics: Arc<Metrics>,
) -> Reloader {
    let overrides: Override = Arc::new(move |config| overrides.apply(config));
    Reloader::new(shared, store, metrics, overrides, inputs, config)
}
