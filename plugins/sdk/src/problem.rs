//! What is wrong with a draft.

use serde::{Deserialize, Serialize};

/// One fault of a draft, in words that the sender may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The field at fault, such as `link` or `metadata.amount`.
    pub field: String,
    /// A whole clause that starts with the field, such as `link must be a path or an http(s) URL`.
    pub message: String,
    /// Where the field is in the body: a JSON pointer (RFC 6901).
    #[serde(default)]
    pub pointer: String,
    /// What kind of fault it is, for programs.
    #[serde(default)]
    pub code: ProblemCode,
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
        Self {
            message: format!("{field} {fault}"),
            pointer: format!("/{}", field.replace('~', "~0").replace('/', "~1").replace('.', "/")),
            code: ProblemCode::Invalid,
            field,
            advisory: false,
            component: String::new(),
        }
    }

    /// The same, only advisory.
    pub fn advisory(field: impl Into<String>, fault: impl std::fmt::Display) -> Self {
        Self { advisory: true, ..Self::new(field, fault) }
    }

    /// The same, as a fault of this kind.
    #[must_use]
    pub fn coded(self, code: ProblemCode) -> Self {
        Self { code, ..self }
    }

    /// The same, at this JSON pointer, where the field's name does not tell it (a key that has a `.`). Of one that is
    /// longer than [`Problem::POINTER_MAX`] bytes stays what encloses it.
    #[must_use]
    pub fn at(self, pointer: impl Into<String>) -> Self {
        let mut pointer = pointer.into();
        while pointer.len() > Self::POINTER_MAX {
            pointer.truncate(pointer.rfind('/').unwrap_or(0));
        }
        Self { pointer, ..self }
    }

    /// The longest pointer, in bytes.
    pub const POINTER_MAX: usize = 500;
}

/// What kind of fault a problem is. `docs/errors.md` lists them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// Any that is none of the others.
    #[default]
    Invalid,
    /// It must be there.
    Required,
    /// It is of another type.
    WrongType,
    /// The number is too small or too large.
    OutOfRange,
    /// It has too few characters.
    TooShort,
    /// It has too many characters.
    TooLong,
    /// It has too many bytes.
    TooLarge,
    /// It nests too deep.
    TooDeep,
    /// No field of this name is known.
    UnknownField,
    /// It names a notification type that there is not.
    UnknownType,
    /// It is a link that a reader must not be sent to.
    UnsafeLink,
    /// It does not hold to the type's JSON Schema.
    SchemaMismatch,
}

impl ProblemCode {
    /// Every code.
    pub const ALL: [Self; 12] = [
        Self::Invalid,
        Self::Required,
        Self::WrongType,
        Self::OutOfRange,
        Self::TooShort,
        Self::TooLong,
        Self::TooLarge,
        Self::TooDeep,
        Self::UnknownField,
        Self::UnknownType,
        Self::UnsafeLink,
        Self::SchemaMismatch,
    ];
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
