//! Hot reload: when an input changes, a new snapshot is built whole and swapped, or nothing is.
//!
//! The truth is a fingerprint of the content of every input, taken twice a second. The file watcher
//! and SIGHUP only wake it sooner: a symlink's swap can raise no event at all.

mod last_good;
mod start;
mod watch;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    audit::Audit,
    config::{self, Config, Inputs, Sort},
    domain::TenantId,
    metrics::Metrics,
    registry::{self, Loaded, PluginProblem, Registry},
    snapshot::{Difference, Shared, Snapshot, differences, line},
    store::Store,
};

pub use last_good::LastGood;
pub use start::{Start, Told, start};
pub use watch::Waker;

/// How often the inputs are read.
const EVERY: Duration = Duration::from_millis(500);
/// How long a change has to stand still: a file that is written in place is good YAML half-way too.
const SETTLE: Duration = Duration::from_millis(100);
/// How often in a row a change may still move. After that what holds still for two readings is taken, so
/// that edits without an end are followed.
const MOST_MOVES: u32 = 5;

/// Applies what the command line says over what the files say.
pub type Override = Arc<dyn Fn(&mut Config) + Send + Sync>;

/// Watches the inputs and swaps the snapshot.
pub struct Reloader {
    parts: Parts,
    /// As they were last looked at, refused or not: what a refused file leads to may heal it.
    inputs: Inputs,
    /// What is in force.
    config: Config,
    last_good: Option<LastGood>,
    /// How often in a row a change was still moving.
    moves: u32,
    waker: Waker,
}

/// What a reload works on.
pub struct Parts {
    /// Where the snapshot is swapped.
    pub shared: Shared,
    /// Where listed users are made.
    pub store: Store,
    /// Who is told what became of a change.
    pub audit: Audit,
    /// Where that is counted.
    pub metrics: Arc<Metrics>,
    /// What the command line says.
    pub overrides: Override,
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
    pub fn new(parts: Parts, inputs: Inputs, config: Config, last_good: Option<LastGood>) -> Self {
        let waker = Waker::start(inputs.paths());
        Self { parts, inputs, config, last_good, moves: 0, waker }
    }

    /// Runs until the task is dropped.
    pub async fn run(mut self) {
        let mut seen = self.inputs.fingerprint();
        loop {
            let asked = self.waker.next(EVERY).await;
            let inputs = self.inputs.clone();
            let Ok(found) = tokio::task::spawn_blocking(move || inputs.reread(&config::environment)).await
            else {
                continue;
            };
            if found.fingerprint() == seen && !self.has_late() && !(asked && self.is_broken()) {
                if asked {
                    tracing::info!("SIGHUP: nothing has changed; what is in force stays");
                }
                continue;
            }
            let start = Instant::now();
            let outcome = self.reload(found).await;
            self.moves = if matches!(outcome, Outcome::Moving) { self.moves + 1 } else { 0 };
            match outcome {
                Outcome::Applied => {
                    let metrics = &self.parts.metrics;
                    metrics.config_refused.set(0);
                    self.parts.shared.note_refused(None);
                    metrics.reload_seconds.observe(start.elapsed().as_secs_f64());
                    metrics.reloads.with_label_values(&["applied"]).inc();
                }
                Outcome::Refused(why) => {
                    refused(&self.parts.metrics);
                    self.parts.metrics.reloads.with_label_values(&["refused"]).inc();
                    self.parts.audit.reload_refused(&for_record(&why, &self.config));
                    tracing::error!("the configuration was not changed; what was there stays:\n{why}");
                    self.parts.shared.note_refused(Some(why));
                }
                Outcome::Waits(why) => tracing::warn!("a new configuration waits: {why}"),
                Outcome::Moving => {}
            }
            // What is refused once is not tried again until it changes, or somebody asks.
            seen = self.inputs.fingerprint();
        }
    }

    /// Whether a type that took too long is ready now, and nothing else is in its way.
    fn has_late(&self) -> bool {
        self.parts.metrics.config_refused.get() == 0 && self.parts.shared.load().registry.has_late()
    }

    /// Whether something of what the files say is not in force.
    fn is_broken(&self) -> bool {
        let registry = &self.parts.shared.load().registry;
        self.parts.metrics.config_refused.get() != 0
            || Sort::ALL
                .into_iter()
                .any(|sort| !registry.kept(sort).is_empty() || !registry.quarantined(sort).is_empty())
    }

