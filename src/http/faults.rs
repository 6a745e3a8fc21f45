//! Collects what is wrong with the fields of a body, so that one answer can tell all of it.

use crate::domain::{Error, Problem, Problems, Result};

/// The faults found so far, in the order that they answer in. Bounded as [`Problems`] are.
#[derive(Default)]
pub struct Faults(Problems);

impl Faults {
    /// Notes a fault.
    pub fn add(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// What was read, where it is no fault.
    pub fn pass<T>(&mut self, read: Result<Option<T>, Problem>) -> Option<T> {
        read.unwrap_or_else(|problem| {
            self.add(problem);
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
