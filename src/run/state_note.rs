//! What a write of the state is about, for stores with a history.

use std::collections::BTreeMap;

use crate::core::fleet::Known;
use crate::core::plan::{Action, Outcome, Plan, StepResult};
use crate::store::WriteNote;

/// The note of a state that a run or a command wrote.
pub fn state_note(next: &Known, what: &str) -> WriteNote {
    let record = next.runs.last();
    let record = record.filter(|record| next.run.as_ref() == Some(&record.run));
    let commit = record.and_then(|record| record.commit.clone());
    let plan = record.and_then(|record| record.plan.clone());
    let trailers = [
        ("Aeroform-Run", next.run.as_ref().map(ToString::to_string)),
        ("Aeroform-Commit", commit),
        ("Aeroform-Plan", plan),
    ];
    let trailers = trailers.into_iter();
    WriteNote {
        subject: format!("{}: serial {} · {what}", next.app, next.serial),
        trailers: trailers
            .filter_map(|(name, value)| Some((name, value?)))
            .collect(),
    }
}

/// `6 created, 4 updated`.
pub(super) fn changes_made(plan: &Plan, results: &[StepResult]) -> String {
    let mut done: BTreeMap<(u8, &str), usize> = BTreeMap::new();
    for (id, change) in plan.changes() {
        let result = usize::try_from(id.0).ok().and_then(|at| results.get(at));
        if result.is_none_or(|result| result.outcome != Outcome::Done) {
            continue;
        }
        let word = match &change.action {
            Action::Create { .. } => (0, "created"),
            Action::Update { .. } => (1, "updated"),
            Action::Move { .. } => (2, "moved"),
            Action::Destroy { .. } => (3, "destroyed"),
            Action::Adopt => (4, "adopted"),
            Action::Forget => (5, "forgotten"),
            Action::Start
            | Action::Wait
            | Action::Once { .. }
            | Action::Switch { .. }
            | Action::Canary { .. } => continue,
        };
        *done.entry(word).or_default() += 1;
    }
    if done.is_empty() {
        return "no Machine changed".to_owned();
    }
    let texts = done.iter().map(|((_, word), n)| format!("{n} {word}"));
    texts.collect::<Vec<_>>().join(", ")
}
