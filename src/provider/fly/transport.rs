//! One request and its answer, as bytes: what a transport carries.

use std::time::Duration;

use async_trait::async_trait;

/// Carries requests to the API.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends it and gives the whole answer, whatever its status.
    async fn send(&self, request: Request) -> Result<Response, TransportError>;
}

/// A request. Has no `Debug`: one of its headers is the token.
pub struct Request {
    /// Its method.
    pub method: Method,
    /// The whole address.
    pub url: String,
    /// Names in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// JSON, where there is a body.
    pub body: Option<Vec<u8>>,
    /// How long the answer may take.
    pub timeout: Duration,
}

/// The methods that the API is asked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes, changes, acts.
    Post,
    /// Changes some entries.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, where it is a number of seconds.
    pub retry_after: Option<Duration>,
    /// `fly-request-id`.
    pub request_id: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportError {
    /// No connection came about: nothing was asked.
    NotSent(String),
    /// The connection ended, or the time was up, before the answer was whole.
    Lost(String),
    /// The answer is larger than anything that is read.
    TooLarge(String),
}
