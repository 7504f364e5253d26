//! Whether the state, the world and the plan belong to one history (rules 5, 8, 12).
//!
//! What stops here stops an apply before its first call; the plan is shown all the same.

use std::collections::{BTreeMap, BTreeSet};

use super::codes;
use super::members::{Fleet, Member};
use super::notes::{format_ids, format_machine_count, note};
use super::options::{Options, PlanMode};
use super::types::{AdoptedRun, Note};
use crate::core::fleet::{Known, Lineage, Machine, MachineId, Observed, RunId};

/// What the history of what was read leads to.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Runs that are taken over, with what is said of each.
    pub(super) adopted_runs: Vec<(AdoptedRun, Note)>,
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
    // A lineage that was derived from names gives way to the first id that the platform names.
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
                    "the state belongs to another incarnation of `{}` than the one there",
                    known.app
                ),
            )
            .with_hint(
                "if the app was made anew and this state should follow it, add `--take-over`; else \
                 check which state file and which app this is",
            ),
        );
    }
}

/// That an app which was deleted and made again could not be recognised.
pub(super) fn missing_app_id_warning(observed: &Observed) -> Option<Note> {
    observed.description.scope_is_derived.then(|| {
        note(
            codes::APP_ID_UNKNOWN,
            format!(
                "the platform does not tell the id of app `{}`: whether it was deleted and made again \
                 cannot be seen",
                observed.app
            ),
        )
    })
}

