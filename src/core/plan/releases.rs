//! Releases and the plan: whether it registers one, which ones it reverts, and warnings about the newest one
//! (rules 11, 30).
//!
//! Releases are numbers that others may create, too. Without releases on the platform the plan is the same.

use std::collections::{BTreeMap, BTreeSet};

use super::codes;
use super::decision::GroupDecision;
use super::fields::CompareContext;
use super::members::drift_from;
use super::notes::note;
use super::options::{Options, PlanMode};
use super::running::{self, RunningImage};
use super::swap_checks::{changes_running, swaps};
use super::types::{
    Action, Change, Drift, DriftKind, Note, Plan, PlannedRelease, Removal, Step, StepId,
    StepResult, Work,
};
use crate::core::fleet::profile::profile;
use crate::core::fleet::{
    Desired, FieldChange, GroupName, Known, Lineage, Machine, MachineId, Observed, Release,
    ReleaseRecord, ReleaseStrategy, RunId, Strategy, Trial,
};
use crate::core::state::RELEASES_KEPT;

/// The highest known release number.
pub(super) fn newest_release(known: &Known, observed: Option<&Observed>) -> Option<u64> {
    let machines = observed.into_iter().flat_map(|o| o.machines.values());
    let reported = observed.and_then(|observed| observed.release.as_ref());
    machines
        .filter_map(release_number)
        .chain(reported.map(|release| release.version))
        .chain(known.release)
        .chain(known.releases.iter().map(|ours| ours.release))
        .max()
}

/// The release number of a Machine.
pub(super) fn release_number(machine: &Machine) -> Option<u64> {
    Some(machine.stamps.release.as_ref()?.version)
}

/// The newest release that the state knows after a refresh. A release by somebody else since our last change
/// remains unseen, even if the refresh recorded parts of it.
pub(super) fn after_refresh<'m>(
    known: &Known,
    newest: Option<u64>,
    machines: impl IntoIterator<Item = &'m Machine>,
) -> Option<u64> {
    if known.release.is_some() {
        return known.release;
    }
    let stamps = machines
        .into_iter()
        .filter_map(|m| m.stamps.release.as_ref());
    let theirs = stamps
        .filter(|stamp| stamp.newer_than_ours)
        .map(|s| s.version);
    theirs
        .min()
        .map_or(newest, |first| Some(first.saturating_sub(1)))
}

/// The release of this plan. Where the platform has none, the state counts them. A plan registers one like `fly deploy`, for any
/// change; like `fly scale count`, none for a change of counts, unless a command runs once for it.
pub(super) fn planned_release(
    desired: &Desired,
    known: &Known,
    observed: &Observed,
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
    (options, runs_once): (&Options, bool),
) -> Option<PlannedRelease> {
    let local = !desired.profile().deployed_by_flyctl;
    let counted = local || observed.description.capabilities.releases;
    let has_releases = counted && options.mode == PlanMode::Normal;
    let changes = |(name, decision): (&GroupName, &GroupDecision<'_>)| {
        let mut config = decision.config_changes();
        let config = config.any(|(_, changes)| !changes.is_empty());
        let removed = decision
            .removed
            .iter()
            .any(|g| g.removal == Removal::GroupRemoved);
        config || removed || is_new(name, decision, known)
    };
    if !has_releases || !(runs_once || decisions.iter().any(changes)) {
        return None;
    }
    Some(PlannedRelease {
        number: newest_release(known, Some(observed))
            .unwrap_or(0)
            .saturating_add(1),
        image: common_image(desired, decisions),
        local,
        strategy: strategy_word(desired, decisions),
    })
}

/// The platform has one strategy for a release: that of the groups which create Machines before they change any,
/// and `immediate` only if every group has it.
fn strategy_word(
    desired: &Desired,
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
) -> ReleaseStrategy {
    let trials = decisions
        .values()
        .filter(|decision| swaps(decision) || changes_running(decision))
        .filter_map(|decision| decision.desired?.trial);
    let words = trials.map(|trial| match trial {
        Trial::Bluegreen => ReleaseStrategy::Bluegreen,
        Trial::Canary { .. } => ReleaseStrategy::Canary,
    });
    if let Some(word) = words.max() {
        return word;
    }
    let mut groups = desired.groups.values();
    let at_once = groups.len() > 0 && groups.all(|group| group.strategy == Strategy::Immediate);
    if at_once {
        ReleaseStrategy::Immediate
    } else {
        ReleaseStrategy::Rolling
    }
}

