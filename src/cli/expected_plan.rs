//! A saved plan that a new one is compared with: `--expect`, and what every saved plan must be for.

use std::path::Path;

use super::Context;
use super::codes;
use crate::core::fleet::Desired;
use crate::core::fleet::quoting::shell_word;
use crate::core::plan::{Excess, Plan, PlanMode, SavedPlan, required_approval};
use crate::core::view::next_command::{request_flags, with_leading_spaces};
use crate::ui::Failure;

/// Refuses to apply a plan that was made without the provider.
pub(super) fn check_online(saved: &SavedPlan, path: &Path) -> Result<(), Failure> {
    if saved.online {
        return Ok(());
    }
    let path = path.display().to_string();
    let message = "cannot apply the saved plan: it was made without calling the provider";
    Err(Failure::new(codes::PLAN_OFFLINE, message).hint(format!(
        "review it, then use `aeroform apply --expect {}`",
        shell_word(&path)
    )))
}

/// Checks that a saved plan is for this app.
pub(super) fn check_target(saved: &SavedPlan, plan: &Plan) -> Result<(), Failure> {
    saved.check_target(plan).map_err(|other| {
        Failure::new(
            codes::OTHER_PLAN,
            format!("cannot use the saved plan: {other}"),
        )
        .hint("create one for this app with `aeroform plan --out FILE`")
    })
}

/// Checks that a plan does nothing that the expected one does not list. `verb` is the command that was typed.
pub(super) fn check(
    context: &Context<'_>,
    expected: &SavedPlan,
    (plan, desired): (&Plan, &Desired),
    verb: &str,
) -> Result<(), Failure> {
    check_target(expected, plan)?;
    let excesses = expected.excesses(plan, desired);
    if excesses.is_empty() {
        return Ok(());
    }
    let message = format!(
        "plan {} exceeds the expected plan {}; nothing was changed",
        plan.plan_digest(),
        expected.plan_digest()
    );
    let failure = Failure::new(codes::EXCEEDS_EXPECTED, message);
    let failure = excesses
        .iter()
        .map(Excess::to_string)
        .fold(failure, Failure::cause);
    let command = apply_command(context, plan, verb);
    Err(failure.hint(format!(
        "review the new plan and merge it again, or run `{command}`"
    )))
}

/// The command that applies this plan without the expected one, with the flags that approve it.
fn apply_command(context: &Context<'_>, plan: &Plan, verb: &str) -> String {
    let approval = required_approval(plan).flags();
    let approval = (!approval.is_empty()).then_some(approval);
    let command = match (verb, plan.mode) {
        ("apply", _) => {
            let given = ["expect", "allow_destroy", "allow_revert"];
            let more = Vec::from_iter(approval);
            context.global.typed_command.render_without(&given, &more)
        }
        (_, PlanMode::Destroy) => {
            format!("destroy{}", with_leading_spaces(&Vec::from_iter(approval)))
        }
        (_, PlanMode::Normal | PlanMode::RefreshOnly) => {
            let mut flags = request_flags(&plan.requested);
            flags.extend(approval);
            format!("apply{}", with_leading_spaces(&flags))
        }
    };
    format!("{} {command}", context.global.program())
}
