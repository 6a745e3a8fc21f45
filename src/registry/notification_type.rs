//! A type as it is served, and its pipeline.

use std::fmt;

use bellboard_sdk::{Context, Enricher, Validator};
use serde_json::value::RawValue;

use super::{
    shelf::Source,
    trace::{Step, Watch},
};
use crate::domain::{Draft, Problem, Problems, Severity, TenantId};

/// A notification type, compiled and ready to run.
pub struct NotificationType {
    /// Its name, such as `billing_invoice`.
    pub name: String,
    /// The group it belongs to, such as `billing`.
    pub family: Option<String>,
    /// When to send it.
    pub description: String,
    /// The icon of its notifications, unless a component sets another.
    pub icon: String,
    /// The severity of its notifications, unless a component sets another.
    pub severity: Severity,
    /// The JSON Schema that describes its metadata: the folder's `metadata.schema.json`.
    pub metadata_schema: Option<Box<RawValue>>,
    /// Who may use it, `None` for all tenants.
    pub tenants: Option<Vec<TenantId>>,
    /// What it was made from.
    pub source: Source,
    pub(super) validators: Vec<(&'static str, Box<dyn Validator>)>,
    pub(super) enrichers: Vec<(&'static str, Box<dyn Enricher>)>,
}

/// What a pipeline made of a draft.
#[derive(Debug)]
pub struct Run {
    /// The draft to seal, or why it is refused: at least one problem.
    pub result: Result<Draft, Vec<Problem>>,
    /// Advisory problems that did not refuse it.
    pub warnings: Vec<Problem>,
}

impl NotificationType {
    /// Whether the tenant may use it.
    pub fn serves(&self, tenant: &TenantId) -> bool {
        self.tenants.as_ref().is_none_or(|tenants| tenants.contains(tenant))
    }

    /// Runs every validator, collecting all problems; then, when none refuses, the enrichers in
    /// their order. `strict` lets advisory problems refuse too.
    pub fn run(&self, draft: Draft, context: &Context, strict: bool) -> Run {
        self.run_watched(draft, context, strict, &mut ())
    }

    /// The one pipeline there is, with somebody who watches or with nobody.
    pub(super) fn run_watched(
        &self,
        mut draft: Draft,
        context: &Context,
        strict: bool,
        watch: &mut impl Watch,
    ) -> Run {
        let mut faults = Vec::new();
        let mut warnings = Vec::new();
        for (name, validator) in &self.validators {
            // Each has its own, so that no number of warnings crowds out a refusal.
            let mut problems = Problems::default();
            validator.validate(&draft, context, &mut problems);
            problems.attribute(0, name);
            let problems = problems.into_vec();
            watch.checked(name, &problems);
            for problem in problems {
                let found = if problem.advisory && !strict { &mut warnings } else { &mut faults };
                if found.len() < Problems::MAX {
                    found.push(problem);
                }
            }
        }
        if !faults.is_empty() {
            return Run { result: Err(faults), warnings };
        }
        for (name, enricher) in &self.enrichers {
            if let Err(problem) = enricher.enrich(&mut draft, context) {
                let problem = Problem { component: (*name).to_owned(), ..problem };
                watch.enriched(name, &draft, Some(&problem));
                return Run { result: Err(vec![problem]), warnings };
            }
            watch.enriched(name, &draft, None);
        }
        draft.severity.get_or_insert(self.severity);
        draft.icon.get_or_insert_with(|| self.icon.clone());
        watch.enriched(Step::TYPE, &draft, None);
        Run { result: Ok(draft), warnings }
    }
}

impl fmt::Debug for NotificationType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |names: &mut dyn Iterator<Item = &'static str>| names.collect::<Vec<_>>();
        f.debug_struct("NotificationType")
            .field("name", &self.name)
            .field("standard", &self.source.standard)
            .field("tenants", &self.tenants)
            .field("validators", &names(&mut self.validators.iter().map(|(name, _)| *name)))
            .field("enrichers", &names(&mut self.enrichers.iter().map(|(name, _)| *name)))
            .finish_non_exhaustive()
    }
}
