//! The keys found under one URL, and when to look there again.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use reqwest::Url;
use tokio::sync::watch;

use super::{Pending, guard, parse::PublicKey};
use crate::{
    config::{Algorithm, Jwks},
    domain::Timestamp,
};

/// The least time between two fetches, however many tokens name keys that are not known.
const COOLDOWN: Duration = Duration::from_secs(5);
/// The first pause after a failure; each further one doubles it, up to the refresh or this many doublings.
const RETRY: Duration = Duration::from_secs(1);
const MOST_DOUBLINGS: u32 = 6;
/// How many keys one token is tried with.
const TRIED: usize = 32;
/// How many names of keys that are no longer published are remembered.
const MAX_RETIRED: usize = 64;

/// The keys found under one URL. Snapshots hand it on, with its keys, where the URL stays configured.
pub struct KeySet {
    pub url: Url,
    /// Whether the URL may lead into private networks, and without TLS.
    pub allow_private: bool,
    /// The proxy on the way to it.
    pub proxy: Option<Url>,
    fetched: ArcSwapOption<Fetched>,
    /// A token named a key that is not known.
    pub(super) asked: AtomicBool,
    in_flight: AtomicBool,
    /// When the last fetch began, and when it ended: microseconds since 1970; [`NEVER`] before the first.
    pub(super) began: AtomicI64,
    attempted: AtomicI64,
    /// How many fetches have ended, for those who wait.
    pub(super) ends: watch::Sender<u64>,
    pub(super) waiting: AtomicUsize,
    failing: AtomicU32,
    failures: AtomicU64,
    /// The keys that were passed over, as the log was told last.
    passed_over: Mutex<Vec<String>>,
}

const NEVER: i64 = i64::MIN;

/// What was found, and when.
pub struct Fetched {
    began: Timestamp,
    pub at: Timestamp,
    pub keys: Vec<PublicKey>,
    /// The names of keys that were published before.
    retired: Vec<String>,
}

/// What a fetch has led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// How many fetches have failed in a row.
    pub failing: u32,
    /// A key that was published is so no more.
    pub withdrawn: bool,
}

/// Why no key verified a token.
#[derive(Debug)]
pub enum Unfound {
    /// None ever will, for this reason.
    Invalid(&'static str),
    /// The next fetch may bring the key.
    Pending(Pending),
}

impl KeySet {
    /// A set that was not fetched yet. The error says what is wrong with its URL.
    pub fn new(jwks: &Jwks) -> Result<Self, &'static str> {
        let url = Url::parse(&jwks.url).map_err(|_| "jwks_url is no URL")?;
        if !jwks.allow_private && guard::literal_address(&url).is_some_and(|ip| !guard::is_public(ip)) {
            return Err("jwks_url leads into a private network; jwks_allow_private: true allows it");
        }
        let proxy = jwks.proxy.as_deref().map(Url::parse).transpose().map_err(|_| "jwks_proxy is no URL")?;
        Ok(Self {
            url,
            allow_private: jwks.allow_private,
            proxy,
            fetched: ArcSwapOption::empty(),
            asked: AtomicBool::new(false),
            in_flight: AtomicBool::new(false),
            began: AtomicI64::new(NEVER),
            attempted: AtomicI64::new(NEVER),
            ends: watch::Sender::new(0),
            waiting: AtomicUsize::new(0),
            failing: AtomicU32::new(0),
            failures: AtomicU64::new(0),
            passed_over: Mutex::default(),
        })
    }

    /// Whether the other is fetched from the same place in the same way.
    pub fn is_of_same_place(&self, other: &Self) -> bool {
        (&self.url, self.allow_private, &self.proxy) == (&other.url, other.allow_private, &other.proxy)
    }

    /// Notes the keys that a fetch passed over. Returns whether they are others than before.
    pub fn note_passed_over(&self, passed_over: &[String]) -> bool {
        let mut known = self.passed_over.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = *known != passed_over;
        if is_new {
            *known = passed_over.to_vec();
        }
        is_new
    }

    /// The keys, while they are not older than `keep`.
    pub fn fresh(&self, now: Timestamp, keep: Duration) -> Option<Arc<Fetched>> {
        self.fetched.load_full().filter(|fetched| since(fetched.at.0, now) <= keep)
    }

