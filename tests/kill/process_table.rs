//! The process table as the judge: which trees run for an app, who supervises them, and whether that
//! is what was wanted. Asks the kernel and reads files; never asks Aeroform.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::fixture::{KillFixture, Manifests, names};

/// Everything that belongs to one app at one moment.
#[derive(Debug, Default)]
pub(crate) struct ProcessTable {
    /// By the id of the Machine that their environment names.
    pub(crate) trees: BTreeMap<String, ProcessTree>,
    /// Process numbers by the Machine whose folder they were given.
    pub(crate) supervisors: BTreeMap<String, Vec<i32>>,
}

/// What runs for one Machine.
#[derive(Debug, Default)]
pub(crate) struct ProcessTree {
    pub(crate) group: String,
    pub(crate) shape: String,
    pub(crate) scope: String,
    pub(crate) port: u16,
    /// Processes whose parent is none of these; more than one is a double.
    pub(crate) roots: Vec<i32>,
    pub(crate) all: Vec<i32>,
}

/// Looks once. A process belongs to the app if it runs in its project and bears a scope, whatever its
/// parents are. One that begins or ends meanwhile may be missed.
pub(crate) fn read(project: &Path, machines: &Path) -> ProcessTable {
    let mut table = ProcessTable::default();
    let mut parents = BTreeMap::new();
    for pid in live_pids() {
        if let Some(machine) = supervised(pid, machines) {
            table.supervisors.entry(machine).or_default().push(pid);
            continue;
        }
        let is_here =
            std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == project);
        if !is_here {
            continue;
        }
        let environment = environment(pid);
        let has = |key: &str| environment.get(key).cloned().unwrap_or_default();
        if has("AEROFORM_SCOPE").is_empty() {
            continue;
        }
        let tree = table.trees.entry(has("FLY_MACHINE_ID")).or_default();
        tree.group = has("FLY_PROCESS_GROUP");
        tree.shape = has("SHAPE");
        tree.scope = has("AEROFORM_SCOPE");
        tree.port = has("PORT").parse().unwrap_or_default();
        tree.all.push(pid);
        parents.insert(pid, parent(pid));
    }
    for tree in table.trees.values_mut() {
        let is_root = |pid: &&i32| {
            let parent = parents.get(*pid).copied().flatten();
            parent.is_none_or(|parent| !tree.all.contains(&parent))
        };
        tree.roots = tree.all.iter().filter(is_root).copied().collect();
    }
    table
}

impl ProcessTable {
    /// Every process of the app, supervisors first.
    pub(crate) fn everybody(&self) -> Vec<i32> {
        let supervisors = self.supervisors.values().flatten();
        let trees = self.trees.values().flat_map(|tree| &tree.all);
        supervisors.chain(trees).copied().collect()
    }

    /// How many trees each group has.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for tree in self.trees.values() {
            *counts.entry(tree.group.clone()).or_default() += 1;
        }
        counts
    }

    /// What is not as the shape wants it; nothing when all is well.
    pub(crate) fn findings(&self, app: &KillFixture, shape: Manifests) -> Vec<String> {
        let mut findings = Vec::new();
        let mut wants = |is_so: bool, what: String| {
            if !is_so {
                findings.push(what);
            }
        };
        let expected = shape.counts();
        wants(
            self.counts() == expected,
            format!("trees, not {expected:?}"),
        );
        let running: BTreeSet<&String> = self.trees.keys().collect();
        let mut folders = names(&app.machines());
        // One that begins with a dot is half made or half removed: no Machine, and nothing runs for it.
        folders.retain(|name| !name.starts_with('.'));
        wants(
            running == folders.iter().collect(),
            format!("folders are {folders:?}"),
        );
        let listed = listed(&app.state_file());
        wants(
            running == listed.keys().collect(),
            format!("the state lists {listed:?}"),
        );
        let intents: BTreeSet<&String> = listed.values().collect();
        wants(
            intents.len() == listed.len(),
            "an intent has two Machines".to_owned(),
        );
        let ports: BTreeSet<u16> = self.trees.values().map(|tree| tree.port).collect();
        let block = app.first_port..app.first_port + 100;
        wants(
            ports.len() == self.trees.len() && ports.iter().all(|port| block.contains(port)),
            format!("ports are {ports:?}"),
        );
        let supervised: BTreeSet<&String> = self.supervisors.keys().collect();
        let alone = self.supervisors.values().all(|pids| pids.len() == 1);
        wants(running == supervised && alone, "supervisors".to_owned());
        let scope = app.scope();
        for (id, tree) in &self.trees {
            let is_so = tree.roots.len() == 1 && tree.shape == shape.name() && tree.scope == scope;
            wants(is_so, format!("the tree of {id}"));
        }
        findings
    }
}

/// The launch ids of the Machines that a state file lists, by Machine id.
pub(crate) fn listed(state: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(state).unwrap_or_else(|_| "[]".to_owned());
    let lines: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let machines = lines.iter().filter_map(|line| line.get("machine"));
    let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    machines
        .map(|machine| (word(&machine["id"]), word(&machine["launch"])))
        .collect()
}

fn live_pids() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| stat(*pid).is_some_and(|(state, _)| state != 'Z'))
}

fn parent(pid: i32) -> Option<i32> {
    stat(pid).map(|(_, parent)| parent)
}

/// State and parent.
fn stat(pid: i32) -> Option<(char, i32)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn environment(pid: i32) -> BTreeMap<String, String> {
    let bytes = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.split('\0')
        .filter_map(|entry| entry.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// The Machine of this app that a process supervises.
fn supervised(pid: i32, machines: &Path) -> Option<String> {
    // Between fork and exec a child looks like its parent, so one process may seem to be two.
    let read = || std::fs::read(format!("/proc/{pid}/cmdline")).ok();
    let deadline = Instant::now() + Duration::from_millis(200);
    loop {
        let line = String::from_utf8_lossy(&read()?).into_owned();
        let (_, folder) = line.split_once("\0__supervise\0")?;
        let folder = Path::new(folder.trim_end_matches('\0'));
        if folder.parent() != Some(machines) {
            return None;
        }
        let by_supervisor = parent(pid).and_then(|parent| {
            let line = std::fs::read(format!("/proc/{parent}/cmdline")).ok()?;
            Some(String::from_utf8_lossy(&line).contains("\0__supervise\0"))
        });
        if by_supervisor != Some(true) || Instant::now() > deadline {
            return Some(folder.file_name()?.to_string_lossy().into_owned());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
