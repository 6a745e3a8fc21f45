//! `bellboard type`: the folder of a new type, and what a type makes of a draft.

mod new;
mod try_out;

use std::path::Path;

use super::Failure;

/// Writing notification types.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Make the folder of a new type, with a schema and cases that pass, to start from.
    New(new::Arguments),
    /// Show what each component of a type makes of a draft (JSON, from the standard input), and what a
    /// send of it would store; exit code 1 when it is refused.
    Try(try_out::Arguments),
}

pub fn run(path: &Path, command: &Command) -> Result<(), Failure> {
    match command {
        Command::New(new) => new::run(path, new),
        Command::Try(draft) => try_out::run(path, draft),
    }
}