    /// How long ago the keys were fetched.
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        self.fetched.load().as_ref().map(|fetched| since(fetched.at.0, now))
    }

    /// Fetches that failed.
    pub fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }

    /// Whether no fetch has ended yet.
    pub fn is_new(&self) -> bool {
        self.attempted.load(Relaxed) == NEVER
    }

    /// Whether the last fetch failed.
    pub fn is_failing(&self) -> bool {
        self.failing.load(Relaxed) > 0
    }

    /// Returns the key that signed a token, which names it by `kid`: that one is tried, or all that have no name, or all
    /// where the token names none. `now` is when the token came: keys that were fetched since decide, and so do those
    /// that have, or once had, the key that it names.
    pub fn find(
        self: &Arc<Self>,
        kid: Option<&str>,
        algorithm: Algorithm,
        (now, keep): (Timestamp, Duration),
        signed: impl Fn(&PublicKey) -> bool,
    ) -> Result<Signer, Unfound> {
        // Before the keys: a fetch that ends in between is not missed.
        let ended = *self.ends.borrow();
        let pending = || Unfound::Pending(Pending { set: Arc::clone(self), ended });
        let Some(fetched) = self.fresh(now, keep) else { return Err(pending()) };
        let is_named = |key: &&PublicKey| kid.is_some() && key.kid.as_deref() == kid;
        let may_be = |key: &&PublicKey| kid.is_none() || key.kid.is_none();
        let named = fetched.keys.iter().filter(is_named);
        let others = fetched.keys.iter().filter(may_be);
        let mut fitting = named.chain(others).filter(|key| key.fits(algorithm)).take(TRIED);
        if let Some(key) = fitting.find(|key| signed(key)) {
            return Ok(Signer { set: Arc::clone(self), print: key.print, keep });
        }
        match kid {
            Some(_) if fetched.keys.iter().any(|key| is_named(&key)) => {
                Err(Unfound::Invalid("its signature or form is wrong"))
            }
            Some(kid) if fetched.retired.iter().any(|gone| gone == kid) => {
                Err(Unfound::Invalid("its issuer no longer publishes its key"))
            }
            _ if fetched.began >= now => Err(Unfound::Invalid("its issuer has no such key")),
            _ => Err(pending()),
        }
    }

    /// Whether it is time to fetch; if so, the fetch counts as begun.
    pub fn begin(&self, now: Timestamp, refresh: Duration) -> bool {
        let begins = self.is_due(now, refresh) && !self.in_flight.swap(true, Relaxed);
        if begins {
            self.began.store(now.0, Relaxed);
        }
        begins
    }

    /// Lets the next fetch begin when this one is over, however it ends.
    pub fn landing(self: &Arc<Self>) -> Landing {
        Landing(Arc::clone(self))
    }

    fn is_due(&self, now: Timestamp, refresh: Duration) -> bool {
        let attempted = self.attempted.load(Relaxed);
        // The clock may have been set back.
        if attempted == NEVER || now.0 < attempted {
            return true;
        }
        let waited = since(attempted, now);
        let pause = match self.failing.load(Relaxed) {
            0 => refresh,
            n => refresh.min(RETRY * (1 << (n - 1).min(MOST_DOUBLINGS))),
        };
        waited >= pause || (waited >= COOLDOWN && self.asked.load(Relaxed))
    }

    /// Ends a fetch with what it found.
    pub fn end(&self, now: Timestamp, found: Option<Vec<PublicKey>>) -> Ended {
        self.attempted.store(now.0, Relaxed);
        self.asked.store(false, Relaxed);
        let ended = match found {
            Some(keys) => {
                let before = self.fetched.load();
                let is_there = |old: &PublicKey| keys.iter().any(|key| key.print == old.print);
                let withdrawn = before.as_ref().is_some_and(|before| !before.keys.iter().all(is_there));
                let retired = retired(before.as_deref(), &keys);
                let began = Timestamp(self.began.load(Relaxed));
                self.fetched.store(Some(Arc::new(Fetched { began, at: now, keys, retired })));
                self.failing.store(0, Relaxed);
                Ended { failing: 0, withdrawn }
            }
            None => {
                self.failures.fetch_add(1, Relaxed);
                let failing = self.failing.fetch_add(1, Relaxed).saturating_add(1);
                Ended { failing, withdrawn: false }
            }
        };
        self.in_flight.store(false, Relaxed);
        self.ends.send_modify(|ends| *ends += 1);
        ended
    }
}

/// The names of keys that were published and are no longer, the latest first.
fn retired(before: Option<&Fetched>, keys: &[PublicKey]) -> Vec<String> {
    let Some(before) = before else { return Vec::new() };
    let published = before.keys.iter().filter_map(|key| key.kid.as_ref());
    let is_gone = |kid: &&String| !keys.iter().any(|key| key.kid.as_ref() == Some(kid));
    let mut gone: Vec<_> = published.chain(&before.retired).filter(is_gone).cloned().collect();
    gone.truncate(MAX_RETIRED);
    gone
}

/// Ends a fetch that was dropped or panicked on its way.
pub struct Landing(Arc<KeySet>);

impl Drop for Landing {
    fn drop(&mut self) {
        self.0.in_flight.store(false, Relaxed);
    }
}

fn since(micros: i64, now: Timestamp) -> Duration {
    Duration::from_micros(u64::try_from(now.0.saturating_sub(micros)).unwrap_or(0))
}

/// The published key that verified a token: what it signed is good only while it is published.
pub struct Signer {
    set: Arc<KeySet>,
    print: [u8; 32],
    keep: Duration,
}

impl Signer {
    /// Whether the key still counts.
    pub fn stands(&self, now: Timestamp) -> bool {
        let fetched = self.set.fresh(now, self.keep);
        fetched.is_some_and(|fetched| fetched.keys.iter().any(|key| key.print == self.print))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}
