//! A Machine of an unanswered create that appears after its pending create was settled: it is reported, and it
//! counts towards the desired count or is removed first.

use aeroform::core::fleet::{Desired, DesiredGroup};
use aeroform::core::plan::{Action, ApprovalFlags, Outcome, required_approval};
use insta::assert_snapshot;

use crate::lines;
use crate::rerun::{creates, nth};
use crate::support::{GroupBuilder, PlanFixture, desired, group, id};

/// The create of one Machine was not answered, and it turns up when nothing is owed any more: two regions
/// were named meanwhile, or its group has got what it lacked.
fn turned_up_late(first: &Desired, then: &Desired) -> PlanFixture {
    let mut stage = PlanFixture::empty();
    let planned = stage.plan(first);
    let lost = nth(&planned, 1, creates);
    let mut shadow = stage.clone();
    shadow.carry_out(first, &planned);
    let name = {
        let mut changes = planned.changes();
        changes
            .find(|(id, _)| *id == lost)
            .unwrap()
            .1
            .machine
            .name
            .clone()
    };
    stage.carry_out_except(first, &planned, |step| {
        (step == lost).then(|| Outcome::Unknown {
            message: "no answer".to_owned(),
        })
    });
    assert_eq!(stage.known.pending_creates.len(), 1);
    stage.apply(then);
    assert_eq!(stage.known.pending_creates, []);
    let mut machines = shadow.observed.machines.into_values();
    let mut late = machines.find(|machine| machine.name == name).unwrap();
    late.id = id("l00001");
    stage.observed.machines.insert(late.id.clone(), late);
    stage
}

/// Who is destroyed by an apply of this.
fn goes(stage: &mut PlanFixture, target: &Desired) -> Vec<String> {
    let planned = stage.apply(target);
    let gone = planned
        .changes()
        .filter(|(_, change)| matches!(change.action, Action::Destroy { .. }));
    let id =
        |change: &aeroform::core::plan::Change| change.machine.id.as_ref().unwrap().to_string();
    gone.map(|(_, change)| id(change)).collect()
}

#[test]
fn a_machine_that_turns_up_when_its_place_is_taken_is_one_too_many_and_says_so() {
    let web = |regions: &str| desired([("web", group("web").serves().list(regions))]);
    let mut stage = turned_up_late(&web("ams bog"), &web("fra gru"));
    let planned = stage.plan(&web("fra gru"));
    assert_snapshot!(lines(&planned), @"
    group web: 3->2 changed (bog 1->0, fra 1->1, gru 1->1)
    adopt web bog l00001: not in the state
    destroy web bog l00001 CountLowered: count in its region is 0
    note late_machine web
    ");
    let note = planned
        .notes
        .iter()
        .find(|note| note.code == "late_machine");
    assert_snapshot!(note.unwrap().message, @"1 Machine of group `web` (l00001) was created late: the create call of run run1 got no answer, and its place was filled or dropped since");
    // It goes only where its group is named.
    let all = ApprovalFlags {
        auto_approve: true,
        all_groups: true,
        ..ApprovalFlags::default()
    };
    let open = required_approval(&planned).not_covered_by(&all);
    assert_snapshot!(open.typed[0].why, @"destroys 1 Machine of group `web` created by run run1, whose call got no answer");
    stage.apply(&web("fra gru"));
    assert_eq!(stage.observed.machines.len(), 2);
}

#[test]
fn a_machine_that_turns_up_late_goes_before_those_that_are_known_wherever_they_are() {
    let web = |group: DesiredGroup| desired([("web", group.serves())]);
    let counted = web(group("web").count(2).list("ams"));
    let mut stage = turned_up_late(&counted, &web(group("web").count(2).list("fra")));
    assert_eq!(goes(&mut stage, &web(group("web").count(2))), ["l00001"]);
    let uncounted = web(group("web"));
    let mut stage = turned_up_late(&uncounted, &{
        let mut moved = uncounted.clone();
        moved
            .groups
            .values_mut()
            .for_each(|g| *g = g.clone().list("fra"));
        moved
    });
    assert_eq!(goes(&mut stage, &uncounted), ["l00001"]);
}

#[test]
fn a_late_machine_counts_towards_the_desired_count() {
    let web =
        |n: u32, regions: &str| desired([("web", group("web").serves().count(n).list(regions))]);
    let mut stage = turned_up_late(&web(2, "ams"), &web(2, "fra"));
    assert_snapshot!(lines(&stage.apply(&web(3, "ams fra"))), @"
    group web: 3->3 changed (ams 1->1, fra 2->2)
    adopt web ams l00001: not in the state
    note late_machine web
    ");
}

#[test]
fn what_turned_up_late_does_not_keep_a_group_from_losing_its_protection() {
    let web = |regions: &str| group("web").serves().list(regions);
    let target = |group: DesiredGroup| desired([("web", group)]);
    let mut stage = turned_up_late(&target(web("ams bog")), &target(web("fra gru").protected()));
    let planned = stage.apply(&target(web("fra gru")));
    assert_eq!((planned.summary().adopt, planned.groups[0].after), (1, 3));
    assert!(stage.known.protected_groups.is_empty());
}
