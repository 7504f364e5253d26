//! Adopt and wait: adds a Machine to the state without a call.

use std::time::Duration;

use tokio::time::Instant;

use super::StepProgress;
use super::destroy::uncordon_if_removal_begun;
use crate::apply::gate::{self, Baseline, CREATED_PATIENCE, Gate};
use crate::apply::step_context::StepContext;
use crate::apply::step_error::{PartResult, StepError};
use crate::core::fleet::{DesiredGroup, Exit, Machine, MachineId, MachineState};
use crate::core::plan::{Change, GateKind, adopted_config};
use crate::provider::codes as answers;

/// A Machine of the snapshot with its group.
pub(super) struct AdoptedMachine<'a> {
    pub(super) machine: &'a Machine,
    /// `None` if its group is no longer desired.
    pub(super) group: Option<&'a DesiredGroup>,
}

/// Adopts an observed Machine: only the config keys that the manifests write (rule 10).
pub(super) fn take_observed<'a>(
    context: &StepContext<'a>,
    progress: &mut StepProgress,
    change: &Change,
) -> PartResult<AdoptedMachine<'a>> {
    let job = &context.shared.input;
    let observed = change
        .machine
        .id
        .as_ref()
        .and_then(|id| job.observed.machines.get(id));
    let Some(machine) = observed else {
        return Err(StepError::conflict(format!(
            "{} is gone",
            change.machine.name
        )));
    };
    let group = job.desired.groups.get(&change.group);
    let lineage = &job.observed.description.scope;
    progress.sent_config = Some(adopted_config(
        group,
        machine,
        &job.known.computed_fields,
        lineage,
    ));
    progress.machine = Some(machine.clone());
    Ok(AdoptedMachine { machine, group })
}

/// Adopts it unchanged.
pub(super) fn adopt(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    change: &Change,
) -> PartResult {
    take_observed(context, progress, change).map(|_| ())
}

/// Waits for the gate that the Machine's own run did not see pass; it is adopted either way. A deliberately
/// stopped Machine has no gate.
pub(super) async fn wait(
    context: &StepContext<'_>,
    progress: &mut StepProgress,
    change: &Change,
) -> PartResult {
    let AdoptedMachine { machine, group } = take_observed(context, progress, change)?;
    let Some(group) = group else {
        return Ok(());
    };
    let at_most = Duration::from_secs(group.wait_timeout_s);
    let begun = Instant::now();
    let created = match change.gate {
        GateKind::Settled => CREATED_PATIENCE,
        GateKind::None
        | GateKind::Started
        | GateKind::Healthy
        | GateKind::Gone
        | GateKind::Ended => at_most,
    };
    let live = context
        .wait_settled_or_created(&machine.id, (at_most, created))
        .await?;
    let live = live.filter(|live| !live.state.is_gone());
    let live = live.ok_or_else(|| StepError::conflict(format!("{} is gone", machine.id)))?;
    let created = live.state == MachineState::Created && change.gate == GateKind::Settled;
    let rests = created || live.state.is_inactive();
    let serves = group.template.has_services() || group.template.has_checks();
    let bad = live
        .last_exit()
        .filter(|exit| !exit.requested && (exit.is_crash() || serves));
    progress.machine = Some(live);
    if rests {
        progress.gate_failed = bad.is_some();
        return bad.map_or(Ok(()), |exit| Err(exit_error(&machine.id, &exit)));
    }
    let gate = Gate {
        id: &machine.id,
        kind: change.gate,
        at_most: at_most.saturating_sub(begun.elapsed()),
        steady: context.steady(&change.group),
        before: match machine.state {
            MachineState::Started => Baseline::of_unchanged(machine),
            _ => Baseline::before_start(machine),
        },
    };
    gate::wait_for_gate(context, progress, gate).await?;
    uncordon_if_removal_begun(context, progress).await
}

fn exit_error(id: &MachineId, exit: &Exit) -> StepError {
    StepError::Failed {
        code: answers::MACHINE_FAILED.name().to_owned(),
        message: format!("Machine {id} has failed: {exit}, and it is not restarted"),
        hint: Some(format!("check its logs: `aeroform logs {id}`")),
    }
}
