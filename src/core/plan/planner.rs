//! The planner: from what is wanted, known and observed to the whole plan.
//!
//! Puts the rooms in order and decides nothing itself. Read it first, then go where it points.

use std::collections::{BTreeMap, BTreeSet};

use super::codes;
use super::cost;
use super::decision::GroupDecision;
use super::fields::CompareContext;
use super::group_notes;
use super::guards;
use super::history;
use super::launch_allocator::LaunchAllocator;
use super::members::{self, Fleet};
use super::notes::{self, note};
use super::options::{Options, PlanMode};
use super::order;
use super::pace;
use super::placement;
use super::provenance;
use super::reconcile::{self, to_count};
use super::refresh;
use super::releases;
use super::rollout;
use super::steady;
use super::types::{
    Action, DriftKind, FORMAT_VERSION, GroupChange, GroupVerdict, Note, Plan, Step, Work,
};
use super::unreadable;
use super::volumes::{self, VolumeAllocator};
use crate::core::code::Code;
use crate::core::fleet::secret::patterns;
use crate::core::fleet::{
    Capabilities, Desired, GroupName, Known, Lineage, MachineId, Observed, Region,
};

/// Makes the plan. Without an observation it plans from the state alone. Pure: the same facts give the
/// same plan, whatever order they came in.
#[expect(clippy::too_many_lines, reason = "one pass, read from top to bottom")]
pub fn plan(
    desired: &Desired,
    known: &Known,
    observed: Option<&Observed>,
    options: &Options,
) -> Plan {
    let scope = observed
        .map(|o| &o.description.scope)
        .or(known.lineage.as_ref());
    // Before the first apply an offline plan knows no scope; its ids are derived anew at apply.
    let unknown = Lineage::new("unknown").expect("`unknown` is a valid lineage");
    let lineage = scope.unwrap_or(&unknown);
    let remembered = CompareContext::of(known, lineage);
    let digest = desired.digest(lineage);
    let desired = &*options.requested.override_strategy(desired);
    let mut fleet = members::join_fleet(desired, known, observed, &digest);
    options.requested.mark_excluded(&mut fleet);
    if observed.is_some() {
        let drifted = members::find_drift(&fleet.members, remembered);
        fleet.drift.extend(drifted);
    }
    let decisions = match options.mode {
        PlanMode::Normal | PlanMode::Destroy => {
            let destroys_app = options.mode == PlanMode::Destroy;
            reconcile::decide(
                desired,
                &fleet,
                remembered,
                &options.requested,
                destroys_app,
            )
        }
        PlanMode::RefreshOnly => refresh::decide(desired, &fleet, remembered),
    };
    let mut intents = LaunchAllocator::of(desired, known, observed, lineage);
    let capabilities = observed.map(|o| &o.description.capabilities);
    let manner = order::OrderOptions::of(desired, &options.requested, capabilities);
    let mut spare = VolumeAllocator::of(
        observed,
        &volumes::migration_leftovers(&decisions, observed),
    );
    let mut order =
        order::build_steps(&decisions, &fleet.missing, &mut intents, &mut spare, manner);
    options
        .requested
        .apply_clone_source(&mut order.steps, &fleet);
    let release = observed.and_then(|observed| {
        releases::planned_release(desired, known, observed, &decisions, options.mode)
    });
    let mut plan = Plan {
        format_version: FORMAT_VERSION,
        app: desired.app.clone(),
        provider: desired.provider.clone(),
        provider_unwritten: desired.provider_from_flag,
        named_by: desired.app_name_source.clone(),
        lineage: scope.cloned(),
        serial: known.serial,
        desired: digest,
        online: observed.is_some(),
        machines: fleet.len(),
        mode: options.mode,
        requested: options.requested.clone(),
        on_failure: manner.on_failure,
        groups: Vec::new(),
        steps: order.steps,
        pools: order.pools,
        drift: Vec::new(),
        notes: Vec::new(),
        warnings: exposed_secrets_warning(known)
            .into_iter()
            .chain(unreadable::warnings(&decisions, observed))
            .chain(guards::warnings(desired, known, &decisions))
            .chain(placement::elsewhere(&decisions))
            .collect(),
        refusals: Vec::new(),
        records: Vec::new(),
        adopted_runs: Vec::new(),
        provenance: BTreeMap::new(),
        watchers: order.watchers,
        release,
        newest_release: releases::newest_release(known, observed),
        unseen_release: None,
        cost: None,
        at_least_ms: None,
        expected_machines: BTreeMap::new(),
    };
    plan.cost = cost::estimate(desired, &decisions, &plan).map(Box::new);
    releases::mark_reverts(&mut plan.steps, known, observed, &fleet.drift);
    plan.unseen_release = releases::unseen(&plan.steps, known, observed, &fleet.drift);
    plan.warnings.extend(app_warnings(observed, options));
    plan.groups = group_changes(&decisions, &plan.steps);
    steady::set_steady_windows(
        &mut plan.groups,
        &decisions,
        &options.requested,
        capabilities,
    );
    pace::note_pace(&mut plan, &decisions, options);
    plan.expected_machines = expected_machines(&decisions, &plan.groups);
    add_notes(
        &mut plan,
        desired,
        known,
        &fleet,
        &decisions,
        capabilities,
        options,
    );
    rollout::check_rollout(&mut plan, desired, known, &decisions, lineage);
    let small = volumes::undersized_notes(desired, &decisions, &plan.steps, observed);
    plan.notes.extend(small);
    let left = observed.map(|observed| volumes::migration_leftover_notes(&decisions, observed));
    plan.notes.extend(left.into_iter().flatten());
    if let Some(observed) = observed {
        take_over(&mut plan, known, observed, &fleet, options);
    }
    plan.drift = fleet.drift;
    plan.drift
        .sort_by(|a, b| (a.kind as u8, &a.machine.id).cmp(&(b.kind as u8, &b.machine.id)));
    plan
}

