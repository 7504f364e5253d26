//! The emulated API itself, by docs/platform/machines-api.md.

use std::time::Duration;

use aeroform::emulator::world::{ExitsAfter, Fault, FaultEffect};
use serde_json::{Value, json};

use crate::fixture::{ask, ask_with, platform};

const MACHINES: &str = "/v1/apps/shop/machines";

async fn create(server: &aeroform::emulator::http::Server, body: Value) -> (String, Value) {
    let (status, shown) = ask(server, "POST", MACHINES, body).await;
    assert_eq!(status, 200, "{shown}");
    (
        format!("{MACHINES}/{}", shown["id"].as_str().unwrap()),
        shown,
    )
}

fn image() -> Value {
    json!({"config": {"image": "registry.fly.io/shop:v7"}})
}

#[tokio::test(start_paused = true)]
async fn a_machine_has_the_documented_form() {
    let server = platform();
    let (path, _) = create(&server, image()).await;
    let (status, waited) = ask(&server, "GET", &format!("{path}/wait"), Value::Null).await;
    assert_eq!((status, &waited["state"]), (200, &json!("started")));
    let (_, shown) = ask(&server, "GET", &path, Value::Null).await;
    assert_eq!(shown["host_status"], "ok");
    assert_eq!(shown["image_ref"]["repository"], "shop");
    assert_eq!(shown["config"]["dns"], json!({}));
    assert_eq!(shown["instance_id"].as_str().unwrap().len(), 26);
    assert_eq!(shown["id"].as_str().unwrap().len(), 14);
    assert!(shown.get("nonce").is_none());
    let reported: Vec<&Value> = shown["events"].as_array().unwrap().iter().collect();
    assert_eq!(reported[0]["status"], "started");
    assert_eq!(reported.last().unwrap()["type"], "launch");
    assert!(reported[0]["timestamp"].as_i64() > reported[2]["timestamp"].as_i64());
}

