//! `[hold]`: which config each group has, what the plan says, and what the state keeps.

use aeroform::core::fleet::{Desired, Hold, ReleaseStatus};
use aeroform::core::plan::Plan;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::rollout::migrates;
use crate::support::{GroupBuilder, PlanFixture, desired, group, group_name};

fn config(env: &str, token: &str) -> Value {
    json!({"image": format!("shop:{env}"), "env": {"MODE": env, "API_TOKEN": token}})
}

fn web(env: &str) -> Desired {
    let token = format!("t0k3n-{env}");
    let target = group("web").count(2).config(config(env, &token));
    let mut target = desired([("web", target)]);
    target.image = Some(format!("shop:{env}"));
    target
}

/// A fleet on which these were applied, each as a release.
fn released(targets: &[&Desired]) -> PlanFixture {
    let mut stage = PlanFixture::empty();
    for (number, target) in (1..).zip(targets) {
        stage.release = Some((number, ReleaseStatus::Complete));
        stage.apply(target);
    }
    stage
}

pub(crate) fn held(target: &Desired, release: u64, groups: Option<&[&str]>) -> Desired {
    let groups = groups.map(|names| names.iter().map(|name| group_name(name)).collect());
    Desired {
        hold: Some(Hold { release, groups }),
        ..target.clone()
    }
}

/// The codes of this file.
pub(crate) fn provoked() -> Vec<Plan> {
    let old = group("old").count(1).config(config("a", "t"));
    let mut first = web("a");
    first.groups.insert(group_name("old"), old);
    let new = group("new").count(1).config(config("b", "t"));
    let mut last = migrates([("new", new)]);
    last.groups.extend(web("b").groups);
    last.image = web("b").image;
    let stage = released(&[&first, &web("b")]);
    let serves = desired([("web", group("web").count(1).serves())]);
    let stands_by = desired([("web", group("web").count(1).with(|g| g.standby = Some(1)))]);
    let standbys = released(&[&serves, &stands_by]);
    vec![
        stage.plan(&held(&last, 1, None)),
        stage.plan(&held(&last, 7, None)),
        standbys.plan(&held(&stands_by, 1, None)),
    ]
}

/// Holds rule 41.
#[test]
fn a_held_group_has_the_image_and_the_config_of_the_release() {
    let stage = released(&[&web("a"), &web("b")]);
    let mut more = held(&web("b"), 1, None);
    let counted = more.groups[&group_name("web")].clone().count(3);
    more.groups.insert(group_name("web"), counted);
    let plan = stage.plan(&more);
    let changed: Vec<String> = plan
        .changes()
        .flat_map(|(_, change)| &change.changes)
        .map(|field| {
            let text = |value: &Option<Value>| value.clone().unwrap_or_default().to_string();
            format!(
                "{}: {} -> {}",
                field.path.join("."),
                text(&field.before),
                text(&field.after)
            )
        })
        .collect();
    assert_snapshot!(changed.join("\n"), @r#"
    env.MODE: "b" -> "a"
    image: "shop:b" -> "shop:a"
    env.MODE: "b" -> "a"
    image: "shop:b" -> "shop:a"
    "#);
    assert_snapshot!(plan.summary_lines().join("\n"), @"
    group web: 2->3 changed (ams 2->3)
    create web ams
    update web ams m00001 [env.MODE image]
    update web ams m00002 [env.MODE image]
    note hold_ignores_image
    warning held_value_unknown web
    warning mutable_tag
    ");
    assert_eq!(plan.hold.as_ref().map(|hold| hold.release), Some(1));
    // The token is unknown: today's stays.
    let codes = |plan: &Plan| -> Vec<String> {
        let notes = plan.notes.iter().chain(&plan.warnings);
        notes.map(|note| note.code.clone()).collect()
    };
    let seen = codes(&plan);
    assert!(seen.contains(&"held_value_unknown".to_owned()), "{seen:?}");
    assert!(seen.contains(&"hold_ignores_image".to_owned()), "{seen:?}");
    let offline = codes(&stage.offline(&more));
    assert!(
        offline.contains(&"decided_at_apply".to_owned()),
        "{offline:?}"
    );
}

/// Holds rule 37.
#[test]
fn a_hidden_value_is_taken_from_whatever_has_its_hash() {
    let (first, last) = (web("a"), web("b"));
    let mut stage = released(&[&first, &last]);
    let held = held(&last, 1, None);
    let before = stage.plan(&held);
    assert!(
        before
            .warnings
            .iter()
            .any(|note| note.code == "held_value_unknown")
    );
    let old = first.groups[&group_name("web")].template.clone();
    stage.observed.held_configs = vec![old];
    let plan = stage.apply(&held);
    assert!(
        plan.warnings
            .iter()
            .all(|note| note.code != "held_value_unknown")
    );
    let machine = stage.observed.machines.values().next().unwrap();
    let env = machine.config.as_ref().unwrap().env.as_ref().unwrap();
    assert_eq!(env["API_TOKEN"], "t0k3n-a");
}

#[test]
fn the_digest_of_the_manifests_tells_a_hold_and_stays_without_one() {
    let stage = released(&[&web("a"), &web("b")]);
    let lineage = &stage.observed.description.scope;
    let target = web("b");
    let digest = target.digest(lineage);
    assert_eq!(stage.plan(&target).desired, digest);
    assert_ne!(held(&target, 1, None).digest(lineage), digest);
    assert_ne!(
        held(&target, 1, None).digest(lineage),
        held(&target, 1, Some(&["web"])).digest(lineage)
    );
}
