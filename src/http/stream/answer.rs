//! The answers that say where in an inbox's history they are from, and the one that goes on from there.

use bytes::Bytes;
use poem::{
    IntoResponse, Response,
    http::{HeaderValue, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};

use super::{
    super::{answer::Headed, takeover::Takeover},
    shape::StreamEvent,
};
use crate::domain::EventId;

/// An answer that shows an inbox at a place in its history.
pub fn at<A>(answer: A, id: EventId) -> Headed<A> {
    // Taken over as it is, with no copy.
    Headed::new(answer, "x-event-id", HeaderValue::from_maybe_shared(Bytes::from(id.to_string())).ok())
}

/// A stream of events.
pub struct EventStream(pub Takeover);

impl IntoResponse for EventStream {
    fn into_response(self) -> Response {
        Response::builder()
            .content_type("text/event-stream")
            .header(header::CACHE_CONTROL, "no-store, no-transform")
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
