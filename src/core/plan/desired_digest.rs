//! The desired state of each group as a saved plan stores it: every value of the config as a digest, a value that
//! looks like a secret as an HMAC (rule 37). It only serves to compare two plans; no output contains it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::chosen_limit::ChosenLimit;
use super::gates;
use super::requested::Requested;
use super::types::GateKind;
use crate::core::fleet::{
    Desired, DesiredGroup, GroupName, Lineage, OrderedRegions, StoredConfig, Strategy, Trial,
};
use crate::core::state;

/// The key of the volumes that new Machines get, beside the fields of the config.
const NEW_VOLUME: &str = "new_volume";

/// The entry of an order for all regions that it does not name.
const OTHER_REGIONS: &str = "*";

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
    /// How long a canary stays after its gate, milliseconds; none without a canary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary_soak_ms: Option<u64>,
    /// How long a Machine may take to start and pass its checks, seconds; none in plans of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_timeout_s: Option<u64>,
    /// `order`: regions, and `*` for all others; empty if all regions are updated together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<String>,
    /// Its list in `groups_order`.
    #[serde(default, skip_serializing_if = "is_first")]
    pub turn: usize,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the form that serde calls"
)]
fn is_first(turn: &usize) -> bool {
    *turn == 0
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
            Strategy::Rolling { max_unavailable } => match ChosenLimit::from(max_unavailable) {
                ChosenLimit::Machines(n) => Self::Machines(n),
                ChosenLimit::Millionths(share) => Self::Millionths(share),
            },
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
    /// Whether both are rolled out in the same way. The digest of the desired state does not say, since it is about what
    /// and not how.
    pub(super) fn has_same_rollout(&self, other: &Self) -> bool {
        let Self {
            config: _,
            at_once,
            gate,
            steady_ms,
            canary_soak_ms,
            wait_timeout_s,
            order,
            turn,
        } = self;
        let same_wait = match (wait_timeout_s, &other.wait_timeout_s) {
            (Some(one), Some(other)) => one == other,
            // A plan of an older version does not say.
            (None, _) | (_, None) => true,
        };
        same_wait
            && *canary_soak_ms == other.canary_soak_ms
            && (at_once, gate, steady_ms) == (&other.at_once, &other.gate, &other.steady_ms)
            && (order, turn) == (&other.order, &other.turn)
    }

    fn of(group: &DesiredGroup, turn: usize, requested: &Requested, lineage: &Lineage) -> Self {
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
            canary_soak_ms: match group.trial {
                Some(Trial::Canary { soak_ms }) => Some(soak_ms),
                Some(Trial::Bluegreen) | None => None,
            },
            wait_timeout_s: Some(group.wait_timeout_s),
            order: region_order(&group.region_order),
            turn,
        }
    }
}

/// `order` with its `*`, in one form for one meaning.
fn region_order(written: &[OrderedRegions]) -> Vec<String> {
    let entry = |entry: &OrderedRegions| match entry {
        OrderedRegions::Region(region) => region.to_string(),
        OrderedRegions::Others => OTHER_REGIONS.to_owned(),
    };
    let mut order: Vec<String> = written.iter().map(entry).collect();
    if !written.contains(&OrderedRegions::Others) {
        order.push(OTHER_REGIONS.to_owned());
    }
    if order.len() == 1 { Vec::new() } else { order }
}

/// The desired state of every group. Hidden values depend on the lineage.
pub(super) fn of_groups(
    desired: &Desired,
    requested: &Requested,
    lineage: &Lineage,
) -> BTreeMap<GroupName, DesiredGroupDigest> {
    let order = desired.rollout.groups_order.as_ref();
    let groups = desired.groups.iter();
    groups
        .map(|(name, group)| {
            let turn = order.map_or(0, |order| order.position(name));
            let digest = DesiredGroupDigest::of(group, turn, requested, lineage);
            (name.clone(), digest)
        })
        .collect()
}

/// A placeholder for the lineage of an app that has none yet.
pub(super) fn unknown_lineage() -> Lineage {
    Lineage::new("unknown").expect("`unknown` is a valid lineage")
}
