//! The supervisor process of one Machine: starts, restarts, checks, logs and stops it, and exits when the
//! Machine is stopped.
//!
//! It follows the record and decides only by the restart policy. Start at [`supervise`]; [`Supervisor::run`]
//! runs the Machine, [`stop`] ends it.

mod stop;

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions};
use tokio::time::Instant;

use super::checks::Checks;
use super::events::{SupervisorEvent, SupervisorEvents};
use super::identity::ProcessIdentity;
use super::layout::{Durability, MachineDir, open_private, read_json, write_json};
use super::log::LogWriter;
use super::process;
use super::record::{DesiredState, LocalRecord, LocalStatus, ProcessExit};
use super::restart::{RestartDecision, Restarts};
use crate::core::fleet::MachineState;
use stop::{StopMode, StopRule};

/// The exit code of a command that runs once and cannot be started, as in a shell.
const NOT_STARTED: ProcessExit = ProcessExit::Code(127);
/// A process that lives this long or passes a check counts as started.
const STARTED_AFTER: Duration = Duration::from_millis(500);

/// Supervises the Machine of this folder; called by the hidden command `__supervise DIR`. Returns when the
/// Machine is stopped, its folder is removed, or another supervisor has it. If killed, it leaves its
/// processes running and a status that is not final; its successor kills them.
pub fn supervise(dir: &Path) -> ExitCode {
    match run_supervisor(&MachineDir::at(dir)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run_supervisor(dir: &MachineDir) -> io::Result<()> {
    // Fails only for a process group leader, which is already separate.
    let _ = rustix::process::setsid();
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let Some(record) = read_json::<LocalRecord>(&dir.record())? else {
        return Ok(());
    };
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            // Listen before locking, because any process that sees the lock may send a signal.
            let events = SupervisorEvents::listen(LogWriter::open(dir, record.log_cap)?)?;
            // Opened only once in this process: closing any handle of the file would release this kind of
            // lock.
            let lock = open_private(&dir.lock())?;
            match fcntl_lock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::AGAIN | Errno::ACCESS) => return Ok(()),
                other => other?,
            }
            let Some(record) = read_json::<LocalRecord>(&dir.record())? else {
                return Ok(());
            };
            let predecessor = read_json::<LocalStatus>(&dir.status()).unwrap_or_default();
            let mut supervisor = Supervisor::new(dir, lock, events, record);
            supervisor.kill_orphans(predecessor.as_ref()).await;
            supervisor.run_until_at_rest().await;
            Ok(())
        })
}

struct Supervisor {
    dir: MachineDir,
    lock: File,
    events: SupervisorEvents,
    record: LocalRecord,
    status: LocalStatus,
    /// The status could not be written; it is retried at every check.
    status_unwritten: bool,
    /// The written status says that this supervisor may have processes; without it, nothing would look for
    /// them after its death.
    status_written: bool,
    main: Option<MainProcess>,
    /// How to stop the running process: as configured at its start.
    stop_rule: StopRule,
}

struct MainProcess {
    pid: Pid,
    since: Instant,
}

/// Why the Machine is no longer running, or should not be.
enum SupervisionEnd {
    /// It stopped by itself or on request, and no process is left.
    Rest(MachineState, Option<String>),
    /// The desired state changed.
    DesiredStateChanged,
    /// Its folder was removed.
    FolderRemoved,
}

/// The result of a check of the folder.
#[derive(PartialEq)]
enum RecordCheck {
    Unchanged,
    Changed,
    FolderRemoved,
}

impl Supervisor {
    fn new(dir: &MachineDir, lock: File, events: SupervisorEvents, record: LocalRecord) -> Self {
        let status = LocalStatus {
            observed_generation: record.generation,
            state: MachineState::Starting,
            supervisor: ProcessIdentity::own(),
            main: None,
            restarts: 0,
            last_exit: None,
            detail: None,
            checks: Vec::new(),
            is_final: false,
        };
        Self {
            dir: dir.clone(),
            lock,
            events,
            stop_rule: StopRule::of(&record.config),
            record,
            status,
            status_unwritten: false,
            status_written: false,
            main: None,
        }
    }

    /// Applies the record until the Machine is stopped.
    async fn run_until_at_rest(&mut self) {
        loop {
            self.acknowledge();
            let end = match self.record.desired_state {
                DesiredState::Running => self.run().await,
                DesiredState::Stopped => {
                    let generation = self.record.generation;
                    self.stop_all_processes(StopMode::Graceful).await;
                    self.changed_since(generation)
                        .unwrap_or(SupervisionEnd::Rest(MachineState::Stopped, None))
                }
                DesiredState::Destroyed => SupervisionEnd::FolderRemoved,
            };
            match end {
                SupervisionEnd::Rest(state, detail) => {
                    self.set_final_state(state, detail);
                    if self.reload_record() != RecordCheck::Changed {
                        return;
                    }
                }
                SupervisionEnd::DesiredStateChanged
                    if self.record.desired_state == DesiredState::Running =>
                {
                    self.acknowledge();
                    self.stop_all_processes(StopMode::Graceful).await;
                }
                SupervisionEnd::DesiredStateChanged => {}
                SupervisionEnd::FolderRemoved => {
                    self.stop_all_processes(StopMode::Immediate).await;
                    // Any remainder is hidden by its name and contains nothing that runs.
                    let _ = self.dir.discard();
                    return;
                }
            }
        }
    }

