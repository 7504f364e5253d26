//! What runs now, for new Machines whose image or size no manifest sets (rules 18, 19).
//!
//! Reads observations; offline nothing is known.

use std::collections::{BTreeMap, BTreeSet};

use super::members::Member;
use super::releases;
use crate::core::fleet::schema::Guest;
use crate::core::fleet::{Desired, Machine, normalise};
use crate::core::platform::sizes;

/// The image of a set of Machines, by digest if known.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RunningImage {
    /// None of them has one.
    Nothing,
    /// The Machines of the newest release run this one; images of older releases are only shown.
    Single { image: String, older: Vec<String> },
    /// The Machines of the newest release run these.
    Several(Vec<String>),
}

/// The age of a change, for comparison: the release (others make them, too), then our run.
type Age = (u64, u64);

fn age(machine: &Machine) -> Age {
    let release = releases::release_number(machine).unwrap_or(0);
    (release, machine.stamps.serial.unwrap_or(0))
}

/// The image of those Machines that belong to the newest release or, without releases, to the newest run.
pub(super) fn running_image<'m, 'a: 'm>(
    members: impl IntoIterator<Item = &'m Member<'a>>,
) -> RunningImage {
    let seen = members.into_iter().filter_map(|member| member.observed);
    let seen: Vec<(&Machine, String)> = seen
        .filter_map(|machine| Some((machine, machine.image()?)))
        .collect();
    let by_digest = seen.iter().filter(|(_, image)| image.contains('@'));
    let resolved: BTreeSet<&str> = by_digest.filter_map(|(seen, _)| sent_image(seen)).collect();
    let mut images: BTreeMap<String, (Age, &String)> = BTreeMap::new();
    for (machine, image) in &seen {
        // A tag without a digest counts as the image of Machines that resolved the same tag.
        if !image.contains('@') && resolved.contains(image.as_str()) {
            continue;
        }
        let age = match age(machine) {
            (0, serial) => (0, serial),
            (release, _) => (release, 0),
        };
        let entry = images
            .entry(normalise::normalise_image(image))
            .or_insert((age, image));
        entry.0 = entry.0.max(age);
    }
    let newest = images.values().map(|(age, _)| *age).max();
    let (mut newest, older): (Vec<_>, Vec<_>) = images
        .into_values()
        .partition(|(age, _)| Some(*age) == newest);
    let name = |(_, image): (Age, &String)| image.clone();
    match newest.len() {
        0 => RunningImage::Nothing,
        1 => RunningImage::Single {
            image: name(newest.remove(0)),
            older: older.into_iter().map(name).collect(),
        },
        _ => RunningImage::Several(newest.into_iter().map(name).collect()),
    }
}

/// The digests that run under this tag.
pub(super) fn digests_of<'m, 'a: 'm>(
    tag: &str,
    members: impl IntoIterator<Item = &'m Member<'a>>,
) -> BTreeSet<String> {
    let named = |machine: &&Machine| {
        let name =
            sent_image(machine).map(|image| image.split_once('@').map_or(image, |(name, _)| name));
        name == Some(tag)
    };
    let seen = members.into_iter().filter_map(|member| member.observed);
    let images = seen.filter(named).filter_map(Machine::image);
    images
        .filter_map(|image| Some(image.split_once('@')?.1.to_owned()))
        .collect()
}

fn sent_image(machine: &Machine) -> Option<&str> {
    machine.config.as_deref()?.image.as_deref()
}

/// flyctl's default for an empty group (docs/platform/fly-toml.md 10.3). Nothing is guessed for Machines whose
/// size is unreadable.
pub(super) fn default_guest(desired: &Desired, members: &[Member<'_>]) -> Option<Guest> {
    let usual = || Some(sizes::find(sizes::DEFAULT_SIZE)?.guest());
    (desired.profile().has_fly_sizes && members.is_empty())
        .then(usual)
        .flatten()
}

/// The size of the Machine that changed last; of several, the first by id.
pub(super) fn latest_guest(members: &[Member<'_>]) -> Option<Guest> {
    let sized = members.iter().filter_map(|member| {
        let seen = member.observed?;
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
