//! `[hold]`: the release whose images and configs the fleet has while it stands in aeroform.toml (rule 41).

use std::collections::BTreeSet;

use serde::Serialize;

use super::GroupName;

/// `[hold]` of aeroform.toml.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// The number of the release.
    pub release: u64,
    /// Its groups; none for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<BTreeSet<GroupName>>,
}

impl Hold {
    /// Whether this group has the config of the release.
    pub fn covers(&self, group: &GroupName) -> bool {
        let groups = self.groups.as_ref();
        groups.is_none_or(|groups| groups.contains(group))
    }
}
