//! What must be true: of a report while its lock is held, and of everything after every round. Reads
//! the world itself and shares nothing with the planner.

use std::collections::{BTreeMap, BTreeSet};

use aeroform::core::fleet::{
    Count, Desired, DesiredGroup, GroupName, HostStatus, Known, Regions, Strategy, VolumeId,
};
use aeroform::core::plan::RunOutcome;
use aeroform::core::plan::{Action, Change, GateKind, Outcome, StepResult};
use aeroform::run::{Preview, RunResult};
use serde_json::Value;

use crate::manifests::SECRET;
use crate::outside_changes::text;
use crate::recorder::SimulationRun;

/// A report says only what is so. Nobody else has touched anything since the run looked.
pub(crate) fn check_report(
    story: &SimulationRun,
    desired: &Desired,
    preview: &Preview,
    ended: &RunResult,
    end: RunOutcome,
) {
    let machines = visible_machines(story, &preview.stored_state.known);
    let all = story.machines();
    if ended.report.findings.is_empty() {
        for (id, change) in preview.plan.changes() {
            let result = &ended.report.results[id.0 as usize];
            // Nobody waits for one of an immediate group, and an interrupted run looks no further: that the platform
            // went back to the version before shows in the next plan.
            if end == RunOutcome::Interrupted && change.gate == GateKind::None {
                continue;
            }
            if result.outcome == Outcome::Done
                && let Some(what) = false_claims(desired, change, result, &all)
            {
                story.breach(&format!("step {} is done, they say, and {what}", id.0));
            }
        }
    }
    if end == RunOutcome::Complete {
        for what in fleet_mismatches(desired, &machines) {
            story.breach(&format!("complete, they say, and {what}"));
        }
    }
}

/// Nothing is to be done, they say: then no Machine is down that a failed run has left so.
pub(crate) fn check_idle(story: &SimulationRun, desired: &Desired) {
    let known = story.known();
    for machine in visible_machines(story, &known) {
        let id = text(&machine, "id");
        let unproven = known
            .machines
            .get(id.as_str())
            .filter(|known| known.unproven);
        let Some(group) = unproven.and_then(|known| desired.groups.get(&known.group)) else {
            continue;
        };
        let rolls = group.strategy != Strategy::Immediate && machine["unreachable"] != true;
        if let Some(how) = ended_badly(group, &machine).filter(|_| rolls) {
            story.breach(&format!("nothing is to be done, they say, and {id} {how}"));
        }
    }
}

/// The Machines that a plan can see: without strangers, and without those that only a host which does
/// not answer knows of.
pub(crate) fn visible_machines(story: &SimulationRun, known: &Known) -> Vec<Value> {
    let strangers = story.strangers();
    let mut machines = story.machines();
    for machine in &mut machines {
        // What cannot be read and is in no state is left alone, surplus or not.
        let id = text(machine, "id");
        let unknown = !known.machines.contains_key(id.as_str());
        machine["left_alone"] = (machine["unreachable"] == true && unknown).into();
    }
    machines.retain(|machine| {
        let id = text(machine, "id");
        let read = machine["unreachable"] != true
            || machine["in_part"] == true
            || known.machines.contains_key(id.as_str());
        read && !strangers.contains_key(&id)
    });
    machines
}

