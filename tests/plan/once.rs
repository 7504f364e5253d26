//! Which commands run once in a plan, and what an earlier run of theirs means.

use std::sync::Arc;

use aeroform::core::fleet::{
    Desired, Exit, Machine, MachineState, Management, OnceKind, ProcessEvent, ProcessEventKind,
    ReleaseRecord,
};
use aeroform::core::plan::{
    Action, Change, CheckMode, GateKind, Options, Plan, ReleaseCommandMode, Requested, SavedPlan,
    check,
};
use serde_json::json;

use crate::rollout::migrates;
use crate::support::{GroupBuilder, PlanFixture, desired, empty_machine, group, id};

const MODES: [ReleaseCommandMode; 5] = [
    ReleaseCommandMode::Auto,
    ReleaseCommandMode::Always,
    ReleaseCommandMode::Never,
    ReleaseCommandMode::Rerun,
    ReleaseCommandMode::Skip,
];

fn stage() -> PlanFixture {
    PlanFixture::with(&desired([
        ("web", group("web").count(2)),
        ("jobs", group("jobs").count(1)),
    ]))
}

fn with_env(value: &str) -> Desired {
    migrates([
        (
            "web",
            group("web").count(2).config(json!({"env": {"LOG": value}})),
        ),
        ("jobs", group("jobs").count(1)),
    ])
}

fn with_mode(release_command: ReleaseCommandMode) -> Options {
    Options {
        requested: Requested {
            release_command,
            ..Requested::default()
        },
        ..Options::default()
    }
}

fn once(plan: &Plan, kind: OnceKind) -> Option<&Change> {
    let mut changes = plan.changes().map(|(_, change)| change);
    changes.find(|change| matches!(change.action, Action::Once { what, .. } if what == kind))
}

fn release_command(plan: &Plan) -> Option<&Change> {
    once(plan, OnceKind::ReleaseCommand)
}

fn codes(plan: &Plan) -> Vec<&str> {
    let remarks = plan.notes.iter().chain(&plan.warnings);
    let remarks = remarks.chain(&plan.refusals);
    remarks
        .map(|note| note.code.as_str())
        .filter(|code| code.starts_with("release_command") || code.starts_with("verify"))
        .collect()
}

/// The Machine that this plan runs its command on, as the platform shows it afterwards.
fn ran(plan: &Plan, state: MachineState, events: &[ProcessEventKind]) -> Machine {
    let change = release_command(plan).expect("the command runs");
    let newest_first = events.iter().rev().enumerate();
    Machine {
        id: id("once0000000001"),
        name: change.machine.name.clone(),
        group: Some(change.group.clone()),
        region: change.region.clone(),
        state,
        config: Some(Arc::default()),
        management: Management::Auxiliary,
        events: newest_first
            .map(|(at, kind)| ProcessEvent {
                id: at as u64,
                kind: *kind,
            })
            .collect(),
        ..empty_machine()
    }
}

fn exited(code: i32) -> ProcessEventKind {
    ProcessEventKind::Exited(Exit {
        code: Some(code),
        ..Exit::default()
    })
}

