//! An emulated platform, and ways to it.

use std::sync::Arc;
use std::time::Duration;

use aeroform::emulator::TokioClock;
use aeroform::emulator::http::{Desk, router};
use aeroform::emulator::world::World;
use aeroform::provider::fly::{
    Access, FlyProvider, HttpTransport, Request, Response, Transport, TransportError,
};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http;
use serde_json::Value;
use tower_service::Service;

pub(crate) const TOKEN: &str = "fm2_s3cret";

/// A platform with this one app.
pub(crate) fn platform() -> Desk {
    let mut world = World::new("seed", Arc::new(TokioClock::start()));
    world.fills_in = true;
    world.add_app("shop");
    Desk::new(world)
}

/// The emulator's router, called in process.
pub(crate) struct InProcess(Router);

impl InProcess {
    pub(crate) fn to(desk: &Desk) -> Self {
        Self(router(desk.clone()))
    }
}

#[async_trait::async_trait]
impl Transport for InProcess {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let here = ["http://127.0.0.1:4280", FLY];
        let path = here.iter().find_map(|base| request.url.strip_prefix(base));
        let path = path.expect("nobody else is asked");
        let mut asked = http::Request::builder()
            .method(request.method.as_str())
            .uri(path);
        for (name, value) in &request.headers {
            asked = asked.header(*name, value);
        }
        let asked = asked.body(Body::from(request.body.unwrap_or_default()));
        let answer = self.0.clone().call(asked.unwrap());
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

/// The access to a platform at this address.
pub(crate) fn access(base: &str) -> Access {
    Access::of_vars(|name| match name {
        "FLY_API_TOKEN" => Some(TOKEN),
        "FLY_FLAPS_BASE_URL" => Some(base),
        _ => None,
    })
    .unwrap()
}

/// Fly's own address, whose limits are documented.
const FLY: &str = "https://api.machines.dev";

/// The provider over a platform in process that it takes for Fly itself.
pub(crate) fn as_fly(desk: &Desk) -> FlyProvider<InProcess> {
    let access = Access::of_vars(|name| match name {
        "FLY_API_TOKEN" => Some(TOKEN),
        "FLY_API_BASE_URL" => Some(FLY),
        _ => None,
    });
    FlyProvider::new(InProcess::to(desk), access.unwrap())
}

/// The provider over a platform in process.
pub(crate) fn provider(desk: &Desk) -> FlyProvider<InProcess> {
    FlyProvider::new(InProcess::to(desk), access("http://127.0.0.1:4280"))
}

/// The provider over a platform behind a socket of this computer.
pub(crate) async fn over_http(desk: &Desk) -> FlyProvider<HttpTransport> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let app = router(desk.clone());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let access = access(&base);
    FlyProvider::new(HttpTransport::new(&access).unwrap(), access)
}

/// One bare request in process, by somebody with a token.
pub(crate) async fn ask(desk: &Desk, method: &str, path: &str, body: Value) -> (u16, Value) {
    ask_with(desk, method, path, body, None).await
}

/// The same with a lease.
pub(crate) async fn ask_with(
    desk: &Desk,
    method: &str,
    path: &str,
    body: Value,
    nonce: Option<&str>,
) -> (u16, Value) {
    let mut asked = http::Request::builder().method(method).uri(path);
    asked = asked.header("authorization", "Bearer somebody");
    if let Some(nonce) = nonce {
        asked = asked.header("fly-machine-lease-nonce", nonce);
    }
    let body = match body {
        Value::Null => Body::empty(),
        body => Body::from(body.to_string()),
    };
    let answer = router(desk.clone()).call(asked.body(body).unwrap()).await;
    let answer = answer.unwrap();
    let status = answer.status().as_u16();
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    let text = String::from_utf8_lossy(&body).into_owned();
    let value = serde_json::from_slice(&body).unwrap_or(Value::String(text));
    (status, value)
}
