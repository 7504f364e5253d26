//! Notes about groups: reasons, details, and what to write in the manifests.

use std::collections::{BTreeMap, BTreeSet};

use super::codes;
use super::decision::GroupDecision;
use super::members::Fleet;
use super::notes::note;
use super::spread::LayoutError;
use super::types::Note;
use crate::core::fleet::schema::Guest;
use crate::core::fleet::{Desired, DesiredGroup, GroupName, Region, Regions};
use crate::core::platform::sizes;

/// Notes about removed and renamed groups, and groups scaled to 0.
pub(super) fn removed_and_empty_group_notes(
    desired: &Desired,
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
) -> Vec<Note> {
    let mut found: Vec<Note> = decisions
        .iter()
        .flat_map(|(name, decision)| {
            [
                image_note(name, decision),
                size_note(name, decision),
                line_ends_note(name, decision),
            ]
        })
        .flatten()
        .collect();
    let added: Vec<&GroupName> = decisions
        .iter()
        .filter(|(_, d)| d.desired.is_some() && d.members.is_empty() && !d.creates.is_empty())
        .map(|(name, _)| name)
        .collect();
    let removed: Vec<&GroupName> = decisions
        .iter()
        .filter(|(_, d)| d.desired.is_none())
        .map(|(name, _)| name)
        .collect();
    for &name in &removed {
        if desired.groups.is_empty() {
            break;
        }
        let default = name.as_str() == "app" && desired.has_processes;
        let successor = renamed_to(desired, name, &decisions[name], &added, removed.len());
        let message = if default {
            "group `app` will be removed: fly.toml now has `[processes]`, and `app` is not in it"
                .to_owned()
        } else if successor.is_some() {
            format!("group `{name}` will be removed, and a new group looks like it")
        } else {
            continue;
        };
        let successor =
            successor.or_else(|| first_group_with_services(desired).filter(|_| default));
        let mut about = note(
            if default {
                codes::APP_REMOVED
            } else {
                codes::RENAMED_GROUP
            },
            message,
        )
        .for_group(name);
        if let Some(successor) = successor {
            about = about.with_hint(format!(
                "to rename the group and keep its Machines, add this to aeroform.toml:\n[[moved]]\nfrom = \
                 \"{name}\"\nto = \"{successor}\""
            ));
        }
        found.push(about);
    }
    if desired.profile().deployed_by_flyctl {
        for (name, decision) in decisions {
            let goes =
                decision.removed.len() == decision.members.len() && !decision.members.is_empty();
            if decision.desired.is_some() && decision.creates.is_empty() && goes {
                found.push(
                    note(
                        codes::SCALED_TO_ZERO,
                        format!("group `{name}` will have no Machines"),
                    )
                    .for_group(name)
                    .with_hint("the next `fly deploy` creates Machines in an empty group"),
                );
            }
        }
    }
    found
}

/// The new group that a removed one probably became: the one with the same command, else the only new one if
/// only this one is removed.
fn renamed_to<'n>(
    desired: &Desired,
    name: &GroupName,
    decision: &GroupDecision<'_>,
    added: &[&'n GroupName],
    removed: usize,
) -> Option<&'n GroupName> {
    let before = decision.members.iter().find_map(|member| {
        let sent = member
            .sent
            .and_then(|sent| sent.tree().pointer("/init/cmd").cloned());
        sent.or_else(|| {
            let config = member.observed.and_then(|seen| seen.config.as_deref())?;
            serde_json::to_value(config.init.as_ref()?.cmd.as_ref()?).ok()
        })
    });
    let same = |other: &&&GroupName| {
        let init = desired
            .groups
            .get(**other)
            .and_then(|group| group.template.init.as_ref());
        let command = init.and_then(|init| init.cmd.as_ref());
        command.and_then(|cmd| serde_json::to_value(cmd).ok()) == before && before.is_some()
    };
    let only = || (removed == 1 && added.len() == 1 && name.as_str() != "app").then(|| added[0]);
    added.iter().find(same).copied().or_else(only)
}

/// The first group with services: probably the new name of `app`.
fn first_group_with_services(desired: &Desired) -> Option<&GroupName> {
    let mut groups = desired.groups.iter();
    groups
        .find(|(_, group)| group.template.has_services())
        .map(|(name, _)| name)
}

/// Rule 18: only a person can choose.
pub(super) fn refuse_two_images(name: &GroupName, images: &[String]) -> Note {
    two_images_of(&format!("new Machines of group `{name}`"), images).for_group(name)
}

