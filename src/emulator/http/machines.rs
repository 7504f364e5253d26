//! Endpoints of Machines, leases and metadata.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::query::{self, Query};
use super::response;
use super::server::Server;
use crate::emulator::world::{ListFilter, Refusal};

const OK: StatusCode = StatusCode::OK;

/// App and Machine id.
type MachinePath = Path<(String, String)>;

/// App, Machine id, and a metadata key or an action.
type MachineSubPath = Path<(String, String, String)>;

pub(super) async fn list(
    State(server): State<Server>,
    Path(app): Path<String>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = Query::parse(raw.as_deref());
    let filter = ListFilter {
        deleted: query.is_set("include_deleted"),
        region: query.text("region").map(str::to_owned),
        states: query.all("state").map(str::to_owned).collect(),
        metadata: query.with_prefix("metadata."),
        summary: query.is_set("summary"),
    };
    server
        .serve(&headers, OK, |world| world.list_filtered(&app, &filter))
        .await
}

pub(super) async fn destroy(
    State(server): State<Server>,
    Path((app, id)): MachinePath,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = Query::parse(raw.as_deref());
    let force = query.is_set("force") || query.is_set("kill");
    server
        .serve(&headers, OK, |world| world.destroy(&app, &id, force))
        .await
}

pub(super) async fn act(
    State(server): State<Server>,
    Path((app, id, action)): MachineSubPath,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    match action.as_str() {
        "start" => {
            server
                .serve(&headers, OK, |world| world.start(&app, &id))
                .await
        }
        "stop" => {
            server
                .serve(&headers, OK, |world| world.stop(&app, &id))
                .await
        }
        "suspend" => {
            server
                .serve(&headers, OK, |world| world.suspend(&app, &id))
                .await
        }
        "restart" => {
            server
                .serve(&headers, OK, |world| world.restart(&app, &id))
                .await
        }
        "cordon" | "uncordon" => {
            let cordoned = action == "cordon";
            server
                .serve(&headers, OK, |world| world.cordon(&app, &id, cordoned))
                .await
        }
        "signal" => {
            server
                .serve_body(&headers, OK, &bytes, |world, body| {
                    let signal = body.get("signal");
                    let kills = signal.is_some_and(|s| s == "SIGKILL" || s == 9);
                    world.signal(&app, &id, kills)
                })
                .await
        }
        _ => super::route_not_found().await,
    }
}

pub(super) async fn events(
    State(server): State<Server>,
    Path((app, id)): MachinePath,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Response {
    match Query::parse(raw.as_deref()).number("limit") {
        Ok(limit) => {
            let limit = usize::try_from(limit.unwrap_or(20).min(50)).unwrap_or(50);
            server
                .serve(&headers, OK, |world| world.events(&app, &id, limit))
                .await
        }
        Err(refusal) => server.answer(OK, Err(refusal)),
    }
}

pub(super) async fn lease(
    State(server): State<Server>,
    Path((app, id)): MachinePath,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    // The documentation has the ttl in the body, flyctl in the query (docs/platform/machines-api.md 7).
    let parsed = query::parse_body(&bytes).and_then(|body| {
        let written = body.get("ttl").and_then(Value::as_u64);
        let parsed = Query::parse(raw.as_deref()).number("ttl")?;
        Ok((parsed.or(written), body))
    });
    match parsed {
        Ok((ttl, body)) => {
            let why = body.get("description").and_then(Value::as_str);
            let ttl = ttl.map(Duration::from_secs);
            server
                .serve(&headers, StatusCode::CREATED, |world| {
                    world.lease(&app, &id, ttl, why.unwrap_or_default())
                })
                .await
        }
        Err(refusal) => server.answer(OK, Err(refusal)),
    }
}

pub(super) async fn put_metadata(
    State(server): State<Server>,
    place: MachinePath,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    write_metadata(&server, place, &headers, &bytes, true).await
}

pub(super) async fn patch_metadata(
    State(server): State<Server>,
    place: MachinePath,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    write_metadata(&server, place, &headers, &bytes, false).await
}

async fn write_metadata(
    server: &Server,
    Path((app, id)): MachinePath,
    headers: &HeaderMap,
    bytes: &Bytes,
    replace: bool,
) -> Response {
    let parsed = query::parse_body(bytes).and_then(|body| Ok((entries(&body)?, body)));
    match parsed {
        Ok((entries, body)) => {
            let version = body.get("machine_version").and_then(Value::as_str);
            server
                .serve(headers, StatusCode::NO_CONTENT, |world| {
                    world.metadata_entries(&app, &id, &entries, version, replace)
                })
                .await
        }
        Err(refusal) => server.answer(OK, Err(refusal)),
    }
}

fn entries(body: &Value) -> Result<BTreeMap<String, Option<String>>, Refusal> {
    let refused = || {
        response::refusal(
            400,
            "invalid_argument: metadata must be an object of strings",
        )
    };
    let written = body.get("metadata").and_then(Value::as_object);
    let pairs = written.ok_or_else(refused)?.iter();
    pairs
        .map(|(key, value)| match value {
            Value::Null => Ok((key.clone(), None)),
            Value::String(text) => Ok((key.clone(), Some(text.clone()))),
            _ => Err(refused()),
        })
        .collect()
}

pub(super) async fn read_entry(
    State(server): State<Server>,
    Path((app, id, key)): MachineSubPath,
    headers: HeaderMap,
) -> Response {
    let all = server
        .call_world(&headers, |world| world.read_metadata(&app, &id))
        .await;
    let entry = all.and_then(|all| {
        let value = all.get(&key).cloned();
        value.ok_or_else(|| response::refusal(404, "not_found: metadata key not found"))
    });
    server.answer(OK, entry.map(|value| json!({ "value": value })))
}

pub(super) async fn write_entry(
    State(server): State<Server>,
    Path((app, id, key)): MachineSubPath,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let value = query::parse_body(&bytes).and_then(|body| {
        let value = body.get("value").and_then(Value::as_str);
        let missing = || response::refusal(400, "invalid_argument: value is required");
        value.map(str::to_owned).ok_or_else(missing)
    });
    match value {
        Ok(value) => {
            server
                .serve(&headers, StatusCode::NO_CONTENT, |world| {
                    world.metadata(&app, &id, &key, Some(&value))
                })
                .await
        }
        Err(refusal) => server.answer(OK, Err(refusal)),
    }
}

pub(super) async fn delete_entry(
    State(server): State<Server>,
    Path((app, id, key)): MachineSubPath,
    headers: HeaderMap,
) -> Response {
    server
        .serve(&headers, StatusCode::NO_CONTENT, |world| {
            world.metadata(&app, &id, &key, None)
        })
        .await
}
