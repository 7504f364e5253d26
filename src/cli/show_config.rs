//! `aeroform show config`: prints the Machine config of each group, offline.

use super::args::ShowConfigArgs;
use super::codes;
use super::formats::{self, CommandOutput};
use super::{
    Context,
    manifests::{self, Purpose, Warnings},
};
use crate::core::fleet::Desired;
use crate::core::view::json::config::{self, GroupConfig, SecretDisplay};
use crate::ui::{Exit, Failure};

/// Prints the config of every group, or of one.
pub(super) fn run(context: &Context<'_>, args: &ShowConfigArgs) -> Result<Exit, Failure> {
    let ui = context.ui;
    let desired = manifests::read(context, Purpose::Show)?
        .accept(ui, Warnings::WithPlan)?
        .desired;
    let secrets = if args.show_secrets {
        SecretDisplay::Shown
    } else {
        SecretDisplay::Hidden
    };
    let groups = chosen(&desired, args, secrets)?;
    if groups.iter().any(GroupConfig::has_hidden_values) {
        ui.say("values that look secret are hidden; `--show-secrets` shows them");
    }
    let output = CommandOutput::Configs {
        app: &desired.app,
        groups,
        one_group: args.group.is_some(),
        secrets,
    };
    formats::print(ui, output);
    Ok(Exit::Done)
}

fn chosen<'a>(
    desired: &'a Desired,
    args: &ShowConfigArgs,
    secrets: SecretDisplay,
) -> Result<Vec<GroupConfig<'a>>, Failure> {
    let is_shown = |name: &_| args.group.as_ref().is_none_or(|group| group == name);
    let groups: Vec<_> = desired
        .groups
        .iter()
        .filter(|(name, _)| is_shown(name))
        .map(|(name, group)| config::group_config(name, group, secrets))
        .collect();
    match &args.group {
        Some(group) if groups.is_empty() => {
            let all: Vec<String> = desired
                .groups
                .keys()
                .map(|name| format!("`{name}`"))
                .collect();
            Err(Failure::new(
                codes::NO_GROUP,
                format!("there is no process group `{group}`"),
            )
            .hint(format!("the groups are {}", all.join(", "))))
        }
        Some(_) | None => Ok(groups),
    }
}
