//! Approval: by the user at a terminal, or by flags.
//!
//! [`crate::core::plan::required_approval`] decides what needs approval; this module asks.

use std::str::FromStr;

use super::args::ApplyFlags;
use super::codes;
use super::views;
use crate::core::fleet::GroupName;
use crate::core::plan::{ApprovalFlags, Plan, RequiredApproval, Revert, required_approval};
use crate::core::view::terminal::questions as words;
use crate::ui::{Failure, Signals, Ui, prompt};

/// One entry of `--allow-destroy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowDestroy {
    /// Every destruction in the plan.
    All,
    /// Destruction in one group, up to the ceiling if there is one.
    Group {
        /// The group.
        name: GroupName,
        /// Maximum number of Machines.
        ceiling: Option<u32>,
    },
}

impl FromStr for AllowDestroy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self::All);
        }
        let (name, ceiling) = match text.rsplit_once(':') {
            Some((name, digits)) => {
                let ceiling = digits
                    .parse()
                    .map_err(|_| format!("`{digits}` is not a number of Machines"))?;
                (name, Some(ceiling))
            }
            None => (text, None),
        };
        let name = GroupName::new(name).map_err(|error| error.rule.to_owned())?;
        Ok(Self::Group { name, ceiling })
    }
}

/// The approval given by flags.
pub(super) fn allow(flags: &ApplyFlags) -> ApprovalFlags {
    let mut allow = ApprovalFlags {
        auto_approve: flags.auto_approve,
        revert: flags.allow_revert,
        ..ApprovalFlags::default()
    };
    for entry in &flags.allow_destroy {
        match entry {
            AllowDestroy::All => allow.all_groups = true,
            AllowDestroy::Group { name, ceiling } => {
                allow.groups.insert(name.clone(), *ceiling);
            }
        }
    }
    allow
}

/// The result of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consent {
    /// Approved.
    Given,
    /// Denied.
    Denied,
}

/// Asks for the approval that the flags do not give. A typed name or release number also answers the y/N
/// question of the same plan. Without a terminal it fails and names the missing flags.
pub(super) async fn ask(
    ui: &Ui,
    signals: &mut Signals,
    plan: &Plan,
    allow: &ApprovalFlags,
) -> Result<Consent, Failure> {
    let open = required_approval(plan).not_covered_by(allow);
    if open.is_empty() {
        return Ok(Consent::Given);
    }
    if !ui.streams().can_ask() {
        return Err(needs_approval_error(&open));
    }
    if open.typed.is_empty() && open.reverts.is_empty() {
        let yes = prompt::yes_or_no(ui, signals, words::CONFIRM_APPLY).await?;
        return Ok(if yes { Consent::Given } else { Consent::Denied });
    }
    for typed in &open.typed {
        views::write_stderr(ui, |style, text| words::question(typed, style, text));
        let prompt = words::prompt(typed);
        if !prompt::typed_name(ui, signals, &prompt, &typed.name).await? {
            return Ok(Consent::Denied);
        }
    }
    for number in open.reverted_releases() {
        for revert in open.reverts.iter().filter(|of| of.release == number) {
            views::write_stderr(ui, |style, text| {
                words::release_question(revert, style, text)
            });
        }
        let name = format!("v{number}");
        let prompt = words::release_prompt(&name);
        if !prompt::typed_name(ui, signals, &prompt, &name).await? {
            return Ok(Consent::Denied);
        }
    }
    Ok(Consent::Given)
}

/// Checks the ceilings of `--allow-destroy` for a plan that was reviewed. Asks nothing.
pub(super) fn check_ceilings(plan: &Plan, allow: &ApprovalFlags) -> Result<Consent, Failure> {
    let open = required_approval(plan).not_covered_by(allow);
    if open.is_empty() {
        return Ok(Consent::Given);
    }
    let message = "the plan exceeds a ceiling of `--allow-destroy`; nothing was changed";
    let failure = Failure::new(codes::CONSENT_NEEDED, message).hint(format!(
        "raise the ceiling (`{}`), or remove the flag: the expected plan counts as approval",
        open.flags()
    ));
    let causes = open
        .typed
        .iter()
        .map(|typed| format!("the plan {}", typed.why));
    Err(causes.fold(failure, Failure::cause))
}

fn needs_approval_error(open: &RequiredApproval) -> Failure {
    let failure = Failure::new(
        codes::CONSENT_NEEDED,
        "this plan needs approval and stdin is not a terminal; nothing was changed",
    )
    .hint(format!("review the plan, then add `{}`", open.flags()));
    let reverts = open.reverts.iter().map(Revert::describe);
    let typed = open.typed.iter().map(|typed| typed.why.clone());
    reverts.chain(typed).fold(failure, |failure, why| {
        failure.cause(format!("the plan {why}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_all_or_a_group_with_or_without_ceiling() {
        let group = |name: &str, ceiling| AllowDestroy::Group {
            name: GroupName::new(name).unwrap(),
            ceiling,
        };
        assert_eq!("all".parse(), Ok(AllowDestroy::All));
        assert_eq!("web".parse(), Ok(group("web", None)));
        assert_eq!("web:2".parse(), Ok(group("web", Some(2))));
        assert!("web:two".parse::<AllowDestroy>().is_err());
        assert!(":2".parse::<AllowDestroy>().is_err());
        assert!("".parse::<AllowDestroy>().is_err());
    }
}
