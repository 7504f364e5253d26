//! The simulation: what every call passes through (faults, the log, latency), and inspection for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Clock;
use super::app::{App, EmulatedVolume};
use super::clock::Calendar;
use super::faults::{Fault, FaultEffect, FaultId, FaultSubject, Faults};
use super::lease::{self, Lease};
use super::lifecycle::{StartOverrides, State, Timings};
use super::limits::Limits;
use super::machine::{EmulatedMachine, RenderContext, TimeContext};
use super::operator::Operator;
use super::persisted::ChangedItem;

/// The emulated platform, with one clock and one seed.
#[derive(Clone)]
pub struct World {
    clock: Arc<dyn Clock>,
    seed: String,
    /// Durations; a change applies to what begins afterwards.
    pub timings: Timings,
    /// Whether a second Machine with a name is refused. The platform is said to do so, but clients must not
    /// depend on it (rule 4).
    pub unique_names: bool,
    /// Whether shown configs include the platform's defaults (`restart`, `guest`, `dns`, sizes of volumes).
    pub fills_in: bool,
    /// Further defaults that the platform adds to every received config, as unknown new fields. A list with
    /// one entry is added to every received entry.
    pub extra_defaults: Value,
    /// Whether shown configs reorder lists and respell durations where that has no meaning.
    pub respells: bool,
    /// The number of zones per region; `None` is unlimited. The platform's number is undocumented.
    pub zones: Option<u32>,
    /// The digests of moved tags, by image name. Not stored: each Machine stores its own digest.
    pub(super) moved_tags: BTreeMap<String, String>,
    pub(super) calendar: Calendar,
    limits: Option<Limits>,
    caller: Caller,
    pub(super) changed: BTreeSet<ChangedItem>,
    pub(super) drawn: u64,
    pub(super) apps: BTreeMap<String, App>,
    faults: Faults,
    log: Vec<LoggedCall>,
}

/// Properties of the caller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// The nonce of the caller's lease.
    pub nonce: Option<String>,
    /// The caller's name, for leases.
    pub owner: Option<String>,
}

/// The response of an endpoint, and its latency.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The body or the refusal.
    pub result: Result<Value, Refusal>,
    /// The call takes effect at once; its caller gets the response after this delay.
    pub delay: Duration,
}

/// An unsuccessful response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status; 0 if the connection closes without a response.
    pub status: u16,
    /// The `error` field of the body.
    pub message: String,
    /// The `status` field of the body, if the platform defines one.
    pub kind: Option<&'static str>,
    /// Whether the body uses the envelope of the lease endpoints.
    pub enveloped: bool,
    /// `Retry-After`.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            kind: None,
            enveloped: false,
            retry_after: None,
        }
    }

    pub(super) fn kind(mut self, kind: &'static str) -> Self {
        self.kind = Some(kind);
        self
    }

    pub(super) fn enveloped(mut self) -> Self {
        self.enveloped = true;
        self
    }
}

/// One received call, whatever its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedCall {
    /// The time.
    pub at: Duration,
    /// Its action; see [`Fault::on`].
    pub action: &'static str,
    /// The Machine's id; for a create its name.
    pub machine: Option<String>,
    /// The Machine's group.
    pub group: Option<String>,
}

