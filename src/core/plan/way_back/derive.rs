//! The steps that undo a run, from its plan and its results.
//!
//! Machines that failed come first, then the others in the reverse order of their changes, each in the pool of
//! its change: never are more of a group down at once than the strategy allows. Standbys follow the Machines
//! that they watch. Machines without a predecessor are destroyed last, when everything else is back.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::fleet::{
    CheckState, CheckStatus, Desired, Known, LaunchId, Machine, MachineConfig, MachineId,
    MachineName, MachineState, Observed, OnFailure, Strategy, VolumeId,
};
use crate::core::plan::releases;
use crate::core::plan::types::{
    Action, Change, GateKind, Inherited, MachineRef, Outcome, Plan, PoolId, Removal, StandbyTarget,
    Step, StepId, StepResult, Work,
};

/// A run whose calls have ended.
#[derive(Clone, Copy)]
pub struct RunSoFar<'a> {
    /// Its plan.
    pub plan: &'a Plan,
    /// The desired state.
    pub desired: &'a Desired,
    /// The state before it.
    pub known: &'a Known,
    /// The snapshot before it.
    pub observed: &'a Observed,
    /// The result of each step, by id.
    pub results: &'a [StepResult],
    /// The Machines as each step read them under their lease, before its first call.
    pub bodies: &'a BTreeMap<(StepId, MachineId), Machine>,
    /// The steps in the order in which they ended.
    pub ended: &'a [StepId],
}

/// What undoes a run: a plan whose steps count from zero.
#[derive(Debug, Clone, PartialEq)]
pub struct WayBack {
    /// The steps and pools.
    pub plan: Plan,
    /// What each step undoes, by id; none for a barrier.
    pub undoes: Vec<Option<Undoing>>,
    /// Replacements that cannot be undone, because the previous config is not known.
    pub left: Vec<(StepId, MachineRef)>,
    /// The release that its Machines had before, if it is one.
    pub to: Option<u64>,
}

/// What one step undoes.
#[derive(Debug, Clone, PartialEq)]
pub enum Undoing {
    /// An update or move: the Machine gets its previous body.
    PutBack {
        /// The step of the first plan.
        step: StepId,
        /// The Machine before.
        before: Box<Machine>,
        /// The Machine as that step saw it last.
        seen: Option<Box<Machine>>,
    },
    /// A replacement: a new Machine gets the body of the one that is gone.
    Restore {
        /// The step of the first plan.
        step: StepId,
        /// The Machine before.
        before: Box<Machine>,
        /// The launch id of the new Machine.
        launch: LaunchId,
        /// The Machine that replaced it, as the run saw it last.
        replacement: Option<Box<Machine>>,
    },
    /// A create: the Machine is destroyed.
    Remove {
        /// The step of the first plan.
        step: StepId,
        /// The Machine as that step saw it last.
        seen: Box<Machine>,
    },
}

impl Undoing {
    /// The step of the first plan.
    pub fn step(&self) -> StepId {
        match self {
            Self::PutBack { step, .. } | Self::Restore { step, .. } | Self::Remove { step, .. } => {
                *step
            }
        }
    }

    /// The Machine before, if there was one.
    fn before(&self) -> Option<&Machine> {
        match self {
            Self::PutBack { before, .. } | Self::Restore { before, .. } => Some(before),
            Self::Remove { .. } => None,
        }
    }
}

/// How much of a run is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UndoScope {
    /// All of it; of a swap only what is not switched.
    Run,
    /// The greens of a swap that is not switched.
    Greens,
}

/// Whether the run has begun to switch a swap: from there on no green is destroyed.
pub fn has_switched(plan: &Plan, results: &[StepResult]) -> bool {
    plan.changes().any(|(step, change)| {
        let result = results.get(step.0 as usize);
        matches!(change.action, Action::Switch { .. })
            && result.is_some_and(|result| match result.outcome {
                // One of its greens was down before its first call.
                Outcome::Failed { .. } => !result.gate_failed,
                Outcome::Done | Outcome::Unknown { .. } => true,
                Outcome::Skipped { .. } | Outcome::NotStarted => false,
            })
    })
}

