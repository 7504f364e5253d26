//! `check` finds what a plan must never be: each fault is planted into a sound plan, alone.

use aeroform::core::fleet::{CheckState, CheckStatus, MachineState, MovedMachine};
use aeroform::core::plan::{
    Action, Branch, GroupVerdict, Outcome, Plan, PoolId, Removal, StandbyTarget, StepId, Work,
    check,
};
use serde_json::json;

use crate::support::{GroupBuilder, PlanFixture, desired, group, id};

/// A plan with creates, updates, a move, a replacement, destroys of three kinds and a standby.
fn sound() -> (PlanFixture, aeroform::core::fleet::Desired, Plan) {
    let mut stage = PlanFixture::empty();
    stage.observed.description.capabilities.port_base = Some(8100);
    let before = desired([
        ("cron", group("cron").count(2)),
        ("db", group("db").count(2)),
        ("old", group("old").count(2)),
        ("web", group("web").count(4)),
        (
            "worker",
            group("worker").count(2).with(|g| g.standby = Some(1)),
        ),
    ]);
    stage.apply(&before);
    let mut target = desired([
        ("api", group("api").count(2)),
        ("db", group("db").count(2).mount()),
        ("new", group("new").count(2)),
        (
            "web",
            group("web")
                .count(4)
                .exact(&[("ams", 3), ("fra", 1)])
                .config(json!({"env": {"A": "1"}})),
        ),
        (
            "worker",
            group("worker").count(3).with(|g| g.standby = Some(1)),
        ),
    ]);
    target.moved.push(crate::support::moved("old", "new"));
    let plan = stage.plan(&target);
    (stage, target, plan)
}

