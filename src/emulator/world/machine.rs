//! One Machine, and its JSON.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::app::EmulatedVolume;
use super::clock::Calendar;
use super::events::{Event, Idle};
use super::image;
use super::lease::Lease;
use super::lifecycle::{State, Timeline, Timings};
use super::platform_defaults::{fill_defaults, respell};

/// The stored state of a Machine. The config is the received JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not a state machine"
)]
pub(super) struct EmulatedMachine {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) region: String,
    pub(super) config: Value,
    pub(super) instance: String,
    timeline: Timeline,
    pub(super) created_at: Duration,
    pub(super) updated_at: Duration,
    pub(super) listed_from: Duration,
    pub(super) cordoned: bool,
    pub(super) unreachable: bool,
    /// While its host does not respond, an incomplete config is shown.
    #[serde(default)]
    pub(super) in_part: bool,
    pub(super) checks_never_pass: bool,
    /// Check results of the previous run, shown until the new run has its own.
    old_results: Vec<Value>,
    /// Events before its current timeline.
    past: Vec<Event>,
    lease: Option<Lease>,
    /// The digest of its image if the tag had been moved when it was pulled.
    #[serde(default)]
    moved_image: Option<String>,
    /// Its previous versions, oldest first, each with its config as received.
    #[serde(default)]
    replaced: VecDeque<(String, Value)>,
}

/// A Machine's group and health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineSummary {
    /// Its process group, if its config is shown.
    pub group: Option<String>,
    /// Its state.
    pub state: &'static str,
    /// Whether no check fails.
    pub passes_checks: bool,
    /// Whether it is out of rotation.
    pub cordoned: bool,
}

/// How many previous versions are kept.
const VERSIONS: usize = 20;

/// The input for a new Machine.
pub(super) struct NewEmulatedMachine {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) region: String,
    pub(super) config: Value,
    pub(super) instance: String,
    pub(super) timeline: Timeline,
    pub(super) now: Duration,
}

/// The current time, and durations.
#[derive(Clone)]
pub(super) struct TimeContext {
    pub(super) now: Duration,
    pub(super) timings: Timings,
    pub(super) calendar: Calendar,
}

/// The input for a Machine's JSON.
pub(super) struct RenderContext<'a> {
    pub(super) times: TimeContext,
    /// The app's volumes, if the platform fills in defaults.
    pub(super) fills_in: Option<&'a [EmulatedVolume]>,
    pub(super) respells: bool,
}

impl EmulatedMachine {
    pub(super) fn new(birth: NewEmulatedMachine) -> Self {
        Self {
            id: birth.id,
            name: birth.name,
            region: birth.region,
            config: birth.config,
            instance: birth.instance,
            timeline: birth.timeline,
            created_at: birth.now,
            updated_at: birth.now,
            listed_from: birth.now,
            cordoned: false,
            unreachable: false,
            in_part: false,
            checks_never_pass: false,
            old_results: Vec::new(),
            past: Vec::new(),
            lease: None,
            moved_image: None,
            replaced: VecDeque::new(),
        }
    }

    pub(super) fn state(&self, now: Duration) -> State {
        self.timeline.at(now).0
    }

    pub(super) fn is_destroyed(&self, now: Duration) -> bool {
        self.state(now) == State::Destroyed
    }

    /// Whether its id can no longer be read.
    pub(super) fn is_forgotten(&self, now: Duration, timings: &Timings) -> bool {
        let (state, since) = self.timeline.at(now);
        state == State::Destroyed && now >= since + timings.remembers_destroyed
    }

    /// The time of the next scheduled change.
    pub(super) fn next_change(&self, now: Duration) -> Option<Duration> {
        self.timeline.next_change(now)
    }

    /// Whether it was created without a start: nothing of it can still be active.
    pub(super) fn only_prepared(&self, now: Duration) -> bool {
        let mut states = self.timeline.begun(now).map(|(_, state)| state);
        states.next() == Some(State::Created) && states.next() == Some(State::Stopped)
    }

    /// When its current state began.
    pub(super) fn since(&self, now: Duration) -> Duration {
        self.timeline.at(now).1
    }

    pub(super) fn group(&self) -> Option<&str> {
        group_of(&self.config)
    }

    /// The volumes that its config mounts.
    pub(super) fn volumes(&self) -> impl Iterator<Item = &str> {
        volumes_of(&self.config)
    }

    /// Replaces its timeline; earlier states remain in its events and check results.
    pub(super) fn set_timeline(&mut self, times: &TimeContext, timeline: Timeline) {
        self.old_results = self.checks(times.now, &times.timings, times.calendar);
        self.past = self.all_events(times.now);
        self.timeline = timeline;
    }

    /// Its events, oldest first.
    fn all_events(&self, now: Duration) -> Vec<Event> {
        let mut events = self.past.clone();
        for (at, state) in self.timeline.begun(now) {
            let ended = self.timeline.exit_at(at);
            let event = |state, ended| Event {
                at,
                state,
                ended,
                idle: None,
            };
            if state != State::Stopped && ended.is_some() {
                events.push(event(State::Stopped, ended));
            }
            // Several changes within one moment, and a state that continues, are one event.
            let last = events.last().map(|last| last.state);
            if last == Some(state) {
                continue;
            }
            let idle = match (state, last) {
                (State::Stopped, Some(State::Created)) => Some(Idle::Made),
                (State::Stopped, Some(State::Replacing)) => Some(Idle::Updated),
                _ => None,
            };
            events.push(Event {
                idle: idle.filter(|_| ended.is_none()),
                ..event(state, ended)
            });
        }
        events
    }

