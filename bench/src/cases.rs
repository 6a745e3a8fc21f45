//! What is measured: each case writes its requests from parts rendered beforehand.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    Result,
    credentials::Credentials,
    fill::{FIRST_USER, USER_DIGITS},
    load::{Case, Random},
};

const ROOT: &str = "/crm/notification";

/// Where the user's digits begin in a send's body.
const USER_AT: usize = r#"{"user_id":"#.len();

fn body(link: &str) -> String {
    let user = FIRST_USER;
    format!(
        r#"{{"user_id":{user},"type":"provision_complete","title":"Service Activated","message":"Your mobile service has been successfully activated","metadata":{{"service_id":167,"provision_job_id":"prov-2026-00042","duration_seconds":45}},"related_ticket_id":42,"related_user_id":5,"link":"{link}"}}"#
    )
}

fn head(path: &str, credentials: &Credentials, length: usize) -> String {
    format!(
        "POST {ROOT}/{path} HTTP/1.1\r\nHost: bench\r\nX-API-KEY: {}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n",
        credentials.api_key
    )
}

/// Writes the id of the user with this place among all users.
fn write_user(digits: &mut [u8], place: u64) {
    let mut rest = FIRST_USER + place;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

/// A send's request, rendered once; only the user's digits are written anew.
pub struct SendTemplate {
    request: Vec<u8>,
    user_at: usize,
}

impl SendTemplate {
    /// A good one.
    pub fn new(credentials: &Credentials) -> Self {
        Self::with_link(credentials, "/services/167")
    }

    /// One whose last field is wrong, which only a validator of its type finds.
    pub fn refused(credentials: &Credentials) -> Self {
        Self::with_link(credentials, "javascript:alert(1)")
    }

    fn with_link(credentials: &Credentials, link: &str) -> Self {
        let body = body(link);
        let head = head("send", credentials, body.len());
        let user_at = head.len() + USER_AT;
        Self { request: (head + &body).into_bytes(), user_at }
    }

    /// Writes the request that sends to the user with this place among all users.
    pub fn write(&self, place: u64, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&self.request);
        write_user(&mut out[self.user_at..self.user_at + USER_DIGITS], place);
    }
}

/// Sends to users drawn at random.
pub struct Sends {
    pub template: Arc<SendTemplate>,
    pub users: u64,
}

impl Case for Sends {
    fn status(&self) -> u16 {
        201
    }

    fn next(&self, random: &mut Random, out: &mut Vec<u8>) -> Option<u64> {
        let place = random.below(self.users);
        self.template.write(place, out);
        Some(place)
    }
}

/// The same, each with an idempotency key of its own.
pub struct KeyedSends {
    sends: Sends,
    key: AtomicU64,
}

impl KeyedSends {
    pub fn new(sends: Sends) -> Self {
        Self { sends, key: AtomicU64::new(0) }
    }
}

impl Case for KeyedSends {
    fn status(&self) -> u16 {
        201
    }

    fn next(&self, random: &mut Random, out: &mut Vec<u8>) -> Option<u64> {
        let place = self.sends.next(random, out)?;
        let line = format!("Idempotency-Key: bench-{}\r\n", self.key.fetch_add(1, Ordering::Relaxed));
        let first = out.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        out.splice(first..first, line.into_bytes());
        Some(place)
    }
}

/// Batches of sends to users drawn at random.
pub struct Batches {
    request: Vec<u8>,
    /// Where each send's user stands.
    users_at: Vec<usize>,
    /// The first of the users, by place, and how many there are.
    first: u64,
    users: u64,
}

impl Batches {
    /// Batches to one user.
    pub fn to_one(credentials: &Credentials, place: u64, items: u64) -> Self {
        Self { first: place, ..Self::new(credentials, 1, items) }
    }

    pub fn new(credentials: &Credentials, users: u64, items: u64) -> Self {
        let item = body("/services/167");
        let items: Vec<_> = (0..items).map(|_| item.as_str()).collect();
        let list = format!(r#"{{"items":[{}]}}"#, items.join(","));
        let head = head("send-batch", credentials, list.len());
        let first = head.len() + r#"{"items":["#.len() + USER_AT;
        let users_at = (0..items.len()).map(|place| first + place * (item.len() + 1)).collect();
        Self { request: (head + &list).into_bytes(), users_at, first: 0, users }
    }
}

impl Case for Batches {
    fn status(&self) -> u16 {
        200
    }

    fn items(&self) -> u64 {
        self.users_at.len() as u64
    }

    fn next(&self, random: &mut Random, out: &mut Vec<u8>) -> Option<u64> {
        out.clear();
        out.extend_from_slice(&self.request);
        for at in &self.users_at {
            write_user(&mut out[*at..*at + USER_DIGITS], self.first + random.below(self.users));
        }
        Some(0)
    }

    fn answered(&self, _mark: u64, body: &[u8]) -> Result<()> {
        let all = format!(r#"{{"result":"Success","sent":{},"failed":0,"#, self.users_at.len());
        if body.starts_with(all.as_bytes()) {
            return Ok(());
        }
        Err(format!("not all was sent: {}", String::from_utf8_lossy(&body[..body.len().min(300)])).into())
    }
}

/// Sends that are refused, to users drawn at random.
pub struct RefusedSends(pub Sends);

impl Case for RefusedSends {
    fn status(&self) -> u16 {
        400
    }

