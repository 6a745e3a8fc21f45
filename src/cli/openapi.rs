//! `bellboard openapi`: the document, with the limits of the configuration where there is one.

use std::path::Path;

use super::{Failure, setup};
use crate::{domain::Limits, http};

pub fn run(path: &Path) -> Result<(), Failure> {
    let limits = if path.exists() { setup::read(path)?.1.limits } else { Limits::default() };
    super::print(&format!("{:#}", http::document(&limits)))
}
