//! What must be true whatever happened: while a process is at work, when it has ended, and once the
//! next one has done the remainder.

use std::collections::{BTreeMap, BTreeSet};

use aeroform::core::fleet::{Desired, Known, LaunchId, MachineName, Strategy};
use aeroform::emulator::world::{MachineSummary, World};
use serde_json::{Value, json};

use crate::memory_journal::MemoryJournal;
use crate::sim::SimProvider;

/// Groups that together never have fewer Machines than this, and how many of them run at any moment.
#[derive(Debug, Clone)]
pub(crate) struct AvailabilityGuard {
    pub(crate) groups: &'static [&'static str],
    pub(crate) min_existing: usize,
    pub(crate) min_running: usize,
}

/// Looks at the world after each request.
#[derive(Debug, Default)]
pub(crate) struct AvailabilityWatch {
    guards: Vec<AvailabilityGuard>,
    pub(crate) findings: Vec<String>,
    counts_service: bool,
    /// How few Machines were in service at once, where they are counted.
    pub(crate) lowest_in_service: Option<usize>,
}

impl AvailabilityWatch {
    pub(crate) fn over(guards: &[AvailabilityGuard]) -> Self {
        Self {
            guards: guards.to_vec(),
            ..Self::default()
        }
    }

    /// Counts the Machines in service, which takes their events.
    pub(crate) fn of_service() -> Self {
        Self {
            counts_service: true,
            ..Self::default()
        }
    }

    pub(crate) fn check(&mut self, sim: &SimProvider) {
        if self.counts_service {
            let now = in_service(sim);
            let lowest = self.lowest_in_service.unwrap_or(now);
            self.lowest_in_service = Some(lowest.min(now));
        }
        if self.guards.is_empty() || !self.findings.is_empty() {
            return;
        }
        let machines = summaries(&mut sim.world());
        for guard in &self.guards {
            let of_guard = machines.iter().filter(|machine| {
                let group = machine.group.as_deref();
                group.is_some_and(|name| guard.groups.contains(&name))
            });
            let exist = of_guard.clone().count();
            let run = of_guard.filter(|machine| is_serving(machine)).count();
            if exist < guard.min_existing || run < guard.min_running {
                let name = guard.groups.join("+");
                self.findings.push(format!(
                    "`{name}` falls to {exist} Machines, {run} running: at least {} and {} are \
                     promised",
                    guard.min_existing, guard.min_running
                ));
            }
        }
    }
}

/// The Machines that are not being destroyed, in brief.
fn summaries(world: &mut World) -> Vec<MachineSummary> {
    let mut machines = world.operator("shop").summaries();
    machines.retain(|machine| machine.state != "destroying");
    machines
}

fn is_serving(machine: &MachineSummary) -> bool {
    machine.state == "started" && machine.passes_checks && !machine.cordoned
}

/// The fleet without what may differ from one history to another: ids, instances, stamps.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct FleetSummary {
    /// Machines that are there, one line each, sorted.
    machines: Vec<String>,
    /// Machines that the state knows, one line each, sorted.
    known: Vec<String>,
    /// Volumes, one line each, sorted: those that a Machine has, and those that none has.
    volumes: Vec<String>,
    /// How many Machines there ever were.
    pub(crate) ever_created: usize,
}

impl FleetSummary {
    pub(crate) fn of(sim: &SimProvider, known: &Known) -> Self {
        let mut world = sim.world();
        let disks = world.operator("shop").volumes();
        let names = volume_names(&disks);
        let shown = machines(&mut world);
        let summaries = summaries(&mut world);
        let seen = summaries
            .iter()
            .map(|machine| (machine.group.as_deref(), is_serving(machine)));
        let shown_so = shown
            .iter()
            .map(|machine| (group(machine), serves(machine)));
        assert!(seen.eq(shown_so), "the guards see what the API shows");
        let mut there: Vec<String> = shown.iter().map(line).collect();
        for (id, name) in &names {
            for line in &mut there {
                *line = line.replace(id, name);
            }
        }
        there.sort();
        let mut volumes: Vec<String> = disks
            .iter()
            .map(|disk| {
                let held = !disk["attached_machine_id"].is_null();
                format!("{}, held {held}", names[text(disk, "id")])
            })
            .collect();
        volumes.sort();
        let mut remembered: Vec<String> = known
            .machines
            .values()
            .map(|m| {
                let standbys = m.standby_for.len();
                let volumes = m.volumes.iter().map(|id| names.get(id.as_str()));
                let volumes: Vec<_> = volumes.collect();
                format!(
                    "{} {} {} {volumes:?} {standbys}",
                    m.group, m.region, m.config
                )
            })
            .collect();
        remembered.sort();
        remembered.push(format!("protect {:?}", known.protected_groups));
        remembered.push(format!("pending {:?}", known.pending_creates));
        Self {
            machines: there,
            known: remembered,
            volumes,
            ever_created: world.operator("shop").created_count(),
        }
    }