/// The completed releases of the state, newest first.
pub(super) fn complete_releases(known: &Known) -> impl Iterator<Item = &ReleaseRecord> {
    let newest_first = known.releases.iter().rev();
    newest_first.filter(|release| release.is_complete())
}

/// Whether a group is created for the first time; one that had Machines before is only scaled.
pub(super) fn is_new(name: &GroupName, decision: &GroupDecision<'_>, known: &Known) -> bool {
    let makes = !decision.creates.is_empty() || !decision.standbys.is_empty();
    let had = known
        .machines
        .values()
        .any(|machine| machine.group == *name)
        || complete_releases(known).any(|r| r.groups.contains_key(name));
    makes && decision.members.is_empty() && !had
}

fn common_image(
    desired: &Desired,
    decisions: &BTreeMap<GroupName, GroupDecision<'_>>,
) -> Option<String> {
    if desired.image.is_some() {
        return desired.image.clone();
    }
    let mut templates = desired.groups.values().map(|group| &group.template);
    if desired.hold.is_some() && templates.any(|template| template.image.is_some()) {
        return None;
    }
    let groups = decisions.values().filter(|d| d.desired.is_some());
    match running::running_image(groups.flat_map(|decision| &decision.members)) {
        RunningImage::Single { image, .. } => Some(image),
        RunningImage::Several(_) | RunningImage::Nothing => None,
    }
}

/// Marks changes that revert a release unknown to the state: the changed fields have drifted, or the state does
/// not know the image, and a newer release set them.
pub(super) fn mark_reverts(
    steps: &mut [Step],
    known: &Known,
    observed: Option<&Observed>,
    drift: &[Drift],
    older_runs: &BTreeSet<RunId>,
) {
    let Some(observed) = observed else {
        return;
    };
    let lineage = &observed.description.scope;
    let drift = by_machine(drift);
    let newer = Newer::of(known, observed, &drift, older_runs);
    for step in steps {
        let Work::Change(change) = &mut step.work else {
            continue;
        };
        let id = match &change.action {
            Action::Update { .. } | Action::Move { .. } => change.machine.id.as_ref(),
            Action::Create { replaces, .. } => replaces.as_ref(),
            Action::Destroy { .. }
            | Action::Wait
            | Action::Start
            | Action::Adopt
            | Action::Forget
            | Action::Once { .. }
            | Action::Switch { .. }
            | Action::Canary { .. } => None,
        };
        let Some(id) = id else {
            continue;
        };
        let Some(machine) = observed.machines.get(id) else {
            continue;
        };
        let drifted = drift
            .get(id)
            .is_some_and(|drift| reverts_drift(change, drift));
        change.reverts = newer.of_machine(machine).filter(|_| {
            drifted
                || changes_unknown_image(change, known, id)
                || reverts_to_our_release(change, known, machine, lineage)
        });
    }
}

/// Marks changes that go back to the release of `[hold]` and pass one of somebody else on the way. A number that the
/// state does not list is somebody else's, as far as the state goes back.
pub(super) fn mark_passed_releases(
    steps: &mut [Step],
    desired: &Desired,
    known: &Known,
    observed: Option<&Observed>,
) {
    let (Some(hold), Some(_)) = (&desired.hold, observed) else {
        return;
    };
    if !desired.profile().deployed_by_flyctl {
        return;
    }
    let ours: BTreeSet<u64> = known.releases.iter().map(|ours| ours.release).collect();
    // The held release stays in the state after those that follow it were dropped.
    let oldest = ours.iter().rev().nth(RELEASES_KEPT - 1);
    let oldest = oldest.or(ours.first()).copied();
    let first = oldest.unwrap_or(hold.release).max(hold.release);
    let newest = newest_release(known, observed).unwrap_or(first);
    let passed = (first..=newest).rev().find(|number| !ours.contains(number));
    let Some(passed) = passed else {
        return;
    };
    for step in steps {
        let Work::Change(change) = &mut step.work else {
            continue;
        };
        if hold.covers(&change.group) && !change.changes.is_empty() && change.reverts.is_none() {
            change.reverts = Some(passed);
        }
    }
}