impl World {
    /// An empty simulation with seeded ids.
    pub fn new(seed: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            seed: seed.into(),
            timings: Timings::default(),
            unique_names: true,
            fills_in: false,
            extra_defaults: Value::Null,
            respells: false,
            zones: None,
            moved_tags: BTreeMap::new(),
            calendar: Calendar::default(),
            limits: None,
            caller: Caller::default(),
            changed: BTreeSet::new(),
            drawn: 0,
            apps: BTreeMap::new(),
            faults: Faults::default(),
            log: Vec::new(),
        }
    }

    /// An independent copy. The clock must show this simulation's current time.
    #[must_use]
    pub fn fork(&self, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            ..self.clone()
        }
    }

    /// Sets the calendar time of the beginning, in seconds since 1970.
    pub fn begin_at(&mut self, seconds: i64) {
        self.calendar.beginning = seconds;
    }

    /// Enables or disables the platform's rate limits.
    pub fn limit_rates(&mut self, limited: bool) {
        self.limits = limited.then(Limits::default);
    }

    /// Sets the caller of the next call.
    pub fn as_caller(&mut self, caller: Caller) -> &mut Self {
        self.caller = caller;
        self
    }

    pub(super) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Adds an app without Machines, or recreates it with a new id; returns the id.
    pub fn add_app(&mut self, name: &str) -> String {
        let id = self.draw()[..16].to_owned();
        self.apps.insert(name.to_owned(), App::new(id.clone()));
        id
    }

    /// Adds an unattached volume and returns its id; `None` if the app does not exist.
    pub fn add_volume(
        &mut self,
        app: &str,
        name: &str,
        region: &str,
        size_gb: u32,
    ) -> Option<String> {
        let id = format!("vol_{}", &self.draw()[..16]);
        let mut disk = EmulatedVolume::new(id.clone(), name, region, self.now());
        disk.size_gb = size_gb;
        let found = self.apps.get_mut(app)?;
        disk.zone = found.zone(name, region, None, true).unwrap_or(1);
        found.volumes.push(disk);
        Some(id)
    }

    /// Scripts a fault.
    pub fn inject(&mut self, fault: Fault) -> FaultId {
        self.faults.add(fault)
    }

    /// How often it fired.
    pub fn fired(&self, fault: FaultId) -> u32 {
        self.faults.fired(fault)
    }

    /// Removes all scripted faults.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// All calls, in order.
    pub fn log(&self) -> &[LoggedCall] {
        &self.log
    }

    /// How many calls of this action were received.
    pub fn count(&self, action: &str) -> usize {
        self.log.iter().filter(|call| call.action == action).count()
    }

    /// Clears the log.
    pub fn clear_log(&mut self) {
        self.log.clear();
    }

    /// Makes changes in this app as another user, without faults and log.
    pub fn operator<'a>(&'a mut self, app: &'a str) -> Operator<'a> {
        Operator::new(self, app)
    }

    /// When this Machine's next scheduled change happens.
    pub fn next_change(&self, app: &str, id: &str) -> Option<Duration> {
        let record = self.apps.get(app)?.record(id)?;
        record.next_change(self.now())
    }

    /// The simulation's current time.
    pub fn now(&self) -> Duration {
        self.clock.now()
    }

    pub(super) fn times(&self) -> TimeContext {
        TimeContext {
            now: self.now(),
            timings: self.timings.clone(),
            calendar: self.calendar,
        }
    }

    /// The input for the JSON of this app's Machines.
    pub(super) fn render_context<'a>(&self, app: &'a App) -> RenderContext<'a> {
        RenderContext {
            times: self.times(),
            fills_in: self.fills_in.then_some(app.volumes.as_slice()),
            respells: self.respells,
        }
    }

    /// The JSON of a Machine of this app.
    pub(super) fn render(&self, app: &App, record: &EmulatedMachine) -> Value {
        record.render(&self.render_context(app))
    }

    /// The digest of this config's image if its tag was moved.
    pub(super) fn moved_image(&self, config: &Value) -> Option<String> {
        let image = config.get("image")?.as_str()?;
        self.moved_tags.get(image).cloned()
    }

    /// 32 new hex characters.
    pub(super) fn draw(&mut self) -> String {
        self.drawn += 1;
        let hash = Sha256::digest(format!("{}/{}", self.seed, self.drawn));
        HEXLOWER.encode(&hash[..16])
    }

    /// A new instance id: 26 characters that increase with each draw, like the platform's.
    pub(super) fn draw_instance(&mut self) -> String {
        let rest = BASE32_NOPAD.encode(self.draw().as_bytes());
        format!("01{:08}{}", self.drawn, &rest[..16])
    }

    /// Passes one call through log, limits and faults to its implementation.
    pub(super) fn serve(
        &mut self,
        call: &FaultSubject<'_>,
        work: impl FnOnce(&mut Self, StartOverrides) -> Result<Value, Refusal>,
    ) -> Answer {
        let now = self.now();
        self.log.push(LoggedCall {
            at: now,
            action: call.action,
            machine: call.id.or(call.name).map(str::to_owned),
            group: call.group.map(str::to_owned),
        });
        let latency = self.timings.latency;
        let id = call.id.unwrap_or(call.app);
        let limited = self.limits.as_mut();
        if let Some(Err(pause)) = limited.map(|limits| limits.take(now, call.action, id)) {
            self.caller = Caller::default();
            return Answer {
                result: Err(rate_limited(pause)),
                delay: latency,
            };
        }
        let mut altered = FaultedCall::default();
        for effect in self.faults.effects_on(call, &self.seed) {
            altered.take(call.action, effect);
        }
        if let (Some(ttl), Some(id)) = (altered.leased, call.id) {
            self.lease_to_another(call.app, id, ttl);
        }
        let guarded = self
            .check_lease(call)
            .filter(|_| altered.replaced_outcome.is_none());
        let done = match (altered.replaced_outcome, guarded) {
            (Some(ReplacedOutcome::Refused(refusal)), _) | (None, Some(refusal)) => Err(refusal),
            (Some(ReplacedOutcome::Empty), _) => Ok(Value::Array(Vec::new())),
            (Some(ReplacedOutcome::Untouched), _) => Ok(self.false_success(call)),
            (None, None) => {
                self.mark_changed(call.app, call.id);
                work(self, altered.script)
            }
        };
        self.caller = Caller::default();
        let done = done.map(|answer| without(answer, &altered.omitted));
        Answer {
            result: altered.refusal_after.map_or(done, Err),
            delay: latency + altered.slower,
        }
    }

    fn check_lease(&self, call: &FaultSubject<'_>) -> Option<Refusal> {
        let record = self.apps.get(call.app)?.record(call.id?)?;
        let nonce = self.caller.nonce.as_deref();
        lease::refusal(call.action, record, nonce, self.now(), self.calendar)
    }

    fn lease_to_another(&mut self, app: &str, id: &str, ttl: Duration) {
        let (now, nonce) = (self.now(), self.draw()[..12].to_owned());
        let record = self.apps.get_mut(app).and_then(|app| app.record_mut(id));
        let free = record.filter(|record| record.lease(now).is_none());
        if let Some(record) = free {
            self.changed.insert((app.to_owned(), Some(id.to_owned())));
            record.set_lease(Some(Lease {
                nonce,
                owner: "somebody.else@example.com".to_owned(),
                description: "held by a fault".to_owned(),
                expires: now + ttl,
            }));
        }
    }

    /// The response of a call with false success: the Machine as it is, or the plain success of calls that
    /// return none.
    fn false_success(&self, call: &FaultSubject<'_>) -> Value {
        let app = self.apps.get(call.app);
        let found = app.and_then(|app| Some((app, app.record(call.id?)?)));
        match (call.action, found) {
            ("update", Some((app, record))) => self.render(app, record),
            _ => serde_json::json!({"ok": true}),
        }
    }

    pub(super) fn require_app(&self, app: &str) -> Result<&App, Refusal> {
        let missing = || Refusal::new(404, "app not found");
        self.apps.get(app).ok_or_else(missing)
    }

    pub(super) fn require_app_mut(&mut self, app: &str) -> Result<&mut App, Refusal> {
        let missing = || Refusal::new(404, "app not found");
        self.apps.get_mut(app).ok_or_else(missing)
    }

    /// The state of a Machine, unless it is destroyed.
    pub(super) fn require_active_state(&self, app: &str, id: &str) -> Result<State, Refusal> {
        let now = self.now();
        self.require_app(app)?
            .record(id)
            .map(|record| record.state(now))
            .filter(|state| *state != State::Destroyed)
            .ok_or_else(|| Refusal::new(404, "not_found: machine not found"))
    }
}

