//! What a verb asks of Machines that are as wanted: that others take their places, or that they start
//! anew. It holds for one plan and stands in no file.
//!
//! Says whom it means and what cannot be meant; what becomes of those is [`super::reconcile`]'s.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::codes;
use super::decision::GroupDecision;
use super::members::{ChangeProof, Fleet, Member};
use super::notes::{self, format_machine_count, note};
use super::types::{Action, Note, Step, Work};
use crate::core::fleet::{
    Desired, GroupName, MachineId, MachineState, OnFailure, Region, Strategy,
};

/// What is asked for beyond what the manifests say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requested {
    /// Machines, by id or name, that others are to replace although they are as wanted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub replace: BTreeSet<MachineId>,
    /// Whose running Machines are to start anew.
    #[serde(default, skip_serializing_if = "RestartScope::is_none")]
    pub restart: RestartScope,
    /// A Machine that a new one is to be like, where no manifest says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "like")]
    pub clone_source: Option<CloneSource>,
    /// The image that every group runs, where it was named for this run alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Machines, by id or name, that the run neither changes nor waits for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub exclude: BTreeSet<MachineId>,
    /// What a failure stops, where that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// Whether the release command runs.
    #[serde(default, skip_serializing_if = "ReleaseCommandMode::is_auto")]
    pub release_command: ReleaseCommandMode,
    /// How every group is updated, whatever fly.toml says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<ChosenStrategy>,
    /// How long a Machine must stay up before its change counts as done, milliseconds; 0 turns it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steady_ms: Option<u64>,
}

/// When the release command of fly.toml runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseCommandMode {
    /// Where the plan needs it (rule 28).
    #[default]
    Auto,
    /// Not in this run.
    Never,
}

impl ReleaseCommandMode {
    /// Whether the plan decides.
    pub fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// A strategy that an operator chooses for one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChosenStrategy {
    /// One first, then a few at a time.
    Rolling,
    /// All at once, without waiting for health.
    Immediate,
}

/// A Machine that is cloned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloneSource {
    /// Which, by its id or name.
    pub machine: MachineId,
    /// The group of the new one; that of the Machine where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
    /// Where the new one is; where the Machine is where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
}

/// Whose running Machines start anew.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestartScope {
    /// Nobody's.
    #[default]
    #[serde(rename = "nobody")]
    None,
    /// Those of these groups.
    Groups(BTreeSet<GroupName>),
    /// Those of every group.
    All,
}

impl RestartScope {
    /// Whether none is.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// Whether those of this group are.
    pub fn covers(&self, group: &GroupName) -> bool {
        match self {
            Self::None => false,
            Self::Groups(names) => names.contains(group),
            Self::All => true,
        }
    }
}

