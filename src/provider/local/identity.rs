//! Identifies processes beyond their pid, which the system reuses: boot id, pid and start time.

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use super::procfs;

/// The identity of one process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessIdentity {
    /// The kernel's boot id.
    pub(super) boot: String,
    /// The pid in that boot.
    pub(super) pid: i32,
    /// Clock ticks from boot to its start.
    pub(super) start: u64,
}

impl ProcessIdentity {
    /// The identity of this process.
    pub(super) fn own() -> Self {
        let pid = rustix::process::getpid();
        Self::of(pid).unwrap_or_else(|| Self {
            boot: procfs::boot_id(),
            pid: pid.as_raw_pid(),
            start: 0,
        })
    }

    /// The identity of an existing process.
    pub(super) fn of(pid: Pid) -> Option<Self> {
        let stat = procfs::stat(pid.as_raw_pid())?;
        Some(Self {
            boot: procfs::boot_id(),
            pid: stat.pid,
            start: stat.start,
        })
    }

    /// Whether it belongs to the current boot.
    pub(super) fn is_of_this_boot(&self) -> bool {
        self.boot == procfs::boot_id()
    }

    /// Whether it is running; a zombie is not.
    pub(super) fn is_alive(&self) -> bool {
        self.is_of_this_boot()
            && procfs::stat(self.pid)
                .is_some_and(|stat| stat.start == self.start && !stat.is_zombie())
    }
}
