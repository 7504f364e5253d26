//! Requests of a verb for Machines without changes: replace or restart them. A request holds for one plan and
//! is not in any file.
//!
//! Decides which Machines a request covers and which requests are impossible; [`super::reconcile`] decides what
//! happens to them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::chosen_limit::ChosenLimit;
use super::codes;
use super::command_modes::{CheckMode, ReleaseCommandMode};
use super::decision::GroupDecision;
use super::members::{Fleet, Member};
use super::notes::{self, format_machine_count, note};
use super::types::{Action, Note, Step, Work};
use crate::core::fleet::{
    Desired, DesiredGroup, GroupName, MachineId, MachineState, OnFailure, Region, Strategy, Trial,
};

/// Requests beyond the manifests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requested {
    /// Machines to replace, by id or name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub replace: BTreeSet<MachineId>,
    /// Which running Machines restart.
    #[serde(default, skip_serializing_if = "RestartScope::is_none")]
    pub restart: RestartScope,
    /// A Machine for a new one to clone, where no manifest sets a field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "like")]
    pub clone_source: Option<CloneSource>,
    /// The image of every group, for this run only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The only groups that the run may change.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<GroupName>,
    /// The only regions in which the run may change Machines.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub regions: BTreeSet<Region>,
    /// Regions in which the run changes no Machine.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub exclude_regions: BTreeSet<Region>,
    /// The only Machines that the run may change, by id or name; it creates none besides replacements.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub only: BTreeSet<MachineId>,
    /// Machines that the run neither changes nor waits for, by id or name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub exclude: BTreeSet<MachineId>,
    /// What a failure stops, if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// When the release command runs.
    #[serde(default, skip_serializing_if = "ReleaseCommandMode::is_auto")]
    pub release_command: ReleaseCommandMode,
    /// How long the release command may run, in seconds, whatever fly.toml says; 0 is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_command_timeout_s: Option<u64>,
    /// Whether `verify` of aeroform.toml runs.
    #[serde(default, skip_serializing_if = "CheckMode::is_auto")]
    pub verify: CheckMode,
    /// Whether a plan needs the machine checks of fly.toml.
    #[serde(default, skip_serializing_if = "CheckMode::is_auto")]
    pub machine_checks: CheckMode,
    /// The update strategy of every group, whatever fly.toml says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<ChosenStrategy>,
    /// How many Machines of every group a rolling update takes down at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<ChosenLimit>,
    /// How long a Machine may take to start and pass its checks, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_timeout_s: Option<u64>,
    /// How long a Machine must stay up before its change counts as done, in milliseconds; 0 turns it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steady_ms: Option<u64>,
    /// How long a canary stays under traffic after its gate, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary_soak_ms: Option<u64>,
    /// Where no Machine of a group with checks runs, start one first and wait for its gate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wake: bool,
}

/// A strategy chosen for one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChosenStrategy {
    /// One first, then a few at a time.
    Rolling,
    /// All at once, without waiting for health.
    Immediate,
    /// One extra Machine first, then as rolling.
    Canary,
    /// A second set of Machines, which replaces the first.
    Bluegreen,
}

impl ChosenStrategy {
    /// All, in the order of the help.
    pub const ALL: [Self; 4] = [
        Self::Rolling,
        Self::Immediate,
        Self::Canary,
        Self::Bluegreen,
    ];

    /// Its word, as in fly.toml.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rolling => "rolling",
            Self::Immediate => "immediate",
            Self::Canary => "canary",
            Self::Bluegreen => "bluegreen",
        }
    }

    /// The strategy of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|strategy| strategy.as_str() == word)
    }
}

/// A Machine to clone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloneSource {
    /// Its id or name.
    pub machine: MachineId,
    /// The group of the new Machine; by default the same group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
    /// The region of the new Machine; by default the same region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
}

/// Which running Machines restart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestartScope {
    /// None.
    #[default]
    #[serde(rename = "nobody")]
    None,
    /// The running Machines of these groups.
    Groups(BTreeSet<GroupName>),
    /// The running Machines of every group.
    All,
}

