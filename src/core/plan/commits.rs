//! The order of commits: which runs are older, newer or on another branch than the planned one, and what follows
//! from it (rule 12).
//!
//! Pure: the relations come in through [`CommitRelations`]; [`commits_to_compare`] says which ones are needed.

use std::collections::{BTreeMap, BTreeSet};

use super::codes;
use super::history::{newer_run, recorded_runs};
use super::notes::note;
use super::options::{Options, PlanMode};
use super::types::{GroupChange, GroupVerdict, Note, Plan};
use crate::core::fleet::{Known, Machine, Observed, RunId, RunRecord};

/// Marks a commit whose manifests differed from it when they were applied (`930ce37+changes`).
pub const CHANGES: &str = "+changes";

/// How many characters of a commit messages show.
const SHORT_COMMIT: usize = 12;

/// The commands of runs that applied manifests before format 3 of the state.
const APPLIES: [&str; 2] = ["apply", "destroy"];

/// Another commit, as seen from the planned one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitRelation {
    /// The same commit.
    Same,
    /// An ancestor of ours.
    Ancestor,
    /// A descendant of ours, by this many commits.
    Descendant(u64),
    /// Neither is an ancestor of the other.
    Diverged,
    /// The history is missing.
    Unknown,
}

/// The planned commit, and its relation to others. Without relations the order is not judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitRelations {
    /// By commit, without [`CHANGES`].
    pub relations: BTreeMap<String, CommitRelation>,
    /// Why some are unknown.
    pub unknown_because: Option<String>,
}

impl CommitRelations {
    /// The relation to a commit as a run or stamp names it; `None` if it is not judged.
    pub fn relation(&self, commit: &str) -> Option<CommitRelation> {
        self.relations.get(base_commit(commit)).copied()
    }

    /// Whether a run with this commit did only what ours does as well, or follows (rule 12). Changes that are in
    /// no commit are in none of ours.
    pub(super) fn includes(&self, commit: &str) -> bool {
        let relation = self.relation(commit);
        let older = matches!(
            relation,
            Some(CommitRelation::Same | CommitRelation::Ancestor)
        );
        older && !commit.ends_with(CHANGES)
    }
}

/// The commit without the mark of changes.
pub fn base_commit(commit: &str) -> &str {
    commit.strip_suffix(CHANGES).unwrap_or(commit)
}

/// A shortened commit, with its mark.
pub fn short_commit(commit: &str) -> String {
    let base = base_commit(commit);
    let short: String = base.chars().take(SHORT_COMMIT).collect();
    format!("{short}{}", &commit[base.len()..])
}

/// The commits whose relation to ours a plan needs: that of the last run that applied a commit, and those of
/// runs that the state does not list.
pub fn commits_to_compare(known: &Known, observed: &Observed) -> BTreeSet<String> {
    let last = last_applied(known).and_then(|run| run.commit.as_deref());
    let unrecorded = unrecorded_machines(known, observed);
    let stamped = unrecorded.filter_map(|(_, machine)| machine.stamps.commit.as_deref());
    last.into_iter()
        .chain(stamped)
        .map(|commit| base_commit(commit).to_owned())
        .collect()
}

/// The runs that the state does not list and whose commits ours includes.
pub(super) fn runs_of_ancestors(
    known: &Known,
    observed: &Observed,
    options: &Options,
) -> BTreeSet<RunId> {
    let runs = unrecorded_machines(known, observed).filter(|(_, machine)| {
        let commit = machine.stamps.commit.as_deref();
        commit.is_some_and(|commit| options.commits.includes(commit))
    });
    runs.map(|(run, _)| run.clone()).collect()
}

fn unrecorded_machines<'a>(
    known: &'a Known,
    observed: &'a Observed,
) -> impl Iterator<Item = (&'a RunId, &'a Machine)> {
    let recorded = recorded_runs(known);
    let machines = observed.counted_machines().filter(|m| !m.state.is_gone());
    machines.filter_map(move |machine| {
        let (run, _) = newer_run(machine, known, &observed.description.scope, &recorded)?;
        Some((run, machine))
    })
}

/// The last run that applied manifests and names its commit.
fn last_applied(known: &Known) -> Option<&RunRecord> {
    let says_desired = known.runs.iter().any(|run| run.desired.is_some());
    let mut newest_first = known.runs.iter().rev();
    newest_first.find(|run| {
        let applied = if says_desired {
            run.desired.is_some()
        } else {
            APPLIES.contains(&run.command.as_str())
        };
        applied && run.commit.is_some()
    })
}

