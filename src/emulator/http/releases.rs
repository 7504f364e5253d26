//! Endpoints of releases, which the platform serves from another host.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::query::Query;
use super::server::Server;
use crate::emulator::world::World;

/// The default number of rows in a list.
const ROWS: u64 = 25;

pub(super) async fn create(
    State(server): State<Server>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let created = StatusCode::CREATED;
    server
        .serve_body(&headers, created, &bytes, World::create_release)
        .await
}

pub(super) async fn update(
    State(server): State<Server>,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    server
        .serve_body(&headers, StatusCode::OK, &bytes, |world, body| {
            world.update_release(&id, body)
        })
        .await
}

pub(super) async fn list(
    State(server): State<Server>,
    Path(app): Path<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Response {
    match Query::parse(raw.as_deref()).number("limit") {
        Ok(limit) => {
            let limit = usize::try_from(limit.unwrap_or(ROWS)).unwrap_or(usize::MAX);
            server
                .serve(&headers, StatusCode::OK, |world| {
                    world.releases(&app, limit)
                })
                .await
        }
        Err(refusal) => server.answer(StatusCode::OK, Err(refusal)),
    }
}
