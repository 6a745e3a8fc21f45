//! A stream while it is open: it is woken, looks whether it may go on, reads what is new and tells it.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use poem::Request;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use super::{
    super::{
        context::{Forwarding, presented},
        services::Services,
        takeover::Reader,
    },
    frames,
};
use crate::{
    admit::{self, Presented},
    config::Streams,
    domain::{AuthFailure, Error, EventId, TenantId, Timestamp, UserId},
    events::Seat,
    inbox::{Owner, Step},
    snapshot::Snapshot,
};

/// The credential that a stream was opened with, which must hold as long as it is open.
pub struct Pass {
    authorization: Box<str>,
    is_direct: bool,
    tenant: TenantId,
    user: UserId,
    /// When the token ends.
    ends: Timestamp,
}

impl Pass {
    /// That of a request that was admitted.
    pub fn of(snapshot: &Snapshot, request: &Request, now: Timestamp) -> Result<Self, AuthFailure> {
        let forwarding = Forwarding::of(request.headers());
        let presented = presented(request, &forwarding, snapshot);
        let (principal, ends) = admit::recheck(snapshot, &presented, now)?;
        Ok(Self {
            authorization: presented.authorization.unwrap_or_default().into(),
            is_direct: presented.is_direct,
            tenant: principal.tenant.clone(),
            user: principal.user().ok_or(AuthFailure::UserRequired)?,
            ends,
        })
    }

    /// Whether it would be admitted again, as the same user.
    fn holds(&self, snapshot: &Snapshot, now: Timestamp) -> Result<(), End> {
        let presented = Presented {
            api_key: None,
            authorization: Some(&self.authorization),
            peer: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            forwarded_for: None,
            forwarded: None,
            is_direct: self.is_direct,
        };
        match admit::recheck(snapshot, &presented, now) {
            Ok((whose, _)) if whose.tenant == self.tenant && whose.user() == Some(self.user) => Ok(()),
            Err(AuthFailure::ExpiredToken) => Err(End::Expired),
            _ => Err(End::Refused),
        }
    }
}

/// Why a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client went, or the way to it.
    Client,
    /// Its token's time was over.
    Expired,
    /// Its token is no longer admitted.
    Refused,
    /// The user was erased.
    Erased,
    /// The gateway stops.
    Stopping,
    /// The client did not take what it was told.
    Slow,
    /// The store could not be read.
    Failed,
}

impl End {
    fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Expired => "token_expired",
            Self::Refused => "token_refused",
            Self::Erased => "user_erased",
            Self::Stopping => "stopping",
            Self::Slow => "slow",
            Self::Failed => "store_failed",
        }
    }
}

/// An open stream.
pub struct Live {
    services: Arc<Services>,
    seat: Seat,
    pass: Pass,
    /// Up to where all was told.
    at: EventId,
    /// Whether more is to be told at once.
    has_more: bool,
    /// Until when it does not read again.
    rests_until: Instant,
    /// When something in the inbox expires next, by the store's time, which the wall clock may be ahead of.
    next_expiry: Option<Timestamp>,
    settings: Streams,
    /// When a comment is due.
    beat: Instant,
    swaps: watch::Receiver<()>,
    draining: watch::Receiver<bool>,
    /// What is to be written first.
    first: String,
    end: End,
}

/// How long a stream rests that has told all: what happens to an inbox again and again is read together.
const REST: Duration = Duration::from_millis(10);

/// What a stream was woken by.
enum Woken {
    Moved,
    Swapped,
    Stopping,
    Time,
}

impl Live {
    /// Begins with a step.
    pub fn begin(services: &Arc<Services>, seat: Seat, pass: Pass, settings: Streams, step: Step) -> Self {
        services.metrics.streams.inc();
        let mut live = Self {
            seat,
            at: step.at,
            has_more: false,
            rests_until: Instant::now(),
            next_expiry: None,
            settings,
            pass,
            beat: Instant::now(),
            swaps: services.snapshot.swaps(),
            draining: services.draining.heard(),
            first: String::new(),
            end: End::Client,
            services: Arc::clone(services),
        };
        let mut first = frames::RETRY.to_owned();
        live.tell(&mut first, &step);
        live.first = first;
        live
    }

    /// Tells whoever reads the answer, to the end.
    pub async fn tell_to(mut self, mut reader: Reader) {
        self.end = self.tell_all(&mut reader).await;
        if !matches!(self.end, End::Client | End::Slow) {
            reader.end().await;
        }
    }

    async fn tell_all(&mut self, reader: &mut Reader) -> End {
        loop {
            let text = tokio::select! {
                next = self.next() => match next {
                    Ok(text) => text,
                    Err(end) => return end,
                },
                () = reader.left() => return End::Client,
            };
            tokio::select! {
                written = timeout(self.settings.slow, reader.write(&text)) => match written {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return End::Client,
                    Err(_) => return End::Slow,
                },
                _ = self.draining.wait_for(|begun| *begun) => return End::Stopping,
            }
        }
    }

