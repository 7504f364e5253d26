//! The planner: from desired, known and observed Machines to the complete plan.
//!
//! Calls the modules in order, joins their results, and decides nothing itself. Start reading here.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::canary::{self, CanaryPlanner};
use super::codes;
use super::commits;
use super::cost;
use super::decision::GroupDecision;
use super::desired_digest;
use super::fields::CompareContext;
use super::filter;
use super::filter_refusals;
use super::group_change;
use super::group_notes;
use super::guards;
use super::history;
use super::hold::{self, PlannedHold};
use super::launch_allocator::LaunchAllocator;
use super::lowest_serving;
use super::machine_checks;
use super::members::{self, Fleet};
use super::notes::{self, Remarks, note};
use super::once::OncePlanner;
use super::options::{Options, PlanMode};
use super::order;
use super::pace;
use super::placement;
use super::provenance::{self, Provenance};
use super::reconcile;
use super::records;
use super::refresh;
use super::releases;
use super::rollout;
use super::rollout_notes;
use super::run_drift;
use super::state_source::StateSource;
use super::summary::{calls_provider, changes};
use super::swap::{self, Swaps};
use super::swap_checks;
use super::swap_overlap::OverlapFacts;
use super::types::{
    Action, AdoptedRun, Drift, DriftKind, FORMAT_VERSION, GroupChange, GroupVerdict, Note, Plan,
    Step, UnlistedRun,
};
use super::unreadable;
use super::volumes::{self, VolumeAllocator};
use crate::core::code::Code;
use crate::core::fleet::{
    Capabilities, Desired, GroupName, Known, MachineId, Observed, Region, RunId,
};

