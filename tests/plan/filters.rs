//! Filters: what a plan leaves out, and what goes with it.

use aeroform::core::fleet::{
    CheckState, CheckStatus, Desired, DesiredGroup, MovedMachine, ReleaseStatus,
};
use aeroform::core::plan::{GateKind, Options, Plan, Requested, RestartScope, Verb};
use insta::assert_snapshot;
use serde_json::json;

use crate::lines;
use crate::rollout::migrates;
use crate::support::{GroupBuilder, PlanFixture, desired, group, group_name, id, moved, region};

/// The options with these filters: `groups=web only=m00001,m00002`.
pub(crate) fn by(filters: &str) -> Options {
    let mut requested = Requested::default();
    for filter in filters.split_whitespace() {
        let (kind, words) = filter.split_once('=').unwrap();
        for word in words.split(',') {
            match kind {
                "groups" => drop(requested.groups.insert(group_name(word))),
                "regions" => drop(requested.regions.insert(region(word))),
                "not-regions" => drop(requested.exclude_regions.insert(region(word))),
                "only" => drop(requested.only.insert(id(word))),
                "not" => drop(requested.exclude.insert(id(word))),
                "replace" => drop(requested.replace.insert(id(word))),
                other => panic!("{other}"),
            }
        }
    }
    Options {
        requested,
        ..Options::default()
    }
}

/// The changes of a plan, then what it leaves out.
fn left(plan: &Plan) -> String {
    let all = lines(plan);
    let steps = all
        .lines()
        .filter(|line| !line.starts_with("group ") && !line.starts_with("-- "));
    let steps = steps.map(str::to_owned);
    let left = plan.left_out.iter().map(|left| {
        let counts = left.actions.iter();
        let counts = counts.map(|(verb, n)| format!("{n} {verb:?}").to_lowercase());
        let counts: Vec<String> = counts.collect();
        format!(
            "left out {}: {} ({})",
            left.group,
            counts.join(", "),
            left.filter
        )
    });
    steps.chain(left).collect::<Vec<_>>().join("\n")
}

fn refused(plan: &Plan) -> String {
    let notes = plan.refusals.iter();
    let texts = notes.map(|note| {
        format!(
            "{}; {}",
            note.message,
            note.hint.as_deref().unwrap_or_default()
        )
    });
    texts.collect::<Vec<_>>().join("\n")
}

fn image(group: DesiredGroup, image: &str) -> DesiredGroup {
    group.config(json!({ "image": image }))
}

/// Web in two regions, a worker with a standby, one job.
fn app(image_name: &str) -> Desired {
    let web = group("web").exact(&[("ams", 2), ("gru", 1)]);
    let worker = group("worker").count(1).with(|g| g.standby = Some(1));
    desired([
        ("web", image(web, image_name)),
        ("worker", image(worker, image_name)),
        ("jobs", image(group("jobs").count(1), image_name)),
    ])
}

fn stage() -> PlanFixture {
    PlanFixture::with(&app("shop:1"))
}