impl Requested {
    /// Whether only the manifests are asked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What the manifests want, updated with the strategy that was chosen for this run.
    pub(super) fn override_strategy<'d>(&self, desired: &'d Desired) -> Cow<'d, Desired> {
        let Some(chosen) = self.strategy else {
            return Cow::Borrowed(desired);
        };
        let mut desired = desired.clone();
        for group in desired.groups.values_mut() {
            group.unsupported_strategy = None;
            group.strategy = match (chosen, group.strategy) {
                // What fly.toml says of `max_unavailable` stays.
                (ChosenStrategy::Rolling, written @ Strategy::Rolling { .. }) => written,
                (ChosenStrategy::Rolling, Strategy::Immediate) => Strategy::ROLLING,
                (ChosenStrategy::Immediate, _) => Strategy::Immediate,
            };
        }
        Cow::Owned(desired)
    }

    /// Marks the Machines that the plan leaves alone.
    pub(super) fn mark_excluded(&self, fleet: &mut Fleet<'_>) {
        if self.exclude.is_empty() {
            return;
        }
        for member in fleet.members.values_mut().flatten() {
            if self
                .exclude
                .iter()
                .any(|wanted| member.has_id_or_name(wanted))
            {
                member.excluded = true;
                // Nobody waits for it.
                member.proof = ChangeProof::Yes;
            }
        }
    }

    /// What is asked of this Machine.
    pub(super) fn for_machine(&self, member: &Member<'_>) -> MachineRequest {
        if member.excluded {
            return MachineRequest::Nothing;
        }
        if self
            .replace
            .iter()
            .any(|wanted| member.has_id_or_name(wanted))
        {
            return MachineRequest::Replace;
        }
        let may_run = member.state().is_none_or(is_running_or_starting);
        if self.restart.covers(&member.group) && may_run && member.host_ok() {
            MachineRequest::Restart
        } else {
            MachineRequest::Nothing
        }
    }

    /// Has the new Machine begin with what the one has that it is to be like.
    pub(super) fn apply_clone_source(&self, steps: &mut [Step], fleet: &Fleet<'_>) {
        let Some(like) = &self.clone_source else {
            return;
        };
        let mut members = fleet.members.values().flatten();
        let Some(source) = members.find(|member| member.has_id_or_name(&like.machine)) else {
            return;
        };
        let group = like.group.as_ref().unwrap_or(&source.group);
        let region = like.region.as_ref().unwrap_or(source.region);
        for step in steps {
            let Work::Change(change) = &mut step.work else {
                continue;
            };
            if change.group != *group || change.region != *region {
                continue;
            }
            if let Action::Create {
                replaces: None,
                inherits,
                standby_for,
                ..
            } = &mut change.action
                && standby_for.is_empty()
            {
                inherits.clone_source = Some(source.id.clone());
                return;
            }
        }
    }

    /// What nobody can do: it names what is not there.
    pub(super) fn refusals(&self, desired: &Desired, fleet: &Fleet<'_>) -> Vec<Note> {
        let nobody = |wanted: &&MachineId| {
            let mut members = fleet.members.values().flatten();
            !members.any(|member| member.has_id_or_name(wanted))
        };
        let unknown: Vec<&MachineId> = self.replace.iter().filter(nobody).collect();
        let mut found = Vec::new();
        let excludes: Vec<&MachineId> = self.exclude.iter().filter(nobody).collect();
        if !excludes.is_empty() {
            let folder = folder_of(fleet, &excludes);
            let message = format!(
                "cannot exclude {}: no group of the app has it{folder}",
                notes::format_ids(excludes)
            );
            let hint = "`aeroform machine list` names every Machine";
            found.push(note(codes::EXCLUDES_NOBODY, message).with_hint(hint));
        }
        let members = || fleet.members.values().flatten();
        let both = members().filter(|member| {
            member.excluded
                && self
                    .replace
                    .iter()
                    .any(|wanted| member.has_id_or_name(wanted))
        });
        found.extend(both.map(|member| excluded_must_change(member, "it is named to be replaced")));
        if !unknown.is_empty() {
            let folder = folder_of(fleet, &unknown);
            let message = format!(
                "cannot replace {}: no group of the app has it{folder}",
                notes::format_ids(unknown)
            );
            let refusal = note(codes::REPLACES_NOBODY, message);
            found.push(refusal.with_hint("`aeroform machine list` names every Machine"));
        }
        found.extend(self.refuse_long_steady(desired));
        let RestartScope::Groups(names) = &self.restart else {
            return found;
        };
        for name in names {
            if !desired.groups.contains_key(name) {
                let all: Vec<&str> = desired.groups.keys().map(GroupName::as_str).collect();
                let message = format!("cannot restart group `{name}`: the app has no such group");
                let hint = format!("its groups are {}", all.join(", "));
                found.push(note(codes::RESTARTS_NOBODY, message).with_hint(hint));
            }
        }
        found
    }

    /// Machines that must stay up for longer than they are waited for would never pass.
    fn refuse_long_steady(&self, desired: &Desired) -> Option<Note> {
        let steady_ms = self.steady_ms?;
        let mut groups = desired.groups.iter();
        let (name, group) = groups.find(|(_, group)| {
            group.strategy != Strategy::Immediate
                && steady_ms >= group.wait_timeout_s.saturating_mul(1000)
        })?;
        let message = format!(
            "group `{name}`: `--steady` is {:?}, and a Machine is waited for only {}s",
            Duration::from_millis(steady_ms),
            group.wait_timeout_s
        );
        Some(
            note(codes::STEADY_TOO_LONG, message)
                .for_group(name)
                .with_hint(
                    "give a shorter time, or a longer `wait_timeout` in `[deploy]` of fly.toml",
                ),
        )
    }

    /// What is held back, and of what is told only later.
    pub(super) fn restart_notes(
        &self,
        decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    ) -> Vec<Note> {
        let mut found = Vec::new();
        for (name, decision) in decisions {
            if decision.desired.is_none() || !self.restart.covers(name) {
                continue;
            }
            let goes = decision.removed.iter().map(|gone| gone.member.id);
            let changes = decision.changed.iter().map(|changed| changed.member.id);
            let touched: BTreeSet<&MachineId> = goes.chain(changes).collect();
            let rests = decision.members.iter();
            let resting = rests.filter(|m| !touched.contains(m.id)).count();
            if resting > 0 {
                let rest = match resting {
                    1 => "does not run and stays as it is",
                    _ => "do not run and stay as they are",
                };
                let message = format!("group `{name}`: {} {rest}", format_machine_count(resting));
                found.push(note(codes::LEFT_AT_REST, message).for_group(name));
            }
        }
        found
    }
}

/// A Machine that is to be left alone and cannot be.
pub(super) fn excluded_must_change(member: &Member<'_>, why: &str) -> Note {
    let message = format!(
        "Machine {} of group `{}` is excluded and cannot stay as it is: {why}",
        member.id, member.group
    );
    note(codes::EXCLUDED_MUST_CHANGE, message)
        .for_group(&member.group)
        .with_hint("take it out of `--exclude-machines`, or leave what needs it for another plan")
}

/// What is asked of one Machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MachineRequest {
    Nothing,
    Replace,
    Restart,
}

/// A Machine on its way up is one that runs.
fn is_running_or_starting(state: MachineState) -> bool {
    match state {
        MachineState::Created
        | MachineState::Starting
        | MachineState::Started
        | MachineState::Replacing
        | MachineState::Unknown
        | MachineState::Failed => true,
        MachineState::Stopping
        | MachineState::Stopped
        | MachineState::Suspending
        | MachineState::Suspended
        | MachineState::Destroying
        | MachineState::Destroyed => false,
    }
}
/// Which project folders made those of these Machines that are not of this one.
fn folder_of(fleet: &Fleet<'_>, wanted: &[&MachineId]) -> String {
    let others = fleet.others.iter().filter(|other| {
        let mut wanted = wanted.iter();
        wanted.any(|id| **id == other.id || id.as_str() == other.name.as_str())
    });
    let told = others.map(|other| {
        let folder = other.project.as_deref().unwrap_or_default();
        format!("; {} belongs to the project in `{folder}`", other.id)
    });
    told.collect()
}
