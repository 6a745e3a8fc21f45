//! A JSON answer, already written as text, whose schema stands in the document.
//!
//! The framework's own JSON payload builds a generic value first; a list of fifty notifications
//! costs several times as much that way. A test holds every answer against its schema.

use std::marker::PhantomData;

use poem::{
    IntoResponse, Response,
    http::{HeaderName, HeaderValue, StatusCode},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};

use super::memory;

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
        let length = self.text.len();
        let response = Response::builder()
            .status(StatusCode::from_u16(STATUS).unwrap_or_default())
            .content_type("application/json")
            .body(self.text);
        memory::counted(response, length)
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

/// An answer with a header of its own, which the document declares where it is finished.
pub struct Headed<A> {
    answer: A,
    header: Option<(&'static str, HeaderValue)>,
}

impl<A> Headed<A> {
    /// With that header, named in small letters, where there is a value.
    pub fn new(answer: A, name: &'static str, value: Option<HeaderValue>) -> Self {
        Self { answer, header: value.map(|value| (name, value)) }
    }
}

impl<A: IntoResponse> IntoResponse for Headed<A> {
    fn into_response(self) -> Response {
        let mut response = self.answer.into_response();
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
        response
    }
}

impl<A: ApiResponse> ApiResponse for Headed<A> {
    fn meta() -> MetaResponses {
        A::meta()
    }

    fn register(registry: &mut Registry) {
        A::register(registry);
    }
}

/// One of two good answers of an operation, each with its own status.
pub enum Either<A, B> {
    /// The first in the document.
    Left(A),
    /// The second.
    Right(B),
}

impl<A: IntoResponse, B: IntoResponse> IntoResponse for Either<A, B> {
    fn into_response(self) -> Response {
        match self {
            Self::Left(answer) => answer.into_response(),
            Self::Right(answer) => answer.into_response(),
        }
    }
}

impl<A: ApiResponse, B: ApiResponse> ApiResponse for Either<A, B> {
    fn meta() -> MetaResponses {
        let mut meta = A::meta();
        meta.responses.extend(B::meta().responses);
        meta
    }

    fn register(registry: &mut Registry) {
        A::register(registry);
        B::register(registry);
    }
}
