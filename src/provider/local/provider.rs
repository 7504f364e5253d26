//! The provider: describe, list, get, call, wait, logs.
//!
//! It reads files and writes desired states; it touches no process. A wait polls these files, and nothing fails
//! meanwhile, so its loop is not a retry.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::codes;
use super::layout::{AppDir, MachineDir};
use super::record::DesiredState;
use super::snapshot::{MachineSnapshot, SupervisorPresence, snapshot};
use super::supervisors::{Supervisors, io_error};
use super::{logs, procfs, scope};
use crate::core::fleet::profile::LOCAL;
use crate::core::fleet::{
    AppName, Call, Capabilities, Description, Machine, MachineConfig, MachineId, MachineName,
    MachineState, Management, Receipt, Region, Stamps, WaitUntil,
};
use crate::provider::codes as answers;
use crate::provider::{ErrorClass, Listing, LogQuery, LogSink, Provider, ProviderError};

/// How often a Machine is polled while waiting.
const POLL: Duration = Duration::from_millis(100);
/// The size at which a Machine's log is rotated, bytes; one rotated file is kept.
const LOG_CAP: u64 = 10 * 1024 * 1024;

/// The configuration of a [`LocalProvider`].
#[derive(Debug, Clone)]
pub struct LocalConfig {
    /// The folder with one folder per app (`<state dir>/local`).
    pub dir: PathBuf,
    /// The working folder of Machines.
    pub project: PathBuf,
    /// The program that supervises when called with `__supervise DIR`: this executable.
    pub program: PathBuf,
}

/// Runs Machines as processes on this computer. Several providers, in one or more processes, may share a
/// folder.
#[derive(Debug)]
pub struct LocalProvider {
    pub(super) root: PathBuf,
    pub(super) project: PathBuf,
    /// The project folder of its Machines, symlinks resolved.
    pub(super) canonical_project: PathBuf,
    pub(super) supervisors: Supervisors,
    pub(super) log_cap: u64,
    pub(super) first_port: u16,
}

impl LocalProvider {
    /// Creates a provider; touches no files yet.
    pub fn new(config: LocalConfig) -> Self {
        let LocalConfig {
            dir,
            project,
            program,
        } = config;
        // Supervisors run in another folder.
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let project = absolute(project);
        Self {
            root: absolute(dir),
            canonical_project: std::fs::canonicalize(&project).unwrap_or_else(|_| project.clone()),
            project,
            supervisors: Supervisors::new(absolute(program)),
            log_cap: LOG_CAP,
            first_port: scope::FIRST_PORT,
        }
    }

    /// Sets the first port for new apps.
    #[must_use]
    pub fn first_port(mut self, port: u16) -> Self {
        self.first_port = port;
        self
    }

    /// Sets the log size limit of new Machines, bytes. A log and its rotated file have at most twice that and
    /// one line.
    #[must_use]
    pub fn log_cap(mut self, bytes: u64) -> Self {
        self.log_cap = bytes;
        self
    }

    pub(super) fn app_dir(&self, app: &AppName) -> AppDir {
        AppDir::new(&self.root, app)
    }

    pub(super) fn snapshot(
        &self,
        app: &AppName,
        id: &MachineId,
    ) -> Result<(MachineDir, MachineSnapshot), ProviderError> {
        let dir = self.app_dir(app).machine(id);
        match snapshot(&dir) {
            Ok(Some(snapshot)) => Ok((dir, snapshot)),
            Ok(None) => Err(not_found(id)),
            Err(error) => Err(io_error("read", &dir, &error)),
        }
    }

    pub(super) fn app_error(&self, app: &AppName, error: &io::Error) -> ProviderError {
        let place = self.app_dir(app).path().display().to_string();
        let message = format!("cannot use {place}: {error}");
        ProviderError::new(ErrorClass::Fatal, codes::LOCAL_FILES, message)
    }

    fn ids(&self, app: &AppName) -> Result<Vec<MachineId>, ProviderError> {
        let ids = self.app_dir(app).machine_ids();
        ids.map_err(|error| self.app_error(app, &error))
    }

