//! What a plan changes in the bill: an estimate from published prices, or no word about it.

use aeroform::core::fleet::{Desired, DesiredGroup, MachineState};
use aeroform::core::plan::{Cost, Plan, codes};
use serde_json::json;

use crate::support::{GroupBuilder, PlanFixture, config_of, desired, group, group_name};

/// Groups on Fly, in a region whose prices are the base of all others.
fn fly(groups: impl IntoIterator<Item = (&'static str, DesiredGroup)>) -> Desired {
    let mut desired = desired(groups);
    "fly".clone_into(&mut desired.provider);
    desired.primary_region = Some(crate::support::region("iad"));
    for group in desired.groups.values_mut() {
        group.template.image = Some("shop@sha256:0".to_owned());
    }
    desired
}

fn sized(name: &str, kind: &str, cpus: u32, memory_mb: u32) -> DesiredGroup {
    group(name).config(json!({"guest": {"cpu_kind": kind, "cpus": cpus, "memory_mb": memory_mb}}))
}

fn cents(plan: &Plan) -> Option<i64> {
    plan.cost.as_ref().map(|cost| cost.cents_per_month)
}

#[test]
fn machines_that_come_and_go_are_priced_by_size_and_region() {
    let web = |n| sized("web", "shared", 1, 256).count(n);
    let mut stage = PlanFixture::empty();
    let plan = stage.apply(&fly([("web", web(2))]));
    assert_eq!(cents(&plan), Some(389));
    assert_eq!(plan.cost.unwrap().prices_date, "2025-08-19");
    assert_eq!(cents(&stage.plan(&fly([("web", web(2))]))), Some(0));
    assert_eq!(cents(&stage.plan(&fly([("web", web(1))]))), Some(-194));
    assert_eq!(cents(&stage.plan(&fly([("other", web(1))]))), Some(-194));
    let both = fly([("web", web(3).list("iad gru"))]);
    assert_eq!(cents(&stage.plan(&both)), Some(314), "one in gru on top");
}

#[test]
fn a_change_of_size_is_the_difference_and_any_other_change_is_none() {
    let web = |memory| sized("web", "performance", 1, memory).count(2);
    let stage = PlanFixture::with(&fly([("web", web(2048))]));
    assert_eq!(cents(&stage.plan(&fly([("web", web(4096))]))), Some(2001));
    let env = web(2048).config(json!({"env": {"LOG": "debug"}}));
    assert_eq!(cents(&stage.plan(&fly([("web", env)]))), Some(0));
    assert_eq!(
        cents(&stage.offline(&fly([("web", web(4096))]))),
        Some(2001),
        "offline the sizes are those that were sent"
    );
}

#[test]
fn standbys_cost_nothing() {
    let jobs = |standby| {
        let jobs = sized("jobs", "shared", 1, 256).count(1);
        fly([("jobs", jobs.with(|g| g.standby = Some(standby)))])
    };
    assert_eq!(cents(&PlanFixture::empty().plan(&jobs(1))), Some(194));
    assert_eq!(cents(&PlanFixture::with(&jobs(1)).plan(&jobs(0))), Some(0));
}

#[test]
fn machines_that_stop_by_themselves_are_priced_as_if_they_did_not_and_it_is_said() {
    let service =
        json!({"services": [{"internal_port": 80, "autostop": "stop", "autostart": true}]});
    let lazy = |n| {
        fly([(
            "web",
            sized("web", "shared", 1, 256)
                .count(n)
                .config(service.clone()),
        )])
    };
    let always = |cost: Option<Box<Cost>>| cost.unwrap().if_always_running;
    let mut stage = PlanFixture::empty();
    assert!(always(stage.apply(&lazy(2)).cost));
    assert!(always(stage.plan(&lazy(1)).cost));
    let web = |n| fly([("web", sized("web", "shared", 1, 256).count(n))]);
    let mut stage = PlanFixture::with(&web(2));
    assert!(!always(stage.plan(&web(1)).cost));
    stage.edit_outside("m00002", |machine| machine.state = MachineState::Stopped);
    assert!(always(stage.plan(&web(1)).cost));
}

#[test]
fn without_a_published_price_nothing_is_said() {
    let of =
        |group: DesiredGroup| cents(&PlanFixture::empty().plan(&fly([("web", group.count(1))])));
    assert_eq!(of(sized("web", "shared", 6, 1536)), None);
    assert_eq!(of(sized("web", "shared", 1, 256).list("sin")), None);
    assert_eq!(of(sized("web", "shared", 1, 256).list("nowhere")), None);
    let two = fly([
        ("odd", sized("odd", "shared", 6, 1536).count(1)),
        ("web", sized("web", "shared", 1, 256).count(1)),
    ]);
    assert_eq!(
        cents(&PlanFixture::empty().plan(&two)),
        None,
        "no half of a sum"
    );
    let more = |n| {
        fly([
            ("odd", sized("odd", "shared", 6, 1536).count(1)),
            ("web", sized("web", "shared", 1, 256).count(n)),
        ])
    };
    let stage = PlanFixture::with(&more(1));
    assert_eq!(cents(&stage.plan(&more(2))), Some(194), "it stays as it is");
    let elsewhere = desired([("web", sized("web", "shared", 1, 256).count(1))]);
    assert_eq!(PlanFixture::empty().plan(&elsewhere).cost, None);
}

#[test]
fn a_new_group_without_a_size_gets_flys_own_choice_and_the_plan_says_so() {
    let plan = PlanFixture::empty().plan(&fly([("web", group("web").count(1))]));
    assert_eq!(
        plan.groups[0].size.as_deref(),
        Some("shared-cpu-1x 256 MB, Fly's default without `[[vm]]`")
    );
    assert_eq!(cents(&plan), Some(194));
}

#[test]
fn a_new_machine_is_as_big_as_the_others_and_is_said_where_they_differ() {
    let target = |n| fly([("web", group("web").count(n))]);
    let mut stage = PlanFixture::with(&target(2));
    let resize = |stage: &mut PlanFixture, machine: &str| {
        stage.edit_outside(machine, |machine| {
            let guest = &mut config_of(machine).guest;
            guest.as_mut().unwrap().memory_mb = Some(512);
        });
    };
    resize(&mut stage, "m00001");
    resize(&mut stage, "m00002");
    let plan = stage.plan(&target(3));
    assert_eq!(
        plan.groups[0].size.as_deref(),
        Some("shared-cpu-1x 512 MB, like the rest of the group")
    );
    assert_eq!(cents(&plan), Some(319));
    assert!(!said(&plan));
    stage.apply(&target(3));
    stage.edit_outside("m00003", |machine| {
        let guest = &mut config_of(machine).guest;
        guest.as_mut().unwrap().memory_mb = Some(1024);
    });
    assert!(said(&stage.plan(&target(4))));
    assert!(!said(&stage.plan(&target(3))), "nothing is made");
}

fn said(plan: &Plan) -> bool {
    let name = codes::SIZES_DIFFER.name();
    plan.notes
        .iter()
        .any(|note| note.code == name && note.group == Some(group_name("web")))
}
