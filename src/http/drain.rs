//! Draining: told to stop, the gateway goes on for a while and says that it is not ready, so that nobody sends more.

use std::sync::Arc;

use poem::{
    Endpoint, Request, Response, Result,
    http::{HeaderValue, header::CONNECTION},
};
use tokio::sync::watch;

/// Whether it was told to stop; shared by all who ask.
#[derive(Debug, Clone, Default)]
pub struct Draining(Arc<watch::Sender<bool>>);

impl Draining {
    /// From now on. There is no way back.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// For who is to be told when it begins.
    pub fn heard(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }
}

/// An endpoint whose answers end their connections while the gateway drains: a client opens its next one elsewhere, and
/// none is left to be closed under a request.
pub struct Drained<E>(pub E, pub Draining);

impl<E: Endpoint<Output = Response>> Endpoint for Drained<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let mut response = self.0.call(request).await?;
        if self.1.has_begun() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}
