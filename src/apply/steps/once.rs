//! A command that runs once, to its end, on a Machine of its own (docs/platform/fly-toml.md 11.1, rules 28, 40).
//!
//! The Machine has a derived name, so that a later run finds it. It is started at most once: after a lost answer its
//! events decide. Nothing is left, except a release command that still runs, which the outcome names.

use std::cell::Cell;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::Instant;

use super::StepProgress;
use super::create::{CreateResult, create_once};
use super::once_signs::{has_ended, was_started};
use crate::apply::codes;
use crate::apply::run_input::Halt;
use crate::apply::step_context::StepContext;
use crate::apply::step_error::{CallError, PartError, PartResult, StepError, WaitResult};
use crate::core::fleet::call::CreateCall;
use crate::core::fleet::{
    Call, Exit, LaunchId, Machine, MachineConfig, MachineId, MachineState, OnceCommand, OnceKind,
    Stamps, WaitUntil,
};
use crate::core::plan::{
    Action, Change, OnceOutcome, StepEvent, StepId, is_once_running, once_outcome,
};
use crate::journal::{PendingCall, PendingCallRow};
use crate::provider::codes as answers;
use crate::provider::{LogLine, LogQuery, LogScope};

/// How many leftover Machines are destroyed at once.
const MAX_CONCURRENT_DESTROYS: usize = 4;
/// One wait for the end; the Machine is read in between.
const SINGLE_WAIT: Duration = Duration::from_secs(60);
/// How long the platform may take to destroy a Machine whose command has ended.
const DESTROY_PATIENCE: Duration = Duration::from_secs(10);
/// How many lines of output are kept.
const MAX_LINES: usize = 10_000;

/// Runs the command. A crash leaves a Machine with an identifying name, and a row in the journal if it was started.
pub(super) async fn run_once(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    step: StepId,
    change: &Change,
) -> PartResult {
    let Action::Once {
        what,
        launch,
        timeout_s,
        ..
    } = &change.action
    else {
        let cause = "the step runs no command";
        return Err(StepError::failed(codes::PLAN_MISMATCH, cause));
    };
    let desired = context.shared.input.desired;
    let Some(command) = desired.rollout.once_command(*what) else {
        let cause = format!("runs a {} that the manifests do not have", what.as_str());
        return Err(StepError::failed(codes::PLAN_MISMATCH, cause));
    };
    let run = OnceRun {
        context,
        step,
        change,
        what: *what,
        launch,
        timeout: timeout_s.map(Duration::from_secs),
        command,
        started: Cell::new(false),
    };
    run.clear_leftovers().await;
    run.wait_for_others().await?;
    let machine = run.machine().await?;
    context.report_created(&machine.id);
    let id = machine.id.clone();
    // The command of an earlier run may be at work; a failed read must not end it.
    run.started.set(was_started(&machine));
    progress.machine = Some(machine);
    let ended = match run.start_and_wait(&id).await {
        Err(StepError::Halted { .. }) if run.started.get() => {
            return Err(run.left_running(&id, "interrupted"));
        }
        // A Machine that cannot be started is no use for the next run either.
        Err(end @ StepError::Failed { .. }) if !run.started.get() => {
            run.destroy(&id).await;
            return Err(end);
        }
        ended => ended?,
    };
    let finished = run.finish(&id, ended).await;
    // A release that does not work is a cause of a rollback; a release command that failed has changed nothing.
    let failed = matches!(finished, Err(StepError::Failed { .. }));
    progress.gate_failed = failed && *what == OnceKind::Verify;
    finished
}

/// One command of one run.
struct OnceRun<'c, 'a> {
    context: &'c StepContext<'a>,
    step: StepId,
    change: &'c Change,
    what: OnceKind,
    launch: &'c LaunchId,
    /// None is no limit.
    timeout: Option<Duration>,
    command: &'c OnceCommand,
    /// Whether the command runs, or may.
    started: Cell<bool>,
}