fn by_machine(drift: &[Drift]) -> BTreeMap<&MachineId, &Drift> {
    let drift = drift.iter();
    drift
        .filter_map(|drift| Some((drift.machine.id.as_ref()?, drift)))
        .collect()
}

/// Releases that the state has not seen.
struct Newer<'a> {
    seen: Option<u64>,
    known: &'a Known,
    lineage: &'a Lineage,
    /// Runs of our commit or its ancestors: to change what they made is no revert (rule 12).
    older_runs: &'a BTreeSet<RunId>,
}

impl<'a> Newer<'a> {
    fn of(
        known: &'a Known,
        observed: &'a Observed,
        drift: &BTreeMap<&MachineId, &Drift>,
        older_runs: &'a BTreeSet<RunId>,
    ) -> Self {
        Self {
            older_runs,
            seen: newest_seen_release(known, observed, drift),
            known,
            lineage: &observed.description.scope,
        }
    }

    /// The release number of this Machine, if another tool registered that release since.
    fn of_machine(&self, machine: &Machine) -> Option<u64> {
        // Elsewhere the state alone counts releases.
        if !profile(&self.known.provider).deployed_by_flyctl {
            return None;
        }
        let stamp = machine.stamps.release.as_ref()?;
        let run = machine.stamps.run.as_ref();
        if stamp.registered_by_us && run.is_some_and(|run| self.older_runs.contains(run)) {
            return None;
        }
        let ours = self.known.releases.iter();
        let is_ours = ours
            .map(|ours| ours.release)
            .any(|ours| ours == stamp.version);
        let is_newer = match self.seen {
            Some(seen) => stamp.version > seen && !is_ours,
            // Without a state, our own stamps tell.
            None => machine.stamps.lineage.as_ref() == Some(self.lineage) && stamp.newer_than_ours,
        };
        is_newer.then_some(stamp.version)
    }
}

/// The lowest unseen release on Machines that are unchanged since that release and that no step changes or
/// adopts: excluded Machines, or those of other groups.
pub(super) fn unseen(
    steps: &[Step],
    known: &Known,
    observed: Option<&Observed>,
    drift: &[Drift],
    older_runs: &BTreeSet<RunId>,
) -> Option<u64> {
    let observed = observed?;
    let mut drift = by_machine(drift);
    let newer = Newer::of(known, observed, &drift, older_runs);
    for step in steps {
        if let Work::Change(change) = &step.work {
            for id in change.machine.id.iter().chain(change.replaces()) {
                drift.remove(id);
            }
        }
    }
    let unchanged = drift.keys().filter_map(|id| observed.machines.get(*id));
    unchanged
        .filter_map(|machine| newer.of_machine(machine))
        .min()
}

/// The newest release that the state knows after a run. A release by somebody else that is still on a Machine,
/// because the plan did not change it, remains unseen: the next plan shows the revert.
pub(super) fn after_run(
    known: &Known,
    plan: &Plan,
    results: &[StepResult],
    registered: Option<u64>,
) -> Option<u64> {
    let newest = plan.newest_release.max(known.release).max(registered);
    let is_open = |id: StepId| {
        results
            .get(id.0 as usize)
            .is_none_or(|result| result.sent.is_none())
    };
    let changes = plan.changes().filter(|(id, _)| is_open(*id));
    let open = changes.filter_map(|(_, change)| change.reverts);
    let unseen = open.chain(plan.unseen_release).min();
    match unseen {
        Some(unseen) => newest
            .min(Some(unseen.saturating_sub(1)))
            .max(known.release),
        None => newest,
    }
}

/// Whether it resets a field to the value of our last release after a refresh recorded another one; there is no
/// drift then. A state without a release of ours does not know which image was sent.
fn reverts_to_our_release(
    change: &Change,
    known: &Known,
    machine: &Machine,
    lineage: &Lineage,
) -> bool {
    let Some(record) = known.machines.get(&machine.id) else {
        return false;
    };
    let released = known.releases.last();
    let config = released.and_then(|release| release.groups.get(&record.group));
    let Some(sent) = config.and_then(|group| known.configs.get(&group.config)) else {
        return change.changes.iter().any(|field| field.path == ["image"]);
    };
    let context = CompareContext::of(known, lineage);
    let added = drift_from(sent, machine, context).unwrap_or_default();
    change.changes.iter().any(|field| {
        let same = |other: &FieldChange| other.path == field.path && other.before == field.after;
        added.iter().any(same)
    })
}

