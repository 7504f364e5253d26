//! Which processes belong to a Machine.
//!
//! Answers from one look at all processes; whoever wants none left must look again until none is
//! found, since processes fork while one looks.

use std::collections::{BTreeMap, BTreeSet};

use super::identity::ProcessIdentity;
use super::procfs::{self, Stat};

/// One process as it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ProcessRef {
    pub(super) pid: i32,
    pub(super) start: u64,
}

impl ProcessRef {
    /// Whether the number still means the process that was seen.
    pub(super) fn is_same_process(self) -> bool {
        procfs::stat(self.pid).is_some_and(|stat| stat.start == self.start)
    }
}

/// Everything that descends from this process, itself left out. Zombies count: they are somebody's
/// children that were not reaped yet. Complete for a subreaper, to which orphans of its tree come.
pub(super) fn descendants(root: i32) -> Vec<ProcessRef> {
    let all = procfs::processes();
    let found = descendant_pids(&all, &BTreeSet::from([root]));
    to_process_refs(&all, found.iter().filter(|pid| **pid != root))
}

/// What a dead supervisor left behind: the members of its session, every process whose environment
/// has these marks, and all their descendants. Zombies do not count, since others must reap them.
pub(super) fn orphans(predecessor: Option<&ProcessIdentity>, marks: &[String]) -> Vec<ProcessRef> {
    let own = rustix::process::getpid().as_raw_pid();
    let all = procfs::processes();
    // Dead, but perhaps not reaped: where nobody reaps orphans (a container without an init), it stays
    // a zombie for ever.
    let is_dead = |identity: &ProcessIdentity| {
        all.get(&identity.pid)
            .is_none_or(|stat| stat.is_zombie() && stat.start == identity.start)
    };
    let session = predecessor
        .filter(|identity| identity.is_of_this_boot() && is_dead(identity))
        // The kernel gives a number to nobody while a session of that number has members, so members
        // of a session without a leader are the ones that the leader left.
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