/// How the wait for a command ended.
enum Ended {
    /// Its Machine as last seen, and after how long.
    Seen(Box<Machine>, Duration),
    /// Its Machine is gone, and nothing shows how the command ended.
    Gone,
    /// It still runs.
    TimedOut,
}

impl OnceRun<'_, '_> {
    /// Reports a wait for a command, at most as long as it may run.
    fn report_waiting(&self, on: String) {
        let up_to_ms = self
            .timeout
            .and_then(|timeout| u64::try_from(timeout.as_millis()).ok());
        self.context.emit(StepEvent::Waiting { on, up_to_ms });
    }

    fn wait_timeout(&self) -> Duration {
        let groups = self.context.shared.input.desired.groups.values();
        let longest = groups.map(|group| group.wait_timeout_s).max();
        Duration::from_secs(longest.unwrap_or(300))
    }

    fn others(&self) -> impl Iterator<Item = &Machine> {
        let (group, name) = (&self.change.group, &self.change.machine.name);
        let all = self.context.shared.input.observed.machines.values();
        all.filter(move |machine| {
            machine.group.as_ref() == Some(group)
                && machine.name != *name
                && !machine.state.is_gone()
        })
    }

    /// Whether a Machine that runs is ours to destroy: only one that verified for an earlier run of ours.
    fn is_abandoned(&self, machine: &Machine) -> bool {
        self.what == OnceKind::Verify
            && machine.stamps.lineage.as_ref() == Some(self.context.shared.lineage())
    }

    /// Destroys Machines of earlier commands that do not run. Failures do not matter: the next run tries again.
    async fn clear_leftovers(&self) {
        let left = self
            .others()
            .filter(|machine| !is_once_running(machine.state) || self.is_abandoned(machine));
        let destroys = left.map(|machine| async {
            let call = Call::Destroy {
                id: machine.id.clone(),
                force: true,
            };
            let _ = self.context.call(&call).await;
        });
        stream::iter(destroys)
            .buffer_unordered(MAX_CONCURRENT_DESTROYS)
            .collect::<()>()
            .await;
    }

    /// Waits for release commands that somebody else runs; they are never destroyed.
    async fn wait_for_others(&self) -> PartResult {
        if self.what != OnceKind::ReleaseCommand {
            return Ok(());
        }
        let deadline = self.timeout.map(|timeout| Instant::now() + timeout);
        for machine in self.others().filter(|other| is_once_running(other.state)) {
            let id = &machine.id;
            let what = format!("the release command on Machine {id}, which somebody else runs");
            self.report_waiting(what);
            if matches!(self.wait_end(id, deadline).await?, Ended::TimedOut) {
                let message = format!(
                    "Machine {id} still runs the release command of an earlier run or of somebody else; nothing was changed"
                );
                return Err(StepError::Failed {
                    code: codes::ONCE_BUSY.name().to_owned(),
                    message,
                    hint: Some(self.logs_hint(id)),
                });
            }
        }
        Ok(())
    }

    /// The Machine of this command: that of an earlier run, or a new one.
    async fn machine(&self) -> PartResult<Machine> {
        if let Some(id) = &self.change.machine.id {
            let machine = self.context.get(id).await?;
            return machine.ok_or_else(|| self.unknown_end(id));
        }
        // The snapshot may lack one that another run has created since, and that may be gone already.
        let job = &self.context.shared.input;
        let group = &self.change.group;
        let read = || job.provider.list_with_destroyed(&job.plan.app, group);
        let listed = self.context.read("list", None, read).await?;
        // Each run verifies for itself.
        let named = |machine: &Machine| {
            machine.name == self.change.machine.name
                && (self.what == OnceKind::ReleaseCommand || !machine.state.is_gone())
        };
        if let Some(machine) = listed.unwrap_or_default().into_iter().find(named) {
            return Ok(machine);
        }
        let call = Call::Create(Box::new(self.create_call()?));
        let created = create_once(self.context, &self.change.machine.name, &call).await?;
        Ok(match created {
            CreateResult::New(machine) | CreateResult::Existing(machine) => machine,
        })
    }

