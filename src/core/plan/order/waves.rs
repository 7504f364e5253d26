//! The waves of one group: which of its Machines change together, and in which order.
//!
//! First those that are down, which costs no capacity; then one that serves, alone, whose gate proves the
//! version; then the stopped ones, so that the proxy can start one of the new version; then the others that
//! serve. With `order`, region after region. Decides nothing about a single Machine.

use std::collections::{BTreeMap, BTreeSet};

use super::serving::{is_serving, may_serve};
use super::standbys::Primaries;
use super::updates::StepSlot;
use super::{FailureScope, StepBuilder};
use crate::core::fleet::schema::Service;
use crate::core::fleet::{DesiredGroup, GroupName, MachineState, OrderedRegions, Region, Strategy};
use crate::core::plan::decision::{ChangeRole, ChangedMachine, GroupDecision};
use crate::core::plan::gates::{WaveClass, gate};
use crate::core::plan::members::Member;
use crate::core::plan::types::{GateKind, PoolId, StepId, Wake, Wave, WaveName, Work};

/// flyctl's pool size for Machines that do not run (docs/platform/fly-toml.md 12.1).
const COLD_POOL: usize = 30;

/// Changes of one group.
type Changes<'d, 'a> = Vec<&'d ChangedMachine<'a>>;

/// A group whose waves are laid out.
pub(super) struct GroupWaves<'w, 'a> {
    pub(super) decisions: &'w BTreeMap<GroupName, GroupDecision<'a>>,
    pub(super) name: &'w GroupName,
    pub(super) group: &'w DesiredGroup,
    pub(super) decision: &'w GroupDecision<'a>,
    /// Whether a stopped Machine is started first.
    pub(super) wakes: bool,
}

/// One wave before it has steps.
struct WavePlan<'d, 'a> {
    name: WaveName,
    changes: Changes<'d, 'a>,
    gate: GateKind,
    /// What the next wave waits for, for people.
    passed: &'static str,
}

impl<'w, 'a> GroupWaves<'w, 'a> {
    /// The waves of a rolling update, in order.
    fn rolling(&self) -> Vec<WavePlan<'w, 'a>> {
        let mut of_class: BTreeMap<WaveClass, Changes<'w, 'a>> = BTreeMap::new();
        let primaries = self.decision.changed.iter();
        let primaries = primaries.filter(|changed| changed.role == ChangeRole::Primary);
        for changed in primaries.filter(|changed| !self.arrives(changed)) {
            let class = WaveClass::of(self.group, &changed.member);
            of_class.entry(class).or_default().push(changed);
        }
        let mut take = |class: WaveClass| of_class.remove(&class).unwrap_or_default();
        let gate = gate(self.group);
        let wave = |name, changes, passed| WavePlan {
            name,
            changes,
            gate,
            passed,
        };
        let mut waves = vec![wave(WaveName::Down, take(WaveClass::Down), "all up again")];
        for unproven in self.by_stage(take(WaveClass::Unproven)) {
            waves.push(wave(WaveName::Unproven, unproven, "all seen to work"));
        }
        let serving = self.by_stage(take(WaveClass::Serving));
        let stopped = self.by_stage(take(WaveClass::Resting));
        let mut proven = false;
        for (mut serving, mut stopped) in serving.into_iter().zip(stopped) {
            if self.wakes && !proven && !stopped.is_empty() {
                let woken = vec![stopped.remove(0)];
                waves.push(wave(WaveName::First, woken, "the first has passed"));
                proven = true;
            }
            let first = (!proven && !serving.is_empty()).then(|| self.take_first(&mut serving));
            proven |= first.is_some();
            let first = wave(
                WaveName::First,
                Vec::from_iter(first),
                "the first has passed",
            );
            let stopped = WavePlan {
                gate: GateKind::Settled,
                ..wave(WaveName::Stopped, stopped, "all stopped ones updated")
            };
            if self.only_one_serves() {
                waves.extend([stopped, first]);
            } else {
                waves.extend([first, stopped]);
            }
            waves.push(wave(WaveName::Running, serving, "all running ones updated"));
        }
        waves.retain(|wave| !wave.changes.is_empty());
        waves
    }

    /// Machines that serve in another group until they move here: after the updates of both groups, since until then
    /// they keep their region serving there.
    fn arrivals(&self) -> Vec<WavePlan<'w, 'a>> {
        let changed = self.decision.changed.iter();
        let arriving = changed.filter(|changed| self.arrives(changed)).collect();
        let wave = |changes| WavePlan {
            name: WaveName::Running,
            changes,
            gate: gate(self.group),
            passed: "all of a region arrived",
        };
        let stages = self.by_stage(arriving).into_iter();
        let stages = stages.filter(|changes| !changes.is_empty());
        stages.map(wave).collect()
    }

    fn arrives(&self, changed: &ChangedMachine<'_>) -> bool {
        changed.member.leaves_group.is_some()
            && self.group.strategy != Strategy::Immediate
            && may_serve(self.group, changed)
    }

