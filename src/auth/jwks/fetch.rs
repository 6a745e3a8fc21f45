//! Fetching published keys, beside the requests and bounded in time and size.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, Proxy, Url, header, redirect};
use tokio::task::JoinSet;

use super::{
    KeySet, Source,
    guard::{self, Guarded},
    parse::{self, Parsed},
};
use crate::clock::Clock;

/// How often it is seen whether a fetch is due.
const EVERY: Duration = Duration::from_millis(250);
/// How long connecting may take, and the whole fetch.
const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(10);
/// A larger answer is no key set.
const MOST_BYTES: usize = 256 * 1024;
/// Fetches at the same time.
const AT_ONCE: usize = 8;

/// Fetches the issuers' keys when they are due.
pub struct Fetcher {
    clock: Clock,
}

impl Fetcher {
    /// With the time that keys age by.
    pub fn new(clock: Clock) -> Self {
        Self { clock }
    }

    /// Runs until it is dropped. `sources` tells what is configured at that moment; `withdrawn` is called after a key
    /// was withdrawn.
    pub async fn run(self, sources: impl Fn() -> Vec<Source>, withdrawn: impl Fn()) {
        let mut fetches = JoinSet::new();
        loop {
            while let Some(ended) = fetches.try_join_next() {
                if ended.is_ok_and(|is_withdrawn| is_withdrawn) {
                    withdrawn();
                }
            }
            for source in sources() {
                if fetches.len() < AT_ONCE && source.set.begin(self.clock.now(), source.refresh) {
                    fetches.spawn(visit(source, self.clock.clone()));
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    }
}

/// One fetch that has begun, to its end. Returns whether a key was withdrawn.
pub(super) async fn visit(source: Source, clock: Clock) -> bool {
    let Source { tenant, issuer, set, .. } = source;
    let _landing = set.landing();
    match keys(&set).await {
        Ok(Parsed { keys, passed_over }) => {
            tracing::debug!(%tenant, issuer, keys = keys.len(), "the issuer's keys were fetched");
            // Most sets hold keys for other uses all the time.
            if set.note_passed_over(&passed_over) && !passed_over.is_empty() {
                tracing::info!(%tenant, issuer, "published keys are passed over: {}", passed_over.join("; "));
            }
            set.end(clock.now(), Some(keys)).withdrawn
        }
        Err(why) => {
            let failing = set.end(clock.now(), None).failing;
            // A dead endpoint would fill the log.
            if failing.is_power_of_two() {
                tracing::warn!(%tenant, issuer, failing, "the issuer's keys could not be fetched: {why}");
            }
            false
        }
    }
}

async fn keys(set: &Arc<KeySet>) -> Result<Parsed, String> {
    let whole = async {
        let body = body(set).await?;
        parse::parse(&body)
    };
    // Resolving a name has no limit of its own.
    tokio::time::timeout(WHOLE, whole).await.unwrap_or_else(|_| Err("it took too long".into()))
}

async fn body(set: &Arc<KeySet>) -> Result<Vec<u8>, String> {
    if !set.allow_private && guard::literal_address(&set.url).is_some_and(|ip| !guard::is_public(ip)) {
        return Err("its address is private".into());
    }
    let (allow_private, proxy) = (set.allow_private, set.proxy.clone());
    // Made anew each time, as it reads the system's trusted certificates, which are renewed too.
    let client = tokio::task::spawn_blocking(move || client(allow_private, proxy));
    let client = client.await.map_err(|e| e.to_string())?.map_err(told)?;
    let request =
        client.get(set.url.clone()).header(header::ACCEPT, "application/jwk-set+json, application/json");
    let mut response = request.send().await.map_err(told)?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(format!("the answer was {}", response.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(told)? {
        if body.len() + chunk.len() > MOST_BYTES {
            return Err(format!("the answer has more than {MOST_BYTES} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// No proxy of the environment, no redirect and no connection kept: each would lead around the check of the addresses. A
/// configured proxy resolves the host's name itself, so its own address is the only one that is resolved here.
fn client(allow_private: bool, proxy: Option<Url>) -> reqwest::Result<Client> {
    let resolver = Guarded { allow_private: allow_private || proxy.is_some() };
    let builder = match proxy {
        Some(proxy) => Client::builder().proxy(Proxy::all(proxy)?),
        None => Client::builder().no_proxy(),
    };
    builder
        .user_agent(concat!("bellboard/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .https_only(!allow_private)
        .dns_resolver(resolver)
        .pool_max_idle_per_host(0)
        .connect_timeout(CONNECT)
        .timeout(WHOLE)
        .build()
}

/// The error with its causes, and without the URL, which may hold a credential.
fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
