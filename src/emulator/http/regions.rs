//! The regions of the emulated platform: some of Fly's, and one that only it has.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::server::Server;
use crate::emulator::world::Answer;

/// Code and name. `emu` is no region of Fly: whoever has it has asked.
const REGIONS: [(&str, &str); 7] = [
    ("ams", "Amsterdam, Netherlands"),
    ("bog", "Bogotá, Colombia"),
    ("emu", "This computer"),
    ("fra", "Frankfurt, Germany"),
    ("gru", "Sao Paulo, Brazil"),
    ("iad", "Ashburn, Virginia (US)"),
    ("syd", "Sydney, Australia"),
];

pub(super) async fn list(State(desk): State<Server>, headers: HeaderMap) -> Response {
    desk.serve(&headers, StatusCode::OK, |_| {
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
