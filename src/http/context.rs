//! What one request carries from its first line to its last.

use std::{
    borrow::Cow,
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use poem::{Request, http::HeaderMap};

use super::{
    direct::is_direct,
    memory::{Reservation, Share},
    services::Services,
    standing::Standing,
};
use crate::{
    admit::Presented,
    domain::{Error, TenantId, Timestamp, UserId},
    limit::{LimitStatus, client_key},
    snapshot::Snapshot,
};

/// A request to a hook, which its body is to authenticate.
pub struct Pending {
    /// The hook.
    pub hook: Arc<str>,
    /// Where the request comes from.
    pub client: IpAddr,
    /// Whether that is over the limit of failed authentications.
    pub suspect: bool,
    /// How many bytes the body may have.
    pub most: usize,
}

/// Made by the outermost middleware and kept in the request's extensions.
#[derive(Clone)]
pub struct Context(Arc<Inner>);

struct Inner {
    services: Arc<Services>,
    snapshot: Arc<Snapshot>,
    request_id: String,
    now: Timestamp,
    limit: Mutex<Option<LimitStatus>>,
    /// How the request's connection stands among the others.
    connection: Option<Standing>,
    tenant: OnceLock<TenantId>,
    /// The user whose inbox it is about.
    user: OnceLock<UserId>,
    pending: OnceLock<Pending>,
    body_bytes: OnceLock<usize>,
    body: Mutex<Option<Reservation>>,
    answer: Mutex<Option<Reservation>>,
}

impl Context {
    /// Starts a request: takes the snapshot in force, the time, and an id.
    pub fn start(services: &Arc<Services>, request: &Request) -> Self {
        Self(Arc::new(Inner {
            snapshot: services.snapshot.load(),
            request_id: request_id(request.headers()),
            connection: request.extensions().get().cloned(),
            now: services.clock.now(),
            limit: Mutex::new(None),
            tenant: OnceLock::new(),
            user: OnceLock::new(),
            pending: OnceLock::new(),
            body_bytes: OnceLock::new(),
            body: Mutex::new(None),
            answer: Mutex::new(None),
            services: Arc::clone(services),
        }))
    }

    /// The context of a request. It is missing only where the middleware is not wired.
    pub fn of(request: &Request) -> Result<&Self, Error> {
        request.extensions().get().ok_or_else(|| Error::Internal("a request without its context".into()))
    }

    /// What the handlers call.
    pub fn services(&self) -> &Arc<Services> {
        &self.0.services
    }

    /// The one snapshot of this request.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.0.snapshot
    }

    /// The id given back as `X-Request-Id`.
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// When the request came.
    pub fn now(&self) -> Timestamp {
        self.0.now
    }

    /// Notes the state of the limit that this request was counted under last.
    pub fn note_limit(&self, status: LimitStatus) {
        *self.0.limit.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
    }

    /// Notes whose request it is.
    pub fn note_tenant(&self, tenant: &TenantId) {
        let _ = self.0.tenant.set(tenant.clone());
        // At once: what it waits for must not count as holding the connection without a credential.
        self.0.connection.iter().for_each(Standing::authenticated);
    }

    /// Notes the user whose inbox the request is about.
    pub fn note_user(&self, user: UserId) {
        let _ = self.0.user.set(user);
    }

    /// Whose inbox the request is about.
    pub fn inbox(&self) -> Option<(&TenantId, UserId)> {
        Some((self.0.tenant.get()?, *self.0.user.get()?))
    }

    /// Whether a page of this origin may see the answer: the caller's tenant says so, and where nobody was admitted
    /// any tenant.
    pub fn allows(&self, origin: &str) -> bool {
        match self.0.tenant.get().map(|tenant| self.0.snapshot.tenant(tenant)) {
            Some(tenant) => tenant.is_ok_and(|tenant| tenant.origins.iter().any(|allowed| allowed == origin)),
            None => self.0.snapshot.origins.contains_key(origin),
        }
    }

    /// A reservation for this request or its answer: its tenant's, once it is admitted, else that of all who are still
    /// to be authenticated.
    pub fn reservation(&self) -> Reservation {
        let memory = &self.0.services.memory;
        match (self.0.tenant.get(), self.pending()) {
            (Some(tenant), _) => Reservation::new(memory, [Share::Tenant(tenant.clone())]),
            (None, Some(Pending { hook, client, suspect, most })) => {
                let client = client_key(*client);
                let client = if *suspect { Share::Suspect(client) } else { Share::Client(client) };
                Reservation::new(memory, [Share::Pending, Share::Hook(Arc::clone(hook)), client])
                    .of_one(*most)
            }
            (None, None) => Reservation::new(memory, [Share::Pending]),
        }
    }

    /// Notes that the body is to authenticate the request.
    pub fn note_pending(&self, pending: Pending) {
        let _ = self.0.pending.set(pending);
    }

    /// What is known of a request that its body is to authenticate.
    pub fn pending(&self) -> Option<&Pending> {
        self.0.pending.get()
    }

    /// How many bytes the body may have, where a hook bounds it.
    pub fn body_bytes(&self) -> usize {
        self.0.body_bytes.get().copied().unwrap_or(usize::MAX)
    }

    /// Bounds the body.
    pub fn bound_body(&self, bytes: usize) {
        let _ = self.0.body_bytes.set(bytes);
    }

    /// Holds the body's memory until the request ends.
    pub fn keep(&self, body: Reservation) {
        *self.body() = Some(body);
    }

    /// Counts the body's memory towards the tenant that it has authenticated: however long the rest takes, others who
    /// are still to be authenticated have theirs.
    ///
    /// # Errors
    /// [`Error::Busy`] when the tenant has no more.
    pub fn move_body_to_tenant(&self) -> Result<(), Error> {
        match (self.0.tenant.get(), &mut *self.body()) {
            (Some(tenant), Some(body)) => body.move_to(Share::Tenant(tenant.clone())),
            _ => Ok(()),
        }
    }

    /// Reserves memory for what was read out of the body, which takes the place of the body.
    ///
    /// # Errors
    /// [`Error::Busy`] when the tenant has no more.
    pub fn reserve_body(&self, length: usize) -> Result<(), Error> {
        self.body().as_mut().map_or(Ok(()), |body| body.reserve(length))
    }

    fn body(&self) -> MutexGuard<'_, Option<Reservation>> {
        self.0.body.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves memory for the answer to a change, before it is made: afterwards it is too late to refuse it.
    ///
    /// # Errors
    /// [`Error::Busy`] when the tenant has no more.
    pub fn reserve_answer(&self, length: usize) -> Result<(), Error> {
        // The largest body may leave too little of a tenant's part for its own answer, and would be refused for ever.
        let body = self.body().as_ref().map_or(0, Reservation::length);
        let mut answer = self.reservation().of_one(body + length);
        answer.reserve(length)?;
        *self.0.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        Ok(())
    }

    /// What was reserved for the answer, if anything was.
    pub fn reserved_answer(&self) -> Option<Reservation> {
        self.0.answer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The limit that this request was counted under.
    pub fn limit(&self) -> Option<LimitStatus> {
        *self.0.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What proxies say of a request's way: each header's lines as one list, in their order.
pub struct Forwarding<'a> {
    forwarded_for: Option<Cow<'a, str>>,
    forwarded: Option<Cow<'a, str>>,
}

impl<'a> Forwarding<'a> {
    /// Reads the headers.
    pub fn of(headers: &'a HeaderMap) -> Self {
        Self { forwarded_for: joined(headers, "x-forwarded-for"), forwarded: joined(headers, "forwarded") }
    }
}

/// A proxy adds its hop to the last line or writes a line of its own: both mean the same.
fn joined<'a>(headers: &'a HeaderMap, name: &str) -> Option<Cow<'a, str>> {
    // What cannot be read is no address, and so ends the way there.
    let mut lines = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("unreadable"));
    let first = lines.next()?;
    Some(lines.fold(Cow::Borrowed(first), |list, line| Cow::Owned(format!("{list},{line}"))))
}