/// Runs that the state does not list: what it takes over of them, and what it must not.
fn take_over(
    plan: &mut Plan,
    known: &Known,
    observed: &Observed,
    fleet: &Fleet<'_>,
    options: &Options,
) {
    plan.provenance = provenance::find_provenance(fleet, observed, options);
    let history = history::check_history(known, observed, fleet, &plan.desired, options);
    for (taken, about) in history.adopted_runs {
        plan.adopted_runs.push(taken);
        plan.records.push(about);
    }
    let unknown = unreadable::refuse_creates(known, fleet, observed, &plan.steps, options);
    plan.records
        .extend(history::lineage_change_note(known, observed));
    plan.refusals
        .splice(0..0, history.refusals.into_iter().chain(unknown));
}

/// What must be said of the app itself and of its releases.
fn app_warnings(observed: Option<&Observed>, options: &Options) -> Vec<Note> {
    let warnings = |observed| {
        let of_releases = releases::warnings(observed, options).into_iter();
        of_releases
            .chain(history::missing_app_id_warning(observed))
            .collect()
    };
    observed.map(warnings).unwrap_or_default()
}

fn add_notes(
    plan: &mut Plan,
    desired: &Desired,
    known: &Known,
    fleet: &Fleet<'_>,
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    capabilities: Option<&Capabilities>,
    options: &Options,
) {
    let protected = guards::protected(desired, known, fleet);
    plan.refusals = guards::refusals(desired, decisions, &protected, fleet.len());
    plan.refusals
        .extend(options.requested.refusals(desired, fleet));
    plan.records = record_notes(desired, known, fleet, options);
    plan.notes.extend(fleet.notes.iter().cloned());
    for (name, decision) in decisions {
        plan.notes.extend(decision.notes.iter().cloned());
        plan.notes
            .extend(notes::late_creates_note(name, &decision.members, known));
    }
    plan.notes
        .extend(group_notes::removed_and_empty_group_notes(
            desired, decisions,
        ));
    plan.notes
        .extend(options.requested.restart_notes(decisions));
    if options.mode == PlanMode::Normal {
        plan.notes
            .extend(group_notes::unused_moves_notes(desired, fleet));
    }
    if plan.calls_provider()
        && capabilities.is_some_and(|c| !c.enforces_sizes)
        && group_notes::has_unenforced_settings(desired)
    {
        plan.notes.push(note(
            codes::SIZES_NOT_ENFORCED,
            format!(
                "provider `{}` shows sizes and images and does not enforce them",
                plan.provider
            ),
        ));
    }
    if !plan.online && !options.requested.restart.is_none() {
        plan.notes.push(note(
            codes::DECIDED_AT_APPLY,
            "only Machines that run are restarted, and which ones those are is decided at apply: this plan \
             was made without asking the provider",
        ));
    }
    let chosen_late = plan
        .changes()
        .any(|(_, c)| matches!(c.action, Action::Destroy { .. }));
    if !plan.online && chosen_late && options.mode == PlanMode::Normal {
        plan.notes.push(note(
            codes::DECIDED_AT_APPLY,
            "which Machines go is decided at apply: this plan was made without asking the provider",
        ));
    }
    if !plan.online && desired.profile().has_volumes && creates_mounts(plan, desired) {
        plan.notes.push(note(
            codes::DECIDED_AT_APPLY,
            "which volumes new Machines take, and which are made, is decided at apply: this plan was made \
             without asking the provider",
        ));
    }
}

