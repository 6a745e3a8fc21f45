//! What is wrong with a type's folder.

use std::fmt;

/// One fault of a type, in words for the person who edits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeProblem {
    /// The type's name.
    pub kind: String,
    /// The file, or the folder where no one file is at fault.
    pub file: String,
    /// The line in the file, from 1, where one is known.
    pub line: Option<u64>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for TypeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": type {}: {}", self.kind, self.message)
    }
}
