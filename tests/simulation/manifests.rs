//! Random manifests, and what people change in them.

use std::collections::{BTreeMap, BTreeSet};

use aeroform::core::fleet::{
    Count, Desired, DesiredGroup, GroupName, Limit, Regions, Strategy as Update,
};
use serde_json::json;

use crate::random::Random;
use crate::support::{GroupBuilder, desired, group, group_name, moved, region};

pub(crate) const REGIONS: [&str; 3] = ["ams", "bog", "gru"];
const GROUPS: [&str; 6] = ["api", "cron", "jobs", "queue", "web", "worker"];
/// What no state file and no journal may ever show.
pub(crate) const SECRET: &str = "hush-hush";

/// The manifests of an app, as they stand in a repository.
#[derive(Clone)]
pub(crate) struct Manifests {
    pub(crate) desired: Desired,
    /// The last form of groups that are no longer desired.
    pub(crate) dropped: BTreeMap<GroupName, DesiredGroup>,
    version: u32,
}

impl Manifests {
    pub(crate) fn first(random: &mut Random) -> Self {
        let mut manifests = Self {
            desired: desired([]),
            dropped: BTreeMap::new(),
            version: 0,
        };
        for _ in 0..=random.below(3) {
            manifests.add_group(random);
        }
        manifests
    }

    /// Changes one thing, and says what.
    pub(crate) fn change(&mut self, random: &mut Random) -> String {
        let names: Vec<GroupName> = self.desired.groups.keys().cloned().collect();
        let Some(name) = random.pick(&names).cloned() else {
            return self.add_group(random);
        };
        match random.below(20) {
            0..=4 => self.version(&name),
            5..=7 => self.with(&name, "count", |group| group.count = count(random)),
            8..=11 => self.with(&name, "regions", |group| place(group, random)),
            12 => self.with(&name, "standby", |group| stand_by(group, random)),
            13 | 14 => self.with(&name, "protect", |group| group.protect = !group.protect),
            15 => self.with(&name, "strategy", |group| group.strategy = strategy(random)),
            16 => self.add_group(random),
            17 => self.remove(&name),
            _ => self.rename(&name, random),
        }
    }

    /// The same without the protection of these groups, and with those as they are, volumes
    /// included: the step that people are told to take first (rule 33).
    pub(crate) fn unprotected(
        &self,
        refused: &BTreeSet<GroupName>,
        with_volumes: &BTreeSet<GroupName>,
    ) -> Self {
        let mut eased = self.clone();
        for name in refused {
            if let Some(group) = self.dropped.get(name) {
                eased.desired.moved.retain(|moved| moved.from != *name);
                let entry = eased.desired.groups.entry(name.clone());
                entry.or_insert_with(|| group.clone());
            }
            if let Some(group) = eased.desired.groups.get_mut(name) {
                group.count = Count::Unwritten;
                group.regions = Regions::Unwritten;
                group.max_per_region = None;
                group.standby = None;
                group.protect = false;
                // Another group may have its name meanwhile, and no mounts for its volumes.
                let mut moved = self.desired.moved.iter();
                let has_volumes = with_volumes.contains(name)
                    || moved.any(|m| m.to == *name && with_volumes.contains(&m.from));
                if has_volumes && !group.template.has_mounts() {
                    *group = group.clone().mount();
                }
            }
        }
        eased
    }

    fn with(
        &mut self,
        name: &GroupName,
        what: &str,
        change: impl FnOnce(&mut DesiredGroup),
    ) -> String {
        let group = self.desired.groups.get_mut(name).unwrap();
        change(group);
        agree(group);
        format!("{what} of {}", self.said(name))
    }

    fn version(&mut self, name: &GroupName) -> String {
        self.version += 1;
        let version = self.version.to_string();
        self.with(name, "version", |group| {
            let env = group.template.env.get_or_insert_default();
            env.insert("VERSION".to_owned(), version);
        })
    }

    fn add_group(&mut self, random: &mut Random) -> String {
        let free: Vec<&str> = GROUPS
            .into_iter()
            .filter(|name| !self.desired.groups.contains_key(*name))
            .collect();
        let Some(name) = random.pick(&free) else {
            return "nothing".to_owned();
        };
        let added = some_group(name, random);
        let name = group_name(name);
        self.desired.groups.insert(name.clone(), added);
        self.dropped.remove(&name);
        self.desired.moved.retain(|moved| moved.from != name);
        format!("adds {}", self.said(&name))
    }

