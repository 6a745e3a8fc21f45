//! The command line, and the settings of a run that follow from it.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args as ClapArgs, Parser, Subcommand};

use crate::{
    Result,
    gateway::{self, Site},
    noise::Kind,
};

/// The cases that a run can measure, in the order in which a round does.
pub const CASES: [&str; 7] =
    ["send", "send_batch", "list50", "list50_eddsa", "unread_count", "unread_count_eddsa", "mark_read"];

/// Measures the gateway beside the limit of its framework.
#[derive(Parser)]
#[command(name = "bellboard-bench", version)]
pub struct Args {
    #[command(subcommand)]
    pub mode: Option<Mode>,
    #[command(flatten)]
    pub settings: Settings,
}

#[derive(Subcommand)]
pub enum Mode {
    /// Serves the bare handler until killed. The benchmark starts this by itself.
    #[command(hide = true)]
    LimitServer {
        /// Where to listen.
        #[arg(long)]
        listen: SocketAddr,
    },
}

#[derive(ClapArgs)]
pub struct Settings {
    /// Measures instead how long one tenant waits at a steady rate, alone and beside a noisy tenant.
    /// The noise `elsewhere` is not of the gateway: it tells what sharing the machine's cores costs by itself.
    /// Takes some five minutes, with --quick two.
    #[arg(long, conflicts_with = "cases")]
    pub fair: bool,
    /// With --fair: the steady rate a second, of sends and of marks each.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub fair_rate: u32,
    /// With --fair: the kinds of noise to measure beside none, with commas between [default: all].
    #[arg(long, value_delimiter = ',', value_parser = crate::noise::NAMES)]
    noise: Vec<String>,
    /// Measures instead the same work on 10 thousand stored notifications and on 10 million (--rows), and what
    /// the gateway takes to start and in memory. Takes some five minutes and 6 GB in --dir, with --quick (a
    /// million) one. On PostgreSQL they are two new databases of the server.
    #[arg(long, conflicts_with_all = ["cases", "fair"])]
    pub scale: bool,
    /// Measures instead what open live streams cost in memory, and how long after a send's answer its event is there.
    /// Needs a limit of open files above their number.
    #[arg(long, conflicts_with_all = ["cases", "fair", "scale"])]
    pub streams: bool,
    /// With --streams: how many are open [default: 10000, quick: 2000].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=200_000))]
    streams_open: Option<u64>,
    /// With --streams: sends a second.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub streams_rate: u32,
    /// The gateway's store, empty [default: a database of SQLite in --dir]. `bench/postgres` makes one on a
    /// server of its own.
    #[arg(long)]
    pub store: Option<String>,
    /// Nodes on that store: above 1, a further case sends to all of them, beside the sends to one.
    #[arg(long, default_value_t = 1, requires = "store", value_parser = clap::value_parser!(u8).range(1..=16))]
    pub nodes: u8,
    /// The cases to measure, with commas between; the limit is always measured [default: all]. Those of
    /// `_eddsa` are the same reads with tokens that are signed with Ed25519 instead of HS256.
    #[arg(long, value_delimiter = ',', value_parser = CASES)]
    cases: Vec<String>,
    /// Short slices and a small fill: done in under two minutes.
    #[arg(long)]
    quick: bool,
    /// One JSON object a line instead of the table.
    #[arg(long)]
    pub json: bool,
    /// Notifications stored before anything is measured [default: 300000, quick: 130000].
    #[arg(long)]
    rows: Option<u64>,
    /// Users that sends go to.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1_000..=800_000))]
    pub users: u64,
    /// Users who read; the first of them all.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub readers: u64,
    /// Keep-alive connections.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=4_096))]
    pub connections: u64,
    /// Sends in a request of `send_batch`, whose rate counts them.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub batch_items: u64,
    /// Rounds; each measures every case once [default: 7, quick: 3].
    #[arg(long)]
    rounds: Option<u32>,
    /// Seconds that a case is measured in a round [default: 5, quick: 2].
    #[arg(long)]
    seconds: Option<f64>,
    /// The gateway's program [default: `bellboard` beside this one].
    #[arg(long)]
    gateway: Option<PathBuf>,
    /// Where the run's database is made and removed again; on the disk to be measured.
    #[arg(long, default_value = "target/bench")]
    pub dir: PathBuf,
}

/// Notifications that each reader has at least: more than a page of the list.
const LEAST_OF_A_READER: u64 = 60;
/// Notifications that each reader gets at most from the fill beyond the one that all users get.
const MOST_OF_A_READER: u64 = 200;

impl Settings {
    /// The gateway to be measured.
    pub fn site(&self) -> Result<Site> {
        Ok(Site { program: gateway::program(self.gateway.as_deref())?, store: self.store.clone() })
    }

    /// Whether this case is to be measured.
    pub fn wants(&self, case: &str) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|wanted| wanted == case)
    }

    /// Whether this kind of noise is to be measured.
    pub fn makes(&self, noise: Kind) -> bool {
        noise == Kind::Alone
            || self.noise.is_empty()
            || self.noise.iter().any(|wanted| wanted == noise.name())
    }

    /// Notifications stored before anything is measured: one a user, and a full page a reader.
    pub fn rows(&self) -> u64 {
        let rows = self.rows.unwrap_or(if self.quick { 130_000 } else { 300_000 });
        rows.max(self.users + self.readers * LEAST_OF_A_READER)
    }

    /// How many of the rows go to the readers beyond the share of every user.
    pub fn reader_rows(&self) -> u64 {
        (self.rows() - self.users).min(self.readers * MOST_OF_A_READER)
    }

    /// The longest that either part of the fill may take: every user's share, and the readers'.
    pub fn fill_within(&self) -> Duration {
        Duration::from_secs(if self.quick { 30 } else { 3_600 })
    }

    /// Notifications in the larger database of a comparison of sizes.
    pub fn many(&self) -> u64 {
        self.rows.unwrap_or(if self.quick { 1_000_000 } else { 10_000_000 }).max(100_000)
    }

    /// Streams that are open.
    pub fn streams_open(&self) -> u64 {
        self.streams_open.unwrap_or(if self.quick { 2_000 } else { 10_000 })
    }

    /// Rounds measured.
    pub fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 3 } else { 7 }).max(1)
    }

    /// How long a case is measured in a round.
    pub fn slice(&self) -> Duration {
        let seconds = self.seconds.unwrap_or(if self.quick { 2.0 } else { 5.0 });
        Duration::from_secs_f64(if seconds.is_finite() { seconds.clamp(0.1, 600.0) } else { 5.0 })
    }
}
