//! The emulated platform's own rules, on a clock that is moved by hand.

use std::sync::Arc;
use std::time::Duration;

use aeroform::emulator::world::{Clock, Fault, FaultEffect, ManualClock, World};
use serde_json::{Value, json};

struct WorldFixture {
    clock: Arc<ManualClock>,
    world: World,
}

impl WorldFixture {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let mut world = World::new("seed", Arc::clone(&clock) as Arc<dyn Clock>);
        world.add_app("shop");
        Self { clock, world }
    }

    fn create(&mut self, body: &Value) -> Value {
        self.world.create("shop", body).result.unwrap()
    }

    /// The states that a Machine goes through, looked at every 100 ms for five seconds.
    fn states(&mut self, id: &str) -> Vec<String> {
        let mut seen: Vec<String> = Vec::new();
        for _ in 0..50 {
            let shown = self.world.inspect("shop", id).unwrap();
            let state = shown["state"].as_str().unwrap();
            if seen.last().is_none_or(|last| last != state) {
                seen.push(state.to_owned());
            }
            self.clock.advance(Duration::from_millis(100));
        }
        seen
    }
}

fn config_named(name: &str) -> Value {
    json!({"name": name, "region": "ams", "config": {"image": "a:1"}})
}

fn id(shown: &Value) -> String {
    shown["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_machine_goes_through_its_life_by_itself() {
    let mut fixture = WorldFixture::new();
    let created = id(&fixture.create(&config_named("a")));
    assert_eq!(fixture.states(&created), ["created", "starting", "started"]);
    fixture.world.stop("shop", &created).result.unwrap();
    assert_eq!(fixture.states(&created), ["stopping", "stopped"]);
    fixture.world.start("shop", &created).result.unwrap();
    assert_eq!(fixture.states(&created), ["starting", "started"]);
    let config = json!({"config": {"image": "a:2"}});
    fixture
        .world
        .update("shop", &created, &config)
        .result
        .unwrap();
    assert_eq!(
        fixture.states(&created),
        ["replacing", "starting", "started"]
    );
    fixture
        .world
        .destroy("shop", &created, true)
        .result
        .unwrap();
    assert_eq!(fixture.states(&created), ["destroying", "destroyed"]);
    fixture.clock.advance(Duration::from_secs(3600));
    assert_eq!(
        fixture.world.inspect("shop", &created).unwrap_err().status,
        404
    );
}

#[test]
fn what_does_not_run_stays_down_through_an_update() {
    let mut fixture = WorldFixture::new();
    let mut body = config_named("a");
    body["skip_launch"] = true.into();
    let created = id(&fixture.create(&body));
    assert_eq!(fixture.states(&created), ["created", "stopped"]);
    let config = json!({"config": {"image": "a:2"}});
    fixture
        .world
        .update("shop", &created, &config)
        .result
        .unwrap();
    assert_eq!(fixture.states(&created), ["replacing", "stopped"]);
}

#[test]
fn a_name_is_taken_until_its_machine_is_destroyed() {
    let mut fixture = WorldFixture::new();
    let created = id(&fixture.create(&config_named("a")));
    let refusal = fixture
        .world
        .create("shop", &config_named("a"))
        .result
        .unwrap_err();
    assert_eq!(refusal.status, 409);
    assert!(refusal.message.contains("already_exists") && refusal.message.contains(&created));
    fixture.world.operator("shop").destroy(&created);
    assert_ne!(id(&fixture.create(&config_named("a"))), created);
}

#[test]
fn only_a_stopped_machine_is_destroyed_without_force_and_only_the_current_one_updated() {
    let mut fixture = WorldFixture::new();
    let created = fixture.create(&config_named("a"));
    let (created, first) = (id(&created), created["instance_id"].clone());
    fixture.clock.advance(Duration::from_secs(5));
    let refusal = fixture.world.destroy("shop", &created, false).result;
    assert_eq!(refusal.unwrap_err().status, 412);
    let mut body = json!({"config": {"image": "a:2"}, "current_version": first});
    fixture
        .world
        .update("shop", &created, &body)
        .result
        .unwrap();
    fixture.clock.advance(Duration::from_secs(5));
    let refusal = fixture
        .world
        .update("shop", &created, &body)
        .result
        .unwrap_err();
    assert_eq!(refusal.status, 409);
    body["current_version"] = Value::Null;
    fixture
        .world
        .update("shop", &created, &body)
        .result
        .unwrap();
}

#[test]
fn a_config_comes_back_as_it_came_unknown_and_misspelt_keys_included() {
    let mut fixture = WorldFixture::new();
    let mut body = config_named("a");
    body["config"]["comand"] = json!({"deep": [1, null]});
    let created = id(&fixture.create(&body));
    assert_eq!(
        fixture.world.inspect("shop", &created).unwrap()["config"],
        body["config"]
    );
}

#[test]
fn a_volume_has_one_machine_until_that_is_destroyed() {
    let mut fixture = WorldFixture::new();
    let volume = fixture.world.add_volume("shop", "data", "ams", 1).unwrap();
    let mount = |name: &str| {
        let mut body = config_named(name);
        body["config"]["mounts"] = json!([{"volume": volume, "path": "/data"}]);
        body
    };
    let created = id(&fixture.create(&mount("a")));
    let shown = fixture.world.volumes("shop").result.unwrap();
    assert_eq!(shown[0]["attached_machine_id"], created.as_str());
    let refusal = fixture
        .world
        .create("shop", &mount("b"))
        .result
        .unwrap_err();
    assert!(
        refusal.message.contains("already claimed"),
        "{}",
        refusal.message
    );
    fixture.world.operator("shop").destroy(&created);
    fixture.create(&mount("b"));
}

#[test]
fn a_fault_touches_the_calls_that_it_names_and_counts_them() {
    let mut fixture = WorldFixture::new();
    let lost = Fault::on("create", FaultEffect::LoseAfter { status: 502 });
    let fault = fixture.world.inject(lost.in_group("web").nth(2));
    let in_group = |name: &str, group: &str| {
        let mut body = config_named(name);
        body["config"]["metadata"] = json!({"fly_process_group": group});
        body
    };
    for (name, group, works) in [
        ("a", "web", true),
        ("b", "worker", true),
        ("c", "web", false),
        ("d", "web", true),
    ] {
        let answer = fixture.world.create("shop", &in_group(name, group));
        assert_eq!(answer.result.is_ok(), works, "{name}");
    }
    assert_eq!(fixture.world.fired(fault), 1);
    assert_eq!(fixture.world.operator("shop").machines().len(), 4);
    assert_eq!(fixture.world.count("create"), 4);
}

#[test]
fn the_same_seed_and_calls_give_the_same_world() {
    let run = || {
        let mut fixture = WorldFixture::new();
        let first = id(&fixture.create(&config_named("a")));
        fixture.world.operator("shop").clone_machine(&first);
        fixture.clock.advance(Duration::from_secs(9));
        fixture.world.list("shop").result.unwrap()
    };
    assert_eq!(run(), run());
}