/// That the state's lineage changes from one that was derived from names to the app's id.
pub(super) fn lineage_change_note(known: &Known, observed: &Observed) -> Option<Note> {
    let description = &observed.description;
    let derived = known
        .lineage
        .as_ref()
        .is_some_and(Lineage::is_derived_from_names);
    (derived && !description.scope_is_derived).then(|| {
        note(
            codes::LINEAGE_TOLD,
            "the platform tells the id of the app now: the state takes it as its lineage",
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
    // Machines of this scope that are not known were made by a run that could not write the state: the
    // world is not empty.
    let ours = |member: &Member<'_>| {
        let lineage = member
            .observed
            .and_then(|seen| seen.stamps.lineage.as_ref());
        lineage == Some(&observed.description.scope) && !member.is_unaccounted()
    };
    let all_gone = !known.machines.is_empty()
        && fleet.missing.len() == known.machines.len()
        && !fleet.members.values().flatten().any(ours);
    let count = observed.description.machine_count;
    let accepted = options.accept_missing || options.take_over || options.mode == PlanMode::Destroy;
    if let (Some(count @ 1..), true) = (count, observed.all_machines().next().is_none()) {
        history.refusals.push(
            note(
                codes::FLEET_VANISHED,
                format!("the provider lists no Machine, but says that there are {count}"),
            )
            .with_hint("nothing is changed on such an answer; try again in a moment"),
        );
    } else if !observed.lagging.is_empty() {
        history.refusals.push(
            note(
                codes::LIST_LAGS,
                format!(
                    "the provider's list lacks {} that exist ({}), and so may lack others",
                    format_machine_count(observed.lagging.len()),
                    format_ids(&observed.lagging)
                ),
            )
            .with_hint("nothing is changed on such an answer; try again in a moment"),
        );
    } else if all_gone && !accepted {
        let what = format_machine_count(known.machines.len());
        history.refusals.push(
            note(
                codes::ALL_MISSING,
                format!("every known Machine is gone ({what})"),
            )
            .with_hint(
                "if they were destroyed on purpose, add `--accept-missing`: they are made again",
            ),
        );
    } else if observed.is_empty_unconfirmed() && !options.accept_missing && !options.take_over {
        history.refusals.push(unconfirmed_empty_list().with_hint(match options.mode {
            PlanMode::Normal => {
                "look again in a moment; if the app has no Machine, add `--accept-missing`: the plan's \
                 Machines are made"
            }
            PlanMode::Destroy => {
                "look again in a moment; if the app has no Machine, add `--accept-missing`: nothing is left \
                 to destroy then"
            }
            PlanMode::RefreshOnly => "look again in a moment; if the app has no Machine, add `--accept-missing`",
        }));
    }
}

/// That nothing but an empty list says that the app has no Machine.
fn unconfirmed_empty_list() -> Note {
    note(
        codes::FLEET_VANISHED,
        "the provider lists no Machine and does not say how many there are",
    )
}

impl Note {
    /// What a verb that only looks says of an app of which nobody can say that it has no Machine.
    pub fn unconfirmed_app(observed: &Observed) -> Option<Self> {
        let hint = "look again in a moment: there may be Machines all the same";
        observed
            .is_empty_unconfirmed()
            .then(|| unconfirmed_empty_list().with_hint(hint))
    }
}

/// A run whose stamps are on Machines and which the state does not list.
struct UnrecordedRun<'a> {
    serial: u64,
    by: Option<&'a str>,
    commit: Option<&'a str>,
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
    for machine in observed.machines.values().filter(|m| !m.state.is_gone()) {
        let Some((run, serial)) = newer_run(machine, known, &observed.description.scope, &recorded)
        else {
            continue;
        };
        let stamps = &machine.stamps;
        let entry = runs.entry(run).or_insert_with(|| UnrecordedRun {
            serial,
            by: stamps.by.as_deref(),
            commit: stamps.commit.as_deref(),
            same_desired: true,
            updated_known: false,
            machines: Vec::new(),
        });
        entry.same_desired &= stamps.desired.as_deref() == Some(digest);
        entry.updated_known |= known.machines.contains_key(&machine.id);
        entry.machines.push(&machine.id);
    }
    for (run, facts) in runs {
        let what = format!(
            "run {run}{}{} changed {} ({}), and the state does not list it (it is at serial {}, that \
             run was to write {})",
            facts.by.map_or(String::new(), |by| format!(" by {by}")),
            facts
                .commit
                .map_or(String::new(), |c| format!(" of commit {}", short_commit(c))),
            format_machine_count(facts.machines.len()),
            format_ids(facts.machines.iter().copied()),
            known.serial,
            facts.serial,
        );
        let accepted = known.serial == 0
            || facts.same_desired
            || !facts.updated_known
            || options.own_runs.contains(run)
            || options.adopt_runs.contains(run);
        if accepted {
            let taken = AdoptedRun {
                run: run.clone(),
                serial: facts.serial,
                by: facts.by.map(str::to_owned),
                commit: facts.commit.map(str::to_owned),
            };
            let about = note(codes::UNRECORDED_RUN, what).with_hint("what it made is taken over");
            history.adopted_runs.push((taken, about));
        } else {
            history
                .refusals
                .push(note(codes::STATE_BEHIND, what).with_hint(format!(
                    "get the state file that has it (pull), or take over what it did with \
                 `--adopt-run {run}`"
                )));
        }
    }
}

/// The runs that the state lists.
pub(super) fn recorded_runs(known: &Known) -> BTreeSet<&RunId> {
    known.runs.iter().map(|run| &run.run).collect()
}

/// The run that last changed this Machine, if the state cannot have seen it: a later serial, or the
/// same one written by another run.
pub(super) fn newer_run<'a>(
    machine: &'a Machine,
    known: &Known,
    scope: &Lineage,
    recorded: &BTreeSet<&RunId>,
) -> Option<(&'a RunId, u64)> {
    // The serials of another app say nothing about this one's state.
    if machine.stamps.lineage.as_ref() != Some(scope) {
        return None;
    }
    let (run, serial) = (machine.stamps.run.as_ref()?, machine.stamps.serial?);
    let unseen = serial > known.serial || serial == known.serial && known.run.as_ref() != Some(run);
    (unseen && !recorded.contains(run)).then_some((run, serial))
}

/// A commit as people write it.
fn short_commit(commit: &str) -> String {
    commit.chars().take(12).collect()
}
