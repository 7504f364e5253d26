//! Derives a Machine's current state from record, status and lock.
//!
//! It only reads.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Flock, FlockType, Pid, fcntl_getlk};

use super::identity::ProcessIdentity;
use super::layout::{MachineDir, open_private, read_json};
use super::procfs;
use super::record::{DesiredState, LocalRecord, LocalStatus};
use crate::core::fleet::{
    Machine, MachineId, MachineState, Management, ProcessEvent, ProcessEventKind, VolumeId,
};
use crate::provider::bookkeeping::is_auxiliary_group;

/// One Machine's files at one moment.
#[derive(Debug, Clone)]
pub(super) struct MachineSnapshot {
    pub(super) record: LocalRecord,
    pub(super) status: Option<LocalStatus>,
    pub(super) supervisor: SupervisorPresence,
    /// A supervisor is starting or will be started in a moment.
    is_supervisor_expected: bool,
}

/// How long the start of a supervisor may take before the Machine counts as failed. If the record's writer
/// has died, it counts at once.
const SUPERVISOR_START_TIMEOUT: Duration = Duration::from_secs(3);
/// How often a read is repeated if the files changed meanwhile.
const MAX_READ_ATTEMPTS: u32 = 5;

/// Whether a supervisor is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SupervisorPresence {
    None,
    /// Alive, with its pid if the kernel reports it.
    Alive(Option<Pid>),
}

/// The supervisor that holds the lock of this folder. The check acquires no lock, so it cannot block a
/// supervisor.
pub(super) fn find_supervisor(dir: &MachineDir) -> io::Result<SupervisorPresence> {
    if !dir.lock().exists() {
        return Ok(SupervisorPresence::None);
    }
    let file = open_private(&dir.lock())?;
    Ok(
        match fcntl_getlk(&file, &Flock::from(FlockType::WriteLock))? {
            Some(lock) => SupervisorPresence::Alive(lock.pid),
            None => SupervisorPresence::None,
        },
    )
}

/// Reads one Machine's files; `None` if it has no record.
pub(super) fn snapshot(dir: &MachineDir) -> io::Result<Option<MachineSnapshot>> {
    let mut now = read(dir)?;
    // A supervisor writes only while it holds the lock, and its last status is final. So a status that is not
    // final, without a supervisor before and after the read, belongs to a dead one; otherwise something
    // changed, and the read is repeated.
    for _ in 0..MAX_READ_ATTEMPTS {
        match &now {
            Some(seen) if seen.supervisor == SupervisorPresence::None && !seen.is_at_rest() => {}
            _ => break,
        }
        let again = read(dir)?;
        let is_same = matches!((&now, &again), (Some(now), Some(again))
            if now.supervisor == again.supervisor && now.status == again.status);
        now = again;
        if is_same {
            break;
        }
    }
    Ok(now)
}

fn read(dir: &MachineDir) -> io::Result<Option<MachineSnapshot>> {
    let keeper = find_supervisor(dir)?;
    // An unreadable status counts as missing.
    let status = read_json(&dir.status()).unwrap_or_default();
    let Some(record) = read_json(&dir.record())? else {
        return Ok(None);
    };
    let mut snapshot = MachineSnapshot {
        record,
        status,
        supervisor: keeper,
        is_supervisor_expected: false,
    };
    if snapshot.needs_supervisor() {
        snapshot.is_supervisor_expected = is_supervisor_expected(dir, &snapshot.record);
    }
    Ok(Some(snapshot))
}

/// Whether a supervisor for an unacknowledged state is starting, or its writer is alive and has had little
/// time to start one.
fn is_supervisor_expected(dir: &MachineDir, record: &LocalRecord) -> bool {
    let written = std::fs::metadata(dir.record()).and_then(|found| found.modified());
    // A record from the future was written before the clock was set back; its age is unknown.
    let is_fresh = written.is_ok_and(|at| {
        at.elapsed()
            .map_or(true, |age| age < SUPERVISOR_START_TIMEOUT)
    });
    let is_at_work = record.writer.as_ref().is_none_or(ProcessIdentity::is_alive);
    is_fresh && is_at_work || procfs::is_run_with(&["__supervise".as_ref(), dir.path().as_os_str()])
}