    /// What is to be written next; waits until there is something.
    async fn next(&mut self) -> Result<String, End> {
        if !self.first.is_empty() {
            // What was swapped since the request was admitted is in force now, and what comes later is heard of.
            self.check()?;
            return Ok(std::mem::take(&mut self.first));
        }
        loop {
            if self.has_more && self.rests_until <= Instant::now() {
                self.check()?;
                let mut text = String::new();
                self.read(&mut text).await?;
                if !text.is_empty() {
                    return Ok(text);
                }
            }
            let next_look = if self.has_more { self.rests_until } else { self.next_look() };
            let woken = tokio::select! {
                () = self.seat.moved() => Woken::Moved,
                _ = self.swaps.changed() => Woken::Swapped,
                _ = self.draining.wait_for(|begun| *begun) => Woken::Stopping,
                () = sleep_until(next_look) => Woken::Time,
            };
            match woken {
                Woken::Stopping => return Err(End::Stopping),
                Woken::Moved => self.has_more = true,
                Woken::Swapped => self.check()?,
                Woken::Time => {
                    self.check()?;
                    let now = self.services.inbox.expiry_time();
                    self.has_more |= self.next_expiry.is_some_and(|at| at <= now);
                    if !self.has_more && self.beat <= Instant::now() {
                        self.beat = Instant::now() + self.settings.heartbeat;
                        return Ok(frames::BEAT.to_owned());
                    }
                }
            }
        }
    }

    fn check(&self) -> Result<(), End> {
        self.pass.holds(&self.services.snapshot.load(), self.services.clock.now())
    }

    /// When there is something to do though nobody wakes the stream: never later than the next comment, so that a
    /// clock that is set does no harm for longer.
    fn next_look(&self) -> Instant {
        let in_time = |at: Timestamp, now: Timestamp| {
            let wait = Duration::from_micros(u64::try_from(at.0.saturating_sub(now.0)).unwrap_or(0));
            Instant::now() + wait.min(self.settings.heartbeat)
        };
        let ends = in_time(self.pass.ends, self.services.clock.now());
        let expiry = self.next_expiry.map(|at| in_time(at, self.services.inbox.expiry_time()));
        self.beat.min(ends).min(expiry.unwrap_or(self.beat))
    }

    /// Reads what is new, and appends it.
    async fn read(&mut self, text: &mut String) -> Result<(), End> {
        let snapshot = self.services.snapshot.load();
        let tenant = self.seat.tenant();
        let users = snapshot.tenant(tenant).map_err(|_| End::Refused)?.users;
        let owner = Owner { tenant, user: self.seat.user(), users };
        drop(snapshot);
        match self.services.inbox.follow_on(owner, self.at).await {
            Ok(step) => {
                self.tell(text, &step);
                Ok(())
            }
            Err(Error::UserNotFound(_)) => Err(End::Erased),
            Err(error) => {
                tracing::debug!(%error, "a live stream could not be read for");
                Err(End::Failed)
            }
        }
    }

    fn tell(&mut self, text: &mut String, step: &Step) {
        let told = frames::step(text, step);
        self.services.metrics.stream_events.inc_by(told);
        self.seat.reached(step.head.event_id());
        self.at = step.at;
        self.has_more = step.has_more();
        if !self.has_more {
            self.rests_until = Instant::now() + REST;
        }
        self.next_expiry = step.next_expiry();
        if told > 0 {
            self.beat = Instant::now() + self.settings.heartbeat;
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.services.metrics.streams.dec();
        self.services.metrics.streams_ended.with_label_values(&[self.end.as_str()]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::sign_token,
        config::{
            UserMode,
            fixture::{config, issuer},
        },
        events::Bounds,
        http::services::fixture,
        limit::Ticks,
    };

    #[tokio::test]
    async fn what_is_swapped_between_admission_and_the_first_event_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let services = fixture(folder.path()).await;
        let empty = config();
        let mut with_issuer = config();
        with_issuer.tenants[0].issuers.push(issuer());
        let swap = |config| {
            services.snapshot.store(Snapshot::fixture(config, None, Ticks::default()).unwrap());
        };
        swap(&with_issuer);
        let (user, now) = (UserId::new(5).unwrap(), services.clock.now());
        let token = sign_token(&issuer(), user, &[], Duration::from_secs(60), now).unwrap();
        let request = Request::builder().header("authorization", format!("Bearer {token}")).finish();
        let snapshot = services.snapshot.load();
        for is_withdrawn in [false, true] {
            let pass = Pass::of(&snapshot, &request, now).unwrap();
            let tenant = TenantId::default();
            let owner = Owner { tenant: &tenant, user, users: UserMode::Open };
            let bounds = Bounds { per_user: 9, per_tenant: 9, most: 9 };
            let seat = services.streams.open(&tenant, user, bounds).unwrap();
            let step = services.inbox.follow(owner).await.unwrap();
            if is_withdrawn {
                swap(&empty);
            }
            let mut live = Live::begin(&services, seat, pass, snapshot.streams, step);
            let first = live.next().await.map(|text| text.contains("event: ready"));
            assert_eq!(first, if is_withdrawn { Err(End::Refused) } else { Ok(true) });
        }
    }
}
