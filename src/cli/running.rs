//! Asks a gateway that runs what is in force.

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
pub fn summary(mut address: SocketAddr, token: Option<&Secret>) -> Result<Summary, Failure> {
    // Where it listens on all addresses, this machine's own is one of them.
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    let fault = |why: String| format!("the gateway that runs cannot be asked at {address}: {why}");
    let answer = ask(address, token).map_err(|e| fault(e.to_string()))?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.map_or(answer.len(), |end| end + 4));
    let head = String::from_utf8_lossy(head);
    match head.split(' ').nth(1) {
        Some("200") => serde_json::from_slice(body).map_err(|e| fault(format!("another answer came: {e}"))),
        Some(status) => Err(fault(format!("it answered {status} {}", String::from_utf8_lossy(body).trim()))),
        None => Err(fault("no answer of HTTP came".into())),
    }
}

/// One request, whose answer ends with the connection as HTTP/1.0 does.
fn ask(address: SocketAddr, token: Option<&Secret>) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut request = b"GET /config/summary HTTP/1.0\r\n".to_vec();
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
