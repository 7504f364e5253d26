//! Endpoints that take only a path and perhaps a body; the others are in the modules of their subjects.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::server::Server;
use crate::emulator::world::{Answer, World};

/// An app, and a Machine or a volume of it.
type IdPath = Path<(String, String)>;

/// An endpoint of an app.
pub(super) fn of_app(
    call: fn(&mut World, &str) -> Answer,
) -> impl Fn(State<Server>, Path<String>, HeaderMap) -> BoxFuture<'static, Response> + Clone {
    move |State(server), Path(app), headers| {
        Box::pin(async move {
            server
                .serve(&headers, StatusCode::OK, |world| call(world, &app))
                .await
        })
    }
}

/// An endpoint of an app, with a body.
pub(super) fn of_app_with_body(
    call: fn(&mut World, &str, &Value) -> Answer,
) -> impl Fn(State<Server>, Path<String>, HeaderMap, Bytes) -> BoxFuture<'static, Response> + Clone
{
    move |State(server), Path(app), headers, bytes| {
        Box::pin(async move {
            let call = |world: &mut World, body: &Value| call(world, &app, body);
            server
                .serve_body(&headers, StatusCode::OK, &bytes, call)
                .await
        })
    }
}

/// An endpoint of a Machine or a volume.
pub(super) fn of_id(
    call: fn(&mut World, &str, &str) -> Answer,
) -> impl Fn(State<Server>, IdPath, HeaderMap) -> BoxFuture<'static, Response> + Clone {
    move |State(server), Path((app, id)), headers| {
        Box::pin(async move {
            server
                .serve(&headers, StatusCode::OK, |world| call(world, &app, &id))
                .await
        })
    }
}

/// An endpoint of a Machine or a volume, with a body.
pub(super) fn of_id_with_body(
    call: fn(&mut World, &str, &str, &Value) -> Answer,
) -> impl Fn(State<Server>, IdPath, HeaderMap, Bytes) -> BoxFuture<'static, Response> + Clone {
    move |State(server), Path((app, id)), headers, bytes| {
        Box::pin(async move {
            let call = |world: &mut World, body: &Value| call(world, &app, &id, body);
            server
                .serve_body(&headers, StatusCode::OK, &bytes, call)
                .await
        })
    }
}
