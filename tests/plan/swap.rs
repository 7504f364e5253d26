//! Which Machines a bluegreen update exchanges, in which order, and what of an earlier run goes on.

use aeroform::core::fleet::{
    Desired, DesiredGroup, MachineState, MovedGroup, Stamps, SwapRole, Trial,
};
use aeroform::core::plan::{
    Action, Options, Plan, PlanMode, Removal, Requested, RequiredApproval, SavedPlan, codes,
    required_approval,
};
use insta::assert_snapshot;
use serde_json::json;

use crate::requested::{replacing, restarting};
use crate::support::{GroupBuilder, PlanFixture, desired, group, group_name, id};

fn web(count: u32) -> DesiredGroup {
    let check = json!({"up": {"type": "tcp", "port": 8080}});
    let web = group("web").count(count).serves();
    web.config(json!({"image": "shop:1", "checks": check}))
        .with(|web| web.trial = Some(Trial::Bluegreen))
}

fn next(group: DesiredGroup) -> DesiredGroup {
    group.config(json!({"image": "shop:2"}))
}

fn app(web: DesiredGroup) -> Desired {
    desired([("web", web)])
}

fn lines(plan: &Plan) -> String {
    plan.summary_lines().join("\n")
}

/// Whether a plan is applied after a plain yes.
fn asks_nothing(approval: &RequiredApproval) -> bool {
    let yes = RequiredApproval {
        confirm: false,
        ..approval.clone()
    };
    yes.is_empty()
}

fn removals(plan: &Plan, wanted: Removal) -> Vec<String> {
    let changes = plan.changes().filter(|(_, change)| match &change.action {
        Action::Destroy { removal, .. } => *removal == wanted,
        _ => false,
    });
    let id =
        |change: &aeroform::core::plan::Change| change.machine.id.as_ref().unwrap().to_string();
    changes.map(|(_, change)| id(change)).collect()
}

