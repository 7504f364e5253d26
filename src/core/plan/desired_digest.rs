//! The desired state of each group as a saved plan stores it: every value of the config as a digest, a value that
//! looks like a secret as an HMAC (rule 37). It only serves to compare two plans; no output contains it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::gates;
use super::requested::Requested;
use super::types::GateKind;
use crate::core::fleet::{
    Desired, DesiredGroup, GroupName, Limit, Lineage, StoredConfig, Strategy,
};
use crate::core::state;

/// The key of the volumes that new Machines get, beside the fields of the config.
const NEW_VOLUME: &str = "new_volume";

/// The digests and rollout settings of one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DesiredGroupDigest {
    /// Digests of the template, by field of the config.
    pub config: BTreeMap<String, String>,
    /// How many Machines may be down at once.
    pub at_once: AtOnce,
    /// How a Machine that should run is confirmed.
    pub gate: GateKind,
    /// How long a changed Machine must stay up, milliseconds; none if neither a manifest nor a flag sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steady_ms: Option<u64>,
}

/// How many Machines of a group may be down at once. Integers only, so that the text of a plan has one form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtOnce {
    /// This many.
    Machines(u32),
    /// This share of them, in millionths.
    Millionths(u32),
    /// All: the strategy is `immediate`.
    All,
}

impl AtOnce {
    fn of(strategy: Strategy) -> Self {
        match strategy {
            Strategy::Immediate => Self::All,
            Strategy::Rolling {
                max_unavailable: Limit::Count(n),
            } => Self::Machines(n),
            Strategy::Rolling {
                max_unavailable: Limit::Share(share),
            } => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a share from 0 to 1"
                )]
                let millionths = (share.clamp(0.0, 1.0) * 1e6).round() as u32;
                Self::Millionths(millionths)
            }
        }
    }

    /// The number for a group of this size.
    pub(super) fn to_count(self, of: u32) -> u32 {
        match self {
            Self::Machines(n) => n.max(1),
            Self::Millionths(share) => {
                let machines = (u64::from(of) * u64::from(share)).div_ceil(1_000_000);
                u32::try_from(machines).unwrap_or(u32::MAX).max(1)
            }
            Self::All => u32::MAX,
        }
    }
}

impl DesiredGroupDigest {
    fn of(group: &DesiredGroup, requested: &Requested, lineage: &Lineage) -> Self {
        let template = StoredConfig::from_config(&group.template, lineage);
        let mut config = BTreeMap::new();
        if let Value::Object(fields) = template.tree() {
            let digest = |value: &Value| state::digest(&value.to_string());
            config.extend(
                fields
                    .iter()
                    .map(|(key, value)| (key.clone(), digest(value))),
            );
        }
        let volume = serde_json::to_string(&group.new_volume);
        let volume = volume.expect("plain data always serialises");
        config.insert(NEW_VOLUME.to_owned(), state::digest(&volume));
        Self {
            config,
            at_once: AtOnce::of(group.strategy),
            gate: gates::gate(group),
            steady_ms: requested.steady_ms.or(group.steady_ms),
        }
    }
}

/// The desired state of every group. Hidden values depend on the lineage.
pub(super) fn of_groups(
    desired: &Desired,
    requested: &Requested,
    lineage: &Lineage,
) -> BTreeMap<GroupName, DesiredGroupDigest> {
    let groups = desired.groups.iter();
    groups
        .map(|(name, group)| {
            (
                name.clone(),
                DesiredGroupDigest::of(group, requested, lineage),
            )
        })
        .collect()
}

/// A placeholder for the lineage of an app that has none yet.
pub(super) fn unknown_lineage() -> Lineage {
    Lineage::new("unknown").expect("`unknown` is a valid lineage")
}
