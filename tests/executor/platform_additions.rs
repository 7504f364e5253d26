//! What the platform adds by itself to a config that was sent: no drift, no change, one note.

use aeroform::core::fleet::{Desired, DesiredGroup, FieldChange, Known};
use aeroform::core::plan::Addition;
use aeroform::core::state;
use aeroform::emulator::world::{Fault, FaultEffect};
use serde_json::{Value, json};

use crate::carried::ExecutedRun;
use crate::fixture::{ExecutorFixture, image};
use crate::support::{GroupBuilder, desired, group};

fn served(count: u32) -> DesiredGroup {
    group("web").count(count).config(json!({
        "image": "shop:1",
        "services": [{"internal_port": 8080, "protocol": "tcp", "ports": [{"port": 443, "handlers": ["tls", "http"]}]}],
    }))
}

fn web(count: u32) -> Desired {
    desired([("web", served(count))])
}

/// Defaults that no table has: in an entry of a list, in one inside it, in a table of its own, and a whole entry.
fn unheard() -> Value {
    json!({
        "services": [{"autostart": true, "ports": [{"force_https": true}]}],
        "stop_config": {"timeout": "7s"},
        "env": {"PLATFORM": "1"},
    })
}

/// Path, value and whether it was put back, of what the report names.
fn reported(ran: &ExecutedRun) -> Vec<String> {
    let line = |addition: &Addition| {
        let value = addition
            .value
            .as_ref()
            .map_or("any".to_owned(), Value::to_string);
        let suffix = if addition.not_removed { " kept" } else { "" };
        format!(
            "{} {value} x{}{suffix}",
            addition.path.join("."),
            addition.machines
        )
    };
    ran.report.additions.iter().map(line).collect()
}

fn changes(plan: &aeroform::core::plan::Plan) -> Vec<FieldChange> {
    let changes = plan.changes().flat_map(|(_, change)| &change.changes);
    changes.cloned().collect()
}

/// The state as the next run reads it.
fn read_again(stage: &mut ExecutorFixture) {
    let text = state::write(&stage.known);
    let format = format!("\"format\": {}", state::FORMAT);
    assert!(text.contains(&format), "{text}");
    stage.known = state::read(&text, &stage.known.app).unwrap();
}

