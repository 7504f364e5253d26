//! What `fly deploy` does and this version cannot: compose files. A plan that needs one is refused.
//!
//! Decides only whether one is needed, from the steps.

use std::collections::BTreeSet;

use super::codes;
use super::notes::{Remarks, note};
use super::summary::changes;
use super::types::{Action, Change, Note, Step};
use crate::core::fleet::{Desired, GroupName};

/// The most groups named in one sentence.
const MAX_NAMED_GROUPS: usize = 8;

/// Refuses a plan that needs an unsupported feature.
pub(super) fn check_rollout(steps: &[Step], desired: &Desired) -> Remarks {
    let refusals = refuse_missing_containers(steps, desired);
    Remarks {
        refusals: refusals.into_iter().collect(),
        ..Remarks::default()
    }
}

/// Refuses to create Machines from nothing if a compose file defines containers.
fn refuse_missing_containers(steps: &[Step], desired: &Desired) -> Option<Note> {
    let location = desired.rollout.compose.as_ref()?;
    if !desired.profile().runs_images {
        return None;
    }
    let from_nothing = |change: &Change| {
        matches!(change.action, Action::Create { .. }) && change.config_source().is_none()
    };
    let changes = changes(steps).map(|(_, change)| change);
    let groups: BTreeSet<&GroupName> = changes
        .filter(|change| from_nothing(change))
        .map(|change| &change.group)
        .collect();
    if groups.is_empty() {
        return None;
    }
    let groups: Vec<&GroupName> = groups.into_iter().collect();
    let message = format!(
        "new Machines of {} would not have the containers of the compose file ({location}): this version does \
         not read it",
        format_groups(&groups)
    );
    let hint = "write the containers as `machine_config`, or remove `[build.compose]`";
    Some(note(codes::COMPOSE_NEEDED, message).with_hint(hint))
}

/// `group `web``, ``groups `web` and `worker```.
pub(super) fn format_groups(names: &[&GroupName]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(MAX_NAMED_GROUPS)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = names.len().saturating_sub(MAX_NAMED_GROUPS);
    let s = if names.len() == 1 { "" } else { "s" };
    if more > 0 {
        return format!("group{s} {} and {more} more", shown.join(", "));
    }
    match shown.split_last() {
        Some((last, rest)) if !rest.is_empty() => {
            format!("groups {} and {last}", rest.join(", "))
        }
        _ => format!("group{s} {}", shown.concat()),
    }
}
