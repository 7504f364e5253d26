//! Summaries of a plan: numbers of changes, and the kinds of changes that cannot simply be reverted.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::change::{ReplaceHalf, Verb};
use super::notes::format_machine_count;
use super::types::{Action, Change, GroupChange, GroupVerdict, Plan, Step, StepId, Work};
use crate::core::fleet::GroupName;

/// The number of changes of each kind. A replacement counts once, although it has two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// New Machines.
    pub create: usize,
    /// Updates in place.
    pub update: usize,
    /// Replacements.
    pub replace: usize,
    /// Machines that a swap exchanges for new ones.
    #[serde(default)]
    pub swap: usize,
    /// Moves between groups.
    #[serde(rename = "move")]
    pub moves: usize,
    /// Destroys, without the old halves of replacements.
    pub destroy: usize,
    /// Waits for Machines whose last change was never seen healthy.
    #[serde(default)]
    pub wait: usize,
    /// Starts, for the same reason.
    #[serde(default)]
    pub start: usize,
    /// Machines adopted into the state.
    pub adopt: usize,
    /// Machines removed from the state.
    pub forget: usize,
    /// Commands that run once, each on a Machine of its own.
    #[serde(default)]
    pub run: usize,
    /// Canaries: each is created, tried and destroyed.
    #[serde(default)]
    pub canary: usize,
    /// New volumes for new Machines.
    pub new_volumes: usize,
}

/// A release by somebody else that this plan reverts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Revert {
    /// Its number.
    pub release: u64,
    /// The number of Machines.
    pub machines: usize,
    /// Its image, if the image changes; foreign text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The image they run instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

impl Revert {
    /// As text: `reverts release v43 (sha256:…) to sha256:… on 2 Machines`.
    pub fn describe(&self) -> String {
        let release = self.release;
        let on = format_machine_count(self.machines);
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => {
                let (from, to) = (short_image(from), short_image(to));
                format!("reverts release v{release} ({from}) to {to} on {on}")
            }
            (_, _) => format!("reverts what release v{release} changed on {on}"),
        }
    }
}

/// An image by the start of its digest, if it has one.
fn short_image(image: &str) -> String {
    match image.split_once('@') {
        Some((_, digest)) => short_digest(digest),
        None => image.to_owned(),
    }
}

/// The start of a digest: `sha256:` and twelve characters.
pub(super) fn short_digest(digest: &str) -> String {
    const SHOWN: usize = 12;
    let method = digest.find(':').map_or(0, |colon| colon + 1);
    let (method, hash) = digest.split_at(method);
    format!("{method}{}", hash.chars().take(SHOWN).collect::<String>())
}

fn images(change: &Change) -> (Option<String>, Option<String>) {
    let field = change.changes.iter().find(|field| field.path == ["image"]);
    let text = |value: &Option<serde_json::Value>| Some(value.as_ref()?.as_str()?.to_owned());
    field.map_or((None, None), |field| {
        (text(&field.before), text(&field.after))
    })
}

/// The changes that these steps make.
pub(super) fn changes(steps: &[Step]) -> impl Iterator<Item = (StepId, &Change)> {
    steps.iter().filter_map(|step| match &step.work {
        Work::Change(change) => Some((step.id, &**change)),
        Work::Barrier { .. } => None,
    })
}

/// Whether one of these steps calls the provider.
pub(super) fn calls_provider(steps: &[Step]) -> bool {
    let calls = |change: &Change| match change.action {
        Action::Create { .. }
        | Action::Update { .. }
        | Action::Move { .. }
        | Action::Destroy { .. }
        | Action::Start
        | Action::Once { .. }
        | Action::Switch { .. }
        | Action::Canary { .. } => true,
        Action::Wait | Action::Adopt | Action::Forget => false,
    };
    changes(steps).any(|(_, change)| calls(change))
}

impl Plan {
    /// The changes among the steps, with their ids.
    pub fn changes(&self) -> impl Iterator<Item = (StepId, &Change)> {
        changes(&self.steps)
    }

    /// The number of changes of each kind.
    pub fn summary(&self) -> Summary {
        self.summary_of(|_| true)
    }