/// The plan that undoes the run; none if it changed nothing that can be undone.
pub fn derive(run: RunSoFar<'_>, scope: UndoScope) -> Option<WayBack> {
    let mut build = Builder {
        run,
        way: WayBack {
            plan: empty_plan(run.plan),
            undoes: Vec::new(),
            left: Vec::new(),
            to: None,
        },
        used: used_launches(run),
    };
    let units = Units::of(run, scope);
    build.way.left.clone_from(&units.left);
    let mut primaries: Vec<StepId> = Vec::new();
    for unit in &units.primaries {
        primaries.push(build.add_unit(unit, &[]));
    }
    let primaries = build.add_barrier("every change undone", primaries);
    let mut back: Vec<StepId> = primaries.into_iter().collect();
    let after: Vec<StepId> = back.clone();
    for unit in &units.standbys {
        back.push(build.add_unit(unit, &after));
    }
    let back = build.add_barrier("every standby back", back);
    let needs: Vec<StepId> = back.into_iter().collect();
    for (step, seen) in &units.extra {
        build.add_remove(*step, seen, &[], Removal::CountLowered, &needs);
    }
    let mut way = build.way;
    way.to = release_before(run, &way);
    way.plan.changes().next()?;
    Some(way)
}

/// The plan without its steps, in which every failure stops everything.
fn empty_plan(plan: &Plan) -> Plan {
    let mut back = Plan {
        steps: Vec::new(),
        on_failure: OnFailure::Stop,
        watchers: BTreeMap::new(),
        ..plan.clone()
    };
    for pool in &mut back.pools {
        pool.stops_on_failure = true;
    }
    back
}

/// Launch ids that a new Machine cannot have.
fn used_launches(run: RunSoFar<'_>) -> BTreeSet<String> {
    let names = run.observed.all_machines().map(|machine| &machine.name);
    let known = run.known.machines.values().map(|machine| &machine.name);
    let planned = run.plan.changes().map(|(_, change)| &change.machine.name);
    let names = names.chain(known).chain(planned);
    names
        .filter_map(MachineName::launch_suffix)
        .map(str::to_owned)
        .collect()
}

/// The release of the Machines that come back, if all have the same; where none comes back, the newest complete
/// one.
fn release_before(run: RunSoFar<'_>, way: &WayBack) -> Option<u64> {
    let before = way.undoes.iter().flatten().filter_map(Undoing::before);
    let releases: BTreeSet<Option<u64>> = before.map(releases::release_number).collect();
    let mut releases = releases.into_iter();
    match (releases.next(), releases.next()) {
        (Some(one), None) => one,
        (None, _) => Some(releases::complete_releases(run.known).next()?.release),
        (Some(_), Some(_)) => None,
    }
}

/// One Machine that comes back.
struct Unit {
    step: StepId,
    before: Machine,
    /// It is gone: a new Machine takes its place.
    is_gone: bool,
    /// The Machine as the step saw it last.
    seen: Option<Machine>,
    /// The Machine that replaced it, which is destroyed.
    replacement: Option<Machine>,
    /// Failed ones first, then the last change first.
    rank: (bool, std::cmp::Reverse<usize>),
}

/// What is to be undone.
#[derive(Default)]
struct Units {
    primaries: Vec<Unit>,
    standbys: Vec<Unit>,
    /// Created Machines without a predecessor.
    extra: Vec<(StepId, Machine)>,
    /// Replacements of Machines whose config could not be read.
    left: Vec<(StepId, MachineRef)>,
}

