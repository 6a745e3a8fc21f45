//! An answer's body, handed to its connection piece by piece, so that the connection copies little of it ahead.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::memory::{Charge, Unwritten};

/// Maximum number of bytes that the connection is given at once.
const PIECE: usize = 16 << 10;

/// A body in pieces. What it holds of the memory budget goes to the connection with the last of them.
pub struct Pieces<B> {
    body: B,
    /// What is left of the frame that the body gave last.
    left: Bytes,
    charge: Option<Charge>,
    unwritten: Unwritten,
}

impl<B> Pieces<B> {
    /// Cuts a body that holds this much.
    pub fn new(body: B, charge: Option<Charge>, unwritten: &Unwritten) -> Self {
        Self { body, left: Bytes::new(), charge, unwritten: unwritten.clone() }
    }

    fn piece(&mut self) -> Option<Poll<Option<io::Result<Frame<Bytes>>>>> {
        if self.left.is_empty() {
            return None;
        }
        let piece = self.left.split_to(self.left.len().min(PIECE));
        Some(Poll::Ready(Some(Ok(Frame::data(piece)))))
    }
}

impl<B: Body<Data = Bytes, Error = io::Error> + Unpin> Body for Pieces<B> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(piece) = self.piece() {
            return piece;
        }
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) if data.len() > PIECE => {
                    self.left = data;
                    self.piece().unwrap_or(Poll::Ready(None))
                }
                Ok(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
                Err(frame) => Poll::Ready(Some(Ok(frame))),
            },
            other => other,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (left, rest) = (self.left.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(left + rest.lower());
        if let Some(upper) = rest.upper() {
            hint.set_upper(left + upper);
        }
        hint
    }
}

impl<B> Drop for Pieces<B> {
    fn drop(&mut self) {
        if let Some(charge) = self.charge.take() {
            self.unwritten.add(charge);
        }
    }
}