impl RestartScope {
    /// Whether none restarts.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// Whether those of this group restart.
    pub fn covers(&self, group: &GroupName) -> bool {
        match self {
            Self::None => false,
            Self::Groups(names) => names.contains(group),
            Self::All => true,
        }
    }
}

impl Requested {
    /// Whether there is no request.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The desired fleet with the settings chosen for this run.
    pub fn override_desired<'d>(&self, mut desired: Cow<'d, Desired>) -> Cow<'d, Desired> {
        if let Some(timeout_s) = self.release_command_timeout_s
            && desired.rollout.release_command.is_some()
            && let Some(command) = &mut desired.to_mut().rollout.release_command
        {
            command.timeout_s = Some(timeout_s).filter(|seconds| *seconds > 0);
        }
        if self.strategy.is_none()
            && self.max_unavailable.is_none()
            && self.wait_timeout_s.is_none()
            && self.canary_soak_ms.is_none()
        {
            return desired;
        }
        for group in desired.to_mut().groups.values_mut() {
            self.override_group(group);
        }
        desired
    }

    fn override_group(&self, group: &mut DesiredGroup) {
        if let Some(seconds) = self.wait_timeout_s {
            group.wait_timeout_s = seconds;
        }
        if let Some(limit) = self.max_unavailable {
            let max_unavailable = limit.into();
            group.max_unavailable = max_unavailable;
            if let Strategy::Rolling { .. } = group.strategy {
                group.strategy = Strategy::Rolling { max_unavailable };
            }
        }
        if let Some(chosen) = self.strategy {
            choose_strategy(group, chosen);
        }
        if let (Some(Trial::Canary { soak_ms }), Some(chosen)) =
            (&mut group.trial, self.canary_soak_ms)
        {
            *soak_ms = chosen;
        }
    }
    /// The request for this Machine.
    pub(super) fn for_machine(&self, member: &Member<'_>) -> MachineRequest {
        if self.replace.iter().any(|id| member.has_id_or_name(id)) {
            return MachineRequest::Replace;
        }
        let may_run = member.state().is_none_or(is_running_or_starting);
        if self.restart.covers(&member.group) && may_run && member.host_ok() {
            MachineRequest::Restart
        } else {
            MachineRequest::Nothing
        }
    }

    /// Makes the new Machine start from the config of the cloned one.
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

    /// Refuses requests for Machines or groups that do not exist.
    pub(super) fn refusals(&self, desired: &Desired, fleet: &Fleet<'_>) -> Vec<Note> {
        let matches_none = |id: &&MachineId| {
            let mut members = fleet.members.values().flatten();
            !members.any(|member| member.has_id_or_name(id))
        };
        let unknown: Vec<&MachineId> = self.replace.iter().filter(matches_none).collect();
        let mut found = Vec::new();
        if !unknown.is_empty() {
            let folder = folder_of(fleet, &unknown);
            let message = format!(
                "cannot replace {}: no group of the app has it{folder}",
                notes::format_ids(unknown)
            );
            let refusal = note(codes::REPLACES_NOBODY, message);
            found.push(refusal.with_hint("`aeroform machine list` lists all Machines"));
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

    /// A Machine that must stay up for longer than it is waited for would never pass.
    fn refuse_long_steady(&self, desired: &Desired) -> Option<Note> {
        let window = |group: &DesiredGroup| {
            let steady_ms = self.steady_ms.or(group.steady_ms)?;
            let most = group.wait_timeout_s.saturating_mul(1000);
            let waits = group.strategy != Strategy::Immediate;
            (waits && steady_ms > 0 && steady_ms >= most).then_some(steady_ms)
        };
        let mut groups = desired.groups.iter();
        let (name, group, steady_ms) =
            groups.find_map(|(name, group)| Some((name, group, window(group)?)))?;
        let steady = if self.steady_ms.is_some() {
            "`--steady`"
        } else {
            "`steady`"
        };
        let wait = if self.wait_timeout_s.is_some() {
            "`--wait-timeout`"
        } else {
            "`wait_timeout`"
        };
        let message = format!(
            "group `{name}`: {steady} is {:?}, but {wait} is only {}s",
            Duration::from_millis(steady_ms),
            group.wait_timeout_s
        );
        Some(
            note(codes::STEADY_TOO_LONG, message)
                .for_group(name)
                .with_hint(format!("shorten {steady}, or raise {wait}")),
        )
    }

    /// Notes about Machines that are not restarted.
    pub(super) fn restart_notes(
        &self,
        decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    ) -> Vec<Note> {
        let mut found = Vec::new();
        for (name, decision) in decisions {
            if decision.desired.is_none() || !self.restart.covers(name) {
                continue;
            }
            let removed_ids = decision.removed.iter().map(|removed| removed.member.id);
            let changes = decision.config_changes().map(|(member, _)| member.id);
            let touched: BTreeSet<&MachineId> = removed_ids.chain(changes).collect();
            let members = decision.members.iter();
            let resting =
                members.filter(|m| !touched.contains(m.id) && self.filter_of(m).is_none());
            let resting = resting.count();
            if resting > 0 {
                let rest = match resting {
                    1 => "is not running and will not be restarted",
                    _ => "are not running and will not be restarted",
                };
                let message = format!("group `{name}`: {} {rest}", format_machine_count(resting));
                found.push(note(codes::LEFT_AT_REST, message).for_group(name));
            }
        }
        found
    }
}

fn choose_strategy(group: &mut DesiredGroup, chosen: ChosenStrategy) {
    let rolling = Strategy::Rolling {
        max_unavailable: group.max_unavailable,
    };
    (group.strategy, group.trial) = match (chosen, group.trial) {
        (ChosenStrategy::Rolling, _) => (rolling, None),
        (ChosenStrategy::Immediate, _) => (Strategy::Immediate, None),
        (ChosenStrategy::Canary, written @ Some(Trial::Canary { .. })) => (rolling, written),
        (ChosenStrategy::Canary, _) => (rolling, Some(Trial::Canary { soak_ms: 0 })),
        (ChosenStrategy::Bluegreen, _) => (rolling, Some(Trial::Bluegreen)),
    };
}

/// The request for one Machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MachineRequest {
    Nothing,
    Replace,
    Restart,
}