/// Why a step is not done.
fn false_claims(
    desired: &Desired,
    change: &Change,
    result: &StepResult,
    machines: &[Value],
) -> Option<String> {
    let id = match (&change.action, &result.machine) {
        (Action::Wait | Action::Start, Some(machine)) => {
            let machine = machines.iter().find(|m| m["id"] == machine.id.as_str())?;
            let how = ended_badly(&desired.groups[&change.group], machine)?;
            return Some(format!("{} {how}", text(machine, "id")));
        }
        (
            Action::Wait
            | Action::Start
            | Action::Adopt
            | Action::Forget
            | Action::Once { .. }
            | Action::Switch { .. }
            | Action::Canary { .. },
            _,
        ) => return None,
        (Action::Destroy { .. }, _) => {
            let id = change.machine.id.as_ref()?;
            let still = machines.iter().any(|m| m["id"] == id.as_str());
            return still.then(|| format!("{id} is still there"));
        }
        (Action::Create { .. } | Action::Update { .. } | Action::Move { .. }, Some(machine)) => {
            machine.id.as_str()
        }
        (Action::Create { .. } | Action::Update { .. } | Action::Move { .. }, None) => {
            return Some("it names no Machine".to_owned());
        }
    };
    let replaced = change.machine.id.as_ref();
    let replaced = replaced.filter(|_| result.replace_fallback.is_some());
    if let Some(old) = replaced.filter(|old| machines.iter().any(|m| m["id"] == old.as_str())) {
        return Some(format!("{old} is still there beside {id}"));
    }
    let Some(machine) = machines.iter().find(|m| m["id"] == id) else {
        return Some(format!("{id} is not there"));
    };
    if let Some(what) = config_mismatch(&desired.groups[&change.group], &change.group, machine) {
        return Some(format!("{id} {what}"));
    }
    let gated = matches!(change.gate, GateKind::Started | GateKind::Healthy);
    if gated && let Some(how) = ended_badly(&desired.groups[&change.group], machine) {
        return Some(format!("{id} {how}"));
    }
    let is_create = matches!(change.action, Action::Create { .. });
    let state = text(machine, "state");
    if is_create && gated && state == "created" {
        return Some(format!("{id} is {state}"));
    }
    let passes = |m: &Value| {
        let checks = m["checks"].as_array();
        checks.is_some_and(|all| !all.is_empty() && all.iter().all(|c| c["status"] == "passing"))
    };
    // One that has ended and is up again reports its checks a little later.
    let events = machine["events"].as_array().map_or(&[][..], Vec::as_slice);
    let ended = events.iter().any(|event| event["type"] == "exit");
    let healthy = ended || !is_create || change.gate != GateKind::Healthy || passes(machine);
    (!healthy).then(|| format!("the checks of {id} do not pass"))
}

/// Why a Machine that should run does not, although it was not stopped.
fn ended_badly(group: &DesiredGroup, machine: &Value) -> Option<String> {
    let state = text(machine, "state");
    if state == "started" || stands_by(machine) || machine["config"]["schedule"].is_string() {
        return None;
    }
    let events = machine["events"].as_array().map_or(&[][..], Vec::as_slice);
    let mut exits = events.iter().map(|event| &event["request"]["exit_event"]);
    let exit = exits.find(|exit| exit.is_object());
    let serves = group.template.has_services() || group.template.has_checks();
    // What had ended with 0 when it was changed stays at rest.
    let mut newer = events.iter().take_while(|event| event["type"] != "exit");
    let rested = newer.any(|event| event["type"] == "update");
    let badly = exit.is_some_and(|exit| {
        exit["requested_stop"] == false && (serves && !rested || exit["exit_code"] != 0)
    });
    (badly || state == "failed").then(|| format!("is {state}: {exit:?}"))
}

/// How a Machine is otherwise than its group wants.
fn config_mismatch(group: &DesiredGroup, name: &GroupName, machine: &Value) -> Option<String> {
    let config = &machine["config"];
    let env = group.template.env.as_ref().unwrap();
    let differs = |what: &str, is: &Value, target: &str| {
        (is != target).then(|| format!("has {what} {is} instead of {target}"))
    };
    let group = &config["metadata"]["fly_process_group"];
    differs("group", group, name.as_str())
        .or_else(|| differs("VERSION", &config["env"]["VERSION"], &env["VERSION"]))
        .or_else(|| differs("API_TOKEN", &config["env"]["API_TOKEN"], SECRET))
        .or_else(|| differs("image", &config["image"], "shop:1"))
}

/// The differences from the desired fleet.
pub(crate) fn fleet_mismatches(desired: &Desired, machines: &[Value]) -> Vec<String> {
    let mut groups: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for machine in machines {
        let mut group = text(&machine["config"]["metadata"], "fly_process_group");
        // What is left alone counts for the group that has its group's place now.
        let moved = desired
            .moved
            .iter()
            .find(|moved| moved.from.as_str() == group);
        if let Some(moved) = moved.filter(|_| machine["left_alone"] == true) {
            group = moved.to.to_string();
        }
        groups.entry(group).or_default().push(machine);
    }
    let mut found = Vec::new();
    for (name, all) in &groups {
        let left = all.iter().filter(|m| m["left_alone"] == true).count();
        if !desired.groups.contains_key(name.as_str()) && all.len() > left {
            found.push(format!("{} of `{name}`, which is not wanted", all.len()));
        }
    }
    let mut spent = BTreeSet::new();
    for (name, group) in &desired.groups {
        let all = groups.get(name.as_str()).map_or(&[][..], Vec::as_slice);
        let wrong = all.iter().filter(|m| m["unreachable"] != true);
        let wrong = wrong.filter_map(|m| {
            Some(format!(
                "{} {}",
                text(m, "id"),
                config_mismatch(group, name, m)?
            ))
        });
        found.extend(wrong);
        let mut placed = badly_placed(group, all);
        placed.extend(mounted(group, all, &mut spent));
        found.extend(placed.into_iter().map(|what| format!("`{name}` {what}")));
    }
    found
}

