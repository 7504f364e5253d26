//! Adopt: bookkeeping only, no call.

use super::Progress;
use crate::apply::ends::{End, Part};
use crate::apply::hands::Hands;
use crate::core::plan::{Change, adopted};

/// Takes an observed Machine: of its config only the keys that the manifests write (RULES 10).
pub(super) fn adopt(hands: &Hands<'_>, progress: &mut Progress, change: &Change) -> Part {
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
    Ok(())
}