    fn create_call(&self) -> PartResult<CreateCall> {
        let job = &self.context.shared.input;
        let Action::Once { image, guest, .. } = &self.change.action else {
            let cause = "the step runs no command";
            return Err(StepError::failed(codes::PLAN_MISMATCH, cause));
        };
        let stamps = Stamps {
            lineage: Some(self.context.shared.lineage().clone()),
            serial: Some(job.serial),
            run: Some(job.run.run.clone()),
            desired: Some(job.plan.desired.clone()),
            launch: Some(self.launch.to_string()),
            commit: job.commit.map(str::to_owned),
            by: Some(job.run.by.clone()),
            protect: false,
            swap: None,
            canary: false,
            release: self.context.shared.release.borrow().clone().map(Box::new),
        };
        Ok(CreateCall {
            name: self.change.machine.name.clone(),
            group: self.change.group.clone(),
            region: self.change.region.clone(),
            config: MachineConfig {
                image: image.clone(),
                guest: guest.as_deref().cloned(),
                ..(*self.command.template).clone()
            },
            stamps,
            skip_launch: true,
            cordoned: false,
            without_lease: true,
            port: None,
        })
    }

    async fn start_and_wait(&self, id: &MachineId) -> PartResult<Ended> {
        let patience = self.wait_timeout();
        let Some(live) = self.wait_prepared(id, patience).await? else {
            return Ok(Ended::Gone);
        };
        let begun = Instant::now();
        self.started.set(was_started(&live));
        if !self.started.get() {
            self.start(id).await?;
            self.wait_started(id, patience).await?;
        }
        let what = format!("the {} to end", self.what.as_str());
        self.report_waiting(what);
        let deadline = self.timeout.map(|timeout| begun + timeout);
        Ok(match self.wait_end(id, deadline).await? {
            Ended::Seen(machine, _) => Ended::Seen(machine, begun.elapsed()),
            other => other,
        })
    }

    /// Waits until the Machine can be started, which it cannot while the platform prepares it.
    async fn wait_prepared(
        &self,
        id: &MachineId,
        patience: Duration,
    ) -> PartResult<Option<Machine>> {
        let live = self.context.get(id).await?;
        let is_prepared = |live: &Machine| live.state != MachineState::Created;
        if live.as_ref().is_none_or(is_prepared) {
            return Ok(live);
        }
        self.context
            .report_waiting("its Machine to be prepared", patience);
        let deadline = Instant::now() + patience;
        match self.context.wait(id, WaitUntil::Stopped, deadline).await? {
            WaitResult::Reached(machine) => Ok(Some(*machine)),
            WaitResult::Gone | WaitResult::NotYet(_) => self.context.get(id).await,
        }
    }

    /// Starts the Machine exactly once. The row in the journal comes first (rule 40).
    async fn start(&self, id: &MachineId) -> PartResult {
        let job = &self.context.shared.input;
        self.journal(PendingCall::StartOnce {
            machine: id.clone(),
            launch: self.launch.clone(),
        })?;
        if !job.lock.is_held() {
            return Err(StepError::Halted {
                during: "before the command was started".to_owned(),
            });
        }
        let call = Call::Start { id: id.clone() };
        self.context
            .retry(async || match self.context.call(&call).await {
                // One that is gone was quick.
                Ok(_) | Err(CallError::NotFound(_)) => {
                    self.started.set(true);
                    Ok(())
                }
                Err(CallError::Step(end)) => {
                    let sent = matches!(end, StepError::Unknown { .. });
                    self.started.set(self.started.get() || sent);
                    Err(end.into())
                }
                Err(
                    CallError::Conflict(error)
                    | CallError::NoRoom(error)
                    | CallError::Invalid(error),
                ) => match self.context.get(id).await? {
                    Some(live) if !was_started(&live) => Err(PartError::refused(error)),
                    Some(_) | None => {
                        self.started.set(true);
                        Ok(())
                    }
                },
                Err(CallError::Unknown(error)) => {
                    // Until a read says otherwise it may run.
                    self.started.set(true);
                    match self.context.get(id).await? {
                        Some(live) if !was_started(&live) => Err(PartError::unknown(error)),
                        Some(_) | None => Ok(()),
                    }
                }
            })
            .await
    }