    /// Runs the main process under its restart policy.
    async fn run(&mut self) -> SupervisionEnd {
        let mut restarts = Restarts::from_config(self.record.config.restart.as_ref());
        self.stop_rule = StopRule::of(&self.record.config);
        self.status.last_exit = None;
        loop {
            self.status.restarts = restarts.total;
            if let Some(end) = self.wait_until_status_written().await {
                return end;
            }
            if let Err(why) = self.start() {
                self.events.log_line(&why);
                if self.record.config.runs_once() {
                    self.status.last_exit = Some(NOT_STARTED);
                    return SupervisionEnd::Rest(MachineState::Stopped, Some(why));
                }
                return SupervisionEnd::Rest(MachineState::Failed, Some(why));
            }
            let (exit, up) = match self.wait_for_exit().await {
                Ok(ended) => ended,
                Err(end) => return end,
            };
            self.status.last_exit = Some(exit);
            self.forget_main(MachineState::Stopping);
            let generation = self.record.generation;
            self.stop_all_processes(StopMode::Graceful).await;
            if let Some(end) = self.changed_since(generation) {
                return end;
            }
            match restarts.decide_after_exit(exit, up) {
                RestartDecision::Done => {
                    return SupervisionEnd::Rest(MachineState::Stopped, Some(exit.to_string()));
                }
                // As on Fly, a command that runs once is stopped when it has ended, however.
                RestartDecision::GiveUp if self.record.config.runs_once() => {
                    return SupervisionEnd::Rest(MachineState::Stopped, Some(exit.to_string()));
                }
                RestartDecision::GiveUp => {
                    return SupervisionEnd::Rest(
                        MachineState::Failed,
                        Some(given_up(exit, restarts.total)),
                    );
                }
                RestartDecision::Restart(pause) => {
                    let detail = format!("{exit}; restart {} in {pause:?}", restarts.total);
                    self.events.log_line(&detail);
                    self.set_state(MachineState::Starting, Some(detail));
                    if let Some(end) = self.wait_before_restart(pause).await {
                        return end;
                    }
                }
            }
        }
    }

    /// Starts nothing before the status with this supervisor is written; waits while the disk is full.
    async fn wait_until_status_written(&mut self) -> Option<SupervisionEnd> {
        while !self.status_written {
            let event = self.events.next(None).await;
            if let Some(end) = self.handle_event(&event).await {
                return Some(end);
            }
        }
        None
    }

    fn start(&mut self) -> Result<(), String> {
        let (pid, output) = process::start(&self.record)?;
        self.main = Some(MainProcess {
            pid,
            since: Instant::now(),
        });
        if let Err(error) = self.events.attach_output(output) {
            self.events
                .log_line(&format!("cannot read its output: {error}"));
        }
        self.events.checks = Checks::start(&self.record);
        self.status.main = ProcessIdentity::of(pid);
        self.set_state(MachineState::Starting, None);
        Ok(())
    }

    /// Waits until the main process exits; returns the exit and the uptime.
    async fn wait_for_exit(&mut self) -> Result<(ProcessExit, Duration), SupervisionEnd> {
        loop {
            let since = self
                .main
                .as_ref()
                .map_or_else(Instant::now, |main| main.since);
            let is_starting = self.status.state == MachineState::Starting;
            let settled = is_starting.then(|| since + STARTED_AFTER);
            match self.events.next(settled).await {
                SupervisorEvent::Child => {
                    if let Some(exit) = self.reap() {
                        return Ok((exit, since.elapsed()));
                    }
                }
                SupervisorEvent::Deadline => self.set_state(MachineState::Started, None),
                SupervisorEvent::Check(result) => {
                    let passed = self.events.checks.apply_result(result);
                    let state = match self.status.state {
                        MachineState::Starting if passed => MachineState::Started,
                        state => state,
                    };
                    self.set_state(state, None);
                }
                other => {
                    if let Some(end) = self.handle_event(&other).await {
                        return Err(end);
                    }
                }
            }
        }
    }

    /// Waits before a restart.
    async fn wait_before_restart(&mut self, pause: Duration) -> Option<SupervisionEnd> {
        let deadline = Instant::now() + pause;
        loop {
            match self.events.next(Some(deadline)).await {
                SupervisorEvent::Deadline => return None,
                SupervisorEvent::Child => drop(self.reap()),
                SupervisorEvent::Check(_) => {}
                other => {
                    if let Some(end) = self.handle_event(&other).await {
                        return Some(end);
                    }
                }
            }
        }
    }