/// A starting Machine counts as running.
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
/// The project folders of those Machines that belong to other projects.
pub(super) fn folder_of(fleet: &Fleet<'_>, ids: &[&MachineId]) -> String {
    let others = fleet.others.iter().filter(|other| {
        let mut ids = ids.iter();
        ids.any(|id| **id == other.id || id.as_str() == other.name.as_str())
    });
    let texts = others.map(|other| {
        let folder = other.project.as_deref().unwrap_or_default();
        format!("; {} belongs to the project in `{folder}`", other.id)
    });
    texts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fleet::OnceCommand;
    use crate::core::manifest::{Overrides, SourceFile, load};

    #[test]
    fn the_timeout_of_the_command_line_beats_that_of_fly_toml() {
        let bytes =
            b"app = \"a\"\n[deploy]\nrelease_command = \"r\"\nrelease_command_timeout = \"9m\"\n";
        let path = "fly.toml";
        let overrides = Overrides {
            provider: Some("fly".to_owned()),
            ..Overrides::default()
        };
        let loaded = load(SourceFile { path, bytes }, None, &overrides);
        let desired = loaded.desired.unwrap();
        let timeout = |chosen: Option<u64>| {
            let requested = Requested {
                release_command_timeout_s: chosen,
                ..Requested::default()
            };
            let desired = requested.override_desired(Cow::Borrowed(&desired));
            let command: &OnceCommand = desired.rollout.release_command.as_ref().unwrap();
            command.timeout_s
        };
        assert_eq!(timeout(None), Some(540));
        assert_eq!(timeout(Some(7)), Some(7));
        assert_eq!(timeout(Some(0)), None);
    }
}