impl Units {
    fn of(run: RunSoFar<'_>, scope: UndoScope) -> Self {
        let mut units = Self::default();
        let is_switched = has_switched(run.plan, run.results);
        let position: BTreeMap<StepId, usize> = run.ended.iter().copied().zip(0..).collect();
        for (step, change) in run.plan.changes() {
            let group = run.desired.groups.get(&change.group);
            // Nothing was waited for, so nothing is known to have worked before either.
            let waits = group.is_some_and(|group| group.strategy != Strategy::Immediate);
            let Some(result) = run.results.get(step.0 as usize).filter(|_| waits) else {
                continue;
            };
            let failed = matches!(result.outcome, Outcome::Failed { .. });
            let rank = (
                !failed,
                std::cmp::Reverse(position.get(&step).copied().unwrap_or(0)),
            );
            let is_green = matches!(change.action, Action::Create { green: Some(_), .. });
            if is_green && !is_switched {
                let green = result.machine.iter().cloned();
                units.extra.extend(green.map(|green| (step, green)));
            } else if !is_green && scope == UndoScope::Run {
                units.add(run, step, (change, result), rank);
            }
        }
        units.primaries.sort_by_key(|unit| unit.rank);
        units.standbys.sort_by_key(|unit| unit.rank);
        units
    }

    fn add(
        &mut self,
        run: RunSoFar<'_>,
        step: StepId,
        (change, result): (&Change, &StepResult),
        rank: (bool, std::cmp::Reverse<usize>),
    ) {
        let unit = |before: &Machine, is_gone, replacement: Option<&Machine>| Unit {
            step,
            before: before.clone(),
            is_gone,
            seen: result.machine.clone(),
            replacement: replacement.cloned(),
            rank,
        };
        match &change.action {
            Action::Update { .. } | Action::Move { .. } => {
                let before = change.machine.id.clone();
                let before = before.and_then(|id| run.bodies.get(&(step, id)));
                let Some(before) = before else {
                    return;
                };
                let fallback = result.replace_fallback.as_ref();
                match fallback.filter(|fallback| fallback.created) {
                    Some(fallback) => {
                        let new = result.machine.as_ref();
                        self.push(unit(before, fallback.old_gone, new));
                        self.add_watchers(run, step, before, new, rank);
                    }
                    None if result.sent.is_some() => self.push(unit(before, false, None)),
                    None => {}
                }
            }
            Action::Create {
                replaces: Some(old),
                ..
            } => {
                let new = result.machine.as_ref();
                let destroy = destroy_of(run, old);
                let (gone, body) = destroy.map_or((false, None), |(step, result)| {
                    let body = run.bodies.get(&(step, old.clone()));
                    (result.outcome == Outcome::Done, body)
                });
                match (body, new) {
                    (Some(before), Some(new)) if gone && before.config.is_none() => {
                        let new = MachineRef {
                            id: Some(new.id.clone()),
                            name: new.name.clone(),
                        };
                        self.left.push((step, new));
                    }
                    (Some(before), new) => self.push(Unit {
                        seen: None,
                        ..unit(before, gone, new)
                    }),
                    (None, Some(new)) => self.extra.push((step, new.clone())),
                    (None, None) => {}
                }
            }
            Action::Create { replaces: None, .. } => {
                let Some(new) = &result.machine else {
                    return;
                };
                // An earlier run created it for the same plan.
                if run.observed.machines.contains_key(&new.id) {
                    let body = run.bodies.get(&(step, new.id.clone()));
                    if let Some(before) = body.filter(|_| result.sent.is_some()) {
                        self.push(unit(before, false, None));
                    }
                } else {
                    self.extra.push((step, new.clone()));
                }
            }
            Action::Destroy { .. }
            | Action::Wait
            | Action::Start
            | Action::Adopt
            | Action::Forget
            | Action::Once { .. }
            | Action::Switch { .. }
            | Action::Canary { .. } => {}
        }
    }

