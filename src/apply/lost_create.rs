//! Settles a create without a response: the Machine with the intended name is the created one (rule 4).

use std::time::Duration;

use tokio::time::Instant;

use super::step_context::StepContext;
use super::step_error::{PartResult, StepError};
use crate::core::fleet::{Machine, MachineName, MachineState};
use crate::provider::backoff::Backoff;
use crate::provider::codes as answers;

/// How long a list may lack an existing Machine.
pub(super) const LIST_LAG: Duration = Duration::from_secs(10);

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
    look(context, name, patience, |machine| !machine.state.is_gone()).await
}

/// The Machine with this name, even if it is being destroyed: the name is unavailable until it is gone.
pub(super) async fn holder(
    context: &StepContext<'_>,
    name: &MachineName,
) -> PartResult<Option<Machine>> {
    look(context, name, ListPatience::UntilListed, |machine| {
        machine.state != MachineState::Destroyed
    })
    .await
}

async fn look(
    context: &StepContext<'_>,
    name: &MachineName,
    patience: ListPatience,
    counts: impl Fn(&Machine) -> bool,
) -> PartResult<Option<Machine>> {
    let deadline = Instant::now() + LIST_LAG;
    let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(4), 0);
    let mut tries = 0;
    loop {
        let listing = context.list().await?;
        let mut of_name = listing.machines.into_iter();
        let found = of_name.find(|machine| machine.name == *name && counts(machine));
        if let Some(other) = found
            .as_ref()
            .filter(|found| is_of_another_project(context, found))
        {
            return Err(name_taken_error(other));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if found.is_some() || patience == ListPatience::Once || left.is_zero() {
            return Ok(found);
        }
        if tries == 0 {
            context.report_waiting(format!("{name} to be listed"), left);
        }
        context.pause(backoff.delay(tries).min(left)).await?;
        tries += 1;
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
