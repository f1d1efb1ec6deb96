//! Errors as HTTP answers: `{ "error": { code, message, detail } }`.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use oriel_api::{Error, ErrorBody, ErrorCode};

/// An answer that is an error.
#[derive(Debug)]
pub(crate) struct Failure {
    error: Error,
    status: StatusCode,
}

impl Failure {
    /// Nobody is signed in, or what they showed is not valid. Says no more than that.
    pub(crate) fn unauthenticated() -> Self {
        Error::new(ErrorCode::Unauthenticated, "Sign in first.").into()
    }

    /// Signed in, but this request is not let through.
    pub(crate) fn forbidden(message: &str) -> Self {
        Error::new(ErrorCode::PermissionDenied, message).into()
    }

    /// No such address.
    pub(crate) fn not_found() -> Self {
        Error::not_found("There is nothing at this address.").into()
    }

    /// The address is there, but not for this verb.
    pub(crate) fn wrong_method() -> Self {
        Self {
            error: Error::invalid("This address does not take that method."),
            status: StatusCode::METHOD_NOT_ALLOWED,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status =
            StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { error, status }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(ErrorBody { error: self.error })).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
