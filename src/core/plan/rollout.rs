//! What `fly deploy` does and this version cannot: the release command and the strategies `canary` and
//! `bluegreen`. A plan that needs one is refused unless a flag says to continue without it (rule 28).
//!
//! Decides only whether one is needed, from the decisions about each group.

use std::collections::{BTreeMap, BTreeSet};

use super::codes;
use super::command_modes::ReleaseCommandMode;
use super::decision::GroupDecision;
use super::fields::{CompareContext, ConfigComparer};
use super::members::Member;
use super::notes::{Remarks, note};
use super::releases;
use super::summary::changes;
use super::types::{Action, Change, Note, Step};
use crate::core::fleet::{
    Desired, FieldChange, GroupName, Known, Lineage, MachineState, OnceCommand, StoredConfig,
    UnsupportedStrategy, diff, overlay,
};

/// The most groups named in one sentence.
const MAX_NAMED_GROUPS: usize = 8;

/// Refuses a plan that needs an unsupported feature, or warns that it is skipped.
pub(super) fn check_rollout<'a>(
    steps: &[Step],
    desired: &Desired,
    known: &Known,
    decisions: &BTreeMap<GroupName, GroupDecision<'a>>,
    (lineage, release_command): (&'a Lineage, ReleaseCommandMode),
) -> Remarks {
    let rollout = RolloutCheck {
        desired,
        known,
        decisions,
        lineage,
        release_command,
    };
    if let Some(held) = rollout.held() {
        let mut refusals = rollout.unsupported_strategies();
        refusals.extend(refuse_missing_containers(steps, desired));
        return Remarks {
            refusals,
            notes: held,
            ..Remarks::default()
        };
    }
    let mut refusals = rollout.refusals();
    refusals.extend(refuse_missing_containers(steps, desired));
    Remarks {
        refusals,
        warnings: Vec::from_iter(rollout.warnings()),
        ..Remarks::default()
    }
}

/// Refuses to create Machines from nothing if a compose file defines containers.
fn refuse_missing_containers(steps: &[Step], desired: &Desired) -> Option<Note> {
    let location = desired.rollout.compose.as_ref()?;
    if !desired.profile().runs_images {
        return None;
    }
    let from_nothing = |change: &Change| {
        matches!(change.action, Action::Create { .. }) && change.config_source().is_none()
    };
    let changes = changes(steps).map(|(_, change)| change);
    let groups: BTreeSet<&GroupName> = changes
        .filter(|change| from_nothing(change))
        .map(|change| &change.group)
        .collect();
    if groups.is_empty() {
        return None;
    }
    let groups: Vec<&GroupName> = groups.into_iter().collect();
    let message = format!(
        "new Machines of {} would not have the containers of the compose file ({location}): this version does \
         not read it",
        format_groups(&groups)
    );
    let hint = "write the containers as `machine_config`, or remove `[build.compose]`";
    Some(note(codes::COMPOSE_NEEDED, message).with_hint(hint))
}

/// The parts of a decided plan on which the release command and the strategies depend.
struct RolloutCheck<'p, 'a> {
    desired: &'p Desired,
    known: &'p Known,
    decisions: &'p BTreeMap<GroupName, GroupDecision<'a>>,
    lineage: &'a Lineage,
    release_command: ReleaseCommandMode,
}

/// Why a group needs the release command.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ReleaseCommandReason {
    /// The group is new.
    New,
    /// These parts of its config change.
    Changes(BTreeSet<&'static str>),
}

