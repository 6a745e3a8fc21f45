//! How long one tenant waits at a steady rate, alone and beside a noisy one.

use std::{
    fmt::{self, Display, Formatter},
    net::SocketAddr,
    sync::Arc,
};

use serde::Serialize;

use crate::{
    Result,
    args::Settings,
    cases::{KeyedSends, Marks, Reads, SendTemplate, Sends, Unread},
    credentials::Credentials,
    fill::Filler,
    gateway::Gateway,
    limit_server,
    load::Case,
    noise::{Kind, Noise},
    paced::{self, Stop},
    process::{RunDir, free_addresses},
    report::{self, median, percentile, rounded},
};

/// What the quiet tenant does, all at once.
const QUIET: [&str; 4] = ["send", "mark_read", "list", "send_keyed"];
/// The longest that a slice may take for which marks are laid by, in seconds.
const LONGEST_SLICE: u64 = 20;

/// Measures and prints; fails at the first answer that is not as it should be.
pub async fn run(settings: &Settings) -> Result<()> {
    let dir = RunDir::create(&settings.dir)?;
    let [quiet, noisy] =
        [Credentials::new("quiet", settings.readers)?, Credentials::new("noisy", settings.readers)?];
    let [limit_address] = free_addresses()?;
    let _limit = limit_server::start(limit_address, &dir).await?;
    let gateway = Gateway::start(&settings.site()?, &dir, &[&quiet, &noisy]).await?;
    gateway.import(&quiet, settings.users).await?;
    gateway.import(&noisy, settings.users).await?;
    let noise = Noise { settings, credentials: &noisy, limit: limit_address, gateway: gateway.address };
    measure(settings, &quiet, &noise, gateway.address).await.map_err(|error| {
        format!("{error}\nThe gateway's last words:\n{}", gateway.process.last_words()).into()
    })
}

async fn measure(
    settings: &Settings,
    quiet: &Credentials,
    noise: &Noise<'_>,
    address: SocketAddr,
) -> Result<()> {
    let template = Arc::new(SendTemplate::new(quiet));
    let unread = Arc::new(Unread::default());
    let filler = Filler {
        address,
        connections: settings.connections,
        template: Arc::clone(&template),
        readers: settings.readers,
        unread: Arc::clone(&unread),
    };
    eprintln!("Filling: {} notifications of {} users", settings.rows(), settings.users);
    filler.in_turn(settings.rows(), settings.users, settings.fill_within()).await?;
    let cases: [Arc<dyn Case>; QUIET.len()] = [
        Arc::new(Sends { template: Arc::clone(&template), users: settings.users }),
        Arc::new(Marks::new(quiet, Arc::clone(&unread))),
        Arc::new(Reads::page(&quiet.tokens)),
        Arc::new(KeyedSends::new(Sends { template, users: settings.users })),
    ];
    noise.fill_large_inbox().await?;
    let mut taken: Vec<Taken> =
        Kind::ALL.into_iter().filter(|kind| settings.makes(*kind)).map(Taken::new).collect();
    for round in 0..settings.rounds() {
        for taken in &mut taken {
            noise.prepare(taken.kind).await?;
            filler.top_up(u64::from(settings.fair_rate) * LONGEST_SLICE, settings.fill_within()).await?;
            let stop = Stop::default();
            let quiet = cases.iter().map(|case| {
                let (case, stop, rate) = (Arc::clone(case), stop.clone(), f64::from(settings.fair_rate));
                tokio::task::spawn_blocking(move || paced::drive(address, rate, &stop, &*case))
            });
            let quiet: Vec<_> = quiet.collect();
            let made = noise.make(taken.kind, settings.slice()).await;
            stop.now();
            taken.rates.push(made.map_err(|error| format!("{}: {error}", taken.kind.name()))?);
            for (micros, quiet) in taken.micros.iter_mut().zip(quiet) {
                micros.append(&mut quiet.await??.micros);
            }
            eprintln!("round {} of {}: {}", round + 1, settings.rounds(), taken.kind.name());
        }
    }
    if !settings.json {
        println!(
            "{:<15}{:>10}  {:<10}{:>10}{:>10}{:>8}{:>10}{:>8}",
            "noise", "noise/s", "case", "requests", "p50 ms", "factor", "p99 ms", "factor"
        );
    }
    rows(taken).iter().for_each(|row| report::line(row, settings.json));
    Ok(())
}

/// What the quiet tenant's requests took beside one kind of noise.
struct Taken {
    kind: Kind,
    rates: Vec<f64>,
    micros: [Vec<u32>; QUIET.len()],
}

impl Taken {
    fn new(kind: Kind) -> Self {
        Self { kind, rates: Vec::new(), micros: Default::default() }
    }
}

#[derive(Serialize)]
struct Row {
    noise: &'static str,
    /// Requests a second, of the noise.
    noise_per_second: f64,
    case: &'static str,
    p50_ms: f64,
    /// The p50 in proportion to the one alone.
    p50_factor: f64,
    p99_ms: f64,
    /// The p99 in proportion to the one alone.
    factor: f64,
    requests: usize,
}

impl Display for Row {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<15}{:>10.0}  {:<10}{:>10}{:>10.2}{:>8.2}{:>10.2}{:>8.2}",
            self.noise,
            self.noise_per_second,
            self.case,
            self.requests,
            self.p50_ms,
            self.p50_factor,
            self.p99_ms,
            self.factor
        )
    }
}

/// A row for each kind of noise and each case; the first kind is none.
fn rows(taken: Vec<Taken>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for Taken { kind, rates, micros } in taken {
        let noise_per_second = rounded(median(rates), 1);
        for (place, mut micros) in micros.into_iter().enumerate() {
            micros.sort_unstable();
            let (p50_ms, p99_ms) = (percentile(&micros, 0.5), percentile(&micros, 0.99));
            let alone = rows.get(place).map_or((p50_ms, p99_ms), |row| (row.p50_ms, row.p99_ms));
            rows.push(Row {
                noise: kind.name(),
                noise_per_second,
                case: QUIET[place],
                p50_ms,
                p50_factor: rounded(p50_ms / alone.0.max(0.001), 2),
                p99_ms,
                factor: rounded(p99_ms / alone.1.max(0.001), 2),
                requests: micros.len(),
            });
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_compares_with_the_same_case_alone() {
        let took = |kind, send, mark| {
            let mut taken = Taken::new(kind);
            (taken.rates, taken.micros[0], taken.micros[1]) = (vec![1.0], vec![send], vec![mark]);
            taken
        };
        let rows = rows(vec![took(Kind::Alone, 1_000, 2_000), took(Kind::Sends, 3_000, 3_000)]);
        let of = |noise: &str| -> Vec<_> {
            rows.iter()
                .filter(|row| row.noise == noise)
                .take(2)
                .map(|row| (row.p50_factor, row.factor))
                .collect()
        };
        assert_eq!((of("alone"), of("sends")), (vec![(1.0, 1.0); 2], vec![(3.0, 3.0), (1.5, 1.5)]));
    }
}
