//! One keep-alive HTTP/1.1 connection: bytes out, one whole answer in.
//!
//! It reads no more of an answer than it must, so that the client's work stays small beside the server's.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::Result;

/// An answer may not grow beyond this many bytes.
pub const LARGEST_ANSWER: usize = 16 << 20;

pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// One whole answer.
pub struct Answer<'a> {
    pub status: u16,
    /// The body; with its chunk marks, where it came in chunks.
    pub body: &'a [u8],
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 << 10) })
    }

    /// Sends a request and waits for all of its answer.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let (status, body) = loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server closed the connection before it had answered".into());
            }
            if let Some(whole) = whole_answer(&self.buffer)? {
                break whole;
            }
            if self.buffer.len() > LARGEST_ANSWER {
                return Err("an answer is too large".into());
            }
        };
        Ok(Answer { status, body: &self.buffer[body..] })
    }
}

/// The status and where the body starts, once the buffer holds all of an answer.
pub fn whole_answer(buffer: &[u8]) -> Result<Option<(u16, usize)>> {
    let Some(end) = find(buffer, b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&buffer[..end])?;
    let body = end + 4;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).and_then(|rest| rest.get(..3));
    let status = status.ok_or("the answer is not HTTP/1.1")?.parse()?;
    let mut length = None;
    let mut chunked = false;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse::<usize>()?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = value.trim().eq_ignore_ascii_case("chunked");
        }
    }
    let whole = match length {
        _ if chunked => has_last_chunk(&buffer[body..])?,
        Some(length) => buffer.len() >= body + length,
        None if status == 204 || status == 304 => true,
        None => return Err("an answer tells neither its length nor chunks".into()),
    };
    Ok(whole.then_some((status, body)))
}

fn has_last_chunk(mut rest: &[u8]) -> Result<bool> {
    loop {
        let Some(line) = find(rest, b"\r\n") else { return Ok(false) };
        let size = std::str::from_utf8(&rest[..line])?;
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)?;
        let next = line.saturating_add(size).saturating_add(4);
        if rest.len() < next {
            return Ok(false);
        }
        if size == 0 {
            return Ok(true);
        }
        rest = &rest[next..];
    }
}

fn find(text: &[u8], sought: &[u8]) -> Option<usize> {
    text.windows(sought.len()).position(|window| window == sought)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds an answer byte by byte: it must be whole with its last byte and not before.
    fn whole_only_at_its_end(answer: &[u8], status: u16) {
        for end in 0..answer.len() {
            assert_eq!(whole_answer(&answer[..end]).expect("well-formed"), None, "after {end} bytes");
        }
        assert_eq!(whole_answer(answer).expect("well-formed").map(|(status, _)| status), Some(status));
    }

    #[test]
    fn an_answer_ends_where_its_length_says() {
        whole_only_at_its_end(b"HTTP/1.1 201 Created\r\ncontent-Length: 5\r\n\r\nhello", 201);
    }

    #[test]
    fn an_answer_in_chunks_ends_with_the_empty_one() {
        let answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel\r\n\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n";
        whole_only_at_its_end(answer, 200);
    }

    #[test]
    fn what_is_not_http_is_an_error() {
        assert!(whole_answer(b"SSH-2.0-x\r\n\r\n").is_err());
        assert!(whole_answer(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
