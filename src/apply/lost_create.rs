//! Settles a create without a response: the Machine with the intended name is the created one (rule 4).

use super::step_context::StepContext;
use super::step_error::{PartResult, StepError};
use crate::core::fleet::{Machine, MachineName, MachineState};
use crate::provider::Listing;
use crate::provider::codes as answers;

/// Whether a missing Machine may still appear in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListPatience {
    /// Read once.
    Once,
    /// Read until the list must be up to date.
    UntilListed,
}

/// The Machine with this name that is not being destroyed. A Machine of another project folder is an error.
pub(super) async fn find_created(
    context: &StepContext<'_>,
    name: &MachineName,
    patience: ListPatience,
) -> PartResult<Option<Machine>> {
    find_listed(context, name, patience, |machine| !machine.state.is_gone()).await
}

/// The Machine with this name, even if it is being destroyed: the name is unavailable until it is gone.
pub(super) async fn holder(
    context: &StepContext<'_>,
    name: &MachineName,
) -> PartResult<Option<Machine>> {
    find_listed(context, name, ListPatience::UntilListed, |machine| {
        machine.state != MachineState::Destroyed
    })
    .await
}

async fn find_listed(
    context: &StepContext<'_>,
    name: &MachineName,
    patience: ListPatience,
    counts: impl Fn(&Machine) -> bool,
) -> PartResult<Option<Machine>> {
    let find = |listing: Listing| {
        let mut of_name = listing.machines.into_iter();
        let found = of_name.find(|machine| machine.name == *name && counts(machine));
        match found {
            Some(other) if is_of_another_project(context, &other) => Err(name_taken_error(&other)),
            found => Ok(found),
        }
    };
    match patience {
        ListPatience::Once => find(context.list().await?),
        ListPatience::UntilListed => context.find_listed(name.as_str(), find).await,
    }
}

fn is_of_another_project(context: &StepContext<'_>, machine: &Machine) -> bool {
    let job = &context.shared.input;
    job.observed.description.belongs_to_other_project(machine)
        && !job.known.machines.contains_key(&machine.id)
}

fn name_taken_error(machine: &Machine) -> StepError {
    let folder = machine.project.as_deref().unwrap_or_default();
    StepError::Failed {
        code: answers::ALREADY_EXISTS.name().to_owned(),
        message: format!(
            "the name `{}` is now used by Machine {} of `{folder}`",
            machine.name, machine.id
        ),
        hint: Some("run the command again, which uses another name".to_owned()),
    }
}
