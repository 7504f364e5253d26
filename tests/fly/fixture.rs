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
pub(crate) fn as_fly(server: &Server) -> FlyProvider<InProcess> {
    let access = Access::from_vars(|name| match name {
        "FLY_API_TOKEN" => Some(TOKEN),
        "FLY_API_BASE_URL" => Some(FLY),
        _ => None,
    });
    FlyProvider::new(InProcess::to(server), access.unwrap())
}

/// The provider over a platform in process.
pub(crate) fn provider(server: &Server) -> FlyProvider<InProcess> {
    FlyProvider::new(InProcess::to(server), access("http://127.0.0.1:4280"))
}

/// The provider over a platform behind a socket of this computer.
pub(crate) async fn over_http(server: &Server) -> FlyProvider<HttpTransport> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let app = router(server.clone());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let access = access(&base);
    FlyProvider::new(HttpTransport::new(&access).unwrap(), access)
}

/// One request in process, with a token.
pub(crate) async fn ask(server: &Server, method: &str, path: &str, body: Value) -> (u16, Value) {
    ask_with(server, method, path, body, None).await
}

/// The same with a lease.
pub(crate) async fn ask_with(
    server: &Server,
    method: &str,
    path: &str,
    body: Value,
    nonce: Option<&str>,
) -> (u16, Value) {
    let mut request = http::Request::builder().method(method).uri(path);
    request = request.header("authorization", "Bearer somebody");
    if let Some(nonce) = nonce {
        request = request.header("fly-machine-lease-nonce", nonce);
    }
    let body = match body {
        Value::Null => Body::empty(),
        body => Body::from(body.to_string()),
    };
    let answer = router(server.clone())
        .call(request.body(body).unwrap())
        .await;
    let answer = answer.unwrap();
    let status = answer.status().as_u16();
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    let text = String::from_utf8_lossy(&body).into_owned();
    let value = serde_json::from_slice(&body).unwrap_or(Value::String(text));
    (status, value)
}
