//! The same work on few stored notifications and on many: what the size of the database costs.

use std::{
    fmt::{self, Display, Formatter},
    sync::Arc,
    time::Duration,
};

use serde::Serialize;

use crate::{
    Result,
    args::Settings,
    cases::{Marks, Reads, SendTemplate, Sends, Unread},
    credentials::Credentials,
    fill::Filler,
    gateway::{self, Gateway, Site},
    load::{self, Case},
    multiply::Database,
    process::{Memory, RunDir},
    report::{self, median, percentile, rounded},
};

/// What is measured on both.
const CASES: [&str; 4] = ["list50", "unread_count", "mark_read", "send"];
/// Notifications of each user: some pages.
const OF_A_USER: u64 = 100;
/// Stored in the smaller database.
const FEW: u64 = 10_000;
/// Readers at most.
const READERS: u64 = 5_000;

/// Measures and prints; fails at the first answer that is not as it should be.
pub async fn run(settings: &Settings) -> Result<()> {
    let dir = RunDir::create(&settings.dir)?;
    let site = settings.site()?;
    let mut sides = [
        Side::make(settings, &site, &dir, "few", FEW).await?,
        Side::make(settings, &site, &dir, "many", settings.many()).await?,
    ];
    let mut rates: [[Vec<f64>; 2]; CASES.len()] = Default::default();
    let mut micros: [[Vec<u32>; 2]; CASES.len()] = Default::default();
    for round in 0..=settings.rounds() {
        for (place, name) in CASES.into_iter().enumerate() {
            for (side, which) in sides.iter_mut().zip(0..) {
                let mut sample = side.measure(settings, name).await?;
                eprintln!(
                    "round {round} of {}: {name} of {}: {:.0}/s",
                    settings.rounds(),
                    side.rows,
                    sample.rate()
                );
                if round > 0 {
                    rates[place][which].push(sample.rate());
                    micros[place][which].append(&mut sample.micros);
                }
            }
        }
    }
    let [few, many] = &sides;
    for ((case, [few_rates, many_rates]), mut micros) in CASES.into_iter().zip(rates).zip(micros) {
        micros.iter_mut().for_each(|micros| micros.sort_unstable());
        let factors = few_rates.iter().zip(&many_rates).map(|(few, many)| few / many).collect();
        let row = Row {
            case,
            few_rows: few.rows,
            few_per_second: rounded(median(few_rates), 1),
            few_p99_ms: percentile(&micros[0], 0.99),
            many_rows: many.rows,
            many_per_second: rounded(median(many_rates), 1),
            many_p99_ms: percentile(&micros[1], 0.99),
            factor: rounded(median(factors), 2),
        };
        report::line(&row, settings.json);
    }
    for side in &sides {
        report::line(&side.state(), settings.json);
    }
    Ok(())
}

/// A gateway on a database of so many notifications.
struct Side {
    rows: u64,
    users: u64,
    credentials: Credentials,
    gateway: Gateway,
    unread: Vec<(u64, u64)>,
    database_bytes: u64,
    idle: Memory,
    most: Memory,
    _dir: RunDir,
}

impl Side {
    async fn make(settings: &Settings, site: &Site, parent: &RunDir, name: &str, rows: u64) -> Result<Self> {
        let dir = RunDir::create(&parent.join(name))?;
        let database = match &site.store {
            Some(server) => Database::create(server, &format!("bench_{name}")).await?,
            None => Database::Sqlite(gateway::database(&dir)),
        };
        let site = &Site { program: site.program.clone(), store: Some(database.url()) };
        let users = (rows / OF_A_USER).min(800_000);
        let readers = users.min(READERS);
        let credentials = Credentials::new("default", readers)?;
        eprintln!("Filling: {rows} notifications of {users} users");
        let mut gateway = Gateway::start(site, &dir, &[&credentials]).await?;
        gateway.import(&credentials, users).await?;
        let filler = Filler {
            address: gateway.address,
            connections: settings.connections,
            template: Arc::new(SendTemplate::new(&credentials)),
            readers: 0,
            unread: Arc::default(),
        };
        filler.in_turn(users, users, settings.fill_within()).await?;
        gateway.process.end().await?;
        let start = std::time::Instant::now();
        database.multiply(rows / users).await?;
        eprintln!("  multiplied in {:.1} s", start.elapsed().as_secs_f64());
        let unread = database.unread(readers).await?;
        let database_bytes = database.bytes().await?;
        let gateway = Gateway::start(site, &dir, &[&credentials]).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let idle = gateway.process.memory()?;
        Ok(Self { rows, users, credentials, gateway, unread, database_bytes, idle, most: idle, _dir: dir })
    }

