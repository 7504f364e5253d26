//! What a plan says about a bluegreen update before it begins.

use aeroform::core::code::Code;
use aeroform::core::fleet::{
    Desired, DesiredGroup, MachineCheck, MachineState, MovedMachine, OnceCommand, ReleaseStrategy,
    Strategy, Trial,
};
use aeroform::core::plan::{ChosenStrategy, Options, Plan, Requested, codes};
use insta::assert_snapshot;
use serde_json::json;

use crate::filters::by;
use crate::requested::{replacing, restarting};
use crate::support::{GroupBuilder, PlanFixture, desired, group, group_name, id};

fn bluegreen(group: DesiredGroup) -> DesiredGroup {
    group.with(|group| group.trial = Some(Trial::Bluegreen))
}

fn checked(group: DesiredGroup) -> DesiredGroup {
    group.config(json!({"checks": {"up": {"type": "http", "port": 8080, "path": "/up"}}}))
}

fn web(count: u32) -> DesiredGroup {
    bluegreen(checked(group("web").count(count).serves()))
}

/// A group that takes its work from a clock or a queue.
fn cron() -> DesiredGroup {
    bluegreen(group("cron").count(1))
}

fn image(group: DesiredGroup) -> DesiredGroup {
    group.config(json!({"image": "shop:2"}))
}