/// Each Machine with a mount has a volume of its own.
fn mounted(group: &DesiredGroup, all: &[&Value], spent: &mut BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    for machine in all.iter().filter(|m| m["unreachable"] != true) {
        if !group.template.has_mounts() {
            continue;
        }
        match machine["config"]["mounts"][0]["volume"].as_str() {
            None => found.push(format!("{} has no volume", text(machine, "id"))),
            Some(volume) if !spent.insert(volume.to_owned()) => {
                found.push(format!("{volume} is another Machine's as well"));
            }
            Some(_) => {}
        }
    }
    found
}

fn badly_placed(group: &DesiredGroup, all: &[&Value]) -> Vec<String> {
    let mut found = Vec::new();
    // Whether an unreadable Machine is a standby is unknown.
    let (left, remaining): (Vec<&Value>, Vec<&Value>) =
        all.iter().partition(|m| m["left_alone"] == true);
    let left = left.len();
    let standbys = remaining.iter().filter(|m| stands_by(m)).count();
    let primaries: Vec<&&Value> = remaining.iter().filter(|m| !stands_by(m)).collect();
    let Count::Written(count) = group.count else {
        return found;
    };
    if !(primaries.len()..=primaries.len() + left).contains(&(count as usize)) {
        found.push(format!("has {} instead of {count}", primaries.len()));
    }
    let target = if count == 0 {
        0
    } else {
        group.standby.unwrap_or(0)
    };
    if !(standbys..=standbys + left).contains(&(target as usize)) {
        found.push(format!("has {standbys} standbys instead of {target}"));
    }
    if left > 0 {
        return found;
    }
    let mut regions: BTreeMap<String, u32> = BTreeMap::new();
    for machine in &primaries {
        *regions.entry(text(machine, "region")).or_default() += 1;
    }
    let of = |region: &str| regions.get(region).copied().unwrap_or(0);
    match &group.regions {
        Regions::Unwritten => {}
        Regions::Exact(map) => {
            if map.iter().any(|(region, n)| of(region.as_str()) != *n) {
                found.push(format!("is in {regions:?} instead of {map:?}"));
            }
        }
        // Machines with volumes stay where they are, and the list uneven.
        Regions::List(_) if group.template.has_mounts() => {}
        Regions::List(list) => {
            let counts: Vec<u32> = list.iter().map(|region| of(region.as_str())).collect();
            let (least, most) = (counts.iter().min(), counts.iter().max());
            let even = most.unwrap_or(&0) - least.unwrap_or(&0) <= 1;
            if !even || counts.iter().sum::<u32>() != count {
                found.push(format!(
                    "is in {regions:?}, which is not even over {list:?}"
                ));
            }
        }
    }
    found
}

/// No volume is made while one lies there that would do: what an apply leaves, a later one takes.
pub(crate) fn check_volumes(story: &SimulationRun, preview: &Preview) {
    let mut free: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    // The old volume of a moved Machine is unattached.
    let known = preview.stored_state.known.machines.values();
    let left: BTreeSet<&VolumeId> = known.flat_map(|machine| &machine.volumes).collect();
    for volume in preview
        .observed
        .iter()
        .flat_map(|observed| &observed.volumes)
    {
        if !left.contains(&volume.id)
            && volume.attached_to.is_none()
            && volume.host == HostStatus::Ok
        {
            let place = (volume.name.clone(), volume.region.to_string());
            free.entry(place).or_default().insert(volume.id.to_string());
        }
    }
    let mut is_create = BTreeSet::new();
    for (_, change) in preview.plan.changes() {
        if let Action::Create { volumes, .. } = &change.action {
            for all in free.values_mut() {
                all.retain(|id| !volumes.iter().any(|volume| volume.as_str() == id));
            }
        }
        let new = change.new_volumes().iter();
        is_create.extend(new.map(|volume| (volume.name.clone(), change.region.to_string())));
    }
    for place in &is_create {
        if let Some(left) = free.get(place).filter(|left| !left.is_empty()) {
            story.breach(&format!(
                "a volume is to be made in {place:?}, where {left:?} lie"
            ));
        }
    }
    let new = preview.plan.summary().new_volumes;
    story.expect_volumes(new);
    story.count_many("volumes to be made", new as u64);
}