/// Holds rule 28.
#[test]
fn what_changed_and_the_mode_decide_whether_it_runs() {
    let image = json!({"image": "shop:2"});
    let guest = json!({"guest": {"cpu_kind": "shared", "cpus": 2, "memory_mb": 512}});
    let jobs = || ("jobs", group("jobs").count(1));
    let web = || group("web").count(2);
    let changes = [
        ("nothing", migrates([("web", web()), jobs()]), false),
        (
            "the image",
            migrates([("web", web().config(image)), jobs()]),
            true,
        ),
        ("env", with_env("debug"), true),
        (
            "a new group",
            migrates([("web", web()), jobs(), ("mail", group("mail").count(1))]),
            true,
        ),
        (
            "the count",
            migrates([("web", group("web").count(5)), jobs()]),
            false,
        ),
        (
            "the size",
            migrates([("web", web().config(guest)), jobs()]),
            false,
        ),
        (
            "services",
            migrates([("web", web().serves()), jobs()]),
            false,
        ),
    ];
    for (what, target, needed) in &changes {
        for mode in MODES {
            let plan = stage().plan_with(target, &with_mode(mode));
            let runs = match mode {
                ReleaseCommandMode::Always => true,
                ReleaseCommandMode::Never => false,
                ReleaseCommandMode::Auto | ReleaseCommandMode::Rerun | ReleaseCommandMode::Skip => {
                    *needed
                }
            };
            assert_eq!(release_command(&plan).is_some(), runs, "{what}, {mode:?}");
            assert_eq!(plan.refusals, [], "{what}, {mode:?}");
            if let Some(change) = release_command(&plan) {
                assert_eq!(change.gate, GateKind::Ended);
                let first = plan.changes().next().map(|(_, change)| change);
                assert_eq!(first, Some(change), "{what}, {mode:?}");
            }
            let stage = stage();
            let found = check(&plan, target, &stage.known, Some(&stage.observed));
            assert!(found.is_empty(), "{what}, {mode:?}: {found:?}");
        }
    }
}

/// Holds rules 28 and 40.
#[test]
fn the_machine_of_an_earlier_run_decides() {
    use MachineState::{Created, Destroyed, Started, Stopped};
    use ProcessEventKind::{Changed, Started as Begun};
    let target = with_env("debug");
    let first = stage().plan(&target);
    let cases = [
        ("it runs", Started, vec![Changed, Begun], "waits"),
        ("it was never started", Created, vec![Changed], "waits"),
        ("it rests", Stopped, vec![Changed], "waits"),
        ("0", Destroyed, vec![Changed, Begun, exited(0)], "done"),
        ("1", Destroyed, vec![Changed, Begun, exited(1)], "again"),
        (
            "0, and not destroyed",
            Stopped,
            vec![Changed, Begun, exited(0)],
            "clears",
        ),
        (
            "its exit is gone",
            Destroyed,
            vec![Changed, Begun],
            "refused",
        ),
        ("its events are gone", Destroyed, vec![], "refused"),
        (
            "destroyed before its start",
            Destroyed,
            vec![Changed],
            "again",
        ),
    ];
    for (what, state, events, outcome) in cases {
        for mode in MODES {
            let mut stage = stage();
            stage.observed.once = vec![ran(&first, state, &events)];
            let plan = stage.plan_with(&target, &with_mode(mode));
            let expected = match (outcome, mode) {
                (_, ReleaseCommandMode::Never) | ("refused", ReleaseCommandMode::Skip) => "skipped",
                (
                    "done" | "clears" | "refused",
                    ReleaseCommandMode::Always | ReleaseCommandMode::Rerun,
                ) => "again",
                (outcome, _) => outcome,
            };
            let found = match (release_command(&plan), plan.refusals.as_slice()) {
                (Some(change), []) if change.machine.id.is_some() => {
                    let ended = codes(&plan) == ["release_command_done"];
                    if ended { "clears" } else { "waits" }
                }
                (Some(change), []) => {
                    assert_ne!(change.machine.name, stage.observed.once[0].name, "{what}");
                    "again"
                }
                (None, []) if codes(&plan) == ["release_command_skipped"] => "skipped",
                (None, []) => {
                    assert_eq!(codes(&plan), ["release_command_done"], "{what}");
                    "done"
                }
                (None, [refusal]) if refusal.code == "release_command_unknown" => "refused",
                (step, refusals) => panic!("{what}: {step:?}, {refusals:?}"),
            };
            assert_eq!(found, expected, "{what}, {mode:?}");
        }
    }
}

