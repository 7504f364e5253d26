//! Chooses a Machine or group that was not named: by a list on a terminal, otherwise an error with the
//! candidates.

use super::super::manifests::{self, Purpose, Warnings};
use super::super::session::Session;
use super::super::{Context, codes};
use super::inspect::inspect;
use crate::core::fleet::{GroupName, Management};
use crate::core::view::terminal;
use crate::ui::list::{self, ChoiceList};
use crate::ui::{Failure, Signals};

/// The typed names, or the chosen Machine.
pub(super) async fn choose_machines(
    context: &Context<'_>,
    typed: &[String],
    verb: &str,
) -> Result<Vec<String>, Failure> {
    if !typed.is_empty() {
        return Ok(typed.to_vec());
    }
    manifests::read(context, Purpose::Run)?.check_names_app(context.global)?;
    let mut signals = Signals::listen()?;
    let mut view = inspect(context, &mut signals).await?;
    view.machines
        .retain(|machine| matches!(machine.management, Management::Ours | Management::FlyLaunch));
    if view.machines.is_empty() {
        return Err(Failure::new(
            codes::NO_MACHINE_NAMED,
            "no Machine is named, and the app has none",
        )
        .hint("`aeroform plan` shows what an apply would create"));
    }
    let list = ChoiceList {
        question: &format!("Which Machine to {verb}?"),
        rows: &|width| terminal::machine::choices(view.machines.iter(), width),
        fallback: Failure::new(codes::NO_MACHINE_NAMED, "no Machine is named")
            .hint(format!("use `aeroform machine {verb} ID`")),
    };
    let chosen = list::choose(context.ui, &mut signals, list).await?;
    Ok(vec![view.machines[chosen].id.to_string()])
}

/// The typed group, or the chosen one.
pub(super) async fn choose_group(
    context: &Context<'_>,
    typed: Option<&GroupName>,
) -> Result<GroupName, Failure> {
    if let Some(group) = typed {
        return Ok(group.clone());
    }
    let mut signals = Signals::listen()?;
    let session = Session::open_online(context, Warnings::Hidden).await?;
    let groups: Vec<&GroupName> = session.desired.groups.keys().collect();
    let list = ChoiceList {
        question: "Which group to move to?",
        rows: &|_| groups.iter().map(ToString::to_string).collect(),
        fallback: Failure::new(codes::NO_GROUP_NAMED, "no group is named").hint("use `--to GROUP`"),
    };
    let chosen = list::choose(context.ui, &mut signals, list).await?;
    Ok(groups[chosen].clone())
}