    /// A Machine that is made again may have a volume of its own, and the one that did not start leaves
    /// its own for whoever comes next.
    pub(crate) fn ignore_spare_volumes(&self, should: &mut Self) {
        if self.volumes.len() == should.volumes.len() + 1 {
            for (is, should) in [
                (&self.machines, &mut should.machines),
                (&self.known, &mut should.known),
                (&self.volumes, &mut should.volumes),
            ] {
                let lists = |line: &String| line.contains(" in ams, 1 GB");
                should.retain(|line| !lists(line));
                should.extend(is.iter().filter(|line| lists(line)).cloned());
                should.sort();
            }
        }
    }

    /// The same said in other words.
    pub(crate) fn replace_text(&mut self, text: &str, replacement: &str) {
        for lines in [&mut self.machines, &mut self.known, &mut self.volumes] {
            for line in lines.iter_mut() {
                *line = line.replace(text, replacement);
            }
            lines.sort();
        }
    }

    /// Which Machines run is forgotten.
    pub(crate) fn ignore_states(&mut self) {
        for state in [" started ", " stopped ", " suspended "] {
            self.replace_text(state, " up or down ");
        }
    }

    /// How it came about is forgotten: Machines that were made again, and volumes that were left on the way.
    pub(crate) fn ignore_history(&mut self) {
        self.ever_created = 0;
        for n in 1..9 {
            self.replace_text(&format!(" {n} in "), " in ");
        }
        self.volumes.retain(|line| !line.ends_with("held false"));
    }

    /// A move to another host leaves an unattached fork of each volume.
    pub(crate) fn ignore_forks(&mut self) {
        for n in 1..9 {
            self.replace_text(&format!(" {n} in "), " in ");
        }
        self.volumes.retain(|line| !line.ends_with("held false"));
    }

    /// How this one differs from the one that it should be.
    pub(crate) fn differences(&self, should: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let pairs = [
            ("there", &self.machines, &should.machines),
            ("in the state", &self.known, &should.known),
            ("volumes", &self.volumes, &should.volumes),
        ];
        for (what, is, should) in pairs {
            let (is, should) = (tally(is), tally(should));
            for line in is.keys().chain(should.keys()).collect::<BTreeSet<_>>() {
                let (n, m) = (is.get(line).unwrap_or(&0), should.get(line).unwrap_or(&0));
                if n != m {
                    found.push(format!("{what}: {n} instead of {m} of {line}"));
                }
            }
        }
        if self.ever_created != should.ever_created {
            let (is, should) = (self.ever_created, should.ever_created);
            found.push(format!("{is} Machines were ever made instead of {should}"));
        }
        found
    }
}

/// Machines that neither the state, the journal nor their own stamps explain, and intents that more
/// than one Machine answers.
pub(crate) fn unexplained_machines(
    before: &BTreeSet<String>,
    sim: &SimProvider,
    known: &Known,
    journal: &MemoryJournal,
) -> Vec<String> {
    let machines = machines(&mut sim.world());
    let mut found = Vec::new();
    let mut answers: BTreeMap<String, usize> = BTreeMap::new();
    for machine in &machines {
        let name = MachineName::new(text(machine, "name")).unwrap();
        if let Some(launch) = name.launch_suffix() {
            *answers.entry(launch.to_owned()).or_default() += 1;
        }
        let by_state = known
            .machines
            .keys()
            .any(|id| id.as_str() == text(machine, "id"));
        let by_history = before.contains(text(machine, "id"));
        if !by_state && !by_history && !by_stamps(machine, &name) && !by_journal(&name, journal) {
            found.push(format!("nothing explains {}", line(machine)));
        }
    }
    let doubles = answers.iter().filter(|(_, n)| **n > 1);
    found.extend(doubles.map(|(launch, n)| format!("{n} Machines answer {launch}")));
    found
}

