//! Which Machines of a swap are out of the load balancing, and why: a green stays so in the place of a cordoned blue
//! (rule 10). And which of its two sets serves.
//!
//! Reads how far the switch of an earlier run got; changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::gates::fails_checks;
use super::members::Member;
use super::swap_checks::is_running;
use crate::core::fleet::{MachineId, MachineState, Stamps, SwapRole};

/// The greens that the switch of an earlier run has left cordoned, or was to leave so.
pub(super) fn stay_cordoned<'m>(
    greens: &[&'m Member<'_>],
    blues: &[&Member<'_>],
) -> BTreeSet<&'m MachineId> {
    let cordoned = greens.iter().copied().filter(|green| is_cordoned(green));
    let has_traffic = greens.iter().any(|green| !is_cordoned(green));
    // The marks come after all greens are added, and a switch first takes away those of other tools.
    let is_complete = has_traffic
        && blues
            .iter()
            .all(|blue| is_marked(blue) || !is_reachable(blue));
    if is_complete {
        return cordoned.map(|green| green.id).collect();
    }
    let mut left: Vec<&Member<'_>> = blues.iter().copied().filter(|b| is_cordoned(b)).collect();
    let mut waiting: Vec<&Member<'_>> = cordoned.collect();
    let mut stay = BTreeSet::new();
    let mut pair = |left: &mut Vec<&Member<'_>>,
                    fits: &dyn Fn(&Member<'_>, &Member<'_>) -> bool| {
        waiting.retain(|green| {
            let found = left.iter().position(|blue| fits(green, blue));
            let taken = found.map(|at| left.remove(at)).is_some();
            if taken {
                stay.insert(green.id);
            }
            !taken
        });
    };
    // Each has the blue that the state names; without one that of its region, best one that runs as it does.
    pair(&mut left, &|green, blue| blue_of(green) == Some(blue.id));
    drop_surplus(&mut left, greens, blues);
    pair(&mut left, &|green, blue| {
        is_unpaired(green, blue) && is_running(green) == is_running(blue)
    });
    pair(&mut left, &is_unpaired);
    stay
}

/// Of blues without a green the cordoned ones are the first, and of those the ones that the state does not list.
fn drop_surplus(cordoned: &mut Vec<&Member<'_>>, greens: &[&Member<'_>], blues: &[&Member<'_>]) {
    let count = |members: &[&Member<'_>], of: &Member<'_>| {
        let same = members
            .iter()
            .filter(|m| m.region == of.region && !m.is_standby());
        same.count()
    };
    let mut dropped: BTreeMap<&str, usize> = BTreeMap::new();
    cordoned.sort_by_key(|blue| !blue.is_adopted());
    cordoned.retain(|blue| {
        let surplus = count(blues, blue).saturating_sub(count(greens, blue));
        let dropped = dropped.entry(blue.region.as_str()).or_default();
        *dropped += 1;
        *dropped > surplus
    });
}

/// Whether a run has begun to remove the blues: more of them are cordoned than greens are.
pub(super) fn are_going(members: &[Member<'_>], colours: &BTreeMap<MachineId, SwapRole>) -> bool {
    let cordoned = |role: SwapRole| {
        let of_role = members
            .iter()
            .filter(|member| colours.get(member.id) == Some(&role));
        of_role.filter(|member| is_cordoned(member)).count()
    };
    cordoned(SwapRole::Blue) > cordoned(SwapRole::Green)
}

/// Whether fewer blues than greens serve: without the greens the group would serve less.
pub(super) fn are_outnumbered(
    members: &[Member<'_>],
    colours: &BTreeMap<MachineId, SwapRole>,
) -> bool {
    let serving = |role: SwapRole| {
        let of_role = members
            .iter()
            .filter(|member| colours.get(member.id) == Some(&role));
        let serving = of_role.filter(|member| {
            is_running(member) && !member.is_standby() && !is_cordoned(member) && !fails(member)
        });
        serving.count()
    };
    serving(SwapRole::Blue) < serving(SwapRole::Green)
}

/// Whether it is seen not to work.
pub(super) fn fails(member: &Member<'_>) -> bool {
    member.observed.is_some_and(|seen| {
        let down = seen.state != MachineState::Started && !seen.state.is_inactive();
        down || seen.has_crashed() || fails_checks(seen)
    })
}

fn is_unpaired(green: &Member<'_>, blue: &Member<'_>) -> bool {
    blue_of(green).is_none() && green.region == blue.region
}

/// The blue in whose place a green was created, if the state names it.
fn blue_of<'a>(green: &Member<'a>) -> Option<&'a MachineId> {
    green.known.and_then(|known| known.replaces.as_ref())
}

pub(super) fn is_cordoned(member: &Member<'_>) -> bool {
    member.observed.is_some_and(|seen| seen.cordoned)
}

/// Whether a switch has marked it as one that may be destroyed.
pub(super) fn is_marked(member: &Member<'_>) -> bool {
    let mark = member.observed.and_then(|seen| seen.stamps.swap.as_deref());
    mark == Some(Stamps::SAFE_TO_DESTROY)
}

fn is_reachable(member: &Member<'_>) -> bool {
    member.host_ok()
}
