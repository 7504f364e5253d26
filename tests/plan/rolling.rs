//! The waves of a rolling update: what keeps serving, and the written orders.

use std::fmt::Write as _;

use aeroform::core::fleet::{
    Desired, DesiredGroup, GroupsOrder, HostStatus, MachineState, MovedMachine, OrderedRegions,
    Strategy,
};
use aeroform::core::plan::{Options, Plan, Requested, Wake, WaveName, codes};
use serde_json::json;

use crate::lines;
use crate::support::{GroupBuilder, PlanFixture, desired, group, group_name, id, region};

/// Four in ams and two in gru.
fn web() -> DesiredGroup {
    group("web").exact(&[("ams", 4), ("gru", 2)])
}

fn image() -> serde_json::Value {
    json!({"image": "shop:2"})
}

fn order(of: &[&str]) -> Vec<OrderedRegions> {
    let entry = |name: &&str| match *name {
        "*" => OrderedRegions::Others,
        name => OrderedRegions::Region(region(name)),
    };
    of.iter().map(entry).collect()
}

/// `first 1 at a time: m00001`, a line per wave.
fn waves(plan: &Plan, name: &str) -> String {
    let found = plan.groups.iter().find(|group| group.name.as_str() == name);
    let group = found.unwrap();
    let mut text = String::new();
    for wave in &group.waves {
        let pool = &plan.pools[wave.pool.0 as usize];
        let machines: Vec<String> = plan
            .changes()
            .filter(|(step, _)| wave.steps.contains(step))
            .map(|(_, change)| {
                let machine = change.machine.id.as_ref().map_or("new", |id| id.as_str());
                format!("{} {machine}", change.region)
            })
            .collect();
        let alone = if wave.first_alone {
            ", first alone"
        } else {
            ""
        };
        let limits: Vec<String> = pool
            .per_region
            .iter()
            .map(|(region, most)| format!(", {most} in {region}"))
            .collect();
        writeln!(
            text,
            "{:?} {} at a time{}{alone}: {}",
            wave.name,
            pool.size,
            limits.concat(),
            machines.join(", ")
        )
        .unwrap();
    }
    if let Some(lowest) = &group.lowest_serving {
        let regions = lowest.regions.iter();
        let regions: Vec<String> = regions
            .map(|(region, (least, of))| format!("{region} {least} of {of}"))
            .collect();
        writeln!(
            text,
            "at least {} of {} ({})",
            lowest.machines,
            lowest.of,
            regions.join(", ")
        )
        .unwrap();
    }
    text
}

