//! What a Machine has gone through (facts/fly-machines-api.md 17.3).

use serde::Deserialize;
use serde_json::Value;

use crate::core::fleet::MachineEvent;

#[derive(Deserialize)]
struct Shown {
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

/// Reads the answer of the platform; what is no event is left out.
pub(in crate::provider) fn read(shown: &Value) -> Vec<MachineEvent> {
    let rows = shown.as_array().into_iter().flatten();
    rows.filter_map(|row| Shown::deserialize(row).ok())
        .map(Shown::event)
        .collect()
}

impl Shown {
    fn event(self) -> MachineEvent {
        let at = jiff::Timestamp::from_millisecond(self.timestamp);
        MachineEvent {
            at: at.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string(),
            info: self.info(),
            kind: self.kind,
            status: self.status,
            source: self.source,
        }
    }

    /// As flyctl tells it: exit code, memory, whether it was asked for; a move to another host.
    fn info(&self) -> Option<String> {
        if self.kind == "launch" && self.source == "flyd" {
            return Some("moved to another host".to_owned());
        }
        let request = self.request.as_ref()?;
        let nested = request.pointer("/MonitorEvent/exit_event");
        let exit = nested.or_else(|| request.get("exit_event"))?;
        let is = |key: &str| exit.get(key) == Some(&Value::Bool(true));
        let code = exit.get("exit_code").and_then(Value::as_i64);
        let mut parts = vec![format!("exit code {}", code.unwrap_or(0))];
        if is("oom_killed") {
            parts.push("out of memory".to_owned());
        }
        if is("requested_stop") {
            parts.push("asked for".to_owned());
        }
        Some(parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_exit_tells_its_code_and_whether_it_was_asked_for() {
        let shown = json!([
            {"type": "exit", "status": "stopped", "source": "flyd", "timestamp": 1_700_000_000_000_i64,
             "request": {"exit_event": {"exit_code": 137, "oom_killed": true, "requested_stop": false}}},
            {"type": "exit", "status": "stopped", "source": "flyd", "timestamp": 0,
             "request": {"MonitorEvent": {"exit_event": {"exit_code": 0, "requested_stop": true}}}},
            {"type": "launch", "status": "created", "source": "flyd"},
            7,
        ]);
        let told: Vec<_> = read(&shown)
            .into_iter()
            .map(|event| (event.at, event.info))
            .collect();
        let at = |at: &str, info: &str| (at.to_owned(), Some(info.to_owned()));
        assert_eq!(
            told,
            [
                at("2023-11-14T22:13:20Z", "exit code 137, out of memory"),
                at("1970-01-01T00:00:00Z", "exit code 0, asked for"),
                at("1970-01-01T00:00:00Z", "moved to another host"),
            ]
        );
        assert_eq!(read(&Value::Null), []);
    }
}