    /// Its events as JSON, newest first.
    pub(super) fn events(&self, now: Duration, calendar: Calendar, limit: usize) -> Vec<Value> {
        let happened = self.all_events(now);
        let numbered = happened.iter().enumerate().rev();
        let shown = numbered.map(|(number, event)| event.render(&self.id, number, calendar));
        shown.take(limit).collect()
    }

    /// Sets a new config, which is a new version.
    pub(super) fn set_config(&mut self, config: Value, instance: String, now: Duration) {
        let config = std::mem::replace(&mut self.config, config);
        let instance = std::mem::replace(&mut self.instance, instance);
        self.replaced.push_back((instance, config));
        if self.replaced.len() > VERSIONS {
            self.replaced.pop_front();
        }
        self.updated_at = now;
    }

    /// Pulls the current image of its tag.
    pub(super) fn pull(&mut self, moved: Option<String>) {
        self.moved_image = moved;
    }

    /// Its versions as JSON, newest first.
    pub(super) fn versions(&self) -> Vec<Value> {
        let now = std::iter::once((&self.instance, &self.config));
        let before = self
            .replaced
            .iter()
            .rev()
            .map(|(version, config)| (version, config));
        let shown = |(version, config)| json!({"version": version, "user_config": config});
        now.chain(before).map(shown).collect()
    }

    /// The current lease.
    pub(super) fn lease(&self, now: Duration) -> Option<&Lease> {
        let held = self.lease.as_ref().filter(|lease| lease.expires > now);
        held.filter(|_| !self.is_destroyed(now))
    }

    pub(super) fn set_lease(&mut self, lease: Option<Lease>) {
        self.lease = lease;
    }

    /// The Machine's JSON.
    pub(super) fn render(&self, context: &RenderContext<'_>) -> Value {
        let (now, calendar) = (context.times.now, context.times.calendar);
        let mut shown = Map::new();
        for (key, text) in [
            ("id", self.id.as_str()),
            ("name", &self.name),
            ("state", self.state(now).as_str()),
            ("region", &self.region),
            ("instance_id", &self.instance),
            ("version", &self.instance),
            ("private_ip", &private_ip(&self.id)),
        ] {
            shown.insert(key.to_owned(), text.into());
        }
        for (key, value) in [
            ("created_at", calendar.seconds(self.created_at).into()),
            ("updated_at", calendar.seconds(self.updated_at).into()),
            (
                "checks",
                self.checks(now, &context.times.timings, calendar).into(),
            ),
            ("events", self.events(now, calendar, EVENTS_SHOWN).into()),
            ("cordoned", self.cordoned.into()),
        ] {
            shown.insert(key.to_owned(), value);
        }
        if self.unreachable {
            shown.insert("host_status".to_owned(), "unreachable".into());
            if self.in_part {
                shown.insert("config".to_owned(), Value::Null);
                shown.insert("incomplete_config".to_owned(), self.config.clone());
            }
        } else {
            let mut config = match context.fills_in {
                Some(disks) => fill_defaults(&self.config, disks),
                None => self.config.clone(),
            };
            if context.respells {
                respell(&mut config);
            }
            let image = self.config.get("image").and_then(Value::as_str);
            shown.insert("host_status".to_owned(), "ok".into());
            shown.insert(
                "image_ref".to_owned(),
                image::reference(image.unwrap_or_default(), self.moved_image.as_deref()),
            );
            shown.insert("config".to_owned(), config);
        }
        Value::Object(shown)
    }

    /// What its JSON says about its group and its health.
    pub(super) fn summary(&self, times: &TimeContext) -> MachineSummary {
        // A host that does not respond shows the config in part or not at all.
        let is_shown = !self.unreachable || self.in_part;
        let passes_checks = if self.has_results(times.now, &times.timings) {
            !self.checks_never_pass || check_names(&self.config).is_empty()
        } else {
            let mut results = self.old_results.iter();
            results.all(|check| check["status"] == "passing")
        };
        MachineSummary {
            group: self.group().filter(|_| is_shown).map(str::to_owned),
            state: self.state(times.now).as_str(),
            passes_checks,
            cordoned: self.cordoned,
        }
    }

    /// Whether the current run has check results of its own.
    fn has_results(&self, now: Duration, timings: &Timings) -> bool {
        let (state, since) = self.timeline.at(now);
        state == State::Started && now >= since + timings.first_check
    }

    fn checks(&self, now: Duration, timings: &Timings, calendar: Calendar) -> Vec<Value> {
        if !self.has_results(now, timings) {
            return self.old_results.clone();
        }
        let first = self.since(now) + timings.first_check;
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
                let updated_at = calendar.precise(last);
                json!({"name": name, "status": status, "output": output, "updated_at": updated_at})
            })
            .collect()
    }
}

/// How many events a Machine's JSON includes.
const EVENTS_SHOWN: usize = 5;

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

/// The platform's names for a config's checks (docs/platform/machines-api.md 16, 21).
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

/// A private address that never changes: three of its groups come from the Machine's id.
fn private_ip(id: &str) -> String {
    let group = |from: usize| {
        let digits = id.get(from..from + 4).unwrap_or_default();
        match digits.trim_start_matches('0') {
            "" => "0",
            digits => digits,
        }
    };
    format!("fdaa:0:1:a7b:{}:{}:{}:2", group(0), group(4), group(8))
}
