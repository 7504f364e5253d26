//! Apps.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::query::Query;
use super::server::Server;
use crate::emulator::world::World;

pub(super) async fn list(
    State(server): State<Server>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = Query::parse(raw.as_deref());
    let slug = query.text("org_slug").unwrap_or_default();
    server
        .serve(&headers, StatusCode::OK, |world| world.list_apps(slug))
        .await
}

pub(super) async fn create(
    State(server): State<Server>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let created = StatusCode::CREATED;
    server
        .serve_body(&headers, created, &bytes, World::create_app)
        .await
}

pub(super) async fn delete(
    State(server): State<Server>,
    Path(app): Path<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Response {
    let force = Query::parse(raw.as_deref()).is_set("force");
    let accepted = StatusCode::ACCEPTED;
    server
        .serve(&headers, accepted, |world| world.delete_app(&app, force))
        .await
}
