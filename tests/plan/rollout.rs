//! What this version cannot do beside a change and `fly deploy` does: a plan that needs it is refused.

use std::collections::BTreeMap;

use aeroform::core::fleet::{
    Desired, DesiredGroup, MachineState, MovedMachine, OnceCommand, ReleaseRecord, ReleasedGroup,
    StoredConfig, Strategy, Trial,
};
use aeroform::core::plan::{
    Action, ChosenStrategy, GateKind, Options, Plan, PlanMode, ReleaseCommandMode, Requested,
    SavedPlan, StepId,
};
use insta::assert_snapshot;
use serde_json::json;

use crate::requested::{replacing, restarting};
use crate::support::{GroupBuilder, PlanFixture, desired, group, group_name, id, moved};

/// These groups with a release command.
pub(crate) fn migrates(groups: impl IntoIterator<Item = (&'static str, DesiredGroup)>) -> Desired {
    let mut target = desired(groups);
    target.image = Some(
        "shop@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
    );
    target.rollout.release_command = Some(Box::new(OnceCommand {
        argv: vec!["bin/migrate".to_owned()],
        timeout_s: None,
        guest: None,
        location: "fly.toml:7".to_owned(),
        host_dedication_id: None,
        template: Box::default(),
    }));
    target
}

fn web(count: u32) -> DesiredGroup {
    group("web").count(count)
}

/// A stage with two groups that were made before the release command was written.
fn stage() -> PlanFixture {
    PlanFixture::with(&desired([
        ("web", web(2)),
        ("jobs", group("jobs").count(1)),
    ]))
}

fn with_web(web: DesiredGroup) -> Desired {
    migrates([("web", web), ("jobs", group("jobs").count(1))])
}

fn options(requested: Requested) -> Options {
    Options {
        requested,
        ..Options::default()
    }
}

pub(crate) fn never() -> Options {
    options(Requested {
        release_command: ReleaseCommandMode::Never,
        ..Requested::default()
    })
}

fn by(strategy: ChosenStrategy) -> Options {
    options(Requested {
        strategy: Some(strategy),
        ..Requested::default()
    })
}

fn refusals(plan: &Plan) -> Vec<String> {
    let notes = plan.refusals.iter();
    notes.map(|note| note.message.clone()).collect()
}

/// Why the release command runs in this plan; its step is the first one, and all others need it.
fn runs(plan: &Plan) -> Vec<String> {
    let notes = plan.notes.iter();
    let said = notes.filter(|note| note.code == "release_command_runs");
    let said: Vec<String> = said.map(|note| note.message.clone()).collect();
    let first = matches!(
        plan.changes().next(),
        Some((StepId(0), change)) if matches!(change.action, Action::Once { .. })
    );
    assert_eq!(first, !said.is_empty(), "{said:?}");
    let roots = plan.steps.iter().filter(|step| step.needs.is_empty());
    assert!(!first || roots.count() == 1, "other steps start without it");
    said
}

/// Holds rule 28.
#[test]
fn a_plan_that_needs_the_release_command_runs_it_first_and_says_why() {
    let image = json!({"image": "shop:2"});
    let several = json!({"env": {"LOG": "debug"}, "init": {"cmd": ["bin/web", "2"]},
        "files": [{"guest_path": "/a", "raw_value": "aGk="}]});
    let plans = [
        with_web(web(2).config(image.clone())),
        with_web(web(3).config(several)),
        migrates([
            ("web", web(2).config(image.clone())),
            ("jobs", group("jobs").count(1).config(image)),
            ("mail", group("mail").count(1)),
        ]),
    ];
    let messages = plans.map(|target| runs(&stage().plan(&target)).join("\n"));
    assert_snapshot!(messages.join("\n"), @"
    the release command (fly.toml:7) runs first, on its own Machine in ams: the image of group `web` changes
    the release command (fly.toml:7) runs first, on its own Machine in ams: env, files, the command of group `web` change
    the release command (fly.toml:7) runs first, on its own Machine in ams: group `mail` is new; the image of groups `jobs` and `web` changes
    ");
    // Both a first apply and one offline.
    let first = PlanFixture::empty().plan(&migrates([("web", web(1))]));
    assert_eq!(runs(&first).len(), 1);
    let offline = stage().offline(&with_web(web(2).config(json!({"image": "shop:2"}))));
    assert_eq!(runs(&offline).len(), 1);
}

/// Holds rule 28.
#[test]
fn a_group_of_a_failed_release_is_still_new() {
    let target = migrates([
        ("web", web(2)),
        ("jobs", group("jobs").count(1)),
        ("mail", group("mail").count(1)),
    ]);
    let mut stage = stage();
    let scope = &stage.observed.description.scope;
    let template = &target.groups[&group_name("mail")].template;
    let template = StoredConfig::from_config(template, scope);
    let mail = ReleasedGroup {
        config: template.digest(),
        placement: BTreeMap::new(),
    };
    let mut release = ReleaseRecord {
        release: 7,
        at: "2026-01-05T10:00:00Z".to_owned(),
        by: "ana".to_owned(),
        run: None,
        outcome: Some("failed".to_owned()),
        image: None,
        release_command: None,
        groups: BTreeMap::from([(group_name("mail"), mail)]),
    };
    stage.known.configs.insert(template.digest(), template);
    stage.known.releases.push(release.clone());
    let plan = stage.plan(&target);
    assert_eq!(runs(&plan).len(), 1);
    // One that is complete was migrated: the group is only scaled.
    release.outcome = Some("complete".to_owned());
    stage.known.releases = vec![release];
    assert_eq!(runs(&stage.plan(&target)), Vec::<String>::new());
}

/// Holds rules 1 and 28.
#[test]
fn counts_regions_sizes_and_bookkeeping_need_no_release_command() {
    let guest = json!({"guest": {"cpu_kind": "shared", "cpus": 2, "memory_mb": 512}});
    for target in [
        with_web(web(5)),
        with_web(web(0)),
        with_web(web(1)),
        with_web(group("web").exact(&[("fra", 2)])),
        with_web(web(2).with(|group| group.standby = Some(1))),
        with_web(web(2).config(guest)),
        with_web(web(2).serves()),
        migrates([("web", web(2))]),
    ] {
        let plan = stage().plan(&target);
        assert!(!plan.is_empty());
        assert_eq!(refusals(&plan), Vec::<String>::new());
        assert_eq!(plan.warnings, []);
        assert_eq!(runs(&plan), Vec::<String>::new());
        let codes: Vec<&str> = plan.notes.iter().map(|note| note.code.as_str()).collect();
        assert!(codes.contains(&"release_command_not_needed"), "{codes:?}");
    }
    let same = with_web(web(2));
    for options in [restarting(&[]), replacing(&["m00001"])] {
        assert_eq!(
            runs(&stage().plan_with(&same, &options)),
            Vec::<String>::new()
        );
    }
    let mut adopted = stage();
    adopted.known = PlanFixture::empty().known;
    assert_eq!(runs(&adopted.plan(&same)), Vec::<String>::new());
    let mut lost = stage();
    lost.remove_machine("m00002");
    assert_eq!(runs(&lost.plan(&same)), Vec::<String>::new());
    let nothing = Options {
        mode: PlanMode::Destroy,
        ..Options::default()
    };
    assert_eq!(
        runs(&stage().plan_with(&same, &nothing)),
        Vec::<String>::new()
    );
}

/// Holds rule 28.
#[test]
fn a_group_that_is_renamed_or_gets_a_machine_of_another_is_not_new() {
    let mut renamed = migrates([
        ("web", web(2)),
        // The same command under another name.
        (
            "work",
            group("jobs")
                .count(1)
                .config(json!({"env": {"FLY_PROCESS_GROUP": "work"}})),
        ),
    ]);
    renamed.moved = vec![moved("jobs", "work")];
    assert_eq!(runs(&stage().plan(&renamed)), Vec::<String>::new());
    let mut joins = with_web(web(3));
    joins.groups.get_mut(&group_name("jobs")).unwrap().count =
        aeroform::core::fleet::Count::Written(0);
    joins.moved_machines = vec![MovedMachine {
        machine: id("m00001"),
        to: group_name("web"),
        location: String::new(),
    }];
    let plan = stage().plan(&joins);
    assert!(
        plan.changes()
            .any(|(_, c)| matches!(c.action, Action::Move { .. }))
    );
    assert_eq!(runs(&plan), Vec::<String>::new());
    let mut changed = renamed.clone();
    let work = changed.groups.get_mut(&group_name("work")).unwrap();
    work.template.init.as_mut().unwrap().cmd = Some(vec!["bin/other".to_owned()]);
    let messages = runs(&stage().plan(&changed));
    assert_eq!(messages.len(), 1, "{messages:?}");
}

#[test]
fn machines_that_only_come_are_compared_with_what_their_group_had() {
    let image = json!({"image": "shop:2"});
    // Every Machine goes to another region, and the image changes on the way.
    let elsewhere = group("web").exact(&[("fra", 2)]).config(image.clone());
    let messages = runs(&stage().plan(&with_web(elsewhere)));
    assert_eq!(messages.len(), 1, "{messages:?}");
    // Every Machine of the group has vanished.
    let mut lost = stage();
    for machine in ["m00002", "m00003"] {
        lost.remove_machine(machine);
    }
    assert_eq!(runs(&lost.plan(&with_web(web(2)))), Vec::<String>::new());
    let messages = runs(&lost.plan(&with_web(web(2).config(image))));
    assert_eq!(messages.len(), 1, "{messages:?}");
}

#[test]
fn with_never_the_plan_goes_on_and_says_what_is_left_out_and_a_saved_plan_keeps_it() {
    let mut stage = stage();
    let target = with_web(web(2).config(json!({"image": "shop:2"})));
    let plan = stage.plan_with(&target, &never());
    assert_eq!(plan.refusals, []);
    assert_snapshot!(plan.warnings[0].message, @"the release command (fly.toml:7) is skipped (`--release-command=never`): the image of group `web` changes");
    let saved = SavedPlan::parse(&SavedPlan::of(&plan).to_json()).unwrap();
    assert_eq!(saved.requested, never().requested);
    assert_eq!(
        saved.differences(&stage.plan(&target)),
        [
            "the set of flags differs",
            "running the release command in ams is new"
        ]
    );
    stage.carry_out(&target, &plan);
    assert!(stage.plan(&target).is_empty());
}

fn named(strategy: Trial) -> DesiredGroup {
    let check = json!({"up": {"type": "tcp", "port": 8080}});
    let changed = web(2).config(json!({"env": {"LOG": "debug"}, "checks": check}));
    changed.with(|group| {
        group.trial = Some(strategy);
        group.strategy = Strategy::Rolling {
            max_unavailable: aeroform::core::fleet::Limit::Count(2),
        };
    })
}

#[test]
fn bluegreen_swaps_a_group_where_a_running_machine_changes() {
    let stage = PlanFixture::with(&desired([("web", web(2))]));
    let target = desired([("web", named(Trial::Bluegreen))]);
    for plan in [stage.plan(&target), stage.offline(&target)] {
        assert_eq!(plan.refusals, []);
        assert_eq!(plan.summary().swap, 2);
    }
    // Nothing that runs changes.
    let mut resting = stage.clone();
    for machine in ["m00001", "m00002"] {
        resting.edit_outside(machine, |machine| machine.state = MachineState::Stopped);
    }
    assert_eq!(resting.plan(&target).summary().update, 2);
    let more = web(3).with(|g| g.trial = Some(Trial::Bluegreen));
    assert_eq!(stage.plan(&desired([("web", more.clone())])).refusals, []);
    assert_eq!(
        PlanFixture::empty()
            .plan(&desired([("web", more)]))
            .refusals,
        []
    );
}

#[test]
fn the_strategy_of_one_run_is_that_of_every_group() {
    let mut stage = PlanFixture::with(&desired([("web", web(2))]));
    let target = desired([("web", named(Trial::Bluegreen))]);
    let rolling = stage.plan_with(&target, &by(ChosenStrategy::Rolling));
    assert_eq!(rolling.refusals, []);
    assert_eq!(rolling.groups[0].strategy, "rolling: 1 at a time");
    let immediate = stage.plan_with(&target, &by(ChosenStrategy::Immediate));
    assert!(immediate.groups[0].strategy.starts_with("immediate"));
    let gates = immediate.changes().map(|(_, change)| change.gate);
    assert!(gates.into_iter().all(|gate| gate == GateKind::None));
    // The desired state is the same, so runs of both count as runs of one commit.
    assert_eq!(rolling.desired, immediate.desired);
    let saved = SavedPlan::of(&immediate);
    assert_eq!(saved.differences(&rolling), ["the set of flags differs"]);
    stage.carry_out(&target, &rolling);
    assert!(stage.plan(&target).is_empty());
}
