//! Asks a gateway that runs, by its admin listener.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

use super::Failure;
use crate::{config::Secret, snapshot::Summary};

/// How long each step of the asking may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer.
const MOST_BYTES: u64 = 64 << 20;

/// What the gateway behind this admin listener has in force.
pub fn summary(address: SocketAddr, token: Option<&Secret>) -> Result<Summary, Failure> {
    let body = get(address, token, "/config/summary")?;
    serde_json::from_slice(&body).map_err(|e| fault(address, &format!("another answer came: {e}")))
}

/// The body that the admin listener gives with 200 for a path; any other answer is a failure that tells it.
pub fn get(mut address: SocketAddr, token: Option<&Secret>, path: &str) -> Result<Vec<u8>, Failure> {
    // Where it listens on all addresses, this machine's own is one of them.
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    let answer = ask(address, token, path).map_err(|e| fault(address, &e.to_string()))?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.map_or(answer.len(), |end| end + 4));
    match String::from_utf8_lossy(head).split(' ').nth(1) {
        Some("200") => Ok(body.to_vec()),
        Some(status) => {
            Err(fault(address, &format!("it answered {status} {}", String::from_utf8_lossy(body).trim())))
        }
        None => Err(fault(address, "no answer of HTTP came")),
    }
}

fn fault(address: SocketAddr, why: &str) -> Failure {
    format!("the gateway that runs cannot be asked at {address}: {why}")
}

/// One request, whose answer ends with the connection as HTTP/1.0 does.
fn ask(address: SocketAddr, token: Option<&Secret>, path: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut request = format!("GET {path} HTTP/1.0\r\n").into_bytes();
    if let Some(Secret(token)) = token {
        request.extend_from_slice(b"Authorization: Bearer ");
        request.extend_from_slice(token);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request)?;
    let mut answer = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut answer)?;
    Ok(answer)
}