#[test]
fn every_machine_of_the_group_is_exchanged_behind_one_switch() {
    let stage = PlanFixture::with(&app(web(2)));
    let plan = stage.plan(&app(next(web(2))));
    assert_snapshot!(lines(&plan), @"
    group web: 2->2 changed (ams 2->2)
    create green web ams replaces m00001 [image]
    create green web ams replaces m00002 [image]
    -- every new Machine has passed
    switch web ams to 2 greens
    destroy web ams m00001 Swapped: its config changes
    destroy web ams m00002 Swapped: its config changes
    -- web: all exchanged
    ");
    assert_eq!(plan.summary().swap, 2);
    assert_eq!((plan.summary().create, plan.summary().destroy), (0, 0));
    // Neither a typed name nor a flag: the group keeps its size.
    let approval = required_approval(&plan);
    assert!(asks_nothing(&approval), "{approval:?}");
}

#[test]
fn what_is_no_new_config_swaps_nothing() {
    let stage = PlanFixture::with(&app(web(2)));
    for target in [app(web(3)), app(web(1))] {
        let plan = stage.plan(&target);
        assert_eq!((plan.summary().swap, &plan.swap), (0, &None));
    }
    let mut rests = stage.clone();
    for machine in ["m00001", "m00002"] {
        rests.edit_outside(machine, |machine| machine.state = MachineState::Stopped);
    }
    assert_eq!(rests.plan(&app(next(web(2)))).summary().swap, 0);
}

#[test]
fn more_and_fewer_machines_are_what_they_always_are() {
    let stage = PlanFixture::with(&app(web(3)));
    let more = stage.plan(&app(next(web(4))));
    assert_eq!((more.summary().swap, more.summary().destroy), (4, 0));
    let fewer = stage.plan(&app(next(web(1))));
    assert_eq!((fewer.summary().swap, fewer.summary().destroy), (1, 2));
}

#[test]
fn resting_and_cordoned_machines_get_such_ones() {
    let mut stage = PlanFixture::with(&app(web(3)));
    stage.edit_outside("m00001", |machine| machine.state = MachineState::Stopped);
    stage.edit_outside("m00002", |machine| machine.cordoned = true);
    let target = app(next(web(3)));
    let plan = stage.plan(&target);
    let stays: Vec<bool> = plan
        .changes()
        .find_map(|(_, change)| match &change.action {
            Action::Switch { greens, .. } => {
                Some(greens.iter().map(|green| green.stays_cordoned).collect())
            }
            _ => None,
        })
        .unwrap();
    assert_eq!(stays, [false, true, false]);
    stage.carry_out(&target, &plan);
    let all: Vec<_> = stage.observed.machines.values().collect();
    let count = |is: &dyn Fn(&aeroform::core::fleet::Machine) -> bool| {
        all.iter().filter(|machine| is(machine)).count()
    };
    assert_eq!(count(&|machine| machine.cordoned), 1);
    assert_eq!(count(&|machine| machine.state == MachineState::Stopped), 1);
    assert!(stage.plan(&target).is_empty());
}

#[test]
fn standbys_watch_the_greens() {
    let jobs = |image: &str| {
        let jobs = group("jobs").count(1).config(json!({"image": image}));
        let jobs = jobs.with(|jobs| {
            jobs.standby = Some(1);
            jobs.trial = Some(Trial::Bluegreen);
        });
        desired([("jobs", jobs), ("web", web(1))])
    };
    let mut stage = PlanFixture::with(&jobs("shop:1"));
    let mut target = jobs("shop:2");
    target.groups.insert(group_name("web"), next(web(1)));
    let plan = stage.plan(&target);
    assert_snapshot!(lines(&plan), @"
    group jobs: 2->2 changed (ams 2->2)
    group web: 1->1 changed (ams 1->1)
    create green jobs ams replaces m00001 [image]
    create green web ams replaces m00002 [image]
    -- every new Machine has passed
    create green jobs ams standby for #0
    -- every new Machine is ready
    switch jobs ams to 1 greens
    switch web ams to 1 greens
    -- every group is switched
    destroy jobs ams m00001 Swapped: its config changes
    destroy jobs ams m00003 Swapped: its config changes
    -- jobs: all exchanged
    destroy web ams m00002 Swapped: its config changes
    warning works_twice jobs
    ");
    stage.carry_out(&target, &plan);
    assert!(stage.plan(&target).is_empty());
}

#[test]
fn the_machines_of_a_renamed_group_are_the_blues_of_its_new_name() {
    let stage = PlanFixture::with(&app(web(2)));
    let mut target = desired([("site", next(web(2)))]);
    target.moved = vec![MovedGroup {
        from: group_name("web"),
        to: group_name("site"),
        location: String::new(),
    }];
    let plan = stage.plan(&target);
    assert_eq!(removals(&plan, Removal::Swapped), ["m00001", "m00002"]);
}

#[test]
fn a_first_apply_that_adopts_and_swaps_asks_nothing() {
    let mut stage = PlanFixture::with(&app(web(2)));
    stage.known = aeroform::core::fleet::Known::empty(stage.known.app.clone(), "test");
    for machine in stage.observed.machines.values_mut() {
        machine.stamps = Stamps::default();
    }
    let plan = stage.plan(&app(next(web(2))));
    assert_eq!(plan.summary().swap, 2);
    let approval = required_approval(&plan);
    assert!(asks_nothing(&approval), "{approval:?}");
}

/// A swap from `shop:1` to `shop:2` whose greens exist, cordoned, and whose run never wrote the state.
fn half_done() -> PlanFixture {
    let mut stage = PlanFixture::with(&app(web(2)));
    let (known, blues) = (stage.known.clone(), stage.observed.machines.clone());
    let target = app(next(web(2)));
    stage.carry_out(&target, &stage.plan(&target));
    for machine in stage.observed.machines.values_mut() {
        machine.cordoned = true;
    }
    stage.observed.machines.extend(blues);
    stage.known = known;
    stage.count();
    stage
}

#[test]
fn greens_of_the_same_files_are_taken_by_their_names() {
    let mut stage = half_done();
    let target = app(next(web(2)));
    let plan = stage.plan(&target);
    let names: Vec<String> = plan
        .changes()
        .filter(|(_, change)| matches!(change.action, Action::Create { .. }))
        .map(|(_, change)| change.machine.name.to_string())
        .collect();
    assert_eq!(names.len(), 2);
    let seen = |name: &String| {
        stage
            .observed
            .machines
            .values()
            .any(|m| m.name.as_str() == name)
    };
    assert!(names.iter().all(seen), "{names:?}");
    assert_eq!(removals(&plan, Removal::SwapUndone), [""; 0]);
    // With the state of an interrupted run it is the same.
    for (machine, role) in [("m00003", SwapRole::Green), ("m00004", SwapRole::Green)] {
        let seen = &stage.observed.machines[&id(machine)];
        let mut line = stage.known.machines[&id("m00001")].clone();
        line.name = seen.name.clone();
        line.swap = Some(role);
        stage.known.machines.insert(id(machine), line);
    }
    assert_eq!(stage.plan(&target).summary().swap, 2);
}

#[test]
fn greens_of_other_files_are_destroyed_and_ask_nothing() {
    let stage = half_done();
    let other = app(web(2).config(json!({"image": "shop:3"})));
    let plan = stage.plan(&other);
    assert_eq!(removals(&plan, Removal::SwapUndone), ["m00003", "m00004"]);
    assert_eq!(removals(&plan, Removal::Swapped), ["m00001", "m00002"]);
    // The files of before need no swap at all.
    let back = stage.plan(&app(web(2)));
    assert_eq!(removals(&back, Removal::SwapUndone), ["m00003", "m00004"]);
    assert_eq!((back.summary().swap, back.changes().count()), (0, 2));
    assert!(asks_nothing(&required_approval(&back)));
}

/// The same after the switch.
pub(crate) fn switched() -> PlanFixture {
    let mut stage = half_done();
    for machine in ["m00003", "m00004"] {
        stage.edit_outside(machine, |machine| machine.cordoned = false);
    }
    stage
}

#[test]
fn a_switched_swap_goes_on_whatever_the_files_say() {
    let stage = switched();
    let plan = stage.plan(&app(next(web(2))));
    assert_snapshot!(lines(&plan), @"
    group web: 4->2 changed (ams 4->2)
    wait for web ams m00003: it is new and has the traffic already
    wait for web ams m00004: it is new and has the traffic already
    -- every new Machine has passed
    switch web ams to 2 greens
    destroy web ams m00001 Swapped: a swap has replaced it
    destroy web ams m00002 Swapped: a swap has replaced it
    -- web: all exchanged
    record unrecorded_run
    ");
    let other = finishes();
    assert_eq!(removals(&other, Removal::Swapped), ["m00001", "m00002"]);
    assert_eq!(other.shortfalls().count(), 1);
    // Another strategy does not hold it back either.
    let rolling = stage.plan(&app(next(web(2)).with(|web| web.trial = None)));
    assert_eq!(removals(&rolling, Removal::Swapped), ["m00001", "m00002"]);
}

/// The plan of other files after the switch.
pub(crate) fn finishes() -> Plan {
    switched().plan(&app(web(2).config(json!({"image": "shop:3"}))))
}

#[test]
fn a_run_that_died_after_the_last_blue_leaves_a_fleet_that_has_not_vanished() {
    let mut stage = switched();
    for machine in ["m00001", "m00002"] {
        stage.observed.machines.remove(&id(machine));
    }
    stage.count();
    for image in ["shop:2", "shop:3"] {
        let plan = stage.plan(&app(web(2).config(json!({"image": image}))));
        assert_eq!(plan.refusals, [], "{image}");
        assert_eq!(removals(&plan, Removal::SwapUndone), [""; 0]);
        assert_eq!(plan.summary().create, 0, "{}", lines(&plan));
    }
}

#[test]
fn a_destroy_of_the_app_takes_both_sets_and_a_refresh_takes_in_no_green() {
    let mode = |mode| Options {
        mode,
        ..Options::default()
    };
    let target = app(next(web(2)));
    for stage in [half_done(), switched()] {
        let destroyed = stage.plan_with(&target, &mode(PlanMode::Destroy));
        assert_eq!(destroyed.summary().destroy, 4, "{}", lines(&destroyed));
    }
    let refreshed = half_done().plan_with(&target, &mode(PlanMode::RefreshOnly));
    assert_eq!(refreshed.changes().count(), 0, "{}", lines(&refreshed));
    assert_eq!(refreshed.drift, []);
}

#[test]
fn a_filter_does_not_hold_an_unfinished_swap_back() {
    let only_jobs = Options {
        requested: Requested {
            groups: [group_name("jobs")].into(),
            ..Requested::default()
        },
        ..Options::default()
    };
    let with_jobs = |web: DesiredGroup| desired([("jobs", group("jobs").count(1)), ("web", web)]);
    let plan = switched().plan_with(&with_jobs(next(web(2))), &only_jobs);
    assert_eq!(removals(&plan, Removal::Swapped), ["m00001", "m00002"]);
    let plan = half_done().plan_with(&with_jobs(web(2)), &only_jobs);
    assert_eq!(removals(&plan, Removal::SwapUndone), ["m00003", "m00004"]);
}

#[test]
fn a_reviewed_swap_may_be_gone_on_with() {
    let stage = PlanFixture::with(&app(web(2)));
    let target = app(next(web(2)));
    let reviewed = SavedPlan::of(&stage.plan(&target));
    assert_eq!(reviewed.differences(&stage.plan(&target)), [""; 0]);
    for begun in [half_done(), switched()] {
        let fresh = begun.plan(&target);
        assert_eq!(reviewed.excesses(&fresh, &target), [], "{}", lines(&fresh));
    }
    // A rolling update that was reviewed is no leave to swap.
    let rolled = SavedPlan::of(&stage.plan(&app(next(web(2)).with(|web| web.trial = None))));
    assert_ne!(rolled.excesses(&stage.plan(&target), &target), []);
}

#[test]
fn no_group_begins_a_swap_while_another_finishes_one() {
    let jobs = |image: &str| {
        let jobs = group("jobs").count(1).config(json!({"image": image}));
        jobs.with(|jobs| jobs.trial = Some(Trial::Bluegreen))
    };
    let mut stage = switched();
    let target = desired([("jobs", jobs("shop:1")), ("web", next(web(2)))]);
    let mut old = stage.observed.machines[&id("m00001")].clone();
    (old.id, old.group) = (id("m00009"), Some(group_name("jobs")));
    old.name = aeroform::core::fleet::MachineName::new("jobs-old").unwrap();
    old.stamps = Stamps::default();
    stage.observed.machines.insert(old.id.clone(), old);
    stage.count();
    let plan = stage.plan(&target);
    assert_eq!(
        plan.swap.as_ref().unwrap().groups,
        [group_name("web")],
        "{}",
        lines(&plan)
    );
    assert_eq!(plan.shortfalls().count(), 1);
}

#[test]
fn greens_that_fail_go_when_the_files_change() {
    let mut stage = switched();
    stage.edit_outside("m00003", |machine| machine.state = MachineState::Failed);
    let other = stage.plan(&app(web(2).config(json!({"image": "shop:3"}))));
    assert_eq!(removals(&other, Removal::SwapUndone), ["m00003", "m00004"]);
    // The same files wait for them.
    let same = stage.plan(&app(next(web(2))));
    assert!(lines(&same).contains("wait for web"), "{}", lines(&same));
}

#[test]
fn greens_that_serve_more_than_the_blues_stay_whatever_the_files_say() {
    let other = app(web(2).config(json!({"image": "shop:3"})));
    for down in [MachineState::Failed, MachineState::Stopped] {
        let mut stage = switched();
        stage.edit_outside("m00003", |machine| machine.state = MachineState::Failed);
        stage.edit_outside("m00001", |machine| machine.state = down);
        // As many blues as greens serve.
        let plan = stage.plan(&other);
        assert_eq!(removals(&plan, Removal::SwapUndone), ["m00003", "m00004"]);
        stage.edit_outside("m00002", |machine| machine.state = down);
        let plan = stage.plan(&other);
        assert_eq!(removals(&plan, Removal::SwapUndone), [""; 0]);
        assert_eq!(removals(&plan, Removal::Swapped), ["m00001", "m00002"]);
    }
}

#[test]
fn a_restart_and_a_replacement_go_on_with_a_swap() {
    for cordoned in [true, false] {
        let mut stage = half_done();
        for (green, blue) in [("m00003", "m00001"), ("m00004", "m00002")] {
            let seen = stage.observed.machines.get_mut(&id(green)).unwrap();
            seen.cordoned = cordoned;
            let mut line = stage.known.machines[&id(blue)].clone();
            line.name = seen.name.clone();
            line.replaces = Some(id(blue));
            line.swap = Some(SwapRole::Green);
            stage.known.machines.insert(id(green), line);
            let blue = stage.known.machines.get_mut(&id(blue)).unwrap();
            blue.swap = Some(SwapRole::Blue);
        }
        // The fixture checks each plan.
        let target = app(next(web(2)));
        let plan = stage.plan_with(&target, &restarting(&["web"]));
        assert_eq!(removals(&plan, Removal::Swapped), ["m00001", "m00002"]);
        let plan = stage.plan_with(&target, &replacing(&["m00003"]));
        // Until the switch it is no Machine of the group.
        assert_eq!(plan.refusals.is_empty(), !cordoned, "{}", lines(&plan));
    }
}

#[test]
fn the_journal_says_that_a_swap_is_switched() {
    let stage = half_done();
    let tag = stage.observed.machines[&id("m00003")]
        .stamps
        .swap
        .clone()
        .unwrap();
    let options = Options {
        switched_swaps: [tag].into(),
        ..Options::default()
    };
    let plan = stage.plan_with(&app(next(web(2))), &options);
    assert!(lines(&plan).contains("wait for web"), "{}", lines(&plan));
    assert_eq!(codes::SWAP_FINISHES_FIRST.name(), "swap_finishes_first");
}

#[test]
fn a_swap_that_ended_leaves_ordinary_machines() {
    let mut stage = PlanFixture::with(&app(web(2)));
    let target = app(next(web(2)));
    stage.carry_out(&target, &stage.plan(&target));
    // Somebody adds a copy of a green, with its metadata.
    let mut copy = stage.observed.machines[&id("m00003")].clone();
    copy.id = id("m00009");
    copy.name = aeroform::core::fleet::MachineName::new("quiet-moon-12").unwrap();
    copy.created_at = "2026-02-01T00:00:00Z".to_owned();
    stage.observed.machines.insert(copy.id.clone(), copy);
    stage.count();
    let plan = stage.plan(&target);
    assert_eq!((plan.swap.is_none(), plan.summary().destroy), (true, 1));
    // Without a state as well.
    stage.known = aeroform::core::fleet::Known::empty(stage.known.app.clone(), "test");
    let plan = stage.plan(&target);
    assert_eq!(plan.swap, None, "{}", lines(&plan));
}
