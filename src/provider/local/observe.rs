//! From record, status and lock to the Machine as it is now.
//!
//! Only looks: it signals nothing, repairs nothing and writes nothing.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Flock, FlockType, Pid, fcntl_getlk};

use super::identity::Identity;
use super::layout::{MachineDir, open_private, read_json};
use super::procfs;
use super::record::{Record, Status, Wanted};
use crate::core::fleet::{
    Machine, MachineId, MachineState, Management, Occurred, Occurrence, VolumeId,
};

/// One Machine's files at one moment.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub(super) record: Record,
    pub(super) status: Option<Status>,
    pub(super) keeper: Keeper,
    /// A supervisor that has not spoken yet is on its way, or will be in a moment.
    is_expected: bool,
}

/// How long whoever wishes something may take to start a supervisor before the Machine counts as
/// failed. A record with a writer that has died counts at once.
const FRESH: Duration = Duration::from_secs(3);
/// How often a look is repeated that met a change.
const MOMENTS: u32 = 5;

/// Whether a supervisor lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeper {
    None,
    /// One does; its number where the kernel can say it.
    Alive(Option<Pid>),
}

/// Who holds the lock in this folder. Asking takes nothing, so it can never be in a supervisor's way.
pub(super) fn keeper(dir: &MachineDir) -> io::Result<Keeper> {
    if !dir.lock().exists() {
        return Ok(Keeper::None);
    }
    let file = open_private(&dir.lock())?;
    Ok(
        match fcntl_getlk(&file, &Flock::from(FlockType::WriteLock))? {
            Some(lock) => Keeper::Alive(lock.pid),
            None => Keeper::None,
        },
    )
}

/// Reads one Machine's files; none if it has no record.
pub(super) fn snapshot(dir: &MachineDir) -> io::Result<Option<Snapshot>> {
    let mut now = read(dir)?;
    // A supervisor writes only while it holds the lock, and its last word is final. So a status that is
    // not final, without a keeper before and after it was read, is that of a dead one; anything else
    // was a moment of change and is looked at again.
    for _ in 0..MOMENTS {
        match &now {
            Some(seen) if seen.keeper == Keeper::None && !seen.is_at_rest() => {}
            _ => break,
        }
        let again = read(dir)?;
        let is_same = matches!((&now, &again), (Some(now), Some(again))
            if now.keeper == again.keeper && now.status == again.status);
        now = again;
        if is_same {
            break;
        }
    }
    Ok(now)
}

fn read(dir: &MachineDir) -> io::Result<Option<Snapshot>> {
    let keeper = keeper(dir)?;
    // A status that cannot be read says as much as none.
    let status = read_json(&dir.status()).unwrap_or_default();
    let Some(record) = read_json(&dir.record())? else {
        return Ok(None);
    };
    let mut snapshot = Snapshot {
        record,
        status,
        keeper,
        is_expected: false,
    };
    if snapshot.is_forgotten() {
        snapshot.is_expected = is_expected(dir, &snapshot.record);
    }
    Ok(Some(snapshot))
}

/// Whether somebody sees to a wish that no supervisor has seen: who wished it lives and has not had
/// the time to start one, or the one that he started is coming up.
fn is_expected(dir: &MachineDir, record: &Record) -> bool {
    let written = std::fs::metadata(dir.record()).and_then(|found| found.modified());
    // A record from the future is one from before the clock was set back: its age is not known.
    let is_fresh = written.is_ok_and(|at| at.elapsed().map_or(true, |age| age < FRESH));
    let is_at_work = record.writer.as_ref().is_none_or(Identity::is_alive);
    is_fresh && is_at_work || procfs::is_run_with(&["__supervise".as_ref(), dir.path().as_os_str()])
}

impl Snapshot {
    /// Whether the supervisor has seen what is wanted now.
    pub(super) fn is_obeyed(&self) -> bool {
        self.status
            .as_ref()
            .is_some_and(|status| status.wish == self.record.wish)
    }

    /// Nothing of it runs, proven by its last supervisor or because it never ran.
    pub(super) fn is_at_rest(&self) -> bool {
        self.keeper == Keeper::None && (self.status.is_none() || self.is_final())
    }

