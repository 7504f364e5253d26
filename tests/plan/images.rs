//! What new Machines run, and how big they are, where no manifest says it.

use aeroform::core::fleet::schema::Guest;
use aeroform::core::fleet::{HostStatus, MachineId, ReleaseStamp};
use aeroform::core::plan::{Action, Options, Plan, PlanMode};
use insta::assert_snapshot;
use serde_json::json;

use crate::lines;
use crate::support::{GroupBuilder, PlanFixture, config_of, desired, group};

fn runs(stage: &mut PlanFixture, image: &str, cpus: u32) {
    let ids: Vec<MachineId> = stage.observed.machines.keys().cloned().collect();
    for id in ids {
        stage.edit_outside(id.as_str(), |machine| {
            let config = config_of(machine);
            config.image = Some(image.to_owned());
            config.guest = Some(Guest {
                cpus: Some(cpus),
                ..Guest::default()
            });
            config.schedule = Some("daily".to_owned());
        });
    }
}

fn inherited(plan: &Plan) -> Vec<String> {
    let creates = plan
        .changes()
        .filter_map(|(_, change)| match &change.action {
            Action::Create { inherits, .. } => {
                Some((inherits.image.clone(), inherits.guest.clone()))
            }
            _ => None,
        });
    creates
        .map(|(image, guest)| {
            let cpus = guest.and_then(|guest| guest.cpus);
            format!("{} {}", image.unwrap_or_default(), cpus.unwrap_or(0))
        })
        .collect()
}

#[test]
fn a_new_machine_runs_what_its_group_runs_and_is_as_big() {
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(2))]));
    runs(&mut stage, "shop:1", 4);
    let plan = stage.apply(&desired([("web", group("web").count(3))]));
    assert_eq!(inherited(&plan), ["shop:1 4"]);
    assert!(plan.notes.iter().any(|note| note.code == "image_inherited"));
    let config = stage.observed.machines["m00003"].config.clone().unwrap();
    assert_eq!(config.image.as_deref(), Some("shop:1"));
    assert_eq!(config.schedule, None, "a new Machine is no copy");
}

#[test]
fn a_new_group_runs_what_the_app_runs_in_the_size_of_its_own() {
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(2))]));
    runs(&mut stage, "shop:1", 4);
    let plan = stage.plan(&desired([
        ("web", group("web").count(2)),
        ("cron", group("cron").count(1)),
    ]));
    assert_eq!(inherited(&plan), ["shop:1 0"]);
}

/// Holds rule 18.
#[test]
fn what_is_written_is_not_inherited() {
    let written = json!({"image": "shop:9", "guest": {"cpus": 1}});
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(2))]));
    runs(&mut stage, "shop:1", 4);
    let plan = stage.plan(&desired([("web", group("web").count(3).config(written))]));
    assert_eq!(inherited(&plan), [" 0"]);
}

#[test]
fn two_images_of_the_newest_run_are_a_question_for_a_person_and_older_ones_are_not() {
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(2))]));
    runs(&mut stage, "shop:1", 4);
    let image = |stage: &mut PlanFixture, name: &str, serial| {
        stage.edit_outside(name, |machine| {
            config_of(machine).image = Some("shop:2".to_owned());
            machine.stamps.serial = Some(serial);
        });
    };
    image(&mut stage, "m00002", 1);
    let more = desired([("web", group("web").count(3))]);
    assert_snapshot!(lines(&stage.plan(&more)), @"
    group web: 2->3 changed (ams 2->3)
    create web ams
    refused two_images web
    ");
    assert_eq!(
        stage
            .plan(&desired([("web", group("web").count(2))]))
            .refusals,
        [],
        "where nothing is made nothing is asked"
    );
    stage.edit_outside("m00001", |machine| machine.stamps.serial = Some(0));
    assert_eq!(inherited(&stage.plan(&more)), ["shop:2 4"]);
}

#[test]
fn with_fly_nothing_is_made_without_an_image() {
    let mut target = desired([("web", group("web").count(1))]);
    target.provider = "fly".to_owned();
    assert_eq!(
        PlanFixture::empty().plan(&target).refusals[0].code,
        "no_image"
    );
}