/// Makes the plan. Without an observation it uses the state alone. Pure: the same facts give the same plan, in
/// any input order.
#[expect(
    clippy::too_many_lines,
    reason = "the parts of a plan in the order in which each needs the one before"
)]
pub fn plan(
    desired: &Desired,
    known: &Known,
    observed: Option<&Observed>,
    options: &Options,
) -> Plan {
    let scope = observed
        .map(|o| &o.description.scope)
        .or(known.lineage.as_ref());
    // Before the first apply an offline plan has no lineage; ids are derived again at apply.
    let unknown = desired_digest::unknown_lineage();
    let lineage = scope.unwrap_or(&unknown);
    let context = CompareContext::of(known, lineage);
    let digest = desired.digest(lineage);
    let held = hold::follow(desired, known, observed, lineage).for_mode(options.mode);
    let desired = &*options
        .requested
        .override_desired(Cow::Borrowed(&held.desired));
    let older_runs = observed
        .map(|observed| commits::runs_of_ancestors(known, observed, options))
        .unwrap_or_default();
    let mut fleet = members::join_fleet(desired, known, observed, &digest);
    let swaps = Swaps::find(
        &mut fleet,
        (desired, known, observed),
        (lineage, &digest, options),
    );
    if observed.is_some() {
        let drifted = members::find_drift(&fleet.members, context);
        fleet.drift.extend(drifted);
    }
    let mut decisions = match options.mode {
        PlanMode::Normal | PlanMode::Destroy => {
            let destroys_app = options.mode == PlanMode::Destroy;
            let requested = (&options.requested, &swaps);
            reconcile::decide(desired, &fleet, context, requested, destroys_app)
        }
        PlanMode::RefreshOnly => refresh::decide(desired, &fleet, context),
    };
    let mut filter_refusals =
        filter_refusals::check(&options.requested, desired, &fleet, &decisions);
    let mut forgotten = fleet.missing.clone();
    let left_out = filter::apply(&mut decisions, &mut forgotten, &options.requested);
    filter_refusals.extend(filter_refusals::excluded_replacements(
        &options.requested,
        &fleet,
        &left_out,
    ));
    let mut allocator = LaunchAllocator::of(desired, known, observed, lineage);
    let capabilities = observed.map(|o| &o.description.capabilities);
    let order_options = order::OrderOptions::of(desired, &options.requested, capabilities);
    let once = OncePlanner {
        desired,
        known,
        observed,
        decisions: &decisions,
        lineage,
        options,
    };
    let mut once = once.steps();
    let canaries = CanaryPlanner {
        decisions: &decisions,
        fleet: &fleet,
        primary_region: desired.primary_region.as_ref(),
        context,
        options,
    };
    let canaries = canaries.plan(&mut allocator);
    let mut volume_allocator = VolumeAllocator::of(
        observed,
        &volumes::migration_leftovers(&decisions, observed),
    );
    let mut order = order::build_steps(
        &decisions,
        &forgotten,
        &mut allocator,
        &mut volume_allocator,
        (order_options, &mut once, canaries),
    );
    options
        .requested
        .apply_clone_source(&mut order.steps, &fleet);
    releases::mark_reverts(&mut order.steps, known, observed, &fleet.drift, &older_runs);
    releases::mark_passed_releases(&mut order.steps, desired, known, observed);
    let layout = lowest_serving::Layout {
        steps: &order.steps,
        pools: &order.pools,
        waves: &order.waves,
        groups_order: desired.rollout.groups_order.as_ref(),
    };
    let lowest = lowest_serving::lowest_serving(&decisions, &layout);
    let paces = pace::Paces::of(layout, lowest, options);
    let mut groups =
        group_change::group_changes(&decisions, &order.steps, &paces, options, capabilities);
    for group in &mut groups {
        group.waves = order.waves.remove(&group.name).unwrap_or_default();
    }
    let overlaps = OverlapFacts {
        desired,
        decisions: &decisions,
        capabilities,
    };
    overlaps.add_to(&mut groups, &order.steps);
    let facts = Facts {
        desired,
        known,
        observed,
        options,
        capabilities,
        fleet: &fleet,
        decisions: &decisions,
        steps: &order.steps,
        older_runs: &older_runs,
    };
    let history = observed.map(|observed| facts.unrecorded(observed, &digest));
    let history = history.unwrap_or_default();
    let mut rollout = rollout::check_rollout(&order.steps, desired);
    rollout.extend_with(std::mem::take(&mut once.remarks));
    rollout.extend_with(swap_checks::check(&decisions, options, capabilities));
    let checks = options.requested.machine_checks;
    let checks = machine_checks::check(desired, known, &decisions, checks);
    rollout.extend_with(checks);
    let remarks = facts.join_remarks([history.before, held.remarks], rollout, history.after);
    let mut plan = Plan {
        format_version: FORMAT_VERSION,
        app: desired.app.clone(),
        provider: desired.provider.clone(),
        provider_unwritten: desired.provider_from_flag,
        named_by: desired.app_name_source.clone(),
        lineage: scope.cloned(),
        serial: known.serial,
        state: StateSource::of(known),
        online: observed.is_some(),
        machines: fleet.len(),
        mode: options.mode,
        hold: PlannedHold::of(desired),
        requested: options.requested.clone(),
        on_failure: order_options.on_failure,
        cost: cost::estimate(desired, &decisions, &order.steps).map(Box::new),
        release: observed.and_then(|observed| {
            let runs_once = changes(&order.steps)
                .any(|(_, change)| matches!(change.action, Action::Once { .. }));
            let options = (options, runs_once);
            releases::planned_release(desired, known, observed, &decisions, options)
        }),
        release_command_done: once.done.take(),
        newest_release: releases::newest_release(known, observed),
        unseen_release: releases::unseen(&order.steps, known, observed, &fleet.drift, &older_runs),
        at_least_ms: paces.at_least_ms(&groups, desired.rollout.groups_order.as_ref()),
        expected_machines: expected_machines(&decisions, &groups),
        adopted_runs: history.adopted_runs,
        unlisted_runs: history.unlisted_runs,
        provenance: history.provenance,
        drift: sorted_drift(fleet.drift, known, observed),
        desired: digest,
        desired_digests: desired_digest::of_groups(desired, &options.requested, lineage),
        groups_order: group_change::changed_lists(&groups, desired.rollout.groups_order.as_ref()),
        groups,
        left_out,
        swap: swap::planned(&decisions, capabilities),
        steps: order.steps,
        pools: order.pools,
        watchers: order.watchers,
        notes: remarks.notes,
        warnings: remarks.warnings,
        refusals: remarks.refusals,
        records: remarks.records,
    };
    if let Some(observed) = observed {
        commits::judge_order(&mut plan, known, observed, options);
    }
    plan.refusals.splice(0..0, filter_refusals);
    history::name_all_flags(&mut plan);
    plan
}

fn sorted_drift(mut drift: Vec<Drift>, known: &Known, observed: Option<&Observed>) -> Vec<Drift> {
    if let Some(observed) = observed {
        run_drift::name_runs(&mut drift, known, observed);
    }
    drift.sort_by(|a, b| (a.kind as u8, &a.machine.id).cmp(&(b.kind as u8, &b.machine.id)));
    drift
}

/// The inputs and decisions, for the parts that add notes.
struct Facts<'p, 'a> {
    desired: &'p Desired,
    known: &'p Known,
    observed: Option<&'p Observed>,
    options: &'p Options,
    capabilities: Option<&'p Capabilities>,
    fleet: &'p Fleet<'a>,
    decisions: &'p BTreeMap<GroupName, GroupDecision<'a>>,
    steps: &'p [Step],
    /// Unrecorded runs of our commit or its ancestors.
    older_runs: &'p BTreeSet<RunId>,
}

