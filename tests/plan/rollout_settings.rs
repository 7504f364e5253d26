//! How changes are rolled out: settings of groups and flags, in saved plans, in digests and against reviewed plans.

use aeroform::core::fleet::{
    Desired, DesiredGroup, GroupsOrder, Limit, Lineage, OrderedRegions, Strategy,
};
use aeroform::core::plan::{
    ChosenLimit, ChosenStrategy, Options, Plan, Requested, RestartScope, SavedPlan, codes,
};

use crate::support::{GroupBuilder, PlanFixture, desired, group, group_name, region};

fn options(requested: Requested) -> Options {
    Options {
        requested,
        ..Options::default()
    }
}

fn image(group: DesiredGroup) -> DesiredGroup {
    group.config(serde_json::json!({"image": "shop:2"}))
}

fn web(count: u32) -> DesiredGroup {
    group("web").count(count)
}

/// Two groups of three that are both updated.
fn stage() -> PlanFixture {
    PlanFixture::with(&desired([
        ("jobs", group("jobs").count(3)),
        ("web", web(3)),
    ]))
}

fn updated(change: impl FnOnce(DesiredGroup) -> DesiredGroup) -> Desired {
    let jobs = image(group("jobs").count(3));
    desired([("jobs", jobs), ("web", change(image(web(3))))])
}

fn in_order(mut desired: Desired, lists: &[&[&str]]) -> Desired {
    let list = |names: &&[&str]| names.iter().map(|name| group_name(name)).collect();
    desired.rollout.groups_order = Some(GroupsOrder {
        lists: lists.iter().map(list).collect(),
        location: "aeroform.toml:2".to_owned(),
    });
    desired
}

fn regions(names: &[&str]) -> Vec<OrderedRegions> {
    let entry = |name: &&str| match *name {
        "*" => OrderedRegions::Others,
        name => OrderedRegions::Region(region(name)),
    };
    names.iter().map(entry).collect()
}

