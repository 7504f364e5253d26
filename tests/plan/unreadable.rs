//! Machines that exist and cannot be read: an outage must not make a second fleet, and what nobody can read
//! is not touched.

use aeroform::core::fleet::{HostStatus, Lineage, Machine, Management};
use aeroform::core::plan::{Options, Plan, PlanMode};
use insta::assert_snapshot;
use serde_json::json;

use crate::lines;
use crate::requested::replacing;
use crate::support::{GroupBuilder, PlanFixture, desired, group, id, moved};

/// The host does not answer, and only a part of its config is known.
pub(crate) fn in_part(machine: &mut Machine) {
    machine.host = HostStatus::Unreachable;
    machine.partial_image = machine.config.as_ref().and_then(|c| c.image.clone());
    machine.config = None;
    machine.volumes.clear();
    machine.standby_for.clear();
}

/// Nothing that can be read tells whose it is.
pub(crate) fn unknown(machine: &mut Machine) {
    in_part(machine);
    machine.partial_image = None;
    machine.group = None;
    machine.stamps = aeroform::core::fleet::Stamps::default();
    machine.management = Management::Unknown;
}

/// The state was lost.
fn forgotten(mut stage: PlanFixture) -> PlanFixture {
    stage.known = PlanFixture::empty().known;
    stage
}

fn accepting() -> Options {
    Options {
        accept_unknown: true,
        ..Options::default()
    }
}