    /// All in one wave.
    fn immediate(&self) -> Vec<WavePlan<'w, 'a>> {
        let primaries = self.decision.changed.iter();
        let primaries = primaries.filter(|changed| changed.role == ChangeRole::Primary);
        let changes: Changes<'w, 'a> = primaries.collect();
        if changes.is_empty() {
            return Vec::new();
        }
        vec![WavePlan {
            name: WaveName::All,
            changes,
            gate: GateKind::None,
            passed: "all updated",
        }]
    }

    /// Those of each stage of `order`; without it, all in one.
    fn by_stage(&self, changes: Changes<'w, 'a>) -> Vec<Changes<'w, 'a>> {
        let order = &self.group.region_order;
        let others_last = !order.contains(&OrderedRegions::Others);
        let count = order.len() + usize::from(others_last);
        let mut stages: Vec<Changes<'w, 'a>> = (0..count).map(|_| Vec::new()).collect();
        for changed in changes {
            stages[stage_of(order, changed.member.region)].push(changed);
        }
        stages
    }

    /// Takes the one that goes alone: of the region where most serve.
    fn take_first(&self, serving: &mut Changes<'w, 'a>) -> &'w ChangedMachine<'a> {
        let mut regions: BTreeMap<&Region, usize> = BTreeMap::new();
        for member in self.decision.members.iter().filter(|m| is_serving(m)) {
            *regions.entry(member.region).or_default() += 1;
        }
        let rank = |at: &usize| {
            let member = &serving[*at].member;
            let serves = regions.get(member.region).copied().unwrap_or(0);
            // A cordoned one takes no traffic.
            (is_serving(member), serves, std::cmp::Reverse(*at))
        };
        let best = (0..serving.len()).max_by_key(rank);
        serving.remove(best.unwrap_or(0))
    }

    fn only_one_serves(&self) -> bool {
        let members = self.decision.members.iter();
        members.filter(|member| is_serving(member)).count() == 1
    }
}

/// Whether Machines of a rolling group change, and none of it runs or comes up: no check of it runs.
pub(in crate::core::plan) fn nothing_runs(
    group: &DesiredGroup,
    decision: &GroupDecision<'_>,
) -> bool {
    let changed = decision.changed.iter();
    let mut primaries = changed.filter(|changed| changed.role == ChangeRole::Primary);
    let may_run = |member: &Member<'_>| member.state().is_none_or(MachineState::should_run);
    group.strategy != Strategy::Immediate
        && decision.creates.is_empty()
        && decision.unproven.is_empty()
        && !decision.members.iter().any(may_run)
        && primaries.clone().next().is_some()
        && primaries.all(|c| WaveClass::of(group, &c.member) == WaveClass::Resting)
}

/// Whether starting one Machine of a group of which nothing runs proves its change: it has checks, and no Machine of
/// it runs by a schedule.
pub(in crate::core::plan) fn can_be_woken(
    group: &DesiredGroup,
    decision: &GroupDecision<'_>,
) -> bool {
    let scheduled = |member: &Member<'_>| {
        let config = member.observed.and_then(|seen| seen.config.as_deref());
        config.is_some_and(|config| config.schedule.is_some())
    };
    nothing_runs(group, decision)
        && group.template.has_checks()
        && group.template.schedule.is_none()
        && !decision.members.iter().any(scheduled)
}

/// The stage of a region.
fn stage_of(order: &[OrderedRegions], region: &Region) -> usize {
    let named =
        |entry: &OrderedRegions| matches!(entry, OrderedRegions::Region(named) if named == region);
    let others = || {
        order
            .iter()
            .position(|entry| *entry == OrderedRegions::Others)
    };
    let found = order.iter().position(named).or_else(others);
    found.unwrap_or(order.len())
}

