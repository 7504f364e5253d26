//! Which process a remembered number means: a pid alone is used again, with the boot and the start
//! time it is one process for ever.

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use super::procfs;

/// One process, for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessIdentity {
    /// The kernel's id of the boot in which it ran.
    pub(super) boot: String,
    /// Its number in that boot.
    pub(super) pid: i32,
    /// Clock ticks from boot to its start.
    pub(super) start: u64,
}

impl ProcessIdentity {
    /// This process's own.
    pub(super) fn own() -> Self {
        let pid = rustix::process::getpid();
        Self::of(pid).unwrap_or_else(|| Self {
            boot: procfs::boot_id(),
            pid: pid.as_raw_pid(),
            start: 0,
        })
    }

    /// That of a process that exists now.
    pub(super) fn of(pid: Pid) -> Option<Self> {
        let stat = procfs::stat(pid.as_raw_pid())?;
        Some(Self {
            boot: procfs::boot_id(),
            pid: stat.pid,
            start: stat.start,
        })
    }

    /// Whether it ran since the computer was started last.
    pub(super) fn is_of_this_boot(&self) -> bool {
        self.boot == procfs::boot_id()
    }

    /// Whether it runs now; a zombie does not.
    pub(super) fn is_alive(&self) -> bool {
        self.is_of_this_boot()
            && procfs::stat(self.pid)
                .is_some_and(|stat| stat.start == self.start && !stat.is_zombie())
    }
}
