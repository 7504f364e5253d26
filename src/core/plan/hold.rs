//! `[hold]`: the desired fleet with the images and configs of an earlier release (rule 41).
//!
//! Decides only which config each group has. Counts, regions and everything else stay those of the files. The same
//! state and observation give the same fleet, so that planner, executor and state agree without passing it on.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::codes;
use super::desired_digest;
use super::notes::{Remarks, note};
use super::options::PlanMode;
use super::releases::complete_releases;
use super::types::Note;
use crate::core::fleet::digest::HIDDEN_PREFIX;
use crate::core::fleet::quoting::{shell_word, toml_string};
use crate::core::fleet::reveal::{HiddenValues, Revealed, UnknownValue};
use crate::core::fleet::secret::{HIDDEN, patterns};
use crate::core::fleet::{
    ConfigDigest, Desired, DesiredGroup, GroupName, Hold, Known, KnownMachine, Lineage, Machine,
    MachineConfig, MachineId, Observed, ReleaseRecord, StoredConfig, normalise,
};

/// The most Machine configs that are compared with each other before their values are collected.
const RECENT_CONFIGS: usize = 8;

/// The hold of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedHold {
    /// The release that the app follows.
    pub release: u64,
    /// The groups that follow it; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupName>,
    /// The number is the state's own: the platform has no releases.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub local: bool,
}

impl PlannedHold {
    /// The hold of the manifests.
    pub fn of(desired: &Desired) -> Option<Self> {
        let hold = desired.hold.as_ref()?;
        Some(Self {
            release: hold.release,
            groups: hold.groups.iter().flatten().cloned().collect(),
            local: !desired.profile().deployed_by_flyctl,
        })
    }

    /// The release as people read it.
    pub fn release_name(&self) -> String {
        release_name(self.release, self.local)
    }
}

/// The name of a release; `local` is one whose number only the state has.
pub fn release_name(number: u64, local: bool) -> String {
    let local = if local { " (local)" } else { "" };
    format!("v{number}{local}")
}

/// The desired fleet under `[hold]`, and what the plan says about it.
pub(super) struct HeldFleet<'d> {
    pub(super) desired: Cow<'d, Desired>,
    pub(super) remarks: Remarks,
}

impl HeldFleet<'_> {
    /// A plan that sends no config is not refused for want of one.
    pub(super) fn for_mode(mut self, mode: PlanMode) -> Self {
        match mode {
            PlanMode::Normal => {}
            PlanMode::RefreshOnly => self.remarks.refusals.clear(),
            PlanMode::Destroy => self.remarks = Remarks::default(),
        }
        self
    }
}

/// The desired fleet that a plan of this state and observation applies: that of the manifests, except for the configs
/// of the groups that `[hold]` names.
pub fn held_desired<'d>(
    desired: &'d Desired,
    known: &Known,
    observed: Option<&Observed>,
) -> Cow<'d, Desired> {
    let unknown = desired_digest::unknown_lineage();
    let scope = observed.map(|observed| &observed.description.scope);
    let lineage = scope.or(known.lineage.as_ref()).unwrap_or(&unknown);
    follow(desired, known, observed, lineage).desired
}

/// The Machines whose earlier versions may have values of the release that are hidden in the state and unknown
/// otherwise, by group.
pub fn machines_with_hidden_values(
    desired: &Desired,
    known: &Known,
    observed: &Observed,
) -> BTreeMap<GroupName, Vec<MachineId>> {
    let lineage = &observed.description.scope;
    let Some(fleet) = ReleasedFleet::of(desired, known, Some(observed), lineage) else {
        return BTreeMap::new();
    };
    let lacking = desired.groups.iter().filter(|(name, group)| {
        let released = fleet.release_config(name, group);
        matches!(released, Some(Ok(revealed)) if !revealed.unknown.is_empty())
    });
    let machines_of = |name: &GroupName| {
        let machines = observed.counted_machines();
        let own = machines.filter(|machine| fleet.is_of(name, machine));
        own.map(|machine| machine.id.clone()).collect()
    };
    lacking
        .map(|(name, _)| (name.clone(), machines_of(name)))
        .collect()
}