/// The plan of another image for all of these groups.
fn changed(groups: &[(&'static str, DesiredGroup)], options: &Options) -> Plan {
    let mut stage = PlanFixture::with(&desired(groups.iter().cloned()));
    stage.observed.description.capabilities.swap_wait_ms = 10_000;
    let target = groups.iter().cloned();
    stage.plan_with(
        &desired(target.map(|(name, group)| (name, image(group)))),
        options,
    )
}

/// The messages and hints with one of the codes of a swap.
fn said(plan: &Plan) -> String {
    let of_a_swap = [
        codes::BLUEGREEN_WITH_MOUNTS,
        codes::BLUEGREEN_WITHOUT_CHECKS,
        codes::BLUEGREEN_FILTERED,
        codes::SWAP_UNCHECKED,
        codes::WORKS_TWICE,
    ]
    .map(Code::name);
    let notes = plan.refusals.iter().chain(&plan.warnings);
    let found = notes.filter(|note| of_a_swap.contains(&note.code.as_str()));
    let lines = found.map(|note| {
        let hint = note.hint.as_deref().unwrap_or_default();
        format!("{}: {}\n  {hint}", note.code, note.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn mounted(with_mount: bool) -> Plan {
    let mut stage = PlanFixture::empty();
    stage.volumes = true;
    let before = bluegreen(checked(group("web").count(1).mount()));
    stage.apply(&desired([("web", before.clone())]));
    let after = if with_mount {
        before
    } else {
        bluegreen(checked(group("web").count(1)))
    };
    stage.plan(&desired([("web", image(after))]))
}

/// Plans with every remark about a swap.
pub(crate) fn provoked() -> Vec<Plan> {
    let all = Options::default();
    let unchecked = bluegreen(group("api").count(1).serves());
    vec![
        mounted(true),
        changed(&[("cron", cron())], &all),
        changed(&[("web", web(2))], &by("only=m00001")),
        changed(
            &[("api", unchecked), ("cron", cron()), ("web", web(2))],
            &all,
        ),
    ]
}

#[test]
fn a_group_with_volumes_cannot_be_swapped() {
    assert_snapshot!(said(&mounted(true)), @r#"
    bluegreen_with_mounts: group `web` has volumes, which its Machines cannot share with the second set of a bluegreen update
      `--strategy rolling` or `immediate` in this plan; `strategy = "rolling"` in `[groups.web.deploy]` for good
    "#);
    // The old Machines still have them.
    assert_eq!(said(&mounted(false)), said(&mounted(true)));
}

#[test]
fn at_least_one_check_says_whether_the_new_machines_work() {
    let none =
        |groups: &[(&'static str, DesiredGroup)]| said(&changed(groups, &Options::default()));
    let api = || bluegreen(group("api").count(1).serves());
    assert_snapshot!(none(&[("api", api()), ("cron", cron())]), @"
    bluegreen_without_checks: groups `api` and `cron` would be updated with `bluegreen`, and no check says whether the new Machines work
      add a check in fly.toml (`[checks]`, `[[http_service.checks]]`), or use `--strategy rolling`
    ");
    // One that has checks is enough, and the others are named.
    assert_snapshot!(none(&[("api", api()), ("cron", cron()), ("web", web(2))]), @r#"
    swap_unchecked: group `api`: services without checks, so before the switch it is only known that the new Machines started and stayed up
      a check of its service (`[[http_service.checks]]`) tests the new Machines before they get requests
    works_twice: group `cron` has no services, so its old and its new Machines work side by side for about 20s (at most 320s, if the new ones take long to pass)
      if its work must not be done twice (schedules, queues without locks), write `strategy = "rolling"` in `[groups.cron.deploy]`
    "#);
    // The check of a group that is not swapped says nothing.
    let rolling = checked(group("web").count(1).serves());
    let beside = none(&[("api", api()), ("web", rolling)]);
    assert!(
        beside.starts_with("bluegreen_without_checks: group `api`"),
        "{beside}"
    );
}

#[test]
fn a_group_without_services_works_twice_while_both_sets_run() {
    let target =
        |cron: DesiredGroup| changed(&[("cron", cron), ("web", web(1))], &Options::default());
    let usual = said(&target(cron()));
    assert!(usual.starts_with("works_twice: group `cron`"), "{usual}");
    let long = cron().with(|cron| {
        cron.steady_ms = Some(60_000);
        cron.standby = Some(1);
    });
    assert_snapshot!(said(&target(long)), @r#"
    works_twice: group `cron` has no services, so its old and its new Machines work side by side for about 80s (at most 320s, if the new ones take long to pass)
      if its work must not be done twice (schedules, queues without locks), write `strategy = "rolling"` in `[groups.cron.deploy]`
    "#);
    // The remedy that it names.
    let rolling = group("cron").count(1);
    assert_eq!(said(&target(rolling)), "");
    // A platform without a proxy has nothing to wait for after the gates.
    let mut stage = PlanFixture::with(&desired([("cron", cron())]));
    let mut for_ms = |swap_wait_ms, steady_ms| {
        stage.observed.description.capabilities.swap_wait_ms = swap_wait_ms;
        let cron = checked(image(cron())).with(|cron| cron.steady_ms = steady_ms);
        said(&stage.plan(&desired([("cron", cron)])))
    };
    let message = for_ms(0, Some(3000));
    let times = "side by side for about 3s (at most 300s, if";
    assert!(message.contains(times), "{message}");
    let message = for_ms(0, None);
    assert!(
        message.contains("side by side for at most 300s"),
        "{message}"
    );
}

#[test]
fn half_a_group_is_not_swapped() {
    let spread = || {
        bluegreen(checked(
            group("web").exact(&[("ams", 2), ("gru", 1)]).serves(),
        ))
    };
    let groups = [("jobs", group("jobs").count(1)), ("web", spread())];
    let refused = |filters: &str| said(&changed(&groups, &by(filters)));
    assert_snapshot!(refused("regions=ams"), @"
    bluegreen_filtered: `--regions ams` leaves out Machines of group `web`, which a bluegreen update replaces together
      `--process-groups` chooses complete groups; `--strategy rolling` updates a part of one
    ");
    for filters in [
        "not-regions=gru",
        "only=m00002",
        "not=m00003",
        "groups=web not=m00003",
    ] {
        let text = refused(filters);
        assert!(
            text.starts_with("bluegreen_filtered: "),
            "{filters}: {text}"
        );
    }
    // Nothing of a swapped group is left out, or nothing of it is swapped.
    for filters in [
        "groups=web",
        "groups=jobs",
        "not=m00001",
        "only=m00001",
        "not-regions=ams,gru",
    ] {
        assert_eq!(refused(filters), "", "{filters}");
    }
}

/// A stage on a platform that has releases.
fn with_releases() -> PlanFixture {
    let mut stage = PlanFixture::with(&desired([("cron", cron()), ("web", web(2))]));
    stage.observed.description.capabilities.releases = true;
    stage
}

/// The words of the release, and whether the group is swapped: the warning about `cron` says so.
fn outcome(
    stage: &PlanFixture,
    target: &Desired,
    options: &Options,
) -> (Option<ReleaseStrategy>, bool) {
    let plan = stage.plan_with(target, options);
    let release = plan.release.as_ref().map(|release| release.strategy);
    (release, said(&plan).contains("cron"))
}

#[test]
fn a_group_is_swapped_where_a_running_machine_gets_another_config() {
    let stage = with_releases();
    let swapped = (Some(ReleaseStrategy::Bluegreen), true);
    let usual = Options::default();
    let target = |cron: DesiredGroup| desired([("cron", cron), ("web", web(2))]);
    assert_eq!(outcome(&stage, &target(image(cron())), &usual), swapped);
    assert!(said(&stage.offline(&target(image(cron())))).contains("cron"));
    // Neither a count, nor a restart, nor a replacement on request, nor a standby.
    let more = cron().with(|cron| cron.standby = Some(1));
    let same = (None, false);
    assert_eq!(outcome(&stage, &target(more), &usual), same);
    for options in [restarting(&[]), replacing(&["m00001"])] {
        assert_eq!(outcome(&stage, &target(cron()), &options), same);
    }
    // Nothing runs.
    let mut rests = stage.clone();
    rests.edit_outside("m00001", |machine| machine.state = MachineState::Stopped);
    let rolled = (Some(ReleaseStrategy::Rolling), false);
    assert_eq!(outcome(&rests, &target(image(cron())), &usual), rolled);
    // A Machine that comes from another group brings the config of that one.
    let mut joins =
        target(cron().with(|cron| cron.count = aeroform::core::fleet::Count::Written(2)));
    joins.moved_machines = vec![MovedMachine {
        machine: id("m00002"),
        to: group_name("cron"),
        location: String::new(),
    }];
    assert!(outcome(&stage, &joins, &usual).1);
}

#[test]
fn the_release_has_the_word_of_the_strategy_that_creates_machines_first() {
    let stage = with_releases();
    let of = |web_trial: Option<Trial>, cron_trial: Option<Trial>| {
        let with = |group: DesiredGroup, trial| image(group).with(|group| group.trial = trial);
        let target = desired([
            ("cron", with(cron(), cron_trial)),
            ("web", with(web(2), web_trial)),
        ]);
        outcome(&stage, &target, &Options::default()).0.unwrap()
    };
    let canary = Some(Trial::Canary { soak_ms: 0 });
    let swap = Some(Trial::Bluegreen);
    assert_eq!(of(None, None), ReleaseStrategy::Rolling);
    assert_eq!(of(canary, None), ReleaseStrategy::Canary);
    assert_eq!(of(canary, swap), ReleaseStrategy::Bluegreen);
    let immediate =
        image(web(2)).with(|web| (web.trial, web.strategy) = (None, Strategy::Immediate));
    let target = desired([("cron", image(cron())), ("web", immediate.clone())]);
    let mixed = outcome(&stage, &target, &Options::default()).0;
    assert_eq!(mixed, Some(ReleaseStrategy::Bluegreen));
    let chosen = Options {
        requested: Requested {
            strategy: Some(ChosenStrategy::Immediate),
            ..Requested::default()
        },
        ..Options::default()
    };
    assert_eq!(
        outcome(&stage, &target, &chosen).0,
        Some(ReleaseStrategy::Immediate)
    );
    let word = serde_json::to_value([ReleaseStrategy::Bluegreen, ReleaseStrategy::Canary]).unwrap();
    assert_eq!(word, json!(["BLUEGREEN", "CANARY"]));
}

#[test]
fn the_cost_of_a_size_and_what_a_group_with_machine_checks_needs_are_those_of_the_greens() {
    let stage = PlanFixture::with(&desired([("web", web(2))]));
    let mut checked = desired([("web", image(web(2)))]);
    let app = checked.groups.values_mut().next().unwrap();
    app.machine_checks = vec![MachineCheck::default()];
    let refusals = stage.plan(&checked).refusals;
    let codes: Vec<&str> = refusals.iter().map(|note| note.code.as_str()).collect();
    assert_eq!(codes, [codes::MACHINE_CHECKS_NEEDED.name()]);
    let size = |cpus: u32| json!({"image": "shop:1", "guest": {"cpu_kind": "shared", "cpus": cpus, "memory_mb": 256 * cpus}});
    let sized = |cpus: u32| {
        let mut target = desired([("web", web(2).exact(&[("iad", 2)]).config(size(cpus)))]);
        "fly".clone_into(&mut target.provider);
        target
    };
    let mut stage = PlanFixture::with(&sized(1));
    stage.observed.description.capabilities.swap_wait_ms = 10_000;
    let plan = stage.plan(&sized(2));
    assert_eq!(plan.summary().swap, 2);
    assert!(plan.cost.unwrap().cents_per_month > 0);
    let overlap = plan.groups[0].overlap.as_ref().unwrap();
    assert_eq!(
        (overlap.machines(), overlap.at_least_ms, overlap.cents),
        (4, Some(20_000), Some(1))
    );
}

#[test]
fn the_plan_says_that_verify_comes_too_late_for_the_old_machines() {
    let stage = PlanFixture::with(&desired([("web", web(2))]));
    let verified = |web: DesiredGroup| {
        let mut target = desired([("web", image(web))]);
        target.rollout.verify = Some(Box::new(OnceCommand {
            argv: vec!["bin/smoke".to_owned()],
            timeout_s: None,
            guest: None,
            location: "aeroform.toml:2".to_owned(),
            host_dedication_id: None,
            template: Box::default(),
        }));
        let plan = stage.plan(&target);
        let mut notes = plan.notes.into_iter();
        let found = notes.find(|note| note.code == codes::VERIFY_RUNS.name());
        found.unwrap().message
    };
    assert_snapshot!(verified(web(2)), @"the verify command (aeroform.toml:2) runs after the updates, when the old Machines of group `web` are gone (if it fails, they do not come back): the image of group `web` changes");
    let rolling = web(2).with(|web| web.trial = None);
    assert!(verified(rolling).contains("after the updates and before Machines are destroyed"));
}
