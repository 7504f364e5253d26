//! Machine checks: `fly deploy` tests each changed Machine with another one (docs/platform/fly-toml.md 11.2), and
//! this version does not. A plan that needs them is refused unless a flag says to continue without.

use std::collections::BTreeMap;

use super::codes;
use super::command_modes::CheckMode;
use super::decision::GroupDecision;
use super::notes::{Remarks, note};
use super::releases;
use super::rollout::format_groups;
use crate::core::fleet::{Desired, GroupName, Known};

/// Refuses a plan that needs machine checks, or warns that they are skipped. Changes of counts and regions and
/// restarts need none, as they are no deploys.
pub(super) fn check(
    desired: &Desired,
    known: &Known,
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    mode: CheckMode,
) -> Remarks {
    let is_checked = |(name, decision): &(&GroupName, &GroupDecision<'_>)| {
        let checks = desired.groups.get(*name).map(|group| &group.machine_checks);
        let mut changed = decision.config_changes();
        checks.is_some_and(|checks| !checks.is_empty())
            && (changed.any(|(_, changes)| !changes.is_empty())
                || releases::is_new(name, decision, known))
    };
    let checked = decisions.iter().filter(is_checked);
    let groups: Vec<&GroupName> = checked.map(|(name, _)| name).collect();
    let mut found = Remarks::default();
    if groups.is_empty() {
        return found;
    }
    let of = format_groups(&groups);
    match mode {
        CheckMode::Auto => found.refusals.push(
            note(
                codes::MACHINE_CHECKS_NEEDED,
                format!("the machine checks of {of} would not run: this version cannot run them"),
            )
            .with_hint(
                "`--machine-checks=never` applies without them; `[deploy] verify = \"…\"` in aeroform.toml \
                 tests a release once",
            ),
        ),
        CheckMode::Never => found.warnings.push(note(
            codes::MACHINE_CHECKS_SKIPPED,
            format!("the machine checks of {of} are skipped (`--machine-checks=never`)"),
        )),
    }
    found
}