/// Runs that the state does not list.
#[derive(Default)]
struct UnrecordedRuns {
    provenance: BTreeMap<MachineId, Provenance>,
    adopted_runs: Vec<AdoptedRun>,
    unlisted_runs: Vec<UnlistedRun>,
    /// Refusals that come before all others.
    before: Remarks,
    /// Records that come after all others.
    after: Remarks,
}

impl Facts<'_, '_> {
    /// The remarks of all parts, in the order of the plan.
    fn join_remarks(&self, before: [Remarks; 2], rollout: Remarks, after: Remarks) -> Remarks {
        let [history, held] = before;
        Remarks::join([
            history,
            held,
            self.warnings(),
            self.refusals(),
            self.notes(),
            rollout,
            self.records(),
            after,
        ])
    }

    /// Adopts runs that the state does not list, or refuses to.
    fn unrecorded(&self, observed: &Observed, digest: &str) -> UnrecordedRuns {
        let (known, fleet, options) = (self.known, self.fleet, self.options);
        let history = history::check_history(known, observed, fleet, digest, options);
        let unknown = unreadable::refuse_creates(known, fleet, observed, self.steps, options);
        let mut refusals = history.refusals;
        refusals.extend(unknown);
        let (adopted_runs, mut records): (Vec<_>, Vec<_>) =
            history.adopted_runs.into_iter().unzip();
        records.extend(history::lineage_change_note(known, observed));
        UnrecordedRuns {
            provenance: provenance::find_provenance(fleet, observed, options, self.older_runs),
            adopted_runs,
            unlisted_runs: history.unlisted_runs,
            before: Remarks {
                refusals,
                ..Remarks::default()
            },
            after: Remarks {
                records,
                ..Remarks::default()
            },
        }
    }

    fn warnings(&self) -> Remarks {
        let (known, observed, decisions) = (self.known, self.observed, self.decisions);
        let mode = self.options.mode;
        let mut warnings = Vec::from_iter(exposed_secrets_warning(known));
        warnings.extend(unreadable::warnings(decisions, observed));
        warnings.extend(guards::warnings(self.desired, decisions, mode));
        warnings.extend(placement::elsewhere(decisions));
        warnings.extend(canary::soak_warning(decisions, self.options));
        warnings.extend(rollout_notes::warnings(decisions, &self.options.requested));
        if let Some(observed) = observed {
            warnings.extend(releases::warnings(observed, self.options));
            warnings.extend(history::missing_app_id_warning(observed));
        }
        Remarks {
            warnings,
            ..Remarks::default()
        }
    }

    fn refusals(&self) -> Remarks {
        let (desired, fleet) = (self.desired, self.fleet);
        let protected = guards::protected(desired, self.known, fleet);
        let mut refusals = guards::refusals(desired, self.decisions, &protected, fleet.len());
        refusals.extend(canary::refusals(self.decisions));
        refusals.extend(order::order_conflicts(desired, self.decisions));
        refusals.extend(self.options.requested.refusals(desired, fleet));
        Remarks {
            refusals,
            ..Remarks::default()
        }
    }

    fn records(&self) -> Remarks {
        Remarks {
            records: records::record_notes(self.desired, self.known, self.fleet, self.options),
            ..Remarks::default()
        }
    }

    fn notes(&self) -> Remarks {
        let (desired, observed, decisions) = (self.desired, self.observed, self.decisions);
        let requested = &self.options.requested;
        let mut notes = self.fleet.notes.clone();
        for (name, decision) in decisions {
            notes.extend(decision.notes.iter().cloned());
            notes.extend(notes::late_creates_note(
                name,
                &decision.members,
                self.known,
            ));
        }
        notes.extend(group_notes::removed_and_empty_group_notes(
            desired, decisions,
        ));
        notes.extend(requested.restart_notes(decisions));
        notes.extend(rollout_notes::notes(decisions, requested));
        if self.options.mode == PlanMode::Normal {
            notes.extend(group_notes::unused_moves_notes(desired, self.fleet));
        }
        notes.extend(self.unenforced_sizes_note());
        if observed.is_none() {
            notes.extend(self.offline_notes());
        }
        let steps = self.steps;
        notes.extend(volumes::undersized_notes(
            desired, decisions, steps, observed,
        ));
        let left = observed.map(|observed| volumes::migration_leftover_notes(decisions, observed));
        notes.extend(left.into_iter().flatten());
        Remarks {
            notes,
            ..Remarks::default()
        }
    }

