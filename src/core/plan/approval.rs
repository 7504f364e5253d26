//! The approval that a plan needs, as data, and whether flags give it.
//!
//! The ui only asks. No approval overrides a refusal of the guards.

use std::collections::{BTreeMap, BTreeSet};

use super::notes::format_machine_count;
use super::options::PlanMode;
use super::provenance::{Provenance, ProvenanceSource};
use super::summary::Revert;
use super::types::{Action, GroupVerdict, Plan, Removal};
use crate::core::fleet::quoting::shell_word;
use crate::core::fleet::{GroupName, RunId};

/// The required approval.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequiredApproval {
    /// Whether the plan needs a confirmation (y/N).
    pub confirm: bool,
    /// Releases of others that are reverted: their numbers must be typed, and `-y` alone does not approve them.
    pub reverts: Vec<Revert>,
    /// Names that must be typed.
    pub typed: Vec<TypedConfirmation>,
}

/// A name that must be typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedConfirmation {
    /// The name to type.
    pub name: String,
    /// The group; none for the app's name.
    pub group: Option<GroupName>,
    /// How many Machines are destroyed.
    pub destroys: u32,
    /// The reason, for people.
    pub why: String,
    /// Machines among them that neither the state nor this host's journal knows: a bare `all` does not cover
    /// these.
    pub outside: u32,
}

/// Approval by flags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one per flag, and any of them may be given"
)]
pub struct ApprovalFlags {
    /// `--auto-approve`: confirms what a terminal would ask with y/N.
    pub auto_approve: bool,
    /// `--allow-destroy=GROUP[:CEILING]`.
    pub groups: BTreeMap<GroupName, Option<u32>>,
    /// `--allow-destroy=all`.
    pub all_groups: bool,
    /// `--allow-revert`.
    pub revert: bool,
    /// `--expect`: a reviewed plan lists everything that this one does. Ceilings of `--allow-destroy` still hold.
    pub reviewed: bool,
}

/// The approval that this plan needs.
pub fn required_approval(plan: &Plan) -> RequiredApproval {
    // A refresh overwrites the record of what was sent, so it is confirmed as well.
    let confirm = plan.calls_provider() || plan.mode == PlanMode::RefreshOnly && !plan.is_empty();
    let adopted = plan.adopted_machines();
    let mut groups: BTreeMap<&GroupName, Losses<'_>> = BTreeMap::new();
    for (_, change) in plan.changes() {
        let Action::Destroy {
            removal,
            left_volumes: leaves,
        } = &change.action
        else {
            continue;
        };
        // A swap replaces all its Machines, adopted ones included, and the others counted for no group.
        if !removal.is_loss() && *removal != Removal::Replaced {
            continue;
        }
        let losses = groups.entry(&change.group).or_default();
        losses.destroys += u32::from(removal.is_loss());
        losses.volumes += leaves.len();
        if let Some(id) = change.machine.id.as_ref().filter(|id| adopted.contains(id)) {
            losses.count_outsider(plan.provenance.get(id));
        }
    }
    let emptied: BTreeMap<&GroupName, GroupVerdict> = plan
        .emptied_groups()
        .map(|group| (&group.name, group.verdict))
        .collect();
    let destroys = plan.summary().destroy;
    let app = (plan.mode == PlanMode::Destroy && destroys > 0).then(|| TypedConfirmation {
        name: plan.app.as_str().to_owned(),
        group: None,
        destroys: u32::try_from(destroys).unwrap_or(u32::MAX),
        why: format!("destroys the app: {}", format_machine_count(destroys)),
        outside: 0,
    });
    let typed = groups.into_iter().filter_map(|(name, losses)| {
        // The app's name approves all managed Machines, but none that was added outside.
        let (volumes, emptied) = if plan.mode == PlanMode::Destroy {
            (0, None)
        } else {
            (losses.volumes, emptied.get(name))
        };
        let mut why = Vec::new();
        if let Some(verdict) = emptied {
            let destroyed = format_machine_count(losses.destroys as usize);
            why.push(match verdict {
                GroupVerdict::Removed => format!("removes group `{name}` ({destroyed})"),
                GroupVerdict::Added | GroupVerdict::Changed | GroupVerdict::Unchanged => {
                    format!("destroys all Machines of group `{name}` ({destroyed})")
                }
            });
        }
        if volumes > 0 {
            let s = if volumes == 1 { "" } else { "s" };
            why.push(format!(
                "leaves {volumes} volume{s} of group `{name}` behind"
            ));
        }
        why.extend(losses.outsiders.iter().map(|(source, (n, runs))| {
            let what = format_machine_count(*n as usize);
            format!(
                "destroys {what} of group `{name}` {}",
                describe_provenance(*source, runs)
            )
        }));
        (!why.is_empty()).then(|| TypedConfirmation {
            name: name.as_str().to_owned(),
            group: Some(name.clone()),
            destroys: losses.destroys,
            why: why.join("; "),
            outside: losses.outsiders.values().map(|(n, _)| n).sum(),
        })
    });
    RequiredApproval {
        confirm,
        reverts: plan.reverts(),
        typed: app.into_iter().chain(typed).collect(),
    }
}

