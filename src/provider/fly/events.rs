//! Parses a Machine's events (docs/platform/machines-api.md 17.3).

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::core::fleet::{Exit, MachineEvent, ProcessEvent, ProcessEventKind};

#[derive(Deserialize)]
struct EventJson {
    #[serde(default)]
    id: Option<Value>,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    source: String,
    /// Milliseconds since 1970.
    #[serde(default)]
    timestamp: i64,
    #[serde(default)]
    request: Option<Value>,
}

/// Parses the platform's response; skips entries that are not events.
pub fn parse_events(shown: &Value) -> Vec<MachineEvent> {
    let rows = shown.as_array().into_iter().flatten();
    rows.filter_map(|row| EventJson::deserialize(row).ok())
        .map(EventJson::into_machine_event)
        .collect()
}

/// Parses the process events in a Machine's JSON, newest first.
pub(super) fn parse_process_events(shown: &RawValue) -> Vec<ProcessEvent> {
    let rows: Vec<Value> = serde_json::from_str(shown.get()).unwrap_or_default();
    rows.iter()
        .filter_map(|row| EventJson::deserialize(row).ok())
        .map(|event| ProcessEvent {
            id: event.event_id(),
            kind: event.process_event_kind(),
        })
        .collect()
}

impl EventJson {
    /// The event's id, or a hash of its content.
    fn event_id(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        match self.id.as_ref().and_then(Value::as_str) {
            Some(id) => id.hash(&mut hasher),
            None => (&self.kind, &self.status, self.timestamp).hash(&mut hasher),
        }
        hasher.finish()
    }

    fn process_event_kind(&self) -> ProcessEventKind {
        match (self.kind.as_str(), self.status.as_str()) {
            ("exit", _) => ProcessEventKind::Exited(self.exit()),
            ("launch" | "update", _) => ProcessEventKind::Changed,
            // A start requested while the Machine is still stopping does not count as a start.
            ("start" | "restart" | "resume", "starting" | "started") => ProcessEventKind::Started,
            ("stop" | "suspend", _) => ProcessEventKind::StopRequested,
            _ => ProcessEventKind::Other,
        }
    }

    fn exit(&self) -> Exit {
        let nothing = Value::Null;
        let request = self.request.as_ref().unwrap_or(&nothing);
        let event = self.exit_event().unwrap_or(&nothing);
        let is = |key: &str| event.get(key).and_then(Value::as_bool);
        let number = |key: &str| event.get(key).and_then(Value::as_i64);
        let narrow = |number: i64| i32::try_from(number).ok();
        let signal = [number("guest_signal"), number("signal")];
        let count = |within: &Value| within.get("restart_count").and_then(Value::as_u64);
        let count = count(request).or_else(|| count(request.get("MonitorEvent")?));
        Exit {
            code: number("exit_code")
                .or(number("guest_exit_code"))
                .and_then(narrow),
            // The platform uses -1 for none.
            signal: signal
                .into_iter()
                .flatten()
                .find(|signal| *signal > 0)
                .and_then(narrow),
            oom_killed: is("oom_killed") == Some(true),
            requested: is("requested_stop") == Some(true),
            restarting: is("restarting"),
            restarts: u32::try_from(count.unwrap_or(0)).unwrap_or(u32::MAX),
        }
    }

    fn exit_event(&self) -> Option<&Value> {
        let request = self.request.as_ref()?;
        let nested = request.pointer("/MonitorEvent/exit_event");
        nested.or_else(|| request.get("exit_event"))
    }

    fn into_machine_event(self) -> MachineEvent {
        let at = jiff::Timestamp::from_millisecond(self.timestamp);
        MachineEvent {
            at: at.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string(),
            info: self.info(),
            kind: self.kind,
            status: self.status,
            source: self.source,
        }
    }

    /// The detail as flyctl shows it: exit code, memory, whether it was requested; or a move to another host.
    fn info(&self) -> Option<String> {
        if self.kind == "launch" && self.source == "flyd" {
            return Some("moved to another host".to_owned());
        }
        let exit = self.exit_event()?;
        let is = |key: &str| exit.get(key) == Some(&Value::Bool(true));
        let code = exit.get("exit_code").and_then(Value::as_i64);
        let mut parts = vec![format!("exit code {}", code.unwrap_or(0))];
        if is("oom_killed") {
            parts.push("out of memory".to_owned());
        }
        if is("requested_stop") {
            parts.push("requested".to_owned());
        }
        Some(parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_exit_has_its_code_and_whether_it_was_requested() {
        let shown = json!([
            {"type": "exit", "status": "stopped", "source": "flyd", "timestamp": 1_700_000_000_000_i64,
             "request": {"exit_event": {"exit_code": 137, "oom_killed": true, "requested_stop": false}}},
            {"type": "exit", "status": "stopped", "source": "flyd", "timestamp": 0,
             "request": {"MonitorEvent": {"exit_event": {"exit_code": 0, "requested_stop": true}}}},
            {"type": "launch", "status": "created", "source": "flyd"},
            7,
        ]);
        let detail: Vec<_> = parse_events(&shown)
            .into_iter()
            .map(|event| (event.at, event.info))
            .collect();
        let at = |at: &str, info: &str| (at.to_owned(), Some(info.to_owned()));
        assert_eq!(
            detail,
            [
                at("2023-11-14T22:13:20Z", "exit code 137, out of memory"),
                at("1970-01-01T00:00:00Z", "exit code 0, requested"),
                at("1970-01-01T00:00:00Z", "moved to another host"),
            ]
        );
        assert_eq!(parse_events(&Value::Null), []);
    }
}