/// The refusal of something whose image could be one of several.
pub(super) fn two_images_of(of: &str, images: &[String]) -> Note {
    note(
        codes::TWO_IMAGES,
        format!(
            "no image is set for {of}, and the app runs several: {}",
            images.join(" and ")
        ),
    )
    .with_hint("choose one with `--image`, or set `image` in aeroform.toml")
}

/// No image is set and nothing runs.
pub(super) fn refuse_no_image(name: &GroupName) -> Note {
    no_image_of(&format!("group `{name}`")).for_group(name)
}

/// Merges the same refusal about several groups into one.
pub(super) fn merge_no_image_refusals(refusals: &mut Vec<Note>) {
    let lacks = |note: &Note| note.code == codes::NO_IMAGE.name();
    let lacking = refusals.iter().filter(|note| lacks(note));
    let groups: Vec<String> = lacking
        .filter_map(|note| Some(format!("`{}`", note.group.as_ref()?)))
        .collect();
    let ([.., last], Some(first)) = (&groups[..], refusals.iter().position(lacks)) else {
        return;
    };
    if groups.len() > 1 {
        let others = groups[..groups.len() - 1].join(", ");
        let one = no_image_of(&format!("groups {others} and {last}"));
        refusals.retain(|note| !lacks(note));
        refusals.insert(first, one);
    }
}

/// The refusal of something that has no image.
pub(super) fn no_image_of(groups: &str) -> Note {
    note(
        codes::NO_IMAGE,
        format!("no image is set for {groups}, and the app has no Machine to take it from"),
    )
    .with_hint("set it with `--image`, or as `image` in aeroform.toml")
}

/// Notes fields that differ only in their line endings, since the two values look the same.
fn line_ends_note(name: &GroupName, decision: &GroupDecision<'_>) -> Option<Note> {
    let changes = || decision.config_changes().flat_map(|(_, changes)| changes);
    let fields: BTreeSet<String> = changes()
        .filter(|change| change.line_ends)
        .map(|change| {
            // A file is known by its path.
            let path = change.path.strip_suffix(&["raw_value".to_owned()]);
            format!("`{}`", path.unwrap_or(&change.path).join("."))
        })
        .collect();
    let all: Vec<&str> = fields.iter().map(String::as_str).take(8).collect();
    let (last, others) = all.split_last()?;
    let what = match (others, fields.len() - all.len()) {
        ([], 0) => (*last).to_owned(),
        (others, 0) => format!("{} and {last}", others.join(", ")),
        (_, more) => format!("{} and {more} more", all.join(", ")),
    };
    let only = if changes().all(|change| change.line_ends) {
        "only "
    } else {
        ""
    };
    Some(
        note(
            codes::LINE_ENDS,
            format!("group `{name}`: {only}the line endings differ in {what} (CRLF, LF)"),
        )
        .for_group(name)
        .with_hint(
            "editors and git (`core.autocrlf`) change line endings; `eol=lf` in .gitattributes prevents that",
        ),
    )
}

/// The image of new Machines if no manifest sets one.
fn image_note(name: &GroupName, decision: &GroupDecision<'_>) -> Option<Note> {
    let image = decision.inherits.image.as_ref()?;
    let older = match decision.older_images.as_slice() {
        [] => String::new(),
        older => format!("; older Machines run `{}`", older.join("` and `")),
    };
    Some(
        note(
            codes::IMAGE_INHERITED,
            format!("new Machines of group `{name}` get `{image}`, the image that runs now{older}"),
        )
        .for_group(name),
    )
}

/// `[[moved]]` entries with nothing left to move.
pub(super) fn unused_moves_notes(desired: &Desired, fleet: &Fleet<'_>) -> Vec<Note> {
    let moving = |from: &GroupName| {
        fleet
            .members
            .values()
            .flatten()
            .any(|member| member.moved_from.as_ref() == Some(from))
    };
    let done = desired.moved.iter().filter(|moved| !moving(&moved.from));
    done.map(|moved| {
        note(
            codes::MOVED_DONE,
            format!(
                "nothing is left to move from `{}` to `{}`",
                moved.from, moved.to
            ),
        )
        .with_hint(format!(
            "remove the `[[moved]]` entry at {}",
            moved.location
        ))
    })
    .collect()
}

/// Whether the manifests set values that provider `local` only shows.
pub(super) fn has_unenforced_settings(desired: &Desired) -> bool {
    desired.image.is_some()
        || desired
            .groups
            .values()
            .any(|group| group.template.explicit_size().is_some())
}

/// The size of a group's Machines, or of its new ones without `[[vm]]`, with the reason.
pub(super) fn size_text(decision: &GroupDecision<'_>) -> Option<String> {
    if let Some(written) = decision.desired?.template.explicit_size() {
        return Some(format_size(written));
    }
    let size = format_size(decision.inherits.guest.as_ref()?);
    Some(if decision.members.is_empty() {
        format!("{size}, Fly's default without `[[vm]]`")
    } else {
        format!("{size}, like the rest of the group")
    })
}