    async fn wait_started(&self, id: &MachineId, patience: Duration) -> PartResult {
        if !self.destroys_itself() {
            return Ok(());
        }
        self.context.report_waiting("it to start", patience);
        let deadline = Instant::now() + patience;
        if let WaitResult::NotYet(_) = self.context.wait(id, WaitUntil::Started, deadline).await?
            && let Some(live) = self.context.get(id).await?
            && !was_started(&live)
        {
            let message = format!(
                "Machine {id} of the {} did not start within {} s: it is {}",
                self.what.as_str(),
                patience.as_secs(),
                live.state.as_str()
            );
            return Err(StepError::failed(codes::GATE_TIMEOUT, message));
        }
        Ok(())
    }

    fn destroys_itself(&self) -> bool {
        let observed = self.context.shared.input.observed;
        observed.description.capabilities.auto_destroy
    }

    /// Waits until the process of a Machine has ended.
    async fn wait_end(&self, id: &MachineId, deadline: Option<Instant>) -> PartResult<Ended> {
        let until = if self.destroys_itself() {
            WaitUntil::Destroyed
        } else {
            WaitUntil::Stopped
        };
        let mut last = None;
        loop {
            let single = Instant::now() + SINGLE_WAIT;
            let until_then = deadline.map_or(single, |deadline| deadline.min(single));
            let wait = self.context.wait(id, until, until_then);
            let seen = match wait.await? {
                WaitResult::Reached(machine) => Some(*machine),
                WaitResult::Gone => None,
                WaitResult::NotYet(_) => self.context.get(id).await?,
            };
            // The answer to a wait may lack the events.
            let seen = match seen {
                Some(machine) if machine.events.is_empty() => {
                    self.context.get(id).await?.or(Some(machine))
                }
                seen => seen,
            };
            match seen {
                None => break,
                Some(machine) => {
                    let ended = has_ended(&machine);
                    last = Some(machine);
                    if ended {
                        break;
                    }
                }
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(Ended::TimedOut);
            }
        }
        Ok(last.map_or(Ended::Gone, |machine| {
            Ended::Seen(Box::new(machine), Duration::ZERO)
        }))
    }

    /// Judges the end, shows the output, and leaves nothing.
    async fn finish(&self, id: &MachineId, ended: Ended) -> PartResult {
        let (machine, took) = match ended {
            Ended::TimedOut if self.what == OnceKind::Verify => {
                self.report_output(id, true).await;
                self.destroy(id).await;
                return Err(self.timed_out(id));
            }
            Ended::TimedOut => return Err(self.timed_out(id)),
            Ended::Gone => return Err(self.unknown_end(id)),
            Ended::Seen(machine, took) => (machine, took),
        };
        let exit = match once_outcome(&machine) {
            OnceOutcome::Exited(exit) => exit,
            OnceOutcome::NeverStarted => {
                self.destroy(id).await;
                let (what, state) = (self.what.as_str(), machine.state.as_str());
                let message = format!("Machine {id} of the {what} did not start: it is {state}");
                return Err(StepError::failed(answers::MACHINE_FAILED, message));
            }
            OnceOutcome::Open | OnceOutcome::Unknown => {
                self.destroy(id).await;
                return Err(self.unknown_end(id));
            }
        };
        self.report_output(id, !exit.is_success()).await;
        self.journal(PendingCall::OnceEnded {
            launch: self.launch.clone(),
            success: exit.is_success(),
        })?;
        if !machine.state.is_gone() {
            self.destroy(id).await;
        }
        if exit.is_success() {
            return Ok(());
        }
        Err(self.failed(id, exit, took))
    }