/// The combined effect of faults on a call.
#[derive(Default)]
struct FaultedCall {
    script: StartOverrides,
    slower: Duration,
    replaced_outcome: Option<ReplacedOutcome>,
    refusal_after: Option<Refusal>,
    leased: Option<Duration>,
    /// Fields that the response omits.
    omitted: Vec<String>,
}

/// The response without these fields; for a list, each entry.
fn without(mut answer: Value, fields: &[String]) -> Value {
    let entries = match &mut answer {
        Value::Array(entries) => entries.as_mut_slice(),
        one => std::slice::from_mut(one),
    };
    for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
        entry.retain(|key, _| !fields.contains(key));
    }
    answer
}

/// What happens instead of the call.
enum ReplacedOutcome {
    Refused(Refusal),
    Empty,
    Untouched,
}

impl FaultedCall {
    fn take(&mut self, action: &str, effect: FaultEffect) {
        let lost = |status| Refusal::new(status, "the response was lost");
        let replaced = match effect {
            FaultEffect::Refuse { status, message } => {
                ReplacedOutcome::Refused(Refusal::new(status, message))
            }
            FaultEffect::NoRoom { message } => ReplacedOutcome::Refused(no_room(action, message)),
            FaultEffect::Refusal(refused) => {
                let (status, message) = refused.answer(action);
                ReplacedOutcome::Refused(Refusal::new(status, message))
            }
            FaultEffect::RateLimited { retry_after } => {
                ReplacedOutcome::Refused(rate_limited(retry_after))
            }
            FaultEffect::LoseBefore { status } => ReplacedOutcome::Refused(lost(status)),
            FaultEffect::BreakBefore => ReplacedOutcome::Refused(lost(0)),
            FaultEffect::EmptyList => ReplacedOutcome::Empty,
            FaultEffect::FalseSuccess => ReplacedOutcome::Untouched,
            FaultEffect::LoseAfter { status } => {
                self.refusal_after = Some(lost(status));
                return;
            }
            FaultEffect::BreakAfter => {
                self.refusal_after = Some(lost(0));
                return;
            }
            FaultEffect::SlowAnswer(by) => {
                self.slower += by;
                return;
            }
            FaultEffect::Omits(field) => {
                self.omitted.push(field);
                return;
            }
            FaultEffect::LeaseHeld(ttl) => {
                self.leased = Some(ttl);
                return;
            }
            FaultEffect::SlowStart(by) => {
                self.script.slower += by;
                return;
            }
            FaultEffect::ListLag(by) => {
                self.script.unlisted += by;
                return;
            }
            FaultEffect::FailStart => {
                self.script.fails = true;
                return;
            }
            FaultEffect::ExitsAtOnce(code) => {
                self.script.exit_code = Some(code);
                return;
            }
            FaultEffect::ExitsAfter(exits) => {
                self.script.exits = Some(exits);
                return;
            }
            FaultEffect::StoppedAfter(after) => {
                self.script.stopped_after = Some(after);
                return;
            }
            FaultEffect::Reverts => {
                self.script.reverts = true;
                return;
            }
            FaultEffect::StartsStopped => {
                self.script.starts_stopped = true;
                return;
            }
            FaultEffect::StaysCreated => {
                self.script.stays_created = true;
                return;
            }
            FaultEffect::WrongRegion(region) => {
                self.script.region_override = Some(region);
                return;
            }
            FaultEffect::ChecksNeverPass => {
                self.script.checks_never_pass = true;
                return;
            }
            FaultEffect::Migrates => {
                self.script.migrates = true;
                return;
            }
            FaultEffect::HostUnreachable { in_part } => {
                self.script.unreachable = true;
                self.script.in_part = in_part;
                return;
            }
        };
        self.replaced_outcome = Some(replaced);
    }
}

/// The platform's response if there is no capacity (docs/platform/machines-api.md 1.7).
fn no_room(action: &str, message: Option<String>) -> Refusal {
    let usual =
        "could not reserve resource for machine: insufficient CPUs available to fulfill request";
    let refusal = Refusal::new(412, message.unwrap_or_else(|| usual.to_owned()));
    if action == "create" {
        refusal.kind("insufficient_capacity")
    } else {
        refusal
    }
}

fn rate_limited(pause: Duration) -> Refusal {
    let mut refusal = Refusal::new(429, "rate limit exceeded");
    refusal.retry_after = Some(pause);
    refusal
}