/// A run that applied another commit.
struct OtherRun<'a> {
    run: &'a RunId,
    by: Option<&'a str>,
    /// When it ended; unknown for a run that only stamps name.
    at: Option<&'a str>,
    commit: &'a str,
    desired: Option<&'a str>,
}

impl OtherRun<'_> {
    fn describe(&self) -> String {
        let by = self.by.map_or(String::new(), |by| format!(" by {by}"));
        let at = self.at.map_or(String::new(), |at| format!(" at {at}"));
        format!("run {}{by}{at}", self.run)
    }
}

/// Adds what the order of commits says about a plan: our commit compared with those of the last run and of runs
/// that the state does not list. A plan without changes, or for the desired state of the other run, takes nothing
/// back.
pub(super) fn judge_order(plan: &mut Plan, known: &Known, observed: &Observed, options: &Options) {
    if plan.mode != PlanMode::Normal || plan.is_empty() {
        return;
    }
    let others = other_runs(known, observed);
    let others = others
        .iter()
        .filter(|other| other.desired != Some(&plan.desired));
    let (mut refusals, mut warnings, mut unknown) = (Vec::new(), Vec::new(), None);
    for other in others {
        match options.commits.relation(other.commit) {
            None | Some(CommitRelation::Same | CommitRelation::Ancestor) => {}
            Some(CommitRelation::Descendant(_)) if options.allow_older => {}
            Some(CommitRelation::Descendant(commits)) => {
                refusals.push(older_commit(other, commits));
            }
            Some(CommitRelation::Diverged) => {
                warnings.push(diverged_commit(other, &plan.groups));
            }
            // One is enough.
            Some(CommitRelation::Unknown) => {
                unknown.get_or_insert_with(|| unknown_order(other, options));
            }
        }
    }
    warnings.extend(unknown);
    plan.refusals.splice(0..0, refusals);
    plan.warnings.splice(0..0, warnings);
}

/// The last run in the state, and those that only stamps name.
fn other_runs<'a>(known: &'a Known, observed: &'a Observed) -> Vec<OtherRun<'a>> {
    let last = last_applied(known).and_then(|run| {
        Some(OtherRun {
            run: &run.run,
            by: Some(&run.by),
            at: Some(&run.at),
            commit: run.commit.as_deref()?,
            desired: run.desired.as_deref(),
        })
    });
    let mut unrecorded: BTreeMap<&RunId, OtherRun<'_>> = BTreeMap::new();
    for (run, machine) in unrecorded_machines(known, observed) {
        let stamps = &machine.stamps;
        if let Some(commit) = stamps.commit.as_deref() {
            unrecorded.entry(run).or_insert_with(|| OtherRun {
                run,
                by: stamps.by.as_deref(),
                at: None,
                commit,
                desired: stamps.desired.as_deref(),
            });
        }
    }
    last.into_iter().chain(unrecorded.into_values()).collect()
}

fn older_commit(other: &OtherRun<'_>, commits: u64) -> Note {
    let behind = match commits {
        1 => "1 commit".to_owned(),
        n => format!("{n} commits"),
    };
    let what = format!(
        "this commit is {behind} behind {}, which {} applied",
        short_commit(other.commit),
        other.describe()
    );
    note(codes::OLDER_COMMIT, what).with_hint(
        "to go back, apply a new commit that reverts the later ones (`git revert`), or add `--allow-older`",
    )
}

fn diverged_commit(other: &OtherRun<'_>, groups: &[GroupChange]) -> Note {
    let changed: Vec<String> = groups
        .iter()
        .filter(|group| group.verdict != GroupVerdict::Unchanged)
        .map(|group| format!("`{}`", group.name))
        .collect();
    let what = match changed.as_slice() {
        [] => String::new(),
        [one] => format!("; group {one} differs"),
        several => format!("; groups {} differ", several.join(", ")),
    };
    note(
        codes::DIVERGED_COMMIT,
        format!(
            "{} applied commit {}, which is on another branch{what}",
            other.describe(),
            short_commit(other.commit),
        ),
    )
    .with_hint("check that this plan does not revert what only the other branch has")
}

fn unknown_order(other: &OtherRun<'_>, options: &Options) -> Note {
    let because = options.commits.unknown_because.as_deref();
    let because = because.map_or(String::new(), |because| format!(": {because}"));
    note(
        codes::COMMIT_ORDER_UNKNOWN,
        format!(
            "cannot compare this commit with {}, which {} applied{because}",
            short_commit(other.commit),
            other.describe(),
        ),
    )
    .with_hint("check that this checkout is not older than what runs")
}
