//! A JSON answer, already written as text, whose schema stands in the document.
//!
//! The framework's own JSON payload builds a generic value first; a list of fifty notifications
//! costs several times as much that way. A test holds every answer against its schema.

use std::marker::PhantomData;

use poem::{IntoResponse, Response, http::StatusCode};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};

/// A JSON answer of the shape `T` with a fixed status.
pub struct Answer<T, const STATUS: u16 = 200> {
    text: String,
    shape: PhantomData<fn() -> T>,
}

impl<T, const STATUS: u16> Answer<T, STATUS> {
    /// Takes the text of a JSON object that `T` describes.
    pub fn new(text: String) -> Self {
        Self { text, shape: PhantomData }
    }
}

impl<T: Type, const STATUS: u16> IntoResponse for Answer<T, STATUS> {
    fn into_response(self) -> Response {
        Response::builder()
            .status(StatusCode::from_u16(STATUS).unwrap_or_default())
            .content_type("application/json")
            .body(self.text)
    }
}

impl<T: Type, const STATUS: u16> ApiResponse for Answer<T, STATUS> {
    fn meta() -> MetaResponses {
        let content = vec![MetaMediaType { content_type: "application/json", schema: T::schema_ref() }];
        let response = MetaResponse {
            description: "Done.",
            status: Some(STATUS),
            status_range: None,
            content,
            headers: vec![],
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}