#[test]
fn several_groups_without_an_image_are_one_refusal() {
    let one = || group("web").count(1);
    let mut target = desired([("web", one()), ("api", one()), ("jobs", one())]);
    target.provider = "fly".to_owned();
    let refusals = PlanFixture::empty().plan(&target).refusals;
    let messages: Vec<&str> = refusals.iter().map(|note| note.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "no image is set for groups `api`, `jobs` and `web`, and the app has no Machine to take it from"
        ]
    );
}

#[test]
fn a_replacement_has_the_config_of_the_one_that_it_replaces() {
    let mut stage = PlanFixture::with(&desired([("db", group("db").count(1))]));
    runs(&mut stage, "shop:1", 4);
    stage.apply(&desired([("db", group("db").count(1).mount())]));
    let config = stage.observed.machines["m00002"].config.clone().unwrap();
    assert_eq!(config.image.as_deref(), Some("shop:1"));
    assert_eq!(config.guest.as_ref().unwrap().cpus, Some(4));
    assert_eq!(config.schedule.as_deref(), Some("daily"));
}

#[test]
fn a_replacement_of_a_machine_that_shows_no_config_is_like_its_group() {
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(2))]));
    runs(&mut stage, "shop:1", 4);
    stage.edit_outside("m00001", |machine| {
        machine.host = HostStatus::Unreachable;
        machine.config = None;
    });
    let env = json!({"env": {"LOG": "debug"}});
    let plan = stage.plan(&desired([("web", group("web").count(2).config(env))]));
    assert_eq!(inherited(&plan), ["shop:1 4"]);
}

const TAG: &str = "r.example/shop:latest";

fn digest(number: u32) -> String {
    format!("sha256:{number:0<64}")
}

fn by_digest(number: u32) -> String {
    format!("{TAG}@{}", digest(number))
}

fn resolves(stage: &mut PlanFixture, name: &str, number: u32) {
    stage.edit_outside(name, |machine| machine.image_digest = Some(digest(number)));
}

fn of_release(stage: &mut PlanFixture, name: &str, version: u64) {
    stage.edit_outside(name, |machine| {
        machine.stamps.release = Some(Box::new(ReleaseStamp {
            version,
            id: None,
            registered_by_us: false,
            newer_than_ours: false,
        }));
    });
}

/// Two Machines of one tag, each with the digest that it was resolved to.
fn tagged(digests: [u32; 2]) -> PlanFixture {
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(2))]));
    runs(&mut stage, TAG, 1);
    for (name, number) in ["m00001", "m00002"].into_iter().zip(digests) {
        resolves(&mut stage, name, number);
    }
    stage
}

fn image_of(stage: &PlanFixture, name: &str) -> String {
    let config = stage.observed.machines[name].config.clone().unwrap();
    config.image.clone().unwrap()
}

#[test]
fn a_new_machine_runs_the_digest_that_runs_and_not_the_tag() {
    let mut stage = tagged([1, 1]);
    let plan = stage.apply(&desired([("web", group("web").count(3))]));
    assert_eq!(inherited(&plan), [format!("{} 1", by_digest(1))]);
    assert_eq!(image_of(&stage, "m00003"), by_digest(1));
    assert_eq!(image_of(&stage, "m00001"), TAG, "nobody touches the others");
}

/// Holds rule 18.
#[test]
fn two_digests_under_one_tag_at_the_highest_release_are_a_question_for_a_person() {
    let mut stage = tagged([1, 2]);
    let more = desired([("web", group("web").count(3))]);
    for name in ["m00001", "m00002"] {
        of_release(&mut stage, name, 7);
    }
    // Our own run does not decide between two of one release.
    stage.edit_outside("m00001", |machine| machine.stamps.serial = Some(9));
    let refusal = &stage.plan(&more).refusals[0];
    assert_eq!(refusal.code, "two_images");
    for number in [1, 2] {
        assert!(
            refusal.message.contains(&by_digest(number)),
            "{}",
            refusal.message
        );
    }
    assert!(refusal.hint.as_ref().unwrap().contains("--image"));
}

