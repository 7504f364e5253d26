//! Jobs of a random history in a random order, some of which end before they publish their state: the fleet
//! never goes back to an older commit, and no newer commit is held up by what an older one did (rule 12). A job whose
//! clone is shallow and cannot fetch the rest knows only a part of the order, and says so.

use std::collections::{BTreeMap, BTreeSet};

use aeroform::core::fleet::{Desired, RunId};
use aeroform::core::plan::{
    CHANGES, CommitRelation, CommitRelations, Options, Outcome, Plan, StepId, base_commit, codes,
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

    /// The commits that a shallow clone of this depth has, ours included.
    fn visible(&self, ours: usize, depth: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::from([ours]);
        for _ in 1..depth {
            let parents = found.iter().flat_map(|commit| &self.commits[*commit].0);
            let parents: BTreeSet<usize> = parents.copied().collect();
            found.extend(parents);
        }
        found
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
    /// How deep its clone is, if the rest cannot be fetched.
    depth: Option<usize>,
}

impl Job {
    /// The relation of another commit to ours, as far as the clone tells: what is not in it may be anything.
    fn relation(&self, history: &History, other: usize) -> CommitRelation {
        let Some(depth) = self.depth else {
            return history.relation(self.commit, other);
        };
        if self.commit == other {
            CommitRelation::Same
        } else if history.visible(self.commit, depth).contains(&other) {
            CommitRelation::Ancestor
        } else {
            CommitRelation::Unknown
        }
    }
}

/// A run that was carried out.
struct AppliedRun {
    run: RunId,
    commit: usize,
    desired: String,
}

impl AppliedRun {
    /// Whether the state lists it, or a Machine has its stamps.
    fn is_shown(&self, stage: &PlanFixture) -> bool {
        let mut listed = stage.known.runs.iter();
        let mut machines = stage.observed.machines.values();
        listed.any(|run| run.run == self.run)
            || machines.any(|machine| machine.stamps.run.as_ref() == Some(&self.run))
    }
}

/// Whether the plan says that it could not compare commits.
fn says_unknown(plan: &Plan) -> bool {
    let unknown = codes::COMMIT_ORDER_UNKNOWN.name();
    plan.warnings.iter().any(|warning| warning.code == unknown)
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
    let depth = prop_oneof![4 => Just(None), 1 => (1..4_usize).prop_map(Some)];
    (0..8_usize, has_changes, end, depth).prop_map(|(commit, has_changes, end, depth)| Job {
        commit,
        has_changes,
        end,
        depth,
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
        // The runs that changed Machines or wanted something new.
        let mut runs: Vec<AppliedRun> = Vec::new();
        let mut applied: Vec<Job> = Vec::new();
        for job in jobs {
            let job = Job { commit: job.commit % history.commits.len(), ..job };
            let target = history.commits[job.commit].1.desired(job.has_changes);
            let others = commits_to_compare(&stage.known, &stage.observed);
            let relations: BTreeMap<String, CommitRelation> = others
                .iter()
                .map(|other| {
                    let index: usize = base_commit(other).parse().unwrap();
                    (other.clone(), job.relation(&history, index))
                })
                .collect();
            let is_unknown = relations.values().any(|other| *other == CommitRelation::Unknown);
            let unknown_because = is_unknown.then(|| "the clone is shallow".to_owned());
            let commits = CommitRelations { relations, unknown_because };
            let options = Options { commits, ..Options::default() };
            let plan = stage.plan_with(&target, &options);
            let follows = |relation: &dyn Fn(usize) -> CommitRelation| {
                applied.iter().all(|before| {
                    let is_ours = matches!(
                        relation(before.commit),
                        CommitRelation::Same | CommitRelation::Ancestor
                    );
                    is_ours && !(before.has_changes && before.end != End::Published)
                })
            };
            let sees_that_it_follows = follows(&|other| job.relation(&history, other));
            let only_follows = follows(&|other| history.relation(job.commit, other));
            if only_follows && !sees_that_it_follows {
                // It may be refused, and then learns why it was not taken over.
                let mut hints = plan.refusals.iter().filter_map(|refusal| refusal.hint.as_ref());
                prop_assert!(
                    plan.refusals.is_empty() || hints.any(|hint| hint.contains("the clone is shallow")),
                    "{:?} after {:?}: {:?}", job, applied, plan.refusals
                );
            }
            if sees_that_it_follows {
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
            // The last of them, as far as state and stamps show it: what nothing shows was undone.
            let last = runs.iter().rev().find(|run| run.is_shown(&stage));
            let is_new = last.is_none_or(|last| last.desired != plan.desired);
            if let Some(last) = last {
                let goes_back = matches!(
                    history.relation(job.commit, last.commit),
                    CommitRelation::Descendant(_)
                );
                prop_assert!(
                    !goes_back || !is_new || (job.depth.is_some() && says_unknown(&plan)),
                    "{job:?} undoes {} after {applied:?}", last.commit
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
            if let Some(run) = run.filter(|_| plan.calls_provider() || is_new) {
                runs.push(AppliedRun { run, commit: job.commit, desired: plan.desired.clone() });
            }
            if job.end != End::Published {
                stage.known = known;
            }
            applied.push(job);
        }
    }
}