    /// Takes the change that was found in the inputs.
    async fn reload(&mut self, found: Inputs) -> Outcome {
        let main = self.inputs.main().to_owned();
        let settle = if self.moves < MOST_MOVES { SETTLE } else { Duration::ZERO };
        let inputs = match tokio::task::spawn_blocking(move || read_settled(&main, settle)).await {
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
        let Parts { shared, store, audit, metrics, overrides } = &self.parts;
        overrides(&mut config);
        let mut fault =
            config::check_exposure(&config).err().or_else(|| config::refuse_reload(&self.config, &config));
        let waiting = config::restart_needed(&self.config, &config);
        config::keep_until_restart(&self.config, &mut config);
        // The listeners that are open stay, whatever the files now say of them.
        fault = fault.or_else(|| config::check_exposure(&config).err());
        if let Some(problem) = fault {
            return Outcome::Refused(problem.to_string());
        }
        let (types, mut snapshot) = match self.build(inputs, &config).await {
            Ok((types, Ok(snapshot))) => (types, snapshot),
            Ok((_, Err(why))) => return Outcome::Refused(why),
            Err(why) => return Outcome::Waits(why),
        };
        for problem in &types {
            tracing::error!("a type or a mapping is broken: {problem}");
        }
        metrics.restart_needed.reset();
        for field in waiting {
            metrics.restart_needed.with_label_values(&[field]).set(1);
            tracing::warn!(field, "changed, but counts only after a restart");
        }
        report(metrics, &snapshot);
        let changes = differences(&shared.load().summary, &snapshot.summary);
        let (generation, hash) = (snapshot.generation, snapshot.summary.hash.clone());
        snapshot.changes = changes.iter().map(ToString::to_string).collect();
        shared.store(snapshot);
        // After the swap, so that what the log tells is true already.
        tracing::info!(generation, hash, "a new configuration is in force: {}", line(&changes));
        let records = records(&config, &changes);
        // A store that is busy holds up neither a revoked key nor the next change.
        tokio::spawn(afterwards(store.clone(), audit.clone(), config.clone(), generation, records));
        self.config = config;
        self.keep(inputs).await;
        Outcome::Applied
    }

    /// Keeps what is in force for a restart after a bad edit.
    async fn keep(&mut self, inputs: &Inputs) {
        let Some(mut last_good) = self.last_good.take() else { return };
        let kept = start::kept(&self.parts.shared.load());
        let inputs = inputs.clone();
        let write = move || {
            let written = last_good.keep(&inputs, &kept);
            (last_good, written)
        };
        let written = match tokio::task::spawn_blocking(write).await {
            Ok((last_good, written)) => {
                self.last_good = Some(last_good);
                written
            }
            Err(e) => Err(format!("the last good configuration is kept no more: {e}")),
        };
        self.parts.metrics.last_good_unwritten.set(written.is_err().into());
        if let Err(why) = written {
            tracing::error!("{why}");
        }
    }

    /// Builds the snapshot on a thread of its own: hundreds of schemas and cases take a while.
    async fn build(
        &self,
        inputs: &Inputs,
        config: &Config,
    ) -> Result<(Vec<PluginProblem>, Result<Snapshot, String>), String> {
        let (inputs, config, before) = (inputs.clone(), config.clone(), self.parts.shared.load());
        let build = move || {
            let types = load_types(&inputs, Some(&before.registry));
            (types.problems, Snapshot::build(&config, Arc::new(types.registry), Some(&before)))
        };
        match tokio::time::timeout(BUILD_WITHIN, tokio::task::spawn_blocking(build)).await {
            Ok(built) => built.map_err(|e| format!("building failed: {e}")),
            Err(_) => {
                let why = format!("building took longer than {BUILD_WITHIN:?}; there may be too many types");
                Ok((Vec::new(), Err(why)))
            }
        }
    }
}

/// Reads the inputs; `None` when they changed while they were read or soon after. Blocks.
fn read_settled(main: &Path, settle: Duration) -> Result<Option<Inputs>, String> {
    let read = || Inputs::read(main, &config::environment);
    let first = read();
    std::thread::sleep(settle);
    let inputs = match first {
        Ok(inputs) => inputs,
        // Editors take the file away for a moment.
        Err(_) if read().is_ok() => return Ok(None),
        Err(problems) => return Err(problems.to_string()),
    };
    let settled = inputs.reread(&config::environment).fingerprint() == inputs.fingerprint();
    Ok(settled.then_some(inputs))
}

/// Loads the standard types and the site's own; a broken one keeps its last good version.
pub fn load_types(inputs: &Inputs, previous: Option<&Registry>) -> Loaded {
    let mut folders = registry::standard();
    folders.extend(registry::standard_hooks());
    if let Some((root, held)) = inputs.plugins() {
        folders.extend(registry::folders(root, held));
    }
    Registry::load(&folders, previous)
}

/// How long a build may take. Each type has a bound of its own, far below this one.
const BUILD_WITHIN: Duration = Duration::from_secs(60);
/// How often users are tried to be made, a second apart, while the store is busy.
const SEED_TRIES: u32 = 60;

/// What is recorded of a reload for each tenant.
type Records = Vec<(TenantId, Vec<String>)>;

/// Each tenant's record tells what concerns it; that of the only tenant tells all. The rest is in the log, and at
/// `/config/changes` of the admin listener.
fn records(config: &Config, changes: &[Difference]) -> Records {
    let is_alone = config.tenants.len() == 1;
    let of = |tenant: &TenantId| {
        let lines = changes.iter().filter(|change| is_alone || change.concerns(tenant));
        lines.map(ToString::to_string).collect::<Vec<_>>()
    };
    let all = config.tenants.keys().map(|tenant| (tenant.clone(), of(tenant)));
    all.filter(|(_, lines)| is_alone || !lines.is_empty()).collect()
}

/// What the record of `default` tells of a configuration's problems, a line each: where there are several tenants, only
/// its own, and of a key, which may be another's, the field alone. The log and the admin listener tell all.
fn for_record(problems: &str, config: &Config) -> String {
    if config.tenants.len() == 1 {
        return problems.to_owned();
    }
    let told = |line: &str| {
        // FILE:LINE: FIELD: MESSAGE
        let Some((place, rest)) = line.split_once(": ") else { return WITHHELD.to_owned() };
        let field = rest.split(": ").next().unwrap_or_default();
        let of_default = field
            .strip_prefix("tenants.default")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        match field_of_key(field) {
            _ if of_default => line.to_owned(),
            Some(field) => format!("{place}: {field}"),
            None if is_in_file(place) => format!("{place}: {WITHHELD}"),
            None => WITHHELD.to_owned(),
        }
    };
    problems.lines().map(told).collect::<Vec<_>>().join("\n")
}

const WITHHELD: &str = "a problem of the site or another tenant";

/// Whether a text is `FILE` or `FILE:LINE`.
fn is_in_file(place: &str) -> bool {
    let file = place.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(':');
    file.ends_with(".yaml") || file.ends_with(".yml")
}

/// The field of a key, such as `api_keys[#3 "of billing"].roles`, without the key's description.
fn field_of_key(field: &str) -> Option<String> {
    let rest = field.strip_prefix("api_keys[#")?;
    let (number, rest) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
    let name = rest.strip_prefix(']').or_else(|| rest.rsplit_once("\"]").map(|(_, name)| name))?;
    Some(format!("api_keys[#{number}]{name}"))
}

/// What follows a swap: the listed users, and the audit record.
async fn afterwards(store: Store, audit: Audit, config: Config, generation: u64, records: Records) {
    for attempt in 1..=SEED_TRIES {
        match seed(&store, &config).await {
            Ok(()) => break,
            Err(e) => tracing::warn!(error = %e, attempt, "the listed users could not be made yet"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    audit.reloaded(generation, &records).await;
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

/// Shows a snapshot that was just made in the metrics.
pub fn report(metrics: &Metrics, snapshot: &Snapshot) {
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    metrics.snapshot_generation.set(i64::try_from(snapshot.generation).unwrap_or(i64::MAX));
    let registry = &snapshot.registry;
    metrics.types_quarantined.set(count(registry.quarantined(Sort::Type).len()));
    metrics.types_kept.set(count(registry.kept(Sort::Type).len()));
    metrics.mappings_quarantined.set(count(registry.quarantined(Sort::Mapping).len()));
    metrics.mappings_kept.set(count(registry.kept(Sort::Mapping).len()));
    metrics.config_info.reset();
    metrics.config_info.with_label_values(&[&snapshot.summary.hash]).set(1);
    metrics.config_last_good.set(snapshot.last_good.into());
    metrics.snapshot_loaded_seconds.set(now());
    if !snapshot.last_good {
        metrics.reload_success_seconds.set(now());
    }
}

/// Shows in the metrics that what the files say is refused.
fn refused(metrics: &Metrics) {
    metrics.config_refused.set(1);
    metrics.reload_failure_seconds.set(now());
}

/// Seconds since 1970.
fn now() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    now.as_secs_f64().floor()
}
