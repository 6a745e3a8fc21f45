//! The answers that say where in an inbox's history they are from, and the one that goes on from there.

use poem::{
    IntoResponse, Response,
    http::{HeaderName, HeaderValue, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};

use super::{super::takeover::Takeover, shape::StreamEvent};
use crate::domain::EventId;

/// An answer, and the place in the inbox's history that it shows.
pub struct At<A> {
    /// The answer.
    pub answer: A,
    /// The place.
    pub id: EventId,
}

impl<A: IntoResponse> IntoResponse for At<A> {
    fn into_response(self) -> Response {
        let mut response = self.answer.into_response();
        // Taken over as it is, with no copy.
        if let Ok(id) = HeaderValue::from_maybe_shared(bytes::Bytes::from(self.id.to_string())) {
            response.headers_mut().insert(HeaderName::from_static("x-event-id"), id);
        }
        response
    }
}

impl<A: ApiResponse> ApiResponse for At<A> {
    fn meta() -> MetaResponses {
        A::meta()
    }

    fn register(registry: &mut Registry) {
        A::register(registry);
    }
}

/// A stream of events.
pub struct EventStream(pub Takeover);

impl IntoResponse for EventStream {
    fn into_response(self) -> Response {
        Response::builder()
            .content_type("text/event-stream")
            .header(header::CACHE_CONTROL, "no-store")
            // A proxy that buffers answers must not buffer this one.
            .header("x-accel-buffering", "no")
            .extension(self.0)
            .finish()
    }
}

impl ApiResponse for EventStream {
    fn meta() -> MetaResponses {
        let schema = StreamEvent::schema_ref();
        let response = MetaResponse {
            description: "Done.",
            status: Some(200),
            status_range: None,
            content: vec![MetaMediaType { content_type: "text/event-stream", schema }],
            headers: vec![],
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(registry: &mut Registry) {
        StreamEvent::register(registry);
    }
}