/// Holds rule 29: the last of a region is not taken down while others of it serve.
#[test]
fn a_region_keeps_serving_while_its_machines_are_updated() {
    let stage = PlanFixture::with(&desired([("web", web())]));
    let plan = stage.plan(&desired([("web", web().config(image()))]));
    insta::assert_snapshot!(waves(&plan, "web"), @"
    First 2 at a time, 2 in ams, 1 in gru, first alone: ams m00001
    Running 2 at a time, 2 in ams, 1 in gru: ams m00002, ams m00003, ams m00004, gru m00005, gru m00006
    at least 4 of 6 (ams 2 of 4, gru 1 of 2)
    ");
    insta::assert_snapshot!(plan.groups[0].strategy, @"rolling: 1 first, then 2 at a time, at most 2 in ams and 1 in gru");
}

#[test]
fn a_region_with_one_machine_says_that_it_goes_down() {
    let web = || group("web").exact(&[("ams", 2), ("gru", 1)]);
    let stage = PlanFixture::with(&desired([("web", web())]));
    let plan = stage.plan(&desired([("web", web().config(image()))]));
    insta::assert_snapshot!(waves(&plan, "web"), @"
    First 1 at a time, 1 in ams, 1 in gru, first alone: ams m00001
    Running 1 at a time, 1 in ams, 1 in gru: ams m00002, gru m00003
    at least 2 of 3 (ams 1 of 2, gru 0 of 1)
    ");
    insta::assert_snapshot!(plan.groups[0].strategy, @"rolling: 1 at a time, at most 1 in ams and 1 in gru; gru: its only one restarts");
}

#[test]
fn all_may_be_down_by_the_strategy_and_a_region_still_keeps_one() {
    let stage = PlanFixture::with(&desired([("web", web())]));
    let target = desired([("web", web().max_unavailable(1000).config(image()))]);
    let plan = stage.plan(&target);
    insta::assert_snapshot!(waves(&plan, "web"), @"
    First 4 at a time, 3 in ams, 1 in gru, first alone: ams m00001
    Running 4 at a time, 3 in ams, 1 in gru: ams m00002, ams m00003, ams m00004, gru m00005, gru m00006
    at least 2 of 6 (ams 1 of 4, gru 1 of 2)
    ");
}

#[test]
fn immediate_takes_all_down() {
    let stage = PlanFixture::with(&desired([("web", web())]));
    let target = web()
        .config(image())
        .with(|group| group.strategy = Strategy::Immediate);
    insta::assert_snapshot!(waves(&stage.plan(&desired([("web", target)])), "web"), @"
    All 6 at a time: ams m00001, ams m00002, ams m00003, ams m00004, gru m00005, gru m00006
    at least 0 of 6 (ams 0 of 4, gru 0 of 2)
    ");
}

/// The example of docs/rollouts.md: one crashed, two stopped, three that serve.
#[test]
fn what_is_down_goes_first_then_one_that_serves_then_the_stopped_ones() {
    let check = json!({"checks": {"up": {"type": "http", "port": 80, "path": "/up"}}});
    let web = || web().config(check.clone());
    let mut stage = PlanFixture::with(&desired([("web", web())]));
    for (machine, state) in [
        ("m00002", MachineState::Stopped),
        ("m00003", MachineState::Stopped),
        ("m00005", MachineState::Failed),
    ] {
        stage.edit_outside(machine, |machine| machine.state = state);
    }
    let plan = stage.plan(&desired([("web", web().config(image()))]));
    insta::assert_snapshot!(waves(&plan, "web"), @"
    Down 1 at a time, first alone: gru m00005
    First 1 at a time, 1 in ams, 1 in gru, first alone: ams m00001
    Stopped 2 at a time: ams m00002, ams m00003
    Running 1 at a time, 1 in ams, 1 in gru: ams m00004, gru m00006
    at least 3 of 6 (ams 1 of 4, gru 1 of 2)
    ");
    insta::assert_snapshot!(lines(&plan), @"
    group web: 6->6 changed (ams 4->4, gru 2->2)
    update web gru m00005 [image]
    update web ams m00001 [image]
    update web ams m00002 [image]
    update web ams m00003 [image]
    -- web: all stopped ones updated
    update web ams m00004 [image]
    update web gru m00006 [image]
    -- web: all updated
    ");
}

#[test]
fn where_one_serves_the_stopped_ones_go_before_it() {
    let web = || group("web").count(3);
    let mut stage = PlanFixture::with(&desired([("web", web())]));
    for machine in ["m00001", "m00002"] {
        stage.edit_outside(machine, |machine| machine.state = MachineState::Stopped);
    }
    let plan = stage.plan(&desired([("web", web().config(image()))]));
    insta::assert_snapshot!(waves(&plan, "web"), @"
    Stopped 2 at a time, first alone: ams m00001, ams m00002
    First 1 at a time, 1 in ams, first alone: ams m00003
    at least 0 of 3 (ams 0 of 3)
    ");
}

#[test]
fn regions_go_in_the_written_order() {
    for (written, seen) in [
        (vec!["gru", "ams"], ["gru", "gru", "ams"]),
        (vec!["gru"], ["gru", "gru", "ams"]),
        (vec!["*", "ams"], ["gru", "gru", "ams"]),
        (vec!["ams", "*"], ["ams", "ams", "gru"]),
    ] {
        let stage = PlanFixture::with(&desired([("web", web())]));
        let ordered =
            |group: DesiredGroup| group.with(|group| group.region_order = order(&written));
        let plan = stage.plan(&desired([("web", ordered(web().config(image())))]));
        let regions: Vec<&str> = plan.groups[0]
            .waves
            .iter()
            .map(|wave| {
                let first = plan.changes().find(|(step, _)| *step == wave.steps[0]);
                first.unwrap().1.region.as_str()
            })
            .collect();
        assert_eq!(regions, seen, "{written:?}");
        assert_eq!(plan.groups[0].waves[0].name, WaveName::First);
    }
}

/// What an earlier run left goes before all regions, also without an observation.
#[test]
fn an_unconfirmed_machine_of_a_later_region_goes_first() {
    let mut stage = PlanFixture::with(&desired([("web", web())]));
    stage
        .known
        .machines
        .get_mut(&id("m00001"))
        .unwrap()
        .unproven = true;
    let ordered = |group: DesiredGroup| group.with(|group| group.region_order = order(&["gru"]));
    let target = desired([("web", ordered(web().config(image())))]);
    for plan in [stage.plan(&target), stage.offline(&target)] {
        let names: Vec<WaveName> = plan.groups[0].waves.iter().map(|wave| wave.name).collect();
        assert_eq!(names[..2], [WaveName::Unproven, WaveName::First]);
    }
}

/// Two in each of three regions: together two might change, but no wave has more than one region.
#[test]
fn with_an_order_no_more_change_at_once_than_a_wave_has() {
    let web = || group("web").exact(&[("ams", 2), ("bog", 2), ("gru", 2)]);
    let stage = PlanFixture::with(&desired([("web", web())]));
    let target = web().config(image());
    let plan = stage.plan(&desired([("web", target.clone())]));
    insta::assert_snapshot!(plan.groups[0].strategy, @"rolling: 1 first, then 2 at a time, at most 1 in ams, 1 in bog and 1 in gru");
    let target = target.with(|group| group.region_order = order(&["gru", "bog", "ams"]));
    let plan = stage.plan(&desired([("web", target)]));
    insta::assert_snapshot!(plan.groups[0].strategy, @"rolling: 1 at a time, at most 1 in ams, 1 in bog and 1 in gru");
    let document = aeroform::core::view::json::plan::plan(&plan);
    let document: serde_json::Value = serde_json::to_value(document).unwrap();
    let waves = document["groups"][0]["waves"].as_array().unwrap();
    let sizes: Vec<String> = waves
        .iter()
        .map(|wave| format!("{} {}", wave["size"], wave["per_region"]))
        .collect();
    insta::assert_snapshot!(sizes.join("\n"), @r#"
    1 {"gru":1}
    1 {"gru":1}
    1 {"bog":1}
    1 {"ams":1}
    "#);
}

fn groups() -> [(&'static str, DesiredGroup); 3] {
    ["migrator", "web", "worker"].map(|name| (name, group(name).count(2)))
}

fn in_order(mut target: Desired, lists: &[&[&str]]) -> Desired {
    let names = |list: &&[&str]| list.iter().map(|name| group_name(name)).collect();
    target.rollout.groups_order = Some(GroupsOrder {
        lists: lists.iter().map(names).collect(),
        location: "aeroform.toml:3".to_owned(),
    });
    target
}

#[test]
fn a_plan_names_the_written_order_of_the_groups_that_change() {
    let stage = PlanFixture::with(&desired(groups()));
    let seen = |changed: &[&str], lists: &[&[&str]]| -> Vec<String> {
        let target = groups().map(|(name, group)| {
            let changes = changed.contains(&name);
            (
                name,
                if changes {
                    group.config(image())
                } else {
                    group
                },
            )
        });
        let plan = stage.plan(&in_order(desired(target), lists));
        let names = |list: &Vec<_>| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let lists = plan.groups_order.iter();
        lists.map(|list| names(list).join(" ")).collect()
    };
    let all = ["migrator", "web", "worker"];
    let order: &[&[&str]] = &[&["migrator"], &["worker"], &["web"]];
    assert_eq!(seen(&all, order), ["migrator", "worker", "web"]);
    assert_eq!(seen(&["web", "worker"], order), ["worker", "web"]);
    assert!(seen(&["web"], order).is_empty());
    // One that is not named goes with the last.
    let order: &[&[&str]] = &[&["migrator"], &["web"]];
    assert_eq!(seen(&all, order), ["migrator", "web worker"]);
}

#[test]
fn groups_go_in_the_written_order_and_a_new_one_waits_for_its_turn() {
    let stage = PlanFixture::with(&desired(groups()));
    let updated = groups().map(|(name, group)| (name, group.config(image())));
    let new = [("api", group("api").count(1).config(image()))];
    let more = ("web", group("web").count(3).config(image()));
    let target = desired(updated.into_iter().chain(new).chain([more]));
    let target = in_order(target, &[&["migrator"], &["worker"], &["web"]]);
    let options = Options {
        requested: Requested {
            steady_ms: Some(10_000),
            ..Requested::default()
        },
        ..Options::default()
    };
    // Two windows of the migrator, two of the worker; the new Machine of web waits for none.
    let slow = stage.plan_with(&target, &options);
    assert_eq!(slow.at_least_ms, Some(50_000), "and one of api");
    insta::assert_snapshot!(lines(&stage.plan(&target)), @"
    group api: 0->1 added (ams 0->1)
    group migrator: 2->2 changed (ams 2->2)
    group web: 2->3 changed (ams 2->3)
    group worker: 2->2 changed (ams 2->2)
    update migrator ams m00001 [image]
    update migrator ams m00002 [image]
    update worker ams m00005 [image]
    update worker ams m00006 [image]
    create api ams
    -- api: its turn
    create web ams
    -- web: its turn
    update web ams m00003 [image]
    update web ams m00004 [image]
    ");
}

/// A move that waits for a new Machine of a group that comes later.
pub(crate) fn conflict() -> Plan {
    let stage = PlanFixture::with(&desired([
        ("web", group("web").count(1)),
        ("worker", group("worker").count(1)),
    ]));
    let mut target = in_order(
        desired([
            ("web", group("web").count(1)),
            ("worker", group("worker").count(2)),
        ]),
        &[&["worker"], &["web"]],
    );
    target.moved_machines = vec![MovedMachine {
        machine: id("m00001"),
        to: group_name("worker"),
        location: "aeroform.toml:9".to_owned(),
    }];
    stage.plan(&target)
}

#[test]
fn an_order_in_which_a_machine_moves_before_its_place_is_taken_is_refused() {
    let plan = conflict();
    let refusals = plan.refusals.iter();
    let found: Vec<String> = refusals
        .filter(|note| note.code == codes::GROUPS_ORDER_CONFLICT.name())
        .map(|note| note.message.clone())
        .collect();
    insta::assert_snapshot!(found.join("\n"), @"a Machine moves from `web` to `worker` (aeroform.toml:9) once `web` has a new one, but `groups_order` (aeroform.toml:3) lets `worker` go before `web`");
}

#[test]
fn a_machine_that_moves_is_in_the_limit_of_the_group_that_it_leaves() {
    let stage = PlanFixture::with(&desired([
        ("web", group("web").count(3)),
        ("worker", group("worker").count(1)),
    ]));
    let mut target = desired([
        ("web", group("web").count(2).config(image())),
        ("worker", group("worker").count(2)),
    ]);
    target.moved_machines = vec![MovedMachine {
        machine: id("m00001"),
        to: group_name("worker"),
        location: String::new(),
    }];
    let plan = stage.plan(&target);
    let pools: Vec<&str> = plan
        .changes()
        .map(|(step, _)| {
            let pool = plan.steps[step.0 as usize].pool.unwrap();
            plan.pools[pool.0 as usize].name.as_str()
        })
        .collect();
    assert_eq!(pools, ["web: update running, rolling"; 3]);
    insta::assert_snapshot!(waves(&plan, "web"), @"
    First 1 at a time, 1 in ams, first alone: ams m00002
    Running 1 at a time, 1 in ams: ams m00003
    at least 2 of 3 (ams 2 of 3)
    ");
}

/// One of two is down and replaced: what is created for it serves before the other goes down.
#[test]
fn the_replacement_of_a_machine_that_is_down_serves_before_another_restarts() {
    let worker = || group("worker").count(2);
    let mut stage = PlanFixture::with(&desired([("worker", worker())]));
    stage.edit_outside("m00002", |machine| {
        machine.host = HostStatus::Unreachable;
        machine.config = None;
    });
    let plan = stage.plan(&desired([("worker", worker().config(image()))]));
    insta::assert_snapshot!(waves(&plan, "worker"), @"
    Down 1 at a time, first alone: ams new
    First 1 at a time, 1 in ams, first alone: ams m00001
    at least 1 of 2 (ams 1 of 2)
    ");
    assert_eq!(plan.groups[0].strategy, "rolling");
    // The old one goes first where the new one needs its volume.
    let db = || group("db").count(2).mount();
    let mut stage = PlanFixture::empty();
    stage.volumes = true;
    stage.apply(&desired([("db", db())]));
    stage.edit_outside("m00002", |machine| machine.state = MachineState::Failed);
    let guest = json!({"guest": {"host_dedication_id": "h2"}});
    let plan = stage.plan(&desired([("db", db().config(guest))]));
    insta::assert_snapshot!(waves(&plan, "db"), @"
    Down 1 at a time, first alone: ams m00002
    First 1 at a time, 1 in ams, first alone: ams m00001
    at least 1 of 2 (ams 1 of 2)
    ");
}

/// A cordoned Machine takes no traffic: it is neither the proof of a version nor counted.
#[test]
fn a_cordoned_machine_is_not_the_first() {
    let web = || group("web").count(3);
    let mut stage = PlanFixture::with(&desired([("web", web())]));
    stage.edit_outside("m00001", |machine| machine.cordoned = true);
    let plan = stage.plan(&desired([("web", web().config(image()))]));
    insta::assert_snapshot!(waves(&plan, "web"), @"
    First 1 at a time, 1 in ams, first alone: ams m00002
    Running 1 at a time, 1 in ams: ams m00001, ams m00003
    at least 1 of 3 (ams 1 of 3)
    ");
}

/// Three that are stopped, with a check.
fn stopped(wake: bool) -> Plan {
    let web = || {
        let check = json!({"checks": {"up": {"type": "http", "port": 80, "path": "/up"}}});
        group("web").count(3).config(check)
    };
    let mut stage = PlanFixture::with(&desired([("web", web())]));
    for machine in ["m00001", "m00002", "m00003"] {
        stage.edit_outside(machine, |machine| machine.state = MachineState::Stopped);
    }
    let options = Options {
        requested: Requested {
            wake,
            ..Requested::default()
        },
        ..Options::default()
    };
    stage.plan_with(&desired([("web", web().config(image()))]), &options)
}

fn waking() -> Options {
    Options {
        requested: Requested {
            wake: true,
            ..Requested::default()
        },
        ..Options::default()
    }
}

/// Plans with the notes about a proof.
pub(crate) fn proofs() -> Vec<Plan> {
    let stage = PlanFixture::with(&desired([("web", web())]));
    let runs = stage.plan_with(&desired([("web", web().config(image()))]), &waking());
    vec![stopped(false), runs]
}

#[test]
fn where_nothing_runs_the_change_is_not_proven_unless_one_is_woken() {
    let plan = stopped(false);
    insta::assert_snapshot!(waves(&plan, "web"), @"Stopped 3 at a time, first alone: ams m00001, ams m00002, ams m00003");
    assert_eq!(plan.notes[0].code, codes::NOT_PROVEN.name());
    let woken = stopped(true);
    insta::assert_snapshot!(waves(&woken, "web"), @"
    First 1 at a time, first alone: ams m00001
    Stopped 2 at a time: ams m00002, ams m00003
    ");
    assert_eq!(woken.notes, []);
    let wakes: Vec<_> = woken.changes().map(|(_, change)| change.wake).collect();
    assert_eq!(wakes, [Some(Wake::StopAgain), None, None]);
    // Without checks there is nothing to wait for, and a scheduled one has its own time.
    let two = || group("web").count(2);
    for schedule in [false, true] {
        let checks = json!({"checks": {"up": {"type": "tcp", "port": 80}}, "schedule": "daily"});
        let config = if schedule { checks } else { json!({}) };
        let web = || two().config(config.clone());
        let mut stage = PlanFixture::with(&desired([("web", web())]));
        for machine in ["m00001", "m00002"] {
            stage.edit_outside(machine, |machine| machine.state = MachineState::Stopped);
        }
        let options = waking();
        let plan = stage.plan_with(&desired([("web", web().config(image()))]), &options);
        assert!(plan.changes().all(|(_, change)| change.wake.is_none()));
        assert_eq!(plan.notes[0].code, codes::WAKE_NOT_NEEDED.name());
    }
}
