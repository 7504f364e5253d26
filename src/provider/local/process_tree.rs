//! Finds the processes of a Machine.
//!
//! Each call inspects the processes once. To end all of them, call again until none is found, since processes
//! may fork meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use super::identity::ProcessIdentity;
use super::procfs::{self, Stat};

/// A process as observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ProcessRef {
    pub(super) pid: i32,
    pub(super) start: u64,
}

impl ProcessRef {
    /// Whether the pid is still the same process.
    pub(super) fn is_same_process(self) -> bool {
        procfs::stat(self.pid).is_some_and(|stat| stat.start == self.start)
    }
}

/// All descendants of this process, without itself. Includes zombies that were not reaped. Complete for a
/// subreaper, which inherits orphans.
pub(super) fn descendants(root: i32) -> Vec<ProcessRef> {
    let all = procfs::processes();
    let found = descendant_pids(&all, &BTreeSet::from([root]));
    to_process_refs(&all, found.iter().filter(|pid| **pid != root))
}

/// The processes of a dead supervisor: members of its session, processes with these marks in their
/// environment, and all their descendants. Excludes zombies, which other processes must reap.
pub(super) fn orphans(predecessor: Option<&ProcessIdentity>, marks: &[String]) -> Vec<ProcessRef> {
    let own = rustix::process::getpid().as_raw_pid();
    let all = procfs::processes();
    // It may stay a zombie forever if nothing reaps orphans (a container without an init).
    let is_dead = |identity: &ProcessIdentity| {
        all.get(&identity.pid)
            .is_none_or(|stat| stat.is_zombie() && stat.start == identity.start)
    };
    let session = predecessor
        .filter(|identity| identity.is_of_this_boot() && is_dead(identity))
        // The kernel reuses no pid while a session of that number has members, so members of a session
        // without a leader belong to the dead leader.
        .map(|identity| identity.pid);
    let roots: BTreeSet<i32> = all
        .values()
        .filter(|stat| stat.pid != own && !stat.is_zombie())
        .filter(|stat| Some(stat.session) == session || procfs::has_environment(stat.pid, marks))
        .map(|stat| stat.pid)
        .collect();
    let found = descendant_pids(&all, &roots);
    let live = found
        .iter()
        .filter(|pid| **pid != own && all.get(pid).is_some_and(|stat| !stat.is_zombie()));
    to_process_refs(&all, live)
}

fn descendant_pids(all: &BTreeMap<i32, Stat>, roots: &BTreeSet<i32>) -> BTreeSet<i32> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for stat in all.values() {
        children.entry(stat.parent).or_default().push(stat.pid);
    }
    let mut found = roots.clone();
    let mut open: Vec<i32> = roots.iter().copied().collect();
    while let Some(pid) = open.pop() {
        for child in children.get(&pid).into_iter().flatten() {
            if found.insert(*child) {
                open.push(*child);
            }
        }
    }
    found
}

fn to_process_refs<'a>(
    all: &BTreeMap<i32, Stat>,
    pids: impl Iterator<Item = &'a i32>,
) -> Vec<ProcessRef> {
    pids.filter_map(|pid| {
        let stat = all.get(pid)?;
        Some(ProcessRef {
            pid: stat.pid,
            start: stat.start,
        })
    })
    .collect()
}
