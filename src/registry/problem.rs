//! What is wrong with the folder of a type or a hook.

use std::fmt;

use crate::config::Sort;

/// One fault of it, in words for the person who edits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginProblem {
    /// Which of the two it is.
    pub sort: Sort,
    /// Its name.
    pub name: String,
    /// The file, or the folder where no one file is at fault.
    pub file: String,
    /// The line in the file, from 1, where one is known.
    pub line: Option<u64>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for PluginProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {} {}: {}", self.sort.word(), self.name, self.message)
    }
}
