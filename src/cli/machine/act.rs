//! `aeroform machine start`, `stop`, `restart`, `suspend`, `cordon`, `uncordon`: one call per Machine,
//! immediately. Files do not describe this, so no plan undoes it (rule 10).
//!
//! Each call is made under the Machine's lease. If the platform has no leases, the state's lock excludes other
//! runs on this computer; the state is neither read nor written.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::args::{MachineActArgs, PlanOptions};
use super::super::formats::{self, CommandOutput};
use super::super::lock;
use super::super::session::{self, Session};
use super::super::{Context, codes};
use super::{find_machine, other_project_error};
use crate::apply::{Stability, StabilityWatch};
use crate::core::fleet::{AppName, Call, Capabilities, Desired, Machine, MachineState, WaitUntil};
use crate::core::plan::{Requested, steady_ms};
use crate::core::view::escape;
use crate::core::view::phrases::human_limit;
use crate::observe::read_with_retry;
use crate::provider::codes as answers;
use crate::provider::retry::{self, CALL, FailedTry};
use crate::provider::{ErrorClass, Provider, ProviderError};
use crate::run::{AppLease, lease_wait_cause};
use crate::ui::{self, Exit, Failure, Signals, Ui};

/// How long a Machine may take to start or stop: longer than the platform's longest kill timeout.
const STATE_TIMEOUT: Duration = Duration::from_secs(330);

/// How long a Machine may take to settle before a rejected call is repeated.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(60);

/// An action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MachineAction {
    Start,
    Stop,
    Restart,
    Suspend,
    Cordon,
    Uncordon,
}

/// Runs the action on each Machine, one after the other.
pub(super) async fn run(
    context: &Context<'_>,
    action: MachineAction,
    args: &MachineActArgs,
) -> Result<Exit, Failure> {
    let ui = context.ui;
    let mut signals = Signals::listen()?;
    let session = Session::open_lenient_online(context).await?;
    let provider = session.provider(context)?;
    let app = &session.desired.app;
    let reading = async {
        let known = session.load_state_or_warn(ui).await;
        let known = known.unwrap_or_else(|| session.empty_state());
        let described = read_with_retry(|| provider.describe(app)).await?;
        let listing = read_with_retry(|| provider.list(app)).await?;
        Ok::<_, Failure>((known, described, listing.machines))
    };
    let (known, described, machines) = signals.or_interrupted(reading).await??;
    let mut targets: Vec<&Machine> = Vec::new();
    for id in &args.ids {
        let machine = find_machine(machines.iter(), id)?;
        if described.belongs_to_other_project(machine) && !known.machines.contains_key(&machine.id)
        {
            return Err(other_project_error(machine));
        }
        if !targets.iter().any(|target| target.id == machine.id) {
            targets.push(machine);
        }
    }
    let command = format!("machine {}", action.name());
    let lock = if described.capabilities.leases {
        None
    } else {
        let me = lock::holder(context, &command, None);
        Some(lock::lock_state(ui, &mut signals, &*session.store, &me, args.lock_timeout).await?)
    };
    let options = PlanOptions {
        steady: args.steady,
        ..PlanOptions::default()
    };
    let flags = session::with_plan_options(context, &options, Requested::default())?;
    let hand = ActContext {
        desired: &session.desired,
        capabilities: &described.capabilities,
        flags,
        ui,
        provider: &*provider,
        app,
        verb: action,
        why: format!("aeroform {command} by {}", context.env.user()),
        patience: args.lock_timeout,
        call_sent: Cell::new(false),
    };
    let mut ended = Ok(());
    for (at, target) in targets.iter().enumerate() {
        ended = hand.run_on(&mut signals, target).await.map_err(|failure| {
            let left: Vec<&str> = targets[at + 1..].iter().map(|m| m.id.as_str()).collect();
            if left.is_empty() {
                failure
            } else {
                failure.cause(format!("not started: {}", left.join(" ")))
            }
        });
        if ended.is_err() {
            break;
        }
    }
    if let Some(lock) = lock {
        lock.release().await?;
    }
    ended?;
    ui.say(&format!("note: {}", action.plan_remark()));
    Ok(Exit::Done)
}

