//! The contract between the gateway and the components of its types.
//!
//! A [`Draft`] is a notification before it is stored. A [`Validator`] looks at it and reports
//! [`Problem`]s; an [`Enricher`] changes it. Both are built once, from the settings in a type's
//! `type.yaml`, by a [`Builder`]; both are synchronous, do no I/O and learn the time from their
//! [`Context`]. Everything that crosses this line is serialisable, so that a component may one
//! day run outside the process.
//!
//! This crate knows nothing of HTTP, of stores or of configuration files.

mod component;
mod draft;
mod link;
mod metadata;
mod problem;

pub use component::{Builder, Component, Context, Enricher, Resources, Validator};
pub use draft::{Draft, Severity};
pub use link::check_link;
pub use metadata::Metadata;
pub use problem::{Problem, ProblemCode, Problems};