/// Holds rule 10.
#[tokio::test(start_paused = true)]
async fn what_the_platform_adds_costs_one_note_and_is_neither_drift_nor_a_change() {
    let mut stage = ExecutorFixture::new();
    stage.sim.world().extra_defaults = unheard();
    let ran = stage.apply_until_settled(&web(2)).await;
    assert_eq!(
        reported(&ran),
        [
            "env.PLATFORM \"1\" x2",
            "services.8080 tcp.autostart true x2",
            "services.8080 tcp.ports.443.force_https true x2",
            "stop_config.timeout \"7s\" x2",
        ]
    );
    read_again(&mut stage);
    let (again, _) = stage.plan(&web(2)).await;
    assert!(
        again.is_empty() && again.drift.is_empty(),
        "{:#?}",
        again.summary_lines()
    );
    // One Machine more is of the same config: no other is touched, and no note is repeated.
    let ran = stage.apply_until_settled(&web(3)).await;
    assert_eq!(
        (ran.plan.changes().count(), reported(&ran)),
        (1, Vec::new())
    );
    // Another config: what is known goes on being known.
    let newer = desired([("web", image(served(3), "shop:2"))]);
    let ran = stage.apply_until_settled(&newer).await;
    assert!(
        changes(&ran.plan)
            .iter()
            .all(|change| change.path == ["image"])
    );
    assert_eq!(reported(&ran), [""; 0]);
    read_again(&mut stage);
    stage.assert_settled(&newer).await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_added_value_is_drift_and_one_that_disappears_is_nothing() {
    let mut stage = ExecutorFixture::new();
    stage.sim.world().extra_defaults = unheard();
    stage.apply_until_settled(&web(1)).await;
    let id = stage.id(0);
    stage.sim.world().operator("shop").update(&id, |config| {
        let stop = config["stop_config"].as_object_mut().unwrap();
        stop.remove("timeout");
    });
    let (plan, _) = stage.plan(&web(1)).await;
    assert!(plan.is_empty() && plan.drift.is_empty());
    for (section, key, value) in [
        ("/stop_config", "timeout", json!("9s")),
        ("/services/0", "autostart", json!(false)),
        ("/env", "PLATFORM", json!("2")),
    ] {
        stage.sim.world().operator("shop").update(&id, |config| {
            config.pointer_mut(section).unwrap()[key] = value;
        });
        let (plan, _) = stage.plan(&web(1)).await;
        let changes = changes(&plan);
        assert_eq!(changes.len(), 1, "{changes:#?}");
        assert_eq!(changes[0].path.last().unwrap(), key);
        assert_eq!(plan.drift.len(), 1);
        stage.apply_until_settled(&web(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_a_file_writes_later_is_compared_like_any() {
    let mut stage = ExecutorFixture::new();
    stage.sim.world().extra_defaults = unheard();
    stage.apply_until_settled(&web(1)).await;
    let writes = |timeout: &str| {
        desired([(
            "web",
            served(1).config(json!({"stop_config": {"timeout": timeout}})),
        )])
    };
    let ran = stage.apply_until_settled(&writes("20s")).await;
    assert_eq!(changes(&ran.plan)[0].after, Some("20s".into()));
    // It is removed again: the Machine gets the platform's value, without a warning.
    let ran = stage.apply_until_settled(&web(1)).await;
    assert_eq!(changes(&ran.plan)[0].path, ["stop_config", "timeout"]);
    assert_eq!(reported(&ran), [""; 0]);
    assert_eq!(
        stage.machines()[0]["config"]["stop_config"]["timeout"],
        "7s"
    );
}

/// Holds rule 10.
#[tokio::test(start_paused = true)]
async fn an_adopted_machine_loses_it_once_and_what_the_platform_puts_back_is_warned_of() {
    let mut stage = ExecutorFixture::new();
    stage.sim.world().extra_defaults = json!({"services": [{"autostart": true}]});
    let config = json!({
        "image": "shop:1", "init": {"cmd": ["bin/web"]},
        "env": {"FLY_PROCESS_GROUP": "web"},
        "metadata": {"fly_platform_version": "v2", "fly_process_group": "web"},
        "services": [{"internal_port": 8080, "protocol": "tcp", "autostart": true, "autostop": "stop",
            "ports": [{"port": 443, "handlers": ["tls", "http"]}]}],
    });
    stage
        .sim
        .world()
        .operator("shop")
        .add("calm-river-1", "ams", config);
    let ran = stage.apply_until_settled(&web(1)).await;
    let removed: Vec<(String, bool)> = changes(&ran.plan)
        .iter()
        .map(|change| (change.path.join("."), change.unsent))
        .collect();
    assert_eq!(
        removed,
        [
            ("services.8080 tcp.autostart".to_owned(), true),
            ("services.8080 tcp.autostop".to_owned(), true),
        ]
    );
    assert_eq!(reported(&ran), ["services.8080 tcp.autostart true x1 kept"]);
    assert_eq!(
        stage.machines()[0]["config"]["services"][0].get("autostop"),
        None
    );
}

#[tokio::test(start_paused = true)]
async fn a_state_of_an_older_format_knows_of_nothing_that_was_added() {
    let mut stage = ExecutorFixture::new();
    stage.sim.world().extra_defaults = json!({"stop_config": {"timeout": "7s"}});
    stage.apply_until_settled(&web(2)).await;
    let text = state::write(&stage.known);
    let computed = text.find(", \"filled\": ").unwrap();
    let end = computed + text[computed..].find("}}").unwrap() + 1;
    let older =
        format!("{}{}", &text[..computed], &text[end..]).replace("\"format\": 2", "\"format\": 1");
    stage.known = state::read(&older, &stage.known.app).unwrap();
    let ran = stage.apply_until_settled(&web(2)).await;
    // The first one shows that the other need not be restarted.
    assert_eq!(reported(&ran), ["stop_config.timeout \"7s\" x1 kept"]);
    assert!(changes(&ran.plan).iter().all(|change| change.unsent));
}

#[tokio::test(start_paused = true)]
async fn where_machines_of_one_config_show_different_values_any_value_is_the_platforms() {
    let mut stage = ExecutorFixture::new();
    stage.sim.world().extra_defaults = json!({"stop_config": {"timeout": "7s"}});
    stage.apply_until_settled(&web(1)).await;
    // The platform has another default from now on.
    stage.sim.world().extra_defaults = json!({"stop_config": {"timeout": "8s"}});
    let ran = stage.apply_until_settled(&web(2)).await;
    assert_eq!(ran.plan.changes().count(), 1);
    let text = state::write(&stage.known);
    assert!(
        text.contains(r#""filled": {"stop_config/timeout": null}"#),
        "{text}"
    );
    read_again(&mut stage);
    stage.assert_settled(&web(2)).await;
    // Once all of them are written again they show one value, and that is the platform's.
    stage
        .apply_until_settled(&desired([("web", image(served(2), "shop:2"))]))
        .await;
    let computed = stage
        .known
        .computed_fields
        .values()
        .flat_map(aeroform::core::fleet::ComputedFields::iter);
    assert_eq!(
        computed.collect::<Vec<_>>(),
        [("stop_config/timeout", Some(&Value::from("8s")))]
    );
}

#[tokio::test(start_paused = true)]
async fn entries_of_lists_are_found_by_their_keys_in_any_order() {
    let service = |port: u16| json!({"internal_port": port, "protocol": "tcp"});
    let of = |ports: &[u16]| {
        let services: Vec<Value> = ports.iter().map(|port| service(*port)).collect();
        let web = group("web").count(1);
        desired([(
            "web",
            web.config(json!({"image": "shop:1", "services": services})),
        )])
    };
    let mut stage = ExecutorFixture::new();
    stage.sim.world().extra_defaults = json!({"services": [{"autostart": true}]});
    stage.apply_until_settled(&of(&[8080, 9090])).await;
    let id = stage.id(0);
    stage.sim.world().operator("shop").update(&id, |config| {
        config["services"].as_array_mut().unwrap().reverse();
    });
    stage.assert_settled(&of(&[8080, 9090])).await;
    stage.apply_until_settled(&of(&[7070, 9090])).await;
}

#[tokio::test(start_paused = true)]
async fn secrets_that_the_platform_adds_are_hidden() {
    let mut stage = ExecutorFixture::new();
    stage.sim.world().extra_defaults = json!({"env": {"PLATFORM_TOKEN": "hunter2-hunter2"}});
    let ran = stage.apply_until_settled(&web(1)).await;
    assert_eq!(reported(&ran), ["env.PLATFORM_TOKEN any x1"]);
    let text = state::write(&stage.known);
    assert!(!text.contains("hunter2"), "{text}");
    read_again(&mut stage);
    stage.assert_settled(&web(1)).await;
    let id = stage.id(0);
    stage.sim.world().operator("shop").update(&id, |config| {
        config["env"]["PLATFORM_TOKEN"] = "another-one-entirely".into();
    });
    let (plan, _) = stage.plan(&web(1)).await;
    assert!(changes(&plan)[0].hidden);
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_lost_are_looked_up_and_what_was_added_is_known_all_the_same() {
    for action in ["create", "update"] {
        let mut stage = ExecutorFixture::new();
        stage.sim.world().extra_defaults = unheard();
        let mut target = web(2);
        if action == "update" {
            stage.apply_until_settled(&target).await;
            stage.known.computed_fields.clear();
            target = desired([("web", image(served(2), "shop:2"))]);
        }
        stage
            .sim
            .world()
            .inject(Fault::on(action, FaultEffect::LoseAfter { status: 503 }).times(2));
        stage.sim.world().clear_log();
        stage.apply(&target).await;
        assert_eq!(
            stage.sim.world().count(action),
            2,
            "{action}: none is sent twice"
        );
        stage.assert_settled(&target).await;
        let computed: usize = stage
            .known
            .computed_fields
            .values()
            .map(|computed| computed.iter().count())
            .sum();
        assert_eq!(computed, 4, "{action}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_concurrent_outside_write_is_no_platform_addition() {
    let mut stage = ExecutorFixture::new();
    let slow = FaultEffect::SlowStart(std::time::Duration::from_secs(60));
    stage.sim.world().inject(Fault::on("create", slow));
    let sim = stage.sim.clone();
    let target = web(1);
    let meanwhile = async {
        tokio::time::sleep(std::time::Duration::from_secs(30)).await;
        let mut world = sim.world();
        let mut hand = world.operator("shop");
        let id = hand.machines()[0]["id"].as_str().unwrap().to_owned();
        hand.update(&id, |config| {
            config["stop_config"] = json!({"timeout": "9s"});
        });
    };
    let (ran, ()) = tokio::join!(stage.apply(&target), meanwhile);
    assert_eq!(reported(&ran), [""; 0]);
    assert_eq!(ran.report.overtaken.len(), 1);
    let Known {
        computed_fields: computed,
        ..
    } = &stage.known;
    assert!(computed.is_empty(), "{computed:#?}");
}