/// Gives the groups of `[hold]` their configs.
pub(super) fn follow<'d>(
    desired: &'d Desired,
    known: &Known,
    observed: Option<&Observed>,
    lineage: &Lineage,
) -> HeldFleet<'d> {
    let unchanged = |remarks| HeldFleet {
        desired: Cow::Borrowed(desired),
        remarks,
    };
    let Some(hold) = &desired.hold else {
        return unchanged(Remarks::default());
    };
    let Some(fleet) = ReleasedFleet::of(desired, known, observed, lineage) else {
        return unchanged(Remarks {
            refusals: vec![unknown_release(hold, known)],
            ..Remarks::default()
        });
    };
    let mut followed = desired.clone();
    let mut remarks = Remarks::default();
    let covered = desired.groups.iter().filter(|(name, _)| hold.covers(name));
    for (name, group) in covered {
        match fleet.release_config(name, group) {
            Some(Ok(revealed)) => {
                let release = format!("of release v{}", hold.release);
                fleet.remark_unknown_values(name, &release, &revealed.unknown, &mut remarks);
                let refusal = fleet.refuse_standbys(name, group, &revealed.config);
                remarks.refusals.extend(refusal);
                replace_template(&mut followed, name, fleet.with_image(revealed.config));
            }
            Some(Err(())) => remarks.refusals.push(fleet.unreadable(name)),
            None => {
                if let Some(revealed) = fleet.running_config(name, group) {
                    remarks.notes.push(fleet.keeps_group(name));
                    let running = "that runs";
                    fleet.remark_unknown_values(name, running, &revealed.unknown, &mut remarks);
                    replace_template(&mut followed, name, revealed.config);
                } else {
                    remarks.notes.push(fleet.creates_no_group(name));
                    followed.groups.remove(name);
                }
            }
        }
    }
    remarks.notes.extend(fleet.groups_not_created_again());
    remarks.notes.extend(fleet.unused_image());
    let images: BTreeSet<Option<&String>> = followed
        .groups
        .values()
        .map(|group| group.template.image.as_ref())
        .collect();
    let common = images.first().copied().flatten();
    followed.image = common.filter(|_| images.len() == 1).cloned();
    HeldFleet {
        desired: Cow::Owned(followed),
        remarks,
    }
}

fn unknown_release(hold: &Hold, known: &Known) -> Note {
    let message = format!(
        "[hold] names release v{}, which the state does not have",
        hold.release
    );
    note(codes::HELD_RELEASE_UNKNOWN, message).with_hint(format!(
        "{}; `aeroform rollback --end` removes [hold]",
        releases_there(known)
    ))
}

/// The releases to which one can go back, for a hint.
pub fn releases_there(known: &Known) -> String {
    let numbers = known.releases.iter().rev();
    let numbers: Vec<String> = numbers.map(|r| format!("v{}", r.release)).collect();
    if numbers.is_empty() {
        "the state has no release yet".to_owned()
    } else {
        format!("the state has {}", numbers.join(", "))
    }
}

/// The release to which `rollback` goes back by default: the newest complete one that is not what runs. Under a hold
/// it is one before that. `has_drift` tells that Machines differ from the state.
pub fn release_to_go_back_to(known: &Known, hold: Option<&Hold>, has_drift: bool) -> Option<u64> {
    let record = |hold: &Hold| known.releases.iter().find(|r| r.release == hold.release);
    let mut complete = complete_releases(known);
    let start = match hold {
        Some(hold) => record(hold)?,
        None => complete.next()?,
    };
    let runs = |id: &MachineId| {
        let machine = &known.machines[id];
        let released = start.groups.get(&machine.group);
        released.is_some_and(|group| has_equal_config(known, &group.config, &machine.config))
    };
    if hold.is_none() && (has_drift || !known.machines.keys().all(runs)) {
        return Some(start.release);
    }
    let mut earlier = complete.filter(|record| record.release < start.release);
    let other = earlier.find(|record| !has_equal_groups(known, record, start));
    other.map(|record| record.release)
}

