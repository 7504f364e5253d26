//! Adopt: bookkeeping only, no call that changes anything.

use std::time::Duration;

use super::Progress;
use crate::apply::ends::{End, Part};
use crate::apply::gate::{self, Before, Gate};
use crate::apply::hands::Hands;
use crate::core::plan::{Change, adopted};

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
    progress.sent = Some(adopted(group, machine.config.as_ref(), lineage));
    progress.machine = Some(machine.clone());
    let gate = Gate {
        id: &machine.id,
        kind: change.gate,
        at_most: group.map_or(Duration::ZERO, |group| {
            Duration::from_secs(group.wait_timeout_s)
        }),
        before: Before::default(),
    };
    gate::pass(hands, progress, gate).await
}