#[derive(Default)]
struct Losses<'a> {
    destroys: u32,
    volumes: usize,
    /// By provenance; none if added outside Aeroform.
    outsiders: BTreeMap<Option<ProvenanceSource>, (u32, BTreeSet<&'a RunId>)>,
}

impl<'a> Losses<'a> {
    /// Counts a Machine that the state does not list.
    fn count_outsider(&mut self, provenance: Option<&'a Provenance>) {
        let source = provenance.map(|provenance| provenance.source);
        if source == Some(ProvenanceSource::Recorded) {
            return;
        }
        let (n, runs) = self.outsiders.entry(source).or_default();
        *n += 1;
        runs.extend(provenance.map(|provenance| &provenance.run));
    }
}

fn describe_provenance(source: Option<ProvenanceSource>, runs: &BTreeSet<&RunId>) -> String {
    let s = if runs.len() == 1 { "" } else { "s" };
    let runs: Vec<&str> = runs.iter().map(|run| run.as_str()).collect();
    let runs = format!("run{s} {}", runs.join(", "));
    match source {
        None => "added outside Aeroform".to_owned(),
        Some(ProvenanceSource::GivenUp) => {
            format!("created by {runs}, whose call got no answer")
        }
        Some(ProvenanceSource::Recorded | ProvenanceSource::Stamped) => {
            format!("created by {runs}, which the state does not list")
        }
    }
}

impl RequiredApproval {
    /// What the flags leave open. A group over its ceiling stays open.
    #[must_use]
    pub fn not_covered_by(&self, allow: &ApprovalFlags) -> RequiredApproval {
        let answered = |typed: &&TypedConfirmation| match &typed.group {
            None => allow.all_groups || allow.reviewed,
            Some(group) => match allow.groups.get(group) {
                Some(ceiling) => ceiling.is_none_or(|most| typed.destroys <= most),
                None => allow.all_groups && typed.outside == 0 || allow.reviewed,
            },
        };
        let typed: Vec<TypedConfirmation> = self
            .typed
            .iter()
            .filter(|t| !answered(t))
            .cloned()
            .collect();
        RequiredApproval {
            confirm: self.confirm && !allow.auto_approve && !allow.reviewed,
            reverts: if allow.revert || allow.reviewed {
                Vec::new()
            } else {
                self.reverts.clone()
            },
            typed,
        }
    }

    /// The numbers of the reverted releases, each once.
    pub fn reverted_releases(&self) -> BTreeSet<u64> {
        self.reverts.iter().map(|revert| revert.release).collect()
    }

    /// Whether no approval is needed.
    pub fn is_empty(&self) -> bool {
        !self.confirm && self.reverts.is_empty() && self.typed.is_empty()
    }

    /// The flags that approve the rest, as an operator types them.
    pub fn flags(&self) -> String {
        let mut flags = Vec::new();
        if self.confirm {
            flags.push("--auto-approve".to_owned());
        }
        if !self.reverts.is_empty() {
            flags.push("--allow-revert".to_owned());
        }
        if !self.typed.is_empty() {
            let names: Vec<String> = self
                .typed
                .iter()
                .map(|typed| match &typed.group {
                    Some(group) => format!("{group}:{}", typed.destroys),
                    None => "all".to_owned(),
                })
                .collect();
            let flag = format!("--allow-destroy={}", names.join(","));
            flags.push(shell_word(&flag).into_owned());
        }
        flags.join(" ")
    }
}
