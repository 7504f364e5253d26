//! What changes at once: pools, the waves of a group, and how many of its Machines serve at least. Data only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::types::{GateKind, StepId};
use crate::core::fleet::Region;

/// Index of a pool in [`super::Plan::pools`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PoolId(pub u32);

/// A set of steps with a limit on how many run at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// For people (`web: update, rolling`).
    pub name: String,
    /// The limit; `--parallelism` applies as well.
    pub size: usize,
    /// The limit of each region, within `size`; a region without one has none of its own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub per_region: BTreeMap<Region, usize>,
    /// When a change gives its place to the next one.
    #[serde(default, skip_serializing_if = "Frees::is_when_done")]
    pub frees: Frees,
    /// The first step of the pool runs alone, gate included, before the others.
    pub first_alone: bool,
    /// Whether steps that have not started are skipped after a failure in the pool.
    pub stops_on_failure: bool,
    /// Whether a failure in it stops the release, if failures do ([`super::Plan::on_failure`]).
    #[serde(default)]
    pub stops_release: bool,
}

/// When a change gives its place in a pool to the next one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frees {
    /// With its last step, gate included.
    #[default]
    WhenDone,
    /// As soon as its Machine exists: its gate is waited for beside the next one.
    WhenCreated,
}

impl Frees {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the form that serde calls"
    )]
    fn is_when_done(&self) -> bool {
        *self == Self::WhenDone
    }
}

/// Changes of one group that go together, before those of the next wave begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wave {
    /// Which of its Machines these are.
    pub name: WaveName,
    /// The first steps of these changes, in order.
    pub steps: Vec<StepId>,
    /// The pool that limits them.
    pub pool: PoolId,
    /// Whether the first one changes alone, gate included, before the others.
    pub first_alone: bool,
    /// How each is confirmed.
    pub gate: GateKind,
    /// Why they are started again, if all have the same reason; for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Wave {
    /// Those of its changes that may go together: without the first, if that goes alone.
    pub fn at_once<T>(&self, changes: Vec<T>) -> impl Iterator<Item = T> {
        let alone = self.first_alone && changes.len() > 1;
        changes.into_iter().skip(usize::from(alone))
    }
}

impl Pool {
    /// How many Machines in these regions change at once at most, in all and in each region.
    pub fn limits_of<'r>(&self, regions: impl IntoIterator<Item = &'r Region>) -> WaveLimits {
        let mut machines: BTreeMap<&Region, usize> = BTreeMap::new();
        for region in regions {
            *machines.entry(region).or_default() += 1;
        }
        let limit = |region: &Region| self.per_region.get(region).copied();
        let together = machines
            .iter()
            .map(|(region, n)| limit(region).map_or(*n, |limit| limit.min(*n)));
        let size = self.size.min(together.sum()).max(1);
        let per_region = machines.iter().filter_map(|(region, n)| {
            let most = limit(region)?.min(*n).min(size);
            Some(((*region).clone(), most))
        });
        WaveLimits {
            size,
            per_region: per_region.collect(),
        }
    }
}

/// How many Machines of one wave change at once at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaveLimits {
    /// In all.
    pub size: usize,
    /// In each of its regions that has a limit of its own.
    pub per_region: BTreeMap<Region, usize>,
}

/// Which Machines of a group change in one wave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaveName {
    /// An earlier run left them: their last change was never seen healthy, and they do not serve.
    ToStartAgain,
    /// They should run and do not, or their checks fail.
    Down,
    /// They run, and their last change was never seen healthy.
    Unproven,
    /// One that serves, alone: its gate proves the version.
    First,
    /// They were stopped and stay stopped.
    Stopped,
    /// They serve.
    Running,
    /// All of them, without waiting for health: the strategy is `immediate`.
    All,
}

/// How many Machines of a group serve at least.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LowestServing {
    /// Of the group as one.
    pub machines: u32,
    /// Its Machines before the apply, without standbys.
    pub of: u32,
    /// By region: how many serve at least, and of how many.
    pub regions: BTreeMap<Region, (u32, u32)>,
}

/// What happens to a Machine that is started for its gate, once that has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wake {
    /// The proxy stops it when it has no traffic.
    LeaveToProxy,
    /// The run stops it again.
    StopAgain,
}
