//! What is wrong with a draft.

use serde::{Deserialize, Serialize};

/// One fault of a draft, in words that the sender may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The field at fault, such as `link` or `metadata.amount`.
    pub field: String,
    /// A whole clause that starts with the field, such as `link must be a path or an http(s) URL`.
    pub message: String,
    /// An advisory problem is counted, and refuses the notification only where the tenant has set
    /// the type to strict.
    #[serde(default)]
    pub advisory: bool,
    /// The component that found it; the pipeline fills it in.
    #[serde(default)]
    pub component: String,
}

impl Problem {
    /// A problem that refuses the notification: `field` followed by `fault`, such as
    /// `Problem::new("title", "must not be empty")`.
    pub fn new(field: impl Into<String>, fault: impl std::fmt::Display) -> Self {
        let field = field.into();
        Self { message: format!("{field} {fault}"), field, advisory: false, component: String::new() }
    }

    /// The same, only advisory.
    pub fn advisory(field: impl Into<String>, fault: impl std::fmt::Display) -> Self {
        Self { advisory: true, ..Self::new(field, fault) }
    }
}

/// The problems found so far, at most [`Problems::MAX`]: a hostile draft cannot make an answer
/// of any length it likes.
#[derive(Debug, Default)]
pub struct Problems {
    found: Vec<Problem>,
}

impl Problems {
    /// How many problems are kept; further ones are dropped.
    pub const MAX: usize = 20;

    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        if self.found.len() < Self::MAX {
            self.found.push(problem);
        }
    }

    /// How many were found.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether none was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Names the component for those found since there were `from`.
    pub fn attribute(&mut self, from: usize, component: &str) {
        for problem in self.found.iter_mut().skip(from) {
            problem.component = component.to_owned();
        }
    }

    /// All of them, in the order found.
    pub fn into_vec(self) -> Vec<Problem> {
        self.found
    }
}
