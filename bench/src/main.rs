//! The benchmark: the gateway beside the limit of its framework, in one table from one run.
//!
//! `bench/run` builds everything for release and starts this. The limit is a bare handler that takes and
//! returns the JSON of a send; it stands for 1.0. Each round measures the limit and then every case of the
//! real gateway, so whatever drifts on the machine drifts for all of them.

mod args;
mod cases;
mod connection;
mod credentials;
mod fair;
mod fill;
mod gateway;
mod limit_server;
mod load;
mod multiply;
mod noise;
mod paced;
mod process;
mod report;
mod run;
mod scale;
mod streams;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What stops a run; its text is for the person who started it.
type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = Error> = std::result::Result<T, E>;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let args = args::Args::parse();
    let outcome = match args.mode {
        Some(args::Mode::LimitServer { listen }) => limit_server::serve(listen).await,
        None if args.settings.fair => fair::run(&args.settings).await,
        None if args.settings.streams => streams::run(&args.settings).await,
        None if args.settings.scale => scale::run(&args.settings).await,
        None => run::run(&args.settings).await,
    };
    match outcome {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("benchmark failed: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}
