//! What runs now, for Machines that are made where no manifest says what they run (RULES 18, 19).
//!
//! Reads what was observed; offline nothing is known to run.

use std::collections::BTreeMap;

use super::members::Member;
use super::releases;
use crate::core::fleet::config::Guest;
use crate::core::fleet::{Desired, Machine, normal};
use crate::core::platform::sizes;

/// The image of a set of Machines.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Running {
    /// None of them shows one.
    Nothing,
    /// Those that were changed last run this one; what older ones run does not count.
    One(String),
    /// Those that were changed last run these.
    Several(Vec<String>),
}

/// Which change of a Machine is the later one: by its release, which others make, too, then by our run.
type Age = (u64, u64);

fn age(machine: &Machine) -> Age {
    let release = releases::of(machine).unwrap_or(0);
    (release, machine.stamps.serial.unwrap_or(0))
}

/// What those of these Machines run that are of the newest release, and of those by the newest run.
pub(super) fn image<'m, 'a: 'm>(members: impl IntoIterator<Item = &'m Member<'a>>) -> Running {
    let mut images: BTreeMap<String, (Age, String)> = BTreeMap::new();
    for seen in members.into_iter().filter_map(|member| member.seen) {
        let Some(image) = seen.config.as_deref().and_then(|c| c.image.as_ref()) else {
            continue;
        };
        let entry = images.entry(normal::image(image));
        let entry = entry.or_insert_with(|| (age(seen), image.clone()));
        entry.0 = entry.0.max(age(seen));
    }
    let newest = images.values().map(|(age, _)| *age).max();
    let mut newest: Vec<String> = images
        .into_values()
        .filter(|(age, _)| Some(*age) == newest)
        .map(|(_, image)| image)
        .collect();
    match newest.len() {
        0 => Running::Nothing,
        1 => Running::One(newest.remove(0)),
        _ => Running::Several(newest),
    }
}

/// What flyctl takes for a group that has no Machine yet (facts/fly-toml-to-machine.md 10.3); of Machines
/// whose size cannot be seen nothing is guessed.
pub(super) fn default_guest(desired: &Desired, members: &[Member<'_>]) -> Option<Guest> {
    let usual = || Some(sizes::find(sizes::DEFAULT)?.guest());
    (desired.provider == "fly" && members.is_empty())
        .then(usual)
        .flatten()
}

/// The size of the Machine of these that was changed last, the first by id of several.
pub(super) fn guest(members: &[Member<'_>]) -> Option<Guest> {
    let sized = members.iter().filter_map(|member| {
        let seen = member.seen?;
        Some((age(seen), seen.config.as_deref()?.guest.as_ref()?))
    });
    let mut found: Option<(Age, &Guest)> = None;
    for (age, guest) in sized {
        if found.is_none_or(|(best, _)| age > best) {
            found = Some((age, guest));
        }
    }
    found.map(|(_, guest)| guest.clone())
}