/// Whether a Machine comes that has a mount.
fn creates_mounts(plan: &Plan, desired: &Desired) -> bool {
    let mut changes = plan.changes();
    changes.any(|(_, change)| match &change.action {
        Action::Create { volumes, .. } => {
            let group = desired.groups.get(&change.group);
            volumes.is_empty() && group.is_some_and(|group| group.template.has_mounts())
        }
        Action::Update { .. }
        | Action::Move { .. }
        | Action::Destroy { .. }
        | Action::Wait
        | Action::Start
        | Action::Adopt
        | Action::Forget => false,
    })
}

/// That secrets were written in clear, which no later state undoes.
fn exposed_secrets_warning(known: &Known) -> Option<Note> {
    (known.configs_with_cleartext > 0).then(|| {
        note(
            codes::SECRETS_IN_STATE,
            "the state file has a secret in clear, and so has its history, in git for instance, also after an \
             apply has rewritten it",
        )
        .with_hint("replace the secret where it is issued, and set the new one with `fly secrets set`")
    })
}

/// What the state will say differently although no step says so.
fn record_notes(
    desired: &Desired,
    known: &Known,
    fleet: &Fleet<'_>,
    options: &Options,
) -> Vec<Note> {
    let mut found = Vec::new();
    if options.mode == PlanMode::Destroy {
        return found;
    }
    if known.configs_with_cleartext > 0 {
        let configs = match known.configs_with_cleartext {
            1 => "1 config of the state has a secret in clear".to_owned(),
            n => format!("{n} configs of the state have a secret in clear"),
        };
        found.push(note(
            codes::SECRETS_IN_STATE,
            format!("{configs}: an apply writes a hash in its place"),
        ));
    }
    for (name, group) in &desired.groups {
        let remembered = known.protected_groups.contains(name)
            || desired
                .moved
                .iter()
                .any(|m| m.to == *name && known.protected_groups.contains(&m.from));
        let exists = fleet.members.contains_key(name);
        match (group.protect, remembered) {
            (true, false) if exists => {
                found.push(
                    note(codes::PROTECTS, format!("group `{name}` becomes protected"))
                        .for_group(name),
                );
            }
            (false, true) => found.push(
                note(
                    codes::UNPROTECTS,
                    format!("group `{name}` is no longer protected"),
                )
                .for_group(name),
            ),
            (true, _) | (false, false) => {}
        }
    }
    for name in known
        .protected_groups
        .iter()
        .filter(|name| !desired.groups.contains_key(*name))
    {
        let moved = desired.moved.iter().any(|m| m.from == *name);
        if !moved && !fleet.members.contains_key(name) {
            found.push(note(
                codes::UNPROTECTS,
                format!("group `{name}` is gone and no longer protected"),
            ));
        }
    }
    found
}

