//! A request and its response as bytes.

use std::time::Duration;

use async_trait::async_trait;

/// Sends requests to the API.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends a request and returns the complete response, whatever its status.
    async fn send(&self, request: Request) -> Result<Response, TransportError>;
}

/// A request. It has no `Debug`, because a header contains the token.
pub struct Request {
    /// Its method.
    pub method: Method,
    /// The full URL.
    pub url: String,
    /// Lower-case names and values.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON body, if any.
    pub body: Option<Vec<u8>>,
    /// The timeout for the response.
    pub timeout: Duration,
}

/// HTTP methods of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates, changes, or performs an action.
    Post,
    /// Changes some entries.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// The method in upper case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, as a duration.
    pub retry_after: Option<Duration>,
    /// `fly-request-id`.
    pub request_id: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportError {
    /// The connection failed; nothing was sent.
    NotSent(String),
    /// The connection closed, or the timeout passed, before the response was complete.
    Lost(String),
    /// The response exceeds the size limit.
    TooLarge(String),
}
