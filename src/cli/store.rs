//! `bellboard store copy`: move a site from one database to another, whatever their engines.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::{Failure, setup};
use crate::store::{self, Progress, Stage, Sum};

/// The commands about the store as a whole.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Copy a site into an empty store, SQLite or PostgreSQL on either side, and verify the copy. No gateway may run
    /// on either. What was cut off goes on when it is given again.
    Copy(CopyArguments),
}

/// The options of `store copy`.
#[derive(clap::Args)]
pub struct CopyArguments {
    /// The store to copy: `sqlite://PATH` or `postgres://…`. Others on this machine can read a command line: give a
    /// password by the variable.
    #[arg(env = "BELLBOARD_COPY_FROM", hide_env_values = true, value_name = "FROM")]
    from: String,
    /// The store to fill, which must hold nothing yet, or an unfinished copy of the same. Its tables are made.
    #[arg(env = "BELLBOARD_COPY_TO", hide_env_values = true, value_name = "TO")]
    to: String,
    /// Copy nothing: compare the two, row by row.
    #[arg(long)]
    verify: bool,
}

pub fn run(command: &Command) -> Result<(), Failure> {
    let Command::Copy(arguments) = command;
    let (from, to) = (&arguments.from, &arguments.to);
    let mut told = Told::default();
    let mut tell = |progress| told.tell(progress);
    let sums = match arguments.verify {
        true => setup::block_on(store::verify(from, to, &mut tell))?,
        false => setup::block_on(store::copy(from, to, &mut tell))?,
    };
    told.bar.finish_and_clear();
    let sums = sums.map_err(|e| e.to_string())?;
    let (from, to) = (store::shown(from), store::shown(to));
    let lines: Vec<_> = sums.iter().map(line).collect();
    super::print(&format!("{}\n{to} is the same as {from}, verified", lines.join("\n")))
}

/// A table and what it holds, for people to compare.
fn line(Sum { table, rows, checksum }: &Sum) -> String {
    format!("{table:<14} {rows:>12} rows  sha256 {checksum}")
}

/// Shows how far it is: a bar on a terminal, and else a line now and then, both on the standard error.
struct Told {
    bar: ProgressBar,
    last: Option<(Stage, u64)>,
}

/// Between two lines, in hundredths of the whole.
const STEP: u64 = 5;

impl Default for Told {
    fn default() -> Self {
        let bar = ProgressBar::no_length();
        if let Ok(style) = ProgressStyle::with_template(
            "{prefix} {wide_bar} {pos} of {len} rows, {per_sec}, {eta} left  {msg}",
        ) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(500));
        Self { bar, last: None }
    }
}

impl Told {
    fn tell(&mut self, progress: Progress) {
        let stage = match progress.stage {
            Stage::Copying => "copying",
            Stage::Verifying => "verifying",
        };
        if self.last.is_none_or(|(last, _)| last != progress.stage) {
            self.bar.set_prefix(stage);
            self.bar.reset();
        }
        self.bar.set_length(progress.total);
        self.bar.set_position(progress.done);
        self.bar.set_message(progress.table);
        let percent = (progress.done * 100).checked_div(progress.total).unwrap_or(100);
        let now = Some((progress.stage, percent / STEP));
        if self.bar.is_hidden() && self.last != now {
            eprintln!(
                "{stage} {}: {} of {} rows, {percent} %",
                progress.table, progress.done, progress.total
            );
        }
        self.last = now;
    }
}