impl StepBuilder<'_, '_, '_> {
    /// Updates, moves and replacements by the group's strategy, except those that went first.
    pub(super) fn add_updates(
        &mut self,
        group: &GroupWaves<'_, '_>,
        primaries: &mut Primaries,
        after: Option<StepId>,
    ) -> Vec<StepId> {
        let waves = match group.group.strategy {
            Strategy::Immediate => group.immediate(),
            Strategy::Rolling { .. } => group.rolling(),
        };
        self.add_waves(group, waves, primaries, after)
    }

    /// Moves of Machines that serve in other groups, once the own ones of those are updated.
    pub(super) fn add_arrivals(
        &mut self,
        group: &GroupWaves<'_, '_>,
        primaries: &mut Primaries,
        after: Option<StepId>,
    ) -> Vec<StepId> {
        let waves = group.arrivals();
        let arriving = waves.iter().flat_map(|wave| &wave.changes);
        let left: BTreeSet<&GroupName> = arriving
            .filter_map(|changed| changed.member.leaves_group.as_ref())
            .collect();
        let updated = left
            .iter()
            .filter_map(|left| self.updated_groups.get(*left));
        let needs: BTreeSet<StepId> = updated.copied().chain(after).collect();
        if waves.is_empty() {
            return Vec::new();
        }
        let name = format!("{}: those that come may leave", group.name);
        let ready = self.add_barrier(name, needs.into_iter().collect());
        self.add_waves(group, waves, primaries, ready)
    }

    fn add_waves(
        &mut self,
        group: &GroupWaves<'_, '_>,
        waves: Vec<WavePlan<'_, '_>>,
        primaries: &mut Primaries,
        after: Option<StepId>,
    ) -> Vec<StepId> {
        let mut after = after;
        let mut last_steps = Vec::new();
        let mut waves = waves.into_iter().peekable();
        while let Some(wave) = waves.next() {
            last_steps = self.add_wave(group, &wave, primaries, after);
            if waves.peek().is_some() {
                let name = format!("{}: {}", group.name, wave.passed);
                let needs = std::mem::take(&mut last_steps);
                after = self.add_barrier(name, needs);
            }
        }
        last_steps
    }

    /// Lays out the steps of a wave; returns the last one of each change.
    fn add_wave(
        &mut self,
        group: &GroupWaves<'_, '_>,
        wave: &WavePlan<'_, '_>,
        primaries: &mut Primaries,
        after: Option<StepId>,
    ) -> Vec<StepId> {
        let mut of_wave = None;
        let mut steps = Vec::new();
        for changed in &wave.changes {
            let serving = may_serve(group.group, changed)
                .then(|| self.serving_pool(group.decisions, &changed.member));
            let pool = serving
                .flatten()
                .unwrap_or_else(|| *of_wave.get_or_insert_with(|| self.add_wave_pool(group, wave)));
            let gate = wave.gate;
            let slot = StepSlot { pool, after, gate };
            steps.push(self.add_update(group.name, group.decision, changed, primaries, slot));
        }
        if group.wakes && wave.name == WaveName::First {
            self.set_wake(group.group, &steps);
        }
        self.record_wave(group.name, wave.name, &steps, (wave.gate, None));
        steps
    }

    /// The pool of Machines that do not serve, or whose group is updated all at once.
    fn add_wave_pool(&mut self, group: &GroupWaves<'_, '_>, wave: &WavePlan<'_, '_>) -> PoolId {
        let (name, n) = (group.name, wave.changes.len());
        let (max_unavailable, stops) = match group.group.strategy {
            Strategy::Rolling { max_unavailable } => (max_unavailable, FailureScope::All),
            Strategy::Immediate => {
                let name = format!("{name}: update, immediate");
                return self.add_pool(name, n, false, FailureScope::of(group.group));
            }
        };
        let (what, size) = match wave.name {
            WaveName::Stopped => ("stopped", n.min(COLD_POOL)),
            WaveName::ToStartAgain
            | WaveName::Down
            | WaveName::Unproven
            | WaveName::First
            | WaveName::Running
            | WaveName::All => ("those that are down", max_unavailable.to_count_ceil(n)),
        };
        // A stopped one proves nothing, but the first may show that the config is refused.
        let first_alone = !self.has_waves(name);
        let first_alone = first_alone || wave.name != WaveName::Stopped;
        self.add_pool(
            format!("{name}: update {what}, rolling"),
            size,
            first_alone,
            stops,
        )
    }

    /// Has the changes of these steps start their Machines.
    fn set_wake(&mut self, group: &DesiredGroup, steps: &[StepId]) {
        let mut services = group.template.services.iter().flatten();
        let wake = if services.any(Service::has_autostop) {
            Wake::LeaveToProxy
        } else {
            Wake::StopAgain
        };
        for step in steps {
            if let Work::Change(change) = &mut self.order.steps[step.0 as usize].work {
                change.wake = Some(wake);
            }
        }
    }

    fn has_waves(&self, group: &GroupName) -> bool {
        self.order.waves.contains_key(group)
    }

    /// Records a wave of these changes, each by its last step.
    pub(super) fn record_wave(
        &mut self,
        group: &GroupName,
        name: WaveName,
        last_steps: &[StepId],
        (gate, reason): (GateKind, Option<String>),
    ) {
        let steps = &self.order.steps;
        let first_half = |last: &StepId| steps[last.0 as usize].completes.unwrap_or(*last);
        let first_steps: Vec<StepId> = last_steps.iter().map(first_half).collect();
        let first = first_steps.first();
        let Some(pool) = first.and_then(|first| steps[first.0 as usize].pool) else {
            return;
        };
        let waves = self.order.waves.entry(group.clone()).or_default();
        let begins = waves.iter().all(|wave| wave.pool != pool);
        waves.push(Wave {
            name,
            steps: first_steps,
            pool,
            first_alone: begins && self.order.pools[pool.0 as usize].first_alone,
            gate,
            reason,
        });
    }
}
