//! The first snapshot: of what the files say, or of what was kept when they are broken.

use std::{path::Path, sync::Arc};

use super::{LastGood, load_types};
use crate::{
    audit::Audit,
    config::{self, Config, Inputs, Sort},
    metrics::Metrics,
    registry::{PluginProblem, Registry},
    snapshot::Snapshot,
};

/// What the gateway starts with.
pub struct Start {
    /// The first snapshot.
    pub snapshot: Snapshot,
    /// The settings in force, the command line's included.
    pub config: Config,
    /// What the files hold, good or not: what differs from it is a change.
    pub inputs: Inputs,
    /// Where what is accepted is kept.
    pub last_good: Option<LastGood>,
    /// What is to be told once there is a log and a store.
    pub told: Told,
}

/// What was found on the way.
#[derive(Default)]
pub struct Told {
    types: Vec<PluginProblem>,
    broken: Option<String>,
    unusable: Option<String>,
}

impl Told {
    /// Writes it to the log.
    pub fn log(&self) {
        if let Some(why) = &self.unusable {
            tracing::warn!("the last good configuration is of no use: {why}");
        }
        if let Some(why) = &self.broken {
            tracing::error!("the configuration is broken; the last good one is in force instead:\n{why}");
        }
        for problem in &self.types {
            tracing::error!("a type or a mapping is broken: {problem}");
        }
    }

    /// Writes it to the metrics and to the audit record.
    pub fn report(&self, metrics: &Metrics, audit: &Audit, config: &Config) {
        if let Some(why) = &self.broken {
            super::refused(metrics);
            audit.started_from_last_good(&super::for_record(why, config));
        }
    }
}

/// Reads the files below `main` and makes the first snapshot. With a place for the last good inputs, those
/// stand in where the files are broken, and a broken type has its version in them. Blocks on the disk.
///
/// # Errors
/// Every problem of the files, one a line, where nothing good is kept; that nothing can be kept.
pub fn start(main: &Path, overrides: &dyn Fn(&mut Config), keep: Option<&Path>) -> Result<Start, String> {
    let (last_good, unusable) = match keep.map(|path| LastGood::open(path, main)) {
        Some((last_good, fault)) => (Some(last_good), fault),
        None => (None, None),
    };
    let held = last_good.as_ref().and_then(LastGood::held);
    let (inputs, made) = match Inputs::read(main, &config::environment) {
        Ok(inputs) => {
            let before = held.map(|held| load_types(held, None).registry);
            let made = make(&inputs, overrides, before.as_ref());
            (inputs, made)
        }
        Err(problems) => (Inputs::missing(main), Err(problems.to_string())),
    };
    // An empty or cut-off file is valid YAML: what no reload would take is not taken at start either.
    let made = made.and_then(|made| match held.and_then(|held| config::parse(held).ok()) {
        Some(before) => config::refuse_reload(&before, &made.config).map_or(Ok(made), |p| Err(p.to_string())),
        None => Ok(made),
    });
    let (made, broken) = match (made, held) {
        (Ok(made), _) => (made, None),
        (Err(why), None) => {
            return Err([Some(why), unusable].into_iter().flatten().collect::<Vec<_>>().join("\n"));
        }
        (Err(why), Some(held)) => {
            let mut made = make(held, overrides, None)
                .map_err(|e| format!("{why}\nnor can the last good configuration be used:\n{e}"))?;
            made.snapshot.last_good = true;
            (made, Some(why))
        }
    };
    let Made { config, snapshot, types } = made;
    let mut last_good = last_good;
    if let Some(last_good) = &mut last_good {
        last_good.check_place()?;
        if !snapshot.last_good {
            last_good.keep(&inputs, &kept(&snapshot))?;
        }
    }
    Ok(Start { snapshot, config, inputs, last_good, told: Told { types, broken, unusable } })
}

/// The types and mappings that are served at their last good version.
pub(super) fn kept(snapshot: &Snapshot) -> Vec<(Sort, String)> {
    let of = |sort| snapshot.registry.kept(sort).into_iter().map(move |name| (sort, name.to_owned()));
    Sort::ALL.into_iter().flat_map(of).collect()
}

struct Made {
    config: Config,
    snapshot: Snapshot,
    types: Vec<PluginProblem>,
}

fn make(inputs: &Inputs, overrides: &dyn Fn(&mut Config), before: Option<&Registry>) -> Result<Made, String> {
    let mut config = config::parse(inputs).map_err(|p| p.to_string())?;
    overrides(&mut config);
    config::check_exposure(&config).map_err(|p| p.to_string())?;
    let types = load_types(inputs, before);
    let snapshot = Snapshot::build(&config, Arc::new(types.registry), None)?;
    Ok(Made { config, snapshot, types: types.problems })
}
