//! One run: start both servers, fill, then measure every case in turn, round by round.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use crate::{
    Result,
    args::{CASES, Settings},
    cases::{Batches, Marks, Reads, SendTemplate, Sends, Unread},
    credentials::Credentials,
    fill::Filler,
    gateway::Gateway,
    limit_server,
    load::{self, Case},
    process::{Process, RunDir, free_addresses},
    report::Report,
};

/// How long each case runs unmeasured before the first round.
const WARM_UP: Duration = Duration::from_millis(500);
/// What is asked for at once at most.
const IN_FLIGHT: u64 = 2_000;
/// Unread notifications laid by for the first slice that marks them.
const FIRST_MARKS: u64 = 20_000;

/// Measures and prints; fails at the first answer that is not as it should be.
pub async fn run(settings: &Settings) -> Result<()> {
    let dir = RunDir::create(&settings.dir)?;
    let credentials = Credentials::new("default", settings.readers)?;
    let [limit_address] = free_addresses()?;
    let limit = limit_server::start(limit_address, &dir).await?;
    let site = settings.site()?;
    let gateway = Gateway::start(&site, &dir, &[&credentials]).await?;
    let mut others = Vec::new();
    for _ in 1..settings.nodes {
        others.push(Gateway::start(&site, &dir, &[&credentials]).await?);
    }
    gateway.import(&credentials, settings.users).await?;
    measure(settings, &credentials, limit, limit_address, &gateway, &others).await.map_err(|error| {
        format!("{error}\nThe gateway's last words:\n{}", gateway.process.last_words()).into()
    })
}

async fn measure(
    settings: &Settings,
    credentials: &Credentials,
    limit: Process,
    limit_address: SocketAddr,
    gateway: &Gateway,
    others: &[Gateway],
) -> Result<()> {
    let template = Arc::new(SendTemplate::new(credentials));
    let unread = Arc::new(Unread::default());
    let sends: Arc<dyn Case> = Arc::new(Sends { template: Arc::clone(&template), users: settings.users });
    let filler = Filler {
        address: gateway.address,
        connections: settings.connections,
        template,
        readers: settings.readers,
        unread: Arc::clone(&unread),
    };
    eprintln!("Filling: {} notifications of {} users", settings.rows(), settings.users);
    filler.in_turn(settings.rows() - settings.reader_rows(), settings.users, settings.fill_within()).await?;
    filler.in_turn(settings.reader_rows(), settings.readers, settings.fill_within()).await?;

    let reads = |tokens: &[String]| -> [Arc<dyn Case>; 2] {
        [Arc::new(Reads::list(tokens)), Arc::new(Reads::unread_count(tokens))]
    };
    let [list50, unread_count] = reads(&credentials.tokens);
    let [list50_eddsa, unread_count_eddsa] = reads(&credentials.eddsa_tokens);
    let marks: Arc<dyn Case> = Arc::new(Marks::new(credentials, Arc::clone(&unread)));
    let batches: Arc<dyn Case> = Arc::new(Batches::new(credentials, settings.users, settings.batch_items));
    let of_gateway =
        [Arc::clone(&sends), batches, list50, list50_eddsa, unread_count, unread_count_eddsa, marks];
    let mut cases = vec![("limit", &limit, vec![limit_address], Arc::clone(&sends))];
    for (name, case) in CASES.into_iter().zip(of_gateway).filter(|(name, _)| settings.wants(name)) {
        cases.push((name, &gateway.process, vec![gateway.address], case));
    }
    if !others.is_empty() {
        let nodes = std::iter::once(gateway).chain(others).map(|node| node.address);
        cases.push(("send_nodes", &gateway.process, nodes.collect(), sends));
    }
    let mut report = Report::new(cases.iter().map(|(name, ..)| *name));
    let mut marks = FIRST_MARKS;
    for round in 0..=settings.rounds() {
        let length = if round == 0 { WARM_UP } else { settings.slice() };
        for (place, (name, process, servers, case)) in cases.iter().enumerate() {
            if *name == "mark_read" {
                filler.top_up(marks, length * 3).await?;
            }
            // No more than the queue takes of one tenant.
            let most = (IN_FLIGHT / case.items()).max(1);
            let sample = load::drive(servers, settings.connections.min(most), length, case)
                .await
                .map_err(|error| format!("{name}: {error}"))?;
            eprintln!("round {round} of {}: {name} {:.0}/s", settings.rounds(), sample.rate());
            if *name == "mark_read" {
                // Enough for the next slice at the rate of this one, and a fifth to spare.
                marks = (sample.rate() * settings.slice().as_secs_f64() * 1.2) as u64 + 1_000;
            }
            if round > 0 {
                report.add(place, sample, process.memory()?);
            }
        }
    }
    let in_batch = report.ratio("send_batch", "send");
    report.print(settings.json);
    if let Some(ratio) = in_batch.filter(|_| !settings.json) {
        println!("send_batch counts each of its {} sends: {ratio} times send", settings.batch_items);
    }
    Ok(())
}
