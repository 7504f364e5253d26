//! An emulated platform, and ways to it.

use std::sync::Arc;

use aeroform::emulator::TokioClock;
use aeroform::emulator::http::{Server, router};
use aeroform::emulator::world::World;
use aeroform::provider::fly::{Access, FlyProvider, HttpTransport};
use axum::body::{Body, to_bytes};
use axum::http;
use serde_json::Value;
use tower_service::Service;

use crate::in_process::{FLY, InProcess};

pub(crate) const TOKEN: &str = "fm2_s3cret";

/// A platform with this one app.
pub(crate) fn platform() -> Server {
    let mut world = World::new("seed", Arc::new(TokioClock::start()));
    world.fills_in = true;
    world.add_app("shop");
    Server::new(world)
}

/// The access to a platform at this address.
pub(crate) fn access(base: &str) -> Access {
    Access::from_vars(|name| match name {
        "FLY_API_TOKEN" => Some(TOKEN),
        "FLY_FLAPS_BASE_URL" => Some(base),
        _ => None,
    })
    .unwrap()
}

/// The provider over a platform in process that it takes for Fly itself.
pub(crate) fn as_fly(desk: &Server) -> FlyProvider<InProcess> {
    let access = Access::from_vars(|name| match name {
        "FLY_API_TOKEN" => Some(TOKEN),
        "FLY_API_BASE_URL" => Some(FLY),
        _ => None,
    });
    FlyProvider::new(InProcess::to(desk), access.unwrap())
}

/// The provider over a platform in process.
pub(crate) fn provider(desk: &Server) -> FlyProvider<InProcess> {
    FlyProvider::new(InProcess::to(desk), access("http://127.0.0.1:4280"))
}

/// The provider over a platform behind a socket of this computer.
pub(crate) async fn over_http(desk: &Server) -> FlyProvider<HttpTransport> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let app = router(desk.clone());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let access = access(&base);
    FlyProvider::new(HttpTransport::new(&access).unwrap(), access)
}

/// One bare request in process, by somebody with a token.
pub(crate) async fn ask(desk: &Server, method: &str, path: &str, body: Value) -> (u16, Value) {
    ask_with(desk, method, path, body, None).await
}

/// The same with a lease.
pub(crate) async fn ask_with(
    desk: &Server,
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