    /// The number of changes of each kind among these steps.
    pub(super) fn summary_of(&self, is_counted: impl Fn(StepId) -> bool) -> Summary {
        let mut summary = Summary::default();
        let mut colours: BTreeMap<&GroupName, (usize, usize)> = BTreeMap::new();
        for (_, change) in self.changes().filter(|(id, _)| is_counted(*id)) {
            summary.new_volumes += change.new_volumes().len();
            match change.action.verb() {
                (Verb::Create, _) => summary.create += 1,
                (Verb::Update, _) => summary.update += 1,
                // One replacement with two steps.
                (Verb::Replace, half) => {
                    summary.replace += usize::from(half == Some(ReplaceHalf::Create));
                }
                // A run that finishes a swap creates no greens.
                (Verb::Swap, half) => {
                    let (greens, blues) = colours.entry(&change.group).or_default();
                    match half {
                        Some(ReplaceHalf::Create) | None => *greens += 1,
                        Some(ReplaceHalf::Destroy) => *blues += 1,
                    }
                }
                (Verb::Move, _) => summary.moves += 1,
                (Verb::Destroy, _) => summary.destroy += 1,
                (Verb::Wait, _) => summary.wait += 1,
                (Verb::Start, _) => summary.start += 1,
                (Verb::Adopt, _) => summary.adopt += 1,
                (Verb::Forget, _) => summary.forget += 1,
                (Verb::Run, _) => summary.run += 1,
                // One step for a whole group; its Machines are counted as swapped.
                (Verb::Switch, _) => {}
                (Verb::Canary, _) => summary.canary += 1,
            }
        }
        let swapped = colours.values().map(|(greens, blues)| greens.max(blues));
        summary.swap = swapped.sum();
        summary
    }

    /// Whether this change is a requested restart: an update that sends the config unchanged.
    pub fn is_restart(&self, change: &Change) -> bool {
        change.keeps_config() && !self.requested.restart.is_none()
    }

    /// How many Machines are restarted; [`Summary::update`] counts them, too.
    pub fn restart_count(&self) -> usize {
        let changes = self.changes();
        changes
            .filter(|(_, change)| self.is_restart(change))
            .count()
    }

    /// How many Machines get less CPU or memory; counted apart from destroys.
    pub fn downsized_count(&self) -> usize {
        let shrinks = |change: &Change| {
            let remains = !matches!(change.action, Action::Destroy { .. });
            remains && change.changes.iter().any(|field| field.shrinks)
        };
        self.changes().filter(|(_, change)| shrinks(change)).count()
    }

    /// Releases unknown to the state that this plan reverts (rule 11).
    pub fn reverts(&self) -> Vec<Revert> {
        let mut found: BTreeMap<(u64, Option<String>, Option<String>), usize> = BTreeMap::new();
        for (_, change) in self.changes() {
            if let Some(release) = change.reverts {
                let (from, to) = images(change);
                *found.entry((release, from, to)).or_default() += 1;
            }
        }
        let reverts = found.into_iter();
        reverts
            .map(|((release, from, to), machines)| Revert {
                release,
                machines,
                from,
                to,
            })
            .collect()
    }

    /// Groups that lose Machines and keep none, whatever the cause: removed from fly.toml, count 0, or no
    /// regions left (rule 33). Moved Machines are not destroyed. A group does not count if its destroyed
    /// Machines were moved in from groups that keep others.
    pub fn emptied_groups(&self) -> impl Iterator<Item = &GroupChange> {
        let destroyed: BTreeSet<&GroupName> = self
            .changes()
            .filter(|(_, change)| {
                matches!(change.action, Action::Destroy { removal, .. } if removal.is_loss())
            })
            .map(|(_, change)| &change.group)
            .collect();
        let keeps = |name: &GroupName| self.groups.iter().any(|g| g.name == *name && g.after > 0);
        let groups = self.groups.iter();
        groups.filter(move |group| {
            let only_came = group.moved_in == group.before && group.moved_from.iter().all(keeps);
            group.after == 0 && destroyed.contains(&group.name) && !only_came
        })
    }

    /// Whether an apply would change neither a Machine nor the state.
    pub fn is_empty(&self) -> bool {
        self.changes().next().is_none() && self.records.is_empty()
    }

    /// Whether an apply would change anything at the provider.
    pub fn calls_provider(&self) -> bool {
        calls_provider(&self.steps)
    }

    /// Groups whose config this plan changes: new ones, and those with a Machine that gets another config.
    pub fn groups_with_new_config(&self) -> BTreeSet<&GroupName> {
        let groups = self.groups.iter();
        let new = groups.filter(|group| group.verdict == GroupVerdict::Added);
        let new = new.map(|group| &group.name);
        let remains = |change: &Change| !matches!(change.action, Action::Destroy { .. });
        let changed = self.changes().map(|(_, change)| change);
        let changed = changed.filter(|change| remains(change) && !change.changes.is_empty());
        new.chain(changed.map(|change| &change.group)).collect()
    }

    /// Whether an apply would wait for a Machine whose last change was never seen healthy.
    pub fn waits_for_unproven(&self) -> bool {
        self.changes()
            .any(|(_, change)| change.action == Action::Wait)
    }
}

impl Summary {
    /// Whether everything is zero.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}
