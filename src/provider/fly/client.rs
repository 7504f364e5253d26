//! One question to the API and its answer: addresses, headers, and what an answer means.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::sleep;

use super::access::{self, Access};
use super::pace::Pace;
use super::transport::{Method, Request, Response, Transport, TransportError};
use super::{answers, names};
use crate::provider::ProviderError;

/// The longest that an answer may take: the platform's own proxy gives up after some 60 s.
const PATIENCE: Duration = Duration::from_secs(75);

/// After so long without an answer it is said what is waited for.
const SILENCE: Duration = Duration::from_secs(5);

/// Asks the API through a transport.
pub(super) struct Client<T> {
    transport: T,
    access: Access,
    /// Over everything that is asked.
    pub(super) pace: Option<Pace>,
    /// Who is told what is waited for.
    pub(super) tells: Option<Teller>,
}

/// Takes a line about what is waited for.
pub type Teller = Arc<dyn Fn(&str) + Send + Sync>;

/// What is asked.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    /// The path under the API's address, query included.
    pub(super) path: String,
    pub(super) body: Option<Value>,
    /// The lease that the caller holds.
    pub(super) nonce: Option<&'a str>,
    pub(super) patience: Duration,
    /// How long the platform holds its answer back on purpose: it waits for a Machine, and whoever asked it to
    /// says so.
    pub(super) held: Duration,
}

impl Ask<'_> {
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            body: None,
            nonce: None,
            patience: PATIENCE,
            held: Duration::ZERO,
        }
    }

    /// How messages name it; queries say nothing that the path does not.
    fn named(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        format!("{} {path}", self.method.as_str())
    }
}

/// A success, and how messages name the question.
pub(super) struct Told {
    asked: String,
    body: Vec<u8>,
}

impl Told {
    /// What it says, in this form.
    pub(super) fn read<A: DeserializeOwned>(&self) -> Result<A, ProviderError> {
        serde_json::from_slice(&self.body).map_err(|why| self.unreadable(why))
    }

    /// What it says, read by this function.
    pub(super) fn read_with<'a, A, E: std::fmt::Display>(
        &'a self,
        read: impl FnOnce(&'a [u8]) -> Result<A, E>,
    ) -> Result<A, ProviderError> {
        read(&self.body).map_err(|why| self.unreadable(why))
    }

    pub(super) fn unreadable(&self, why: impl std::fmt::Display) -> ProviderError {
        answers::unreadable(&self.asked, why)
    }
}

impl<T: Transport> Client<T> {
    pub(super) fn new(transport: T, access: Access) -> Self {
        Self {
            transport,
            access,
            pace: None,
            tells: None,
        }
    }

    /// Whether it is Fly that is asked.
    pub(super) fn is_of_fly(&self) -> bool {
        self.access.is_of_fly()
    }

    /// Asks the Machines API.
    pub(super) async fn machines(&self, ask: Ask<'_>) -> Result<Told, ProviderError> {
        let (url, token) = self.access.machines(&ask.path);
        self.send(ask, url, token).await
    }

    /// Asks about releases.
    pub(super) async fn releases(&self, ask: Ask<'_>) -> Result<Told, ProviderError> {
        let (url, token) = self.access.releases(&ask.path);
        self.send(ask, url, token).await
    }

    /// Sends, and says so once the answer takes long. What waits on purpose says so itself.
    async fn patiently(
        &self,
        request: Request,
        asked: &str,
        at: &str,
        (patience, held): (Duration, Duration),
    ) -> Result<Response, TransportError> {
        let answer = self.transport.send(request);
        let Some(tell) = self.tells.as_ref().filter(|_| patience == PATIENCE) else {
            return answer.await;
        };
        tokio::pin!(answer);
        tokio::select! {
            biased;
            answered = &mut answer => return answered,
            () = sleep(held + SILENCE) => {}
        }
        let seconds = patience.as_secs();
        tell(&format!(
            "waits for an answer to {asked} from {at}, at most {seconds} s"
        ));
        answer.await
    }

    async fn send(&self, ask: Ask<'_>, url: String, token: &str) -> Result<Told, ProviderError> {
        let asked = ask.named();
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
            timeout: ask.patience,
        };
        if let Some(pace) = &self.pace {
            pace.turn().await;
        }
        let times = (ask.patience, ask.held);
        let mut error = match self.patiently(request, &asked, &at, times).await {
            Ok(Response { status, body, .. }) if (200..300).contains(&status) => {
                if let Some(place) = names::with_token(&ask.path, &body, &self.access) {
                    return Err(answers::with_token(&asked, &place));
                }
                return Ok(Told { asked, body });
            }
            Ok(mut refusal) => {
                // Before a long text is cut, perhaps in the middle of it.
                let said = String::from_utf8_lossy(&refusal.body).into_owned();
                refusal.body = self.access.without_token(said).into_bytes();
                let error = answers::refused(&asked, &refusal);
                answers::with_trouble(error, refusal.status, &at, self.is_of_fly())
            }
            Err(error) => answers::unanswered(&asked, &at, error, self.is_of_fly()),
        };
        error.message = self.access.without_token(error.message);
        Err(error)
    }
}
