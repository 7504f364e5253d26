//! What new Machines run, and how big they are, where no manifest says it.

use aeroform::core::fleet::config::Guest;
use aeroform::core::fleet::{HostStatus, MachineId};
use aeroform::core::plan::{Action, Plan};
use insta::assert_snapshot;
use serde_json::json;

use crate::lines;
use crate::support::{GroupWords, Stage, config_of, desired, group};

fn runs(stage: &mut Stage, image: &str, cpus: u32) {
    let ids: Vec<MachineId> = stage.observed.machines.keys().cloned().collect();
    for id in ids {
        stage.touch(id.as_str(), |machine| {
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
    let mut stage = Stage::with(&desired([("web", group("web").count(2))]));
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
    let mut stage = Stage::with(&desired([("web", group("web").count(2))]));
    runs(&mut stage, "shop:1", 4);
    let plan = stage.plan(&desired([
        ("web", group("web").count(2)),
        ("cron", group("cron").count(1)),
    ]));
    assert_eq!(inherited(&plan), ["shop:1 0"]);
}

#[test]
fn what_is_written_is_not_inherited() {
    let written = json!({"image": "shop:9", "guest": {"cpus": 1}});
    let mut stage = Stage::with(&desired([("web", group("web").count(2))]));
    runs(&mut stage, "shop:1", 4);
    let plan = stage.plan(&desired([("web", group("web").count(3).config(written))]));
    assert_eq!(inherited(&plan), [" 0"]);
}

#[test]
fn two_images_of_the_newest_run_are_a_question_for_a_person_and_older_ones_are_not() {
    let mut stage = Stage::with(&desired([("web", group("web").count(2))]));
    runs(&mut stage, "shop:1", 4);
    let image = |stage: &mut Stage, name: &str, serial| {
        stage.touch(name, |machine| {
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
    stage.touch("m00001", |machine| machine.stamps.serial = Some(0));
    assert_eq!(inherited(&stage.plan(&more)), ["shop:2 4"]);
}

#[test]
fn with_fly_nothing_is_made_without_an_image() {
    let mut wanted = desired([("web", group("web").count(1))]);
    wanted.provider = "fly".to_owned();
    assert_eq!(Stage::empty().plan(&wanted).refusals[0].code, "no_image");
}

#[test]
fn several_groups_without_an_image_are_one_refusal() {
    let one = || group("web").count(1);
    let mut wanted = desired([("web", one()), ("api", one()), ("jobs", one())]);
    wanted.provider = "fly".to_owned();
    let refusals = Stage::empty().plan(&wanted).refusals;
    let messages: Vec<&str> = refusals.iter().map(|note| note.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "nothing says which image groups `api`, `jobs` and `web` run, and nothing of the app runs yet"
        ]
    );
}

#[test]
fn a_replacement_has_the_config_of_the_one_that_it_replaces() {
    let mut stage = Stage::with(&desired([("db", group("db").count(1))]));
    runs(&mut stage, "shop:1", 4);
    stage.apply(&desired([("db", group("db").count(1).mount())]));
    let config = stage.observed.machines["m00002"].config.clone().unwrap();
    assert_eq!(config.image.as_deref(), Some("shop:1"));
    assert_eq!(config.guest.as_ref().unwrap().cpus, Some(4));
    assert_eq!(config.schedule.as_deref(), Some("daily"));
}

#[test]
fn a_replacement_of_a_machine_that_shows_no_config_is_like_its_group() {
    let mut stage = Stage::with(&desired([("web", group("web").count(2))]));
    runs(&mut stage, "shop:1", 4);
    stage.touch("m00001", |machine| {
        machine.host = HostStatus::Unreachable;
        machine.config = None;
    });
    let env = json!({"env": {"LOG": "debug"}});
    let plan = stage.plan(&desired([("web", group("web").count(2).config(env))]));
    assert_eq!(inherited(&plan), ["shop:1 4"]);
}