/// Holds rule 28.
#[test]
fn a_command_that_ended_counts_until_another_release_is_complete() {
    let target = with_env("debug");
    let first = stage().plan(&target);
    let Action::Once { config, launch, .. } = &release_command(&first).unwrap().action else {
        panic!("no command");
    };
    let mut stage = stage();
    let record = |release: u64, outcome: &str| ReleaseRecord {
        release,
        at: "2026-01-05T10:00:00Z".to_owned(),
        by: "ana".to_owned(),
        run: None,
        outcome: Some(outcome.to_owned()),
        image: None,
        release_command: (outcome == "failed").then(|| config.clone()),
        groups: std::collections::BTreeMap::new(),
    };
    stage.known.releases = vec![record(7, "failed")];
    assert_eq!(codes(&stage.plan(&target)), ["release_command_done"]);
    // Another content is another command.
    assert!(release_command(&stage.plan(&with_other_command())).is_some());
    stage.known.releases.push(record(8, "complete"));
    assert!(release_command(&stage.plan(&target)).is_some());
    // A started one whose Machine nobody shows may have run.
    stage.known.releases.clear();
    let options = Options {
        started_once: [launch.clone()].into(),
        ..Options::default()
    };
    let plan = stage.plan_with(&target, &options);
    assert_eq!(plan.refusals[0].code, "release_command_unknown");
    // The journal of this host knows it, too.
    let options = Options {
        ended_once: [launch.clone()].into(),
        ..Options::default()
    };
    let plan = stage.plan_with(&target, &options);
    assert_eq!(codes(&plan), ["release_command_done"]);
}

fn with_other_command() -> Desired {
    let mut target = with_env("debug");
    let command = target.rollout.release_command.as_mut().unwrap();
    command.template.init.get_or_insert_default().cmd = Some(vec!["bin/other".to_owned()]);
    target
}

#[test]
fn the_size_is_the_written_one_or_that_of_the_largest_machine_and_no_part_of_its_identity() {
    let target = with_env("debug");
    let guest = |plan: &Plan| match &release_command(plan).unwrap().action {
        Action::Once { guest, config, .. } => {
            let guest = guest.as_ref().unwrap();
            (guest.memory_mb, config.clone())
        }
        _ => unreachable!(),
    };
    let (small, config) = guest(&stage().plan(&target));
    let mut larger = stage();
    larger.edit_outside("m00001", |machine| {
        let config = Arc::make_mut(machine.config.as_mut().unwrap());
        config.guest.get_or_insert_default().memory_mb = Some(4096);
    });
    assert_eq!(guest(&larger.plan(&target)), (Some(4096), config.clone()));
    assert_ne!(small, Some(4096));
    let mut written = target.clone();
    let command = written.rollout.release_command.as_mut().unwrap();
    command.guest = Some(serde_json::from_value(json!({"memory_mb": 1024})).unwrap());
    assert_eq!(guest(&larger.plan(&written)), (Some(1024), config));
}

#[test]
fn verify_comes_after_all_changes_and_before_all_destroys_but_old_halves() {
    let mut target = migrates([(
        "web",
        group("web").count(1).config(json!({"image": "shop:2"})),
    )]);
    target.rollout.verify = target.rollout.release_command.clone();
    let plan = stage().plan(&target);
    let verify = once(&plan, OnceKind::Verify).expect("it runs");
    let order: Vec<&str> = plan
        .changes()
        .map(|(_, change)| match &change.action {
            Action::Once { what, .. } => what.as_str(),
            Action::Destroy { .. } => "destroy",
            _ => "change",
        })
        .collect();
    assert_eq!(
        order,
        [
            "release command",
            "change",
            "verify command",
            "destroy",
            "destroy"
        ]
    );
    let step = plan.steps.iter().find(|step| {
        matches!(&step.work, aeroform::core::plan::types::Work::Change(change) if **change == *verify)
    });
    let step = step.unwrap().id;
    for (destroy, change) in plan.changes() {
        if matches!(change.action, Action::Destroy { .. }) {
            assert_eq!(plan.steps[destroy.0 as usize].needs, [step]);
        }
    }
    let options = Options {
        requested: Requested {
            verify: CheckMode::Never,
            ..Requested::default()
        },
        ..Options::default()
    };
    let plan = stage().plan_with(&target, &options);
    assert!(once(&plan, OnceKind::Verify).is_none());
    assert!(codes(&plan).contains(&"verify_skipped"));
    // Not where the release command would not run.
    let mut count = migrates([
        ("web", group("web").count(5)),
        ("jobs", group("jobs").count(1)),
    ]);
    count.rollout.verify = count.rollout.release_command.clone();
    assert!(once(&stage().plan(&count), OnceKind::Verify).is_none());
}