/// What `check` says once this was done to a sound plan.
fn planted(fault: impl FnOnce(&mut Plan)) -> String {
    let (stage, target, mut plan) = sound();
    assert_eq!(
        check(&plan, &target, &stage.known, Some(&stage.observed)),
        []
    );
    fault(&mut plan);
    let findings = check(&plan, &target, &stage.known, Some(&stage.observed));
    assert!(!findings.is_empty(), "the fault was not found");
    findings
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

fn find(plan: &Plan, what: impl Fn(&Action) -> bool) -> usize {
    plan.changes()
        .find(|(_, change)| what(&change.action))
        .unwrap()
        .0
        .0 as usize
}

fn change(plan: &mut Plan, at: usize) -> &mut aeroform::core::plan::Change {
    match &mut plan.steps[at].work {
        Work::Change(change) => change,
        Work::Barrier { .. } => panic!("step {at} is a barrier"),
    }
}

fn successor(plan: &mut Plan, at: usize) -> &mut aeroform::core::plan::Successor {
    match change(plan, at).branches.first_mut() {
        Some(Branch::NoRoomReplaced(successor)) => successor,
        other => panic!("step {at} has {other:?}"),
    }
}

fn is_create(action: &Action) -> bool {
    matches!(action, Action::Create { replaces: None, .. })
}

fn is_destroy_of(removal: Removal) -> impl Fn(&Action) -> bool {
    move |action| matches!(action, Action::Destroy { removal: r, .. } if *r == removal)
}

macro_rules! faults {
    ($($name:ident: $fault:expr => $says:literal;)*) => {
        $(#[test]
        fn $name() {
            let said = planted($fault);
            assert!(said.contains($says), "it says: {said}");
        })*
    };
}

faults! {
    a_step_that_waits_for_a_later_one: |plan| {
        let last = StepId(u32::try_from(plan.steps.len()).unwrap() - 1);
        plan.steps[0].needs.push(last);
    } => "waits for the later step";
    a_step_with_another_id: |plan| plan.steps[2].id = StepId(7) => "has the id 7";
    a_step_in_a_pool_that_does_not_exist: |plan| plan.steps[0].pool = Some(PoolId(99)) => "does not exist";
    a_pool_without_room: |plan| plan.pools[0].size = 0 => "has size 0";
    a_machine_that_is_changed_twice: |plan| {
        let destroy = find(plan, is_destroy_of(Removal::GroupRemoved));
        let twice = change(plan, destroy).machine.clone();
        change(plan, destroy + 1).machine = twice;
    } => "is changed twice";
    a_machine_that_does_not_exist: |plan| {
        let update = find(plan, |action| matches!(action, Action::Update { .. }));
        change(plan, update).machine.id = Some(id("nobody"));
    } => "does not exist";
    a_second_machine_of_one_name: |plan| {
        let create = find(plan, is_create);
        let name = change(plan, create).machine.name.clone();
        change(plan, create + 1).machine.name = name;
    } => "creates a second";
    a_name_that_does_not_answer_its_launch_id: |plan| {
        let create = find(plan, is_create);
        change(plan, create).machine.name = aeroform::core::fleet::MachineName::new("web-x").unwrap();
    } => "does not match its launch id";
    a_port_that_is_taken: |plan| {
        let create = find(plan, is_create);
        let Action::Create { port, .. } = &mut change(plan, create).action else { unreachable!() };
        *port = Some(8100);
    } => "which is in use";
    a_change_without_a_pin: |plan| {
        let update = find(plan, |action| matches!(action, Action::Update { .. }));
        change(plan, update).precondition = None;
    } => "without a precondition";
    a_create_too_many: |plan| {
        let create = find(plan, is_create);
        change(plan, create).region = crate::support::region("iad");
    } => "is not listed there";
    a_count_that_is_not_what_is_written: |plan| {
        let web = plan.groups.iter_mut().find(|g| g.name.as_str() == "api").unwrap();
        web.after = 3;
    } => "should have 2 and 0 standbys but gets 3";
    a_removed_group_that_keeps_machines: |plan| {
        let cron = plan.groups.iter_mut().find(|g| g.verdict == GroupVerdict::Removed).unwrap();
        cron.after = 1;
    } => "is removed but keeps 1";
    a_group_that_is_left_out: |plan| {
        plan.groups.retain(|g| g.name.as_str() != "api");
    } => "is desired but not in the plan";
    a_destroy_before_the_creates_of_its_group: |plan| {
        let destroy = find(plan, is_destroy_of(Removal::Rebalanced));
        plan.steps[destroy].needs.clear();
    } => "takes a Machine away before step";
    a_removed_group_that_goes_first: |plan| {
        let destroy = find(plan, is_destroy_of(Removal::GroupRemoved));
        plan.steps[destroy].needs.clear();
    } => "destroys a removed group too early";
    a_replacement_without_order: |plan| {
        let destroy = find(plan, is_destroy_of(Removal::Replaced));
        plan.steps[destroy].needs.clear();
    } => "is not ordered with its replacement";
    a_replacement_without_a_successor: |plan| {
        let create = find(plan, |action| matches!(action, Action::Create { replaces: Some(_), .. }));
        let Action::Create { replaces, .. } = &mut change(plan, create).action else { unreachable!() };
        *replaces = None;
    } => "for a replacement that no step creates";
    a_standby_that_watches_too_early: |plan| {
        let standby = find(plan, |action| matches!(action, Action::Update { standby_for }
            if standby_for.iter().any(|s| matches!(s, StandbyTarget::Step(_)))));
        plan.steps[standby].needs.clear();
    } => "before it is done";
    a_rolling_pool_that_is_too_wide: |plan| {
        let update = find(plan, |action| matches!(action, Action::Update { standby_for } if standby_for.is_empty()));
        let pool = plan.steps[update].pool.unwrap();
        plan.pools[pool.0 as usize].size = 4;
    } => "takes down too many at once";
    an_update_that_does_not_say_what_happens_without_room: |plan| {
        let update = find(plan, |action| matches!(action, Action::Update { .. }));
        change(plan, update).branches.clear();
    } => "has 0 branches and not 1";
    two_intents_that_meet: |plan| {
        let create = find(plan, is_create);
        let update = find(plan, |action| matches!(action, Action::Update { .. }));
        let name = change(plan, create).machine.name.clone();
        successor(plan, update).name = name;
    } => "may create a second";
    a_volume_that_is_left_for_want_of_room: |plan| {
        let update = find(plan, |action| matches!(action, Action::Update { .. }));
        let pin = change(plan, update).precondition.as_mut().unwrap();
        pin.volumes.push(aeroform::core::fleet::VolumeId::new("vol_1").unwrap());
    } => "may leave a volume";
    a_successor_whose_name_does_not_answer: |plan| {
        let update = find(plan, |action| matches!(action, Action::Update { .. }));
        successor(plan, update).name = aeroform::core::fleet::MachineName::new("web-x").unwrap();
    } => "whose name does not match";
    a_standby_that_is_re_pointed_for_nothing: |plan| {
        let update = find(plan, |action| matches!(action, Action::Update { .. }));
        let pin = change(plan, update).precondition.clone().unwrap();
        successor(plan, update).repoints.push(pin.id);
    } => "without need";
    a_rolling_pool_without_a_first_one: |plan| {
        let update = find(plan, |action| matches!(action, Action::Update { standby_for } if standby_for.is_empty()));
        let pool = plan.steps[update].pool.unwrap();
        plan.pools[pool.0 as usize].first_alone = false;
    } => "takes down too many at once";
}

#[test]
fn a_protected_group_that_shrinks_without_a_refusal() {
    let stage = PlanFixture::with(&desired([("web", group("web").count(3).protected())]));
    let target = desired([("web", group("web").count(2).protected())]);
    let mut plan = stage.plan(&target);
    plan.refusals.clear();
    let findings = check(&plan, &target, &stage.known, Some(&stage.observed));
    assert!(
        findings
            .iter()
            .any(|f| f.0.contains("protected group `web` shrinks")),
        "{findings:?}"
    );
}

#[test]
fn a_machine_that_serves_and_goes_down_before_one_that_does_not_is_up_again() {
    let target = |version| {
        let config = json!({"env": {"VERSION": version}});
        desired([("web", group("web").count(3).config(config))])
    };
    let mut stage = PlanFixture::with(&target("1"));
    stage.edit_outside("m00003", |machine| machine.state = MachineState::Failed);
    let target = target("2");
    let mut plan = stage.plan(&target);
    for step in &mut plan.steps {
        step.needs.clear();
    }
    let findings = check(&plan, &target, &stage.known, Some(&stage.observed));
    assert!(findings[0].0.contains("started another"), "{findings:?}");
}

#[test]
fn a_standby_that_loses_its_primary() {
    let target = desired([(
        "worker",
        group("worker").count(2).with(|g| g.standby = Some(1)),
    )]);
    let mut stage = PlanFixture::with(&target);
    stage.edit_outside("m00001", |machine| machine.state = MachineState::Failed);
    let mut plan = stage.plan(&target);
    let update = find(&plan, |action| matches!(action, Action::Update { .. }));
    assert_eq!(successor(&mut plan, update).repoints.len(), 1);
    successor(&mut plan, update).repoints.clear();
    let findings = check(&plan, &target, &stage.known, Some(&stage.observed));
    assert!(
        findings[0].0.contains("without a Machine to watch"),
        "{findings:?}"
    );
}

#[test]
fn an_update_does_not_wait_although_another_machine_fails_its_checks() {
    let target = |version| {
        let config =
            json!({"env": {"VERSION": version}, "checks": {"up": {"type": "tcp", "port": 1}}});
        desired([("web", group("web").count(3).config(config))])
    };
    let mut stage = PlanFixture::with(&target("1"));
    let target = target("2");
    let planned = stage.plan(&target);
    // One has the new version and fails, the others have still to be updated.
    let last = planned.changes().map(|(id, _)| id).max().unwrap();
    stage.carry_out_except(&target, &planned, |id| {
        (id == last).then_some(Outcome::NotStarted)
    });
    stage.edit_outside("m00001", |machine| {
        machine.checks = vec![CheckStatus {
            name: "up".to_owned(),
            status: CheckState::Critical,
            output: String::new(),
            updated_at: "1".to_owned(),
        }];
    });
    let plan = stage.plan(&target);
    let wait = find(&plan, |action| *action == Action::Wait);
    let update = find(&plan, |action| matches!(action, Action::Update { .. }));
    let findings = |fault: &dyn Fn(&mut Plan)| {
        let mut plan = plan.clone();
        fault(&mut plan);
        let found = check(&plan, &target, &stage.known, Some(&stage.observed));
        assert!(
            found[0].0.contains("while m00001 fails its checks"),
            "{found:?}"
        );
    };
    findings(&|plan| plan.steps[update].needs.clear());
    findings(&|plan| change(plan, wait).gate = aeroform::core::plan::GateKind::None);
}

#[test]
fn a_move_that_does_not_wait_for_the_machine_in_its_place() {
    let groups = |jobs| {
        desired([
            ("web", group("web").count(2)),
            ("jobs", group("jobs").count(jobs)),
        ])
    };
    let stage = PlanFixture::with(&groups(0));
    let mut target = groups(1);
    target.moved_machines.push(MovedMachine {
        machine: id("m00001"),
        to: crate::support::group_name("jobs"),
        location: String::new(),
    });
    let mut plan = stage.plan(&target);
    let moves = find(&plan, |action| matches!(action, Action::Move { .. }));
    plan.steps[moves].needs.clear();
    let findings = check(&plan, &target, &stage.known, Some(&stage.observed));
    assert!(
        findings[0].0.contains("takes a Machine away before step"),
        "{findings:?}"
    );
}
