//! Which volumes new Machines get: taken, made, or left to be decided.

use aeroform::core::fleet::{DesiredGroup, HostStatus, MachineState, NewVolume, Volume, VolumeId};
use aeroform::core::plan::{Action, Plan, PlannedVolume, SavedPlan, Work, check};
use insta::assert_snapshot;
use serde_json::json;

use crate::lines;
use crate::support::{GroupBuilder, PlanFixture, desired, group, id, region};

fn volume(name: &str, id: &str, at: &str) -> Volume {
    Volume {
        id: VolumeId::new(id).unwrap(),
        name: name.to_owned(),
        region: region(at),
        size_gb: 3,
        encrypted: true,
        attached_to: None,
        host: HostStatus::Ok,
    }
}

/// A provider that has volumes, and these.
fn place(volumes: impl IntoIterator<Item = Volume>) -> PlanFixture {
    let mut stage = PlanFixture::empty();
    stage.observed.description.capabilities.volumes = true;
    stage.observed.volumes = volumes.into_iter().collect();
    stage
}

fn db(count: u32) -> DesiredGroup {
    group("db").count(count).mount()
}

fn initially(group: DesiredGroup, size: u32) -> DesiredGroup {
    group.with(|group| {
        group.new_volume = NewVolume {
            initial_size_gb: Some(size),
            snapshot_retention: Some(14),
            scheduled_snapshots: Some(false),
        };
    })
}

/// The volumes that creates take and those that are made for them, in order.
fn mounted(plan: &Plan) -> Vec<(Vec<String>, Vec<PlannedVolume>)> {
    let creates = plan
        .changes()
        .filter_map(|(_, change)| match &change.action {
            Action::Create { volumes, .. } => {
                let reused = volumes.iter().map(ToString::to_string).collect();
                Some((reused, change.new_volumes().to_vec()))
            }
            _ => None,
        });
    creates.collect()
}

fn planned(plan: &Plan) -> Vec<PlannedVolume> {
    let all = mounted(plan).into_iter();
    all.flat_map(|(_, planned)| planned).collect()
}

