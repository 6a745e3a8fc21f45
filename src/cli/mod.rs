//! The command line: one file for each command.

mod backup;
mod check;
mod key;
mod migrate;
mod openapi;
mod ready;
mod rotate;
mod running;
mod serve;
mod setup;
mod store;
mod token;
mod types;

use std::{path::PathBuf, process::ExitCode};

use clap::{
    ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind, parser::ValueSource,
};

/// A self-hosted, multi-tenant notification gateway.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct CommandLine {
    /// The configuration file.
    #[arg(
        long,
        global = true,
        env = "BELLBOARD_CONFIG",
        default_value = "config/bellboard.yaml",
        value_name = "PATH"
    )]
    config: PathBuf,

    #[command(flatten)]
    serve: serve::Arguments,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway. This is what happens without a command.
    Serve(serve::Arguments),
    /// Check the configuration and every notification type with its cases; all problems at once.
    Check(check::Arguments),
    /// Ask the gateway that runs whether it is ready: exit code 0 when it is, else 1.
    Ready(ready::Arguments),
    /// Print the OpenAPI document.
    Openapi,
    /// Make and replace API keys.
    #[command(subcommand)]
    Key(key::Command),
    /// Make a notification type, or try one on a draft.
    #[command(subcommand, name = "type")]
    Type(types::Command),
    /// Sign a bearer token for development, with a tenant's HS256 issuer.
    Token(token::Arguments),
    /// Bring the store to this version's schema and exit.
    Migrate(migrate::Arguments),
    /// Copy the store into a new file, also while the gateway runs, and verify the copy.
    Backup(backup::BackupArguments),
    /// Put a backup in the place of the store, which no gateway may use meanwhile.
    Restore(backup::RestoreArguments),
    /// Move a site to another database.
    #[command(subcommand)]
    Store(store::Command),
}

/// Why a command failed; printed to the standard error, with exit code 1.
type Failure = String;

/// Parses the command line and runs the command.
pub fn run() -> ExitCode {
    let matches = CommandLine::command().get_matches();
    let arguments = CommandLine::from_arg_matches(&matches).unwrap_or_else(|e| e.exit());
    refuse_misplaced(&matches);
    let config = &arguments.config;
    let outcome = match arguments.command {
        None => serve::run(config, &arguments.serve),
        Some(Command::Serve(serve)) => serve::run(config, &serve),
        Some(Command::Check(check)) => check::run(config, &check),
        Some(Command::Ready(ready)) => ready::run(config, &ready),
        Some(Command::Openapi) => openapi::run(config),
        Some(Command::Key(key)) => key::run(config, &key),
        Some(Command::Type(command)) => types::run(config, &command),
        Some(Command::Token(token)) => token::run(config, &token),
        Some(Command::Migrate(migrate)) => migrate::run(config, &migrate),
        Some(Command::Backup(backup)) => backup::backup(config, &backup),
        Some(Command::Restore(restore)) => backup::restore(config, &restore),
        Some(Command::Store(command)) => store::run(&command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{}", failure.trim_end());
            ExitCode::FAILURE
        }
    }
}

/// An option of `serve` before another word would be passed over in silence.
fn refuse_misplaced(matches: &ArgMatches) {
    let Some(word) = matches.subcommand_name() else { return };
    for option in ["listen", "admin_listen", "store", "last_good"] {
        if matches.value_source(option) == Some(ValueSource::CommandLine) {
            let option = option.replace('_', "-");
            let message =
                format!("--{option} stands before `{word}`: write it behind, or leave `{word}` out");
            CommandLine::command().error(ErrorKind::ArgumentConflict, message).exit();
        }
    }
}

/// Prints for people and pipes. A reader that has seen enough, such as `head`, is no fault.
fn print(text: &str) -> Result<(), Failure> {
    use std::io::{ErrorKind, Write};
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(format!("the output cannot be written: {e}")),
        _ => Ok(()),
    }
}
