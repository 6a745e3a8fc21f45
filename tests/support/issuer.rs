//! An identity provider: it signs tokens, and publishes its keys over HTTP or HTTPS, or lies, stalls and dies.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use serde_json::{Value, json};

use super::token::now;

/// What the endpoint does with the next requests.
#[derive(Clone)]
pub enum Mood {
    /// Publishes these.
    Honest(Vec<Value>),
    /// Answers this status with this body.
    Says(u16, String),
    /// Sends to another place.
    Redirects(String),
    /// Takes the request, and answers as what it becomes next.
    Holds,
    /// Takes the request and never answers.
    Stalls,
    /// Never stops to answer.
    Floods,
}

/// The endpoint, on a free port of this machine. It ends with this value.
pub struct Endpoint {
    pub url: String,
    port: u16,
    mood: Arc<Mutex<Mood>>,
    asked: Arc<AtomicUsize>,
    dead: Arc<AtomicBool>,
}

impl Endpoint {
    pub fn new(mood: Mood) -> Self {
        Self::start(mood, None)
    }

    /// With the certificate of the fixtures, which is for localhost.
    pub fn secure(mood: Mood) -> Self {
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_no_client_auth()
            .with_single_cert(
                vec![
                    CertificateDer::from_pem_slice(include_bytes!("../fixtures/tls/cert.pem")).expect("PEM"),
                ],
                PrivateKeyDer::from_pem_slice(include_bytes!("../fixtures/tls/key.pem")).expect("PEM"),
            );
        let mut endpoint = Self::start(mood, Some(Arc::new(config.expect("the key fits"))));
        endpoint.url = format!("https://localhost:{}/keys", endpoint.port);
        endpoint
    }

    fn start(mood: Mood, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let url = format!("http://127.0.0.1:{port}/keys");
        let (mood, asked, dead) =
            (Arc::new(Mutex::new(mood)), Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let shared = (Arc::clone(&mood), Arc::clone(&asked), Arc::clone(&dead));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // Dead is closed at once, which the other side cannot tell from a crash.
                if shared.2.load(SeqCst) {
                    continue;
                }
                shared.1.fetch_add(1, SeqCst);
                let (mood, tls) = (Arc::clone(&shared.0), tls.clone());
                thread::spawn(move || {
                    let now = || mood.lock().expect("no panic").clone();
                    let mut mood = now();
                    while matches!(mood, Mood::Holds) {
                        thread::sleep(Duration::from_millis(5));
                        mood = now();
                    }
                    match tls {
                        None => answer(stream, &mood),
                        Some(config) => {
                            let connection = ServerConnection::new(config).expect("a connection");
                            answer(StreamOwned::new(connection, stream), &mood);
                        }
                    }
                });
            }
        });
        Self { url, port, mood, asked, dead }
    }

    /// The same endpoint under a name instead of an address.
    pub fn by_name(&self) -> String {
        format!("http://localhost:{}/keys", self.port)
    }

    pub fn becomes(&self, mood: Mood) {
        *self.mood.lock().expect("no panic") = mood;
    }

    pub fn dies(&self) {
        self.dead.store(true, SeqCst);
    }

    pub fn lives(&self) {
        self.dead.store(false, SeqCst);
    }

    /// How many requests have come.
    pub fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.dies();
    }
}

fn answer(stream: impl Read + Write, mood: &Mood) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    // A handshake that fails, as one without trust does, ends here.
    while stream.read_line(&mut line).is_ok_and(|n| n > 2) {
        line.clear();
    }
    if line.trim() != "" || line.is_empty() {
        return;
    }
    let stream = stream.get_mut();
    let whole = |status: u16, more: &str, body: &str| {
        format!(
            "HTTP/1.1 {status} x\r\n{more}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    // The other side may be gone: that is its right.
    let _ = match mood {
        Mood::Honest(keys) => {
            stream.write_all(whole(200, "", &json!({ "keys": keys }).to_string()).as_bytes())
        }
        Mood::Holds => unreachable!("it has become something else"),
        Mood::Says(status, body) => stream.write_all(whole(*status, "", body).as_bytes()),
        Mood::Redirects(to) => stream.write_all(whole(302, &format!("Location: {to}\r\n"), "").as_bytes()),
        Mood::Stalls => {
            thread::sleep(Duration::from_secs(60));
            Ok(())
        }
        Mood::Floods => {
            let head = stream.write_all(b"HTTP/1.1 200 x\r\nConnection: close\r\n\r\n{\"keys\":[");
            // Bounded, though it should be cut off long before.
            (0..4_096).fold(head, |sent, _| sent.and_then(|()| stream.write_all(&[b' '; 4_096])))
        }
    };
}

/// A key that signs, with the name it is published under.
#[derive(Clone)]
pub struct Signer {
    kid: Option<String>,
    algorithm: Algorithm,
    key: EncodingKey,
}

impl Signer {
    /// The key of the fixtures for ES256.
    pub fn ec(kid: &str) -> Self {
        let key = EncodingKey::from_ec_pem(include_bytes!("../fixtures/keys/ec.pem")).expect("a key");
        Self { kid: Some(kid.into()), algorithm: Algorithm::ES256, key }
    }

    /// The key of the fixtures for RS256.
    pub fn rsa(kid: &str) -> Self {
        let key = EncodingKey::from_rsa_pem(include_bytes!("../fixtures/keys/rsa.pem")).expect("a key");
        Self { kid: Some(kid.into()), algorithm: Algorithm::RS256, key }
    }

    /// As it is published.
    pub fn published(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).expect("a public key");
        jwk.common.key_id.clone_from(&self.kid);
        serde_json::to_value(jwk).expect("JSON")
    }

    /// A token of a user that holds for an hour, with these claims besides.
    pub fn token(&self, user: i64, more: &Value) -> String {
        let mut claims = json!({"user_id": user, "exp": now() + 3600, "iat": now()});
        for (name, value) in more.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        let header = Header { kid: self.kid.clone(), ..Header::new(self.algorithm) };
        encode(&header, &claims, &self.key).expect("claims are JSON")
    }

    /// The same, with no name of its key.
    pub fn nameless(&self, user: i64, more: &Value) -> String {
        Self { kid: None, ..self.clone() }.token(user, more)
    }
}