    fn remove(&mut self, name: &GroupName) -> String {
        let dropped = self.desired.groups.remove(name).unwrap();
        self.dropped.insert(name.clone(), dropped);
        // What is renamed to a group that is not there would be an error in the manifests.
        self.desired.moved.retain(|moved| moved.to != *name);
        format!("removes {name}")
    }

    fn rename(&mut self, name: &GroupName, random: &mut Random) -> String {
        let free: Vec<&str> = GROUPS
            .into_iter()
            .filter(|free| !self.desired.groups.contains_key(*free))
            .collect();
        let Some(to) = random.pick(&free).copied() else {
            return "nothing".to_owned();
        };
        let mut group = self.desired.groups.remove(name).unwrap();
        self.dropped.insert(name.clone(), group.clone());
        let env = group.template.env.get_or_insert_default();
        env.insert("FLY_PROCESS_GROUP".to_owned(), to.to_owned());
        let entries = &mut self.desired.moved;
        entries.retain(|moved| moved.from.as_str() != to && moved.from != *name);
        for moved in entries.iter_mut().filter(|moved| moved.to == *name) {
            moved.to = group_name(to);
        }
        entries.push(moved(name.as_str(), to));
        self.dropped.remove(to);
        self.desired.groups.insert(group_name(to), group);
        format!("renames {name} to {}", self.said(&group_name(to)))
    }

    fn said(&self, name: &GroupName) -> String {
        let group = &self.desired.groups[name];
        let version = &group.template.env.as_ref().unwrap()["VERSION"];
        let protect = if group.protect { ", protected" } else { "" };
        format!(
            "{name}: v{version}, {:?}, {:?}, standby {:?}, {:?}{protect}",
            group.count, group.regions, group.standby, group.strategy
        )
    }

    /// Every group in a line.
    pub(crate) fn lines(&self) -> Vec<String> {
        let names = self.desired.groups.keys();
        let groups = names.map(|name| self.said(name));
        let moves = self.desired.moved.iter();
        groups
            .chain(moves.map(|moved| format!("moved {} to {}", moved.from, moved.to)))
            .collect()
    }
}

fn some_group(name: &str, random: &mut Random) -> DesiredGroup {
    let mut target = group(name).config(json!({
        "image": "shop:1",
        "env": {"VERSION": "0", "API_TOKEN": SECRET},
    }));
    target = match random.below(5) {
        0 => target.serves(),
        1 => target
            .serves()
            .config(json!({"checks": {"alive": {"type": "http", "port": 8080, "path": "/"}}})),
        2 => target.mount(),
        _ => target,
    };
    target.wait_timeout_s = 20;
    target.steady_ms = random.chance(60).then_some(3_000);
    target.count = count(random);
    target.protect = random.chance(20);
    target.strategy = strategy(random);
    place(&mut target, random);
    stand_by(&mut target, random);
    agree(&mut target);
    target
}

fn count(random: &mut Random) -> Count {
    match random.below(8) {
        0 => Count::Unwritten,
        n => Count::Written(n % 5),
    }
}

fn place(group: &mut DesiredGroup, random: &mut Random) {
    group.regions = match random.below(4) {
        0 => Regions::Unwritten,
        1 => Regions::Exact(
            REGIONS
                .iter()
                .filter_map(|name| {
                    let n = random.below(4);
                    (n > 0).then(|| (region(name), n - 1))
                })
                .collect(),
        ),
        _ => {
            let from = random.below(3) as usize;
            let many = 1 + random.below(3) as usize;
            let names = REGIONS.iter().cycle().skip(from).take(many);
            Regions::List(names.map(|name| region(name)).collect())
        }
    };
}

fn stand_by(group: &mut DesiredGroup, random: &mut Random) {
    group.standby = [None, None, Some(0), Some(1)][random.below(4) as usize];
}

fn strategy(random: &mut Random) -> Update {
    match random.below(5) {
        0 => Update::Immediate,
        n => Update::Rolling {
            max_unavailable: Limit::Count(n.min(2)),
        },
    }
}

/// What the manifests' reader would not accept otherwise: a map is a count, and a group that serves
/// has no standby.
fn agree(group: &mut DesiredGroup) {
    if let Regions::Exact(map) = &group.regions {
        if map.is_empty() {
            group.regions = Regions::Unwritten;
        } else {
            group.count = Count::Written(map.values().sum());
        }
    }
    if group.template.has_services() {
        group.standby = None;
    }
}
