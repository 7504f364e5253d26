//! The transport of the program: HTTP over TLS with rustls.

use std::error::Error as _;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, redirect};

use super::access::{Access, AccessError};
use super::codes;
use super::transport::{Method, Request, Response, Transport, TransportError};

/// Until a connection must stand.
const CONNECT: Duration = Duration::from_secs(10);
/// As much memory is set aside at most on the word of a header, bytes.
const FORESEEN: usize = 64 << 20;

/// Carries requests over the network. A proxy of the environment is asked for a tunnel and nothing else:
/// what goes without encryption goes straight to its host, or whoever runs the proxy would read the token.
pub struct HttpTransport {
    tunnelled: Client,
    direct: Client,
}

impl HttpTransport {
    /// A transport to where this access leads.
    pub fn new(access: &Access) -> Result<Self, AccessError> {
        // Somebody else in the process may have installed it already; all of them are this one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            Client::builder()
                .user_agent(concat!("aeroform/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(CONNECT)
                // A token follows nobody to another address.
                .redirect(redirect::Policy::none())
        };
        let failed = |error: reqwest::Error| AccessError {
            code: codes::NO_TLS,
            message: format!("cannot speak TLS: {}", told(&error)),
            hint: "install the certificates of the system, or name a file of them in `SSL_CERT_FILE`",
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
        let mut asked = self
            .client(&request.url)
            .request(method, &request.url)
            .timeout(request.timeout);
        for (name, value) in request.headers {
            asked = asked.header(name, value);
        }
        if let Some(body) = request.body {
            asked = asked.header(CONTENT_TYPE, "application/json").body(body);
        }
        let answer = asked.send().await.map_err(failed)?;
        let status = answer.status().as_u16();
        let text = |headers: &HeaderMap, name: &str| {
            let value = headers.get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let request_id = text(answer.headers(), "fly-request-id");
        let retry_after = text(answer.headers(), RETRY_AFTER.as_str());
        let body = whole(answer).await.map_err(|error| {
            // The head of an answer was there already, so something was done with the request.
            TransportError::Lost(told(&error))
        })?;
        Ok(Response {
            status,
            retry_after: retry_after
                .and_then(|text| text.trim().parse().ok())
                .map(Duration::from_secs),
            request_id,
            body,
        })
    }
}

/// The whole body, once: a list of a large fleet has tens of megabytes.
async fn whole(mut answer: reqwest::Response) -> Result<Vec<u8>, reqwest::Error> {
    let told = answer
        .content_length()
        .and_then(|n| usize::try_from(n).ok());
    let mut body = Vec::with_capacity(told.unwrap_or_default().min(FORESEEN));
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn failed(error: reqwest::Error) -> TransportError {
    let certain = error.is_connect() || error.is_builder();
    let what = told(&error.without_url());
    if certain {
        TransportError::NotSent(what)
    } else {
        TransportError::Lost(what)
    }
}

/// The error with its causes; the outer one alone says little.
fn told(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
