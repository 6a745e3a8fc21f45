//! What is wrong with the settings, and where: never with a secret in its text.

use std::{
    cell::RefCell,
    fmt,
    path::{Path, PathBuf},
};

/// The most problems that are kept; a file that is wholly something else would make thousands.
const MOST_PROBLEMS: usize = 100;

/// The longest name that is shown whole. The shortest API key is longer, so a key that stands where a
/// name should (its indentation was lost) is never shown.
const LONGEST_NAME: usize = 31;

/// One thing that is wrong with the settings. Shown as `FILE:LINE: FIELD: MESSAGE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The file it is in.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: Option<u64>,
    /// The column, from 1.
    pub column: Option<u64>,
    /// The field by its path, such as `tenants.default.users`; empty for the file as a whole.
    pub field: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl ConfigProblem {
    /// A problem of a file or a field as a whole, with no place inside the file.
    pub fn new(file: &Path, field: &str, message: impl Into<String>) -> Self {
        Self { file: file.into(), line: None, column: None, field: field.into(), message: message.into() }
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.field.is_empty() {
            write!(f, ": {}", self.field)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for ConfigProblem {}

/// All problems of one reading, in the order of files and lines as they were met. Shown one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblems(pub Vec<ConfigProblem>);

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigProblems {}

impl From<ConfigProblem> for ConfigProblems {
    fn from(problem: ConfigProblem) -> Self {
        Self(vec![problem])
    }
}

/// Collects problems while the settings are read.
#[derive(Default)]
pub(super) struct Report(RefCell<Vec<ConfigProblem>>);

impl Report {
    /// Notes a problem; past a bound they are dropped.
    pub fn add(&self, problem: ConfigProblem) {
        let problem = ConfigProblem { message: bounded(problem.message), ..problem };
        let mut problems = self.0.borrow_mut();
        if problems.len() < MOST_PROBLEMS && !problems.contains(&problem) {
            problems.push(problem);
        }
    }

    /// The value, when there was no problem.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, ConfigProblems> {
        let problems = self.0.into_inner();
        match value {
            Some(value) if problems.is_empty() => Ok(value),
            _ => Err(ConfigProblems(problems)),
        }
    }
}

/// The most characters of a message: it may repeat a path, which can be of any length.
const LONGEST_MESSAGE: usize = 1_000;

/// A message on one line, or the beginning of one that is too long.
pub fn bounded(message: String) -> String {
    if message.len() <= LONGEST_MESSAGE && !message.contains(char::is_control) {
        return message;
    }
    let mut rest = message.chars().map(|c| if c.is_control() { '?' } else { c });
    let mut bounded: String = rest.by_ref().take(LONGEST_MESSAGE).collect();
    bounded.extend(rest.next().map(|_| '…'));
    bounded
}

/// A name as it may be shown: a long one, which could be a secret, only by its beginning.
pub(super) fn shown(name: &str) -> String {
    let length = name.chars().count();
    let clean = |c: char| if c.is_control() { '?' } else { c };
    if length > LONGEST_NAME {
        format!("{}… ({length} characters)", name.chars().take(4).map(clean).collect::<String>())
    } else {
        name.chars().map(clean).collect()
    }
}

/// A message of the YAML parser on one line and without long words, which could be secrets.
pub(super) fn scrubbed(message: &str) -> String {
    message.split_whitespace().map(shown).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_only_hinted_at() {
        assert_eq!(shown("tenants"), "tenants");
        assert_eq!(shown(&"k".repeat(32)), "kkkk… (32 characters)");
        assert_eq!(scrubbed(&format!("bad\n  {}", "k".repeat(40))), "bad kkkk… (40 characters)");
    }
}