#[tokio::test(start_paused = true)]
async fn a_config_is_shown_with_the_defaults_of_the_platform_or_as_it_was_sent() {
    let sent = json!({"image": "x", "restart": {}, "services": [{"autostop": "stop"}]});
    let server = platform();
    let (path, answered) = create(&server, json!({"config": sent.clone()})).await;
    let shown = json!({
        "image": "x", "dns": {}, "init": {},
        "guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256},
        "restart": {"policy": "on-failure", "max_retries": 10},
        "services": [{"autostop": true, "force_instance_key": null}],
    });
    assert_eq!(answered["config"], shown);
    server.world().fills_in = false;
    let (_, read) = ask(&server, "GET", &path, Value::Null).await;
    assert_eq!(read["config"], sent);
    let stored = [
        json!({"image": "x", "restart": {"policy": "no"}, "size": "shared-cpu-2x"}),
        json!({"image": "x", "restart": {"policy": "on-failure", "max_retries": 3}, "guest": {"cpus": 2}}),
    ];
    server.world().fills_in = true;
    for config in stored {
        let (_, answered) = create(&server, json!({"config": config.clone()})).await;
        for (key, value) in config.as_object().unwrap() {
            assert_eq!(answered["config"][key], *value);
        }
        assert_eq!(
            answered["config"].get("size").is_some(),
            answered["config"].get("guest").is_none()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_config_may_be_large_and_in_any_script() {
    let server = platform();
    let (file, greeting) = ("A".repeat(4 << 20), "안녕 \u{1f600} ñ");
    let files = json!([{"guest_path": "/big", "raw_value": file}]);
    let body = json!({"config": {"image": "x", "env": {"HI": greeting}, "files": files}});
    let (_, shown) = create(&server, body.clone()).await;
    assert_eq!(shown["config"]["files"], body["config"]["files"]);
    assert_eq!(shown["config"]["env"]["HI"], greeting);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_path_is_a_plain_404_before_authentication() {
    let server = platform();
    for (method, path) in [
        ("GET", "/v2/apps"),
        ("PUT", "/v1/apps"),
        ("POST", "/v1/apps/shop/machines/x/frobnicate"),
        ("POST", "/graphql"),
    ] {
        let (status, body) = ask(&server, method, path, Value::Null).await;
        assert_eq!(
            (status, body),
            (404, json!("404 page not found\n")),
            "{path}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_not_met_is_408_and_a_strange_state_400() {
    let server = platform();
    let (path, _) = create(&server, image()).await;
    let wait = |query: &str| format!("{path}/wait?{query}");
    let (status, said) = ask(
        &server,
        "GET",
        &wait("state=stopped&timeout=5"),
        Value::Null,
    )
    .await;
    assert_eq!(status, 408);
    let text = said["error"].as_str().unwrap();
    assert!(text.contains("machine failed to reach desired state, stopped, currently started"));
    let (status, _) = ask(&server, "GET", &wait("state=happy"), Value::Null).await;
    assert_eq!(status, 400);
    let (status, said) = ask(&server, "GET", &wait("state=stopped,settled"), Value::Null).await;
    assert_eq!((status, &said["state"]), (200, &json!("started")));
}

#[tokio::test(start_paused = true)]
async fn a_lease_keeps_others_from_changing_a_machine_until_it_ends() {
    let server = platform();
    let (path, _) = create(&server, image()).await;
    ask(&server, "GET", &format!("{path}/wait"), Value::Null).await;
    let lease = format!("{path}/lease");
    let (status, answered) = ask(
        &server,
        "POST",
        &lease,
        json!({"ttl": 10, "description": "x"}),
    )
    .await;
    assert_eq!((status, &answered["status"]), (201, &json!("success")));
    let nonce = answered["data"]["nonce"].as_str().unwrap();
    for (method, to) in [
        ("POST", "/stop"),
        ("POST", "/cordon"),
        ("DELETE", ""),
        ("POST", ""),
    ] {
        let (status, said) = ask(&server, method, &format!("{path}{to}"), image()).await;
        assert_eq!(status, 409, "{to} {said}");
        assert!(
            said["error"]
                .as_str()
                .unwrap()
                .contains("lease currently held by")
        );
    }
    let (status, _) = ask(&server, "POST", &lease, json!({"ttl": 10})).await;
    assert_eq!(status, 409);
    let (status, _) = ask(&server, "DELETE", &lease, Value::Null).await;
    assert_eq!(status, 400);
    let entries = json!({"metadata": {"a": "b"}});
    let (status, _) = ask(&server, "PATCH", &format!("{path}/metadata"), entries).await;
    assert_eq!(status, 204);
    let (status, again) = ask_with(
        &server,
        "POST",
        &format!("{lease}?ttl=10"),
        Value::Null,
        Some(nonce),
    )
    .await;
    assert_eq!(
        (status, again["data"]["nonce"].as_str()),
        (201, Some(nonce))
    );
    let (status, _) = ask_with(
        &server,
        "POST",
        &format!("{path}/stop"),
        json!({}),
        Some(nonce),
    )
    .await;
    assert_eq!(status, 200);
    tokio::time::sleep(Duration::from_secs(11)).await;
    let (status, said) = ask(&server, "GET", &lease, Value::Null).await;
    assert_eq!(
        (status, said["message"].as_str()),
        (404, Some("lease not found"))
    );
}

#[tokio::test(start_paused = true)]
async fn apps_are_made_listed_and_deleted() {
    let server = platform();
    let shop = json!({"app_name": "market", "org_slug": "acme"});
    let (status, created) = ask(&server, "POST", "/v1/apps", shop.clone()).await;
    assert_eq!((status, created["name"].as_str()), (201, Some("market")));
    let (status, said) = ask(&server, "POST", "/v1/apps", shop).await;
    assert_eq!((status, said["status"].as_str()), (422, Some("name_taken")));
    let (_, listed) = ask(&server, "GET", "/v1/apps?org_slug=acme", Value::Null).await;
    assert_eq!(listed["total_apps"], 1);
    let (status, _) = ask(&server, "DELETE", "/v1/apps/market", Value::Null).await;
    assert_eq!(status, 202);
    let (status, said) = ask(&server, "GET", "/v1/apps/market", Value::Null).await;
    assert_eq!(
        (status, said["error"].as_str()),
        (404, Some("app not found"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_volume_belongs_to_one_machine_and_shows_in_its_config() {
    let server = platform();
    let body = json!({"name": "data", "region": "ams", "size_gb": 7});
    let (_, volume) = ask(&server, "POST", "/v1/apps/shop/volumes", body).await;
    let id = volume["id"].as_str().unwrap();
    let place = format!("/v1/apps/shop/volumes/{id}");
    let mounts = json!([{"path": "/data", "volume": id}]);
    let body = json!({"region": "ams", "config": {"image": "x", "mounts": mounts}});
    let (_, shown) = create(&server, body.clone()).await;
    assert_eq!(shown["config"]["mounts"][0]["size_gb"], 7);
    assert_eq!(shown["config"]["mounts"][0]["name"], "data");
    let (status, said) = ask(&server, "POST", MACHINES, body).await;
    assert_eq!(status, 412, "{said}");
    let (status, _) = ask(&server, "DELETE", &place, Value::Null).await;
    assert_eq!(status, 412);
    let (status, grown) = ask(
        &server,
        "PUT",
        &format!("{place}/extend"),
        json!({"size_gb": 9}),
    )
    .await;
    assert_eq!((status, &grown["needs_restart"]), (200, &json!(true)));
    let (status, _) = ask(
        &server,
        "PUT",
        &format!("{place}/extend"),
        json!({"size_gb": 8}),
    )
    .await;
    assert_eq!(status, 400);
}

#[tokio::test(start_paused = true)]
async fn lists_are_filtered_as_documented() {
    let server = platform();
    for (region, group) in [("ams", "web"), ("gru", "web"), ("gru", "jobs")] {
        let config = json!({"image": "x", "metadata": {"fly_process_group": group}});
        create(&server, json!({"region": region, "config": config})).await;
    }
    let count = async |query: &str| {
        let (_, list) = ask(&server, "GET", &format!("{MACHINES}?{query}"), Value::Null).await;
        list.as_array().unwrap().len()
    };
    assert_eq!(count("").await, 3);
    assert_eq!(count("region=gru").await, 2);
    assert_eq!(count("metadata.fly_process_group=web").await, 2);
    assert_eq!(count("region=gru&metadata.fly_process_group=web").await, 1);
    assert_eq!(count("state=stopped,suspended").await, 0);
    let (_, list) = ask(
        &server,
        "GET",
        &format!("{MACHINES}?summary=true"),
        Value::Null,
    )
    .await;
    assert!(list[0].get("config").is_none());
}

#[tokio::test(start_paused = true)]
async fn what_comes_too_fast_is_429_with_a_time_to_wait() {
    let server = platform();
    server.world().limit_rates(true);
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(ask(&server, "GET", MACHINES, Value::Null).await.0);
    }
    assert_eq!(seen, [200, 200, 200, 429, 429]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(ask(&server, "GET", MACHINES, Value::Null).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn releases_are_numbered_and_the_newest_is_current() {
    let server = platform();
    let current = "/api/v1/apps/shop/releases/current";
    assert_eq!(ask(&server, "GET", current, Value::Null).await.0, 404);
    for _ in 0..2 {
        let body = json!({"app_name": "shop", "image": "x", "strategy": "ROLLING"});
        let (status, created) = ask(&server, "POST", "/api/v1/releases", body).await;
        assert_eq!(
            (status, &created["release"]["in_progress"]),
            (201, &json!(true))
        );
        let path = format!(
            "/api/v1/releases/{}",
            created["release"]["id"].as_str().unwrap()
        );
        ask(&server, "PATCH", &path, json!({"status": "complete"})).await;
    }
    let (_, shown) = ask(&server, "GET", current, Value::Null).await;
    assert_eq!(shown["release"]["version"], 2);
    assert_eq!(shown["release"]["status"], "complete");
}

#[tokio::test(start_paused = true)]
async fn every_update_is_a_version_and_all_of_them_can_be_read() {
    let server = platform();
    let (path, first) = create(&server, image()).await;
    ask(&server, "GET", &format!("{path}/wait"), Value::Null).await;
    let other = json!({"config": {"image": "registry.fly.io/shop:v8"}});
    let (status, second) = ask(&server, "POST", &path, other.clone()).await;
    assert_eq!(status, 200, "{second}");
    let (status, versions) = ask(&server, "GET", &format!("{path}/versions"), Value::Null).await;
    let expected = json!([
        {"version": second["version"], "user_config": other["config"]},
        {"version": first["version"], "user_config": image()["config"]},
    ]);
    assert_eq!((status, versions), (200, expected));
    let none = ask(&server, "GET", &format!("{path}/ps"), Value::Null).await;
    assert_eq!(none, (200, json!([])));
}

#[tokio::test(start_paused = true)]
async fn a_host_without_room_answers_as_the_platform_does() {
    let server = platform();
    let (path, _) = create(&server, image()).await;
    ask(&server, "GET", &format!("{path}/wait"), Value::Null).await;
    let draining = "deploys to this host are temporarily disabled";
    let no_room = |message: Option<&str>| FaultEffect::NoRoom {
        message: message.map(str::to_owned),
    };
    {
        let mut world = server.world();
        world.inject(Fault::on("update", no_room(None)));
        world.inject(Fault::on("update", no_room(Some(draining))).nth(2));
        world.inject(Fault::on("create", no_room(None)));
    }
    let full =
        "could not reserve resource for machine: insufficient CPUs available to fulfill request";
    for words in [full, draining] {
        let (status, said) = ask(&server, "POST", &path, image()).await;
        assert_eq!((status, &said["error"]), (412, &json!(words)));
    }
    let (status, said) = ask(&server, "POST", MACHINES, image()).await;
    let kind = json!("insufficient_capacity");
    assert_eq!((status, &said["status"]), (412, &kind));
}

/// A Machine as a release command has it: created without being started, then started.
async fn runs_once(server: &aeroform::emulator::http::Server, config: Value) -> String {
    let (path, _) = create(server, json!({"config": config, "skip_launch": true})).await;
    let stopped = format!("{path}/wait?state=stopped&timeout=30");
    assert_eq!(ask(server, "GET", &stopped, Value::Null).await.0, 200);
    let started = ask(server, "POST", &format!("{path}/start"), Value::Null).await;
    assert_eq!(started.0, 200, "{}", started.1);
    path
}

fn last_exit(machine: &Value) -> Value {
    let events = machine["events"].as_array().unwrap();
    let exit = events.iter().find(|event| event["type"] == "exit").unwrap();
    exit["request"]["exit_event"]["exit_code"].clone()
}

/// One that is destroyed when its command has ended.
fn once() -> Value {
    json!({"image": "x", "auto_destroy": true, "restart": {"policy": "no"}})
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_destroys_itself_ends_by_itself_and_is_forgotten_later() {
    let server = platform();
    let path = runs_once(&server, once()).await;
    let destroyed = format!("{path}/wait?state=destroyed&timeout=30");
    assert_eq!(ask(&server, "GET", &destroyed, Value::Null).await.0, 200);
    let (_, shown) = ask(&server, "GET", &path, Value::Null).await;
    assert_eq!(shown["state"], "destroyed");
    assert_eq!(last_exit(&shown), 0);
    let kinds: Vec<&Value> = shown["events"].as_array().unwrap()[..3]
        .iter()
        .map(|event| &event["status"])
        .collect();
    assert_eq!(kinds, ["destroyed", "destroying", "stopped"]);
    let (_, list) = ask(&server, "GET", MACHINES, Value::Null).await;
    assert_eq!(list, json!([]));
    let all = format!("{MACHINES}?include_deleted=true");
    let (_, list) = ask(&server, "GET", &all, Value::Null).await;
    assert_eq!(list.as_array().unwrap().len(), 1);
    let forgotten = server.world().timings.remembers_destroyed;
    tokio::time::sleep(forgotten).await;
    assert_eq!(ask(&server, "GET", &path, Value::Null).await.0, 404);

    // The fault gives the code, and another policy or no `auto_destroy` ends nothing.
    server
        .world()
        .inject(Fault::on("start", FaultEffect::ExitsAtOnce(7)));
    let path = runs_once(&server, once()).await;
    let destroyed = format!("{path}/wait?state=destroyed&timeout=30");
    assert_eq!(ask(&server, "GET", &destroyed, Value::Null).await.0, 200);
    let (_, shown) = ask(&server, "GET", &path, Value::Null).await;
    assert_eq!(last_exit(&shown), 7);
    for stays in [
        json!({"image": "x", "restart": {"policy": "no"}}),
        json!({"image": "x", "auto_destroy": true, "restart": {"policy": "always"}}),
    ] {
        let path = runs_once(&server, stays).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let (_, shown) = ask(&server, "GET", &path, Value::Null).await;
        assert_eq!(shown["state"], "started");
    }
}

#[tokio::test(start_paused = true)]
async fn faults_say_when_and_how_a_machine_that_destroys_itself_ends() {
    let server = platform();
    let killed = ExitsAfter {
        after: Duration::from_secs(40),
        code: 137,
        signal: Some(9),
        oom_killed: true,
        restarts: None,
    };
    let slow = FaultEffect::SlowStart(Duration::from_secs(20));
    server.world().inject(Fault::on("start", slow));
    let late = FaultEffect::ExitsAfter(killed);
    server.world().inject(Fault::on("start", late));
    let path = runs_once(&server, once()).await;
    let state = async || ask(&server, "GET", &path, Value::Null).await.1["state"].clone();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(state().await, "starting");
    let started = format!("{path}/wait?state=started&timeout=30");
    assert_eq!(ask(&server, "GET", &started, Value::Null).await.0, 200);
    // It is in the list while it runs.
    let (_, list) = ask(&server, "GET", MACHINES, Value::Null).await;
    assert_eq!(list[0]["state"], "started");
    tokio::time::sleep(Duration::from_secs(38)).await;
    assert_eq!(state().await, "started");
    let destroyed = format!("{path}/wait?state=destroyed&timeout=30");
    assert_eq!(ask(&server, "GET", &destroyed, Value::Null).await.0, 200);
    let (_, shown) = ask(&server, "GET", &path, Value::Null).await;
    let events = shown["events"].as_array().unwrap();
    let exits: Vec<&Value> = events
        .iter()
        .filter(|event| event["type"] == "exit")
        .collect();
    assert_eq!(exits.len(), 1);
    let exit = &exits[0]["request"]["exit_event"];
    assert_eq!(exit["exit_code"], 137);
    assert_eq!(exit["signal"], 9);
    assert_eq!(exit["oom_killed"], true);
    assert_eq!(exit["requested_stop"], false);
    assert_eq!(exit["restarting"], false);
    let kinds: Vec<&Value> = events.iter().map(|event| &event["type"]).collect();
    let exit = kinds.iter().position(|kind| *kind == "exit").unwrap();
    assert_eq!(kinds[exit + 1], "start", "{kinds:?}");
}

/// flyctl takes the 404 for a command that was quicker than its wait.
#[tokio::test(start_paused = true)]
async fn nobody_waits_for_the_start_of_a_machine_that_is_destroyed() {
    let server = platform();
    server
        .world()
        .inject(Fault::on("start", FaultEffect::ExitsAtOnce(1)));
    let path = runs_once(&server, once()).await;
    let started = format!("{path}/wait?state=started&timeout=30");
    assert_eq!(ask(&server, "GET", &started, Value::Null).await.0, 404);
    let (_, shown) = ask(&server, "GET", &path, Value::Null).await;
    assert_eq!(shown["state"], "destroyed");
    assert_eq!(last_exit(&shown), 1);
}
