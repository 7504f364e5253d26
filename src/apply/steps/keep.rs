//! Adopt: bookkeeping only, no call that changes anything.

use std::time::Duration;

use super::Progress;
use crate::apply::ends::{End, Part};
use crate::apply::gate::{self, Before, Gate};
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
    let live = hands.settled(&machine.id, at_most).await?;
    let live = live.filter(|live| !live.state.is_gone());
    let live = live.ok_or_else(|| End::conflict(format!("{} is gone", machine.id)))?;
    let runs = live.state.runs();
    progress.machine = Some(live);
    if !runs {
        return Ok(());
    }
    let gate = Gate {
        id: &machine.id,
        kind: change.gate,
        at_most,
        steady: hands.steady(&change.group),
        before: match machine.state {
            MachineState::Started => Before::untouched(machine),
            _ => Before::on_its_way(machine),
        },
    };
    gate::pass(hands, progress, gate).await
}
