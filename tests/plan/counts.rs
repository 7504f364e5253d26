//! How many Machines a group gets, and where.

use aeroform::core::fleet::{Desired, MachineState};
use insta::assert_snapshot;
use serde_json::json;

use crate::lines;
use crate::support::{GroupBuilder, PlanFixture, desired, group};

/// Holds rule 16.
#[test]
fn a_new_app_gets_flys_own_rule_where_no_count_is_written() {
    let stage = PlanFixture::empty();
    let target = desired([
        ("web", group("web").serves()),
        ("worker", group("worker")),
        ("db", group("db").mount()),
    ]);
    assert_snapshot!(lines(&stage.plan(&target)), @"
    group db: 0->1 added (ams 0->1)
    group web: 0->2 added (ams 0->2)
    group worker: 0->2 added (ams 0->2)
    create db ams
    create web ams x2
    -- web: all created
    create worker ams
    create worker ams standby for #4
    ");
}

/// Holds rule 16.
#[test]
fn ha_false_makes_one_and_a_region_list_one_per_region() {
    let stage = PlanFixture::empty();
    let target = desired([
        ("web", group("web").serves().with(|g| g.ha = false)),
        ("edge", group("edge").serves().list("ams fra iad")),
    ]);
    assert_snapshot!(lines(&stage.plan(&target)), @"
    group edge: 0->3 added (ams 0->1, fra 0->1, iad 0->1)
    group web: 0->1 added (ams 0->1)
    create edge ams
    create edge fra
    create edge iad
    -- edge: all created
    create web ams
    warning shared_port
    ");
}

#[test]
fn scaling_up_creates_where_the_list_has_fewest() {
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(4).list("gru bog"))]));
    let target = desired([("web", group("web").count(8).list("gru bog"))]);
    assert_snapshot!(lines(&stage.apply(&target)), @"
    group web: 4->8 changed (bog 2->4, gru 2->4)
    create web bog x2
    create web gru x2
    -- web: all created
    ");
}

#[test]
fn without_a_count_what_vanished_is_made_again_where_it_was() {
    let target = desired([("web", group("web").serves().list("ams fra"))]);
    let mut stage = PlanFixture::with(&target);
    stage.remove_machine("m00002");
    let target = desired([("web", group("web").serves())]);
    assert_snapshot!(lines(&stage.apply(&target)), @"
    group web: 1->2 changed (ams 1->1, fra 0->1)
    forget web fra m00002
    create web fra
    ");
}

/// Holds rule 14.
#[test]
fn machines_with_volumes_are_not_moved_to_even_out_a_list() {
    let mut stage = PlanFixture::empty();
    stage.volumes = true;
    stage.apply(&desired([("db", group("db").exact(&[("gru", 3)]).mount())]));
    assert_snapshot!(lines(&stage.plan(&desired([("db", group("db").count(3).list("gru bog").mount())]))), @"
    group db: 3->3 unchanged (gru 3->3)
    note held_by_volumes db
    ");
    assert_snapshot!(lines(&stage.plan(&desired([("db", group("db").exact(&[("gru", 2), ("bog", 1)]).mount())]))), @"
    group db: 3->3 changed (bog 0->1, gru 3->2)
    create db bog
    destroy db gru m00003 Rebalanced leaves 1: newest
    ");
}

/// Four Machines of group `db` in ams, of which two have a volume; and the group with another count and regions.
pub(crate) fn two_of_four_with_volumes() -> (PlanFixture, impl Fn(u32, &str) -> Desired) {
    let db = |count: u32, regions: &str| {
        desired([("db", group("db").count(count).mount().list(regions))])
    };
    let mut stage = PlanFixture::empty();
    stage.volumes = true;
    stage.apply(&db(2, "ams"));
    stage.volumes = false;
    stage.apply(&db(4, "ams"));
    (stage, db)
}

/// Its place is kept for its volume, so it is not the one that goes, whatever else is wrong with it.
/// Holds rule 14.
#[test]
fn where_a_list_is_held_by_volumes_those_without_one_go_first() {
    let (mut stage, db) = two_of_four_with_volumes();
    stage.edit_outside("m00001", |machine| machine.state = MachineState::Stopped);
    assert_snapshot!(lines(&stage.apply(&db(3, "bog"))), @"
    group db: 4->3 changed (ams 4->2, bog 0->1)
    create db bog
    destroy db ams m00004 CountLowered: newest
    destroy db ams m00003 Rebalanced: newest
    note held_by_volumes db
    ");
}

#[test]
fn each_new_machine_gets_the_lowest_free_port() {
    let mut stage = PlanFixture::empty();
    stage.observed.description.capabilities.port_base = Some(8100);
    stage.apply(&desired([("web", group("web").count(3))]));
    stage.apply(&desired([("web", group("web").count(2))]));
    stage.apply(&desired([("web", group("web").count(4))]));
    let ports: Vec<_> = stage
        .observed
        .machines
        .values()
        .map(|m| m.port.unwrap())
        .collect();
    assert_eq!(ports, [8100, 8101, 8102, 8103]);
}

#[test]
fn a_group_without_a_count_that_loses_every_machine_starts_again_in_the_same_plan() {
    let target = desired([("web", group("web").serves().with(|g| g.ha = false))]);
    let mut stage = PlanFixture::with(&target);
    let mut removed = target.clone();
    removed
        .removed_machines
        .insert(crate::support::id("m00001"));
    assert_snapshot!(lines(&stage.apply(&removed)), @"
    group web: 1->1 changed (ams 1->1)
    create web ams
    destroy web ams m00001 Named: listed in `[[removed]]`
    ");
}

#[test]
fn fewer_than_shall_always_run_is_a_warning_of_the_group() {
    let with = |count: u32, least: u32| {
        let service = json!({"services": [{"internal_port": 80, "min_machines_running": least}]});
        let plan = PlanFixture::empty().plan(&desired([(
            "web",
            group("web").count(count).config(service),
        )]));
        let warnings = plan.warnings.into_iter();
        warnings
            .map(|note| (note.code, note.message))
            .collect::<Vec<_>>()
    };
    let message = "group `web` has 1 Machine, but `min_machines_running` is 2".to_owned();
    assert_eq!(with(1, 2), [("min_above_count".to_owned(), message)]);
    assert_eq!(with(2, 2), []);
    assert_eq!(with(0, 2), []);
}
