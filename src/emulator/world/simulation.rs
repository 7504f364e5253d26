//! The world itself: what every call passes through (faults, the log, latency) and what tests look at.

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

/// The whole platform, on one clock and one seed.
#[derive(Clone)]
pub struct World {
    clock: Arc<dyn Clock>,
    seed: String,
    /// How long things take; may be changed at any time and holds for what begins after.
    pub timings: Timings,
    /// Whether a second Machine of a name is refused. The platform is said to do so, and nobody may
    /// rely on it alone (rule 4).
    pub unique_names: bool,
    /// Whether shown configs have what the platform adds by itself (`restart`, `guest`, `dns`, sizes of volumes).
    pub fills_in: bool,
    /// What the platform adds besides to every config that is sent to it, where that is not said: defaults that
    /// nobody has heard of yet. A list has one entry, which is added to every entry that was sent.
    pub extra_defaults: Value,
    /// Whether shown configs have lists in another order and durations in another spelling than they were sent in,
    /// where that means nothing.
    pub respells: bool,
    /// In how many zones of a region volumes of one name can lie apart; none: always in one more. How many
    /// the platform has is not documented.
    pub zones: Option<u32>,
    /// The digests of images whose tags have moved, by name. Not kept with the world: a Machine keeps its own.
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

/// What comes with a call beside its body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// The lease that the caller says it holds.
    pub nonce: Option<String>,
    /// Who calls, as leases name their owner.
    pub owner: Option<String>,
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
    /// HTTP status; 0 when the connection ends without an answer.
    pub status: u16,
    /// The `error` of the body.
    pub message: String,
    /// The word in its `status`, where the platform has one for it.
    pub kind: Option<&'static str>,
    /// Whether the body is the envelope of the lease endpoints.
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

    /// The same world once more: from here on the two have nothing in common but their past. The
    /// clock must say the time that this world has now.
    #[must_use]
    pub fn fork(&self, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            ..self.clone()
        }
    }

    /// From now on the world's time began at this moment, in seconds since 1970.
    pub fn begin_at(&mut self, seconds: i64) {
        self.calendar.beginning = seconds;
    }

    /// Refuses what comes faster than the platform allows, or does not any more.
    pub fn limit_rates(&mut self, limited: bool) {
        self.limits = limited.then(Limits::default);
    }

    /// What comes with the next call.
    pub fn as_caller(&mut self, bearer: Caller) -> &mut Self {
        self.caller = bearer;
        self
    }

    pub(super) fn caller(&self) -> &Caller {
        &self.caller
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

    /// How often it happened.
    pub fn fired(&self, fault: FaultId) -> u32 {
        self.faults.fired(fault)
    }

    /// Lets no scripted fault happen any more; those that come later do.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
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
        record.next_change(self.now())
    }

    /// Now, by the world's clock.
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

    /// What is needed to show Machines of this app.
    pub(super) fn render_context<'a>(&self, app: &'a App) -> RenderContext<'a> {
        RenderContext {
            times: self.times(),
            fills_in: self.fills_in.then_some(app.volumes.as_slice()),
            respells: self.respells,
        }
    }

    /// A Machine of this app as the platform shows it.
    pub(super) fn render(&self, app: &App, record: &EmulatedMachine) -> Value {
        record.render(&self.render_context(app))
    }

    /// What the tag of this config's image names now, if somebody has moved it.
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

    /// A new instance id: 26 characters, rising with each draw as the platform's do.
    pub(super) fn draw_instance(&mut self) -> String {
        let rest = BASE32_NOPAD.encode(self.draw().as_bytes());
        format!("01{:08}{}", self.drawn, &rest[..16])
    }

    /// Passes one call through log, limits and faults to its work.
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

    /// What a liar answers: the Machine as it is, or the bare success of calls that show none.
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

    /// The state of a Machine that can still be acted upon.
    pub(super) fn require_active_state(&self, app: &str, id: &str) -> Result<State, Refusal> {
        let now = self.now();
        self.require_app(app)?
            .record(id)
            .map(|record| record.state(now))
            .filter(|state| *state != State::Destroyed)
            .ok_or_else(|| Refusal::new(404, "not_found: machine not found"))
    }
}

/// What faults make of a call.
#[derive(Default)]
struct FaultedCall {
    script: StartOverrides,
    slower: Duration,
    replaced_outcome: Option<ReplacedOutcome>,
    refusal_after: Option<Refusal>,
    leased: Option<Duration>,
    /// Fields that the answer lacks.
    omitted: Vec<String>,
}

/// The answer without these fields; of a list each entry.
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

/// What happens in place of the work.
enum ReplacedOutcome {
    Refused(Refusal),
    Empty,
    Untouched,
}

impl FaultedCall {
    fn take(&mut self, action: &str, effect: FaultEffect) {
        let lost = |status| Refusal::new(status, "the response was lost");
        let instead = match effect {
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
                self.script.ends = Some(code);
                return;
            }
            FaultEffect::ExitsAfter(exits) => {
                self.script.exits = Some(exits);
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
        self.replaced_outcome = Some(instead);
    }
}

/// What the platform says where there is no room (docs/platform/machines-api.md 1.7).
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
