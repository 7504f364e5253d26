//! Canaries: the extra Machine of each group with `strategy = "canary"` that tries a new config, and those that earlier
//! runs have left.
//!
//! Decides which groups have one, where, and which Machines are removed; [`super::order`] puts them before everything
//! else of these groups. A canary counts for no group and is never in the state.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::codes;
use super::decision::{GroupDecision, RemovedMachine};
use super::fields::{CompareContext, ConfigComparer};
use super::gates::gate;
use super::launch_allocator::LaunchAllocator;
use super::members::{Fleet, Member};
use super::notes::note;
use super::options::{Options, PlanMode};
use super::rollout::format_groups;
use super::swap_checks::{changes_running, is_running};
use super::types::{Action, Change, MachineRef, Note, Removal};
use crate::core::fleet::{DesiredGroup, GroupName, Region, Trial};

/// The canaries of a plan.
#[derive(Debug, Default)]
pub(super) struct Canaries<'a> {
    /// One for each group.
    pub(super) steps: Vec<Change>,
    /// Those of earlier runs, by group.
    pub(super) left: BTreeMap<GroupName, Vec<RemovedMachine<'a>>>,
}

/// How long the canary of this group stays after its gate; none if it has none: the strategy is another, or no
/// [running Machine changes](changes_running).
pub(super) fn soak_ms(decision: &GroupDecision<'_>) -> Option<u64> {
    let Some(Trial::Canary { soak_ms }) = decision.desired?.trial else {
        return None;
    };
    changes_running(decision).then_some(soak_ms)
}

/// Refuses a canary of Machines with mounts: it would need volumes of its own.
pub(super) fn refusals(decisions: &BTreeMap<GroupName, GroupDecision<'_>>) -> Option<Note> {
    let groups = decisions.iter().filter(|(_, decision)| {
        let mounts = |group: &DesiredGroup| group.template.has_mounts();
        soak_ms(decision).is_some() && decision.desired.is_some_and(mounts)
    });
    let groups: Vec<&GroupName> = groups.map(|(name, _)| name).collect();
    if groups.is_empty() {
        return None;
    }
    let message = format!(
        "{} cannot be updated with the strategy `canary`: its Machines have mounts, and a canary would need another \
         volume",
        format_groups(&groups)
    );
    Some(
        note(codes::CANARY_NEEDS_VOLUME, message)
            .with_hint("use `--strategy rolling` or `--strategy immediate`"),
    )
}

/// Warns of `--canary-soak` if no group has the strategy.
pub(super) fn soak_warning(
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    options: &Options,
) -> Option<Note> {
    options.requested.canary_soak_ms?;
    let mut groups = decisions.values().filter_map(|decision| decision.desired);
    let is_canary = |group: &DesiredGroup| matches!(group.trial, Some(Trial::Canary { .. }));
    (!groups.any(is_canary)).then(|| {
        note(
            codes::SOAK_WITHOUT_CANARY,
            "`--canary-soak` has no effect: no group has the strategy `canary`",
        )
        .with_hint("`--strategy canary` gives every group one for this run")
    })
}

/// What the canaries of a plan depend on.
pub(super) struct CanaryPlanner<'p, 'a> {
    pub(super) decisions: &'p BTreeMap<GroupName, GroupDecision<'a>>,
    pub(super) fleet: &'p Fleet<'a>,
    pub(super) primary_region: Option<&'p Region>,
    pub(super) context: CompareContext<'a>,
    pub(super) options: &'p Options,
}

impl<'a> CanaryPlanner<'_, 'a> {
    /// The new canaries, and those to remove. One of an earlier run from the same state is used again.
    pub(super) fn plan(&self, allocator: &mut LaunchAllocator<'_>) -> Canaries<'a> {
        let steps: Vec<Change> = match self.options.mode {
            PlanMode::Normal => self.steps(allocator),
            PlanMode::RefreshOnly | PlanMode::Destroy => Vec::new(),
        };
        let is_used = |member: &Member<'_>| {
            let mut names = steps.iter().map(|change| &change.machine.name);
            names.any(|name| name == member.name)
        };
        let mut left: BTreeMap<GroupName, Vec<RemovedMachine<'a>>> = BTreeMap::new();
        if self.options.mode != PlanMode::RefreshOnly {
            let mut fields = ConfigComparer::of(None, self.context);
            for member in &self.fleet.canaries {
                if !is_used(member) && self.options.requested.filter_of(member).is_none() {
                    let removed = removed_canary(member, &mut fields);
                    left.entry(member.group.clone()).or_default().push(removed);
                }
            }
        }
        Canaries { steps, left }
    }

    fn steps(&self, allocator: &mut LaunchAllocator<'_>) -> Vec<Change> {
        let mut steps = Vec::new();
        for (name, decision) in self.decisions {
            let (Some(soak_ms), Some(group)) = (soak_ms(decision), decision.desired) else {
                continue;
            };
            let Some(region) = self.region(decision) else {
                continue;
            };
            if group.template.has_mounts() || decision.refusal.is_some() {
                continue;
            }
            let new = allocator.allocate_canary(name, region);
            steps.push(Change {
                group: name.clone(),
                region: region.clone(),
                machine: MachineRef {
                    id: None,
                    name: new.name,
                },
                action: Action::Canary {
                    launch: new.launch,
                    port: new.port,
                    soak_ms,
                    inherits: Box::new(decision.inherits.clone()),
                },
                gate: gate(group),
                reason: "it tries the new config before the others change".to_owned(),
                changes: Vec::new(),
                precondition: None,
                wake: None,
                branches: Vec::new(),
                state: None,
                reverts: None,
                standby: false,
            });
        }
        steps
    }

    /// The primary region if the group runs there, else the region in which most of its Machines do.
    fn region<'d>(&self, decision: &'d GroupDecision<'a>) -> Option<&'d Region> {
        let requested = &self.options.requested;
        let runs = decision.members.iter().filter(|member| {
            let covered = requested
                .left_out_by(&member.group, member.region, Some(*member))
                .is_none();
            covered && !member.is_standby() && is_running(member)
        });
        let mut regions: BTreeMap<&Region, usize> = BTreeMap::new();
        for member in runs {
            *regions.entry(member.region).or_default() += 1;
        }
        let primary = regions
            .keys()
            .find(|region| self.primary_region == Some(**region));
        let most = || {
            let regions = regions.iter();
            regions.min_by_key(|(_, running)| Reverse(**running))
        };
        primary
            .copied()
            .or_else(|| most().map(|(region, _)| *region))
    }
}

fn removed_canary<'a>(member: &Member<'a>, fields: &mut ConfigComparer<'a>) -> RemovedMachine<'a> {
    RemovedMachine {
        removal: Removal::Canary,
        reason: "left over from an earlier run".to_owned(),
        left_volumes: member.volumes().to_vec(),
        precondition: fields.precondition(member),
        member: member.clone(),
    }
}
