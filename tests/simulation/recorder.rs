//! What one history is told from: the world, the state's place, what happened so far, and what must
//! not have happened.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use aeroform::core::fleet::{AppName, Known, RunId};
use aeroform::core::state;
use serde_json::Value;

use crate::memory_store::MemoryStore;
use crate::sim::SimProvider;

pub(crate) const APP: &str = "shop";

/// How often each kind of thing happened.
pub(crate) type Tally = BTreeMap<String, u64>;

/// One history. Clones share it.
#[derive(Clone)]
pub(crate) struct SimulationRun {
    pub(crate) sim: SimProvider,
    pub(crate) store: MemoryStore,
    pub(crate) over_fly: bool,
    shared: Arc<Mutex<SimulationLog>>,
    folder: Arc<tempfile::TempDir>,
}

#[derive(Default)]
struct SimulationLog {
    log: Vec<String>,
    violations: Vec<String>,
    tally: Tally,
    /// Unmanaged Machines, as they were created.
    unmanaged: BTreeMap<String, Value>,
    /// Machines that other tools have made and that Aeroform may take.
    added: BTreeSet<String>,
    runs: BTreeSet<RunId>,
    outside_changes: u32,
    replaced: usize,
    /// Volumes that other tools or plans were to make.
    volumes: usize,
    serial: u64,
    text: Option<String>,
    known: Option<Known>,
}