fn excesses(reviewed: &Plan, desired: &Desired) -> Vec<String> {
    let fresh = stage().plan(desired);
    let found = SavedPlan::of(reviewed).excesses(&fresh, desired);
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn a_flag_beats_the_group_and_the_strategy_of_the_files_keeps_its_limit() {
    let strategy_of = |group: DesiredGroup, requested: Requested| {
        let target = desired([("web", image(group))]);
        let stage = PlanFixture::with(&desired([("web", web(4))]));
        stage.plan_with(&target, &options(requested)).groups[0]
            .strategy
            .clone()
    };
    let two = Requested {
        max_unavailable: Some(ChosenLimit::Machines(2)),
        ..Requested::default()
    };
    let half = Requested {
        max_unavailable: Some(Limit::Share(0.5).into()),
        strategy: Some(ChosenStrategy::Rolling),
        ..Requested::default()
    };
    let rolling = Requested {
        strategy: Some(ChosenStrategy::Rolling),
        ..Requested::default()
    };
    let immediate = || {
        web(4).with(|web| {
            web.strategy = Strategy::Immediate;
            web.max_unavailable = Limit::Count(3);
        })
    };
    assert!(strategy_of(web(4).max_unavailable(1), two.clone()).contains("2 at a time"));
    assert!(strategy_of(immediate(), two).starts_with("immediate"));
    assert!(strategy_of(immediate(), half).contains("2 at a time"));
    assert!(strategy_of(immediate(), rolling).contains("3 at a time"));
}

#[test]
fn how_is_not_part_of_what_is_desired() {
    let lineage = Lineage::new("shop").unwrap();
    let plain = updated(|web| web).digest(&lineage);
    let other = updated(|web| {
        web.with(|web| {
            web.strategy = Strategy::Immediate;
            web.max_unavailable = Limit::Count(9);
            web.wait_timeout_s = 900;
            web.steady_ms = Some(1);
            web.region_order = regions(&["ams", "*"]);
        })
    });
    let other = in_order(other, &[&["web"], &["jobs"]]);
    assert_eq!(plain, other.digest(&lineage));
    assert_ne!(plain, updated(|web| web.count(4)).digest(&lineage));
}

#[test]
fn a_saved_plan_is_stale_once_a_group_that_it_changes_is_rolled_out_in_another_way() {
    let plan = |desired: &Desired| stage().plan(desired);
    let saved = SavedPlan::of(&plan(&updated(|web| web)));
    let differs = ["the rollout settings of group `web` differ"];
    let with = |change: fn(&mut DesiredGroup)| updated(|web| web.with(change));
    for target in [
        with(|web| web.strategy = Strategy::Immediate),
        with(|web| web.wait_timeout_s = 900),
        with(|web| web.steady_ms = Some(1)),
        with(|web| web.region_order = regions(&["ams"])),
        in_order(updated(|web| web), &[&["jobs"], &["web"]]),
    ] {
        assert_eq!(saved.differences(&plan(&target)), differs);
        let digest = plan(&target).plan_digest();
        assert_ne!(digest, saved.plan_digest());
    }
    // Orders that mean the same.
    for target in [
        with(|web| web.region_order = regions(&["*"])),
        in_order(updated(|web| web), &[&["web", "jobs"]]),
    ] {
        assert_eq!(saved.differences(&plan(&target)), [""; 0]);
    }
}

#[test]
fn a_saved_plan_keeps_the_flags_of_a_rollout() {
    let requested = Requested {
        max_unavailable: Some(Limit::Share(0.25).into()),
        wait_timeout_s: Some(600),
        wake: true,
        ..Requested::default()
    };
    let target = updated(|web| web);
    let plan = stage().plan_with(&target, &options(requested.clone()));
    let saved = SavedPlan::of(&plan);
    assert_eq!(
        SavedPlan::parse(&saved.to_json()).unwrap().requested,
        requested
    );
    let without = stage().plan(&target);
    assert_ne!(without.plan_digest(), plan.plan_digest());
    assert_eq!(plan.desired, without.desired);
}

#[test]
fn an_order_that_was_reviewed_must_stay() {
    let target = || updated(|web| web);
    let ordered = |names: &[&str]| updated(|web| web.with(|web| web.region_order = regions(names)));
    let plan = |desired: &Desired| stage().plan(desired);
    let reviewed = plan(&ordered(&["gru", "ams"]));
    let another = ["the regions of group `web` are not updated in that order"];
    assert_eq!(excesses(&reviewed, &target()), another);
    assert_eq!(excesses(&reviewed, &ordered(&["ams", "gru"])), another);
    assert_eq!(excesses(&reviewed, &ordered(&["gru", "ams", "*"])), [""; 0]);
    assert_eq!(excesses(&plan(&target()), &ordered(&["ams"])), [""; 0]);

    let reviewed = plan(&in_order(target(), &[&["jobs"], &["web"]]));
    let another = ["group `web` is not updated after group `jobs`"];
    assert_eq!(excesses(&reviewed, &target()), another);
    assert_eq!(
        excesses(&reviewed, &in_order(target(), &[&["web"], &["jobs"]])),
        another
    );
    let same = in_order(target(), &[&["cron"], &["jobs"], &["web"]]);
    assert_eq!(excesses(&reviewed, &same), [""; 0]);
    let unordered = plan(&target());
    assert_eq!(
        excesses(&unordered, &in_order(target(), &[&["jobs"], &["web"]])),
        [""; 0]
    );
}

#[test]
fn a_machine_cannot_have_to_stay_up_for_as_long_as_it_is_waited_for() {
    let refusal = |group: DesiredGroup, requested: Requested| {
        let target = desired([("web", image(group))]);
        let stage = PlanFixture::with(&desired([("web", web(2))]));
        let plan = stage.plan_with(&target, &options(requested));
        let found = plan.refusals.into_iter();
        let mut found = found.filter(|note| note.code == codes::STEADY_TOO_LONG.name());
        found.next().map(|note| note.message)
    };
    let flags = |steady_ms, wait_timeout_s| Requested {
        steady_ms,
        wait_timeout_s,
        ..Requested::default()
    };
    let steady = || web(2).with(|web| web.steady_ms = Some(20_000));
    assert_eq!(
        refusal(steady(), flags(None, Some(20))).unwrap(),
        "group `web`: `steady` is 20s, but `--wait-timeout` is only 20s"
    );
    assert_eq!(
        refusal(steady(), flags(Some(90_000), Some(60))).unwrap(),
        "group `web`: `--steady` is 90s, but `--wait-timeout` is only 60s"
    );
    assert_eq!(refusal(steady(), flags(None, Some(21))), None);
    assert_eq!(refusal(steady(), flags(Some(0), Some(1))), None);
    let immediate = steady().with(|web| web.strategy = Strategy::Immediate);
    assert_eq!(refusal(immediate, flags(None, Some(5))), None);
}

/// A group of three in ams that is updated with these settings.
fn planned(change: impl FnOnce(&mut DesiredGroup), requested: Requested) -> Plan {
    let stage = PlanFixture::with(&desired([("web", web(3))]));
    let target = desired([("web", image(web(3)).with(change))]);
    stage.plan_with(&target, &options(requested))
}

fn limited(limit: Limit) -> Plan {
    let max_unavailable = limit;
    let change = |web: &mut DesiredGroup| web.strategy = Strategy::Rolling { max_unavailable };
    planned(change, Requested::default())
}

fn by(strategy: ChosenStrategy) -> Requested {
    Requested {
        strategy: Some(strategy),
        ..Requested::default()
    }
}

fn immediate() -> Requested {
    by(ChosenStrategy::Immediate)
}

/// Plans with every note about settings that do more, or less, than they seem to.
pub(crate) fn provoked() -> Vec<Plan> {
    vec![
        limited(Limit::Count(1000)),
        planned(|web| web.region_order = regions(&["gru", "*"]), immediate()),
    ]
}

fn messages(plan: &Plan, code: &str) -> Vec<String> {
    let notes = plan.notes.iter().chain(&plan.warnings);
    let found = notes.filter(|note| note.code == code);
    found.map(|note| note.message.clone()).collect()
}

#[test]
fn a_limit_that_allows_the_whole_group_is_said() {
    let said = |plan: &Plan| messages(plan, codes::ALL_AT_ONCE.name());
    let all = |setting: &str| {
        format!(
            "group `web`: {setting} allows all of its 3 Machines to be down at once; of several in a region, one \
             stays up"
        )
    };
    for limit in [Limit::Count(1000), Limit::Count(3), Limit::Share(0.9)] {
        assert_eq!(said(&limited(limit)), [all("`max_unavailable`")]);
    }
    for limit in [Limit::Count(2), Limit::Share(0.33)] {
        assert_eq!(said(&limited(limit)), [""; 0]);
    }
    let flag = |strategy| Requested {
        max_unavailable: Some(ChosenLimit::Machines(9)),
        strategy,
        ..Requested::default()
    };
    assert_eq!(
        said(&planned(|_| {}, flag(None))),
        [all("`--max-unavailable`")]
    );
    let none = flag(Some(ChosenStrategy::Immediate));
    assert_eq!(said(&planned(|_| {}, none)), [""; 0]);
    // Nothing is updated.
    let stage = PlanFixture::with(&desired([("web", web(3))]));
    let same = desired([("web", web(3).max_unavailable(9))]);
    assert_eq!(said(&stage.plan(&same)), [""; 0]);
}

#[test]
fn an_order_of_regions_where_nothing_is_is_said() {
    let said = |names: &[&str]| {
        let plan = planned(
            |web| web.region_order = regions(names),
            Requested::default(),
        );
        messages(&plan, codes::ORDER_WITHOUT_MACHINES.name())
    };
    assert_eq!(said(&["ams", "*"]), [""; 0]);
    assert_eq!(said(&["*"]), [""; 0]);
    assert_eq!(
        said(&["gru", "ams", "fra"]),
        ["group `web`: `order` names gru, fra, where it has no Machines"]
    );
    // They come with this plan.
    let stage = PlanFixture::with(&desired([("web", web(2).list("ams"))]));
    let target = image(web(4).list("ams gru")).with(|web| web.region_order = regions(&["gru"]));
    let plan = stage.plan(&desired([("web", target)]));
    assert_eq!(
        messages(&plan, codes::ORDER_WITHOUT_MACHINES.name()),
        [""; 0]
    );
}

#[test]
fn what_immediate_does_not_use_is_said_where_a_flag_is_the_reason() {
    let said = |change: fn(&mut DesiredGroup), requested: Requested| {
        messages(&planned(change, requested), codes::STRATEGY_IGNORES.name())
    };
    let both = |web: &mut DesiredGroup| {
        web.region_order = regions(&["ams"]);
        web.steady_ms = Some(5000);
    };
    let because = "without effect, because the strategy is `immediate`";
    assert_eq!(
        said(both, immediate()),
        [format!("group `web`: `order` and `steady` {because}")]
    );
    let steady = |ms| Requested {
        steady_ms: Some(ms),
        ..immediate()
    };
    assert_eq!(
        said(|_| {}, steady(5000)),
        [format!("group `web`: `steady` {because}")]
    );
    assert_eq!(said(|_| {}, steady(0)), [""; 0]);
    assert_eq!(said(both, Requested::default()), [""; 0]);
    // The files say it by themselves, so they are warned of when they are read.
    let in_files = |web: &mut DesiredGroup| {
        web.strategy = Strategy::Immediate;
        web.region_order = regions(&["ams"]);
        web.steady_ms = Some(5000);
    };
    assert_eq!(said(in_files, Requested::default()), [""; 0]);
    let limit = Requested {
        max_unavailable: Some(ChosenLimit::Machines(1)),
        ..Requested::default()
    };
    assert_eq!(
        said(in_files, limit),
        [format!("group `web`: `--max-unavailable` {because}")]
    );
}

#[test]
fn what_bluegreen_does_not_use_is_said_where_a_flag_is_the_reason() {
    let said = |change: fn(&mut DesiredGroup), requested: Requested| {
        messages(&planned(change, requested), codes::STRATEGY_IGNORES.name())
    };
    let both = |web: &mut DesiredGroup| {
        web.region_order = regions(&["ams"]);
        web.steady_ms = Some(5000);
    };
    let because = "without effect, because the strategy is `bluegreen`";
    assert_eq!(
        said(both, by(ChosenStrategy::Bluegreen)),
        [format!("group `web`: `order` {because}")]
    );
    let limit = Requested {
        max_unavailable: Some(ChosenLimit::Machines(1)),
        ..by(ChosenStrategy::Bluegreen)
    };
    assert_eq!(
        said(|_| {}, limit.clone()),
        [format!("group `web`: `--max-unavailable` {because}")]
    );
    // A restart goes one by one, by both of them.
    let stage = PlanFixture::with(&desired([("web", web(3))]));
    let restarts = Requested {
        restart: RestartScope::All,
        ..limit
    };
    let target = desired([("web", web(3).with(both))]);
    let plan = stage.plan_with(&target, &options(restarts));
    assert_eq!(messages(&plan, codes::STRATEGY_IGNORES.name()), [""; 0]);
}
