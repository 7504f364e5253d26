//! `plan --json`, and the plan inside other documents.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::FORMAT_VERSION;
use crate::core::fleet::{
    AppName, FieldChange, GroupName, MachineId, MachineName, MachineState, OnceKind, Region,
    VolumeId,
};
use crate::core::plan::hold::PlannedHold;
use crate::core::plan::way_back::RollbackEstimate;
use crate::core::plan::{
    Action, BaseComparison, Branch, Change, Comparison, Cost, Drift, DroppedChange, GateKind,
    GroupVerdict, Inherited, LowestServing, MachineRef, Note, Plan, PlanMode, PlannedRelease,
    PlannedVolume, Removal, ReplaceHalf, Revert, StandbyTarget, StateSource, StepId, Summary,
    SwapOverlap, UnlistedRun, Verb, Wave, WaveName,
};
use crate::core::view::run_report::step_change;

/// A plan, without barriers, pools, preconditions and expected Machines, which only the executor needs.
#[derive(Debug, Serialize)]
pub struct PlanDocument<'a> {
    format_version: u32,
    app: &'a AppName,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_from: Option<&'a str>,
    provider: &'a str,
    serial: u64,
    state: &'a StateSource,
    plan_digest: String,
    online: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<&'a PlannedHold>,
    destroys_app: bool,
    machines: usize,
    summary: Summary,
    shrinks: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reverts: Vec<Revert>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<&'a PlannedRelease>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<&'a Cost>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_least_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<PlanBase<'a>>,
    groups: Vec<PlanGroup<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    groups_order: &'a [Vec<GroupName>],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<PlanLeftOut<'a>>,
    steps: Vec<PlanStep<'a>>,
    drift: &'a [Drift],
    records: &'a [Note],
    notes: &'a [Note],
    warnings: &'a [Note],
    refusals: &'a [Note],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    unlisted_runs: &'a [UnlistedRun],
}

/// The comparison with the base. The numbers and groups of the document are then those of this change; steps,
/// drift and remarks are complete.
#[derive(Debug, Serialize)]
struct PlanBase<'a> {
    #[serde(flatten)]
    result: &'a BaseComparison,
    remarks: &'a [Note],
    pending: Summary,
    dropped: &'a [DroppedChange],
}

/// What a filter leaves out of a group.
#[derive(Debug, Serialize)]
struct PlanLeftOut<'a> {
    group: &'a GroupName,
    filter: &'a str,
    actions: &'a BTreeMap<Verb, u32>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    machines: &'a BTreeSet<MachineId>,
}

#[derive(Debug, Serialize)]
struct PlanGroup<'a> {
    name: &'a GroupName,
    before: u32,
    after: u32,
    change: GroupVerdict,
    regions: BTreeMap<&'a Region, RegionCounts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    moved_from: &'a [GroupName],
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    strategy: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waves: Vec<PlanWave<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lowest_serving: Option<PlanServing<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    checks: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_timeout_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steady_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_least_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    overlap: Option<&'a SwapOverlap>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollback: Option<RollbackEstimate>,
}

#[derive(Debug, Serialize)]
struct PlanWave<'a> {
    name: WaveName,
    size: usize,
    per_region: BTreeMap<Region, usize>,
    first_alone: bool,
    machines: Vec<WaveMachine<'a>>,
    gate: GateKind,
}

#[derive(Debug, Serialize)]
struct WaveMachine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a MachineId>,
    name: &'a MachineName,
    region: &'a Region,
}

#[derive(Debug, Serialize)]
struct PlanServing<'a> {
    machines: u32,
    of: u32,
    regions: BTreeMap<&'a Region, RegionServing>,
}

#[derive(Debug, Serialize)]
struct RegionServing {
    machines: u32,
    of: u32,
}

#[derive(Debug, Serialize)]
struct RegionCounts {
    before: u32,
    after: u32,
}

#[derive(Debug, Serialize)]
struct PlanStep<'a> {
    id: StepId,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pending: bool,
    action: Verb,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<ReplaceHalf>,
    group: &'a GroupName,
    region: &'a Region,
    machine: &'a MachineRef,
    reason: &'a str,
    changes: &'a [FieldChange],
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a GroupName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<&'a MachineId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    removal: Option<Removal>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    greens: Vec<&'a StandbyTarget>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    blues: &'a [MachineId],
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<OnceKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    standby_for: &'a [StandbyTarget],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    volumes: &'a [VolumeId],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    new_volumes: &'a [PlannedVolume],
    #[serde(skip_serializing_if = "Option::is_none")]
    inherits: Option<&'a Inherited>,
    #[serde(skip_serializing_if = "Option::is_none")]
    soak_ms: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    leaves: &'a [VolumeId],
    gate: GateKind,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    branches: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<MachineState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reverts: Option<u64>,
}

/// The document of a plan.
pub fn plan(plan: &Plan) -> PlanDocument<'_> {
    PlanDocument {
        format_version: FORMAT_VERSION,
        app: &plan.app,
        app_from: plan.named_by.as_ref().map(|named| named.source.as_str()),
        provider: &plan.provider,
        serial: plan.serial,
        state: &plan.state,
        plan_digest: plan.plan_digest(),
        online: plan.online,
        hold: plan.hold.as_ref(),
        destroys_app: plan.mode == PlanMode::Destroy,
        machines: plan.machines,
        summary: plan.summary(),
        shrinks: plan.downsized_count(),
        reverts: plan.reverts(),
        release: plan.release.as_ref(),
        cost: plan.cost.as_deref(),
        at_least_ms: plan.at_least_ms,
        base: None,
        groups: plan
            .groups
            .iter()
            .map(|group| plan_group(plan, group))
            .collect(),
        groups_order: &plan.groups_order,
        left_out: plan
            .left_out
            .iter()
            .map(|left| PlanLeftOut {
                group: &left.group,
                filter: &left.filter,
                actions: &left.actions,
                machines: &left.machines,
            })
            .collect(),
        steps: plan
            .changes()
            .map(|(id, change)| plan_step(id, change))
            .collect(),
        drift: &plan.drift,
        records: &plan.records,
        notes: &plan.notes,
        warnings: &plan.warnings,
        refusals: &plan.refusals,
        unlisted_runs: &plan.unlisted_runs,
    }
}

