//! Commits have an order (rule 12): what an older, a newer, another or an unknown commit means for a plan.

use aeroform::core::fleet::{Desired, ReleaseStamp, RunId, RunRecord};
use aeroform::core::plan::{
    CommitRelation, CommitRelations, Options, Plan, PlanMode, codes, required_approval,
};
use serde_json::json;

use crate::support::{GroupBuilder, PlanFixture, desired, group};

const OURS: &str = "1111111111111111111111111111111111111111";
const OTHER: &str = "2222222222222222222222222222222222222222";

fn web(count: u32) -> Desired {
    desired([("web", group("web").count(count))])
}

fn logging(level: &str) -> Desired {
    let web = group("web").count(2);
    desired([("web", web.config(json!({"env": {"LOG": level}})))])
}

/// Options of a plan that sees the other commit so.
fn seen_as(relation: CommitRelation) -> Options {
    let commits = CommitRelations {
        relations: [(OTHER.to_owned(), relation)].into(),
        unknown_because: Some("there is no git work tree".to_owned()),
    };
    Options {
        commits,
        ..Options::default()
    }
}

/// A state whose last run applied the other commit.
fn applied(target: &Desired) -> PlanFixture {
    let mut stage = PlanFixture::empty();
    stage.commit = Some(OTHER.to_owned());
    stage.apply(target);
    stage
}

/// A fleet that a run of this commit changed without writing the state.
fn unrecorded(before: &Desired, after: &Desired, commit: &str) -> PlanFixture {
    let mut stage = PlanFixture::with(before);
    let known = stage.known.clone();
    stage.commit = Some(commit.to_owned());
    stage.apply(after);
    stage.known = known;
    stage
}

pub(crate) fn provoked() -> Vec<Plan> {
    let all = [
        CommitRelation::Descendant(1),
        CommitRelation::Diverged,
        CommitRelation::Unknown,
    ];
    all.map(|relation| applied(&web(2)).plan_with(&web(3), &seen_as(relation)))
        .into()
}

fn codes_of(notes: &[aeroform::core::plan::Note]) -> Vec<&str> {
    notes.iter().map(|note| note.code.as_str()).collect()
}

#[test]
fn an_older_commit_is_refused_with_who_when_and_how_far() {
    let stage = applied(&web(2));
    let mut options = seen_as(CommitRelation::Descendant(3));
    let plan = stage.plan_with(&web(4), &options);
    insta::assert_snapshot!(plan.refusals[0].message, @"this commit is 3 commits behind 222222222222, which run run1 by ana at 2026-01-01T00:00:00Z applied");
    insta::assert_snapshot!(plan.refusals[0].hint.clone().unwrap(), @"to go back, apply a new commit that reverts the later ones (`git revert`), or add `--allow-older`");
    options.allow_older = true;
    assert_eq!(stage.plan_with(&web(4), &options).refusals, []);
}

#[test]
fn an_older_commit_that_wants_the_same_or_has_nothing_to_do_is_not_refused() {
    let options = seen_as(CommitRelation::Descendant(1));
    let mut stage = applied(&web(2));
    // One was destroyed outside: the same wish makes it again.
    stage.observed.machines.pop_first();
    assert_eq!(stage.plan_with(&web(2), &options).refusals, []);
    // Another desired state that changes nothing: a policy of updates.
    let same = desired([("web", group("web").count(2).max_unavailable(2))]);
    let quiet = applied(&web(2)).plan_with(&same, &options);
    assert!(quiet.is_empty() && quiet.refusals.is_empty());
}

#[test]
fn a_descendant_is_neither_refused_nor_warned() {
    for relation in [CommitRelation::Same, CommitRelation::Ancestor] {
        let plan = applied(&web(2)).plan_with(&web(4), &seen_as(relation));
        assert_eq!((plan.refusals, plan.warnings), (vec![], vec![]));
    }
}

#[test]
fn only_the_last_run_that_applied_manifests_and_names_a_commit_counts() {
    let mut stage = applied(&web(2));
    let other = |command: &str, desired: Option<&str>| RunRecord {
        run: RunId::new("another").unwrap(),
        command: command.to_owned(),
        commit: Some(OURS.to_owned()),
        desired: desired.map(str::to_owned),
        ..stage.known.runs[0].clone()
    };
    let (refreshed, local) = (other("refresh", None), other("apply", Some("d")));
    let local = RunRecord {
        commit: None,
        ..local
    };
    stage.known.runs.extend([refreshed, local]);
    let plan = stage.plan_with(&web(4), &seen_as(CommitRelation::Descendant(1)));
    assert_eq!(codes_of(&plan.refusals), [codes::OLDER_COMMIT.name()]);
    // A format that does not record what a run wanted.
    for run in &mut stage.known.runs {
        run.desired = None;
    }
    let plan = stage.plan_with(&web(4), &seen_as(CommitRelation::Descendant(1)));
    assert_eq!(codes_of(&plan.refusals), [codes::OLDER_COMMIT.name()]);
}

#[test]
fn a_commit_of_another_branch_is_a_warning_that_names_the_groups() {
    let plan = applied(&web(2)).plan_with(&web(3), &seen_as(CommitRelation::Diverged));
    assert_eq!(plan.refusals, []);
    insta::assert_snapshot!(plan.warnings[0].message, @"run run1 by ana at 2026-01-01T00:00:00Z applied commit 222222222222, which is on another branch; group `web` differs");
}

