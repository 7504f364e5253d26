//! The provider's face: describe, list, get, call, wait, logs.
//!
//! Reads files and writes wishes; no process is touched here.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::codes;
use super::layout::{AppDir, MachineDir};
use super::snapshot::{MachineSnapshot, snapshot};
use super::supervisors::{Supervisors, io_error};
use super::{logs, procfs, scope};
use crate::core::fleet::profile::LOCAL;
use crate::core::fleet::{
    AppName, Call, Capabilities, Description, Machine, MachineId, MachineName, MachineState,
    Management, Receipt, Region, Stamps, WaitUntil,
};
use crate::provider::codes as answers;
use crate::provider::{ErrorClass, Listing, LogQuery, LogSink, Provider, ProviderError};

/// How often a Machine is looked at while something is awaited.
const POLL: Duration = Duration::from_millis(100);
/// Bytes after which a Machine's log is turned over; one older file is kept.
const LOG_CAP: u64 = 10 * 1024 * 1024;

/// Where a [`LocalProvider`] works.
#[derive(Debug, Clone)]
pub struct LocalConfig {
    /// The folder that holds one folder per app (`<state dir>/local`).
    pub dir: PathBuf,
    /// The folder in which Machines run.
    pub project: PathBuf,
    /// The program that supervises when called with `__supervise DIR`: this executable.
    pub program: PathBuf,
}

/// Runs Machines as processes on this computer. Several may work on one folder at the same time, in
/// one process or in many.
#[derive(Debug)]
pub struct LocalProvider {
    pub(super) root: PathBuf,
    pub(super) project: PathBuf,
    /// The same with links resolved: the folder that its Machines belong to.
    pub(super) canonical_project: PathBuf,
    pub(super) supervisors: Supervisors,
    pub(super) log_cap: u64,
    pub(super) first_port: u16,
}

impl LocalProvider {
    /// A provider; touches nothing yet.
    pub fn new(config: LocalConfig) -> Self {
        let LocalConfig {
            dir,
            project,
            program,
        } = config;
        // Supervisors work in another folder than whoever starts them.
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

    /// The same with another first port for apps that it meets for the first time.
    #[must_use]
    pub fn first_port(mut self, port: u16) -> Self {
        self.first_port = port;
        self
    }

    /// The same with another cap of the logs of Machines that it makes, bytes. A log and its older
    /// file together hold at most twice that and one line.
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

    /// Why it is in vain to wait for a Machine to start or to settle: it is at rest, or starts and ends
    /// over and over. Its last output is the hint.
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

    /// Sees to it that somebody is at work on what a Machine waits for: whoever wished it may have died
    /// before he started a supervisor. Where one lives or is on its way, this only waits for its word.
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

    fn has_run(&self, app: &AppName, machine: &Machine) -> bool {
        let restart = machine.config.as_deref().and_then(|c| c.restart.as_ref());
        let never_again = restart.and_then(|r| r.policy.as_deref()) == Some("no");
        never_again
            && machine.state == MachineState::Stopped
            && self.snapshot(app, &machine.id).is_ok_and(|(_, snapshot)| {
                let exit = snapshot.status.and_then(|status| status.last_exit);
                exit.is_some_and(super::record::ProcessExit::is_success)
            })
    }
}

#[async_trait]
impl Provider for LocalProvider {
    fn name(&self) -> &'static str {
        LOCAL.name
    }

    /// Counts the folders with a record, readable or not, so that damaged ones are missed.
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
                ..Capabilities::default()
            },
        })
    }

    /// Leaves out Machines whose record cannot be read; [`Self::get`] says why.
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

    /// Returns when the Machine's supervisor has seen what is wanted; a destroy, when all of it is
    /// gone. Dropped before that, the wish stands and comes true by itself where a supervisor lives.
    async fn call(&self, app: &AppName, call: &Call) -> Result<Receipt, ProviderError> {
        self.execute_call(app, call).await
    }

    /// Ends early when the Machine cannot get there by itself. A Machine whose policy is never to
    /// restart counts as started once it has ended well. One that was asked to run and that nobody has
    /// started is started.
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
            if matches!(until, WaitUntil::Started | WaitUntil::Settled)
                && let Some(error) = self.unreachable_state_error(app, &machine)
            {
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

/// A Machine of which nothing is left but its id.
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