/// The image that ran before `[hold]`, if no file names one and the release of the hold has another: the newest
/// complete release with other configs, and its image.
pub fn image_before_hold(desired: &Desired, known: &Known) -> Option<(u64, String)> {
    let hold = desired.hold.as_ref()?;
    if desired.image.is_some() || !desired.profile().runs_images {
        return None;
    }
    let record = known
        .releases
        .iter()
        .find(|other| other.release == hold.release)?;
    let mut complete = complete_releases(known);
    let before = complete.find(|other| !has_equal_groups(known, other, record))?;
    let image = before
        .image
        .clone()
        .filter(|image| Some(image) != record.image.as_ref());
    Some((before.release, image?))
}

fn has_equal_groups(known: &Known, one: &ReleaseRecord, other: &ReleaseRecord) -> bool {
    one.image == other.image
        && one.groups.len() == other.groups.len()
        && one.groups.iter().all(|(name, group)| {
            let same = other.groups.get(name);
            same.is_some_and(|same| has_equal_config(known, &same.config, &group.config))
        })
}

fn has_equal_config(known: &Known, one: &ConfigDigest, other: &ConfigDigest) -> bool {
    let config = |digest| known.configs.get(digest);
    one == other
        || config(one)
            .zip(config(other))
            .is_some_and(|(one, other)| one.is_equivalent_to(other))
}

fn replace_template(held: &mut Desired, name: &GroupName, config: MachineConfig) {
    let Some(group) = held.groups.get_mut(name) else {
        return;
    };
    if group.template.init != config.init {
        let init = config.init.as_ref();
        let words = init.and_then(|init| init.cmd.as_ref());
        group.command = words.map(|words| {
            let words: Vec<_> = words.iter().map(|word| shell_word(word)).collect();
            words.join(" ")
        });
    }
    let mut config = config;
    // A renamed group has its new name.
    let own = group.template.env.as_ref();
    if let (Some(own), Some(env)) = (
        own.and_then(|env| env.get("FLY_PROCESS_GROUP")),
        &mut config.env,
    ) {
        env.insert("FLY_PROCESS_GROUP".to_owned(), own.clone());
    }
    group.template = config;
    group.image_from_flag = false;
}

/// A release of the state, with the values that are known.
struct ReleasedFleet<'a> {
    desired: &'a Desired,
    known: &'a Known,
    observed: Option<&'a Observed>,
    hold: &'a Hold,
    release: &'a ReleaseRecord,
    values: HiddenValues<'a>,
}

impl<'a> ReleasedFleet<'a> {
    /// None if the state does not have the release.
    fn of(
        desired: &'a Desired,
        known: &'a Known,
        observed: Option<&'a Observed>,
        lineage: &'a Lineage,
    ) -> Option<Self> {
        let hold = desired.hold.as_ref()?;
        let mut releases = known.releases.iter();
        let release = releases.find(|record| record.release == hold.release)?;
        Some(Self {
            values: known_values(desired, observed, lineage),
            desired,
            known,
            observed,
            hold,
            release,
        })
    }

    /// The config of a group in the release; none if it had none. An error if it is no config.
    fn release_config(
        &self,
        name: &GroupName,
        group: &DesiredGroup,
    ) -> Option<Result<Revealed, ()>> {
        if !self.hold.covers(name) {
            return None;
        }
        let renamed = || self.desired.moved.iter().find(|moved| moved.to == *name);
        let groups = &self.release.groups;
        let released = groups.get(name).or_else(|| groups.get(&renamed()?.from))?;
        let stored = self.known.configs.get(&released.config);
        let revealed = stored.and_then(|stored| stored.reveal(&self.values, &group.template));
        Some(revealed.ok_or(()))
    }

    /// The config with the image of the release as it was written, also where a config has none.
    fn with_image(&self, mut config: MachineConfig) -> MachineConfig {
        let Some(written) = &self.release.image else {
            return config;
        };
        let is_same = match &config.image {
            None => self.desired.profile().runs_images,
            Some(stored) => *stored == normalise::normalise_image(written),
        };
        if is_same {
            config.image = Some(written.clone());
        }
        config
    }

