//! The least of an HTTP client: one request on one connection.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use super::gateway::SOON;

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// The status line and the headers.
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

/// Opens a connection that does not wait for ever.
pub fn connect(address: &str) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(SOON))?;
    Ok(stream)
}

/// The text of a request. HTTP/1.0 asks for a body that the connection's end ends.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{method} {path} HTTP/1.0\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

/// Reads an answer up to the end of the connection. None when there is no whole answer.
pub fn answer(stream: &mut TcpStream) -> Option<Reply> {
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Reply { status, head: head.to_owned(), body: body.to_owned() })
}

/// Asks, where an answer may not come: the gateway may be gone.
pub fn try_ask(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<Reply> {
    let mut stream = connect(address).ok()?;
    stream.write_all(request(method, path, headers, body).as_bytes()).ok()?;
    answer(&mut stream)
}

/// Asks, and must be answered.
pub fn ask(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    try_ask(address, method, path, headers, body).unwrap_or_else(|| panic!("{method} {path}: no answer"))
}
