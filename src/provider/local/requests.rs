//! Executes calls: each changes one record under the app's lock, then notifies a supervisor.
//!
//! The atomic rename of the record is the change; all remaining work follows from the record.

use std::fs::{File, TryLockError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::codes;
use super::identity::ProcessIdentity;
use super::layout::{AppDir, Durability, MachineDir, open_private, random_hex, write_json};
use super::port::{PortAssignment, Ports};
use super::provider::{LocalProvider, not_found};
use super::record::{DesiredState, LocalRecord};
use super::snapshot::snapshot;
use super::supervisors::io_error;
use super::{process, scope, signals};
use crate::core::fleet::call::{CreateCall, UpdateCall};
use crate::core::fleet::{AppName, Call, Machine, MachineConfig, MachineId, MachineState, Receipt};
use crate::core::manifest::codes as manifest_codes;
use crate::env::Env;
use crate::provider::codes as answers;
use crate::provider::{ErrorClass, ProviderError};

/// How long a call waits for the app's lock; each call holds it for a few file writes.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a destroy waits for the folder to disappear after all processes were killed.
const DESTROY_TIMEOUT: Duration = Duration::from_secs(30);

/// What a change of a record requires afterwards.
enum FollowUp {
    /// Nothing.
    Nothing,
    /// Notify a supervisor.
    Notify,
    /// Notify a supervisor, and ensure that the Machine's port is free, because nothing of it runs.
    Start,
}

impl LocalProvider {
    pub(super) async fn execute_call(
        &self,
        app: &AppName,
        call: &Call,
    ) -> Result<Receipt, ProviderError> {
        match call {
            Call::Create(create) => self.create(app, create).await,
            Call::Update(update) => self.update(app, update).await,
            Call::Start { id } => self.start(app, id).await,
            Call::Stop { id } => {
                let stop = |record: &mut LocalRecord, now: &Machine| {
                    if now.state == MachineState::Stopped {
                        return Ok(FollowUp::Nothing);
                    }
                    record.set_desired_state(DesiredState::Stopped);
                    Ok(FollowUp::Notify)
                };
                self.edit_record(app, id, stop).await
            }
            Call::Suspend { .. } => Err(cannot_suspend()),
            Call::Restart { id } => {
                let restart = |record: &mut LocalRecord, now: &Machine| {
                    if now.state != MachineState::Started {
                        return Err(not_started(id, now.state));
                    }
                    record.set_desired_state(DesiredState::Running);
                    Ok(FollowUp::Notify)
                };
                self.edit_record(app, id, restart).await
            }
            Call::Destroy { id, force } => self.destroy(app, id, *force).await,
            Call::Cordon { id } => self.set_cordoned(app, id, true).await,
            Call::Uncordon { id } => self.set_cordoned(app, id, false).await,
            Call::Stamp { id, stamps } => {
                let stamp = |record: &mut LocalRecord, _: &Machine| {
                    record.stamps = stamps.clone();
                    Ok(FollowUp::Nothing)
                };
                self.edit_record(app, id, stamp).await
            }
            Call::CreateVolume(volume) => {
                let message = format!(
                    "provider `local` creates no volumes: the mount `{}` is not mounted",
                    volume.name
                );
                let class = ErrorClass::Invalid;
                Err(ProviderError::new(class, answers::REFUSED, message))
            }
        }
    }

    async fn create(&self, app: &AppName, call: &CreateCall) -> Result<Receipt, ProviderError> {
        check_runnable(&call.config)?;
        let dir = self.app_dir(app);
        let failed = |error| self.app_error(app, &error);
        let scope = scope::load_or_create(&self.root, &dir, self.first_port).map_err(failed)?;
        let lock = self.lock(app, &dir).await?;
        let others = records(&dir).map_err(failed)?;
        if let Some(other) = others.iter().find(|other| other.name == call.name) {
            return Err(already_exists(other));
        }
        let ports = Ports::of(scope.port_base, &others);
        let assigned = match call.port {
            // A command that runs once serves nothing.
            _ if call.config.runs_once() && !call.config.has_services() => None,
            Some(port) => Some(ports.assign(port)?),
            None => Some(PortAssignment {
                port: ports.lowest(scope.port_base)?,
                remark: None,
            }),
        };
        let (port, remark) = assigned.map_or((None, None), |PortAssignment { port, remark }| {
            (Some(port), remark)
        });
        let id = random_hex::<7>().map_err(failed)?;
        let id = MachineId::new(id).expect("lower-case hex is a valid Machine id");
        let record = LocalRecord {
            id: id.clone(),
            app: app.clone(),
            scope: scope.id.to_string(),
            name: call.name.clone(),
            group: call.group.clone(),
            region: call.region.clone(),
            instance: random_hex::<8>().map_err(failed)?,
            config: call.config.clone(),
            stamps: call.stamps.clone(),
            port,
            created_at: Env::precise_now(),
            cordoned: call.cordoned,
            project: self.project.clone(),
            folder: Some(self.canonical_project.clone()),
            log_cap: self.log_cap,
            generation: 1,
            desired_state: if call.skip_launch {
                DesiredState::Stopped
            } else {
                DesiredState::Running
            },
            writer: ProcessIdentity::of(rustix::process::getpid()),
        };
        dir.make_machine(&id, &record).map_err(failed)?;
        drop(lock);
        if record.desired_state == DesiredState::Running {
            self.supervisors
                .notify_and_wait(&dir.machine(&id), record.generation)
                .await?;
        }
        self.receipt(app, &id, remark)
    }

    async fn update(&self, app: &AppName, call: &UpdateCall) -> Result<Receipt, ProviderError> {
        check_runnable(&call.config)?;
        let instance = random_hex::<8>().map_err(|error| self.app_error(app, &error))?;
        let update = |record: &mut LocalRecord, now: &Machine| {
            if record.instance != call.instance {
                let message = format!("Machine {} was changed in the meantime", call.id);
                let class = ErrorClass::Conflict;
                return Err(ProviderError::new(class, codes::INSTANCE_CHANGED, message));
            }
            record.instance = instance;
            record.group.clone_from(&call.group);
            record.config = call.config.clone();
            let release = record.stamps.release.take();
            record.stamps = call.stamps.clone();
            record.stamps.release = record.stamps.release.take().or(release);
            record.project.clone_from(&self.project);
            record.folder = Some(self.canonical_project.clone());
            record.set_desired_state(if call.skip_launch {
                DesiredState::Stopped
            } else {
                DesiredState::Running
            });
            // A stopped Machine that stays stopped needs no supervisor.
            Ok(match (call.skip_launch, now.state) {
                (true, MachineState::Stopped) => FollowUp::Nothing,
                (false, MachineState::Stopped | MachineState::Failed) => FollowUp::Start,
                _ => FollowUp::Notify,
            })
        };
        self.edit_record(app, &call.id, update).await
    }

    async fn start(&self, app: &AppName, id: &MachineId) -> Result<Receipt, ProviderError> {
        let start = |record: &mut LocalRecord, now: &Machine| {
            match now.state {
                // Notified again, because the process that set this state may have died before notifying.
                MachineState::Started | MachineState::Starting | MachineState::Replacing => {
                    return Ok(FollowUp::Notify);
                }
                _ => {}
            }
            record.project.clone_from(&self.project);
            record.set_desired_state(DesiredState::Running);
            Ok(FollowUp::Start)
        };
        self.edit_record(app, id, start).await
    }

    async fn destroy(
        &self,
        app: &AppName,
        id: &MachineId,
        force: bool,
    ) -> Result<Receipt, ProviderError> {
        let dir = self.app_dir(app);
        let lock = self.lock_app_of(app, &dir, id).await?;
        let (machine_dir, now) = self.snapshot(app, id)?;
        let state = now.machine().state;
        if !force && state != MachineState::Stopped {
            let message = format!("Machine {id} is {}, not stopped", state.as_str());
            let class = ErrorClass::Invalid;
            return Err(ProviderError::new(class, answers::NOT_STOPPED, message));
        }
        // A supervisor may be working on an earlier, unacknowledged state; it must be notified.
        let is_expected =
            now.record.desired_state == DesiredState::Running && !now.is_acknowledged();
        if now.is_at_rest() && !is_expected {
            let done = machine_dir.discard();
            done.map_err(|error| io_error("remove", &machine_dir, &error))?;
            return Ok(Receipt::default());
        }
        let mut record = now.record;
        record.set_desired_state(DesiredState::Destroyed);
        save(&machine_dir, &record)?;
        drop(lock);
        self.supervisors
            .notify_and_wait(&machine_dir, record.generation)
            .await?;
        let deadline = Instant::now() + DESTROY_TIMEOUT;
        while machine_dir.record().exists() {
            if Instant::now() >= deadline {
                let message = format!("processes of Machine {id} survive SIGKILL");
                let class = ErrorClass::Unknown;
                return Err(ProviderError::new(class, codes::PROCESSES_REMAIN, message));
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(Receipt::default())
    }

    async fn set_cordoned(
        &self,
        app: &AppName,
        id: &MachineId,
        cordoned: bool,
    ) -> Result<Receipt, ProviderError> {
        let cordon = |record: &mut LocalRecord, _: &Machine| {
            record.cordoned = cordoned;
            Ok(FollowUp::Nothing)
        };
        self.edit_record(app, id, cordon).await
    }

    /// Changes one record, and notifies a supervisor if needed.
    async fn edit_record(
        &self,
        app: &AppName,
        id: &MachineId,
        edit: impl FnOnce(&mut LocalRecord, &Machine) -> Result<FollowUp, ProviderError> + Send,
    ) -> Result<Receipt, ProviderError> {
        let dir = self.app_dir(app);
        let lock = self.lock_app_of(app, &dir, id).await?;
        let (machine_dir, now) = self.snapshot(app, id)?;
        let machine = now.machine();
        let mut record = now.record;
        let then = edit(&mut record, &machine)?;
        let remark = match then {
            FollowUp::Start => self.ensure_port(app, &dir, &mut record)?,
            FollowUp::Notify | FollowUp::Nothing => None,
        };
        save(&machine_dir, &record)?;
        drop(lock);
        match then {
            FollowUp::Nothing => {}
            FollowUp::Notify | FollowUp::Start => {
                self.supervisors
                    .notify_and_wait(&machine_dir, record.generation)
                    .await?;
            }
        }
        self.receipt(app, id, remark)
    }

    /// Assigns another port to a Machine about to start if another process uses its port, and reports that.
    /// Remaining processes of the Machine itself are killed before its start.
    fn ensure_port(
        &self,
        app: &AppName,
        dir: &AppDir,
        record: &mut LocalRecord,
    ) -> Result<Option<String>, ProviderError> {
        let failed = |error| self.app_error(app, &error);
        let scope = scope::load_or_create(&self.root, dir, self.first_port).map_err(failed)?;
        let mut others = records(dir).map_err(failed)?;
        others.retain(|other| other.id != record.id);
        let Some(new) = Ports::of(scope.port_base, &others).reassign_if_taken(record)? else {
            return Ok(None);
        };
        record.port = Some(new.port);
        Ok(new.remark)
    }

    fn receipt(
        &self,
        app: &AppName,
        id: &MachineId,
        remark: Option<String>,
    ) -> Result<Receipt, ProviderError> {
        let machine = Some(self.snapshot(app, id)?.1.machine());
        Ok(Receipt {
            machine,
            volume: None,
            remark,
        })
    }

    /// The lock of the app of an existing Machine.
    async fn lock_app_of(
        &self,
        app: &AppName,
        dir: &AppDir,
        id: &MachineId,
    ) -> Result<File, ProviderError> {
        // Without the Machine's folder there is nothing to lock, and a read must not create it.
        if !dir.machine(id).path().exists() {
            return Err(not_found(id));
        }
        self.lock(app, dir).await
    }

    async fn lock(&self, app: &AppName, dir: &AppDir) -> Result<File, ProviderError> {
        let file = open_private(&dir.lock()).map_err(|error| self.app_error(app, &error))?;
        let deadline = Instant::now() + LOCK_TIMEOUT;
        loop {
            // Never blocks: the holder may be another task on this thread.
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(self.app_error(app, &error)),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    let message = format!("another process holds the lock of {app}");
                    let class = ErrorClass::Transient;
                    return Err(ProviderError::new(class, codes::APP_BUSY, message));
                }
                Err(TryLockError::WouldBlock) => sleep(Duration::from_millis(5)).await,
            }
        }
    }
}

fn save(dir: &MachineDir, record: &LocalRecord) -> Result<(), ProviderError> {
    write_json(&dir.record(), record, Durability::Yes)
        .map_err(|error| io_error("write", dir, &error))
}

/// Every readable record of the app.
fn records(dir: &AppDir) -> std::io::Result<Vec<LocalRecord>> {
    let ids = dir.machine_ids()?;
    Ok(ids
        .iter()
        .filter_map(|id| Some(snapshot(&dir.machine(id)).ok()??.record))
        .collect())
}

fn check_runnable(config: &MachineConfig) -> Result<(), ProviderError> {
    if process::command_words(config).is_empty() {
        let message =
            "there is no command to run, and provider `local` cannot run an image's command";
        return Err(
            ProviderError::new(ErrorClass::Invalid, manifest_codes::NO_COMMAND, message)
                .hint("set it: `[groups.app.local] command = \"…\"` in aeroform.toml"),
        );
    }
    let signal = config
        .stop_config
        .as_ref()
        .and_then(|s| s.signal.as_deref());
    match signal {
        Some(name) if signals::by_name(name).is_none() => {
            let message = format!("there is no signal `{name}`");
            Err(ProviderError::new(
                ErrorClass::Invalid,
                codes::UNKNOWN_SIGNAL,
                message,
            ))
        }
        _ => Ok(()),
    }
}

/// Halted processes would lose their connections but keep memory and ports.
fn cannot_suspend() -> ProviderError {
    let message = "provider `local` cannot suspend: a suspended process would keep its port";
    ProviderError::new(ErrorClass::Invalid, codes::NO_SUSPEND, message)
        .hint("stop the Machine: `aeroform machine stop ID`")
}

fn not_started(id: &MachineId, state: MachineState) -> ProviderError {
    let message = format!("Machine {id} is {}, not started", state.as_str());
    ProviderError::new(ErrorClass::Invalid, answers::FAILED_PRECONDITION, message)
}

fn already_exists(other: &LocalRecord) -> ProviderError {
    let message = format!("Machine {} has the name `{}`", other.id, other.name);
    ProviderError::new(ErrorClass::Conflict, answers::ALREADY_EXISTS, message)
}
