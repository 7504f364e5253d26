//! The change of the monthly bill that a plan makes, at Fly's published prices.
//!
//! An estimate or nothing: without one of the prices there is no sum. Running Machines count as always running,
//! and new volumes count. Standbys and traffic do not, and volumes that stay or are left behind do not change
//! the bill.

use std::collections::BTreeMap;

use super::decision::{ChangeRole, ChangedMachine, GroupDecision, RemovedMachine};
use super::members::Member;
use super::summary::changes;
use super::types::{Cost, Step};
use crate::core::fleet::schema::{Guest, Service};
use crate::core::fleet::{Desired, DesiredGroup, GroupName, MachineConfig, MachineState, Region};
use crate::core::platform::PRICES_AS_OF;
use crate::core::platform::prices::{MonthlyPrice, machine_price, volume_price};

/// The estimate; none for a provider without prices, or if a Machine that is created, destroyed or resized has
/// no known price.
pub(super) fn estimate(
    desired: &Desired,
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    steps: &[Step],
) -> Option<Cost> {
    if !desired.profile().has_prices {
        return None;
    }
    let mut sum = CostSum::default();
    for decision in decisions.values() {
        sum.add(decision)?;
    }
    let new = changes(steps).flat_map(|(_, change)| change.new_volumes());
    sum.total.0 += new.map(|new| volume_price(new.size_gb).0).sum::<i128>();
    Some(Cost {
        cents_per_month: sum.total.cents(),
        if_always_running: sum.has_stopping_machines,
        prices_date: PRICES_AS_OF.to_owned(),
    })
}

#[derive(Default)]
struct CostSum {
    total: MonthlyPrice,
    /// Some of the counted Machines do not always run.
    has_stopping_machines: bool,
}

impl CostSum {
    /// None if a price is missing.
    fn add(&mut self, decision: &GroupDecision<'_>) -> Option<()> {
        for removed in &decision.removed {
            self.add_removed(removed)?;
        }
        let Some(group) = decision.desired else {
            return Some(());
        };
        for changed in &decision.changed {
            self.add_changed(group, changed)?;
        }
        self.add_swapped(group, decision)?;
        let new = size_of(group, decision.inherits.guest.as_ref());
        for region in &decision.creates {
            self.count(1, new.as_ref(), region)?;
            self.has_stopping_machines |= stops_by_itself(&group.template);
        }
        Some(())
    }

    fn add_removed(&mut self, removed: &RemovedMachine<'_>) -> Option<()> {
        let member = &removed.member;
        if member.is_standby() {
            return Some(());
        }
        self.count(-1, current_size(member).as_ref(), member.region)?;
        let config = member.observed.and_then(|seen| seen.config.as_deref());
        self.has_stopping_machines |= is_stopped(member) || config.is_some_and(stops_by_itself);
        Some(())
    }

    fn add_changed(&mut self, group: &DesiredGroup, changed: &ChangedMachine<'_>) -> Option<()> {
        let member = &changed.member;
        let (was, is) = (!member.is_standby(), changed.role == ChangeRole::Primary);
        let before = current_size(member);
        let after = size_of(group, before.as_ref());
        let after = after.as_ref();
        if was == is && (!is || same_size(before.as_ref(), after)) {
            return Some(());
        }
        if was {
            self.count(-1, before.as_ref(), member.region)?;
        }
        if is {
            self.count(1, after, member.region)?;
        }
        self.has_stopping_machines |= is_stopped(member) || stops_by_itself(&group.template);
        Some(())
    }

    /// A green has the region of its blue.
    fn add_swapped(&mut self, group: &DesiredGroup, decision: &GroupDecision<'_>) -> Option<()> {
        for green in decision.swap.iter().flat_map(|swap| &swap.greens) {
            let mut members = decision.members.iter();
            let Some(blue) = members.find(|member| *member.id == green.blue) else {
                continue;
            };
            let before = current_size(blue);
            let after = size_of(group, before.as_ref());
            if same_size(before.as_ref(), after.as_ref()) {
                continue;
            }
            self.count(-1, before.as_ref(), blue.region)?;
            self.count(1, after.as_ref(), &green.region)?;
            self.has_stopping_machines |= is_stopped(blue) || stops_by_itself(&group.template);
        }
        Some(())
    }

    fn count(&mut self, times: i128, guest: Option<&Guest>, region: &Region) -> Option<()> {
        self.total.0 += times * machine_price(guest?, region)?.0;
        Some(())
    }
}

/// The size of a Machine of the group: the written size, else the given one, on the written host.
pub(super) fn size_of(group: &DesiredGroup, given: Option<&Guest>) -> Option<Guest> {
    let size = group.template.explicit_size().or(given)?;
    let host = |guest: &Guest| guest.host_dedication_id.clone();
    Some(Guest {
        host_dedication_id: group.template.guest.as_ref().and_then(host),
        ..size.clone()
    })
}

/// The current size of a Machine; offline, the one that Aeroform sent.
pub(super) fn current_size(member: &Member<'_>) -> Option<Guest> {
    if let Some(seen) = member.observed {
        return seen.config.as_deref()?.guest.clone();
    }
    let sent = member.sent?.tree().get("guest")?;
    serde_json::from_value(sent.clone()).ok()
}

/// Whether the priced parts are equal.
fn same_size(a: Option<&Guest>, b: Option<&Guest>) -> bool {
    let parts = |guest: &Guest| {
        (
            guest.cpu_kind.clone(),
            guest.cpus,
            guest.memory_mb,
            guest.gpu_kind.clone(),
        )
    };
    a.map(parts) == b.map(parts)
}

fn is_stopped(member: &Member<'_>) -> bool {
    matches!(
        member.state(),
        Some(MachineState::Stopped | MachineState::Suspended)
    )
}

/// Whether the proxy stops idle Machines.
fn stops_by_itself(config: &MachineConfig) -> bool {
    let mut services = config.services.iter().flatten();
    services.any(Service::has_autostop)
}