    /// Handles an external event for a running Machine.
    async fn handle_event(&mut self, event: &SupervisorEvent) -> Option<SupervisionEnd> {
        match event {
            SupervisorEvent::Terminate => {
                self.set_state(MachineState::Stopping, None);
                let generation = self.record.generation;
                self.stop_all_processes(StopMode::Graceful).await;
                self.status.last_exit = None;
                let detail = "its supervisor received a signal to stop".to_owned();
                let rest = SupervisionEnd::Rest(MachineState::Stopped, Some(detail));
                Some(self.changed_since(generation).unwrap_or(rest))
            }
            SupervisorEvent::CheckRecord => match self.reload_record() {
                RecordCheck::Unchanged => None,
                RecordCheck::Changed => Some(SupervisionEnd::DesiredStateChanged),
                RecordCheck::FolderRemoved => Some(SupervisionEnd::FolderRemoved),
            },
            SupervisorEvent::Child | SupervisorEvent::Check(_) | SupervisorEvent::Deadline => None,
        }
    }

    /// Reaps all exited children; returns the exit of the main process if it is among them.
    fn reap(&mut self) -> Option<ProcessExit> {
        let mut exit = None;
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if self.main.as_ref().is_some_and(|main| main.pid == pid) {
                self.main = None;
                exit = status
                    .exit_status()
                    .map(ProcessExit::Code)
                    .or_else(|| status.terminating_signal().map(ProcessExit::Signal));
            }
        }
        exit
    }

    /// Reads the record again, applies a changed desired state, and retries failed writes.
    fn reload_record(&mut self) -> RecordCheck {
        if self.status_unwritten {
            self.write();
        }
        if self.lock.metadata().is_ok_and(|lock| lock.nlink() == 0) {
            return RecordCheck::FolderRemoved;
        }
        match read_json::<LocalRecord>(&self.dir.record()) {
            Ok(None) => RecordCheck::FolderRemoved,
            Ok(Some(record)) if record.generation != self.record.generation => {
                self.record = record;
                RecordCheck::Changed
            }
            // A record that cannot be read changes nothing.
            Ok(Some(_)) | Err(_) => RecordCheck::Unchanged,
        }
    }

    /// Whether the desired state changed since this generation.
    fn changed_since(&mut self, generation: u64) -> Option<SupervisionEnd> {
        match self.reload_record() {
            RecordCheck::FolderRemoved => Some(SupervisionEnd::FolderRemoved),
            RecordCheck::Unchanged | RecordCheck::Changed => (self.record.generation != generation)
                .then_some(SupervisionEnd::DesiredStateChanged),
        }
    }

    /// Acknowledges the desired state; resets check results and restart counts.
    fn acknowledge(&mut self) {
        self.events.checks = Checks::none();
        self.status.restarts = 0;
        self.status.last_exit = None;
        self.status.observed_generation = self.record.generation;
        self.status.is_final = false;
        let state = match self.record.desired_state {
            DesiredState::Running if self.main.is_some() => MachineState::Replacing,
            DesiredState::Running => MachineState::Starting,
            DesiredState::Stopped => MachineState::Stopping,
            DesiredState::Destroyed => MachineState::Destroying,
        };
        self.set_state(state, None);
    }

    fn forget_main(&mut self, state: MachineState) {
        self.main = None;
        self.status.main = None;
        self.events.checks = Checks::none();
        self.set_state(state, None);
    }

    fn set_final_state(&mut self, state: MachineState, detail: Option<String>) {
        self.main = None;
        self.status.main = None;
        self.events.checks = Checks::none();
        self.events.drain();
        self.status.is_final = true;
        self.set_state(state, detail);
    }

    fn set_state(&mut self, state: MachineState, detail: Option<String>) {
        let restarted = || match (self.status.last_exit, self.status.restarts) {
            (Some(exit), 1..) => Some(format!("restarted after {exit}")),
            _ => None,
        };
        self.status.detail = match state {
            MachineState::Starting | MachineState::Started => detail.or_else(restarted),
            _ => detail,
        };
        self.status.state = state;
        self.status.checks = self.events.checks.statuses();
        self.write();
    }

    /// A failed write is retried at the next check: the folder may be removed or the disk full.
    fn write(&mut self) {
        let written = write_json(&self.dir.status(), &self.status, Durability::No);
        self.status_unwritten = written.is_err();
        if !self.status_unwritten {
            self.status_written = !self.status.is_final;
        }
    }
}

fn given_up(exit: ProcessExit, restarts: u32) -> String {
    match restarts {
        0 => exit.to_string(),
        1 => format!("{exit}, given up after 1 restart"),
        more => format!("{exit}, given up after {more} restarts"),
    }
}
