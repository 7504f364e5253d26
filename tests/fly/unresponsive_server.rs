//! Servers that take requests and do not answer, or with more than anybody reads.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aeroform::core::fleet::{AppName, Known, MachineId, WaitUntil};
use aeroform::observe::observe;
use aeroform::provider::fly::{
    FlyProvider, HttpTransport, Request, Response, Transport, TransportError,
};
use aeroform::provider::{ErrorClass, Provider};
use tokio::time::Instant;

use crate::fixture::access;

/// Accepts, and says nothing until the time is up.
struct SilentTransport;

#[async_trait::async_trait]
impl Transport for SilentTransport {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        tokio::time::sleep(request.timeout).await;
        Err(TransportError::Lost("operation timed out".to_owned()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_given_up_and_it_is_said_what_is_waited_for() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let reported = Arc::clone(&lines);
    let provider = FlyProvider::new(SilentTransport, access("http://127.0.0.1:9")).with_progress(
        Arc::new(move |line| {
            reported.lock().unwrap().push(line.to_owned());
        }),
    );
    let app = AppName::new("shop").unwrap();
    let begun = Instant::now();
    let known = Known::empty(app.clone(), "fly");
    let error = observe(&provider, &app, &known).await.unwrap_err();
    assert!(
        begun.elapsed() <= Duration::from_secs(90),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(error.code(), "connection_lost", "{error}");
    let lines = lines.lock().unwrap().clone();
    assert_eq!(
        lines[0],
        "waiting for the response to GET /v1/apps/shop from http://127.0.0.1:9, at most 75 s"
    );
    assert!(lines.len() <= 6, "{lines:?}");
}

/// Answers once the requested time of a wait is over.
struct WaitingTransport;

#[async_trait::async_trait]
impl Transport for WaitingTransport {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let seconds = request.url.split("timeout=").nth(1);
        let seconds = seconds.map_or(0, |seconds| seconds.parse().unwrap());
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let (status, body) = match seconds {
            0 => (404, r#"{"error": "not_found: machine not found"}"#),
            _ => (408, r#"{"error": "deadline_exceeded: not in time"}"#),
        };
        let body = body.as_bytes().to_vec();
        Ok(Response {
            status,
            body,
            retry_after: None,
            request_id: None,
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_as_long_as_requested_is_no_silence() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let reported = Arc::clone(&lines);
    let provider = FlyProvider::new(WaitingTransport, access("http://127.0.0.1:9")).with_progress(
        Arc::new(move |line| {
            reported.lock().unwrap().push(line.to_owned());
        }),
    );
    let (app, id) = (
        AppName::new("shop").unwrap(),
        MachineId::new("148ed599c14189").unwrap(),
    );
    let begun = Instant::now();
    let at_most = Duration::from_secs(40);
    let waited = provider.wait(&app, &id, WaitUntil::Started, at_most).await;
    waited.unwrap_err();
    assert!(begun.elapsed() >= Duration::from_secs(10));
    assert_eq!(*lines.lock().unwrap(), [""; 0]);
}

/// A server that answers everything with this head and then goes on writing.
fn endless(head: &'static str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(head.as_bytes());
                let part = vec![b' '; 1 << 20];
                while stream.write_all(&part).is_ok() {}
            });
        }
    });
    base
}

#[tokio::test]
async fn a_body_without_end_is_refused_and_not_requested_again() {
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
    ] {
        let access = access(&endless(head));
        let provider = FlyProvider::new(HttpTransport::new(&access).unwrap(), access);
        let app = AppName::new("shop").unwrap();
        let error = provider.describe(&app).await.unwrap_err();
        assert_eq!(
            (&error.class, error.code),
            (&ErrorClass::Fatal, "too_large_answer"),
            "{error}"
        );
        assert!(error.message.contains("more than 256 MB"), "{error}");
    }
}