/// The checks of a group, for people: the path of an HTTP check, the port of a TCP check, the name of a check of its
/// own.
pub(super) fn check_texts(group: &DesiredGroup) -> Vec<String> {
    let named = group.template.checks.iter().flatten();
    let named = named.map(|(name, _)| name.clone());
    let services = group.template.services.iter().flatten();
    let of_services = services.flat_map(|service| {
        let checks = service.checks.iter().flatten();
        checks.map(
            |check| match (&check.path, check.port.or(service.internal_port)) {
                (Some(path), _) => path.clone(),
                (None, Some(port)) => format!("tcp {port}"),
                (None, None) => "tcp".to_owned(),
            },
        )
    });
    let mut texts: Vec<String> = named.chain(of_services).collect();
    texts.sort();
    texts.dedup();
    texts
}

/// A size as in fly.toml: `shared-cpu-2x 1 GB`.
fn format_size(guest: &Guest) -> String {
    let kind = match guest.cpu_kind.as_deref() {
        Some("performance") => "performance".to_owned(),
        Some("shared") | None => "shared-cpu".to_owned(),
        Some(other) => other.to_owned(),
    };
    let memory = guest
        .memory_mb
        .map_or_else(String::new, |mb| format!(" {}", sizes::format_memory(mb)));
    format!("{kind}-{}x{memory}", guest.cpus.unwrap_or(1))
}

/// Without `regions` no Machine is moved, not even out of a full region.
pub(super) fn region_limit_note(
    name: &GroupName,
    group: &DesiredGroup,
    counts: &BTreeMap<Region, u32>,
) -> Option<Note> {
    let max = group.max_per_region?;
    if group.regions != Regions::Unwritten {
        return None;
    }
    let full = counts.iter().filter(|(_, count)| **count > max);
    let full: Vec<&str> = full.map(|(region, _)| region.as_str()).collect();
    (!full.is_empty()).then(|| {
        note(
            codes::CROWDED_REGION,
            format!(
                "group `{name}` has more than `max_per_region` = {max} in {}: without `regions`, Machines \
                 are not moved",
                full.join(", ")
            ),
        )
        .for_group(name)
        .with_hint(format!(
            "to spread them evenly, set `regions` in `[groups.{}]`",
            name.toml_key()
        ))
    })
}

/// Refuses a group without a possible layout.
pub(super) fn refuse_layout(name: &GroupName, error: &LayoutError, target: u32) -> Note {
    let key = name.toml_key();
    match *error {
        LayoutError::TooFew { room } => note(
            codes::NO_ROOM_IN_REGIONS,
            format!("group `{name}` has a count of {target}, but its regions have room for {room}"),
        )
        .with_hint(format!(
            "add regions or raise `max_per_region` in `[groups.{key}]`"
        )),
        LayoutError::NoRegion => note(
            codes::NO_REGION,
            format!("no region is set for group `{name}`"),
        )
        .with_hint(format!(
            "set `primary_region` in fly.toml, or `regions` in `[groups.{key}]`"
        )),
    }
    .for_group(name)
}

/// A list of regions that cannot be balanced.
pub(super) fn held_by_volumes_note(name: &GroupName, regions: &[Region]) -> Note {
    let list: Vec<&str> = regions.iter().map(Region::as_str).collect();
    note(
        codes::HELD_BY_VOLUMES,
        format!(
            "group `{name}` stays uneven: Machines with volumes are not moved out of {}",
            list.join(", ")
        ),
    )
    .for_group(name)
    .with_hint("to set a count per region, write `regions = { … }`")
}

/// The size of new Machines if those of the group have different sizes and no manifest sets one.
fn size_note(name: &GroupName, decision: &GroupDecision<'_>) -> Option<Note> {
    let size = format_size(decision.inherits.guest.as_ref()?);
    let configs = decision
        .members
        .iter()
        .filter_map(|member| member.observed?.config.as_ref());
    let all: BTreeSet<String> = configs
        .filter_map(|c| Some(format_size(c.guest.as_ref()?)))
        .collect();
    (all.len() > 1).then(|| {
        let all: Vec<String> = all.into_iter().collect();
        note(
            codes::SIZES_DIFFER,
            format!(
                "the Machines of group `{name}` have different sizes ({}); new ones get {size}, the size \
                 that was changed last",
                all.join(", ")
            ),
        )
        .for_group(name)
        .with_hint("to give them all one size, set `[[vm]]` for the group in fly.toml")
    })
}
