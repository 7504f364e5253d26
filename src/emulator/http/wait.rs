//! The wait endpoint of Machines (docs/platform/machines-api.md 6).

use std::time::Duration;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::query::Query;
use super::response;
use super::server::Server;
use crate::emulator::world::Refusal;

/// The longest wait of one call.
const MAX_WAIT_S: u64 = 60;
/// How often a Machine is polled if no change is scheduled, because another call may change it.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The states that can be waited for.
const STATES: &[&str] = &[
    "started",
    "stopped",
    "suspended",
    "destroyed",
    "failed",
    "settled",
];

struct WaitRequest {
    states: Vec<String>,
    version: Option<String>,
    at_most: Duration,
}

impl WaitRequest {
    fn parse(query: &Query) -> Result<Self, Refusal> {
        let mut states: Vec<String> = query.all("state").map(str::to_owned).collect();
        if let Some(unknown) = states
            .iter()
            .find(|state| !STATES.contains(&state.as_str()))
        {
            let message = format!("invalid_argument: invalid state '{unknown}'");
            return Err(response::refusal(400, &message));
        }
        if states.is_empty() {
            states.push("started".to_owned());
        }
        let seconds = query
            .number("timeout")?
            .unwrap_or(MAX_WAIT_S)
            .clamp(1, MAX_WAIT_S);
        let version = query.text("version").or(query.text("instance_id"));
        Ok(Self {
            states,
            version: version.map(str::to_owned),
            at_most: Duration::from_secs(seconds),
        })
    }

    fn is_met(&self, shown: &Value) -> bool {
        let state = shown["state"].as_str().unwrap_or_default();
        let rests = matches!(
            state,
            "started" | "stopped" | "suspended" | "failed" | "destroyed"
        );
        let meets = |expected: &String| expected == state || (expected == "settled" && rests);
        let version = self.version.as_deref();
        let same = version.is_none_or(|version| shown["instance_id"] == version);
        same && self.states.iter().any(meets)
    }
}

pub(super) async fn wait(
    State(server): State<Server>,
    Path((app, id)): Path<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Response {
    let result = match WaitRequest::parse(&Query::parse(raw.as_deref())) {
        Ok(request) => wait_until_met(&server, &app, &id, &headers, &request).await,
        Err(refusal) => Err(refusal),
    };
    server.answer(StatusCode::OK, result)
}

async fn wait_until_met(
    server: &Server,
    app: &str,
    id: &str,
    headers: &HeaderMap,
    request: &WaitRequest,
) -> Result<Value, Refusal> {
    let deadline = Instant::now() + request.at_most;
    let mut shown = server
        .call_world(headers, |world| world.wait(app, id))
        .await?;
    loop {
        if request.is_met(&shown) {
            let event = shown.pointer("/events/0/id").cloned();
            return Ok(json!({
                "ok": true, "state": shown["state"], "version": shown["instance_id"],
                "event_id": event.unwrap_or_else(|| "".into()),
            }));
        }
        // flyctl meets it when a release command has ended before it waits for its start.
        if shown["state"] == "destroyed" {
            return Err(response::refusal(404, "not_found: machine not found"));
        }
        if Instant::now() >= deadline {
            let current = shown["state"].as_str().unwrap_or_default();
            let message = format!(
                "deadline_exceeded: machine failed to reach desired state, {}, currently {current}",
                request.states.join(",")
            );
            return Err(response::refusal(408, &message));
        }
        let pause = {
            let world = server.world();
            let own = world.next_change(app, id);
            own.map_or(POLL_INTERVAL, |at| at.saturating_sub(world.now()))
        };
        let pause = pause.clamp(Duration::from_millis(1), POLL_INTERVAL);
        sleep_until((Instant::now() + pause).min(deadline)).await;
        shown = server.world().inspect(app, id)?;
    }
}
