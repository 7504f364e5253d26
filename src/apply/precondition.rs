//! Checks that a Machine is still as planned before it is changed (rule 24).

use std::collections::BTreeSet;

use crate::core::fleet::{Lineage, Machine, MachineId, StoredConfig};
use crate::core::plan::Precondition;

/// How the Machine differs from the plan's snapshot, as text. A new instance with an equal config is no
/// difference.
pub(super) fn mismatch(pin: &Precondition, live: &Machine, lineage: &Lineage) -> Option<String> {
    if live.id != pin.id {
        return Some(format!("{} answers for {}", live.id, pin.id));
    }
    if live.region.is_known() && live.region != pin.region {
        return Some(format!(
            "{} is in {}, and was in {}",
            live.id, live.region, pin.region
        ));
    }
    // An unreachable host shows nothing to compare.
    if live.config.is_none() && pin.config.is_none() {
        return None;
    }
    let config = live
        .config
        .as_ref()
        .map(|config| StoredConfig::from_config(config, lineage).digest());
    if pin.config.is_some() && config != pin.config {
        return Some(format!("the config of {} changed since the plan", live.id));
    }
    if live.volumes != pin.volumes {
        return Some(format!(
            "{} has different volumes than in the plan",
            live.id
        ));
    }
    let as_set = |ids: &[MachineId]| ids.iter().cloned().collect::<BTreeSet<_>>();
    if as_set(&live.standby_for) != as_set(&pin.standby_for) {
        return Some(format!(
            "{} is a standby for other Machines than in the plan",
            live.id
        ));
    }
    None
}
