//! How long a Machine must stay up before its change counts as done (rule 29).

use std::time::Duration;

use super::requested::Requested;
use super::types::Plan;
use crate::core::fleet::{Capabilities, DesiredGroup, GroupName, Strategy};

/// The window of this group in milliseconds: from a flag, else the manifest, else the provider's default. None
/// if the group does not wait, and offline without an explicit value.
///
/// The window lies within `wait_timeout`; the default leaves half of that for the start.
pub fn steady_ms(
    group: &DesiredGroup,
    requested: &Requested,
    capabilities: Option<&Capabilities>,
) -> Option<u64> {
    if group.strategy == Strategy::Immediate {
        return None;
    }
    let most = group.wait_timeout_s.saturating_mul(1000) / 2;
    let usual = || Some(capabilities?.steady_ms.min(most));
    let window = requested.steady_ms.or(group.steady_ms).or_else(usual);
    window.filter(|window| *window > 0)
}

impl Plan {
    /// The window of this group.
    pub fn steady_window(&self, group: &GroupName) -> Duration {
        let found = self.groups.iter().find(|change| change.name == *group);
        Duration::from_millis(found.and_then(|group| group.steady_ms).unwrap_or(0))
    }
}
