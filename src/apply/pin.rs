//! What must still be true of a Machine when it is touched (RULES 24).

use crate::core::fleet::{Lineage, Machine, StoredConfig};
use crate::core::plan::Pin;

/// How the Machine differs from what the plan saw, for people; none when it does not. A new instance
/// of an equal config is no difference.
pub(super) fn mismatch(pin: &Pin, live: &Machine, lineage: &Lineage) -> Option<String> {
    if let Some(text) = elsewhere(pin, live) {
        return Some(text);
    }
    let config = live
        .config
        .as_ref()
        .map(|config| StoredConfig::of(config, lineage).digest());
    if pin.config.is_some() && config != pin.config {
        return Some(format!(
            "the config of {} has changed since the plan",
            live.id
        ));
    }
    if live.volumes != pin.volumes {
        return Some(format!("{} has other volumes than in the plan", live.id));
    }
    if live.standby_for != pin.standby_for {
        return Some(format!("{} stands by for others than in the plan", live.id));
    }
    None
}

/// The part of it that matters to a Machine which goes: that it is the one.
pub(super) fn elsewhere(pin: &Pin, live: &Machine) -> Option<String> {
    if live.id != pin.id {
        return Some(format!("{} answers for {}", live.id, pin.id));
    }
    (live.region != pin.region).then(|| {
        format!(
            "{} is in {} and was in {}",
            live.id, live.region, pin.region
        )
    })
}