#[test]
fn a_release_that_did_not_get_to_its_end_is_verified_again_although_nothing_changes() {
    let mut target = migrates([("web", group("web").count(2))]);
    target.rollout.verify = target.rollout.release_command.take();
    let mut stage = stage();
    stage.known.releases = vec![ReleaseRecord {
        release: 7,
        at: "2026-01-05T10:00:00Z".to_owned(),
        by: "ana".to_owned(),
        run: None,
        outcome: Some("failed".to_owned()),
        image: None,
        release_command: None,
        groups: std::collections::BTreeMap::new(),
    }];
    let plan = stage.plan(&target);
    let verify = once(&plan, OnceKind::Verify).expect("it runs again");
    assert_eq!(verify.reason, "release v7 is failed");
    // The removed group is destroyed only after it.
    assert!(
        plan.changes()
            .any(|(_, c)| matches!(c.action, Action::Destroy { .. }))
    );
    stage.known.releases[0].outcome = Some("complete".to_owned());
    assert!(once(&stage.plan(&target), OnceKind::Verify).is_none());
}

#[test]
fn a_saved_plan_is_applied_although_the_launch_id_has_changed() {
    let target = with_env("debug");
    let mut stage = stage();
    let first = stage.plan(&target);
    let saved = SavedPlan::parse(&SavedPlan::of(&first).to_json()).unwrap();
    let events = [ProcessEventKind::Started, exited(1)];
    stage.observed.once = vec![ran(&first, MachineState::Destroyed, &events)];
    let again = stage.plan(&target);
    assert_ne!(
        release_command(&again).unwrap().machine,
        release_command(&first).unwrap().machine
    );
    assert_eq!(saved.differences(&again), Vec::<String>::new());
    // Another command is another plan.
    let other = stage.plan(&with_other_command());
    assert_ne!(saved.differences(&other), Vec::<String>::new());
}

/// Plans that have every remark of this module.
pub(crate) fn all_remarks() -> Vec<Plan> {
    let mut target = with_env("debug");
    let first = stage().plan(&target);
    let with = |state, events: &[ProcessEventKind]| {
        let mut stage = stage();
        stage.observed.once = vec![ran(&first, state, events)];
        stage
    };
    let started = [ProcessEventKind::Started];
    let done = with(
        MachineState::Destroyed,
        &[ProcessEventKind::Started, exited(0)],
    );
    let unknown = with(MachineState::Destroyed, &started);
    let mut busy = with(MachineState::Started, &started);
    busy.observed.once[0].name = aeroform::core::fleet::MachineName::new("theirs").unwrap();
    let count = migrates([
        ("web", group("web").count(5)),
        ("jobs", group("jobs").count(1)),
    ]);
    let mut plans = vec![
        done.plan(&target),
        unknown.plan(&target),
        busy.plan(&target),
        stage().plan(&count),
    ];
    target.rollout.verify = target.rollout.release_command.clone();
    plans.push(stage().plan(&target));
    let options = Options {
        requested: Requested {
            verify: CheckMode::Never,
            ..Requested::default()
        },
        ..Options::default()
    };
    plans.push(stage().plan_with(&target, &options));
    plans
}
