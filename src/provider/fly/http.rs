//! The real transport: HTTP over TLS with rustls.

use std::error::Error as _;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, redirect};

use super::access::{Access, AccessError};
use super::codes;
use super::transport::{Method, Request, Response, Transport, TransportError};

/// Timeout for connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum buffer to allocate because of a Content-Length header, bytes.
const MAX_PREALLOCATED_BODY: usize = 64 << 20;
/// The maximum body size, bytes; a list of ten thousand Machines has a fifth of it.
const MAX_BODY: usize = 256 << 20;

/// Sends requests over the network. A proxy from the environment is used only as a tunnel; unencrypted
/// requests bypass it, because it could read the token.
pub struct HttpTransport {
    tunnelled: Client,
    direct: Client,
}

impl HttpTransport {
    /// A transport for this access.
    pub fn new(access: &Access) -> Result<Self, AccessError> {
        // The process may have installed it before; it is always the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            Client::builder()
                .user_agent(concat!("aeroform/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(CONNECT_TIMEOUT)
                // Redirects are not followed, because the token must not go to another address.
                .redirect(redirect::Policy::none())
        };
        let failed = |error: reqwest::Error| AccessError {
            code: codes::NO_TLS,
            message: format!("cannot use TLS: {}", error_chain(&error)),
            hint: "install CA certificates, or set `SSL_CERT_FILE` to a file that contains them",
        };
        let direct = builder().no_proxy().build().map_err(failed)?;
        let tunnelled = if access.is_loopback() {
            direct.clone()
        } else {
            builder().build().map_err(failed)?
        };
        Ok(Self { tunnelled, direct })
    }

    fn client(&self, url: &str) -> &Client {
        if url.starts_with("https://") {
            &self.tunnelled
        } else {
            &self.direct
        }
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Patch => reqwest::Method::PATCH,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut builder = self
            .client(&request.url)
            .request(method, &request.url)
            .timeout(request.timeout);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        if let Some(body) = request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body);
        }
        let response = builder.send().await.map_err(to_transport_error)?;
        let status = response.status().as_u16();
        let text = |headers: &HeaderMap, name: &str| {
            let value = headers.get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let request_id = text(response.headers(), "fly-request-id");
        let retry_after = text(response.headers(), RETRY_AFTER.as_str());
        let date = text(response.headers(), DATE.as_str());
        let body = read_body(response).await?;
        Ok(Response {
            status,
            retry_after: retry_after
                .and_then(|text| parse_retry_after(text.trim(), date.as_deref())),
            request_id,
            body,
        })
    }
}

/// Reads the body once into one buffer; lists of large apps have tens of megabytes.
async fn read_body(mut response: reqwest::Response) -> Result<Vec<u8>, TransportError> {
    let too_large = |n: usize| {
        (n > MAX_BODY).then(|| {
            TransportError::TooLarge(format!("the response has more than {} MB", MAX_BODY >> 20))
        })
    };
    // The response had begun, so the request may have taken effect.
    let lost = |error: reqwest::Error| TransportError::Lost(error_chain(&error));
    let content_length = response
        .content_length()
        .map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    if let Some(error) = content_length.and_then(too_large) {
        return Err(error);
    }
    let mut body = Vec::with_capacity(
        content_length
            .unwrap_or_default()
            .min(MAX_PREALLOCATED_BODY),
    );
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if let Some(error) = too_large(body.len() + chunk.len()) {
            return Err(error);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Parses `Retry-After`: seconds, or a date relative to the server's own date.
fn parse_retry_after(text: &str, date: Option<&str>) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number out of range counts as a very long time.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let read = |text: &str| {
        jiff::fmt::rfc2822::DateTimeParser::new()
            .parse_timestamp(text)
            .ok()
    };
    let (until, now) = (read(text)?, read(date?)?);
    let seconds = until.as_second().saturating_sub(now.as_second());
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

fn to_transport_error(error: reqwest::Error) -> TransportError {
    let certain = error.is_connect() || error.is_builder();
    let what = error_chain(&error.without_url());
    if certain {
        TransportError::NotSent(what)
    } else {
        TransportError::Lost(what)
    }
}

/// The error with its causes, because the outer one says little.
fn error_chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_a_number_or_a_date_that_counts_from_the_servers_own() {
        let now = Some("Fri, 02 Jan 2026 03:04:05 GMT");
        let seconds = |text: &str| parse_retry_after(text, now).map(|pause| pause.as_secs());
        assert_eq!(seconds("7"), Some(7));
        assert_eq!(seconds("99999999999999999999999999"), Some(u64::MAX));
        assert_eq!(seconds("Fri, 02 Jan 2026 03:04:15 GMT"), Some(10));
        assert_eq!(seconds("Thu, 01 Jan 2026 03:04:05 GMT"), Some(0));
        assert!(seconds("Sat, 02 Jan 2099 03:04:05 GMT").is_none_or(|n| n > 1 << 30));
        assert_eq!(seconds("soon"), None);
        assert_eq!(
            parse_retry_after("Fri, 02 Jan 2026 03:04:15 GMT", None),
            None
        );
    }
}