/// The Machines that should run and do not: they were not stopped, and their groups wait for them.
pub(crate) fn unhealthy_groups(sim: &SimProvider, desired: &Desired) -> Vec<String> {
    let machines = machines(&mut sim.world());
    let down = machines.iter().filter(|machine| {
        let target = group(machine).and_then(|name| desired.groups.get(name));
        let Some(target) = target.filter(|group| group.strategy != Strategy::Immediate) else {
            return false;
        };
        let stands_by = machine["config"]["standbys"].is_array();
        let events = machine["events"].as_array().map_or(&[][..], Vec::as_slice);
        let exit = events
            .iter()
            .find_map(|event| match &event["request"]["exit_event"] {
                Value::Null => None,
                exit => Some(exit),
            });
        let serves = target.template.has_services() || target.template.has_checks();
        let badly = exit.is_some_and(|exit| {
            exit["requested_stop"] == false && (serves || exit["exit_code"] != 0)
        });
        let state = text(machine, "state");
        !stands_by && (state == "failed" || state != "started" && badly)
    });
    down.map(|machine| format!("{} is {}", text(machine, "id"), text(machine, "state")))
        .collect()
}

/// How many Machines run without a failing check and without an unrequested exit since their change.
pub(crate) fn in_service(sim: &SimProvider) -> usize {
    let machines = machines(&mut sim.world());
    let stays_up = |machine: &&Value| {
        let events = machine["events"].as_array().map_or(&[][..], Vec::as_slice);
        let mut since = events
            .iter()
            .take_while(|event| event["type"] != "update" && event["type"] != "launch");
        since.all(|event| event["request"]["exit_event"]["requested_stop"] != false)
    };
    machines
        .iter()
        .filter(|machine| serves(machine))
        .filter(stays_up)
        .count()
}

/// What the checks of every Machine ask is mended.
pub(crate) fn fix_checks(sim: &SimProvider) {
    for id in ids(sim) {
        sim.world().operator("shop").fix_checks(&id);
    }
}

/// The ids of all Machines.
pub(crate) fn ids(sim: &SimProvider) -> BTreeSet<String> {
    let machines = machines(&mut sim.world());
    machines
        .iter()
        .map(|machine| text(machine, "id").to_owned())
        .collect()
}

/// The Machine's name answers the intent that it is stamped with, and it says whose it is.
fn by_stamps(machine: &Value, name: &MachineName) -> bool {
    let launch = metadata(machine, "aeroform_launch").and_then(|text| LaunchId::new(text).ok());
    launch.is_some_and(|launch| name.matches_launch(&launch))
        && metadata(machine, "aeroform_run").is_some()
}

fn by_journal(name: &MachineName, journal: &MemoryJournal) -> bool {
    journal
        .runs()
        .iter()
        .any(|run| run.row.plan.contains(name.as_str()))
}

fn machines(world: &mut World) -> Vec<Value> {
    let mut machines = world.operator("shop").machines();
    machines.retain(|machine| machine["state"] != "destroying");
    machines
}

/// Whether it runs in rotation and no check of it fails.
fn serves(machine: &Value) -> bool {
    let checks = machine["checks"].as_array().map_or(&[][..], Vec::as_slice);
    let passes = checks.iter().all(|check| check["status"] == "passing");
    machine["state"] == "started" && machine["cordoned"] != true && passes
}

fn text<'a>(machine: &'a Value, key: &str) -> &'a str {
    machine[key].as_str().unwrap_or_default()
}

fn metadata<'a>(machine: &'a Value, key: &str) -> Option<&'a str> {
    // A host that does not answer tells its config in part.
    let configs = ["config", "incomplete_config"].map(|key| &machine[key]);
    let mut found = configs.into_iter().map(|config| &config["metadata"][key]);
    found.find_map(Value::as_str)
}

fn group(machine: &Value) -> Option<&str> {
    metadata(machine, "fly_process_group")
}

fn line(machine: &Value) -> String {
    let mut config = machine["config"].clone();
    let watched = config["standbys"].as_array().map_or(0, Vec::len);
    let group = group(machine).unwrap_or("?").to_owned();
    if let Some(config) = config.as_object_mut() {
        config.remove("metadata");
        config.remove("standbys");
    }
    if let Some(env) = config["env"].as_object_mut() {
        env.remove("FLY_STANDBY_FOR");
    }
    let (region, state) = (text(machine, "region"), text(machine, "state"));
    let shown = json!({"cordoned": machine["cordoned"], "config": config});
    format!("{group} {region} {state} standby for {watched} {shown}")
}

/// What volumes are called in lines that are compared: the platform draws their ids.
fn volume_names(disks: &[Value]) -> BTreeMap<String, String> {
    let mut many: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let names = disks.iter().map(|disk| {
        let (name, region) = (text(disk, "name"), text(disk, "region"));
        let n = many.entry((name, region)).or_default();
        *n += 1;
        let name = format!("{name} {n} in {region}, {} GB", disk["size_gb"]);
        (text(disk, "id").to_owned(), name)
    });
    names.collect()
}

fn tally(lines: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for line in lines {
        *counts.entry(line.as_str()).or_default() += 1;
    }
    counts
}