    fn next(&self, random: &mut Random, out: &mut Vec<u8>) -> Option<u64> {
        self.0.next(random, out)
    }
}

/// Marks all of each reader's notifications read, one reader after the other, once.
pub struct MarksAll {
    requests: Mutex<VecDeque<Vec<u8>>>,
}

impl MarksAll {
    pub fn new(tokens: &[String]) -> Self {
        let render = |token: &String| {
            format!(
                "POST {ROOT}/mark-all-read HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\n\r\n"
            )
            .into_bytes()
        };
        Self { requests: Mutex::new(tokens.iter().map(render).collect()) }
    }
}

impl Case for MarksAll {
    fn status(&self) -> u16 {
        200
    }

    fn next(&self, _random: &mut Random, out: &mut Vec<u8>) -> Option<u64> {
        *out = self.requests.lock().unwrap_or_else(PoisonError::into_inner).pop_front()?;
        Some(0)
    }
}

/// Reads something of readers drawn at random.
pub struct Reads {
    requests: Vec<Vec<u8>>,
    expect: &'static [u8],
}

impl Reads {
    /// A page of fifty, full.
    pub fn list(tokens: &[String]) -> Self {
        Self::new(tokens, "/?limit=50", br#""next_cursor":""#)
    }

    /// A page of twenty, however many there are.
    pub fn page(tokens: &[String]) -> Self {
        Self::new(tokens, "/?limit=20", br#""unread_count":"#)
    }

    /// Pages of one inbox that show nothing, as nothing in it is of the type, or unread.
    pub fn filtered(token: &String) -> Self {
        let mut reads =
            Self::new(std::slice::from_ref(token), "/?limit=1&type=nosuch", br#""notifications":[]"#);
        let unread = Self::new(std::slice::from_ref(token), "/?unread=true", reads.expect);
        reads.requests.extend(unread.requests);
        reads
    }

    /// The unread count.
    pub fn unread_count(tokens: &[String]) -> Self {
        Self::new(tokens, "/unread-count", br#""unread_count":"#)
    }

    fn new(tokens: &[String], path: &str, expect: &'static [u8]) -> Self {
        let render = |token: &String| {
            format!("GET {ROOT}{path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n")
                .into_bytes()
        };
        Self { requests: tokens.iter().map(render).collect(), expect }
    }
}

impl Case for Reads {
    fn status(&self) -> u16 {
        200
    }

    fn next(&self, random: &mut Random, out: &mut Vec<u8>) -> Option<u64> {
        let place = random.below(self.requests.len() as u64);
        out.clear();
        out.extend_from_slice(&self.requests[place as usize]);
        Some(place)
    }

    fn answered(&self, _mark: u64, body: &[u8]) -> Result<()> {
        // At either end of the body, wherever the answer puts it: a page is long and looked at often.
        let end = &body[body.len().saturating_sub(160)..];
        let start = &body[..body.len().min(160)];
        let holds = |part: &[u8]| part.windows(self.expect.len()).any(|window| window == self.expect);
        if holds(end) || holds(start) {
            return Ok(());
        }
        Err(format!("an answer lacks {}", String::from_utf8_lossy(self.expect)).into())
    }
}

/// Unread notifications of readers: the reader's place and the notification's id.
#[derive(Default)]
pub struct Unread(Mutex<VecDeque<(u64, u64)>>);

impl Unread {
    pub fn put(&self, reader: u64, id: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back((reader, id));
    }

    pub fn len(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    fn take(&self) -> Option<(u64, u64)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// Marks one unread notification after the other, none twice.
pub struct Marks {
    unread: Arc<Unread>,
    heads: Vec<String>,
}

impl Marks {
    pub fn new(credentials: &Credentials, unread: Arc<Unread>) -> Self {
        let render = |token: &String| {
            format!(
                "/mark-read HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\n\r\n"
            )
        };
        Self { unread, heads: credentials.tokens.iter().map(render).collect() }
    }
}

impl Case for Marks {
    fn status(&self) -> u16 {
        200
    }

    fn next(&self, _random: &mut Random, out: &mut Vec<u8>) -> Option<u64> {
        let (reader, id) = self.unread.take()?;
        out.clear();
        out.extend_from_slice(format!("POST {ROOT}/{id}").as_bytes());
        out.extend_from_slice(self.heads[reader as usize].as_bytes());
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_send_names_its_user_and_its_length() {
        let credentials = Credentials { api_key: "key".into(), ..Credentials::default() };
        for template in [SendTemplate::new(&credentials), SendTemplate::refused(&credentials)] {
            let mut request = Vec::new();
            template.write(54_321, &mut request);
            let request = String::from_utf8(request).expect("text");
            let (head, body) = request.split_once("\r\n\r\n").expect("a head and a body");
            assert!(head.contains(&format!("Content-Length: {}", body.len())));
            let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
            assert_eq!(body["user_id"], FIRST_USER + 54_321);
        }
    }
}