    fn failed(&self, id: &MachineId, exit: Exit, took: Duration) -> StepError {
        let code = match self.what {
            OnceKind::ReleaseCommand => codes::RELEASE_COMMAND_FAILED,
            OnceKind::Verify => codes::VERIFY_FAILED,
        };
        let (what, seconds) = (self.what.as_str(), took.as_secs());
        let location = &self.command.location;
        StepError::Failed {
            code: code.name().to_owned(),
            message: format!(
                "the {what} ({location}) failed on Machine {id} after {seconds} s: {exit}"
            ),
            hint: self.is_on_fly().then(|| self.logs_hint(id)),
        }
    }

    fn timed_out(&self, id: &MachineId) -> StepError {
        let (what, seconds) = (
            self.what.as_str(),
            self.timeout.unwrap_or_default().as_secs(),
        );
        let end = match self.what {
            OnceKind::ReleaseCommand => "it runs on, and the next apply waits for it",
            OnceKind::Verify => "it was destroyed",
        };
        StepError::Failed {
            code: codes::ONCE_TIMEOUT.name().to_owned(),
            message: format!("the {what} did not end on Machine {id} within {seconds} s; {end}"),
            hint: Some(self.logs_hint(id)),
        }
    }

    /// A cancelled run leaves the command to end by itself: a migration that is killed is worse.
    fn left_running(&self, id: &MachineId, why: &str) -> StepError {
        StepError::Unknown {
            message: format!(
                "{why}; the {} on Machine {id} is left to end by itself ({})",
                self.what.as_str(),
                self.logs_hint(id)
            ),
        }
    }

    fn unknown_end(&self, id: &MachineId) -> StepError {
        let ways = match self.what {
            OnceKind::ReleaseCommand => {
                "; look whether it did its work, then apply with `--release-command=rerun` or `--release-command=skip`"
            }
            OnceKind::Verify => "",
        };
        StepError::Unknown {
            message: format!(
                "the {} on Machine {id} has ended, and how cannot be found{ways}",
                self.what.as_str()
            ),
        }
    }

    /// Whether the output is in Fly's logs, which the Machines API does not have.
    fn is_on_fly(&self) -> bool {
        let desired = self.context.shared.input.desired;
        desired.profile().deployed_by_flyctl
    }

    fn logs_hint(&self, id: &MachineId) -> String {
        let tool = if self.is_on_fly() {
            "fly logs --machine"
        } else {
            "aeroform logs"
        };
        format!("`{tool} {id}` shows its output")
    }

    /// Shows the output where the provider has it.
    async fn report_output(&self, id: &MachineId, failed: bool) {
        if self.is_on_fly() {
            return;
        }
        let job = &self.context.shared.input;
        let query = LogQuery {
            scope: LogScope::Machine(id.clone()),
            follow: false,
            known_machines: std::iter::once(id.clone()).collect(),
            tail: Some(MAX_LINES),
        };
        let mut lines = Vec::new();
        let mut sink = |line: LogLine| {
            lines.push(line.text);
            true
        };
        let read = job.provider.logs(&job.plan.app, &query, &mut sink).await;
        if read.is_ok() && !lines.is_empty() {
            self.context.emit(StepEvent::Output { lines, failed });
        }
    }

    /// Destroys what has ended; it counts as gone once the call was accepted, and the next run clears what is left.
    async fn destroy(&self, id: &MachineId) {
        let call = Call::Destroy {
            id: id.clone(),
            force: true,
        };
        if self.context.call(&call).await.is_ok() {
            let deadline = Instant::now() + DESTROY_PATIENCE;
            let _ = self.context.wait(id, WaitUntil::Destroyed, deadline).await;
        }
    }

    fn journal(&self, call: PendingCall) -> PartResult {
        let job = &self.context.shared.input;
        let row = PendingCallRow {
            step: self.step,
            call,
        };
        let begun = job.journal.begin_call(&job.run.run, &row);
        begun.map_err(|error| {
            self.context.shared.halt(Halt::Journal(error.to_string()));
            StepError::Halted {
                during: "because the journal could not be written".to_owned(),
            }
        })
    }
}
