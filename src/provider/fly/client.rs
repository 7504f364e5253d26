//! One API request and its response: URL, headers, and the meaning of a response.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::sleep;

use super::access::{self, Access};
use super::rate_limit::RateLimiter;
use super::transport::{Method, Request, Response, Transport, TransportError};
use super::{errors, token_fields};
use crate::provider::ProviderError;

/// The default timeout; the platform's proxy gives up after about 60 s.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(75);

/// After this time without a response, progress is reported.
const SLOW_RESPONSE_AFTER: Duration = Duration::from_secs(5);

/// Sends API requests through a transport.
pub(super) struct Client<T> {
    transport: T,
    access: Access,
    /// Limits all requests.
    pub(super) rate_limiter: Option<RateLimiter>,
    /// Receives progress messages.
    pub(super) on_progress: Option<ProgressCallback>,
}

/// Receives a progress line.
pub type ProgressCallback = Arc<dyn Fn(&str) + Send + Sync>;

/// A request.
pub(super) struct ApiRequest<'a> {
    pub(super) method: Method,
    /// The path with its query.
    pub(super) path: String,
    pub(super) body: Option<Value>,
    /// The nonce of the caller's lease.
    pub(super) nonce: Option<&'a str>,
    pub(super) timeout: Duration,
    /// How long the platform delays its response on purpose; the caller reports that wait itself.
    pub(super) expected_wait: Duration,
}

impl ApiRequest<'_> {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            body: None,
            nonce: None,
            timeout: DEFAULT_TIMEOUT,
            expected_wait: Duration::ZERO,
        }
    }

    /// The request's name in messages, without the query.
    fn label(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        format!("{} {path}", self.method.as_str())
    }
}

/// A successful response, and the request's name in messages.
pub(super) struct ApiResponse {
    label: String,
    body: Vec<u8>,
}

impl ApiResponse {
    /// Parses the body as JSON.
    pub(super) fn parse<A: DeserializeOwned>(&self) -> Result<A, ProviderError> {
        serde_json::from_slice(&self.body).map_err(|why| self.unreadable(why))
    }

    /// Parses the body with this function.
    pub(super) fn parse_with<'a, A, E: std::fmt::Display>(
        &'a self,
        read: impl FnOnce(&'a [u8]) -> Result<A, E>,
    ) -> Result<A, ProviderError> {
        read(&self.body).map_err(|why| self.unreadable(why))
    }

    pub(super) fn unreadable(&self, why: impl std::fmt::Display) -> ProviderError {
        errors::unreadable_response(&self.label, why)
    }
}

impl<T: Transport> Client<T> {
    pub(super) fn new(transport: T, access: Access) -> Self {
        Self {
            transport,
            access,
            rate_limiter: None,
            on_progress: None,
        }
    }

    /// Whether the API is Fly's own.
    pub(super) fn is_fly(&self) -> bool {
        self.access.is_fly()
    }

    /// Calls the Machines API.
    pub(super) async fn call_machines_api(
        &self,
        ask: ApiRequest<'_>,
    ) -> Result<ApiResponse, ProviderError> {
        let (url, token) = self.access.machines_endpoint(&ask.path);
        self.send(ask, url, token).await
    }

    /// Calls the releases API.
    pub(super) async fn call_releases_api(
        &self,
        ask: ApiRequest<'_>,
    ) -> Result<ApiResponse, ProviderError> {
        let (url, token) = self.access.releases_endpoint(&ask.path);
        self.send(ask, url, token).await
    }

    /// Sends a request and reports progress if the response is slow. A wait that the caller requested has events of its own.
    async fn send_with_progress(
        &self,
        request: Request,
        label: &str,
        at: &str,
        (patience, held): (Duration, Duration),
    ) -> Result<Response, TransportError> {
        let response = self.transport.send(request);
        let Some(report) = self
            .on_progress
            .as_ref()
            .filter(|_| patience == DEFAULT_TIMEOUT)
        else {
            return response.await;
        };
        tokio::pin!(response);
        tokio::select! {
            biased;
            answered = &mut response => return answered,
            () = sleep(held + SLOW_RESPONSE_AFTER) => {}
        }
        let seconds = patience.as_secs();
        report(&format!(
            "waiting for the response to {label} from {at}, at most {seconds} s"
        ));
        response.await
    }

    async fn send(
        &self,
        ask: ApiRequest<'_>,
        url: String,
        token: &str,
    ) -> Result<ApiResponse, ProviderError> {
        let label = ask.label();
        let at = access::origin(&url);
        let mut headers = vec![("authorization", token.to_owned())];
        if let Some(nonce) = ask.nonce {
            headers.push(("fly-machine-lease-nonce", nonce.to_owned()));
        }
        let request = Request {
            method: ask.method,
            url,
            headers,
            body: ask.body.map(|body| body.to_string().into_bytes()),
            timeout: ask.timeout,
        };
        if let Some(limiter) = &self.rate_limiter {
            limiter.acquire().await;
        }
        let times = (ask.timeout, ask.expected_wait);
        let mut error = match self.send_with_progress(request, &label, &at, times).await {
            Ok(Response { status, body, .. }) if (200..300).contains(&status) => {
                if let Some(place) = token_fields::find_token_field(&ask.path, &body, &self.access)
                {
                    return Err(errors::token_in_response(&label, &place));
                }
                return Ok(ApiResponse { label, body });
            }
            Ok(mut refusal) => {
                // Scrub before a long text is cut, perhaps inside the token.
                let text = String::from_utf8_lossy(&refusal.body).into_owned();
                refusal.body = self.access.scrub_token(text).into_bytes();
                let error = errors::error_from_response(&label, &refusal);
                errors::with_outage_hint(error, refusal.status, &at, self.is_fly())
            }
            Err(error) => errors::error_from_transport(&label, &at, error, self.is_fly()),
        };
        error.message = self.access.scrub_token(error.message);
        Err(error)
    }
}