fn group_changes(
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    steps: &[Step],
) -> Vec<GroupChange> {
    let touched: BTreeSet<&GroupName> = steps
        .iter()
        .filter_map(|step| match &step.work {
            Work::Change(change) => Some(&change.group),
            Work::Barrier { .. } => None,
        })
        .collect();
    decisions
        .iter()
        .map(|(name, decision)| group_change(name, decision, touched.contains(name)))
        .collect()
}

fn group_change(name: &GroupName, decision: &GroupDecision<'_>, touched: bool) -> GroupChange {
    let mut regions: BTreeMap<Region, (u32, u32)> = BTreeMap::new();
    for member in &decision.members {
        let entry = regions.entry(member.region.clone()).or_default();
        entry.0 += 1;
        entry.1 += 1;
    }
    for region in decision.creates.iter().chain(&decision.standbys) {
        regions.entry(region.clone()).or_default().1 += 1;
    }
    for gone in &decision.removed {
        let entry = regions
            .get_mut(gone.member.region)
            .expect("who goes is a member");
        entry.1 -= 1;
    }
    let mut primaries: BTreeMap<Region, u32> = BTreeMap::new();
    let stay = decision.primaries.iter().map(|member| member.region);
    for region in stay.chain(&decision.creates) {
        *primaries.entry(region.clone()).or_default() += 1;
    }
    let before = to_count(decision.members.len());
    let after = regions.values().map(|(_, after)| after).sum();
    let verdict = match (decision.desired, before) {
        (None, _) if decision.removed.len() == decision.members.len() => GroupVerdict::Removed,
        (Some(_), 0) if touched => GroupVerdict::Added,
        (_, _) if touched => GroupVerdict::Changed,
        (_, _) => GroupVerdict::Unchanged,
    };
    let members = decision.members.iter();
    let came = members.filter_map(|member| member.moved_from.as_ref());
    let moved_from: BTreeSet<&GroupName> = came.clone().collect();
    GroupChange {
        name: name.clone(),
        command: decision
            .desired
            .and_then(|group| group.command.as_deref())
            .map(|command| patterns::redact(command).into_owned()),
        before,
        after,
        verdict,
        regions,
        primaries,
        count_reason: decision.count_reason.clone().filter(|_| touched),
        moved_from: moved_from.into_iter().cloned().collect(),
        moved_in: to_count(came.count()),
        strategy: String::new(),
        steady_ms: None,
        at_least_ms: None,
        size: group_notes::size_text(decision),
        http_service: decision
            .desired
            .and_then(|group| group.locations.http_service.clone()),
    }
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
    /// Warnings of Machines of which nobody can say now whether they are as the state says.
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

    /// What keeps this plan from doing all that its verb promises, whatever comes of its steps: what a refresh
    /// cannot take in, and Machines that a destroy of the app leaves since nobody can read them.
    pub fn shortfalls(&self) -> impl Iterator<Item = &Note> {
        let left: &[Code] = match self.mode {
            PlanMode::Normal => &[],
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

    /// What a refresh leaves outside of the state, because no file says it.
    pub fn not_adopted(&self) -> impl Iterator<Item = &Note> {
        let code = codes::NOT_TAKEN_IN.name();
        self.notes.iter().filter(move |note| note.code == code)
    }

    /// Machines that this plan takes into the state, whoever made them.
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
