//! What `fly deploy` does and this version cannot: the strategy `bluegreen`, and compose files. A
//! plan that needs one is refused unless a flag says to continue without it.
//!
//! Decides only whether one is needed, from the decisions about each group.

use std::collections::{BTreeMap, BTreeSet};

use super::codes;
use super::decision::GroupDecision;
use super::notes::{Remarks, note};
use super::summary::changes;
use super::swap_checks::is_running;
use super::types::{Action, Change, Note, Step};
use crate::core::fleet::{Desired, GroupName, Trial};

/// The most groups named in one sentence.
const MAX_NAMED_GROUPS: usize = 8;

/// Refuses a plan that needs an unsupported feature.
pub(super) fn check_rollout(
    steps: &[Step],
    desired: &Desired,
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
) -> Remarks {
    let mut refusals = refuse_unsupported_strategies(decisions);
    refusals.extend(refuse_missing_containers(steps, desired));
    Remarks {
        refusals,
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

fn refuse_unsupported_strategies(decisions: &BTreeMap<GroupName, GroupDecision<'_>>) -> Vec<Note> {
    let mut groups: BTreeMap<Trial, Vec<&GroupName>> = BTreeMap::new();
    for (name, decision) in decisions {
        let trial = decision.desired.and_then(|group| group.trial);
        let strategy = trial.filter(|trial| *trial != Trial::Bluegreen);
        let mut changed = decision.changed.iter().map(|changed| &changed.member);
        if let Some(strategy @ Trial::Bluegreen) = strategy
            && changed.any(is_running)
        {
            groups.entry(strategy).or_default().push(name);
        }
    }
    let refusal = |(strategy, names): (Trial, Vec<&GroupName>)| {
        let message = format!(
            "{} would be updated with the strategy `{}`, which this version does not support",
            format_groups(&names),
            strategy.as_str()
        );
        note(codes::STRATEGY_UNSUPPORTED, message).with_hint(
            "`--strategy rolling` updates a few Machines at a time in this plan; \
                 `strategy = \"rolling\"` in fly.toml or `[groups.NAME.deploy]` makes it permanent",
        )
    };
    groups.into_iter().map(refusal).collect()
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
