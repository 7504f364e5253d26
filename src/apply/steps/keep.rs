//! Adopt and wait: a Machine is taken into the state, and no call changes it.

use std::time::Duration;

use tokio::time::Instant;

use super::Progress;
use crate::apply::ends::{End, Part};
use crate::apply::gate::{self, Before, Gate, STAYS_CREATED};
use crate::apply::hands::Hands;
use crate::core::fleet::{DesiredGroup, Exit, Machine, MachineId, MachineState};
use crate::core::plan::{Change, GateKind, adopted_config};
use crate::provider::codes as answers;

/// A Machine of the snapshot, with the group that it is of.
pub(super) struct Taken<'a> {
    pub(super) machine: &'a Machine,
    /// None where its group is not wanted any more.
    pub(super) group: Option<&'a DesiredGroup>,
}

/// Takes an observed Machine: of its config only the keys that the manifests write (rule 10).
pub(super) fn take<'a>(
    hands: &Hands<'a>,
    progress: &mut Progress,
    change: &Change,
) -> Part<Taken<'a>> {
    let job = &hands.shared.job;
    let observed = change
        .machine
        .id
        .as_ref()
        .and_then(|id| job.observed.machines.get(id));
    let Some(machine) = observed else {
        return Err(End::conflict(format!("{} is gone", change.machine.name)));
    };
    let group = job.desired.groups.get(&change.group);
    let lineage = &job.observed.description.scope;
    progress.sent = Some(adopted_config(
        group,
        machine,
        &job.known.computed_fields,
        lineage,
    ));
    progress.machine = Some(machine.clone());
    Ok(Taken { machine, group })
}

/// Takes it as it is.
pub(super) fn adopt(hands: &Hands<'_>, progress: &mut Progress, change: &Change) -> Part {
    take(hands, progress, change).map(|_| ())
}

/// Waits for the gate that the run which made or changed it did not see pass; taken it is either way. One that
/// somebody has stopped has nothing to pass.
pub(super) async fn wait(hands: &Hands<'_>, progress: &mut Progress, change: &Change) -> Part {
    let Taken { machine, group } = take(hands, progress, change)?;
    let Some(group) = group else {
        return Ok(());
    };
    let at_most = Duration::from_secs(group.wait_timeout_s);
    let begun = Instant::now();
    let created = match change.gate {
        GateKind::Settled => STAYS_CREATED,
        GateKind::None | GateKind::Started | GateKind::Healthy | GateKind::Gone => at_most,
    };
    let live = hands
        .settled_or_created(&machine.id, (at_most, created))
        .await?;
    let live = live.filter(|live| !live.state.is_gone());
    let live = live.ok_or_else(|| End::conflict(format!("{} is gone", machine.id)))?;
    let created = live.state == MachineState::Created && change.gate == GateKind::Settled;
    let rests = created || live.state.is_inactive();
    let serves = group.template.has_services() || group.template.has_checks();
    let bad = live
        .last_exit()
        .filter(|exit| !exit.requested && (exit.is_crash() || serves));
    progress.machine = Some(live);
    if rests {
        return bad.map_or(Ok(()), |exit| Err(ended(&machine.id, &exit)));
    }
    let gate = Gate {
        id: &machine.id,
        kind: change.gate,
        at_most: at_most.saturating_sub(begun.elapsed()),
        steady: hands.steady(&change.group),
        before: match machine.state {
            MachineState::Started => Before::untouched(machine),
            _ => Before::on_its_way(machine),
        },
    };
    gate::pass(hands, progress, gate).await
}

fn ended(id: &MachineId, exit: &Exit) -> End {
    End::Failed {
        code: answers::MACHINE_FAILED.name().to_owned(),
        message: format!("Machine {id} has failed: {exit}, and it is not started again"),
        hint: Some(format!("look at its logs: `aeroform logs {id}`")),
    }
}