/// The document of a plan that was compared with its base. `this_change` is the part of it that is this change.
pub fn compared_plan<'a>(
    plan: &'a Plan,
    this_change: &'a Plan,
    comparison: &'a Comparison,
) -> PlanDocument<'a> {
    let steps = plan.changes().map(|(id, change)| PlanStep {
        pending: !comparison.is_this_change(id),
        ..plan_step(id, change)
    });
    let base = PlanBase {
        result: &comparison.base,
        remarks: &comparison.remarks,
        pending: comparison.pending_summary(plan),
        dropped: &comparison.dropped,
    };
    PlanDocument {
        base: Some(base),
        steps: steps.collect(),
        drift: &plan.drift,
        records: &plan.records,
        notes: &plan.notes,
        warnings: &plan.warnings,
        refusals: &plan.refusals,
        ..self::plan(this_change)
    }
}

fn plan_group<'a>(plan: &'a Plan, group: &'a crate::core::plan::GroupChange) -> PlanGroup<'a> {
    PlanGroup {
        name: &group.name,
        before: group.before,
        after: group.after,
        change: group.verdict,
        regions: group
            .regions
            .iter()
            .map(|(region, (before, after))| {
                let counts = RegionCounts {
                    before: *before,
                    after: *after,
                };
                (region, counts)
            })
            .collect(),
        command: group.command.as_deref(),
        moved_from: &group.moved_from,
        why: group.count_reason.as_deref(),
        size: group.size.as_deref(),
        strategy: &group.strategy,
        waves: group
            .waves
            .iter()
            .filter_map(|wave| plan_wave(plan, wave))
            .collect(),
        lowest_serving: group.lowest_serving.as_ref().map(plan_serving),
        checks: &group.checks,
        wait_timeout_ms: group.wait_timeout_ms,
        steady_ms: group.steady_ms,
        at_least_ms: group.at_least_ms,
        overlap: group.overlap.as_ref(),
        rollback: plan.rollback_estimate(&group.name),
    }
}

/// A wave; none if the plan has no step of it.
fn plan_wave<'a>(plan: &'a Plan, wave: &Wave) -> Option<PlanWave<'a>> {
    let pool = plan.pools.get(wave.pool.0 as usize)?;
    let steps = wave.steps.iter();
    let changes = steps.filter_map(|step| step_change(plan, *step));
    let machines = changes.map(|change| WaveMachine {
        id: change.machine.id.as_ref().or(change.replaces()),
        name: &change.machine.name,
        region: &change.region,
    });
    let machines: Vec<WaveMachine<'_>> = machines.collect();
    let regions: Vec<&Region> = machines.iter().map(|machine| machine.region).collect();
    let limits = pool.limits_of(wave.at_once(regions));
    (!machines.is_empty()).then_some(PlanWave {
        name: wave.name,
        size: limits.size,
        per_region: limits.per_region,
        first_alone: wave.first_alone,
        machines,
        gate: wave.gate,
    })
}

fn plan_serving(lowest: &LowestServing) -> PlanServing<'_> {
    let regions = lowest.regions.iter().map(|(region, (machines, of))| {
        let serving = RegionServing {
            machines: *machines,
            of: *of,
        };
        (region, serving)
    });
    PlanServing {
        machines: lowest.machines,
        of: lowest.of,
        regions: regions.collect(),
    }
}

fn plan_step(id: StepId, change: &Change) -> PlanStep<'_> {
    let (action, part) = change.action.verb();
    let mut step = PlanStep {
        id,
        pending: false,
        action,
        part,
        group: &change.group,
        region: &change.region,
        machine: &change.machine,
        reason: &change.reason,
        changes: &change.changes,
        from: None,
        replaces: change.replaces(),
        removal: None,
        greens: Vec::new(),
        blues: &[],
        command: None,
        port: None,
        standby_for: change.standby_for(),
        volumes: change.taken_volumes(),
        new_volumes: change.new_volumes(),
        inherits: None,
        soak_ms: None,
        leaves: change.left_volumes(),
        gate: change.gate,
        branches: change.branches.iter().map(Branch::as_str).collect(),
        state: change.state,
        reverts: change.reverts,
    };
    match &change.action {
        Action::Create { port, inherits, .. } => {
            step.port = *port;
            step.inherits = Some(&**inherits).filter(|inherits| !inherits.is_empty());
        }
        Action::Canary {
            port,
            inherits,
            soak_ms,
            ..
        } => {
            step.port = *port;
            step.inherits = Some(&**inherits).filter(|inherits| !inherits.is_empty());
            step.soak_ms = Some(*soak_ms);
        }
        Action::Move { from, .. } => step.from = Some(from),
        Action::Destroy { removal, .. } => step.removal = Some(*removal),
        Action::Once { what, .. } => step.command = Some(*what),
        Action::Switch { greens, blues, .. } => {
            step.greens = greens.iter().map(|green| &green.machine).collect();
            step.blues = blues;
        }
        Action::Update { .. } | Action::Wait | Action::Start | Action::Adopt | Action::Forget => {}
    }
    step
}
