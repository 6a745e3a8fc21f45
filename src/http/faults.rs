//! Collects what is wrong with the fields of a body, so that one answer can tell all of it.

use crate::domain::{Error, Problem, ProblemCode, Problems, Result};

/// The problem of a field that must be there.
pub fn required(name: &str) -> Problem {
    Problem::new(name, "is required").coded(ProblemCode::Required)
}

/// The faults found so far, in the order that they answer in. Bounded as [`Problems`] are.
#[derive(Default)]
pub struct Faults(Problems);

impl Faults {
    /// Notes that a field is not there, where that is so.
    pub fn require(&mut self, name: &str, is_there: bool) {
        if !is_there {
            self.0.push(required(name));
        }
    }

    /// Notes a problem.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// What was read, where it is no fault.
    pub fn pass<T>(&mut self, read: Result<Option<T>, Problem>) -> Option<T> {
        read.unwrap_or_else(|problem| {
            self.0.push(problem);
            None
        })
    }

    /// All that was found.
    pub fn into_vec(self) -> Vec<Problem> {
        self.0.into_vec()
    }

    /// What was made of the fields, where none is at fault.
    pub fn finish<T>(self, made: T) -> Result<T> {
        if self.0.is_empty() { Ok(made) } else { Err(Error::Fields(self.0.into_vec())) }
    }
}
