//! State shared by all steps of a run.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Mutex, OnceCell};

use super::cancel::Cancel;
use super::platform_additions::PlatformAdditions;
use super::rate_limits::RateLimits;
use super::run_input::{Halt, RunInput};
use super::steps::volumes::VolumePools;
use super::turns::Turns;
use crate::core::fleet::{
    Lineage, Machine, MachineId, MachineName, Release, ReleaseStamp, VolumeId,
};
use crate::core::plan::way_back::WayBack;
use crate::core::plan::{Event, InFlight, StepId, Work};
use crate::provider::backoff::Backoff;

/// Maximum steps that wait for the create limit: enough to use the limit fully, and few enough not to take the
/// permits of other steps.
const MAX_QUEUED_CREATES: usize = 3;

/// State shared by all steps of a run.
pub(super) struct ApplyContext<'a> {
    pub(super) input: RunInput<'a>,
    pub(super) cancel: Cancel,
    /// Machines created by this run, for standbys that watch them.
    pub(super) created: RefCell<BTreeMap<StepId, MachineId>>,
    /// Their volumes, including created ones.
    /// The platform lets this token cordon Machines.
    pub(super) may_cordon: Cell<bool>,
    pub(super) created_volumes: RefCell<BTreeMap<StepId, Vec<VolumeId>>>,
    /// Fields that the platform added by itself.
    pub(super) additions: PlatformAdditions,
    /// Volume pools for creates.
    pub(super) volume_pools: VolumePools,
    /// Machines whose hosts had no capacity, with their replacements.
    pub(super) replace_fallbacks: RefCell<BTreeMap<MachineId, MachineId>>,
    /// Machines as a step read them under their lease, before its first call.
    pub(super) bodies: RefCell<BTreeMap<(StepId, MachineId), Machine>>,
    /// The rollback that this is, if it is one.
    pub(super) rollback: Option<RollbackContext<'a>>,
    /// Serialises the re-pointing of standbys, since several steps may re-point the same one.
    pub(super) repointing: Mutex<()>,
    /// Who restarts of the Machines that were planned as stopped.
    pub(super) turns: Turns,
    /// The release of this run's Machines, once it has a number.
    pub(super) release: RefCell<Option<ReleaseStamp>>,
    /// The platform's newest release, once a conflict has requested it.
    pub(super) newest_release: OnceCell<Option<Release>>,
    /// Set once nothing new may start.
    pub(super) halt: RefCell<Option<Halt>>,
    /// Machine names in the snapshot.
    pub(super) observed_names: BTreeMap<&'a MachineName, &'a MachineId>,
    pub(super) limits: Rc<RateLimits>,
    /// Steps that wait for the app's create limit.
    pub(super) queued_creates: Cell<usize>,
    /// Unfinished steps whose calls have, or may have, changed something.
    pub(super) open_calls: RefCell<BTreeMap<StepId, CallState>>,
    pub(super) backoff: Backoff,
    pub(super) events: UnboundedSender<Event>,
}

impl<'a> ApplyContext<'a> {
    pub(super) fn new(job: RunInput<'a>, cancel: Cancel, events: UnboundedSender<Event>) -> Self {
        let machines = job.observed.machines.values();
        let alive = machines.filter(|machine| !machine.state.is_gone());
        let seed = job
            .run
            .run
            .as_str()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        Self {
            cancel,
            created: RefCell::default(),
            may_cordon: Cell::default(),
            created_volumes: RefCell::default(),
            additions: PlatformAdditions::default(),
            volume_pools: VolumePools::default(),
            replace_fallbacks: RefCell::default(),
            bodies: RefCell::default(),
            rollback: None,
            repointing: Mutex::default(),
            turns: Turns::default(),
            release: RefCell::default(),
            newest_release: OnceCell::new(),
            halt: RefCell::default(),
            observed_names: alive.map(|machine| (&machine.name, &machine.id)).collect(),
            limits: Rc::new(RateLimits::new(&job.observed.description.capabilities)),
            queued_creates: Cell::new(0),
            open_calls: RefCell::default(),
            backoff: Backoff::new(Duration::from_millis(200), Duration::from_secs(10), seed),
            events,
            input: job,
        }
    }

    /// The state of the rollback of this run: its own plan, and the limits of the run.
    pub(super) fn for_rollback(&self, way: &'a WayBack) -> Self {
        let input = RunInput {
            plan: &way.plan,
            ..self.input
        };
        Self {
            rollback: Some(RollbackContext {
                way,
                instances: self.additions.sent_instances(),
            }),
            limits: Rc::clone(&self.limits),
            ..Self::new(input, self.cancel.clone(), self.events.clone())
        }
    }

    /// The scope of the app.
    pub(super) fn lineage(&self) -> &'a Lineage {
        &self.input.observed.description.scope
    }

    /// Records which Machine a new one replaces.
    pub(super) fn record_replacement(&self, old: &MachineId, new: MachineId) {
        self.replace_fallbacks.borrow_mut().insert(old.clone(), new);
    }

    /// Whether a create started now would only queue.
    pub(super) fn create_queue_is_full(&self) -> bool {
        self.queued_creates.get() >= MAX_QUEUED_CREATES
    }

    /// Queues for the create limit until the guard is dropped.
    pub(super) fn join_create_queue(&self) -> CreateTicket<'_> {
        self.queued_creates.set(self.queued_creates.get() + 1);
        CreateTicket(&self.queued_creates)
    }

    /// Stops the run; the first reason is kept.
    pub(super) fn halt(&self, why: Halt) {
        self.halt.borrow_mut().get_or_insert(why);
    }

    /// Steps that remain open if the run stops now.
    pub(super) fn open_work(&self) -> InFlight {
        let mut left = InFlight {
            up_to_ms: self.cancel.grace().map(|grace| {
                // Grace is in whole seconds, and part of it has passed.
                u64::try_from(grace.as_millis().div_ceil(1000) * 1000).unwrap_or(u64::MAX)
            }),
            ..InFlight::default()
        };
        for (step, sent) in &*self.open_calls.borrow() {
            if let Work::Change(change) = &self.input.plan.steps[step.0 as usize].work {
                left.sent.add(&change.action);
            }
            left.unanswered += usize::from(*sent == CallState::Unanswered);
        }
        left
    }

    /// Whether new calls are forbidden.
    pub(super) fn is_halted(&self) -> bool {
        self.cancel.is_stopping() || matches!(*self.halt.borrow(), Some(Halt::LockLost))
    }
}

/// What the steps of a rollback need to know about the run.
pub(super) struct RollbackContext<'a> {
    /// What each step undoes.
    pub(super) way: &'a WayBack,
    /// The instance of each Machine that a call of the run made.
    pub(super) instances: BTreeMap<MachineId, String>,
}

/// Progress of a step's last call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallState {
    /// No response yet.
    Unanswered,
    /// Response received.
    Answered,
}

/// A place in the queue.
pub(super) struct CreateTicket<'a>(&'a Cell<usize>);

impl Drop for CreateTicket<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