/// Whether it changes an image that the state does not know, so that there is no drift.
fn changes_unknown_image(change: &Change, known: &Known, id: &MachineId) -> bool {
    let sent = known.sent_config(id);
    let forgotten = sent.is_some_and(|sent| sent.tree().get("image").is_none());
    forgotten && change.changes.iter().any(|field| field.path == ["image"])
}

/// The newest release that the state has seen. A state without a release number has seen those of the Machines
/// that match it; a state that was never written has nothing to revert.
fn newest_seen_release(
    known: &Known,
    observed: &Observed,
    drift: &BTreeMap<&MachineId, &Drift>,
) -> Option<u64> {
    if known.release.is_some() || known.serial == 0 {
        return known.release;
    }
    let as_known = known.machines.keys().filter(|id| !drift.contains_key(id));
    let releases = as_known.filter_map(|id| release_number(observed.machines.get(id)?));
    Some(releases.max().unwrap_or(0))
}

fn reverts_drift(change: &Change, drift: &Drift) -> bool {
    let same = |one: &FieldChange, other: &FieldChange| {
        one.path.starts_with(&other.path) || other.path.starts_with(&one.path)
    };
    match drift.kind {
        DriftKind::Changed => change
            .changes
            .iter()
            .any(|field| drift.changes.iter().any(|drifted| same(field, drifted))),
        // Created by that release: all of it belongs to it.
        DriftKind::Added => !change.changes.is_empty(),
        DriftKind::Missing => false,
    }
}

/// Warnings about the newest release.
pub(super) fn warnings(observed: &Observed, options: &Options) -> Vec<Note> {
    let mut found = Vec::new();
    let app = &observed.app;
    if let Some(why) = &observed.release_unknown {
        found.push(note(
            codes::RELEASE_UNKNOWN,
            format!("the newest release of `{app}` is not known: {why}"),
        ));
    }
    let machines = observed.machines.values();
    let (newest, own) = (observed.release.as_ref(), &options.own_releases);
    if let Some((release, _)) = release_in_progress(newest, own, machines, options.now) {
        found.push(
            note(
                codes::RELEASE_IN_PROGRESS,
                format!(
                    "{} is in progress: it may be changing Machines now",
                    release_name(release)
                ),
            )
            .with_hint("apply waits until it ends or is 15 minutes old"),
        );
    }
    found
}

/// The newest release if it is somebody else's and in progress, with the seconds that it may still take. Leases
/// protect what an apply registers; without leases it is over. `own` are releases known to be ours before a
/// Machine shows it.
pub fn release_in_progress<'r, 'm>(
    newest: Option<&'r Release>,
    own: &BTreeSet<String>,
    machines: impl IntoIterator<Item = &'m Machine>,
    now: Option<i64>,
) -> Option<(&'r Release, i64)> {
    let release = newest?;
    let seconds_left = release.in_progress_seconds_left(now?)?;
    let ours = |machine: &Machine| {
        let stamp = machine.stamps.release.as_ref();
        stamp.is_some_and(|stamp| stamp.registered_by_us && stamp.id.as_ref() == Some(&release.id))
    };
    let ours = own.contains(&release.id) || machines.into_iter().any(ours);
    (!ours).then_some((release, seconds_left))
}

/// A release with its user and time, if known.
pub fn describe_release(release: &Release) -> String {
    let created_at = release
        .created_at
        .and_then(|at| jiff::Timestamp::from_second(at).ok());
    let created = created_at.map_or_else(String::new, |at| format!(", made {at}"));
    format!("{}{created}", release_name(release))
}

/// The name of a release.
pub fn release_name(release: &Release) -> String {
    let by = release.user.as_ref().map(|user| format!(" by {user}"));
    format!("release v{}{}", release.version, by.unwrap_or_default())
}