struct ActContext<'a> {
    desired: &'a Desired,
    capabilities: &'a Capabilities,
    flags: Requested,
    ui: &'a Ui,
    provider: &'a dyn Provider,
    app: &'a AppName,
    verb: MachineAction,
    why: String,
    patience: Duration,
    /// Whether the call for the current Machine was made.
    call_sent: Cell<bool>,
}

impl ActContext<'_> {
    /// Runs the action on one Machine, under its lease.
    async fn run_on(&self, signals: &mut Signals, target: &Machine) -> Result<(), Failure> {
        self.call_sent.set(false);
        let ui = self.ui;
        let patience = self.patience;
        let mut waiting = |error: &ProviderError| {
            let limit = human_limit(patience);
            ui.talk(&escape::safe(&format!(
                "waiting up to {limit} for {}: {}",
                lease_wait_cause(error),
                error.message
            )));
        };
        let taken = AppLease::acquire_machine(
            self.provider,
            self.app,
            target.id.clone(),
            &self.why,
            self.patience,
            &mut waiting,
        );
        let lease = signals.or_interrupted(taken).await?.map_err(lease_error)?;
        let Some(lease) = lease else {
            return Err(gone_error(target));
        };
        let ended = {
            let work = async {
                tokio::select! {
                    biased;
                    done = self.perform(target) => done,
                    never = lease.refresh_lease() => match never {},
                }
            };
            signals.or_interrupted(work).await
        };
        lease.release_lease().await;
        let (before, after) = match ended {
            Ok(done) => done?,
            Err(_) if self.call_sent.get() => return Err(self.interrupted_error(target)),
            Err(interrupted) => return Err(interrupted),
        };
        self.report(&before, &after);
        Ok(())
    }

    /// A signal came during the wait; the platform continues by itself.
    fn interrupted_error(&self, target: &Machine) -> Failure {
        let message = format!(
            "interrupted; Machine {}: the result of {} is unknown",
            target.id,
            self.verb.name()
        );
        let failure = Failure::new(ui::codes::INTERRUPTED, message);
        failure.hint(format!("`aeroform machine status {}` shows it", target.id))
    }

    /// The Machine before and after.
    async fn perform(&self, target: &Machine) -> Result<(Machine, Machine), Failure> {
        let before = self.read(target).await?;
        if before.state.is_gone() {
            return Err(gone_error(target));
        }
        if self.verb.is_done(&before) {
            return Ok((before.clone(), before));
        }
        self.verb.check_allowed(&before)?;
        let lost = self.call_until_done(target).await?;
        let Some(until) = self.verb.until() else {
            let after = self.read(target).await?;
            return match lost {
                Some(error) if !self.verb.is_done(&after) => Err(error.into()),
                Some(_) | None => Ok((before, after)),
            };
        };
        self.ui.say(&format!(
            "{}: waiting until it is {}, up to {}",
            target.id,
            self.verb.reached_text(),
            human_limit(STATE_TIMEOUT)
        ));
        match (self.wait(target, until, STATE_TIMEOUT).await, lost) {
            (Ok(after), _) => {
                let after = self.check_stays_up(&before, after).await?;
                Ok((before, after))
            }
            (Err(_), Some(lost)) => Err(lost.into()),
            (Err(error), None) => Err(error.into()),
        }
    }

    /// A started Machine must stay up for the steady window to count as started.
    async fn check_stays_up(&self, before: &Machine, after: Machine) -> Result<Machine, Failure> {
        let window = self.stability_window(before);
        if self.verb.until() != Some(WaitUntil::Started) || window.is_zero() {
            return Ok(after);
        }
        let id = &before.id;
        self.ui.say(&format!(
            "{id}: waiting until it stays up, up to {}",
            human_limit(window)
        ));
        let mut watch = StabilityWatch::new(window, Some(before));
        let deadline = Instant::now() + STATE_TIMEOUT;
        let poll = Duration::from_millis(self.capabilities.poll_ms.max(100));
        let mut now = after;
        loop {
            match watch.observe(&now, Instant::now()) {
                Stability::Up(left) if left.is_zero() => return Ok(now),
                Stability::AtRest(remark) => {
                    self.ui.say(&format!("note: {}", escape::safe(&remark)));
                    return Ok(now);
                }
                Stability::Failed(failing) => {
                    let failure = Failure::new(failing.code(), failing.message(&now));
                    return Err(failure.hint(format!("check its logs: `aeroform logs {id}`")));
                }
                Stability::Up(_) | Stability::Down => {}
            }
            if Instant::now() >= deadline {
                let state = now.state.as_str();
                let message = format!("Machine {id} did not stay up: it is {state}");
                return Err(Failure::new(answers::NOT_REACHED, message));
            }
            sleep(poll).await;
            now = self.read(before).await?;
            if now.state.is_gone() {
                return Err(gone_error(&now));
            }
        }
    }

    /// The steady window; none for a standby.
    fn stability_window(&self, machine: &Machine) -> Duration {
        if !machine.standby_for.is_empty() {
            return Duration::ZERO;
        }
        let group = machine.group.as_ref();
        let group = group.and_then(|group| self.desired.groups.get(group));
        let ms = match group {
            Some(group) => steady_ms(group, &self.flags, Some(self.capabilities)),
            None => self.flags.steady_ms.or(Some(self.capabilities.steady_ms)),
        };
        Duration::from_millis(ms.unwrap_or(0))
    }

    /// Makes the call until it is taken, as an apply does: where the platform is not done with the Machine yet, or an
    /// answer was lost, a look comes before the next call. Gives the error where the call may have happened all the
    /// same: the wait that follows tells.
    async fn call_until_done(&self, target: &Machine) -> Result<Option<ProviderError>, Failure> {
        let call = self.verb.call(target);
        self.call_sent.set(true);
        self.ui.mark_changing();
        let mut first = true;
        let call = async || {
            if !std::mem::take(&mut first) {
                // One that takes longer meets the call as it is.
                let _ = self.wait(target, WaitUntil::Settled, SETTLE_TIMEOUT).await;
                let now = self.read(target).await?;
                if now.state.is_gone() || self.verb.is_done(&now) {
                    return Ok(());
                }
            }
            let send = async || self.provider.call(self.app, &call).await;
            let report = async |failed| self.wait_for_retry(failed).await;
            let receipt = retry::retry(retry::of_call, send, report).await?;
            if let Some(remark) = &receipt.remark {
                self.ui
                    .talk(&escape::safe(&format!("{}: {remark}", target.id)));
            }
            Ok(())
        };
        let policy = |error: &ProviderError| match error.class {
            ErrorClass::Conflict => Some(CALL.retry()),
            ErrorClass::Unknown if self.verb.is_repeatable() => Some(CALL.retry()),
            ErrorClass::Unknown
            | ErrorClass::Invalid
            | ErrorClass::NoRoom
            | ErrorClass::NotFound
            | ErrorClass::RateLimited(_)
            | ErrorClass::Transient
            | ErrorClass::Fatal => None,
        };
        let report = async |failed| self.wait_for_retry(failed).await;
        match retry::retry(policy, call, report).await {
            Ok(()) => Ok(None),
            Err(error) if error.class == ErrorClass::Unknown => Ok(Some(error)),
            Err(error) => Err(error.into()),
        }
    }

    /// Reports another try, and lets the pause pass.
    async fn wait_for_retry(&self, failed: FailedTry<ProviderError>) -> Result<(), ProviderError> {
        if failed.failed == 1 {
            let message = escape::safe(&failed.error.message).into_owned();
            self.ui.talk(&format!("tries again: {message}"));
        }
        retry::sleep_between(failed).await
    }

    async fn read(&self, target: &Machine) -> Result<Machine, ProviderError> {
        read_with_retry(|| self.provider.get(self.app, &target.id)).await
    }

    async fn wait(
        &self,
        target: &Machine,
        until: WaitUntil,
        at_most: Duration,
    ) -> Result<Machine, ProviderError> {
        let deadline = Instant::now() + at_most;
        let wait = async || {
            let left = deadline.saturating_duration_since(Instant::now());
            let id = &target.id;
            self.provider.wait(self.app, id, until, left).await
        };
        let policy = |error: &ProviderError| retry::of_wait(error, at_most);
        retry::retry(policy, wait, retry::sleep_between).await
    }

    fn report(&self, before: &Machine, after: &Machine) {
        let output = CommandOutput::MachineAction {
            action: self.verb.name(),
            before,
            after,
        };
        formats::print(self.ui, output);
    }
}

