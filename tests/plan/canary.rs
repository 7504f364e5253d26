//! Canaries: which groups have one, where, what waits for it, and what becomes of one that a run has left.

use aeroform::core::fleet::{
    Desired, DesiredGroup, LaunchId, Lineage, Machine, MachineName, MachineState, Management,
    Stamps, Trial,
};
use aeroform::core::plan::{
    Action, Change, ChosenStrategy, Options, Plan, PlanMode, Removal, Requested, SavedPlan, Step,
    StepId, Work, check, required_approval,
};
use insta::assert_snapshot;
use serde_json::json;

use crate::lines;
use crate::requested::restarting;
use crate::support::{GroupBuilder, PlanFixture, desired, group, group_name, id, region};

fn tries(group: DesiredGroup) -> DesiredGroup {
    group.with(|group| group.trial = Some(Trial::Canary { soak_ms: 120_000 }))
}

fn web(version: &str, regions: &[(&str, u32)]) -> DesiredGroup {
    let version = json!({"env": {"VERSION": version}});
    tries(group("web").exact(regions).config(version))
}

fn app(version: &str) -> Desired {
    desired([("web", web(version, &[("ams", 2), ("gru", 3)]))])
}

/// The regions of the canaries of a plan.
fn regions(plan: &Plan) -> Vec<String> {
    let canaries = canaries(plan);
    canaries.map(|(_, one)| one.region.to_string()).collect()
}

fn canaries(plan: &Plan) -> impl Iterator<Item = (StepId, &Change)> {
    plan.changes()
        .filter(|(_, change)| matches!(change.action, Action::Canary { .. }))
}

/// A canary of this group that the run after this state makes, or made.
fn left(stage: &mut PlanFixture, group: &str, serial: u64) -> Machine {
    let lineage = stage.observed.description.scope.clone();
    let (group, place) = (group_name(group), region("ams"));
    let launch = LaunchId::derive_canary(&lineage, serial, &group, &place);
    let mut machines = stage.observed.machines.values();
    let like = machines.find(|machine| machine.group.as_ref() == Some(&group));
    let canary = Machine {
        id: id("c00001"),
        name: MachineName::for_launch(&group, &launch),
        stamps: Stamps {
            canary: true,
            launch: Some(launch.to_string()),
            serial: Some(serial + 1),
            ..like.unwrap().stamps.clone()
        },
        ..like.unwrap().clone()
    };
    let machines = &mut stage.observed.machines;
    machines.insert(canary.id.clone(), canary.clone());
    canary
}

