//! Whether a plan needs the release command, and why (rule 28).
//!
//! Reads the decisions about each group; [`super::once`] makes the step.

use std::collections::{BTreeMap, BTreeSet};

use super::decision::GroupDecision;
use super::fields::{CompareContext, ConfigComparer};
use super::members::Member;
use super::releases;
use super::rollout::format_groups;
use crate::core::fleet::{FieldChange, GroupName, Known, Lineage, StoredConfig, diff, overlay};

/// The parts of a decided plan on which the release command depends.
pub(super) struct ReleaseNeed<'p, 'a> {
    pub(super) known: &'p Known,
    pub(super) decisions: &'p BTreeMap<GroupName, GroupDecision<'a>>,
    pub(super) lineage: &'a Lineage,
}

/// Why a group needs the release command.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    /// The group is new.
    New,
    /// These parts of its config change.
    Changes(BTreeSet<&'static str>),
}

impl<'a> ReleaseNeed<'_, 'a> {
    /// Why the release command has to run before this plan; none if it does not.
    pub(super) fn reason(&self) -> Option<String> {
        let mut groups: BTreeMap<Reason, Vec<&GroupName>> = BTreeMap::new();
        for (name, decision) in self.decisions {
            if let Some(need) = self.group_reason(name, decision) {
                groups.entry(need).or_default().push(name);
            }
        }
        let why: Vec<String> = groups
            .into_iter()
            .map(|(need, names)| {
                let (of, many) = (format_groups(&names), names.len() > 1);
                match need {
                    Reason::New => {
                        format!("{of} {} new", if many { "are" } else { "is" })
                    }
                    Reason::Changes(parts) => {
                        let change = if parts.len() > 1 { "change" } else { "changes" };
                        let parts: Vec<&str> = parts.into_iter().collect();
                        format!("{} of {of} {change}", parts.join(", "))
                    }
                }
            })
            .collect();
        (!why.is_empty()).then(|| why.join("; "))
    }

    fn group_reason(&self, name: &GroupName, decision: &GroupDecision<'a>) -> Option<Reason> {
        decision.desired?;
        if releases::is_new(name, decision, self.known) {
            return Some(Reason::New);
        }
        // If all Machines come from another group, only the new group's own config says what is new.
        let settled = |member: &Member<'_>| member.moved_from.is_none();
        let joins = decision.members.iter().any(settled);
        let changed = decision.config_changes();
        let changed = changed.filter(|(member, _)| !joins || settled(member));
        let mut parts: BTreeSet<_> = changed.flat_map(|(_, c)| changed_parts(c)).collect();
        let comes = !decision.creates.is_empty() || !decision.standbys.is_empty();
        if parts.is_empty() && comes {
            parts = self.new_for_creates(name, decision);
        }
        (!parts.is_empty()).then_some(Reason::Changes(parts))
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