    /// The config that most Machines of a group run; none without Machines.
    fn running_config(&self, name: &GroupName, group: &DesiredGroup) -> Option<Revealed> {
        let known = self.known.machines.iter();
        let mut configs: BTreeMap<&ConfigDigest, usize> = BTreeMap::new();
        for (_, machine) in known.filter(|(id, machine)| self.is_known_of(name, id, machine)) {
            *configs.entry(&machine.config).or_default() += 1;
        }
        let most = configs.into_iter().max_by_key(|(_, n)| *n);
        let stored: Option<&StoredConfig> =
            most.and_then(|(digest, _)| self.known.configs.get(digest));
        if let Some(revealed) =
            stored.and_then(|stored| stored.reveal(&self.values, &group.template))
        {
            return Some(revealed);
        }
        let mut machines = self.observed?.machines.values();
        let seen =
            machines.find(|machine| self.is_of(name, machine) && machine.config.is_some())?;
        let mut config = MachineConfig::clone(seen.config.as_deref()?);
        config.standbys = None;
        for mount in config.mounts.iter_mut().flatten() {
            mount.volume = None;
        }
        // Without bookkeeping, which is no part of a template.
        let config = MachineConfig::from_value(normalise::normalise_config(&config)).ok()?;
        Some(Revealed {
            config,
            unknown: Vec::new(),
        })
    }

    fn is_known_of(&self, name: &GroupName, id: &MachineId, machine: &KnownMachine) -> bool {
        self.desired.group_of(id, &machine.group) == *name
    }

    fn is_of(&self, name: &GroupName, machine: &Machine) -> bool {
        let group = machine.group.as_ref();
        !machine.state.is_gone()
            && group.is_some_and(|group| self.desired.group_of(&machine.id, group) == *name)
    }

    /// Names the values that were not found; `of` says which ones they are.
    fn remark_unknown_values(
        &self,
        name: &GroupName,
        of: &str,
        unknown: &[UnknownValue],
        remarks: &mut Remarks,
    ) {
        if self.observed.is_none() && !unknown.is_empty() {
            let paths: Vec<String> = unknown.iter().map(path_of).collect();
            let message = format!(
                "whether the value of {} {of} can be restored is decided at apply: this plan was made without calling \
                 the provider",
                paths.join(", ")
            );
            remarks
                .notes
                .push(note(codes::DECIDED_AT_APPLY, message).for_group(name));
            return;
        }
        let warnings = unknown.iter().map(|value| {
            let path = path_of(value);
            let instead = if value.has_other {
                "today's value is used"
            } else {
                "the files have none, so it is left out"
            };
            let message = format!("the value of {path} {of} is not known: {instead}");
            note(codes::HELD_VALUE_UNKNOWN, message)
                .for_group(name)
                .with_hint("`fly secrets set` keeps such values out of releases")
        });
        remarks.warnings.extend(warnings);
    }

    /// A standby serves no requests (rule 15), and going forward again would not make one of it.
    fn refuse_standbys(
        &self,
        name: &GroupName,
        group: &DesiredGroup,
        config: &MachineConfig,
    ) -> Option<Note> {
        let known = self.known.machines.iter();
        let mut own = known.filter(|(id, machine)| self.is_known_of(name, id, machine));
        let has_standbys = group.standby.is_some_and(|standbys| standbys > 0)
            || own.any(|(_, machine)| !machine.standby_for.is_empty());
        (config.has_services() && has_standbys).then(|| {
            let message = format!(
                "group `{name}` has services in release v{} and standbys now, and a standby serves no requests",
                self.release.release
            );
            note(codes::HELD_STANDBYS, message).for_group(name).with_hint(
                "write `standby = 0` and apply that first, or leave the group out: `groups` in [hold]",
            )
        })
    }

    fn unreadable(&self, name: &GroupName) -> Note {
        let message = format!(
            "the config of group `{name}` in release v{} cannot be read from the state",
            self.release.release
        );
        note(codes::HELD_RELEASE_UNKNOWN, message)
            .for_group(name)
            .with_hint("name another release, or remove [hold]: `aeroform rollback --end`")
    }

