//! The emulated regions: some of Fly's, and one more.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::server::Server;
use crate::emulator::world::Answer;

/// Code and name. `emu` does not exist on Fly, so a response with it comes from the emulator.
const REGIONS: [(&str, &str); 7] = [
    ("ams", "Amsterdam, Netherlands"),
    ("bog", "Bogotá, Colombia"),
    ("emu", "This computer"),
    ("fra", "Frankfurt, Germany"),
    ("gru", "Sao Paulo, Brazil"),
    ("iad", "Ashburn, Virginia (US)"),
    ("syd", "Sydney, Australia"),
];

pub(super) async fn list(State(server): State<Server>, headers: HeaderMap) -> Response {
    server
        .serve(&headers, StatusCode::OK, |_| {
            let rows = REGIONS.map(|(code, name)| {
                json!({"code": code, "name": name, "latitude": 0, "longitude": 0,
                "gateway_available": true, "requires_paid_plan": false, "deprecated": false})
            });
            Answer {
                result: Ok(json!({"Regions": rows, "Nearest": "iad"})),
                delay: Duration::ZERO,
            }
        })
        .await
}
