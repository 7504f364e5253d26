//! Checks that the state, the platform and the plan belong to one history (rules 5, 8, 12).
//!
//! A refusal here stops an apply before its first call; the plan is still shown.

use std::collections::{BTreeMap, BTreeSet};

use super::approval::{RequiredApproval, required_approval};
use super::codes;
use super::commits::{CommitRelation, short_commit};
use super::members::{Fleet, Member};
use super::notes::{format_ids, format_machine_count, note};
use super::options::{Options, PlanMode};
use super::swap;
use super::types::{AdoptedRun, Note, Plan, UnlistedRun};
use crate::core::fleet::{Known, LaunchId, Lineage, Machine, MachineId, Observed, RunId};

/// The result of the check.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Adopted runs, with the note about each.
    pub(super) adopted_runs: Vec<(AdoptedRun, Note)>,
    /// Runs that are refused.
    pub(super) unlisted_runs: Vec<UnlistedRun>,
    pub(super) refusals: Vec<Note>,
}

pub(super) fn check_history(
    known: &Known,
    observed: &Observed,
    fleet: &Fleet<'_>,
    digest: &str,
    options: &Options,
) -> History {
    let mut history = History::default();
    check_lineage(known, observed, options, &mut history);
    check_missing(known, observed, fleet, options, &mut history);
    check_unrecorded_runs(known, observed, digest, options, &mut history);
    history
}

fn check_lineage(known: &Known, observed: &Observed, options: &Options, history: &mut History) {
    let scope = &observed.description.scope;
    // A lineage derived from names is replaced by the first id that the platform returns.
    if known
        .lineage
        .as_ref()
        .is_some_and(|lineage| lineage != scope && !lineage.is_derived_from_names())
        && !options.take_over
    {
        history.refusals.push(
            note(
                codes::OTHER_LINEAGE,
                format!(
                    "the state belongs to another app that was named `{}`, or to another account",
                    known.app
                ),
            )
            .with_hint(
                "if the app was recreated and this state should follow it, add `--take-over`; otherwise \
                 check the state file and the app name",
            ),
        );
    }
}

/// Warns that a deleted and recreated app cannot be recognised.
pub(super) fn missing_app_id_warning(observed: &Observed) -> Option<Note> {
    observed.description.scope_is_derived.then(|| {
        note(
            codes::APP_ID_UNKNOWN,
            format!(
                "the API returned no id for app `{}`: if the app was deleted and recreated, Aeroform cannot \
                 detect it",
                observed.app
            ),
        )
    })
}

/// Notes that the lineage changes from one derived from names to the app's id.
pub(super) fn lineage_change_note(known: &Known, observed: &Observed) -> Option<Note> {
    let description = &observed.description;
    let derived = known
        .lineage
        .as_ref()
        .is_some_and(Lineage::is_derived_from_names);
    (derived && !description.scope_is_derived).then(|| {
        note(
            codes::LINEAGE_TOLD,
            "the API now returns the app's id: it becomes the state's lineage",
        )
    })
}

fn check_missing(
    known: &Known,
    observed: &Observed,
    fleet: &Fleet<'_>,
    options: &Options,
    history: &mut History,
) {
    // Unknown Machines with this lineage come from a run that could not write the state, so the app is not
    // empty.
    let ours = |member: &Member<'_>| {
        let lineage = member
            .observed
            .and_then(|seen| seen.stamps.lineage.as_ref());
        let scope = &observed.description.scope;
        lineage == Some(scope) && (!member.is_unaccounted() || swap::is_green(member, scope))
    };
    let all_gone = !known.machines.is_empty()
        && fleet.missing.len() == known.machines.len()
        && !fleet.members.values().flatten().any(ours)
        && !has_copy_of_missing(fleet, &observed.description.scope);
    let count = observed.description.machine_count;
    let accepted = options.accept_missing || options.take_over || options.mode == PlanMode::Destroy;
    if let (Some(count @ 1..), true) = (count, observed.all_machines().next().is_none()) {
        history.refusals.push(
            note(
                codes::FLEET_VANISHED,
                format!("the provider lists no Machines, but reports a count of {count}"),
            )
            .with_hint("nothing was changed; try again in a moment"),
        );
    } else if !observed.lagging.is_empty() {
        history.refusals.push(
            note(
                codes::LIST_LAGS,
                format!(
                    "the provider's list is missing {} that exist ({}), and may be missing others",
                    format_machine_count(observed.lagging.len()),
                    format_ids(&observed.lagging)
                ),
            )
            .with_hint("nothing was changed; try again in a moment"),
        );
    } else if all_gone && !accepted {
        let what = format_machine_count(known.machines.len());
        history.refusals.push(
            note(
                codes::ALL_MISSING,
                format!("all Machines in the state are missing ({what})"),
            )
            .with_hint(
                "if they were destroyed on purpose, add `--accept-missing` to create them again",
            ),
        );
    } else if observed.is_empty_unconfirmed() && !options.accept_missing && !options.take_over {
        history.refusals.push(unconfirmed_empty_list().with_hint(match options.mode {
            PlanMode::Normal => {
                "try again in a moment; if the app really has no Machines, add `--accept-missing` to create \
                 them"
            }
            PlanMode::Destroy => {
                "try again in a moment; if the app really has no Machines, add `--accept-missing`: nothing \
                 is left to destroy"
            }
            PlanMode::RefreshOnly => "try again in a moment; if the app really has no Machines, add \
                `--accept-missing`",
        }));
    }
}