/// The credentials of a request, and what is known of where it comes from.
pub fn presented<'a>(
    request: &'a Request,
    forwarding: &'a Forwarding<'a>,
    snapshot: &Snapshot,
) -> Presented<'a> {
    let headers = request.headers();
    Presented {
        api_key: the_key(headers),
        authorization: headers.get("authorization").map(|v| v.to_str().unwrap_or_default()),
        peer: request.remote_addr().as_socket_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |a| a.ip()),
        forwarded_for: forwarding.forwarded_for.as_deref(),
        forwarded: forwarding.forwarded.as_deref(),
        // Only published credentials ask.
        is_direct: !snapshot.has_published || is_direct(request, &snapshot.allowed_hosts),
    }
}

/// The API key. Several are none that holds: a proxy may have judged another of them than the gateway would.
fn the_key(headers: &HeaderMap) -> Option<&[u8]> {
    let mut lines = headers.get_all("x-api-key").iter().map(poem::http::HeaderValue::as_bytes);
    let first = lines.next()?;
    Some(if lines.next().is_some() { b"" } else { first })
}

/// The caller's own request id when it is harmless, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let harmless = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b == b'.';
    match headers.get("x-request-id").map(poem::http::HeaderValue::as_bytes) {
        Some(id) if (1..=64).contains(&id.len()) && id.iter().copied().all(harmless) => {
            String::from_utf8_lossy(id).into_owned()
        }
        _ => new_id(),
    }
}

/// An id that names a request and protects nothing: from the system's randomness, which the standard library asks
/// for once in each thread, as asking for every request is a call into the system.
fn new_id() -> String {
    let random = RandomState::new();
    let bytes = [random.hash_one(0).to_le_bytes(), random.hash_one(1).to_le_bytes()];
    bytes.iter().flatten().take(12).fold(String::with_capacity(24), |mut id, byte| {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        id.push(char::from(HEX[usize::from(byte >> 4)]));
        id.push(char::from(HEX[usize::from(byte & 15)]));
        id
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn new_ids_differ_within_a_thread_and_between_threads() {
        let threads: Vec<_> =
            (0..4).map(|_| std::thread::spawn(|| (0..1_000).map(|_| new_id()).collect::<Vec<_>>())).collect();
        let ids: HashSet<_> = threads.into_iter().flat_map(|ids| ids.join().unwrap()).collect();
        assert_eq!(ids.len(), 4_000);
        assert!(ids.iter().all(|id| id.len() == 24 && id.bytes().all(|b| b.is_ascii_hexdigit())));
    }
}