#[test]
fn a_changed_group_has_one_canary_first_in_its_primary_region() {
    let stage = PlanFixture::with(&app("1"));
    assert_snapshot!(lines(&stage.plan(&app("2"))), @"
    group web: 5->5 changed (ams 2->2, gru 3->3)
    canary web ams soak 120000 ms
    update web gru m00003 [env.VERSION]
    update web ams m00001 [env.VERSION]
    update web ams m00002 [env.VERSION]
    update web gru m00004 [env.VERSION]
    update web gru m00005 [env.VERSION]
    -- web: all updated
    ");
}

#[test]
fn a_group_that_does_not_run_in_the_primary_region_tries_where_it_has_most() {
    let at = |version, regions: &[(&str, u32)]| desired([("web", web(version, regions))]);
    for (regions_of, tried) in [
        (&[("fra", 1), ("gru", 2)][..], "gru"),
        (&[("gru", 1), ("fra", 1)], "fra"),
        (&[("ams", 1), ("gru", 5)], "ams"),
    ] {
        let stage = PlanFixture::with(&at("1", regions_of));
        assert_eq!(regions(&stage.plan(&at("2", regions_of))), [tried]);
    }
    // Where the primary region has none that runs.
    let mut stage = PlanFixture::with(&app("1"));
    for machine in stage.observed.machines.values_mut() {
        if machine.region == region("ams") {
            machine.state = MachineState::Stopped;
        }
    }
    assert_eq!(regions(&stage.plan(&app("2"))), ["gru"]);
}

#[test]
fn only_another_config_of_a_running_machine_is_tried() {
    let mut stage = PlanFixture::with(&app("1"));
    let more = desired([("web", web("1", &[("ams", 3), ("gru", 3)]))]);
    let restart = restarting(&["web"]);
    let rolling = desired([(
        "web",
        web("2", &[("ams", 2), ("gru", 3)]).with(|g| g.trial = None),
    )]);
    let none: [(&str, Plan); 6] = [
        ("a first deploy", PlanFixture::empty().plan(&app("1"))),
        ("counts", stage.plan(&more)),
        ("nothing", stage.plan(&app("1"))),
        ("a restart", stage.plan_with(&app("1"), &restart)),
        ("another strategy", stage.plan(&rolling)),
        ("nothing runs", {
            let mut resting = stage.clone();
            for machine in resting.observed.machines.values_mut() {
                machine.state = MachineState::Stopped;
            }
            resting.plan(&app("2"))
        }),
    ];
    for (case, plan) in none {
        assert_eq!(regions(&plan), [""; 0], "{case}");
        assert_eq!(plan.refusals, [], "{case}");
    }
    // Drift that is put back is another config.
    stage.edit_outside("m00001", |machine| {
        crate::support::config_of(machine).env = None;
    });
    assert_eq!(regions(&stage.plan(&app("1"))), ["ams"]);
    // What runs is not known offline.
    assert_eq!(regions(&stage.offline(&app("2"))), ["ams"]);
}

#[test]
fn a_standby_alone_is_not_tried() {
    let jobs = |version: &str| {
        let version = json!({"env": {"VERSION": version}});
        tries(group("jobs").count(1).config(version)).with(|g| g.standby = Some(1))
    };
    let mut stage = PlanFixture::with(&desired([("jobs", jobs("1"))]));
    let target = desired([("jobs", jobs("2"))]);
    let primary = stage.observed.machines.values_mut();
    for machine in primary.filter(|machine| machine.standby_for.is_empty()) {
        machine.state = MachineState::Stopped;
    }
    let standbys = stage.observed.machines.values_mut();
    for machine in standbys.filter(|machine| !machine.standby_for.is_empty()) {
        machine.state = MachineState::Started;
    }
    assert_eq!(regions(&stage.plan(&target)), [""; 0]);
}

#[test]
fn all_groups_are_tried_at_once_before_the_first_change_of_any() {
    let groups = |version: &str| {
        let changed = json!({"env": {"VERSION": version}});
        desired([
            ("api", tries(group("api").count(2).config(changed.clone()))),
            ("jobs", group("jobs").count(2).config(changed)),
            ("web", web(version, &[("ams", 1)])),
        ])
    };
    let stage = PlanFixture::with(&groups("1"));
    let mut target = groups("2");
    target.groups.get_mut("api").unwrap().count = aeroform::core::fleet::Count::Written(3);
    let plan = stage.plan(&target);
    assert_snapshot!(lines(&plan), @"
    group api: 2->3 changed (ams 2->3)
    group jobs: 2->2 changed (ams 2->2)
    group web: 1->1 changed (ams 1->1)
    canary api ams soak 120000 ms
    canary web ams soak 120000 ms
    -- every canary has passed
    create api ams
    update api ams m00001 [env.VERSION]
    update api ams m00002 [env.VERSION]
    update jobs ams m00003 [env.VERSION]
    update jobs ams m00004 [env.VERSION]
    update web ams m00005 [env.VERSION]
    ");
    let pools: Vec<_> = canaries(&plan)
        .map(|(step, _)| plan.steps[step.0 as usize].pool.unwrap())
        .collect();
    assert_eq!(pools[0], pools[1]);
    let pool = &plan.pools[pools[0].0 as usize];
    assert_eq!((pool.size, pool.stops_release), (2, true));
    // The group with another strategy does not wait.
    let free = plan
        .changes()
        .find(|(_, change)| change.group.as_str() == "jobs");
    assert_eq!(plan.steps[free.unwrap().0.0 as usize].needs, []);
}

#[test]
fn the_check_finds_a_change_that_does_not_wait_and_one_without_a_canary() {
    let stage = PlanFixture::with(&app("1"));
    let target = app("2");
    let findings = |plan: &Plan| {
        let found = check(plan, &target, &stage.known, Some(&stage.observed));
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let mut plan = stage.plan(&target);
    let (trial, _) = canaries(&plan).next().unwrap();
    let waits = |step: &&mut Step| step.needs.contains(&trial);
    let first = plan.steps.iter_mut().find(waits).unwrap();
    first.needs.clear();
    let text = findings(&plan).join("\n");
    assert!(text.contains("does not wait for the canary"), "{text}");
    let mut plan = stage.plan(&target);
    plan.steps[trial.0 as usize].work = Work::Barrier {
        name: "gone".to_owned(),
    };
    plan.steps[trial.0 as usize].pool = None;
    let text = findings(&plan).join("\n");
    assert!(
        text.contains("changes a running Machine without a canary"),
        "{text}"
    );
}

/// Its name is never that of a create.
#[test]
fn the_launch_id_of_a_canary_is_no_slot_of_its_group() {
    let lineage = Lineage::new("scope-1").unwrap();
    let (group, place) = (group_name("web"), region("ams"));
    let canary = LaunchId::derive_canary(&lineage, 3, &group, &place);
    for slot in 0..1000 {
        assert_ne!(canary, LaunchId::derive(&lineage, 3, &group, &place, slot));
    }
    let others = [
        LaunchId::derive_canary(&lineage, 4, &group, &place),
        LaunchId::derive_canary(&lineage, 3, &group_name("api"), &place),
        LaunchId::derive_canary(&lineage, 3, &group, &region("gru")),
    ];
    assert!(!others.contains(&canary));
}

/// Holds rule 5.
#[test]
fn a_canary_of_an_earlier_run_counts_for_nothing_and_is_removed_first() {
    let mut stage = PlanFixture::with(&app("1"));
    left(&mut stage, "web", 0);
    let plan = stage.plan(&app("1"));
    assert_snapshot!(lines(&plan), @"
    group web: 5->5 changed (ams 2->2, gru 3->3)
    destroy web ams c00001 Canary: left over from an earlier run
    ");
    let approval = required_approval(&plan);
    assert!(approval.typed.is_empty(), "{approval:?}");
    // Neither `max_destroy` nor `protect` counts it.
    let mut guarded = app("1");
    guarded.policy.max_destroy = Some(aeroform::core::fleet::Limit::Count(0));
    guarded.groups.get_mut("web").unwrap().protect = true;
    assert_eq!(stage.plan(&guarded).refusals, []);
    let unrecorded = plan.adopted_runs.len() + plan.unlisted_runs.len();
    assert_eq!((unrecorded, plan.drift.len()), (0, 0));
    stage.carry_out(&app("1"), &plan);
    assert!(stage.plan(&app("1")).is_empty());
    // With a change of the group: before its own canary.
    left(&mut stage, "web", 0);
    assert_snapshot!(lines(&stage.plan(&app("2"))), @"
    group web: 5->5 changed (ams 2->2, gru 3->3)
    destroy web ams c00001 Canary: left over from an earlier run
    canary web ams soak 120000 ms
    update web gru m00003 [env.VERSION]
    update web ams m00001 [env.VERSION]
    update web ams m00002 [env.VERSION]
    update web gru m00004 [env.VERSION]
    update web gru m00005 [env.VERSION]
    -- web: all updated
    ");
}

#[test]
fn the_canary_of_the_same_state_is_used_again() {
    let mut stage = PlanFixture::with(&app("1"));
    let serial = stage.known.serial;
    let canary = left(&mut stage, "web", serial);
    let plan = stage.plan(&app("2"));
    let (_, change) = canaries(&plan).next().unwrap();
    assert_eq!(change.machine.name, canary.name);
    let destroys = plan
        .changes()
        .filter(|(_, change)| matches!(change.action, Action::Destroy { .. }));
    assert_eq!(destroys.count(), 0);
    stage.carry_out(&app("2"), &plan);
    assert!(stage.plan(&app("2")).is_empty());
}

/// Holds rule 5.
#[test]
fn a_canary_of_somebody_else_is_left_alone() {
    let mut stage = PlanFixture::with(&app("1"));
    left(&mut stage, "web", 0);
    stage.edit_outside("c00001", |machine| {
        machine.stamps = Stamps {
            canary: true,
            ..Stamps::default()
        };
        machine.management = Management::Auxiliary;
    });
    let plan = stage.plan(&app("1"));
    assert!(plan.changes().next().is_none());
    assert_eq!(plan.notes[0].code, "special_machines");
    // A copy of ours, as `machine clone` makes it, is a Machine that was added outside.
    let mut stage = PlanFixture::with(&app("1"));
    left(&mut stage, "web", 0);
    stage.edit_outside("c00001", |machine| {
        machine.name = MachineName::new("young-sun-1234").unwrap();
    });
    let plan = stage.plan(&app("1"));
    assert_eq!(plan.groups[0].before, 6);
}

#[test]
fn what_is_left_goes_with_the_app_stays_in_a_refresh_and_obeys_filters() {
    let mut stage = PlanFixture::with(&app("1"));
    left(&mut stage, "web", 0);
    let destroys = |plan: &Plan| {
        let canary = |change: &Change| {
            let removal = Removal::Canary;
            matches!(&change.action, Action::Destroy { removal: of, .. } if *of == removal)
        };
        plan.changes().filter(|(_, change)| canary(change)).count()
    };
    let mode = |mode| Options {
        mode,
        ..Options::default()
    };
    let destroy = stage.plan_with(&app("1"), &mode(PlanMode::Destroy));
    assert_eq!(destroys(&destroy), 1);
    assert_eq!(destroy.summary().destroy, 6);
    let refresh = stage.plan_with(&app("1"), &mode(PlanMode::RefreshOnly));
    assert_eq!(destroys(&refresh), 0);
    let filter = |change: Flag| {
        let mut requested = Requested::default();
        change(&mut requested);
        Options {
            requested,
            ..Options::default()
        }
    };
    let cases: [(Flag, usize); 4] = [
        (|r| r.regions.extend([region("gru")]), 0),
        (|r| r.exclude.extend([id("c00001")]), 0),
        (|r| r.groups.extend([group_name("web")]), 1),
        (|r| r.regions.extend([region("ams")]), 1),
    ];
    for (change, expected) in cases {
        let plan = stage.plan_with(&app("1"), &filter(change));
        assert_eq!(destroys(&plan), expected);
    }
    // A canary is where the plan changes something.
    let gru = filter(|r| r.regions.extend([region("gru")]));
    let stage = PlanFixture::with(&app("1"));
    assert_eq!(regions(&stage.plan_with(&app("2"), &gru)), ["gru"]);
}

/// What a flag does to the request.
type Flag = fn(&mut Requested);

fn by_flag() -> Options {
    Options {
        requested: Requested {
            strategy: Some(ChosenStrategy::Canary),
            ..Requested::default()
        },
        ..Options::default()
    }
}

/// A group with a mount and a version.
fn db(version: &str) -> Desired {
    let version = json!({"env": {"VERSION": version}});
    desired([("db", group("db").count(1).mount().config(version))])
}

fn mounted() -> PlanFixture {
    let mut stage = PlanFixture::empty();
    stage.volumes = true;
    stage.apply(&db("1"));
    stage
}

/// A plan that is refused.
pub(crate) fn refused() -> Plan {
    mounted().plan_with(&db("2"), &by_flag())
}

fn soaks(ms: u64) -> Options {
    Options {
        requested: Requested {
            canary_soak_ms: Some(ms),
            ..Requested::default()
        },
        ..Options::default()
    }
}

/// A plan with a soak and no canary.
pub(crate) fn without_canary() -> Plan {
    mounted().plan_with(&db("2"), &soaks(1000))
}

#[test]
fn the_soak_of_one_run_is_that_of_every_canary() {
    let stage = PlanFixture::with(&app("1"));
    let plan = stage.plan_with(&app("2"), &soaks(5000));
    let soak = canaries(&plan).map(|(_, change)| match change.action {
        Action::Canary { soak_ms, .. } => soak_ms,
        _ => unreachable!(),
    });
    assert_eq!(soak.collect::<Vec<_>>(), [5000]);
    let usual = stage.plan(&app("2"));
    assert_eq!(usual.at_least_ms, Some(120_000));
    assert_eq!(plan.at_least_ms, Some(5000));
    assert_ne!(plan.plan_digest(), usual.plan_digest());
    let warned = without_canary();
    let codes: Vec<&str> = warned
        .warnings
        .iter()
        .map(|note| note.code.as_str())
        .collect();
    assert_eq!(codes, ["soak_without_canary"]);
}

/// Holds rule 29.
#[test]
fn a_reviewed_plan_with_a_canary_covers_none_without_it() {
    let stage = PlanFixture::with(&app("1"));
    let target = app("2");
    let reviewed = SavedPlan::of(&stage.plan(&target));
    let kinds = |options: &Options| {
        let fresh = stage.plan_with(&target, options);
        let excesses = reviewed.excesses(&fresh, &target).into_iter();
        excesses
            .map(|excess| format!("{:?}", excess.kind))
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(&Options::default()), [""; 0]);
    assert_eq!(kinds(&soaks(600_000)), [""; 0]);
    let less = ["Gate(GroupName(\"web\"))"];
    assert_eq!(kinds(&soaks(1000)), less);
    let rolling = Options {
        requested: Requested {
            strategy: Some(ChosenStrategy::Rolling),
            ..Requested::default()
        },
        ..Options::default()
    };
    assert_eq!(kinds(&rolling), less);
    // A canary that nobody reviewed is one Machine more.
    let plain = SavedPlan::of(&stage.plan_with(&target, &rolling));
    let excesses = plain.excesses(&stage.plan(&target), &target);
    assert!(matches!(
        excesses[0].kind,
        aeroform::core::plan::ExcessKind::Creates
    ));
}

#[test]
fn a_group_with_mounts_is_refused() {
    let stage = mounted();
    let refused = refused();
    assert_eq!(refused.refusals[0].code, "canary_needs_volume");
    assert_eq!(
        refused.refusals[0].message,
        "group `db` cannot be updated with the strategy `canary`: its Machines have mounts, and a canary would need \
         another volume"
    );
    // Nothing changes, so nothing needs one.
    assert_eq!(stage.plan_with(&db("1"), &by_flag()).refusals, []);
}

#[test]
fn the_flag_gives_every_group_a_canary() {
    let target = |version: &str| {
        let version = json!({"env": {"VERSION": version}});
        desired([("web", group("web").count(2).config(version))])
    };
    let stage = PlanFixture::with(&target("1"));
    let plan = stage.plan_with(&target("2"), &by_flag());
    assert_eq!(
        (regions(&plan), plan.refusals.len()),
        (vec!["ams".to_owned()], 0)
    );
}

#[test]
fn the_release_of_a_canary_is_one() {
    let mut stage = PlanFixture::with(&app("1"));
    stage.observed.description.capabilities.releases = true;
    let strategy = |plan: &Plan| {
        let release = plan.release.as_ref().unwrap();
        serde_json::to_value(release.strategy).unwrap()
    };
    assert_eq!(strategy(&stage.plan(&app("2"))), "CANARY");
    let rolling = desired([(
        "web",
        web("2", &[("ams", 2), ("gru", 3)]).with(|g| g.trial = None),
    )]);
    assert_eq!(strategy(&stage.plan(&rolling)), "ROLLING");
}

#[test]
fn a_saved_plan_keeps_its_canary() {
    let stage = PlanFixture::with(&app("1"));
    let plan = stage.plan(&app("2"));
    let text = serde_json::to_string(&SavedPlan::of(&plan)).unwrap();
    let saved: SavedPlan = serde_json::from_str(&text).unwrap();
    assert_eq!(saved, SavedPlan::of(&plan));
    assert_eq!(saved.differences(&stage.plan(&app("2"))), [""; 0]);
    let whole = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&whole).unwrap(), plan);
    // The canary that this plan made before it was killed is its own.
    let mut stage = stage;
    let serial = stage.known.serial;
    left(&mut stage, "web", serial);
    assert_eq!(saved.differences(&stage.plan(&app("2"))), [""; 0]);
    let mut longer = app("2");
    let web = longer.groups.get_mut("web").unwrap();
    web.trial = Some(Trial::Canary { soak_ms: 0 });
    assert_ne!(saved.differences(&stage.plan(&longer)), [""; 0]);
}