/// Holds rule 32.
#[test]
fn a_machine_takes_an_unattached_volume_of_its_name_region_and_a_host_that_answers_else_one_is_made()
 {
    let lost = Volume {
        host: HostStatus::Unreachable,
        ..volume("data", "vol_1", "ams")
    };
    let elsewhere = volume("data", "vol_2", "gru");
    let other = volume("logs", "vol_3", "ams");
    let stage = place([lost, elsewhere, other, volume("data", "vol_4", "ams")]);
    let plan = stage.plan(&desired([("db", db(2))]));
    let all = mounted(&plan);
    assert_eq!(all[0].0, ["vol_4"]);
    assert_eq!((all[1].0.len(), all[1].1.len()), (0, 1));
    assert_snapshot!(lines(&plan), @"
    group db: 0->2 added (ams 0->2)
    create db ams
    create db ams with a new data of 3 GB
    -- db: all created
    ");
    assert_eq!(plan.summary().new_volumes, 1);
}

#[test]
fn a_volume_is_made_as_large_as_is_written_else_as_the_largest_of_its_name_else_of_one_gb() {
    let one = desired([("db", db(1))]);
    assert_eq!(planned(&place([]).plan(&one))[0].size_gb, 1);
    let gpu = json!({"guest": {"gpu_kind": "a10", "cpus": 8, "memory_mb": 32768}});
    let gpu = desired([("db", db(1).config(gpu))]);
    assert_eq!(planned(&place([]).plan(&gpu))[0].size_gb, 100);
    let stage = place([volume("data", "vol_1", "gru")]);
    assert_eq!(planned(&stage.plan(&one))[0].size_gb, 3);
    let written = desired([("db", initially(db(1), 2))]);
    let expected = PlannedVolume {
        name: "data".to_owned(),
        size_gb: 2,
        encrypted: true,
        unique_zone: false,
        snapshot_retention: Some(14),
        scheduled_snapshots: Some(false),
    };
    assert_eq!(planned(&stage.plan(&written)), [expected]);
}

#[test]
fn a_volume_is_encrypted_unless_all_of_its_name_are_not() {
    let plain = Volume {
        encrypted: false,
        ..volume("data", "vol_1", "gru")
    };
    let one = desired([("db", db(1))]);
    assert!(!planned(&place([plain.clone()]).plan(&one))[0].encrypted);
    let stage = place([plain, volume("data", "vol_2", "gru")]);
    assert!(planned(&stage.plan(&one))[0].encrypted);
}

#[test]
fn volumes_of_one_name_and_region_lie_apart() {
    let two = |regions| desired([("db", db(2).list(regions))]);
    let apart = |plan: &Plan| -> Vec<bool> {
        let all = planned(plan).into_iter();
        all.map(|volume| volume.unique_zone).collect()
    };
    assert_eq!(apart(&place([]).plan(&two("ams"))), [true, true]);
    assert_eq!(apart(&place([]).plan(&two("ams gru"))), [false, false]);
    let mut reused = volume("data", "vol_1", "ams");
    reused.host = HostStatus::Unreachable;
    assert_eq!(apart(&place([reused]).plan(&two("ams gru"))), [true, false]);
}

#[test]
fn a_provider_without_volumes_creates_none_and_an_offline_plan_says_that_apply_decides() {
    let target = desired([("db", db(1))]);
    assert_eq!(planned(&PlanFixture::empty().plan(&target)), []);
    let mut fly = target;
    "fly".clone_into(&mut fly.provider);
    fly.groups.values_mut().for_each(|group| {
        group.template.image = Some("shop@sha256:0".to_owned());
    });
    let plan = PlanFixture::empty().offline(&fly);
    assert_eq!(planned(&plan), []);
    let notes: Vec<_> = plan
        .notes
        .iter()
        .map(|note| note.message.as_str())
        .collect();
    assert!(
        notes
            .iter()
            .any(|note| note.contains("which volumes new Machines take")),
        "{notes:?}"
    );
    let online = place([]).plan(&fly);
    assert!(online.notes.is_empty(), "{:?}", online.notes);
}

/// Holds rule 32.
#[test]
fn a_volume_smaller_than_initial_size_is_reported_with_the_command_that_extends_it() {
    let mut stage = place([volume("data", "vol_1", "ams")]);
    let plan = stage.plan(&desired([("db", initially(db(1), 10))]));
    let note = &plan.notes[0];
    assert_eq!(note.code, "smaller_volume");
    assert_eq!(
        note.message,
        "`initial_size` of group `db` is 10 GB, but vol_1 has 3 GB: it applies to new volumes only"
    );
    assert_eq!(
        note.hint.as_deref(),
        Some("to extend them:\nfly volumes extend vol_1 --size 10 --app shop")
    );
    stage.apply(&desired([("db", initially(db(1), 10))]));
    stage.observed.volumes[0].attached_to = Some(id("m00001"));
    let plan = stage.plan(&desired([("db", initially(db(1), 10))]));
    assert!(plan.is_empty());
    assert_eq!(
        plan.notes.len(),
        1,
        "one that a Machine has is told as well"
    );
    let plan = stage.plan(&desired([("db", initially(db(1), 2))]));
    assert!(plan.is_empty() && plan.notes.is_empty(), "never a shrink");
}

#[test]
fn a_replacement_that_gets_its_first_mount_gets_a_volume_and_one_that_keeps_its_own_gets_none() {
    let mut stage = place([]);
    stage.apply(&desired([("db", group("db").count(1))]));
    let plan = stage.plan(&desired([("db", db(1))]));
    assert_eq!(planned(&plan).len(), 1, "{:?}", plan.summary_lines());
    let held = Volume {
        attached_to: Some(id("m00001")),
        ..volume("data", "vol_1", "ams")
    };
    let mut stage = place([volume("data", "vol_1", "ams")]);
    stage.apply(&desired([("db", db(1))]));
    stage.observed.volumes = vec![held];
    let logs =
        json!({"mounts": [{"name": "data", "path": "/data"}, {"name": "logs", "path": "/logs"}]});
    let plan = stage.plan(&desired([("db", db(1).config(logs))]));
    let all = mounted(&plan);
    assert_eq!(all[0].0, ["vol_1"]);
    assert_eq!(all[0].1[0].name, "logs");
}

#[test]
fn a_standby_has_a_volume_of_its_own() {
    let target = desired([("db", db(1).with(|group| group.standby = Some(1)))]);
    let volumes = mounted(&place([volume("data", "vol_1", "ams")]).plan(&target));
    assert_eq!(volumes[0].0, ["vol_1"]);
    assert_eq!(volumes[1].1.len(), 1);
}

#[test]
fn new_volumes_are_in_the_bill() {
    let mut target = desired([(
        "db",
        initially(db(1), 10)
            .list("iad")
            .config(json!({"guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256}})),
    )]);
    "fly".clone_into(&mut target.provider);
    target.groups.values_mut().for_each(|group| {
        group.template.image = Some("shop@sha256:0".to_owned());
    });
    let cents = |stage: &PlanFixture| stage.plan(&target).cost.unwrap().cents_per_month;
    assert_eq!(cents(&place([])), 194 + 150);
    assert_eq!(cents(&place([volume("data", "vol_1", "iad")])), 194);
}

#[test]
fn a_saved_plan_is_another_one_once_a_volume_turned_up() {
    let target = desired([("db", db(1))]);
    let saved = SavedPlan::of(&place([]).plan(&target));
    let text = saved.to_json();
    assert!(text.contains("new_volumes"), "{text}");
    assert_eq!(SavedPlan::parse(&text).unwrap(), saved);
    assert!(saved.differences(&place([]).plan(&target)).is_empty());
    let other = place([volume("logs", "vol_1", "ams")]);
    assert!(saved.differences(&other.plan(&target)).is_empty());
    let reused = place([volume("data", "vol_1", "ams")]);
    assert_eq!(
        saved.differences(&reused.plan(&target)),
        ["creating a Machine of group `db` in ams is now a different change"]
    );
}

#[test]
fn a_saved_plan_whose_creates_have_different_volumes_is_the_same_plan_again() {
    let target = desired([("db", db(4))]);
    let stage = place([
        volume("data", "vol_1", "ams"),
        volume("data", "vol_2", "ams"),
    ]);
    let plan = stage.plan(&target);
    let kinds: Vec<_> = mounted(&plan)
        .into_iter()
        .map(|(reused, _)| reused)
        .collect();
    assert_eq!(kinds, [vec!["vol_1"], vec!["vol_2"], vec![], vec![]]);
    assert_eq!(SavedPlan::of(&plan).differences(&plan), [""; 0]);
    let one = place([volume("data", "vol_1", "ams")]).plan(&target);
    assert_eq!(
        SavedPlan::of(&plan).differences(&one),
        ["creating a Machine of group `db` in ams is now a different change"]
    );
}

/// What `check` says of a sound plan whose create has other volumes.
fn planted(fault: impl FnOnce(&mut Vec<VolumeId>, &mut Vec<PlannedVolume>)) -> String {
    let held = Volume {
        attached_to: Some(id("m00001")),
        ..volume("data", "vol_2", "ams")
    };
    let lost = Volume {
        host: HostStatus::Unreachable,
        ..volume("data", "vol_3", "ams")
    };
    let (far, other) = (
        volume("data", "vol_4", "gru"),
        volume("logs", "vol_5", "ams"),
    );
    let mut stage = place([volume("data", "vol_2", "ams")]);
    stage.apply(&desired([("db", db(1))]));
    stage.observed.volumes = vec![volume("data", "vol_1", "ams"), held, lost, far, other];
    let target = desired([("db", db(2))]);
    let mut plan = stage.plan(&target);
    for step in &mut plan.steps {
        if let Work::Change(change) = &mut step.work
            && let Action::Create {
                volumes,
                new_volumes,
                ..
            } = &mut change.action
        {
            fault(volumes, new_volumes);
            break;
        }
    }
    let findings = check(&plan, &target, &stage.known, Some(&stage.observed));
    let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
    findings.join("\n")
}

#[test]
fn check_finds_volumes_that_a_new_machine_cannot_have() {
    let take = |which: &str| {
        let which = VolumeId::new(which).unwrap();
        planted(|volumes, _| *volumes = vec![which])
    };
    assert_eq!(take("vol_1"), "");
    assert_eq!(
        take("vol_2"),
        "step 0 takes vol_2, which another Machine has"
    );
    assert_eq!(
        take("vol_3"),
        "step 0 takes vol_3, whose host does not answer"
    );
    assert_eq!(
        take("vol_4"),
        "step 0 takes vol_4, which is in another region"
    );
    assert_eq!(take("vol_5"), "step 0 takes vol_5, which has another name");
    assert_eq!(take("vol_6"), "step 0 takes vol_6, which is not there");
    assert_eq!(
        planted(|volumes, _| volumes.clear()),
        "step 0 has 1 mounts and 0 volumes"
    );
    let wrong = PlannedVolume {
        name: "logs".to_owned(),
        size_gb: 1,
        encrypted: true,
        unique_zone: false,
        snapshot_retention: None,
        scheduled_snapshots: None,
    };
    assert_eq!(
        planted(|volumes, new| {
            volumes.clear();
            new.push(wrong);
        }),
        "step 0 creates volume `logs` that no mount needs"
    );
    let twice = |volumes: &mut Vec<VolumeId>, _: &mut Vec<PlannedVolume>| {
        volumes.push(volumes[0].clone());
    };
    assert!(planted(twice).contains("2 volumes"));
}

#[test]
fn a_volume_of_a_machine_being_destroyed_is_reused() {
    let mut stage = place([volume("data", "vol_1", "ams")]);
    stage.apply(&desired([("db", db(1))]));
    stage.observed.volumes[0].attached_to = Some(id("m00001"));
    stage.edit_outside("m00001", |machine| machine.state = MachineState::Destroying);
    let mut target = desired([("db", db(1)), ("web", group("web").count(1))]);
    target.groups.get_mut("db").unwrap().max_per_region = None;
    let plan = stage.plan_with(
        &target,
        &aeroform::core::plan::Options {
            accept_missing: true,
            ..Default::default()
        },
    );
    assert_eq!(mounted(&plan)[0].0, ["vol_1"], "{:?}", plan.summary_lines());
}

/// Holds rule 6.
#[test]
fn a_volume_that_a_move_to_another_host_forked_is_followed_and_the_old_one_named_once() {
    let target = desired([("db", db(1))]);
    let mut stage = place([]);
    stage.volumes = true;
    stage.apply(&target);
    let old = stage.observed.machines["m00001"].volumes[0].to_string();
    stage.observed.volumes = vec![
        volume("data", &old, "ams"),
        volume("data", "vol_new", "ams"),
    ];
    stage.observed.volumes[1].attached_to = Some(id("m00001"));
    stage.edit_outside("m00001", |machine| {
        let new = VolumeId::new("vol_new").unwrap();
        machine.volumes = vec![new.clone()];
        let mounts = crate::support::config_of(machine).mounts.as_mut().unwrap();
        mounts[0].volume = Some(new.to_string());
    });
    let plan = stage.plan(&target);
    assert!(plan.drift.is_empty(), "{:?}", plan.drift);
    let changes: Vec<_> = plan.changes().map(|(_, change)| &change.action).collect();
    assert!(matches!(changes[..], [Action::Adopt]), "{changes:?}");
    let messages: Vec<_> = plan
        .notes
        .iter()
        .filter(|note| note.code == "volume_forked")
        .collect();
    assert_eq!(messages.len(), 1);
    assert!(messages[0].message.contains(&old) && messages[0].message.contains("$0.45 a month"));
    // Nor does a new Machine begin with what is as old as the move.
    let more = stage.plan(&desired([("db", db(2))]));
    assert_eq!(planned(&more).len(), 1);
    stage.apply(&target);
    assert!(stage.plan(&target).is_empty());
    assert_eq!(
        stage.known.machines["m00001"].volumes[0].as_str(),
        "vol_new"
    );
}

pub(crate) fn forked() -> Plan {
    let target = desired([("db", db(1))]);
    let mut stage = place([]);
    stage.volumes = true;
    stage.apply(&target);
    let old = stage.observed.machines["m00001"].volumes[0].to_string();
    stage.observed.volumes = vec![volume("data", &old, "ams")];
    stage.edit_outside("m00001", |machine| {
        machine.volumes = vec![VolumeId::new("vol_new").unwrap()];
    });
    stage.plan(&target)
}
