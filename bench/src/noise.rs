//! What a noisy tenant does while another is measured.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use crate::{
    Result,
    args::Settings,
    cases::{Batches, MarksAll, Reads, RefusedSends, SendTemplate, Sends, Unread},
    connection::Connection,
    credentials::Credentials,
    fill::Filler,
    load::{self, Case, Random},
    paced::{self, Stop},
};

/// Every kind of noise, each measured on its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// None: the other tenant is alone.
    Alone,
    /// The limit's handler in place of the gateway, over all connections: what sharing the machine costs.
    Elsewhere,
    /// Good sends, a few thousand a second: a generous rate limit used up.
    Limited,
    /// Good sends over all connections, as many as the gateway answers.
    Sends,
    /// The same sends in batches of a thousand, as many as the queue takes.
    Batches,
    /// Sends that a validator refuses, over all connections.
    Refused,
    /// Inboxes of a hundred thousand marked read at once.
    MarkAll,
    /// Pages of one large inbox with filters that nothing passes.
    Filtered,
}

impl Kind {
    pub const ALL: [Self; 8] = [
        Self::Alone,
        Self::Elsewhere,
        Self::Limited,
        Self::Sends,
        Self::Batches,
        Self::Refused,
        Self::MarkAll,
        Self::Filtered,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::Elsewhere => "elsewhere",
            Self::Limited => "sends_limited",
            Self::Sends => "sends",
            Self::Batches => "batches",
            Self::Refused => "refused_sends",
            Self::MarkAll => "mark_all",
            Self::Filtered => "filtered_lists",
        }
    }
}

/// What the kinds are called, but for none.
pub const NAMES: [&str; 7] =
    ["elsewhere", "sends_limited", "sends", "batches", "refused_sends", "mark_all", "filtered_lists"];

/// Inboxes that are marked read in a slice, and how much is in each.
const INBOXES: u64 = 2;
const OF_AN_INBOX: u64 = 100_000;
/// The reader of the large inbox, how much is in it, and clients that list it.
const LARGE_INBOX: u64 = INBOXES;
const OF_LARGE_INBOX: u64 = 300_000;
const LISTS: u64 = 16;
/// Batches at once, and sends in each.
const BATCHES: u64 = 4;
const OF_A_BATCH: u64 = 1_000;
/// A generous limit: sends a second.
const LIMITED_RATE: f64 = 3_000.0;

/// The noisy tenant.
pub struct Noise<'a> {
    pub settings: &'a Settings,
    pub credentials: &'a Credentials,
    pub limit: SocketAddr,
    pub gateway: SocketAddr,
}

impl Noise<'_> {
    /// Fills the large inbox and marks it read, once.
    pub async fn fill_large_inbox(&self) -> Result<()> {
        self.filler().batches_to(LARGE_INBOX, OF_LARGE_INBOX, self.credentials).await?;
        let token = &self.credentials.tokens[LARGE_INBOX as usize];
        let mut mark = Vec::new();
        MarksAll::new(std::slice::from_ref(token)).next(&mut Random::fresh(), &mut mark);
        let status = Connection::open(self.gateway).await?.exchange(&mark).await?.status;
        if status == 200 { Ok(()) } else { Err(format!("marking the large inbox: status {status}").into()) }
    }

    fn filler(&self) -> Filler {
        Filler {
            address: self.gateway,
            connections: self.settings.connections,
            template: Arc::new(SendTemplate::new(self.credentials)),
            readers: 0,
            unread: Arc::new(Unread::default()),
        }
    }

    /// Lays by what the noise needs.
    pub async fn prepare(&self, kind: Kind) -> Result<()> {
        if kind != Kind::MarkAll {
            return Ok(());
        }
        self.filler().in_turn(INBOXES * OF_AN_INBOX, INBOXES, self.settings.fill_within()).await
    }

    /// Makes the noise for this long, or until what was laid by is used up; gives how much a second it was.
    pub async fn make(&self, kind: Kind, length: Duration) -> Result<f64> {
        let connections = self.settings.connections;
        let sends = |template| Sends { template: Arc::new(template), users: self.settings.users };
        let good = || sends(SendTemplate::new(self.credentials));
        let (address, connections, case): (_, _, Arc<dyn Case>) = match kind {
            Kind::Alone => {
                tokio::time::sleep(length).await;
                return Ok(0.0);
            }
            Kind::Limited => return limited(self.gateway, good(), length).await,
            Kind::Elsewhere => (self.limit, connections, Arc::new(good())),
            Kind::Sends => (self.gateway, connections, Arc::new(good())),
            Kind::Batches => {
                let batches = Batches::new(self.credentials, self.settings.users, OF_A_BATCH);
                (self.gateway, BATCHES, Arc::new(batches))
            }
            Kind::Refused => {
                let refused = RefusedSends(sends(SendTemplate::refused(self.credentials)));
                (self.gateway, connections, Arc::new(refused))
            }
            Kind::MarkAll => {
                (self.gateway, 1, Arc::new(MarksAll::new(&self.credentials.tokens[..INBOXES as usize])))
            }
            Kind::Filtered => {
                let token = &self.credentials.tokens[LARGE_INBOX as usize];
                (self.gateway, LISTS, Arc::new(Reads::filtered(token)))
            }
        };
        Ok(load::drive(&[address], connections, length, &case).await?.rate())
    }
}

async fn limited(address: SocketAddr, sends: Sends, length: Duration) -> Result<f64> {
    let stop = Stop::default();
    let told = stop.clone();
    let sending = tokio::task::spawn_blocking(move || paced::drive(address, LIMITED_RATE, &told, &sends));
    tokio::time::sleep(length).await;
    stop.now();
    Ok(sending.await??.rate())
}