#[test]
fn a_filter_leaves_the_other_groups_regions_and_machines_alone() {
    let stage = stage();
    let plan = |filters: &str| left(&stage.plan_with(&app("shop:2"), &by(filters)));
    assert_snapshot!(plan("groups=worker"), @"
    update worker ams m00005 [image]
    update worker ams m00006 standby for m00005 [image]
    left out jobs: 1 update (--process-groups worker)
    left out web: 3 update (--process-groups worker)
    ");
    assert_snapshot!(plan("groups=web,jobs regions=ams"), @"
    update jobs ams m00001 [image]
    update web ams m00002 [image]
    update web ams m00003 [image]
    left out web: 1 update (--regions ams)
    left out worker: 2 update (--process-groups jobs,web)
    ");
    assert_snapshot!(plan("not-regions=ams"), @"
    update web gru m00004 [image]
    left out jobs: 1 update (--exclude-regions ams)
    left out web: 2 update (--exclude-regions ams)
    left out worker: 2 update (--exclude-regions ams)
    ");
    assert_snapshot!(plan("only=m00002"), @"
    update web ams m00002 [image]
    left out jobs: 1 update (--only-machines m00002)
    left out web: 2 update (--only-machines m00002)
    left out worker: 2 update (--only-machines m00002)
    ");
    assert_snapshot!(plan("not=m00001,m00005"), @"
    update web ams m00002 [image]
    update web ams m00003 [image]
    update web gru m00004 [image]
    update worker ams m00006 standby for m00005 [image]
    left out jobs: 1 update (--exclude-machines m00001,m00005)
    left out worker: 1 update (--exclude-machines m00001,m00005)
    ");
}

#[test]
fn the_rest_is_left_for_the_next_plan_and_then_nothing_is_left() {
    let mut stage = stage();
    let target = app("shop:2");
    let plan = stage.plan_with(&target, &by("groups=worker"));
    stage.carry_out(&target, &plan);
    let again = stage.plan_with(&target, &by("groups=worker"));
    assert!(again.is_empty(), "{}", left(&again));
    assert_eq!(again.left_out, plan.left_out);
    let rest = stage.apply(&target);
    assert_eq!(rest.summary().update, 4);
}

#[test]
fn nothing_is_created_and_no_group_goes_outside_the_filters() {
    let stage = stage();
    let worker = group("worker").count(1).with(|g| g.standby = Some(1));
    let target = desired([
        (
            "web",
            group("web").exact(&[("ams", 3), ("gru", 2), ("fra", 1)]),
        ),
        ("worker", worker),
        ("api", group("api").count(1)),
    ]);
    let plan = |filters: &str| left(&stage.plan_with(&target, &by(filters)));
    assert_snapshot!(plan("groups=web"), @"
    create web ams
    create web fra
    create web gru
    note image_inherited web
    left out api: 1 create (--process-groups web)
    left out jobs: 1 destroy (--process-groups web)
    ");
    assert_snapshot!(plan("groups=jobs"), @"
    destroy jobs ams m00001 GroupRemoved: its group is not in `[processes]`
    left out api: 1 create (--process-groups jobs)
    left out web: 3 create (--process-groups jobs)
    ");
    assert_snapshot!(plan("regions=gru"), @"
    create web gru
    note image_inherited web
    left out api: 1 create (--regions gru)
    left out jobs: 1 destroy (--regions gru)
    left out web: 2 create (--regions gru)
    ");
    assert_snapshot!(plan("only=m00004"), @"
    left out api: 1 create (--only-machines m00004)
    left out jobs: 1 destroy (--only-machines m00004)
    left out web: 3 create (--only-machines m00004)
    ");
}

#[test]
fn the_create_and_the_destroy_of_a_rebalance_go_together() {
    let mut stage = PlanFixture::with(&desired([("web", group("web").exact(&[("ams", 4)]))]));
    let spread = desired([("web", group("web").count(4).list("ams gru"))]);
    let plan = |filters: &str| left(&stage.plan_with(&spread, &by(filters)));
    assert_snapshot!(plan("groups=web"), @"
    create web gru x2
    destroy web ams m00004 Rebalanced: newest
    destroy web ams m00003 Rebalanced: newest
    ");
    assert_snapshot!(plan("regions=ams"), @"left out web: 2 create, 2 destroy (--regions ams)");
    assert_snapshot!(plan("regions=gru"), @"left out web: 2 create, 2 destroy (--regions gru)");
    assert_snapshot!(plan("not=m00004"), @"
    create web gru
    destroy web ams m00003 Rebalanced: newest
    left out web: 1 create, 1 destroy (--exclude-machines m00004)
    ");
    let filtered = stage.plan_with(&spread, &by("not=m00004"));
    stage.carry_out(&spread, &filtered);
    assert_eq!(stage.observed.machines.len(), 4);
}

#[test]
fn a_move_and_the_machine_in_its_place_go_together() {
    let groups = || {
        [
            ("jobs", group("jobs").count(1)),
            ("web", group("web").count(2)),
        ]
    };
    let mut stage = PlanFixture::with(&desired(groups()));
    let mut target = desired([
        ("jobs", group("jobs").count(2)),
        ("web", group("web").count(2)),
    ]);
    target.moved_machines = vec![MovedMachine {
        machine: id("m00003"),
        to: group_name("jobs"),
        location: String::new(),
    }];
    let plan = |filters: &str| left(&stage.plan_with(&target, &by(filters)));
    assert_snapshot!(plan("groups=jobs,web"), @"
    create web ams
    move jobs ams m00003 from web [env.FLY_PROCESS_GROUP init.cmd]
    ");
    assert_snapshot!(plan("groups=jobs"), @"
    left out jobs: 1 move (--process-groups jobs)
    left out web: 1 create (--process-groups jobs)
    ");
    assert_snapshot!(plan("groups=web"), @"
    left out jobs: 1 move (--process-groups web)
    left out web: 1 create (--process-groups web)
    ");
    assert_snapshot!(plan("not=m00003"), @"
    left out jobs: 1 move (--exclude-machines m00003)
    left out web: 1 create (--exclude-machines m00003)
    ");
    assert_snapshot!(plan("only=m00003"), @"
    left out jobs: 1 move (--only-machines m00003)
    left out web: 1 create (--only-machines m00003)
    ");
    let filtered = stage.plan_with(&target, &by("not=m00003"));
    assert_eq!(
        (filtered.groups[1].before, filtered.groups[1].after),
        (2, 2)
    );
    stage.carry_out(&target, &filtered);
    assert_eq!(stage.apply(&target).summary().moves, 1);
}

#[test]
fn a_renamed_group_that_is_left_out_keeps_its_name_and_its_protection() {
    let with = |name: &'static str, protect: bool| {
        let cron = group(name).count(2).with(|g| g.protect = protect);
        desired([(name, cron), ("web", group("web").count(1))])
    };
    let mut stage = PlanFixture::with(&with("cron", true));
    let mut target = with("queue", false);
    target.moved = vec![moved("cron", "queue")];
    let web = image(group("web").count(1), "shop:2");
    target.groups.insert(group_name("web"), web);
    let plan = stage.plan_with(&target, &by("groups=web"));
    assert_snapshot!(left(&plan), @"
    update web ams m00003 [image]
    left out queue: 2 move (--process-groups web)
    ");
    assert_eq!(plan.refusals, []);
    stage.carry_out(&target, &plan);
    assert!(stage.known.protected_groups.contains(&group_name("cron")));
}

#[test]
fn a_primary_and_the_standby_that_follows_it_go_together() {
    let worker = |n| group("worker").count(n).with(|g| g.standby = Some(1));
    let stage = PlanFixture::with(&desired([("worker", worker(1))]));
    let two = desired([("worker", worker(2))]);
    let plan = |filters: &str| left(&stage.plan_with(&two, &by(filters)));
    assert_snapshot!(plan("groups=worker"), @"
    create worker ams
    update worker ams m00002 standby for m00001 #0
    ");
    assert_snapshot!(plan("not=m00002"), @"left out worker: 1 create, 1 update (--exclude-machines m00002)");
    assert_snapshot!(plan("not=m00001"), @"
    create worker ams
    update worker ams m00002 standby for m00001 #0
    ");
    assert_snapshot!(plan("only=m00001"), @"left out worker: 1 create, 1 update (--only-machines m00001)");
    assert_snapshot!(plan("only=m00002"), @"left out worker: 1 create, 1 update (--only-machines m00002)");
}

#[test]
fn machines_that_nobody_has_seen_healthy_hold_nothing_back_where_they_are_left_out() {
    let checked = |n| {
        let checks = json!({"checks": {"up": {"type": "tcp", "port": 80}}});
        group("web").count(n).config(checks)
    };
    let mut stage = PlanFixture::with(&desired([("web", checked(3))]));
    stage.edit_outside("m00001", |machine| {
        machine.checks = vec![CheckStatus {
            name: "up".to_owned(),
            status: CheckState::Critical,
            output: "refused".to_owned(),
            updated_at: String::new(),
        }];
    });
    let target = desired([("web", image(checked(3), "shop:2"))]);
    let plan = stage.plan_with(&target, &by("not=m00001"));
    assert_snapshot!(left(&plan), @"
    update web ams m00002 [image]
    update web ams m00003 [image]
    left out web: 1 update (--exclude-machines m00001)
    ");
    let mut waits = plan.changes();
    assert!(!waits.any(|(_, change)| change.machine.id == Some(id("m00001"))));
    // Without a change that takes one down, nothing waits for it.
    stage.carry_out(&target, &plan);
    stage.edit_outside("m00001", |machine| {
        machine.config = Some(stage_config("shop:2"));
    });
    let restart = |filters: &str| {
        let mut options = by(filters);
        options.requested.restart = RestartScope::All;
        stage.plan_with(&target, &options)
    };
    let gated = |plan: &Plan| {
        let mut changes = plan.changes();
        changes.any(|(_, change)| {
            change.machine.id == Some(id("m00001")) && change.gate != GateKind::None
        })
    };
    assert!(gated(&restart("groups=web")));
    assert!(!gated(&restart("not=m00001")));
}

fn stage_config(image: &str) -> std::sync::Arc<aeroform::core::fleet::MachineConfig> {
    let config = json!({ "image": image, "checks": {"up": {"type": "tcp", "port": 80}} });
    let config = aeroform::core::fleet::MachineConfig::from_value(config).unwrap();
    std::sync::Arc::new(config)
}

#[test]
fn a_missing_machine_is_forgotten_only_with_the_one_in_its_place() {
    let both = desired([
        ("web", group("web").serves()),
        ("jobs", group("jobs").count(1)),
    ]);
    let mut stage = PlanFixture::with(&both);
    stage.remove_machine("m00003");
    let plan = stage.plan_with(&both, &by("groups=jobs"));
    assert_snapshot!(left(&plan), @"left out web: 1 create, 1 forget (--process-groups jobs)");
    stage.carry_out(&both, &plan);
    let rest = stage.apply(&both);
    assert_eq!(rest.summary().create, 1);
}

#[test]
fn guards_judge_what_is_left() {
    let mut stage = PlanFixture::with(&desired([
        ("web", group("web").count(4)),
        ("jobs", group("jobs").count(1)),
    ]));
    let mut target = desired([
        ("web", group("web").count(1)),
        ("jobs", image(group("jobs").count(1), "shop:2")),
    ]);
    target.policy.max_destroy = Some(aeroform::core::fleet::Limit::Count(1));
    assert_eq!(stage.plan(&target).refusals.len(), 1);
    let plan = stage.plan_with(&target, &by("groups=jobs"));
    assert_eq!(plan.refusals, []);
    stage.carry_out(&target, &plan);
}

#[test]
fn the_release_command_runs_once_for_what_is_applied_in_parts() {
    let parts = |value: &str| {
        let of = |name: &'static str| {
            (
                name,
                group(name).count(1).config(json!({"env": {"V": value}})),
            )
        };
        migrates([of("web"), of("jobs")])
    };
    let mut stage = PlanFixture::with(&parts("1"));
    stage.release = Some((2, ReleaseStatus::Complete));
    let target = parts("2");
    let first = stage.plan_with(&target, &by("groups=jobs"));
    assert_eq!(first.summary().run, 1);
    stage.carry_out(&target, &first);
    let record = stage.known.releases.last().unwrap();
    assert!(record.is_partial(), "{record:?}");
    // The left group has its config of before in the release.
    let web = &record.groups[&group_name("web")].config;
    let env = &stage.known.configs[web].tree()["env"]["V"];
    assert_eq!(env, "1");
    let jobs = &record.groups[&group_name("jobs")].config;
    assert_eq!(stage.known.configs[jobs].tree()["env"]["V"], "2");
    stage.release = Some((3, ReleaseStatus::Complete));
    let rest = stage.plan(&target);
    assert_snapshot!(left(&rest), @"
    update web ams m00002 [env.V]
    note release_command_done
    ");
    stage.carry_out(&target, &rest);
    assert!(stage.known.releases.last().unwrap().is_complete());
    // A change that needs no release command leaves a partial release alone.
    assert!(stage.plan(&target).is_empty());
}

/// The groups of the newest release, each with its `V` and the places of its primaries.
fn newest_release(stage: &PlanFixture) -> String {
    let record = stage.known.releases.last().unwrap();
    let groups = record.groups.iter().map(|(name, released)| {
        let v = &stage.known.configs[&released.config].tree()["env"]["V"];
        let places: u32 = released.placement.values().sum();
        format!("{name} {places} {v}")
    });
    let groups: Vec<String> = groups.collect();
    format!("{}: {}", record.outcome(), groups.join(", "))
}

#[test]
fn a_release_has_of_what_is_left_out_the_config_that_runs() {
    let of = |name: &'static str, n: u32, value: &str| {
        let env = json!({"env": {"V": value}});
        (name, group(name).count(n).config(env))
    };
    let first = desired([of("web", 1, "1"), of("jobs", 1, "1"), of("old", 1, "1")]);
    let mut stage = PlanFixture::with(&first);
    stage.release = Some((2, ReleaseStatus::Complete));
    // `jobs` is to be renamed, `old` to be removed, and `new` is not there yet.
    let mut second = desired([of("web", 1, "2"), of("queue", 1, "2"), of("new", 1, "2")]);
    second.moved = vec![moved("jobs", "queue")];
    let part = stage.plan_with(&second, &by("groups=web"));
    stage.carry_out(&second, &part);
    assert_snapshot!(newest_release(&stage), @r#"partial: jobs 1 "1", old 1 "1", web 1 "2""#);
    // The rest is there at once, `new` as a new group.
    stage.release = Some((3, ReleaseStatus::Complete));
    let rest = stage.plan(&second);
    stage.carry_out(&second, &rest);
    assert_snapshot!(newest_release(&stage), @r#"complete: new 1 "2", queue 1 "2", web 1 "2""#);
}

#[test]
fn what_a_failed_release_wanted_is_not_what_a_group_that_is_left_out_has() {
    let of = |value: &str, jobs: u32| {
        let env = || json!({"env": {"V": value}});
        let web = group("web").count(1).config(env());
        desired([
            ("web", web),
            (
                "jobs",
                group("jobs")
                    .count(jobs)
                    .config(json!({"env": {"V": value}})),
            ),
        ])
    };
    let mut stage = PlanFixture::with(&of("1", 1));
    // A release that reached no Machine of `jobs`.
    stage.release = Some((2, ReleaseStatus::Failed));
    let part = stage.plan_with(&of("2", 1), &by("groups=web"));
    stage.carry_out(&of("2", 1), &part);
    let record = stage.known.releases.last_mut().unwrap();
    let web = record.groups[&group_name("web")].config.clone();
    record.groups.get_mut(&group_name("jobs")).unwrap().config = web;
    assert_snapshot!(newest_release(&stage), @r#"failed: jobs 1 "2", web 1 "2""#);
    // Back again; what is left out of it is only a count.
    stage.release = Some((3, ReleaseStatus::Complete));
    let part = stage.plan_with(&of("1", 2), &by("groups=web"));
    stage.carry_out(&of("1", 2), &part);
    assert_snapshot!(newest_release(&stage), @r#"complete: jobs 1 "1", web 1 "1""#);
}

#[test]
fn a_filter_that_matches_nothing_is_refused_with_what_there_is() {
    let stage = stage();
    let plan = |filters: &str| refused(&stage.plan_with(&app("shop:1"), &by(filters)));
    assert_snapshot!(plan("groups=wep"), @"`--process-groups wep` matches nothing: the app has no such group; did you mean `web`? its groups are jobs, web, worker");
    assert_snapshot!(plan("regions=amd"), @"`--regions amd` matches nothing: the app has no such region; did you mean `ams`? its regions are ams, gru");
    assert_snapshot!(plan("not-regions=nrt"), @"`--exclude-regions nrt` matches nothing: the app has no such region; its regions are ams, gru");
    assert_snapshot!(plan("only=m00009"), @"`--only-machines m00009` matches nothing: no group of the app has it; its Machines are m00001 m00002 m00003 m00004 m00005 m00006; `aeroform machine list` lists them");
    assert_snapshot!(plan("not=m00009"), @"`--exclude-machines m00009` matches nothing: no group of the app has it; its Machines are m00001 m00002 m00003 m00004 m00005 m00006; `aeroform machine list` lists them");
    assert_snapshot!(plan("groups=jobs regions=gru"), @"`--process-groups jobs --regions gru` matches nothing; the app has jobs in ams, web in ams and gru, worker in ams");
}

#[test]
fn a_requested_replacement_that_a_filter_leaves_out_is_refused() {
    let stage = stage();
    let plan = |filters: &str| refused(&stage.plan_with(&app("shop:1"), &by(filters)));
    assert_snapshot!(plan("replace=m00001 groups=worker"), @"the replacement of Machine m00001 is requested, but `--process-groups worker` leaves it out; remove one of the two");
    assert_snapshot!(plan("replace=m00001 not=m00001"), @"the replacement of Machine m00001 is requested, but `--exclude-machines m00001` leaves it out; remove one of the two");
    let mut options = by("groups=worker");
    options.requested.restart = RestartScope::Groups([group_name("web")].into());
    let refused = refused(&stage.plan_with(&app("shop:1"), &options));
    assert_snapshot!(refused, @"the restart of group `web` is requested, but `--process-groups worker` leaves it out; remove one of the two");
}

#[test]
fn an_excluded_machine_that_would_be_the_first_to_go_is_left_and_no_other_goes() {
    let stage = PlanFixture::with(&desired([("web", group("web").count(3))]));
    let fewer = desired([("web", group("web").count(2))]);
    let unfiltered = stage.plan(&fewer);
    let goes = unfiltered.changes().next().unwrap().1.machine.id.clone();
    let plan = stage.plan_with(&fewer, &by(&format!("not={}", goes.unwrap())));
    assert!(plan.is_empty());
    assert_eq!(plan.left_out[0].actions[&Verb::Destroy], 1);
}
