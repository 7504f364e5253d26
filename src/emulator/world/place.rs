//! The world itself: what every call passes through (faults, the log, latency) and what tests look at.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Clock;
use super::app::{App, Disk};
use super::faults::{Effect, Fault, FaultId, Faults, Subject};
use super::lifecycle::{Script, State, Timings};
use super::operator::Operator;

/// The whole platform, on one clock and one seed.
#[derive(Clone)]
pub struct World {
    clock: Arc<dyn Clock>,
    seed: String,
    drawn: u64,
    /// How long things take; may be changed at any time and holds for what begins after.
    pub timings: Timings,
    /// Whether a second Machine of a name is refused. The platform is said to do so, and nobody may
    /// rely on it alone (RULES 4).
    pub unique_names: bool,
    pub(super) apps: BTreeMap<String, App>,
    faults: Faults,
    log: Vec<LoggedCall>,
}

/// What an endpoint answers, and after how long.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The body, or the refusal.
    pub result: Result<Value, Refusal>,
    /// The work is done at once; the caller hears of it only after this.
    pub delay: Duration,
}

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The `error` of the body.
    pub message: String,
    /// `Retry-After`.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            retry_after: None,
        }
    }
}

/// One call that came in, whatever came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedCall {
    /// When.
    pub at: Duration,
    /// Its action, by the names of [`Fault::on`].
    pub action: &'static str,
    /// The Machine's id; of a create its name.
    pub machine: Option<String>,
    /// The Machine's group.
    pub group: Option<String>,
}

