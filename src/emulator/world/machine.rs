//! One Machine of the world, and the JSON that the platform shows of it.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::clock::written;
use super::lifecycle::{State, Timeline, Timings};

/// What the world keeps of a Machine. The config is the JSON that came.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) region: String,
    pub(super) config: Value,
    pub(super) instance: String,
    pub(super) timeline: Timeline,
    pub(super) created_at: Duration,
    pub(super) updated_at: Duration,
    pub(super) listed_from: Duration,
    pub(super) cordoned: bool,
    pub(super) unreachable: bool,
    pub(super) checks_never_pass: bool,
    /// Results of the run before: they stay to be read until the new one has its own.
    pub(super) old_results: Vec<Value>,
}

impl Record {
    pub(super) fn state(&self, now: Duration) -> State {
        self.timeline.at(now).0
    }

    pub(super) fn is_destroyed(&self, now: Duration) -> bool {
        self.state(now) == State::Destroyed
    }

    /// Whether its id is forgotten.
    pub(super) fn is_forgotten(&self, now: Duration, timings: &Timings) -> bool {
        let (state, since) = self.timeline.at(now);
        state == State::Destroyed && now >= since + timings.remembers_destroyed
    }

    pub(super) fn group(&self) -> Option<&str> {
        group_of(&self.config)
    }

    /// The volumes that its config mounts.
    pub(super) fn volumes(&self) -> impl Iterator<Item = &str> {
        volumes_of(&self.config)
    }

    /// Keeps the results that are there now as those of the run before.
    pub(super) fn age_results(&mut self, now: Duration, timings: &Timings) {
        self.old_results = self.checks(now, timings);
    }

    /// The Machine as the platform shows it.
    pub(super) fn shown(&self, now: Duration, timings: &Timings) -> Value {
        let mut shown = Map::new();
        for (key, text) in [
            ("id", self.id.as_str()),
            ("name", &self.name),
            ("state", self.state(now).as_str()),
            ("region", &self.region),
            ("instance_id", &self.instance),
            ("version", &self.instance),
        ] {
            shown.insert(key.to_owned(), text.into());
        }
        shown.insert("created_at".to_owned(), written(self.created_at).into());
        shown.insert("updated_at".to_owned(), written(self.updated_at).into());
        shown.insert("checks".to_owned(), self.checks(now, timings).into());
        shown.insert("cordoned".to_owned(), self.cordoned.into());
        if let Some((at, code)) = self.timeline.exit(now) {
            let exit = json!({"exit_code": code, "requested_stop": false, "restarting": false,
                "exited_at": written(at)});
            let event = json!({"type": "exit", "status": "stopped", "source": "flyd",
                "request": {"exit_event": exit}});
            shown.insert("events".to_owned(), json!([event]));
        }
        if self.unreachable {
            shown.insert("host_status".to_owned(), "unreachable".into());
        } else {
            shown.insert("host_status".to_owned(), "ok".into());
            shown.insert("config".to_owned(), self.config.clone());
        }
        Value::Object(shown)
    }

    fn checks(&self, now: Duration, timings: &Timings) -> Vec<Value> {
        let (state, since) = self.timeline.at(now);
        let first = since + timings.first_check;
        if state != State::Started || now < first {
            return self.old_results.clone();
        }
        let rounds =
            now.saturating_sub(first).as_nanos() / timings.check_interval.as_nanos().max(1);
        let last = first + timings.check_interval * u32::try_from(rounds).unwrap_or(u32::MAX);
        let (status, output) = if self.checks_never_pass {
            ("critical", "connection refused")
        } else {
            ("passing", "ok")
        };
        check_names(&self.config)
            .into_iter()
            .map(|name| {
                json!({"name": name, "status": status, "output": output, "updated_at": written(last)})
            })
            .collect()
    }
}

pub(super) fn group_of(config: &Value) -> Option<&str> {
    config.get("metadata")?.get("fly_process_group")?.as_str()
}

pub(super) fn volumes_of(config: &Value) -> impl Iterator<Item = &str> {
    let mounts = config.get("mounts").and_then(Value::as_array);
    mounts
        .into_iter()
        .flatten()
        .filter_map(|mount| mount.get("volume")?.as_str())
}

/// The names under which the platform reports a config's checks (facts/fly-machines-api.md 16, 21).
fn check_names(config: &Value) -> Vec<String> {
    let top = config.get("checks").and_then(Value::as_object);
    let mut names: Vec<String> = top.into_iter().flat_map(Map::keys).cloned().collect();
    let services = config.get("services").and_then(Value::as_array);
    let mut number = 0;
    for service in services.into_iter().flatten() {
        let port = service.get("internal_port").and_then(Value::as_u64);
        let checks = service.get("checks").and_then(Value::as_array);
        for check in checks.into_iter().flatten() {
            let kind = check.get("type").and_then(Value::as_str).unwrap_or("tcp");
            let port = port.unwrap_or_default();
            names.push(format!("servicecheck-{number:02}-{kind}-{port}"));
            number += 1;
        }
    }
    names
}
