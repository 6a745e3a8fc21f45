//! Hot reload: when an input changes, a new snapshot is built whole and swapped, or nothing is.
//!
//! The truth is a fingerprint of the content of every input, taken twice a second. The file watcher
//! and SIGHUP only wake it sooner: a symlink's swap can raise no event at all.

mod recorded;
mod watch;

use std::{path::Path, sync::Arc, time::Duration};

use crate::{
    config::{self, Config, Inputs},
    metrics::Metrics,
    registry::{self, Loaded, Registry, TypeProblem},
    snapshot::{Shared, Snapshot},
    store::Store,
};

pub use watch::Waker;

/// How often the inputs are read.
const EVERY: Duration = Duration::from_millis(500);

/// Applies what the command line says over what the files say.
pub type Override = Arc<dyn Fn(&mut Config) + Send + Sync>;

/// Watches the inputs and swaps the snapshot.
pub struct Reloader {
    shared: Shared,
    store: Store,
    metrics: Arc<Metrics>,
    overrides: Override,
    /// As they were last looked at, refused or not: what a refused file leads to may heal it.
    inputs: Inputs,
    /// What is in force.
    config: Config,
    waker: Waker,
}

/// What became of a change.
enum Outcome {
    Applied,
    /// Why the snapshot before it stays; one line a problem.
    Refused(String),
    /// Why it could not be applied just now; it is tried again.
    Waits(String),
    /// It changed again while it was read; the next look takes it.
    Moving,
}

impl Reloader {
    /// Starts to watch the inputs that made the first snapshot, and to hear SIGHUP. `config` is what is
    /// in force, the command line's overrides included.
    pub fn new(
        shared: Shared,
        store: Store,
        metrics: Arc<Metrics>,
        overrides: Override,
        inputs: Inputs,
        config: Config,
    ) -> Self {
        let waker = Waker::start(inputs.paths());
        Self { shared, store, metrics, overrides, inputs, config, waker }
    }

    /// Runs until the task is dropped.
    pub async fn run(mut self) {
        let mut seen = self.inputs.fingerprint();
        loop {
            self.waker.next(EVERY).await;
            let inputs = self.inputs.clone();
            let Ok(found) = tokio::task::spawn_blocking(move || inputs.reread(&config::environment)).await
            else {
                continue;
            };
            if found.fingerprint() == seen {
                continue;
            }
            match self.reload(found).await {
                Outcome::Applied => self.metrics.reloads.with_label_values(&["applied"]).inc(),
                Outcome::Refused(why) => {
                    self.metrics.reloads.with_label_values(&["refused"]).inc();
                    tracing::error!("the configuration was not changed; what was there stays:\n{why}");
                }
                Outcome::Waits(why) => tracing::warn!("a new configuration waits: {why}"),
                Outcome::Moving => {}
            }
            // What is refused once is not tried again until it changes.
            seen = self.inputs.fingerprint();
        }
    }

    /// Takes the change that was found in the inputs.
    async fn reload(&mut self, found: Inputs) -> Outcome {
        let main = self.inputs.main().to_owned();
        let inputs = match tokio::task::spawn_blocking(move || read_settled(&main)).await {
            Ok(Ok(Some(inputs))) => inputs,
            Ok(Ok(None)) => return Outcome::Moving,
            Ok(Err(why)) => {
                self.inputs = found;
                return Outcome::Refused(why);
            }
            Err(e) => return Outcome::Waits(format!("reading failed: {e}")),
        };
        let outcome = self.apply(&inputs).await;
        if !matches!(outcome, Outcome::Waits(_)) {
            self.inputs = inputs;
        }
        outcome
    }

    async fn apply(&mut self, inputs: &Inputs) -> Outcome {
        let mut config = match config::parse(inputs) {
            Ok(config) => config,
            Err(problems) => return Outcome::Refused(problems.to_string()),
        };
        (self.overrides)(&mut config);
        let mut fault =
            config::check_exposure(&config).err().or_else(|| config::refuse_reload(&self.config, &config));
        let waiting = config::restart_needed(&self.config, &config);
        config::keep_until_restart(&self.config, &mut config);
        // The listeners that are open stay, whatever the files now say of them.
        fault = fault.or_else(|| config::check_exposure(&config).err());
        if let Some(problem) = fault {
            return Outcome::Refused(problem.to_string());
        }
        let (types, snapshot) = match self.build(inputs, &config).await {
            Ok((types, Ok(snapshot))) => (types, snapshot),
            Ok((_, Err(why))) => return Outcome::Refused(why),
            Err(why) => return Outcome::Waits(why),
        };
        if let Err(e) = seed(&self.store, &config).await {
            return Outcome::Waits(format!("the listed users could not be made: {e}"));
        }
        for problem in &types {
            tracing::error!("a notification type is broken: {problem}");
        }
        for field in waiting {
            tracing::warn!(field, "changed, but counts only after a restart");
        }
        report(&self.metrics, &snapshot);
        tracing::info!(
            generation = snapshot.generation,
            keys = config.keys.len(),
            tenants = config.tenants.len(),
            types = snapshot.registry.count(),
            "a new configuration is in force"
        );
        let generation = snapshot.generation;
        self.shared.store(snapshot);
        recorded::record(&self.store, generation, &[]).await;
        self.config = config;
        Outcome::Applied
    }

    /// Builds the snapshot on a thread of its own: hundreds of schemas and cases take a while.
    async fn build(
        &self,
        inputs: &Inputs,
        config: &Config,
    ) -> Result<(Vec<TypeProblem>, Result<Snapshot, String>), String> {
        let (inputs, config, before) = (inputs.clone(), config.clone(), self.shared.load());
        let build = move || {
            let types = load_types(&inputs, Some(&before.registry));
            (types.problems, Snapshot::build(&config, Arc::new(types.registry), Some(&before)))
        };
        tokio::task::spawn_blocking(build).await.map_err(|e| format!("building failed: {e}"))
    }
}

/// Reads the inputs; `None` when they changed while they were read.
fn read_settled(main: &Path) -> Result<Option<Inputs>, String> {
    let inputs = Inputs::read(main, &config::environment).map_err(|p| p.to_string())?;
    let settled = inputs.reread(&config::environment).fingerprint() == inputs.fingerprint();
    Ok(settled.then_some(inputs))
}

/// Loads the standard types and the site's own; a broken one keeps its last good version.
pub fn load_types(inputs: &Inputs, previous: Option<&Registry>) -> Loaded {
    let mut folders = registry::standard();
    if let Some((root, files)) = inputs.plugins() {
        folders.extend(registry::folders(root, files));
    }
    Registry::load(&folders, previous)
}

/// Makes the users that the configuration lists, where the directory has never had them.
pub async fn seed(store: &Store, config: &Config) -> crate::domain::Result<()> {
    for (tenant, settings) in &config.tenants {
        if !settings.seed_users.is_empty() {
            store.seed_users(tenant, &settings.seed_users).await?;
        }
    }
    Ok(())
}

/// Shows a snapshot in the metrics.
pub fn report(metrics: &Metrics, snapshot: &Snapshot) {
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    metrics.snapshot_generation.set(i64::try_from(snapshot.generation).unwrap_or(i64::MAX));
    metrics.types_quarantined.set(count(snapshot.registry.quarantined().count()));
    metrics.types_kept.set(count(snapshot.registry.kept().count()));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    metrics.snapshot_loaded_seconds.set(now.as_secs_f64().floor());
}