impl MachineAction {
    /// The verb as typed.
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Suspend => "suspend",
            Self::Cordon => "cordon",
            Self::Uncordon => "uncordon",
        }
    }

    fn call(self, target: &Machine) -> Call {
        let id = target.id.clone();
        match self {
            Self::Start => Call::Start { id },
            Self::Stop => Call::Stop { id },
            Self::Restart => Call::Restart { id },
            Self::Suspend => Call::Suspend { id },
            Self::Cordon => Call::Cordon { id },
            Self::Uncordon => Call::Uncordon { id },
        }
    }

    /// The state to wait for after the call.
    fn until(self) -> Option<WaitUntil> {
        match self {
            Self::Start | Self::Restart => Some(WaitUntil::Started),
            // A suspended Machine counts as stopped.
            Self::Stop | Self::Suspend => Some(WaitUntil::Stopped),
            Self::Cordon | Self::Uncordon => None,
        }
    }

    fn reached_text(self) -> &'static str {
        match self {
            Self::Start | Self::Restart => "started",
            Self::Stop => "stopped",
            Self::Suspend => "suspended",
            Self::Cordon => "cordoned",
            Self::Uncordon => "uncordoned",
        }
    }

    /// Whether the Machine is already in the target state.
    fn is_done(self, machine: &Machine) -> bool {
        match self {
            Self::Start => machine.state == MachineState::Started,
            Self::Stop => machine.state == MachineState::Stopped,
            Self::Suspend => machine.state == MachineState::Suspended,
            Self::Restart => false,
            Self::Cordon => machine.cordoned,
            Self::Uncordon => !machine.cordoned,
        }
    }

    /// Whether a call that may have happened can be made again. Nothing tells whether a Machine was restarted.
    fn is_repeatable(self) -> bool {
        match self {
            Self::Start | Self::Stop | Self::Suspend | Self::Cordon | Self::Uncordon => true,
            Self::Restart => false,
        }
    }

    /// Only running Machines can be restarted or suspended.
    fn check_allowed(self, machine: &Machine) -> Result<(), Failure> {
        let runs = matches!(
            machine.state,
            MachineState::Started | MachineState::Starting
        );
        if runs || !matches!(self, Self::Restart | Self::Suspend) {
            return Ok(());
        }
        let (id, state) = (&machine.id, machine.state.as_str());
        let message = format!("cannot {} Machine {id}: it is {state}", self.name());
        Err(Failure::new(codes::MACHINE_DOWN, message)
            .hint(format!("start it with `aeroform machine start {id}`")))
    }

    /// The note about later plans.
    fn plan_remark(self) -> &'static str {
        match self {
            Self::Start | Self::Stop | Self::Suspend => {
                "a later plan does not undo this; an update leaves a stopped or suspended Machine stopped"
            }
            Self::Restart => {
                "the Machine version is unchanged; to apply new secrets run `aeroform restart`"
            }
            Self::Cordon => "a later plan does not undo this; use `aeroform machine uncordon`",
            Self::Uncordon => "a later plan does not undo this",
        }
    }
}

fn gone_error(target: &Machine) -> Failure {
    let message = format!("Machine {} is gone", target.id);
    Failure::new(codes::NO_SUCH_MACHINE, message).hint("`aeroform machine list` lists the Machines")
}

/// The error for a held lease.
fn lease_error(error: ProviderError) -> Failure {
    if error.class != ErrorClass::Conflict {
        return error.into();
    }
    let failure = Failure::new(codes::APP_LEASED, "another client is changing this Machine");
    let hint = "wait until it is done, or use `--lock-timeout`".to_owned();
    failure
        .cause(&error.message)
        .hint(error.hint.unwrap_or(hint))
}