/// Whether another tool replaced a known Machine by a copy of it (rule 6): in its group and region, with the
/// copied lineage and launch id. An adopted Machine has no launch id of its own.
fn has_copy_of_missing(fleet: &Fleet<'_>, scope: &Lineage) -> bool {
    let is_copy = |member: &Member<'_>| {
        let stamps = member.observed.map(|seen| &seen.stamps);
        let Some(stamps) = stamps.filter(|stamps| stamps.lineage.as_ref() == Some(scope)) else {
            return false;
        };
        fleet.missing.iter().any(|missing| {
            let launch = missing.known.launch.as_ref().map(LaunchId::as_str);
            missing.group == member.group
                && missing.known.region == *member.region
                && (launch.is_none() || launch == stamps.launch.as_deref())
        })
    };
    let mut members = fleet.members.values().flatten();
    members.any(|member| member.is_adopted() && is_copy(member))
}

/// Refuses to believe an empty list without a count.
fn unconfirmed_empty_list() -> Note {
    note(
        codes::FLEET_VANISHED,
        "the provider lists no Machines and gives no count",
    )
}

impl Note {
    /// The warning of read-only verbs if the list is empty and unconfirmed.
    pub fn unconfirmed_app(observed: &Observed) -> Option<Self> {
        let hint = "try again in a moment: the app may still have Machines";
        observed
            .is_empty_unconfirmed()
            .then(|| unconfirmed_empty_list().with_hint(hint))
    }
}

/// A run that stamped Machines but is not in the state.
struct UnrecordedRun<'a> {
    serial: u64,
    by: Option<&'a str>,
    commit: Option<&'a str>,
    desired: Option<&'a str>,
    same_desired: bool,
    updated_known: bool,
    machines: Vec<&'a MachineId>,
}

