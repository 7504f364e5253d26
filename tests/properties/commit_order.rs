//! Jobs of a random history in a random order, some of which end before they publish their state: the fleet
//! never goes back to an older commit, and no newer commit is held up by what an older one did (rule 12).

use std::collections::{BTreeMap, BTreeSet};

use aeroform::core::fleet::Desired;
use aeroform::core::plan::{
    CHANGES, CommitRelation, CommitRelations, Options, Outcome, StepId, base_commit,
    commits_to_compare, required_approval,
};
use proptest::prelude::*;
use serde_json::json;

use crate::config;
use crate::support::{GroupBuilder, PlanFixture, desired, group};

/// What a commit wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wish {
    web: u32,
    image: u8,
    has_worker: bool,
}

impl Wish {
    fn desired(self, has_changes: bool) -> Desired {
        let image = format!("shop:{}{has_changes}", self.image);
        let web = group("web").count(self.web).config(json!({"image": image}));
        let worker = group("worker").count(1).config(json!({"image": image}));
        let all = [("web", web), ("worker", worker)];
        desired(all.into_iter().take(1 + usize::from(self.has_worker)))
    }
}

/// A history: each commit has parents before it. Without parents it is the start of another branch, as after a
/// rebase or a squash; with two, a merge.
#[derive(Debug, Clone)]
struct History {
    commits: Vec<(Vec<usize>, Wish)>,
}

fn wish() -> impl Strategy<Value = Wish> {
    (1..4_u32, 0..3_u8, any::<bool>()).prop_map(|(web, image, has_worker)| Wish {
        web,
        image,
        has_worker,
    })
}

fn history() -> impl Strategy<Value = History> {
    let commit = (any::<u32>(), any::<u32>(), 0..10_u8, wish());
    proptest::collection::vec(commit, 2..8).prop_map(|drawn| {
        let mut commits: Vec<(Vec<usize>, Wish)> = Vec::new();
        for (at, (first, second, kind, wish)) in drawn.into_iter().enumerate() {
            let nth = |n: u32| n as usize % at.max(1);
            let parents = match (at, kind) {
                (0, _) | (_, 0) => vec![],
                (_, 1..=6) => vec![at - 1],
                (_, 7) => vec![nth(first)],
                (_, _) => vec![nth(first), nth(second)],
            };
            // A revert wants what the parent of its parent wanted.
            let reverts = kind == 6 && at > 1;
            let wish = if reverts { commits[at - 2].1 } else { wish };
            commits.push((parents, wish));
        }
        History { commits }
    })
}

impl History {
    fn ancestors(&self, commit: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut left = self.commits[commit].0.clone();
        while let Some(parent) = left.pop() {
            if found.insert(parent) {
                left.extend(&self.commits[parent].0);
            }
        }
        found
    }

    fn relation(&self, ours: usize, other: usize) -> CommitRelation {
        if ours == other {
            CommitRelation::Same
        } else if self.ancestors(ours).contains(&other) {
            CommitRelation::Ancestor
        } else if self.ancestors(other).contains(&ours) {
            CommitRelation::Descendant(1)
        } else {
            CommitRelation::Diverged
        }
    }
}

fn name(commit: usize) -> String {
    format!("{commit:040}")
}

/// A job: its commit, whether its files have changes, and how it ends.
#[derive(Debug, Clone, Copy)]
struct Job {
    commit: usize,
    has_changes: bool,
    end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Published,
    /// After every step.
    Lost,
    /// After the first step.
    Killed,
}

fn job() -> impl Strategy<Value = Job> {
    let end = prop_oneof![
        4 => Just(End::Published),
        1 => Just(End::Lost),
        1 => Just(End::Killed),
    ];
    let has_changes = prop::bool::weighted(0.1);
    (0..8_usize, has_changes, end).prop_map(|(commit, has_changes, end)| Job {
        commit,
        has_changes,
        end,
    })
}

proptest! {
    #![proptest_config(config())]

    /// Holds rule 12.
    #[test]
    fn the_fleet_never_goes_back_to_an_older_commit_and_no_newer_one_is_held_up(
        history in history(),
        jobs in proptest::collection::vec(job(), 2..10),
    ) {
        let mut stage = PlanFixture::empty();
        // The last run that changed Machines or wanted something new, as far as state and stamps show it.
        let mut last: Option<(usize, String)> = None;
        let mut applied: Vec<Job> = Vec::new();
        for job in jobs {
            let job = Job { commit: job.commit % history.commits.len(), ..job };
            let target = history.commits[job.commit].1.desired(job.has_changes);
            let others = commits_to_compare(&stage.known, &stage.observed);
            let relations: BTreeMap<String, CommitRelation> = others
                .iter()
                .map(|other| {
                    let index: usize = base_commit(other).parse().unwrap();
                    (other.clone(), history.relation(job.commit, index))
                })
                .collect();
            let commits = CommitRelations { relations, unknown_because: None };
            let options = Options { commits, ..Options::default() };
            let plan = stage.plan_with(&target, &options);
            let follows_all = applied.iter().all(|before| {
                let is_ours = matches!(
                    history.relation(job.commit, before.commit),
                    CommitRelation::Same | CommitRelation::Ancestor
                );
                is_ours && !(before.has_changes && before.end != End::Published)
            });
            if follows_all {
                prop_assert_eq!(&plan.refusals, &vec![], "{:?} after {:?}", job, applied);
                let needed = required_approval(&plan);
                prop_assert!(needed.reverts.is_empty());
                let removes = !history.commits[job.commit].1.has_worker;
                let typed = needed.typed.iter();
                let mut other = typed.filter(|typed| !(removes && typed.name == "worker"));
                prop_assert!(other.next().is_none(), "{needed:?}");
            }
            if !plan.refusals.is_empty() || plan.is_empty() {
                continue;
            }
            if let Some((last, wanted)) = &last {
                let goes_back = matches!(
                    history.relation(job.commit, *last),
                    CommitRelation::Descendant(_)
                );
                prop_assert!(
                    !goes_back || *wanted == plan.desired,
                    "{job:?} undoes {last} after {applied:?}"
                );
            }
            let changes = if job.has_changes { CHANGES } else { "" };
            stage.commit = Some(format!("{}{changes}", name(job.commit)));
            let known = stage.known.clone();
            let first = plan.changes().next().map(|(id, _)| id);
            let not_reached = |step: StepId| {
                (job.end == End::Killed && Some(step) != first).then_some(Outcome::NotStarted)
            };
            stage.carry_out_except(&target, &plan, not_reached);
            let run = stage.known.runs.last().map(|run| run.run.clone());
            let mut stamped = stage.observed.machines.values();
            let is_seen = stamped.any(|machine| machine.stamps.run == run);
            if job.end != End::Published {
                stage.known = known;
            }
            applied.push(job);
            let is_shown = job.end == End::Published || is_seen;
            let is_new = last.as_ref().is_none_or(|(_, wanted)| *wanted != plan.desired);
            if is_shown && (plan.calls_provider() || is_new) {
                last = Some((job.commit, plan.desired.clone()));
            }
        }
    }
}