impl World {
    /// An empty world whose ids come from this seed.
    pub fn new(seed: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            seed: seed.into(),
            drawn: 0,
            timings: Timings::default(),
            unique_names: true,
            apps: BTreeMap::new(),
            faults: Faults::default(),
            log: Vec::new(),
        }
    }

    /// The same world once more: from here on the two have nothing in common but their past. The
    /// clock must say the time that this world has now.
    #[must_use]
    pub fn fork(&self, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            ..self.clone()
        }
    }

    /// Adds an app without Machines, or begins it anew under a new id; gives the id.
    pub fn add_app(&mut self, name: &str) -> String {
        let id = self.draw()[..16].to_owned();
        self.apps.insert(name.to_owned(), App::new(id.clone()));
        id
    }

    /// Adds a volume that no Machine has; gives its id. Nothing when there is no such app.
    pub fn add_volume(
        &mut self,
        app: &str,
        name: &str,
        region: &str,
        size_gb: u32,
    ) -> Option<String> {
        let id = format!("vol_{}", &self.draw()[..16]);
        let disk = Disk {
            id: id.clone(),
            name: name.to_owned(),
            region: region.to_owned(),
            size_gb,
        };
        self.apps.get_mut(app)?.volumes.push(disk);
        Some(id)
    }

    /// Scripts a fault.
    pub fn inject(&mut self, fault: Fault) -> FaultId {
        self.faults.arm(fault)
    }

    /// How often it happened.
    pub fn fired(&self, fault: FaultId) -> u32 {
        self.faults.fired(fault)
    }

    /// Lets no scripted fault happen any more; those that come later do.
    pub fn calm(&mut self) {
        self.faults.calm();
    }

    /// Every call so far, in order.
    pub fn log(&self) -> &[LoggedCall] {
        &self.log
    }

    /// How many calls of this action came in.
    pub fn count(&self, action: &str) -> usize {
        self.log.iter().filter(|call| call.action == action).count()
    }

    /// Forgets the calls so far.
    pub fn clear_log(&mut self) {
        self.log.clear();
    }

    /// The hand of somebody else in this app: no fault touches it and the log does not show it.
    pub fn operator<'a>(&'a mut self, app: &'a str) -> Operator<'a> {
        Operator::new(self, app)
    }

    /// When this Machine changes next by itself.
    pub fn next_change(&self, app: &str, id: &str) -> Option<Duration> {
        let record = self.apps.get(app)?.record(id)?;
        record.timeline.next_change(self.now())
    }

    /// Now, by the world's clock.
    pub fn now(&self) -> Duration {
        self.clock.now()
    }

    /// 32 new hex characters.
    pub(super) fn draw(&mut self) -> String {
        self.drawn += 1;
        let hash = Sha256::digest(format!("{}/{}", self.seed, self.drawn));
        HEXLOWER.encode(&hash[..16])
    }

    /// A new instance id: 26 characters, rising with each draw as the platform's do.
    pub(super) fn draw_instance(&mut self) -> String {
        let rest = BASE32_NOPAD.encode(self.draw().as_bytes());
        format!("01{:08}{}", self.drawn, &rest[..16])
    }

    /// Passes one call through log and faults to its work.
    pub(super) fn serve(
        &mut self,
        call: &Subject<'_>,
        work: impl FnOnce(&mut Self, Script) -> Result<Value, Refusal>,
    ) -> Answer {
        self.log.push(LoggedCall {
            at: self.now(),
            action: call.action,
            machine: call.id.or(call.name).map(str::to_owned),
            group: call.group.map(str::to_owned),
        });
        let mut script = Script::default();
        let mut delay = self.timings.latency;
        let mut instead = None;
        let mut afterwards = None;
        let lost = |status| Refusal::new(status, "the answer was lost");
        for effect in self.faults.hit(call) {
            match effect {
                Effect::Refuse { status, message } => {
                    instead = Some(Err(Refusal::new(status, message)));
                }
                Effect::RateLimited { retry_after } => {
                    let mut refusal = Refusal::new(429, "rate limit exceeded");
                    refusal.retry_after = Some(retry_after);
                    instead = Some(Err(refusal));
                }
                Effect::LoseBefore { status } => instead = Some(Err(lost(status))),
                Effect::LoseAfter { status } => afterwards = Some(lost(status)),
                Effect::SlowAnswer(by) => delay += by,
                Effect::SlowStart(by) => script.slower += by,
                Effect::FailStart => script.fails = true,
                Effect::Ends(code) => script.ends = Some(code),
                Effect::ChecksNeverPass => script.checks_never_pass = true,
                Effect::ListLag(by) => script.unlisted += by,
                Effect::EmptyList => instead = Some(Ok(Value::Array(Vec::new()))),
                Effect::HostUnreachable => script.unreachable = true,
                Effect::Lie => instead = Some(Ok(self.untouched(call))),
            }
        }
        let done = instead.unwrap_or_else(|| work(self, script));
        let result = match afterwards {
            Some(refusal) => Err(refusal),
            None => done,
        };
        Answer { result, delay }
    }

    /// What a liar answers: the Machine as it is, or the bare success of calls that show none.
    fn untouched(&self, call: &Subject<'_>) -> Value {
        let now = self.now();
        let record = call
            .id
            .and_then(|id| self.apps.values().find_map(|app| app.record(id)));
        match (call.action, record) {
            ("update", Some(record)) => record.shown(now, &self.timings),
            _ => serde_json::json!({"ok": true}),
        }
    }

    pub(super) fn found(&self, app: &str) -> Result<&App, Refusal> {
        let missing = || Refusal::new(404, "app not found");
        self.apps.get(app).ok_or_else(missing)
    }

    pub(super) fn found_mut(&mut self, app: &str) -> Result<&mut App, Refusal> {
        let missing = || Refusal::new(404, "app not found");
        self.apps.get_mut(app).ok_or_else(missing)
    }

    /// The state of a Machine that can still be acted upon.
    pub(super) fn acting(&self, app: &str, id: &str) -> Result<State, Refusal> {
        let now = self.now();
        self.found(app)?
            .record(id)
            .map(|record| record.state(now))
            .filter(|state| *state != State::Destroyed)
            .ok_or_else(|| Refusal::new(404, "not_found: machine not found"))
    }
}