/// Holds rule 18.
#[test]
fn what_older_releases_run_is_only_shown() {
    let mut stage = tagged([1, 2]);
    of_release(&mut stage, "m00001", 6);
    of_release(&mut stage, "m00002", 7);
    let plan = stage.plan(&desired([("web", group("web").count(3))]));
    assert_eq!(inherited(&plan), [format!("{} 1", by_digest(2))]);
    let said = plan
        .notes
        .iter()
        .find(|note| note.code == "image_inherited");
    let message = &said.unwrap().message;
    let older = format!("; older Machines run `{}`", by_digest(1));
    assert!(message.ends_with(&older), "{message}");
}

#[test]
fn a_machine_without_a_reported_digest_runs_no_second_image() {
    let mut stage = tagged([1, 1]);
    stage.edit_outside("m00002", |machine| machine.image_digest = None);
    let plan = stage.plan(&desired([("web", group("web").count(3))]));
    assert_eq!(inherited(&plan), [format!("{} 1", by_digest(1))]);
}

#[test]
fn the_digest_that_runs_under_a_tag_is_no_change_and_another_one_is() {
    let mut stage = tagged([1, 1]);
    let written = |number| {
        let image = json!({"image": by_digest(number)});
        desired([("web", group("web").count(2).config(image))])
    };
    let plan = stage.apply(&written(1));
    let changed = plan.changes().filter(|(_, c)| c.action != Action::Adopt);
    assert_eq!(changed.count(), 0, "{:#?}", plan.steps);
    assert_eq!(image_of(&stage, "m00001"), TAG);
    assert_eq!(stage.plan(&written(1)).drift, [], "the state says it, too");
    let plan = stage.plan(&written(2));
    assert_eq!(plan.summary().update, 2);
    let tag = json!({"image": TAG});
    let plan = stage.plan(&desired([("web", group("web").count(2).config(tag))]));
    assert_eq!(
        plan.summary().update,
        0,
        "the tag that was sent is no change"
    );
}

#[test]
fn another_change_keeps_what_runs_although_the_tag_may_have_moved() {
    let mut stage = tagged([1, 1]);
    let env = json!({"env": {"LOG": "debug"}});
    let plan = stage.apply(&desired([("web", group("web").count(2).config(env))]));
    let paths = plan.changes().flat_map(|(_, change)| &change.changes);
    let paths: Vec<String> = paths.map(|change| change.path.join(".")).collect();
    assert_eq!(paths, ["env.LOG", "env.LOG"]);
    assert_eq!(image_of(&stage, "m00002"), by_digest(1));
}

#[test]
fn a_replacement_runs_the_digest_of_the_one_that_it_replaces() {
    let mut stage = tagged([1, 2]);
    of_release(&mut stage, "m00001", 6);
    of_release(&mut stage, "m00002", 7);
    stage.apply(&desired([("web", group("web").count(2).mount())]));
    assert_eq!(image_of(&stage, "m00003"), by_digest(1));
    assert_eq!(image_of(&stage, "m00004"), by_digest(2));
}

/// Holds rule 18.
#[test]
fn a_written_tag_may_move_and_what_runs_under_it_is_said() {
    let mut stage = tagged([1, 2]);
    let said = |stage: &PlanFixture, image: &str| {
        let mut target = desired([("web", group("web").count(2).config(json!({"image": image})))]);
        target.image = Some(image.to_owned());
        let warnings = stage.plan(&target).warnings;
        let note = warnings.iter().find(|note| note.code == "mutable_tag");
        note.map(|note| note.message.clone())
    };
    let tag = format!("image `{TAG}` is a tag, which can change");
    let both = format!("{tag}; running sha256:100000000000 and sha256:200000000000");
    assert_eq!(said(&stage, TAG), Some(both));
    stage.edit_outside("m00002", |machine| machine.image_digest = None);
    let one = format!("{tag}; running sha256:100000000000");
    assert_eq!(said(&stage, TAG), Some(one));
    stage.edit_outside("m00001", |machine| machine.image_digest = None);
    assert_eq!(said(&stage, TAG), Some(tag));
    assert_eq!(said(&stage, &by_digest(1)), None);
    let mut tagged = desired([("web", group("web"))]);
    tagged.image = Some(TAG.to_owned());
    let destroy = Options {
        mode: PlanMode::Destroy,
        ..Options::default()
    };
    let warnings = stage.plan_with(&tagged, &destroy).warnings;
    assert!(warnings.iter().all(|note| note.code != "mutable_tag"));
}
