//! Who may say yes: a person at the terminal, or the flags of whoever runs this without one.
//!
//! What must be asked is the plan's business ([`crate::core::plan::required_approval`]); this only asks.

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
    /// Whatever the plan destroys.
    All,
    /// What it destroys of one group, at most so many Machines where a ceiling is given.
    Group {
        /// The group.
        name: GroupName,
        /// Most Machines.
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

/// What the flags allow together.
pub(super) fn allow(doing: &ApplyFlags) -> ApprovalFlags {
    let mut allow = ApprovalFlags {
        auto_approve: doing.auto_approve,
        revert: doing.allow_revert,
        ..ApprovalFlags::default()
    };
    for entry in &doing.allow_destroy {
        match entry {
            AllowDestroy::All => allow.all_groups = true,
            AllowDestroy::Group { name, ceiling } => {
                allow.groups.insert(name.clone(), *ceiling);
            }
        }
    }
    allow
}

/// What came of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consent {
    /// Go on.
    Given,
    /// A person said no.
    Denied,
}

/// Asks whatever the flags leave open. A typed name, and the typed number of a release that is taken back,
/// also answers the y/N of the same plan: nobody types it by accident. Without a terminal it fails and names the flags that would answer.
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

fn needs_approval_error(open: &RequiredApproval) -> Failure {
    let failure = Failure::new(
        codes::CONSENT_NEEDED,
        "the plan needs a yes, and there is no terminal to ask at; nothing was changed",
    )
    .hint(format!("after a review of the plan add `{}`", open.flags()));
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