    /// The error if a Machine can no longer start or settle: it is stopped, or it restarts repeatedly. Its
    /// last output is the hint.
    fn unreachable_state_error(&self, app: &AppName, machine: &Machine) -> Option<ProviderError> {
        let (code, what) = match machine.state {
            MachineState::Failed => (answers::MACHINE_FAILED, "failed"),
            MachineState::Stopped => (codes::MACHINE_STOPPED, "has stopped"),
            _ if machine.is_restart_looping() => {
                (answers::MACHINE_KEEPS_ENDING, "does not stay up")
            }
            _ => return None,
        };
        let (dir, snapshot) = self.snapshot(app, &machine.id).ok()?;
        if !snapshot.is_at_rest() && machine.state == MachineState::Stopped {
            return None;
        }
        let why = machine.detail.as_deref().unwrap_or("it was never started");
        let error = ProviderError::new(
            ErrorClass::Transient,
            code,
            format!("Machine {} {what}: {why}", machine.id),
        );
        let last = logs::last_lines(&dir, 3);
        Some(if last.is_empty() {
            error
        } else {
            error.hint(format!("its last output: {}", last.join(" / ")))
        })
    }

    /// Ensures that a supervisor works on the desired state, since the process that set it may have died
    /// before starting one. If one lives or is starting, this only waits for its acknowledgement.
    async fn ensure_supervisor(&self, app: &AppName, id: &MachineId) -> Result<(), ProviderError> {
        match self.snapshot(app, id) {
            Ok((dir, now)) if now.needs_supervisor() => {
                self.supervisors
                    .notify_and_wait(&dir, now.record.generation)
                    .await
            }
            Ok(_) => Ok(()),
            Err(error) if error.class == ErrorClass::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether it was up and has ended as it should: a job with success, a command that runs once with any exit.
    fn has_run(&self, app: &AppName, machine: &Machine) -> bool {
        let config = machine.config.as_deref();
        let restart = config.and_then(|config| config.restart.as_ref());
        let never_again = restart.and_then(|r| r.policy.as_deref()) == Some("no");
        let once = config.is_some_and(MachineConfig::runs_once);
        never_again
            && machine.state == MachineState::Stopped
            && self.snapshot(app, &machine.id).is_ok_and(|(_, snapshot)| {
                let exit = snapshot.status.and_then(|status| status.last_exit);
                exit.is_some_and(|exit| once || exit.is_success())
            })
    }

    /// Whether nothing stops it any more: nobody asked it to stop, and nothing supervises it.
    fn is_lost(&self, app: &AppName, machine: &Machine) -> bool {
        machine.state == MachineState::Failed
            && self.snapshot(app, &machine.id).is_ok_and(|(_, snapshot)| {
                snapshot.record.desired_state == DesiredState::Running
                    && snapshot.supervisor == SupervisorPresence::None
            })
    }
}

#[async_trait]
impl Provider for LocalProvider {
    fn name(&self) -> &'static str {
        LOCAL.name
    }

    /// Counts all folders with a record, readable or not, so that damaged ones are noticed.
    async fn describe(&self, app: &AppName) -> Result<Description, ProviderError> {
        let scope = scope::load_or_create(&self.root, &self.app_dir(app), self.first_port)
            .map_err(|error| self.app_error(app, &error))?;
        Ok(Description {
            scope: scope.id,
            scope_is_derived: false,
            machine_count: Some(self.ids(app)?.len() as u64),
            is_pending: false,
            project: Some(self.canonical_project.display().to_string()),
            capabilities: Capabilities {
                port_base: Some(scope.port_base),
                ports_in_use: procfs::listening_from(scope.port_base),
                poll_ms: 100,
                steady_ms: 3000,
                swap_wait_ms: 0,
                ..Capabilities::default()
            },
        })
    }

    /// Skips Machines whose record cannot be read; [`Self::get`] reports why.
    async fn list(&self, app: &AppName) -> Result<Listing, ProviderError> {
        self.supervisors.reap();
        let dir = self.app_dir(app);
        let machines = self
            .ids(app)?
            .iter()
            .filter_map(|id| Some(snapshot(&dir.machine(id)).ok()??.machine()))
            .collect();
        Ok(Listing {
            machines,
            volumes: Vec::new(),
            unreadable: Vec::new(),
        })
    }

    async fn get(&self, app: &AppName, id: &MachineId) -> Result<Machine, ProviderError> {
        self.supervisors.reap();
        Ok(self.snapshot(app, id)?.1.machine())
    }

    /// Returns when the Machine's supervisor has acknowledged the desired state; for a destroy, when nothing
    /// is left. If dropped earlier, the desired state remains, and a living supervisor applies it.
    async fn call(&self, app: &AppName, call: &Call) -> Result<Receipt, ProviderError> {
        self.execute_call(app, call).await
    }

    /// Returns early if the Machine cannot reach the state by itself. With a restart policy of `no`, a
    /// Machine counts as started once it has exited cleanly, and one that runs once also after another exit. A Machine that should run and has no supervisor
    /// gets one.
    async fn wait(
        &self,
        app: &AppName,
        id: &MachineId,
        until: WaitUntil,
        at_most: Duration,
    ) -> Result<Machine, ProviderError> {
        let deadline = Instant::now() + at_most;
        self.ensure_supervisor(app, id).await?;
        let mut last = None;
        loop {
            let machine = match self.get(app, id).await {
                Err(error)
                    if error.class == ErrorClass::NotFound && until == WaitUntil::Destroyed =>
                {
                    return Ok(as_destroyed(last.unwrap_or_else(|| destroyed_machine(id))));
                }
                other => other?,
            };
            let is_there = match until {
                WaitUntil::Started => {
                    machine.state == MachineState::Started || self.has_run(app, &machine)
                }
                WaitUntil::Stopped => machine.state == MachineState::Stopped,
                WaitUntil::Destroyed => false,
                WaitUntil::Settled => !machine.state.is_transient(),
            };
            if is_there {
                return Ok(machine);
            }
            let is_hopeless = match until {
                WaitUntil::Started | WaitUntil::Settled => true,
                WaitUntil::Stopped => self.is_lost(app, &machine),
                WaitUntil::Destroyed => false,
            };
            if is_hopeless && let Some(error) = self.unreachable_state_error(app, &machine) {
                return Err(error);
            }
            let now = Instant::now();
            if now >= deadline {
                let state = machine.state.as_str();
                let message = format!("Machine {id} is still {state} after {at_most:?}");
                return Err(ProviderError::new(
                    ErrorClass::Transient,
                    codes::WAIT_TIMEOUT,
                    message,
                ));
            }
            last = Some(machine);
            sleep(POLL.min(deadline - now)).await;
        }
    }

    async fn logs(
        &self,
        app: &AppName,
        query: &LogQuery,
        sink: &mut LogSink<'_>,
    ) -> Result<(), ProviderError> {
        logs::stream_logs(self, app, query, sink).await
    }
}

pub(super) fn not_found(id: &MachineId) -> ProviderError {
    let message = format!("there is no Machine {id}");
    ProviderError::new(ErrorClass::NotFound, codes::MACHINE_NOT_FOUND, message)
}

fn as_destroyed(machine: Machine) -> Machine {
    Machine {
        state: MachineState::Destroyed,
        pid: None,
        address: None,
        checks: Vec::new(),
        detail: None,
        ..machine
    }
}

/// A placeholder for a destroyed Machine.
fn destroyed_machine(id: &MachineId) -> Machine {
    Machine {
        id: id.clone(),
        name: MachineName::new(id.as_str()).expect("a Machine id is a valid Machine name"),
        group: None,
        region: Region::new("local").expect("a region of lower-case letters"),
        state: MachineState::Destroyed,
        instance: String::new(),
        config: None,
        unreadable: None,
        partial_image: None,
        image_digest: None,
        stamps: Stamps::default(),
        volumes: Vec::new(),
        standby_for: Vec::new(),
        host: crate::core::fleet::HostStatus::Ok,
        cordoned: false,
        checks: Vec::new(),
        management: Management::Ours,
        project: None,
        created_at: String::new(),
        port: None,
        pid: None,
        address: None,
        restarts: 0,
        events: Vec::new(),
        detail: None,
    }
}
