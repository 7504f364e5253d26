//! The emulated Machines API without a socket.

use std::time::Duration;

use aeroform::emulator::http::{Server, router};
use aeroform::provider::fly::{Request, Response, Transport, TransportError};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http;
use tower_service::Service;

/// Fly's own address, whose limits are documented.
pub(crate) const FLY: &str = "https://api.machines.dev";

/// The emulator's router, called in process.
pub(crate) struct InProcess(Router);

impl InProcess {
    pub(crate) fn to(server: &Server) -> Self {
        Self(router(server.clone()))
    }
}

#[async_trait::async_trait]
impl Transport for InProcess {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let here = ["http://127.0.0.1:4280", FLY];
        let path = here.iter().find_map(|base| request.url.strip_prefix(base));
        let path = path.expect("nobody else is asked");
        let mut built = http::Request::builder()
            .method(request.method.as_str())
            .uri(path);
        for (name, value) in &request.headers {
            built = built.header(*name, value);
        }
        let built = built.body(Body::from(request.body.unwrap_or_default()));
        let answer = self.0.clone().call(built.unwrap());
        let Ok(answer) = tokio::time::timeout(request.timeout, answer).await else {
            return Err(TransportError::Lost("the time is up".to_owned()));
        };
        let answer = answer.unwrap();
        let (head, body) = answer.into_parts();
        let text = |name: &str| Some(head.headers.get(name)?.to_str().unwrap().to_owned());
        let (status, retry_after) = (head.status.as_u16(), text("retry-after"));
        let request_id = text("fly-request-id");
        let body = to_bytes(body, usize::MAX).await;
        let body = body.map_err(|error| TransportError::Lost(error.to_string()))?;
        Ok(Response {
            status,
            retry_after: retry_after.map(|s| Duration::from_secs(s.parse().unwrap())),
            request_id,
            body: body.into(),
        })
    }
}