    fn keeps_group(&self, name: &GroupName) -> Note {
        let message = format!(
            "group `{name}` is not in release v{} and keeps what runs",
            self.release.release
        );
        note(codes::HOLD_KEEPS_GROUP, message)
            .for_group(name)
            .with_hint(self.hold_without_it())
    }

    fn creates_no_group(&self, name: &GroupName) -> Note {
        let message = format!(
            "group `{name}` is not in release v{} and is not created",
            self.release.release
        );
        note(codes::HOLD_KEEPS_GROUP, message)
            .for_group(name)
            .with_hint(self.hold_without_it())
    }

    /// The line with which the groups of the release follow it, and the others the files.
    fn hold_without_it(&self) -> String {
        let groups = self.desired.groups.keys();
        let held =
            groups.filter(|name| self.hold.covers(name) && self.release.groups.contains_key(*name));
        let held: Vec<String> = held.map(|name| toml_string(name.as_str())).collect();
        if held.is_empty() {
            return "to follow the files, remove [hold]: `aeroform rollback --end`".to_owned();
        }
        format!(
            "to let it follow the files, write `groups = [{}]` in [hold]",
            held.join(", ")
        )
    }

    fn groups_not_created_again(&self) -> Vec<Note> {
        if self.hold.groups.is_some() {
            return Vec::new();
        }
        let is_there = |name: &GroupName| {
            self.desired.groups.contains_key(name)
                || self.desired.moved.iter().any(|moved| moved.from == *name)
        };
        let gone = self
            .release
            .groups
            .iter()
            .filter(|(name, _)| !is_there(name));
        let gone = gone.map(|(name, released)| {
            let message = format!(
                "group `{name}` of release v{} is not in fly.toml and is not created again",
                self.release.release
            );
            let stored = self.known.configs.get(&released.config);
            let command = stored.and_then(command_of).unwrap_or_default();
            note(codes::HOLD_LACKS_GROUP, message)
                .for_group(name)
                .with_hint(format!(
                    "to run it again, write `{} = {}` in [processes] of fly.toml",
                    name.toml_key(),
                    toml_string(&command)
                ))
        });
        gone.collect()
    }

    fn unused_image(&self) -> Option<Note> {
        let image = self.desired.image.as_ref()?;
        let message = format!(
            "the image of the files (`{}`) is not used: the image is that of release v{}",
            patterns::redact(image),
            self.release.release
        );
        Some(note(codes::HOLD_IGNORES_IMAGE, message))
    }
}

/// The values of today's manifests, of the Machines, and of their versions at the release.
fn known_values<'l>(
    desired: &Desired,
    observed: Option<&Observed>,
    lineage: &'l Lineage,
) -> HiddenValues<'l> {
    let mut values = HiddenValues::new(lineage);
    let Some(observed) = observed else {
        for group in desired.groups.values() {
            values.add(&group.template);
        }
        return values;
    };
    let mut recent: Vec<&Arc<MachineConfig>> = Vec::new();
    for config in observed.machines.values().filter_map(|m| m.config.as_ref()) {
        // The Machines of a group mostly share one config.
        let last = recent.iter().rev().take(RECENT_CONFIGS);
        if last.clone().all(|other| !Arc::ptr_eq(other, config)) {
            values.add(config);
            recent.push(config);
        }
    }
    let held = observed.held_configs.iter();
    for config in held.chain(desired.groups.values().map(|group| &group.template)) {
        values.add(config);
    }
    values
}

fn path_of(value: &UnknownValue) -> String {
    format!("`{}`", value.path.join("."))
}

/// The command of a stored config, without hidden words.
fn command_of(stored: &StoredConfig) -> Option<String> {
    let words = stored.tree().pointer("/init/cmd")?.as_array()?;
    let words: Option<Vec<&str>> = words.iter().map(serde_json::Value::as_str).collect();
    let words = words?.into_iter().map(|word| {
        if word.starts_with(HIDDEN_PREFIX) {
            HIDDEN.into()
        } else {
            shell_word(word)
        }
    });
    Some(words.collect::<Vec<_>>().join(" "))
}