impl MachineSnapshot {
    /// Whether the supervisor has acknowledged the current desired state.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.status
            .as_ref()
            .is_some_and(|status| status.observed_generation == self.record.generation)
    }

    /// Nothing of it is running: its last supervisor recorded that, or it never ran.
    pub(super) fn is_at_rest(&self) -> bool {
        self.supervisor == SupervisorPresence::None && (self.status.is_none() || self.is_final())
    }

    /// Whether it should run and no supervisor has acknowledged that.
    pub(super) fn needs_supervisor(&self) -> bool {
        self.supervisor == SupervisorPresence::None
            && self.record.desired_state == DesiredState::Running
            && !self.is_acknowledged()
    }

    fn is_final(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.is_final)
    }

    fn state(&self) -> (MachineState, Option<String>) {
        let status = self.status.as_ref();
        let detail = status.and_then(|status| status.detail.clone());
        match (self.supervisor, status) {
            (SupervisorPresence::Alive(_), Some(status)) if self.is_acknowledged() => {
                (status.state, detail)
            }
            (SupervisorPresence::Alive(_), _) => match self.record.desired_state {
                DesiredState::Running if status.is_some_and(|status| !status.is_final) => {
                    (MachineState::Replacing, None)
                }
                DesiredState::Running => (MachineState::Starting, None),
                DesiredState::Stopped => (MachineState::Stopping, None),
                DesiredState::Destroyed => (MachineState::Destroying, None),
            },
            (SupervisorPresence::None, Some(status)) if !status.is_final => {
                let why = if status.supervisor.is_of_this_boot() {
                    "supervisor is gone"
                } else {
                    "the computer was restarted"
                };
                (MachineState::Failed, Some(why.to_owned()))
            }
            (SupervisorPresence::None, Some(status)) if self.is_acknowledged() => {
                (status.state, detail)
            }
            (SupervisorPresence::None, _) => match self.record.desired_state {
                DesiredState::Running if self.is_supervisor_expected => {
                    (MachineState::Starting, None)
                }
                DesiredState::Running => (
                    MachineState::Failed,
                    Some("its supervisor never started".to_owned()),
                ),
                DesiredState::Stopped | DesiredState::Destroyed => (MachineState::Stopped, None),
            },
        }
    }

    /// Process events derived from its files, newest first. A supervisor counts the restarts of one
    /// generation and stores the last exit.
    fn events(&self) -> Vec<ProcessEvent> {
        let (record, status) = (&self.record, self.status.as_ref());
        let event = |kind: u64, number: u32, what| ProcessEvent {
            id: record.generation << 34 | u64::from(number) << 2 | kind,
            kind: what,
        };
        let changed = event(0, 0, ProcessEventKind::Changed);
        if record.desired_state != DesiredState::Running {
            return vec![event(3, 0, ProcessEventKind::StopRequested), changed];
        }
        let Some(status) = status.filter(|_| self.is_acknowledged()) else {
            return vec![changed];
        };
        let started = |number| event(1, number, ProcessEventKind::Started);
        let Some(exit) = status.last_exit else {
            return vec![started(0), changed];
        };
        // A running process is one restart after that exit.
        let runs = status.main.is_some();
        let before = status.restarts.saturating_sub(u32::from(runs));
        let restarting = runs || status.state == MachineState::Starting;
        let exit = exit.to_machine_exit(restarting, before + u32::from(restarting));
        let exited = event(2, before, ProcessEventKind::Exited(exit));
        if runs {
            vec![started(status.restarts), exited, started(before), changed]
        } else {
            vec![exited, started(before), changed]
        }
    }

    /// Converts it to a Machine.
    pub(super) fn machine(&self) -> Machine {
        let record = &self.record;
        let (state, detail) = self.state();
        let live = self.status.as_ref().filter(|_| {
            matches!(self.supervisor, SupervisorPresence::Alive(_)) && self.is_acknowledged()
        });
        let main = live
            .and_then(|status| status.main.as_ref())
            .filter(|main| main.is_alive())
            .map(|main| main.pid);
        let supervisor = match self.supervisor {
            // A supervisor that wrote its final status is about to exit.
            SupervisorPresence::Alive(pid) if !(self.is_acknowledged() && self.is_final()) => {
                pid.map(Pid::as_raw_pid)
            }
            SupervisorPresence::Alive(_) | SupervisorPresence::None => None,
        };
        Machine {
            id: record.id.clone(),
            name: record.name.clone(),
            group: Some(record.group.clone()),
            region: record.region.clone(),
            state,
            instance: record.instance.clone(),
            config: Some(Arc::new(record.config.clone())),
            unreadable: None,
            partial_image: None,
            image_digest: None,
            stamps: record.stamps.clone(),
            volumes: volumes(record),
            standby_for: standbys(record),
            host: crate::core::fleet::HostStatus::Ok,
            cordoned: record.cordoned,
            checks: live.map(|status| status.checks.clone()).unwrap_or_default(),
            management: if is_auxiliary_group(&record.group) {
                Management::Auxiliary
            } else {
                Management::Ours
            },
            project: record
                .folder
                .as_ref()
                .map(|folder| folder.display().to_string()),
            created_at: record.created_at.clone(),
            port: record.port,
            pid: main.or(supervisor).and_then(|pid| u32::try_from(pid).ok()),
            address: record
                .port
                .filter(|_| record.config.has_services())
                .map(|port| format!("http://127.0.0.1:{port}")),
            events: self.events(),
            restarts: match &self.status {
                Some(status) if self.is_acknowledged() => status.restarts,
                Some(_) | None => 0,
            },
            detail,
        }
    }
}

fn volumes(record: &LocalRecord) -> Vec<VolumeId> {
    let mounts = record.config.mounts.iter().flatten();
    mounts
        .filter_map(|mount| VolumeId::new(mount.volume.clone()?).ok())
        .collect()
}

fn standbys(record: &LocalRecord) -> Vec<MachineId> {
    let ids = record.config.standbys.iter().flatten();
    ids.filter_map(|id| MachineId::new(id.as_str()).ok())
        .collect()
}