fn check_unrecorded_runs(
    known: &Known,
    observed: &Observed,
    digest: &str,
    options: &Options,
    history: &mut History,
) {
    let recorded = recorded_runs(known);
    let mut runs: BTreeMap<&RunId, UnrecordedRun<'_>> = BTreeMap::new();
    for machine in observed.counted_machines().filter(|m| !m.state.is_gone()) {
        let Some((run, serial)) = newer_run(machine, known, &observed.description.scope, &recorded)
        else {
            continue;
        };
        let stamps = &machine.stamps;
        let entry = runs.entry(run).or_insert_with(|| UnrecordedRun {
            serial,
            by: stamps.by.as_deref(),
            commit: stamps.commit.as_deref(),
            desired: stamps.desired.as_deref(),
            same_desired: true,
            updated_known: false,
            machines: Vec::new(),
        });
        entry.same_desired &= machine.removal_begun() || stamps.desired.as_deref() == Some(digest);
        entry.updated_known |= known.machines.contains_key(&machine.id);
        entry.machines.push(&machine.id);
    }
    for (run, facts) in runs {
        let what = format!(
            "run {run}{}{} changed {} ({}), but is not in the state (state at serial {}, run at serial \
             {})",
            facts.by.map_or(String::new(), |by| format!(" by {by}")),
            facts
                .commit
                .map_or(String::new(), |c| format!(" of commit {}", short_commit(c))),
            format_machine_count(facts.machines.len()),
            format_ids(facts.machines.iter().copied()),
            known.serial,
            facts.serial,
        );
        let is_ancestor = facts
            .commit
            .is_some_and(|commit| options.commits.includes(commit));
        let accepted = known.serial == 0
            || is_ancestor
            || facts.same_desired
            || !facts.updated_known
            || options.own_runs.contains(run)
            || options.adopt_runs.contains(run);
        if accepted {
            let adopted = AdoptedRun {
                run: run.clone(),
                serial: facts.serial,
                by: facts.by.map(str::to_owned),
                commit: facts.commit.map(str::to_owned),
                desired: facts.desired.map(str::to_owned),
                is_ancestor,
                machines: facts.machines.into_iter().cloned().collect(),
            };
            let about = note(codes::UNRECORDED_RUN, what)
                .with_hint("its changes are adopted into the state");
            history.adopted_runs.push((adopted, about));
        } else {
            history.unlisted_runs.push(UnlistedRun {
                run: run.clone(),
                serial: facts.serial,
                by: facts.by.map(str::to_owned),
                commit: facts.commit.map(str::to_owned),
                machines: facts.machines.into_iter().cloned().collect(),
            });
            let mut hint = unrecorded_run_hint(run);
            if facts
                .commit
                .and_then(|commit| options.commits.relation(commit))
                == Some(CommitRelation::Unknown)
            {
                hint.push_str(&unknown_commit_hint(options));
            }
            history
                .refusals
                .push(note(codes::STATE_BEHIND, what).with_hint(hint));
        }
    }
}

/// What to do about a run that the state does not list.
pub fn unrecorded_run_hint(run: &RunId) -> String {
    format!(
        "get the state file that contains it (`git pull`), or adopt its changes with `--adopt-run {run}`"
    )
}

/// Names every flag in one hint if the runs are to be adopted: their ids, and what the plan needs besides a
/// confirmation.
pub(super) fn name_all_flags(plan: &mut Plan) {
    let [first, others @ ..] = plan.unlisted_runs.as_slice() else {
        return;
    };
    let needed = RequiredApproval {
        confirm: false,
        ..required_approval(plan)
    };
    let mut flags: Vec<String> = others
        .iter()
        .map(|other| format!("--adopt-run {}", other.run))
        .collect();
    let approval = needed.flags();
    if !approval.is_empty() {
        flags.push(approval);
    }
    if flags.is_empty() {
        return;
    }
    let flags = flags.join(" ");
    let one = format!("`--adopt-run {}`", first.run);
    let all = format!("`--adopt-run {} {flags}`", first.run);
    let behind = plan.refusals.iter_mut();
    let mut behind = behind.filter(|refusal| refusal.code == codes::STATE_BEHIND.name());
    if let Some(hint) = behind.next().and_then(|refusal| refusal.hint.as_mut()) {
        *hint = hint.replace(&one, &all);
    }
    // The first one names them all.
    behind.for_each(|refusal| refusal.hint = None);
}

/// Says that a run of an older commit would have been adopted.
fn unknown_commit_hint(options: &Options) -> String {
    let because = options.commits.unknown_because.as_deref();
    let because = because.map_or(String::new(), |because| format!(" ({because})"));
    format!("; whether its commit is older than this one is unknown{because}")
}

/// The runs in the state.
pub(super) fn recorded_runs(known: &Known) -> BTreeSet<&RunId> {
    known.runs.iter().map(|run| &run.run).collect()
}

/// The run that last changed this Machine, if the state cannot include it: a later serial, or the same serial
/// from another run.
pub(super) fn newer_run<'a>(
    machine: &'a Machine,
    known: &Known,
    scope: &Lineage,
    recorded: &BTreeSet<&RunId>,
) -> Option<(&'a RunId, u64)> {
    // Serials of another app say nothing about this state.
    if machine.stamps.lineage.as_ref() != Some(scope) {
        return None;
    }
    let (run, serial) = (machine.stamps.run.as_ref()?, machine.stamps.serial?);
    let unseen = serial > known.serial || serial == known.serial && known.run.as_ref() != Some(run);
    (unseen && !recorded.contains(run)).then_some((run, serial))
}