impl SimulationRun {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            sim: SimProvider::new(&seed.to_string()),
            store: MemoryStore::default(),
            over_fly: seed >= crate::OVER_FLY,
            shared: Arc::default(),
            folder: Arc::new(tempfile::tempdir().unwrap()),
        }
    }

    pub(crate) fn app() -> AppName {
        AppName::new(APP).unwrap()
    }

    /// Where states are kept that the store refuses.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Adds a line to the tale.
    pub(crate) fn log(&self, line: &str) {
        let now = self.sim.world().now();
        self.with(|shared| {
            let seconds = now.as_secs_f64();
            shared.log.push(format!("{seconds:9.3}  {line}"));
        });
    }

    /// Counts something that happened.
    pub(crate) fn count(&self, what: &str) {
        self.count_many(what, 1);
    }

    pub(crate) fn count_many(&self, what: &str, many: u64) {
        if many > 0 {
            self.with(|shared| *shared.tally.entry(what.to_owned()).or_default() += many);
        }
    }

    /// Says that something happened which never may.
    pub(crate) fn breach(&self, what: &str) {
        self.log(&format!("BREACH: {what}"));
        self.with(|shared| shared.violations.push(what.to_owned()));
    }

    pub(crate) fn is_breached(&self) -> bool {
        self.with(|shared| !shared.violations.is_empty())
    }

    /// A run begins that replaces so many Machines.
    pub(crate) fn began(&self, run: &RunId, replaces: usize) {
        self.with(|shared| {
            shared.runs.insert(run.clone());
            shared.replaced += replaces;
        });
    }

    /// So many volumes are to be made, or were made by other tools.
    pub(crate) fn expect_volumes(&self, many: usize) {
        self.with(|shared| shared.volumes += many);
    }

    /// How many volumes there may be by now.
    pub(crate) fn expected_volumes(&self) -> usize {
        self.with(|shared| shared.volumes)
    }

    /// Every volume.
    pub(crate) fn volumes(&self) -> Vec<Value> {
        self.sim.world().operator(APP).volumes()
    }

    /// How many replacements were begun so far.
    pub(crate) fn replaced(&self) -> usize {
        self.with(|shared| shared.replaced)
    }

    pub(crate) fn knows_run(&self, run: &str) -> bool {
        self.with(|shared| shared.runs.contains(run))
    }

    pub(crate) fn add_unmanaged(&self, id: String, shown: Value) {
        self.with(|shared| shared.unmanaged.insert(id, shown));
    }

    pub(crate) fn strangers(&self) -> BTreeMap<String, Value> {
        self.with(|shared| shared.unmanaged.clone())
    }

    pub(crate) fn add_added(&self, id: String) {
        self.with(|shared| shared.added.insert(id));
    }

    pub(crate) fn is_added(&self, id: &str) -> bool {
        self.with(|shared| shared.added.contains(id))
    }

    /// Another tool did something.
    pub(crate) fn hand(&self) {
        self.with(|shared| shared.outside_changes += 1);
    }

    /// How often other tools did something so far.
    pub(crate) fn outside_changes(&self) -> u32 {
        self.with(|shared| shared.outside_changes)
    }

    /// The state, which always reads, never goes back and changes only with its serial.
    pub(crate) fn known(&self) -> Known {
        let Some(text) = self.store.text() else {
            return Known::empty(Self::app(), "test");
        };
        // Nothing that was looked at once is looked at again.
        let seen = self.with(|shared| {
            let same = shared.text.as_ref() == Some(&text);
            shared.known.clone().filter(|_| same)
        });
        if let Some(known) = seen {
            return known;
        }
        let known = match state::read(&text, &Self::app()) {
            Ok(known) => known,
            Err(error) => {
                self.breach(&format!("the state cannot be read: {error}"));
                return Known::empty(Self::app(), "test");
            }
        };
        if state::write(&known) != text {
            self.breach("the state is written otherwise than it was read");
        }
        let (serial, before) = self.with(|shared| {
            let before = (shared.serial, shared.text.replace(text.clone()));
            shared.serial = known.serial;
            before
        });
        if known.serial < serial {
            self.breach(&format!(
                "the serial went from {serial} to {}",
                known.serial
            ));
        }
        if known.serial == serial && before.is_some_and(|before| before != text) {
            self.breach(&format!("another state of the same serial {serial}"));
        }
        self.with(|shared| shared.known = Some(known.clone()));
        known
    }

    /// Every Machine that is there, those whose host does not answer included.
    pub(crate) fn machines(&self) -> Vec<Value> {
        let mut world = self.sim.world();
        let mut operator = world.operator(APP);
        let shown = operator.machines();
        let dead: Vec<String> = shown
            .iter()
            .filter(|machine| machine["host_status"] != "ok")
            .filter_map(|machine| Some(machine["id"].as_str()?.to_owned()))
            .collect();
        let in_part: Vec<String> = shown
            .iter()
            .filter(|machine| machine["incomplete_config"].is_object())
            .filter_map(|machine| Some(machine["id"].as_str()?.to_owned()))
            .collect();
        let mut machines = shown;
        if !dead.is_empty() {
            for id in &dead {
                operator.set_host_unreachable(id, false);
            }
            machines = operator.machines();
            for id in &dead {
                if in_part.contains(id) {
                    operator.host_in_part(id);
                } else {
                    operator.set_host_unreachable(id, true);
                }
            }
        }
        for machine in &mut machines {
            let unreachable = dead.iter().any(|id| machine["id"] == id.as_str());
            machine["unreachable"] = unreachable.into();
            let in_progress = in_part.iter().any(|id| machine["id"] == id.as_str());
            machine["in_part"] = in_progress.into();
        }
        machines.retain(|machine| machine["state"] != "destroying");
        machines
    }

    pub(crate) fn into_result(self) -> SimulationResult {
        let world = self.sim.world();
        let calls = world.log().len();
        drop(world);
        self.with(|shared| SimulationResult {
            log: std::mem::take(&mut shared.log),
            violations: std::mem::take(&mut shared.violations),
            tally: std::mem::take(&mut shared.tally),
            calls,
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut SimulationLog) -> T) -> T {
        work(&mut self.shared.lock().unwrap())
    }
}

/// A history that has ended.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct SimulationResult {
    pub(crate) log: Vec<String>,
    pub(crate) violations: Vec<String>,
    pub(crate) tally: Tally,
    pub(crate) calls: usize,
}