#[test]
fn an_unknown_order_is_one_warning() {
    let mut stage = unrecorded(&web(2), &web(3), OTHER);
    stage.known.runs[0].commit = Some(OTHER.to_owned());
    let plan = stage.plan_with(&web(4), &seen_as(CommitRelation::Unknown));
    assert_eq!(
        codes_of(&plan.warnings),
        [codes::COMMIT_ORDER_UNKNOWN.name()]
    );
    insta::assert_snapshot!(plan.warnings[0].message, @"cannot compare this commit with 222222222222, which run run1 by ana at 2026-01-01T00:00:00Z applied: there is no git work tree");
}

/// Holds rule 12.
#[test]
fn a_run_of_an_ancestor_is_taken_over_without_a_flag() {
    let stage = unrecorded(&logging("info"), &logging("debug"), OTHER);
    let target = logging("warn");
    for relation in [CommitRelation::Same, CommitRelation::Ancestor] {
        let mut stage = stage.clone();
        let plan = stage.plan_with(&target, &seen_as(relation));
        assert_eq!(plan.refusals, []);
        stage.commit = Some(OURS.to_owned());
        stage.carry_out(&target, &plan);
        let runs = stage.known.runs.iter();
        let listed: Vec<_> = runs
            .map(|run| (run.outcome.as_str(), run.commit.as_deref()))
            .collect();
        let taken_over = (RunRecord::TAKEN_OVER, Some(OTHER));
        assert_eq!(
            listed,
            [("complete", None), taken_over, ("complete", Some(OURS))]
        );
        assert!(stage.known.runs[1].desired.is_some());
        assert!(stage.plan(&target).is_empty());
    }
    for relation in [CommitRelation::Diverged, CommitRelation::Descendant(1)] {
        let plan = stage.plan_with(&target, &seen_as(relation));
        assert!(codes_of(&plan.refusals).contains(&codes::STATE_BEHIND.name()));
    }
    let plan = stage.plan_with(&target, &seen_as(CommitRelation::Unknown));
    insta::assert_snapshot!(plan.refusals[0].hint.clone().unwrap(), @"get the state file that contains it (`git pull`), or adopt its changes with `--adopt-run run2`; whether its commit is older than this one is unknown (there is no git work tree)");
}

#[test]
fn changes_that_are_in_no_commit_are_never_taken_over() {
    let commit = format!("{OTHER}+changes");
    let stage = unrecorded(&logging("info"), &logging("debug"), &commit);
    let plan = stage.plan_with(&logging("warn"), &seen_as(CommitRelation::Ancestor));
    assert_eq!(codes_of(&plan.refusals), [codes::STATE_BEHIND.name()]);
    assert!(plan.refusals[0].message.contains("222222222222+changes"));
}

#[test]
fn what_a_run_of_an_ancestor_made_is_changed_and_destroyed_without_a_flag() {
    let mut stage = unrecorded(&web(2), &web(4), OTHER);
    let release = |version| ReleaseStamp {
        id: Some("r9".to_owned()),
        version,
        registered_by_us: true,
        newer_than_ours: true,
    };
    for machine in stage.observed.machines.values_mut() {
        machine.stamps.release = Some(Box::new(release(9)));
    }
    stage.known.release = Some(8);
    let smaller = desired([(
        "web",
        group("web").count(1).config(json!({"env": {"A": "1"}})),
    )]);
    let plan = stage.plan_with(&smaller, &seen_as(CommitRelation::Ancestor));
    assert_eq!(plan.refusals, []);
    let needed = required_approval(&plan);
    assert!(
        needed.typed.is_empty() && needed.reverts.is_empty(),
        "{needed:?}"
    );
    let plan = stage.plan_with(&smaller, &seen_as(CommitRelation::Diverged));
    assert!(!required_approval(&plan).typed.is_empty());
}

#[test]
fn a_refused_run_names_every_flag_at_once() {
    let mut stage = unrecorded(&logging("info"), &logging("debug"), OTHER);
    for machine in stage.observed.machines.values_mut() {
        machine.stamps.release = Some(Box::new(ReleaseStamp {
            id: Some("r9".to_owned()),
            version: 9,
            registered_by_us: true,
            newer_than_ours: false,
        }));
    }
    stage.known.release = Some(8);
    let plan = stage.plan_with(&logging("warn"), &seen_as(CommitRelation::Diverged));
    insta::assert_snapshot!(plan.refusals[0].hint.clone().unwrap(), @"get the state file that contains it (`git pull`), or adopt its changes with `--adopt-run run2 --allow-revert`");
}

#[test]
fn a_newer_run_that_no_state_lists_refuses_an_older_commit_as_well() {
    // It only added Machines, so that nothing else would stop the older one.
    let stage = unrecorded(&web(2), &web(3), OTHER);
    let plan = stage.plan_with(&web(1), &seen_as(CommitRelation::Descendant(2)));
    assert_eq!(codes_of(&plan.refusals), [codes::OLDER_COMMIT.name()]);
}

#[test]
fn a_destroy_and_a_refresh_have_no_order() {
    let stage = applied(&web(2));
    for mode in [PlanMode::Destroy, PlanMode::RefreshOnly] {
        let options = Options {
            mode,
            ..seen_as(CommitRelation::Descendant(1))
        };
        assert_eq!(stage.plan_with(&web(4), &options).refusals, []);
    }
}
