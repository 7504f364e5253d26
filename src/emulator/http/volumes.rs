//! Volumes.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::server::Server;

const OK: StatusCode = StatusCode::OK;

pub(super) async fn list(
    State(server): State<Server>,
    Path(app): Path<String>,
    headers: HeaderMap,
) -> Response {
    server
        .serve(&headers, OK, |world| world.volumes(&app))
        .await
}

pub(super) async fn create(
    State(server): State<Server>,
    Path(app): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    server
        .serve_body(&headers, OK, &bytes, |world, body| {
            world.create_volume(&app, body)
        })
        .await
}

pub(super) async fn read(
    State(server): State<Server>,
    Path((app, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    server
        .serve(&headers, OK, |world| world.volume(&app, &id))
        .await
}

pub(super) async fn update(
    State(server): State<Server>,
    Path((app, id)): Path<(String, String)>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    server
        .serve_body(&headers, OK, &bytes, |world, body| {
            world.update_volume(&app, &id, body)
        })
        .await
}

pub(super) async fn extend(
    State(server): State<Server>,
    Path((app, id)): Path<(String, String)>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    server
        .serve_body(&headers, OK, &bytes, |world, body| {
            world.extend_volume(&app, &id, body)
        })
        .await
}

pub(super) async fn delete(
    State(server): State<Server>,
    Path((app, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    server
        .serve(&headers, OK, |world| world.delete_volume(&app, &id))
        .await
}