    async fn measure(&mut self, settings: &Settings, name: &str) -> Result<load::Sample> {
        let unread = if name == "mark_read" { self.some_unread(settings) } else { Arc::default() };
        let tokens = &self.credentials.tokens;
        let case: Arc<dyn Case> = match name {
            "list50" => Arc::new(Reads::list(tokens)),
            "unread_count" => Arc::new(Reads::unread_count(tokens)),
            "mark_read" => Arc::new(Marks::new(&self.credentials, unread)),
            _ => Arc::new(Sends {
                template: Arc::new(SendTemplate::new(&self.credentials)),
                users: self.users,
            }),
        };
        // What is sent makes the smaller database larger: little of it.
        let length = if name == "send" { settings.slice() / 20 } else { settings.slice() };
        let sample = load::drive(&[self.gateway.address], settings.connections, length, &case)
            .await
            .map_err(|error| format!("{name}: {error}\n{}", self.gateway.process.last_words()))?;
        let now = self.gateway.process.memory()?;
        self.most.anonymous = self.most.anonymous.max(now.anonymous);
        self.most.resident = self.most.resident.max(now.resident);
        Ok(sample)
    }

    /// As many for each slice, so that the last has some too.
    fn some_unread(&mut self, settings: &Settings) -> Arc<Unread> {
        let some = FEW as usize / (settings.rounds() as usize + 1);
        let unread = Unread::default();
        for (reader, id) in self.unread.split_off(self.unread.len().saturating_sub(some)) {
            unread.put(reader, id);
        }
        Arc::new(unread)
    }

    fn state(&self) -> State {
        let mib = |bytes: u64| rounded(bytes as f64 / f64::from(1 << 20), 1);
        State {
            rows: self.rows,
            database_mib: mib(self.database_bytes),
            ready_after_ms: rounded(self.gateway.ready_after.as_secs_f64() * 1_000.0, 1),
            idle_anonymous_mib: mib(self.idle.anonymous),
            most_anonymous_mib: mib(self.most.anonymous),
        }
    }
}

impl Display for State {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} stored: database {} MiB, ready after {} ms, anonymous {} MiB idle, {} MiB under load",
            self.rows,
            self.database_mib,
            self.ready_after_ms,
            self.idle_anonymous_mib,
            self.most_anonymous_mib
        )
    }
}

/// One case on both databases.
#[derive(Serialize)]
struct Row {
    case: &'static str,
    few_rows: u64,
    few_per_second: f64,
    few_p99_ms: f64,
    many_rows: u64,
    many_per_second: f64,
    many_p99_ms: f64,
    /// A request's time on the larger in proportion to the one on the smaller.
    factor: f64,
}

impl Display for Row {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<14} {} stored: {:>8.0}/s p99 {:>7.2} ms   {} stored: {:>8.0}/s p99 {:>7.2} ms   factor {:.2}",
            self.case,
            self.few_rows,
            self.few_per_second,
            self.few_p99_ms,
            self.many_rows,
            self.many_per_second,
            self.many_p99_ms,
            self.factor
        )
    }
}

/// What a gateway takes on a database.
#[derive(Serialize)]
struct State {
    rows: u64,
    database_mib: f64,
    ready_after_ms: f64,
    idle_anonymous_mib: f64,
    most_anonymous_mib: f64,
}