impl<'a> RolloutCheck<'_, 'a> {
    fn refusals(&self) -> Vec<Note> {
        let mut found = Vec::new();
        if self.release_command != ReleaseCommandMode::Never
            && let Some((command, why)) = self.required_release_command()
        {
            let message = format!(
                "the release command ({}) has to run before this plan, and this version cannot run it: {why}",
                command.location
            );
            found.push(
                note(codes::RELEASE_COMMAND_NEEDED, message)
                    .with_hint("run it by hand, then plan again with `--release-command=never`"),
            );
        }
        found.extend(self.unsupported_strategies());
        found
    }

    /// Under `[hold]` no release command runs: what the plan says instead.
    fn held(&self) -> Option<Vec<Note>> {
        self.desired.hold.as_ref()?;
        let note = self.required_release_command().map(|(command, why)| {
            let message = format!(
                "the release command ({}) does not run: [hold] goes back to a release: {why}",
                command.location
            );
            note(codes::RELEASE_COMMAND_HELD, message)
        });
        Some(note.into_iter().collect())
    }

    fn warnings(&self) -> Option<Note> {
        if self.release_command != ReleaseCommandMode::Never {
            return None;
        }
        let (command, why) = self.required_release_command()?;
        let message = format!(
            "the release command ({}) is skipped (`--release-command=never`): {why}",
            command.location
        );
        Some(note(codes::RELEASE_COMMAND_SKIPPED, message))
    }

    /// The release command, and why it has to run before this plan.
    fn required_release_command(&self) -> Option<(&OnceCommand, String)> {
        let command = self.desired.rollout.release_command.as_ref()?;
        let mut groups: BTreeMap<ReleaseCommandReason, Vec<&GroupName>> = BTreeMap::new();
        for (name, decision) in self.decisions {
            if let Some(need) = self.release_command_reason(name, decision) {
                groups.entry(need).or_default().push(name);
            }
        }
        let why: Vec<String> = groups
            .into_iter()
            .map(|(need, names)| {
                let (of, many) = (format_groups(&names), names.len() > 1);
                match need {
                    ReleaseCommandReason::New => {
                        format!("{of} {} new", if many { "are" } else { "is" })
                    }
                    ReleaseCommandReason::Changes(parts) => {
                        let change = if parts.len() > 1 { "change" } else { "changes" };
                        let parts: Vec<&str> = parts.into_iter().collect();
                        format!("{} of {of} {change}", parts.join(", "))
                    }
                }
            })
            .collect();
        (!why.is_empty()).then(|| (&**command, why.join("; ")))
    }

    fn release_command_reason(
        &self,
        name: &GroupName,
        decision: &GroupDecision<'a>,
    ) -> Option<ReleaseCommandReason> {
        decision.desired?;
        if releases::is_new(name, decision, self.known) {
            return Some(ReleaseCommandReason::New);
        }
        // If all Machines come from another group, only the new group's own config says what is new.
        let settled = |member: &Member<'_>| member.moved_from.is_none();
        let joins = decision.members.iter().any(settled);
        let changed = decision.changed.iter();
        let changed = changed.filter(|changed| !joins || settled(&changed.member));
        let mut parts: BTreeSet<_> = changed.flat_map(|c| changed_parts(&c.changes)).collect();
        let comes = !decision.creates.is_empty() || !decision.standbys.is_empty();
        if parts.is_empty() && comes {
            parts = self.new_for_creates(name, decision);
        }
        (!parts.is_empty()).then_some(ReleaseCommandReason::Changes(parts))
    }

    /// What is new in Machines that are created although no Machine of their group is updated; empty if an
    /// existing Machine already has it.
    fn new_for_creates(
        &self,
        name: &GroupName,
        decision: &GroupDecision<'a>,
    ) -> BTreeSet<&'static str> {
        let Some(desired_group) = decision.desired else {
            return BTreeSet::new();
        };
        if decision.members.is_empty() {
            let template = StoredConfig::from_config(&desired_group.template, self.lineage);
            let Some(before) = self.last_config(name) else {
                return BTreeSet::new();
            };
            let after = overlay::stored_config_for(&template, before, before);
            return changed_parts(&diff::diff_stored(before.tree(), &after)).collect();
        }
        let context = CompareContext::of(self.known, self.lineage);
        let mut fields = ConfigComparer::of(Some(desired_group), context);
        let mut found = BTreeSet::new();
        for member in &decision.members {
            let parts: BTreeSet<_> = changed_parts(&fields.compare(member).changes).collect();
            if parts.is_empty() {
                return parts;
            }
            found.extend(parts);
        }
        found
    }

    /// The last config of a group without Machines.
    fn last_config(&self, name: &GroupName) -> Option<&StoredConfig> {
        let mut machines = self.known.machines.values();
        let vanished = machines.find(|machine| machine.group == *name);
        let released = || {
            let mut releases = releases::complete_releases(self.known);
            releases.find_map(|release| Some(&release.groups.get(name)?.config))
        };
        let config = vanished.map(|machine| &machine.config).or_else(released)?;
        self.known.configs.get(config)
    }

    fn unsupported_strategies(&self) -> Vec<Note> {
        let mut groups: BTreeMap<UnsupportedStrategy, Vec<&GroupName>> = BTreeMap::new();
        for (name, decision) in self.decisions {
            let strategy = decision
                .desired
                .and_then(|group| group.unsupported_strategy);
            let mut changed = decision.changed.iter().map(|changed| &changed.member);
            if let Some(strategy) = strategy
                && changed.any(is_running)
            {
                groups.entry(strategy).or_default().push(name);
            }
        }
        let refusal = |(strategy, names): (UnsupportedStrategy, Vec<&GroupName>)| {
            let message = format!(
                "{} would be updated with the strategy `{}`, which this version does not support",
                format_groups(&names),
                strategy.as_str()
            );
            note(codes::STRATEGY_UNSUPPORTED, message).with_hint(
                "`--strategy rolling` updates a few Machines at a time in this plan; \
                 `strategy = \"rolling\"` in fly.toml makes it permanent",
            )
        };
        groups.into_iter().map(refusal).collect()
    }
}

/// The changed parts for which a release command prepares.
fn changed_parts(changes: &[FieldChange]) -> impl Iterator<Item = &'static str> {
    changes.iter().filter_map(|change| {
        let path: Vec<&str> = change.path.iter().map(String::as_str).collect();
        match path.as_slice() {
            // The group of a Machine does not matter to its program.
            ["env", "FLY_PROCESS_GROUP"] => None,
            ["image"] => Some("the image"),
            ["env", ..] => Some("env"),
            ["files", ..] => Some("files"),
            ["init"] | ["init", "cmd" | "entrypoint" | "exec", ..] => Some("the command"),
            ["containers", ..] => Some("containers"),
            ["processes", ..] => Some("processes"),
            _ => None,
        }
    })
}

/// Offline a Machine counts as running.
fn is_running(member: &Member<'_>) -> bool {
    match member.state() {
        None
        | Some(
            MachineState::Started
            | MachineState::Starting
            | MachineState::Replacing
            | MachineState::Unknown,
        ) => true,
        Some(
            MachineState::Created
            | MachineState::Stopping
            | MachineState::Stopped
            | MachineState::Suspending
            | MachineState::Suspended
            | MachineState::Failed
            | MachineState::Destroying
            | MachineState::Destroyed,
        ) => false,
    }
}

/// `group `web``, ``groups `web` and `worker```.
pub(super) fn format_groups(names: &[&GroupName]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(MAX_NAMED_GROUPS)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = names.len().saturating_sub(MAX_NAMED_GROUPS);
    let s = if names.len() == 1 { "" } else { "s" };
    if more > 0 {
        return format!("group{s} {} and {more} more", shown.join(", "));
    }
    match shown.split_last() {
        Some((last, rest)) if !rest.is_empty() => {
            format!("groups {} and {last}", rest.join(", "))
        }
        _ => format!("group{s} {}", shown.concat()),
    }
}
