//! From record, status and lock to the Machine as it is now.
//!
//! Only looks: it signals nothing, repairs nothing and writes nothing.

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

/// One Machine's files at one moment.
#[derive(Debug, Clone)]
pub(super) struct MachineSnapshot {
    pub(super) record: LocalRecord,
    pub(super) status: Option<LocalStatus>,
    pub(super) supervisor: SupervisorPresence,
    /// A supervisor that has not spoken yet is on its way, or will be in a moment.
    is_supervisor_expected: bool,
}

/// How long whoever wishes something may take to start a supervisor before the Machine counts as
/// failed. A record with a writer that has died counts at once.
const SUPERVISOR_START_TIMEOUT: Duration = Duration::from_secs(3);
/// How often a look is repeated that met a change.
const MAX_READ_ATTEMPTS: u32 = 5;

/// Whether a supervisor lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SupervisorPresence {
    None,
    /// One does; its number where the kernel can say it.
    Alive(Option<Pid>),
}

/// Who holds the lock in this folder. Asking takes nothing, so it can never be in a supervisor's way.
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

/// Reads one Machine's files; none if it has no record.
pub(super) fn snapshot(dir: &MachineDir) -> io::Result<Option<MachineSnapshot>> {
    let mut now = read(dir)?;
    // A supervisor writes only while it holds the lock, and its last word is final. So a status that is
    // not final, without a keeper before and after it was read, is that of a dead one; anything else
    // was a moment of change and is looked at again.
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
    // A status that cannot be read says as much as none.
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

/// Whether somebody sees to a wish that no supervisor has seen: who wished it lives and has not had
/// the time to start one, or the one that he started is coming up.
fn is_supervisor_expected(dir: &MachineDir, record: &LocalRecord) -> bool {
    let written = std::fs::metadata(dir.record()).and_then(|found| found.modified());
    // A record from the future is one from before the clock was set back: its age is not known.
    let is_fresh = written.is_ok_and(|at| {
        at.elapsed()
            .map_or(true, |age| age < SUPERVISOR_START_TIMEOUT)
    });
    let is_at_work = record.writer.as_ref().is_none_or(ProcessIdentity::is_alive);
    is_fresh && is_at_work || procfs::is_run_with(&["__supervise".as_ref(), dir.path().as_os_str()])
}

impl MachineSnapshot {
    /// Whether the supervisor has seen what is wanted now.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.status
            .as_ref()
            .is_some_and(|status| status.observed_generation == self.record.generation)
    }

    /// Nothing of it runs, proven by its last supervisor or because it never ran.
    pub(super) fn is_at_rest(&self) -> bool {
        self.supervisor == SupervisorPresence::None && (self.status.is_none() || self.is_final())
    }

    /// Whether it should run and nobody has seen that yet, alive or dead.
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
        let said = status.and_then(|status| status.detail.clone());
        match (self.supervisor, status) {
            (SupervisorPresence::Alive(_), Some(status)) if self.is_acknowledged() => {
                (status.state, said)
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
                (status.state, said)
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

    /// What its files say of its process, newest first. A supervisor counts the restarts of one wish and
    /// remembers the last exit; every wish is a new beginning.
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
        // A process that runs is one restart further than the exit before it.
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

    /// The Machine as the rest of the program sees it.
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
            // One that has written its last word is on its way out.
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
            management: Management::Ours,
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