    /// Standbys that no step of the plan changes and that the replacement of a full host re-pointed.
    fn add_watchers(
        &mut self,
        run: RunSoFar<'_>,
        step: StepId,
        before: &Machine,
        new: Option<&Machine>,
        rank: (bool, std::cmp::Reverse<usize>),
    ) {
        let of_step = run.bodies.iter().filter(|((of, _), _)| *of == step);
        let new = new.map(|machine| &machine.id);
        let others = of_step.filter(|((_, id), _)| *id != before.id && Some(id) != new);
        self.standbys.extend(others.map(|(_, standby)| Unit {
            step,
            before: standby.clone(),
            is_gone: false,
            seen: None,
            replacement: None,
            rank,
        }));
    }

    fn push(&mut self, unit: Unit) {
        if unit.before.standby_for.is_empty() {
            self.primaries.push(unit);
        } else {
            self.standbys.push(unit);
        }
    }
}

/// The step that destroys a replaced Machine.
fn destroy_of<'a>(run: RunSoFar<'a>, old: &MachineId) -> Option<(StepId, &'a StepResult)> {
    let mut changes = run.plan.changes();
    let (step, _) = changes.find(|(_, change)| {
        change.machine.id.as_ref() == Some(old) && matches!(change.action, Action::Destroy { .. })
    })?;
    Some((step, run.results.get(step.0 as usize)?))
}

struct Builder<'a> {
    run: RunSoFar<'a>,
    way: WayBack,
    used: BTreeSet<String>,
}