    /// Whether it should run and nobody has seen that yet, alive or dead.
    pub(super) fn is_forgotten(&self) -> bool {
        self.keeper == Keeper::None && self.record.wanted == Wanted::Running && !self.is_obeyed()
    }

    fn is_final(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.is_final)
    }

    fn state(&self) -> (MachineState, Option<String>) {
        let status = self.status.as_ref();
        let said = status.and_then(|status| status.detail.clone());
        match (self.keeper, status) {
            (Keeper::Alive(_), Some(status)) if self.is_obeyed() => (status.state, said),
            (Keeper::Alive(_), _) => match self.record.wanted {
                Wanted::Running if status.is_some_and(|status| !status.is_final) => {
                    (MachineState::Replacing, None)
                }
                Wanted::Running => (MachineState::Starting, None),
                Wanted::Stopped => (MachineState::Stopping, None),
                Wanted::Destroyed => (MachineState::Destroying, None),
            },
            (Keeper::None, Some(status)) if !status.is_final => {
                let why = if status.supervisor.is_of_this_boot() {
                    "supervisor is gone"
                } else {
                    "the computer was restarted"
                };
                (MachineState::Failed, Some(why.to_owned()))
            }
            (Keeper::None, Some(status)) if self.is_obeyed() => (status.state, said),
            (Keeper::None, _) => match self.record.wanted {
                Wanted::Running if self.is_expected => (MachineState::Starting, None),
                Wanted::Running => (
                    MachineState::Failed,
                    Some("its supervisor never started".to_owned()),
                ),
                Wanted::Stopped | Wanted::Destroyed => (MachineState::Stopped, None),
            },
        }
    }

    /// What its files say of its process, newest first. A supervisor counts the restarts of one wish and
    /// remembers the last exit; every wish is a new beginning.
    fn events(&self) -> Vec<Occurrence> {
        let (record, status) = (&self.record, self.status.as_ref());
        let event = |kind: u64, number: u32, what| Occurrence {
            mark: record.wish << 34 | u64::from(number) << 2 | kind,
            what,
        };
        let changed = event(0, 0, Occurred::Changed);
        if record.wanted != Wanted::Running {
            return vec![event(3, 0, Occurred::StopRequested), changed];
        }
        let Some(status) = status.filter(|_| self.is_obeyed()) else {
            return vec![changed];
        };
        let started = |number| event(1, number, Occurred::Started);
        let Some(exit) = status.last_exit else {
            return vec![started(0), changed];
        };
        // A process that runs is one restart further than the exit before it.
        let runs = status.main.is_some();
        let before = status.restarts.saturating_sub(u32::from(runs));
        let restarting = runs || status.state == MachineState::Starting;
        let exit = exit.told(restarting, before + u32::from(restarting));
        let exited = event(2, before, Occurred::Exited(exit));
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
        let live = self
            .status
            .as_ref()
            .filter(|_| matches!(self.keeper, Keeper::Alive(_)) && self.is_obeyed());
        let main = live
            .and_then(|status| status.main.as_ref())
            .filter(|main| main.is_alive())
            .map(|main| main.pid);
        let supervisor = match self.keeper {
            // One that has written its last word is on its way out.
            Keeper::Alive(pid) if !(self.is_obeyed() && self.is_final()) => {
                pid.map(Pid::as_raw_pid)
            }
            Keeper::Alive(_) | Keeper::None => None,
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
                Some(status) if self.is_obeyed() => status.restarts,
                Some(_) | None => 0,
            },
            detail,
        }
    }
}

fn volumes(record: &Record) -> Vec<VolumeId> {
    let mounts = record.config.mounts.iter().flatten();
    mounts
        .filter_map(|mount| VolumeId::new(mount.volume.clone()?).ok())
        .collect()
}

fn standbys(record: &Record) -> Vec<MachineId> {
    let ids = record.config.standbys.iter().flatten();
    ids.filter_map(|id| MachineId::new(id.as_str()).ok())
        .collect()
}
