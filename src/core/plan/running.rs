//! What runs now, for Machines that are made where no manifest says what they run (RULES 18, 19).
//!
//! Reads what was observed; offline nothing is known to run.

use std::collections::BTreeMap;

use super::members::Member;
use crate::core::fleet::config::Guest;
use crate::core::fleet::{Desired, normal};
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

/// What those of these Machines run that were changed by the newest run.
pub(super) fn image<'m, 'a: 'm>(members: impl IntoIterator<Item = &'m Member<'a>>) -> Running {
    let mut images: BTreeMap<String, (u64, String)> = BTreeMap::new();
    for seen in members.into_iter().filter_map(|member| member.seen) {
        let Some(image) = seen.config.as_deref().and_then(|c| c.image.as_ref()) else {
            continue;
        };
        let serial = seen.stamps.serial.unwrap_or(0);
        let entry = images.entry(normal::image(image));
        let entry = entry.or_insert_with(|| (serial, image.clone()));
        entry.0 = entry.0.max(serial);
    }
    let newest = images.values().map(|(serial, _)| *serial).max();
    let mut newest: Vec<String> = images
        .into_values()
        .filter(|(serial, _)| Some(*serial) == newest)
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
        Some((
            seen.stamps.serial.unwrap_or(0),
            seen.config.as_deref()?.guest.as_ref()?,
        ))
    });
    let mut found: Option<(u64, &Guest)> = None;
    for (serial, guest) in sized {
        if found.is_none_or(|(best, _)| serial > best) {
            found = Some((serial, guest));
        }
    }
    found.map(|(_, guest)| guest.clone())
}