impl Builder<'_> {
    fn push(
        &mut self,
        pool: Option<PoolId>,
        needs: Vec<StepId>,
        work: Work,
        undoes: Option<Undoing>,
    ) -> StepId {
        let steps = &mut self.way.plan.steps;
        let id = StepId(u32::try_from(steps.len()).expect("fewer than four billion steps"));
        steps.push(Step {
            id,
            needs,
            pool,
            completes: None,
            work,
        });
        self.way.undoes.push(undoes);
        id
    }

    fn add_barrier(&mut self, name: &str, needs: Vec<StepId>) -> Option<StepId> {
        let name = name.to_owned();
        match needs.as_slice() {
            [] => None,
            [one] => Some(*one),
            _ => Some(self.push(None, needs, Work::Barrier { name }, None)),
        }
    }

    /// The steps of one Machine; its last one. New first, unless its volume is in use by the new Machine.
    fn add_unit(&mut self, unit: &Unit, needs: &[StepId]) -> StepId {
        let new = unit.replacement.as_ref();
        let shared = new.is_some_and(|new| {
            let mut volumes = unit.before.volumes.iter();
            unit.is_gone && volumes.any(|volume| new.volumes.contains(volume))
        });
        match new {
            None => self.add_back(unit, needs),
            Some(new) if shared => {
                let kept = &unit.before.volumes;
                let removed = self.add_remove(unit.step, new, kept, Removal::Replaced, needs);
                let back = self.add_back(unit, &[removed]);
                self.completes(back, removed)
            }
            Some(new) => {
                let back = self.add_back(unit, needs);
                let removed = self.add_remove(unit.step, new, &[], Removal::Replaced, &[back]);
                self.completes(removed, back)
            }
        }
    }

    /// Marks a step as the second half of a change.
    fn completes(&mut self, second: StepId, first: StepId) -> StepId {
        self.way.plan.steps[second.0 as usize].completes = Some(first);
        second
    }

    fn add_back(&mut self, unit: &Unit, needs: &[StepId]) -> StepId {
        let (of, pool) = self.planned(unit.step);
        let before = &unit.before;
        let watched = before.standby_for.iter().cloned();
        let standby_for: Vec<StandbyTarget> = watched.map(StandbyTarget::Machine).collect();
        let group = before.group.clone().unwrap_or_else(|| of.group.clone());
        let mut machine = MachineRef {
            id: Some(before.id.clone()),
            name: before.name.clone(),
        };
        let launch = unit.is_gone.then(|| self.free_launch(&before.id));
        let action = if let Some(launch) = launch.clone() {
            machine = MachineRef {
                id: None,
                name: MachineName::for_launch(&group, &launch),
            };
            Action::Create {
                launch,
                port: before.port,
                standby_for,
                replaces: Some(before.id.clone()),
                volumes: before.volumes.clone(),
                new_volumes: Vec::new(),
                inherits: Box::new(Inherited::default()),
                green: None,
            }
        } else if group == of.group {
            Action::Update { standby_for }
        } else {
            Action::Move {
                from: of.group.clone(),
                standby_for,
            }
        };
        let change = Change {
            action,
            region: before.region.clone(),
            machine,
            reason: "its change is undone".to_owned(),
            gate: gate_of(before),
            standby: !before.standby_for.is_empty(),
            ..undoing_change(&of)
        };
        let boxed = Box::new(before.clone());
        let undoes = match launch {
            Some(launch) => Undoing::Restore {
                step: unit.step,
                before: boxed,
                launch,
                replacement: unit.replacement.clone().map(Box::new),
            },
            None => Undoing::PutBack {
                step: unit.step,
                before: boxed,
                seen: unit.seen.clone().map(Box::new),
            },
        };
        let work = Work::Change(Box::new(change));
        self.push(pool, needs.to_vec(), work, Some(undoes))
    }

    fn add_remove(
        &mut self,
        step: StepId,
        seen: &Machine,
        kept: &[VolumeId],
        removal: Removal,
        needs: &[StepId],
    ) -> StepId {
        let (of, pool) = self.planned(step);
        let left = seen.volumes.iter().filter(|volume| !kept.contains(volume));
        let change = Change {
            action: Action::Destroy {
                removal,
                left_volumes: left.cloned().collect(),
            },
            region: seen.region.clone(),
            machine: MachineRef {
                id: Some(seen.id.clone()),
                name: seen.name.clone(),
            },
            reason: "its create is undone".to_owned(),
            gate: GateKind::Gone,
            standby: !seen.standby_for.is_empty(),
            ..undoing_change(&of)
        };
        let undoes = Undoing::Remove {
            step,
            seen: Box::new(seen.clone()),
        };
        let work = Work::Change(Box::new(change));
        self.push(pool, needs.to_vec(), work, Some(undoes))
    }

    /// The change of the first plan, and its pool.
    fn planned(&self, step: StepId) -> (Change, Option<PoolId>) {
        let planned = &self.run.plan.steps[step.0 as usize];
        let Work::Change(change) = &planned.work else {
            unreachable!("only changes are undone");
        };
        ((**change).clone(), planned.pool)
    }

    fn free_launch(&mut self, old: &MachineId) -> LaunchId {
        let (lineage, serial) = (&self.run.observed.description.scope, self.run.known.serial);
        let mut launches = (0..).map(|slot| LaunchId::derive_restored(lineage, serial, old, slot));
        let free = launches.find(|launch| !self.used.contains(launch.as_str()));
        let launch = free.expect("there are more slots than Machines");
        self.used.insert(launch.as_str().to_owned());
        launch
    }
}

/// What both directions have in common: the group, for its limits.
fn undoing_change(of: &Change) -> Change {
    Change {
        changes: Vec::new(),
        precondition: None,
        wake: None,
        branches: Vec::new(),
        state: None,
        reverts: None,
        ..of.clone()
    }
}

/// The gate of a Machine with the body that it had: it must be as well as it was. One that did not run stays
/// down, and one that failed already may fail again.
fn gate_of(before: &Machine) -> GateKind {
    let has_checks = before
        .config
        .as_deref()
        .is_some_and(MachineConfig::has_checks);
    let fails = |check: &CheckStatus| check.status == CheckState::Critical;
    if !before.ran() {
        GateKind::Settled
    } else if before.state == MachineState::Failed || before.has_crashed() {
        GateKind::None
    } else if has_checks && !before.checks.iter().any(fails) {
        GateKind::Healthy
    } else {
        GateKind::Started
    }
}
