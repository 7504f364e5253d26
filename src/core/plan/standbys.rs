//! Standbys of a group: which are kept, re-pointed, replaced, created or removed, after its primaries are
//! decided.

use std::collections::{BTreeMap, BTreeSet};

use super::decision::{ChangeMethod, ChangeRole, ChangedMachine, GroupDecision};
use super::fields::ConfigComparer;
use super::members::Member;
use super::reconcile::{GroupReconciler, removed_machine, to_count};
use super::types::Removal;
use super::unreadable;
use crate::core::fleet::Region;

impl<'a> GroupReconciler<'_, 'a> {
    /// With a written number of standbys each watches all primaries. Otherwise one is re-pointed if a Machine
    /// that it watches is replaced, or if none of them stays.
    fn must_repoint(&self, member: &Member<'a>, decision: &GroupDecision<'a>) -> bool {
        let watches: BTreeSet<_> = member.standby_for().iter().collect();
        let stay: BTreeSet<_> = decision.primaries.iter().map(|p| p.id).collect();
        let replaced = |c: &ChangedMachine<'_>| {
            matches!(
                c.method,
                ChangeMethod::Replace | ChangeMethod::ReplaceOldFirst
            ) && watches.contains(c.member.id)
        };
        let lost = if self.desired_group.standby.is_some() {
            watches != stay || !decision.creates.is_empty()
        } else {
            !watches.iter().any(|id| stay.contains(*id))
        };
        lost || decision.changed.iter().any(replaced)
    }

    pub(super) fn needs_its_volume(&self, member: &Member<'_>) -> bool {
        let mounts = self.desired_group.template.mounts.iter().flatten();
        let has = |name: &Option<String>| {
            let mounts = member
                .observed
                .and_then(|seen| seen.config.as_deref())
                .and_then(|c| c.mounts.as_ref());
            mounts
                .into_iter()
                .flatten()
                .any(|mount| mount.name.is_none() || mount.name == *name)
        };
        !member.volumes().is_empty() && mounts.into_iter().any(|mount| has(&mount.name))
    }

    /// Decides the standbys, after the primaries.
    pub(super) fn reconcile_standbys(
        &self,
        mut standbys: Vec<Member<'a>>,
        target: u32,
        per_region: &BTreeMap<Region, u32>,
        fields: &mut ConfigComparer<'a>,
        decision: &mut GroupDecision<'a>,
    ) {
        // Of too many, those created late go first, then cordoned ones and those added outside: another
        // tool's incomplete release leaves such copies.
        standbys.sort_by_key(|member| {
            let is_cordoned = member.observed.is_some_and(|seen| seen.cordoned);
            (
                member.is_late_create(),
                is_cordoned,
                member.is_adopted(),
                member.id,
            )
        });
        let (named, mut standbys): (Vec<_>, Vec<_>) = standbys
            .into_iter()
            .partition(|member| self.is_marked_removed(member));
        for member in &named {
            let why = "listed in `[[removed]]`";
            decision
                .removed
                .push(removed_machine(member, Removal::Named, why, fields));
        }
        let extra = standbys.split_off(standbys.len().min(target as usize));
        for member in &extra {
            decision.removed.push(removed_machine(
                member,
                Removal::CountLowered,
                "too many standbys",
                fields,
            ));
        }
        for member in &standbys {
            let repoint = self.must_repoint(member, decision);
            let before = decision.changed.len();
            self.decide_change(member, fields, decision);
            if repoint && decision.changed.len() == before && !member.host_ok() {
                unreadable::change_unreadable(self.name, member, &[], fields, decision);
            } else if repoint && decision.changed.len() == before {
                decision.changed.push(ChangedMachine {
                    method: ChangeMethod::Update,
                    changes: Vec::new(),
                    reason: "the Machines it watches change".to_owned(),
                    precondition: fields.precondition(member),
                    member: member.clone(),
                    role: ChangeRole::Repointed,
                });
            }
            if decision.changed.len() == before && member.host_ok() {
                decision.watchers.push(fields.precondition(member));
            }
            for changed in &mut decision.changed[before..] {
                changed.role = if repoint {
                    ChangeRole::Repointed
                } else {
                    ChangeRole::Standby
                };
            }
        }
        let region = per_region
            .iter()
            .max_by_key(|(region, n)| (**n, std::cmp::Reverse(*region)))
            .map(|(region, _)| region.clone())
            .or_else(|| self.default_region());
        if let Some(region) = region {
            for _ in to_count(standbys.len())..target {
                decision.standbys.push(region.clone());
            }
        }
    }
}
