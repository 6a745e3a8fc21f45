//! An answer that goes on without end takes its connection over, once its head is on its way.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::stream;
use poem::{
    Body, Response,
    http::{HeaderValue, Method, Version, header::CONNECTION},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::connections::Connection;

/// What is done with the connection.
type GoOn = Box<dyn FnOnce(Reader) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// How long the end of an answer may take to be written.
const LAST_WORD: Duration = Duration::from_secs(1);

/// How many bytes who reads may send meanwhile. There is nothing to say, and looking at it costs time.
const MOST_SAID: usize = 4096;

/// How an answer goes on. It is left in the answer's extensions, which are cloned.
#[derive(Clone)]
pub struct Takeover(Arc<Mutex<Option<GoOn>>>);

impl Takeover {
    /// Goes on so, with whoever reads the answer.
    pub fn new<F: Future<Output = ()> + Send + 'static>(
        go_on: impl FnOnce(Reader) -> F + Send + 'static,
    ) -> Self {
        let go_on: GoOn = Box::new(|reader| Box::pin(go_on(reader)));
        Self(Arc::new(Mutex::new(Some(go_on))))
    }
}

/// Where a connection's answers leave that one of them takes it over.
#[derive(Clone, Default)]
pub struct Place(Arc<Mutex<Option<(GoOn, Framing)>>>);

/// How the pieces of a body are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Chunks,
    /// The connection's end is the body's.
    Nothing,
}

impl Place {
    /// Whether one does.
    pub fn is_taken(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Gives it the connection.
    pub fn take(&self, connection: Connection) -> Option<Taken> {
        let (go_on, framing) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        connection.hold_nothing_back();
        Some(Taken { go_on, reader: Reader { connection, framing, broken_off: false, said: 0 } })
    }
}

/// Leaves at the place what an answer does with its connection, if it does; gives the answer to be written first. Who
/// asks for the head alone gets that.
pub fn left_by(mut response: Response, place: &Place, version: Version, method: &Method) -> Response {
    let takeover = response.extensions_mut().remove::<Takeover>();
    let go_on = takeover.and_then(|t| t.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    let Some(go_on) = go_on.filter(|_| method != Method::HEAD) else { return response };
    let framing = if version == Version::HTTP_11 { Framing::Chunks } else { Framing::Nothing };
    *place.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((go_on, framing));
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    // So the server writes the head, in which it says how the body is framed, and then waits.
    response.set_body(Body::from_bytes_stream(stream::pending::<io::Result<bytes::Bytes>>()));
    response
}

/// A connection that was taken over.
pub struct Taken {
    go_on: GoOn,
    reader: Reader,
}

impl Taken {
    /// Goes on to the answer's end.
    pub async fn go_on(self) {
        (self.go_on)(self.reader).await;
    }
}

/// Who reads an answer that goes on.
pub struct Reader {
    connection: Connection,
    framing: Framing,
    /// Whether a piece is written in part: after it nothing else may follow, which would be taken for its rest.
    broken_off: bool,
    said: usize,
}

impl Reader {
    /// Writes a piece; returns once the system has taken it.
    ///
    /// # Errors
    /// When the reader has gone.
    pub async fn write(&mut self, piece: &str) -> io::Result<()> {
        self.broken_off = true;
        match self.framing {
            Framing::Chunks => {
                let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
                self.connection.write_all(chunk.as_bytes()).await?;
            }
            Framing::Nothing => self.connection.write_all(piece.as_bytes()).await?,
        }
        self.connection.flush().await?;
        self.broken_off = false;
        Ok(())
    }

    /// Returns when the reader has gone, or talks too much. What they still send is passed over.
    pub async fn left(&mut self) {
        let mut passed_over = [0; 64];
        while let Ok(bytes @ 1..) = self.connection.read(&mut passed_over).await {
            self.said += bytes;
            if self.said > MOST_SAID {
                return;
            }
        }
    }

    /// Ends the answer, so that who reads it knows that it is whole; unless it is not.
    pub async fn end(mut self) {
        if self.broken_off {
            return;
        }
        let end = async {
            if self.framing == Framing::Chunks {
                self.connection.write_all(b"0\r\n\r\n").await?;
            }
            self.connection.shutdown().await
        };
        // Who does not take it is cut off.
        let _ = timeout(LAST_WORD, end).await;
    }
}