/// What holds whatever has happened.
pub(crate) fn check_invariants(story: &SimulationRun) {
    let machines = story.machines();
    let volumes = story.volumes().len();
    if volumes > story.expected_volumes() {
        let expected = story.expected_volumes();
        story.breach(&format!(
            "there are {volumes} volumes, and {expected} were to be made"
        ));
    }
    check_one_per_intent(story, &machines);
    check_explained(story, &machines);
    check_unmanaged(story);
    let known = story.known();
    if story.store.text().is_some_and(|text| text.contains(SECRET)) {
        story.breach("the state shows a secret");
    }
    let serial = known.serial;
    if known.runs.iter().any(|run| run.serial > serial) {
        story.breach(&format!(
            "a run of the state at serial {serial} wrote a later one"
        ));
    }
}

fn check_one_per_intent(story: &SimulationRun, machines: &[Value]) {
    let mut seen = BTreeSet::new();
    for machine in machines {
        let name = text(machine, "name");
        if !seen.insert(name.clone()) {
            story.breach(&format!("two Machines are called {name}"));
        }
    }
}

/// Every Machine was made by another tool, or bears the stamps of a run and the name of its intent.
fn check_explained(story: &SimulationRun, machines: &[Value]) {
    let strangers = story.strangers();
    for machine in machines {
        let id = text(machine, "id");
        if strangers.contains_key(&id) || story.is_added(&id) {
            continue;
        }
        let stamps = &machine["config"]["metadata"];
        let launch = text(stamps, "aeroform_launch");
        let named = !launch.is_empty() && text(machine, "name").ends_with(&launch);
        if !named || !story.knows_run(&text(stamps, "aeroform_run")) {
            story.breach(&format!(
                "nothing explains {id} ({}): {stamps}",
                text(machine, "name")
            ));
        }
    }
}

fn check_unmanaged(story: &SimulationRun) {
    let strangers = story.strangers();
    if strangers.is_empty() {
        return;
    }
    let now = story.sim.world().operator(crate::recorder::APP).machines();
    for (id, before) in strangers {
        match now.iter().find(|machine| machine["id"] == *id) {
            None => story.breach(&format!("the stranger {id} is gone")),
            Some(after) if *after != before => {
                story.breach(&format!(
                    "the stranger {id} was touched: {before} → {after}"
                ));
            }
            Some(_) => {}
        }
    }
}

/// Groups that some Machine with a volume is in.
pub(crate) fn groups_with_volumes(story: &SimulationRun) -> BTreeSet<GroupName> {
    let mut machines = story.machines();
    machines.retain(|machine| machine["config"]["mounts"][0].is_object());
    let group = |machine: &Value| {
        GroupName::new(text(&machine["config"]["metadata"], "fly_process_group")).ok()
    };
    machines.iter().filter_map(group).collect()
}

/// How many Machines of each protected group are there that the state knows or, `all`, that are there,
/// by the name that it has after these renames. Standbys are no part of its count, and before
/// anything is done a Machine is one with the successor that the state knows of.
pub(crate) fn check_protected(
    story: &SimulationRun,
    known: &Known,
    desired: &Desired,
    all: bool,
) -> BTreeMap<GroupName, usize> {
    let renamed = |name: &GroupName| {
        let moved = desired.moved.iter().find(|moved| moved.from == *name);
        moved.map_or_else(|| name.clone(), |moved| moved.to.clone())
    };
    let mut counts: BTreeMap<GroupName, usize> = known
        .protected_groups
        .iter()
        .map(|name| (renamed(name), 0))
        .collect();
    if counts.is_empty() {
        return counts;
    }
    let strangers = story.strangers();
    let machines = story.machines();
    let there: BTreeSet<String> = machines.iter().map(|machine| text(machine, "id")).collect();
    let succeeds = |id: &str| {
        let known = known.machines.get(id);
        let old = known.and_then(|known| known.replaces.as_ref());
        old.is_some_and(|old| there.contains(old.as_str()))
    };
    for machine in machines {
        let id = text(&machine, "id");
        let group = GroupName::new(text(&machine["config"]["metadata"], "fly_process_group"));
        let Ok(group) = group.map(|group| renamed(&group)) else {
            continue;
        };
        let counted =
            all && !strangers.contains_key(&id) || known.machines.contains_key(id.as_str());
        if let Some(count) = counts.get_mut(&group)
            && counted
            && !stands_by(&machine)
            && (all || !succeeds(&id))
        {
            *count += 1;
        }
    }
    counts
}

fn stands_by(machine: &Value) -> bool {
    let standbys = machine["config"]["standbys"].as_array();
    standbys.is_some_and(|list| !list.is_empty())
}
