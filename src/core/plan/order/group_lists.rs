//! `groups_order`: which groups change before which.
//!
//! Updates, moves, replacements and the creates of new groups follow it; creates of groups that exist do not wait.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::fleet::{Desired, DesiredGroup, GroupName, GroupsOrder};
use crate::core::plan::codes;
use crate::core::plan::decision::GroupDecision;
use crate::core::plan::members::Member;
use crate::core::plan::notes::note;
use crate::core::plan::types::Note;

/// A group that stays.
pub(super) type Group<'n, 'a> = (&'n GroupName, &'n DesiredGroup, &'n GroupDecision<'a>);

/// The groups that stay, list by list.
pub(super) struct GroupLists<'n, 'a> {
    pub(super) lists: Vec<Vec<Group<'n, 'a>>>,
    /// Groups that Machines leave for another, each with the first list that one goes to.
    left: BTreeMap<&'n GroupName, usize>,
}

impl<'n, 'a> GroupLists<'n, 'a> {
    pub(super) fn of(
        decisions: &'n BTreeMap<GroupName, GroupDecision<'a>>,
        order: Option<&GroupsOrder>,
    ) -> Self {
        let position = |name: &GroupName| order.map_or(0, |order| order.position(name));
        let count = order.map_or(1, |order| order.lists.len().max(1));
        let mut lists: Vec<Vec<Group<'n, 'a>>> = (0..count).map(|_| Vec::new()).collect();
        let mut left: BTreeMap<&GroupName, usize> = BTreeMap::new();
        for (name, decision) in decisions {
            for member in &decision.members {
                if let Some(from) = &member.leaves_group {
                    let first = left.entry(from).or_insert(usize::MAX);
                    *first = (*first).min(position(name));
                }
            }
            if let Some(group) = decision.desired {
                lists[position(name)].push((name, group, decision));
            }
        }
        Self { lists, left }
    }

    /// Whether Machines leave this group for another: their moves wait for its creates.
    pub(super) fn is_left(&self, name: &GroupName) -> bool {
        self.left.contains_key(name)
    }

    /// Groups that Machines leave, and whose creates do not wait for their list.
    pub(super) fn created_first(&self) -> Vec<Group<'n, 'a>> {
        let mut found = Vec::new();
        for (at, list) in self.lists.iter().enumerate() {
            for group in list {
                let first = self.left.get(group.0);
                if first.is_some_and(|first| !group.2.is_new() || *first < at) {
                    found.push(*group);
                }
            }
        }
        found
    }
}

/// Refuses an order in which a Machine would move before its replacement may be created.
pub(in crate::core::plan) fn order_conflicts(
    desired: &Desired,
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
) -> Vec<Note> {
    let Some(order) = &desired.rollout.groups_order else {
        return Vec::new();
    };
    let mut pairs: BTreeSet<(&GroupName, &GroupName)> = BTreeSet::new();
    for (name, decision) in decisions {
        for from in decision.members.iter().filter_map(left_group) {
            let waits = decisions
                .get(from)
                .is_some_and(|left| left.is_new() && !left.creates.is_empty());
            if waits && order.position(from) > order.position(name) {
                pairs.insert((from, name));
            }
        }
    }
    let conflict = |(from, to): (&GroupName, &GroupName)| {
        let moved = desired.moved_machines.iter().find(|moved| moved.to == *to);
        let place = moved.map_or("`[[moved]]`", |moved| moved.location.as_str());
        let message = format!(
            "a Machine moves from `{from}` to `{to}` ({place}) once `{from}` has a new one, but `groups_order` \
             ({}) lets `{to}` go before `{from}`",
            order.location
        );
        note(codes::GROUPS_ORDER_CONFLICT, message)
            .with_hint("put both groups in one list, or the first before the second")
    };
    pairs.into_iter().map(conflict).collect()
}

fn left_group<'m>(member: &'m Member<'_>) -> Option<&'m GroupName> {
    member.leaves_group.as_ref()
}