/// Holds rule 9.
#[test]
fn without_a_state_machines_on_dead_hosts_count_for_their_group_and_are_left_alone() {
    let target = desired([("web", group("web").count(2))]);
    let mut stage = forgotten(PlanFixture::with(&target));
    stage.edit_outside("m00001", in_part);
    stage.edit_outside("m00002", in_part);
    let plan = stage.plan(&target);
    assert_snapshot!(lines(&plan), @"
    group web: 2->2 unchanged (ams 2->2)
    record unrecorded_run
    warning host_unreachable
    ");
    assert!(plan.drift.is_empty(), "nothing of them is drift");
    // Changes of the files do not touch them either, and more Machines are created as desired.
    let more = group("web")
        .count(3)
        .config(json!({"env": {"LOG": "debug"}}));
    assert_snapshot!(lines(&stage.plan(&desired([("web", more)]))), @"
    group web: 2->3 changed (ams 2->3)
    create web ams
    record unrecorded_run
    warning host_unreachable
    ");
}

#[test]
fn a_machine_enters_the_state_once_its_config_can_be_read() {
    let target = desired([("web", group("web").count(2))]);
    let mut stage = forgotten(PlanFixture::with(&target));
    let before = stage.observed.machines["m00001"].clone();
    stage.edit_outside("m00001", in_part);
    let planned = stage.plan(&target);
    stage.carry_out(&target, &planned);
    assert!(!stage.known.machines.contains_key("m00001"));
    assert!(stage.known.machines.contains_key("m00002"));
    let is_late = |plan: &Plan| plan.notes.iter().any(|note| note.code == "late_machine");
    let plan = stage.plan(&target);
    // Nobody knows what a run saw whose state was lost.
    assert!(plan.is_empty() && !is_late(&plan));
    stage.edit_outside("m00001", |machine| *machine = before);
    assert!(!is_late(&stage.plan(&target)));
    stage.apply(&target);
    assert!(stage.known.machines.contains_key("m00001"));
}

#[test]
fn an_unreadable_machine_is_not_destroyed_and_no_other_in_its_place() {
    let target = |n| desired([("web", group("web").count(n))]);
    let mut stage = forgotten(PlanFixture::with(&target(3)));
    stage.edit_outside("m00001", in_part);
    stage.edit_outside("m00002", in_part);
    assert_snapshot!(lines(&stage.plan(&target(1))), @"
    group web: 3->3 changed (ams 3->3)
    adopt web ams m00003: not in the state
    record unrecorded_run
    note left_unreadable web
    warning host_unreachable
    ");
    assert_snapshot!(lines(&stage.plan(&target(0))), @"
    group web: 3->2 changed (ams 3->2)
    adopt web ams m00003: not in the state
    destroy web ams m00003 CountLowered: count is 0
    record unrecorded_run
    note left_unreadable web
    warning host_unreachable
    ");
    // A group that goes, and an app that is destroyed, leave it, too.
    assert_snapshot!(lines(&stage.plan(&desired([("api", group("api").count(0))]))), @"
    group api: 0->0 unchanged ()
    group web: 3->2 changed (ams 3->2)
    adopt web ams m00003: not in the state
    destroy web ams m00003 GroupRemoved: its group is not in `[processes]`
    record unrecorded_run
    note left_unreadable web
    warning host_unreachable
    ");
    let destroys = Options {
        mode: PlanMode::Destroy,
        ..Options::default()
    };
    let plan = stage.plan_with(&target(3), &destroys);
    assert_eq!(plan.shortfalls().count(), 1);
    assert_snapshot!(lines(&plan), @"
    group web: 3->2 changed (ams 3->2)
    adopt web ams m00003: not in the state
    destroy web ams m00003 AppDestroyed: the app is destroyed
    record unrecorded_run
    note left_unreadable web
    warning host_unreachable
    ");
    // Who names it means it.
    let mut named = target(2);
    named.removed_machines.insert(id("m00001"));
    assert_snapshot!(lines(&stage.plan(&named)), @"
    group web: 3->2 changed (ams 3->2)
    adopt web ams m00003: not in the state
    destroy web ams m00001 Named: listed in `[[removed]]`
    record unrecorded_run
    warning host_unreachable
    ");
}

#[test]
fn an_unreadable_machine_is_neither_replaced_nor_moved() {
    let target = desired([("web", group("web").count(1))]);
    let mut stage = forgotten(PlanFixture::with(&target));
    stage.edit_outside("m00001", in_part);
    let plan = stage.plan_with(&target, &replacing(&["m00001"]));
    assert_snapshot!(lines(&plan), @"
    group web: 1->1 unchanged (ams 1->1)
    record unrecorded_run
    warning host_unreachable
    refused unreachable_volume web
    ");
    let mut renamed = desired([("api", group("api").count(1))]);
    renamed.moved.push(moved("web", "api"));
    assert_snapshot!(lines(&stage.plan(&renamed)), @"
    group api: 1->1 unchanged (ams 1->1)
    record unrecorded_run
    warning host_unreachable
    ");
}

/// Holds rule 9.
#[test]
fn an_unknown_machine_without_a_state_blocks_every_create() {
    let target = desired([("web", group("web").count(2))]);
    let mut stage = forgotten(PlanFixture::with(&target));
    stage.edit_outside("m00001", unknown);
    stage.edit_outside("m00002", unknown);
    let plan = stage.plan(&target);
    assert_snapshot!(lines(&plan), @"
    group web: 0->2 added (ams 0->2)
    create web ams x2
    -- web: all created
    note unreachable_strangers
    refused unknown_machines
    ");
    assert_eq!(plan.refusals[0].code, "unknown_machines");
    assert!(stage.plan_with(&target, &accepting()).refusals.is_empty());
    // Half a group is no group of half the size.
    let mut half = forgotten(PlanFixture::with(&target));
    half.edit_outside("m00001", unknown);
    assert_eq!(refused(&half.plan(&target)), ["unknown_machines"]);
    // Nothing to make, nothing to refuse.
    let one = desired([("web", group("web").count(1))]);
    assert!(half.plan(&one).refusals.is_empty());
}

#[test]
fn with_a_state_an_unknown_machine_blocks_no_create() {
    let one = desired([("web", group("web").count(1))]);
    let mut stage = PlanFixture::with(&one);
    stage.clone_machine("m00001", "e0001");
    stage.edit_outside("e0001", unknown);
    let two = desired([("web", group("web").count(2))]);
    assert!(stage.plan(&two).refusals.is_empty());
    // One that the state lists is not unknown.
    stage.edit_outside("m00001", unknown);
    assert!(stage.plan(&one).is_empty());
}

#[test]
fn a_readable_unmanaged_machine_blocks_no_create() {
    let target = desired([("web", group("web").count(1))]);
    let mut stage = forgotten(PlanFixture::with(&target));
    stage.edit_outside("m00001", |machine| {
        machine.management = Management::Unmanaged;
        machine.group = None;
    });
    assert!(stage.plan(&target).refusals.is_empty());
    // Nor does a release-command Machine whose host is away.
    stage.edit_outside("m00001", |machine| {
        in_part(machine);
        machine.management = Management::Auxiliary;
    });
    assert!(stage.plan(&target).refusals.is_empty());
}

#[test]
fn an_entry_of_the_list_that_cannot_be_read_is_said_and_counts_as_unknown() {
    let target = desired([("web", group("web").count(1))]);
    let mut stage = PlanFixture::empty();
    stage.observed.unreadable = vec!["entry 3 of the list of Machines: it has no id".to_owned()];
    let plan = stage.plan(&target);
    assert_eq!(refused(&plan), ["unknown_machines"]);
    assert_eq!(plan.warnings[0].code, "unreadable_entries");
}

/// Holds rule 9.
#[test]
fn a_config_that_cannot_be_understood_is_no_host_that_does_not_answer() {
    let target = desired([("web", group("web").count(2))]);
    let mut stage = PlanFixture::with(&target);
    stage.edit_outside("m00001", |machine| {
        machine.config = None;
        machine.unreadable = Some("`services` is text, not a list".to_owned());
    });
    let plan = stage.plan(&target);
    assert_eq!(
        plan.warnings[0].message,
        "config unreadable: 1 Machine (m00001): `services` is text, not a list"
    );
    let changed = group("web")
        .count(2)
        .config(json!({"env": {"LOG": "debug"}}));
    assert_snapshot!(lines(&stage.plan(&desired([("web", changed)]))), @"
    group web: 2->2 changed (ams 2->2)
    create web ams replaces m00001 [env.LOG]
    destroy web ams m00001 Replaced: its config cannot be parsed
    update web ams m00002 [env.LOG]
    warning config_unreadable
    ");
}

#[test]
fn a_missing_region_comes_from_the_state_and_without_a_state_the_machine_is_unknown() {
    let target = desired([("web", group("web").exact(&[("ams", 2)]))]);
    let mut stage = PlanFixture::with(&target);
    stage.edit_outside("m00001", |machine| {
        machine.region = aeroform::core::fleet::Region::unknown();
    });
    assert!(stage.plan(&target).is_empty());
    let stage = forgotten(stage);
    assert_eq!(refused(&stage.plan(&target)), ["unknown_machines"]);
}

#[test]
fn an_image_that_only_a_dead_host_runs_is_inherited() {
    let mut target = desired([(
        "web",
        group("web").count(1).config(json!({"image": "shop:1"})),
    )]);
    target.provider = "fly".to_owned();
    let mut stage = forgotten(PlanFixture::with(&target));
    stage.edit_outside("m00001", in_part);
    let mut more = desired([("web", group("web").count(2))]);
    more.provider = "fly".to_owned();
    let plan = stage.plan(&more);
    assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
    assert!(plan.notes.iter().any(|note| note.code == "image_inherited"));
}

/// Holds rule 8.
#[test]
fn an_empty_list_without_a_count_is_no_empty_app() {
    let target = desired([("web", group("web").count(2))]);
    let mut stage = PlanFixture::empty();
    stage.observed.description.machine_count = None;
    assert_eq!(refused(&stage.plan(&target)), ["fleet_vanished"]);
    let accepts = Options {
        accept_missing: true,
        ..Options::default()
    };
    assert!(stage.plan_with(&target, &accepts).refusals.is_empty());
    stage.observed.description.is_pending = true;
    assert!(stage.plan(&target).refusals.is_empty());
    // Nor is there nothing left to destroy, whether there is a state or not.
    let destroys = |accept_missing| Options {
        mode: PlanMode::Destroy,
        accept_missing,
        ..Options::default()
    };
    let mut applied = PlanFixture::with(&target);
    applied.remove_machine("m00001");
    applied.remove_machine("m00002");
    for mut stage in [PlanFixture::empty(), applied] {
        stage.observed.description.machine_count = None;
        let plan = stage.plan_with(&target, &destroys(false));
        assert_eq!(refused(&plan), ["fleet_vanished"]);
        let plan = stage.plan_with(&target, &destroys(true));
        assert!(plan.refusals.is_empty());
        stage.observed.description.is_pending = true;
        let plan = stage.plan_with(&target, &destroys(false));
        assert!(plan.refusals.is_empty());
    }
    // A list that has Machines needs no count.
    let mut stage = PlanFixture::with(&target);
    stage.observed.description.machine_count = None;
    assert!(stage.plan(&target).is_empty());
    // One whose Machines are gone by their ids is refused as such, whatever the app says of itself.
    stage.remove_machine("m00001");
    stage.remove_machine("m00002");
    stage.observed.description.machine_count = None;
    stage.observed.description.is_pending = true;
    assert_eq!(refused(&stage.plan(&target)), ["all_missing"]);
}

#[test]
fn a_later_id_replaces_a_derived_one() {
    let target = desired([("web", group("web").count(1))]);
    let mut stage = PlanFixture::empty();
    stage.observed.description.scope = Lineage::derive_from_names("personal", &target.app);
    stage.observed.description.scope_is_derived = true;
    let plan = stage.apply(&target);
    assert_eq!(plan.warnings[0].code, "app_id_unknown");
    stage.observed.description.scope = Lineage::new("scope-1").unwrap();
    stage.observed.description.scope_is_derived = false;
    let plan = stage.apply(&target);
    assert!(plan.refusals.is_empty());
    assert_eq!(plan.records[0].code, "lineage_told");
    assert_eq!(stage.known.lineage, Some(Lineage::new("scope-1").unwrap()));
    // A real one never gives way without a word.
    stage.observed.description.scope = Lineage::new("scope-2").unwrap();
    assert_eq!(refused(&stage.plan(&target)), ["other_lineage"]);
}

fn refused(plan: &Plan) -> Vec<&str> {
    plan.refusals
        .iter()
        .map(|note| note.code.as_str())
        .collect()
}

/// A plan for every code of what cannot be read.
pub(crate) fn provoked() -> Vec<Plan> {
    let target = desired([("web", group("web").count(2))]);
    let mut odd = forgotten(PlanFixture::with(&target));
    odd.edit_outside("m00001", |machine| {
        machine.config = None;
        machine.unreadable = Some("`services` is text, not a list".to_owned());
    });
    let mut away = PlanFixture::with(&target);
    away.clone_machine("m00001", "e0001");
    away.edit_outside("e0001", unknown);
    odd.observed.unreadable = vec!["entry 3 of the list of Machines: it has no id".to_owned()];
    let mut nameless = PlanFixture::empty();
    nameless.observed.description.scope = Lineage::derive_from_names("personal", &target.app);
    nameless.observed.description.scope_is_derived = true;
    let first = nameless.apply(&target);
    nameless.observed.description.scope = Lineage::new("scope-1").unwrap();
    nameless.observed.description.scope_is_derived = false;
    vec![
        odd.plan(&desired([("web", group("web").count(0))])),
        odd.plan(&desired([("web", group("web").count(3))])),
        away.plan(&target),
        first,
        nameless.plan(&target),
    ]
}