    fn unenforced_sizes_note(&self) -> Option<Note> {
        let said = calls_provider(self.steps)
            && self.capabilities.is_some_and(|c| !c.enforces_sizes)
            && group_notes::has_unenforced_settings(self.desired);
        said.then(|| {
            note(
                codes::SIZES_NOT_ENFORCED,
                format!(
                    "provider `{}` shows sizes and images but does not enforce them",
                    self.desired.provider
                ),
            )
        })
    }

    /// Notes about choices that a plan without an observation leaves to the apply.
    fn offline_notes(&self) -> Vec<Note> {
        let (desired, options) = (self.desired, self.options);
        let mut found = Vec::new();
        if !options.requested.restart.is_none() {
            found.push(note(
                codes::DECIDED_AT_APPLY,
                "which Machines are running, and so restarted, is decided at apply: this plan was made without calling the provider",
            ));
        }
        let chosen_late =
            changes(self.steps).any(|(_, c)| matches!(c.action, Action::Destroy { .. }));
        if chosen_late && options.mode == PlanMode::Normal {
            found.push(note(
                codes::DECIDED_AT_APPLY,
                "which Machines are destroyed is decided at apply: this plan was made without calling the provider",
            ));
        }
        if desired.profile().has_volumes && creates_mounts(self.steps, desired) {
            found.push(note(
                codes::DECIDED_AT_APPLY,
                "which volumes new Machines take or create is decided at apply: this plan was made without calling the provider",
            ));
        }
        found
    }
}

/// Whether a new Machine has a mount.
fn creates_mounts(steps: &[Step], desired: &Desired) -> bool {
    let mut changes = changes(steps);
    changes.any(|(_, change)| {
        let group = desired.groups.get(&change.group);
        matches!(change.action, Action::Create { .. })
            && change.taken_volumes().is_empty()
            && group.is_some_and(|group| group.template.has_mounts())
    })
}

/// Warns of secrets that were written in cleartext: later states do not undo that.
fn exposed_secrets_warning(known: &Known) -> Option<Note> {
    (known.configs_with_cleartext > 0).then(|| {
        note(
            codes::SECRETS_IN_STATE,
            "the state file contains a secret in cleartext; its history (for example in git) keeps it even after an apply",
        )
        .with_hint("rotate the secret, and set the new one with `fly secrets set`")
    })
}

fn expected_machines(
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    groups: &[GroupChange],
) -> BTreeMap<GroupName, BTreeMap<Region, Vec<MachineId>>> {
    let touched = groups
        .iter()
        .filter(|group| group.verdict != GroupVerdict::Unchanged);
    touched
        .map(|group| {
            let mut regions: BTreeMap<Region, Vec<MachineId>> = BTreeMap::new();
            for member in &decisions[&group.name].members {
                regions
                    .entry(member.region.clone())
                    .or_default()
                    .push(member.id.clone());
            }
            for ids in regions.values_mut() {
                ids.sort();
            }
            (group.name.clone(), regions)
        })
        .collect()
}

impl Plan {
    /// Warnings about Machines that cannot be compared with the state now.
    pub fn unverifiable_machines(&self) -> impl Iterator<Item = &Note> {
        let codes = [
            codes::HOST_UNREACHABLE,
            codes::CONFIG_UNREADABLE,
            codes::UNREADABLE_ENTRIES,
        ];
        let names = codes.map(Code::name);
        self.warnings
            .iter()
            .filter(move |note| names.contains(&note.code.as_str()))
    }

    /// What keeps the plan from doing all that its verb promises, whatever its results: fields that a refresh
    /// cannot record, and unreadable Machines that a destroy of the app leaves.
    pub fn shortfalls(&self) -> impl Iterator<Item = &Note> {
        let left: &[Code] = match self.mode {
            PlanMode::Normal => &[codes::SWAP_FINISHES_FIRST],
            PlanMode::RefreshOnly => &[codes::NOT_TAKEN_IN],
            PlanMode::Destroy => &[
                codes::LEFT_UNREADABLE,
                codes::UNREACHABLE_STRANGERS,
                codes::UNREADABLE_ENTRIES,
            ],
        };
        let all = self.notes.iter().chain(&self.warnings);
        all.filter(|note| left.iter().any(|code| code.name() == note.code))
    }

    /// Fields that a refresh leaves out of the state, because no manifest sets them.
    pub fn not_adopted(&self) -> impl Iterator<Item = &Note> {
        let code = codes::NOT_TAKEN_IN.name();
        self.notes.iter().filter(move |note| note.code == code)
    }

    /// Machines that this plan adopts, whoever created them.
    pub fn adopted_machines(&self) -> BTreeSet<&MachineId> {
        let added = self
            .drift
            .iter()
            .filter(|drift| drift.kind == DriftKind::Added);
        added
            .filter_map(|drift| drift.machine.id.as_ref())
            .collect()
    }
}
