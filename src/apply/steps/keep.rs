//! Adopt: bookkeeping only, no call that changes anything.

use std::time::Duration;

use tokio::time::Instant;

use super::Progress;
use crate::apply::ends::{End, Part};
use crate::apply::gate::{self, Before, Gate, STAYS_CREATED};
use crate::apply::hands::Hands;
use crate::core::fleet::MachineState;
use crate::core::plan::{Change, GateKind, adopted};

/// Takes an observed Machine: of its config only the keys that the manifests write (RULES 10). Waits
/// for the gate that the run which made or changed it did not live to see; taken it is either way.
pub(super) async fn adopt(hands: &Hands<'_>, progress: &mut Progress, change: &Change) -> Part {
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
    progress.sent = Some(adopted(group, machine, lineage));
    progress.machine = Some(machine.clone());
    let (Some(group), false) = (group, change.gate == GateKind::None) else {
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
    let rests = created || live.state.rests();
    progress.machine = Some(live);
    if rests {
        return Ok(());
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
