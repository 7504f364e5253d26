//! Provider `fly` at the binary, over the emulated platform of another process of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use crate::terminal::Terminal;

pub(crate) const FLY: &str = "\
app = \"shop\"
primary_region = \"ams\"

[http_service]
  internal_port = 8080
";

pub(crate) const V1: &str = "registry.fly.io/shop:v1@sha256:1111111111111111111111111111111111111111111111111111111111111111";
const V2: &str = "registry.fly.io/shop:v2@sha256:2222222222222222222222222222222222222222222222222222222222222222";

/// An emulator that ends with the test.
pub(crate) struct Platform {
    process: Child,
    address: String,
}

impl Platform {
    pub(crate) fn start(sandbox: &Sandbox, more: &[&str]) -> Self {
        let listen = ["emulator", "--listen", "127.0.0.1:0", "--json"];
        let mut process = sandbox
            .command(&[&listen, more].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut lines = BufReader::new(process.stdout.as_mut().unwrap());
        lines.read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        let address = said["url"].as_str().unwrap().strip_prefix("http://");
        let address = address.unwrap().to_owned();
        Self { process, address }
    }

    /// One with this app, which nobody has used.
    pub(crate) fn with_app(sandbox: &Sandbox) -> Self {
        let platform = Self::start(sandbox, &["--rate-limits", "off"]);
        let app = json!({"name": "shop", "org_slug": "personal"});
        assert_eq!(platform.ask("POST", "/v1/apps", &app).0, 201);
        platform
    }

    /// Where it is served.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
             authorization: Bearer somebody\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer[9..12].parse().unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    pub(crate) fn machines(&self) -> Vec<Value> {
        let (_, list) = self.ask("GET", "/v1/apps/shop/machines", &Value::Null);
        list.as_array().unwrap().clone()
    }

    /// A Machine as `fly deploy` makes one.
    pub(crate) fn deployed(&self, group: &str, region: &str, image: &str) -> String {
        let metadata = json!({"fly_platform_version": "v2", "fly_process_group": group,
            "fly_release_id": "r1", "fly_release_version": "1", "fly_flyctl_version": "0.3.1"});
        let config = json!({"image": image, "init": {}, "metadata": metadata,
            "env": {"FLY_PROCESS_GROUP": group, "PRIMARY_REGION": "ams"},
            "guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256},
            "services": [{"protocol": "tcp", "internal_port": 8080, "force_instance_key": null,
                "ports": [{"port": 80, "handlers": ["http"]},
                          {"port": 443, "handlers": ["http", "tls"]}]}]});
        let body = json!({"region": region, "config": config});
        let (status, made) = self.ask("POST", "/v1/apps/shop/machines", &body);
        assert_eq!(status, 200, "{made}");
        let id = made["id"].as_str().unwrap().to_owned();
        let wait = format!("/v1/apps/shop/machines/{id}/wait");
        assert_eq!(self.ask("GET", &wait, &Value::Null).0, 200);
        id
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn on(sandbox: &Sandbox, platform: &Platform, args: &[&str]) -> Command {
    let mut command = sandbox.command(args);
    command
        .env("FLY_API_TOKEN", "FlyV1 fm2_s3cret")
        .env("FLY_FLAPS_BASE_URL", format!("http://{}", platform.address));
    command
}

pub(crate) fn run(sandbox: &Sandbox, platform: &Platform, args: &[&str]) -> String {
    let mut command = on(sandbox, platform, args);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let shown = sandbox.show(&output);
    assert!(!shown.contains("s3cret"), "{shown}");
    shown
}

pub(crate) fn project(aeroform: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", FLY);
    sandbox.write("aeroform.toml", &format!("provider = \"fly\"\n{aeroform}"));
    sandbox
}

#[test]
fn an_app_is_made_changed_and_taken_away_and_every_step_is_so() {
    let sandbox = project("[groups.app]\ncount = 2\n");
    let platform = Platform::with_app(&sandbox);
    let applied = run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    assert!(applied.contains("Apply complete: 2 created."), "{applied}");
    let again = ["plan", "--image", V1, "--detailed-exitcode"];
    let quiet = run(&sandbox, &platform, &again);
    assert!(quiet.starts_with("exit 0\n"), "{quiet}");
    let applied = run(&sandbox, &platform, &["apply", "-y", "--image", V2]);
    assert!(applied.contains("Apply complete: 2 updated."), "{applied}");
    for machine in platform.machines() {
        assert_eq!(machine["config"]["image"], V2);
        assert_eq!(machine["state"], "started");
        let id = machine["id"].as_str().unwrap();
        let lease = format!("/v1/apps/shop/machines/{id}/lease");
        assert_eq!(platform.ask("GET", &lease, &Value::Null).0, 404);
    }
    let away = ["destroy", "-y", "--allow-destroy=all"];
    let gone = run(&sandbox, &platform, &away);
    assert!(gone.contains("2 destroyed"), "{gone}");
    assert_eq!(platform.machines().len(), 0);
    assert!(!sandbox.read("state/shop.json").contains("s3cret"));
}

#[test]
fn what_fly_deploy_made_is_adopted_and_nothing_of_it_is_touched() {
    let sandbox = project("");
    let platform = Platform::with_app(&sandbox);
    let ids = [
        platform.deployed("app", "ams", V1),
        platform.deployed("app", "gru", V1),
    ];
    let console = platform.deployed("fly_app_console", "ams", V1);
    let before: Vec<Value> = platform.machines();
    let plan = run(&sandbox, &platform, &["plan"]);
    assert!(plan.contains("2 to adopt"), "{plan}");
    assert!(plan.contains(&console), "{plan}");
    let applied = run(&sandbox, &platform, &["apply", "-y"]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    assert_eq!(platform.machines(), before);
    let state = sandbox.read("state/shop.json");
    assert!(ids.iter().all(|id| state.contains(id.as_str())), "{state}");
    assert!(!state.contains(&console));
    let again = run(&sandbox, &platform, &["plan", "--detailed-exitcode"]);
    assert!(again.starts_with("exit 0\n"), "{again}");
}

#[test]
fn a_platform_in_a_file_is_there_again() {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let data = ["--rate-limits", "off", "--data", "fly.db"];
    let first = Platform::start(&sandbox, &data);
    let app = json!({"name": "shop", "org_slug": "personal"});
    assert_eq!(first.ask("POST", "/v1/apps", &app).0, 201);
    let id = first.deployed("app", "ams", V1);
    let shown = first.machines();
    drop(first);
    let second = Platform::start(&sandbox, &data);
    assert_eq!(second.machines()[0]["config"], shown[0]["config"]);
    assert_eq!(second.machines()[0]["created_at"], shown[0]["created_at"]);
    assert_ne!(second.deployed("app", "ams", V1), id);
    let away = "/v1/apps/shop?force=true";
    assert_eq!(second.ask("DELETE", away, &Value::Null).0, 202);
    drop(second);
    let third = Platform::start(&sandbox, &data);
    assert_eq!(third.ask("GET", "/v1/apps/shop", &Value::Null).0, 404);
}

/// Somebody else holds the lease of this Machine for so long.
pub(crate) fn hold(platform: &Platform, id: &str, seconds: u32) {
    let lease = format!("/v1/apps/shop/machines/{id}/lease");
    let why = json!({"ttl": seconds, "description": "deploying v7"});
    assert_eq!(platform.ask("POST", &lease, &why).0, 201);
}

#[test]
fn a_run_waits_for_whoever_is_at_work_on_the_app_and_says_who_that_is() {
    let sandbox = project("[groups.app]\ncount = 2\n");
    let platform = Platform::with_app(&sandbox);
    let id = platform.deployed("app", "ams", V1);
    hold(&platform, &id, 3);
    let applied = run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    assert!(
        applied.contains("waits for a lease, at most 30s"),
        "{applied}"
    );
    assert!(applied.contains("deploying v7"), "{applied}");
    let lease = format!("/v1/apps/shop/machines/{id}/lease");
    assert_eq!(platform.ask("GET", &lease, &Value::Null).0, 404);
}

/// What an import ends with where there is nothing.
pub(crate) fn empty(ends: impl FnOnce(Command) -> String) -> String {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", FLY);
    let platform = Platform::with_app(&sandbox);
    ends(on(&sandbox, &platform, &["import", "--json"]))
}

/// What a verb ends with that names a Machine of nobody.
pub(crate) fn foreign(ends: impl FnOnce(Command) -> String) -> String {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let platform = Platform::with_app(&sandbox);
    let body = json!({"region": "gru", "config": {"image": "busybox"}});
    let (_, made) = platform.ask("POST", "/v1/apps/shop/machines", &body);
    let id = made["id"].as_str().unwrap();
    ends(on(
        &sandbox,
        &platform,
        &["machine", "destroy", id, "--json"],
    ))
}

/// What a run ends with that meets a lease which does not end in time.
pub(crate) fn busy(ends: impl FnOnce(Command) -> String) -> String {
    let sandbox = project("[groups.app]\ncount = 2\n");
    let platform = Platform::with_app(&sandbox);
    let id = platform.deployed("app", "ams", V1);
    hold(&platform, &id, 300);
    ends(on(
        &sandbox,
        &platform,
        &["apply", "-y", "--image", V1, "--json"],
    ))
}

/// Makes a Machine another, as `fly machine update` does.
pub(crate) fn update(platform: &Platform, id: &str, change: impl FnOnce(&mut Value)) {
    let path = format!("/v1/apps/shop/machines/{id}");
    let (_, mut shown) = platform.ask("GET", &path, &Value::Null);
    change(&mut shown["config"]);
    let body = json!({"config": shown["config"]});
    assert_eq!(platform.ask("POST", &path, &body).0, 200);
    let wait = format!("{path}/wait");
    assert_eq!(platform.ask("GET", &wait, &Value::Null).0, 200);
}

#[test]
fn what_somebody_changed_is_drift_and_what_the_proxy_does_is_none() {
    let sandbox = project(&format!("image = \"{V1}\"\n[groups.app]\ncount = 2\n"));
    let platform = Platform::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y"]);
    let drift = ["drift", "--detailed-exitcode"];
    let quiet = run(&sandbox, &platform, &drift);
    assert!(quiet.starts_with("exit 0\n"), "{quiet}");
    assert!(quiet.contains("No drift."), "{quiet}");
    let machines = platform.machines();
    let id = |at: usize| machines[at]["id"].as_str().unwrap();
    let stop = format!("/v1/apps/shop/machines/{}/stop", id(0));
    assert_eq!(platform.ask("POST", &stop, &json!({})).0, 200);
    let metadata = format!("/v1/apps/shop/machines/{}/metadata/fly_release_id", id(0));
    assert_eq!(
        platform.ask("POST", &metadata, &json!({"value": "r9"})).0,
        204
    );
    let quiet = run(&sandbox, &platform, &drift);
    assert!(quiet.starts_with("exit 0\n"), "{quiet}");
    update(&platform, id(1), |config| {
        config["env"]["DEBUG"] = "1".into();
    });
    let seen = run(&sandbox, &platform, &drift);
    assert!(seen.starts_with("exit 2\n"), "{seen}");
    assert!(seen.contains(id(1)) && seen.contains("DEBUG"), "{seen}");
    assert!(!seen.contains(id(0)), "{seen}");
    let app = "/v1/apps/shop?force=true";
    assert_eq!(platform.ask("DELETE", app, &Value::Null).0, 202);
    let untold = run(&sandbox, &platform, &drift);
    assert!(untold.starts_with("exit 1\n"), "{untold}");
    assert!(untold.contains("cannot tell what has drifted"), "{untold}");
}

#[test]
fn a_refresh_takes_what_is_there_and_says_what_the_files_want_otherwise() {
    let sandbox = project(&format!("image = \"{V1}\"\n[groups.app]\ncount = 2\n"));
    let platform = Platform::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y"]);
    let machines = platform.machines();
    let id = |at: usize| machines[at]["id"].as_str().unwrap();
    update(&platform, id(0), |config| config["image"] = V2.into());
    let gone = format!("/v1/apps/shop/machines/{}?force=true", id(1));
    assert_eq!(platform.ask("DELETE", &gone, &Value::Null).0, 200);
    let added = platform.deployed("app", "gru", V1);
    let before = platform.machines();
    let shown = run(&sandbox, &platform, &["refresh", "-y"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(shown.contains("puts back image"), "{shown}");
    let instances =
        |list: &[Value]| -> Vec<Value> { list.iter().map(|m| m["instance_id"].clone()).collect() };
    assert_eq!(instances(&platform.machines()), instances(&before));
    let state = sandbox.read("state/shop.json");
    assert!(state.contains(&added) && !state.contains(id(1)), "{state}");
    let quiet = run(&sandbox, &platform, &["drift", "--detailed-exitcode"]);
    assert!(quiet.starts_with("exit 0\n"), "{quiet}");
    let plan = run(&sandbox, &platform, &["plan"]);
    assert!(plan.contains("1 to update"), "{plan}");
    assert!(!plan.contains("to create in"), "{plan}");
}

#[test]
fn an_import_writes_down_what_is_there_and_shows_what_fly_toml_would_change() {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", FLY);
    let platform = Platform::with_app(&sandbox);
    let empty = run(&sandbox, &platform, &["import"]);
    assert!(empty.starts_with("exit 1\n"), "{empty}");
    for region in ["ams", "ams", "gru"] {
        platform.deployed("app", region, V1);
    }
    let before = platform.machines();
    let shown = run(&sandbox, &platform, &["import"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(
        shown.contains("What the files would change now:"),
        "{shown}"
    );
    assert_eq!(platform.machines(), before);
    let ours = sandbox.read("aeroform.toml");
    assert!(ours.contains("regions = { ams = 2, gru = 1 }"), "{ours}");
    assert!(ours.contains(V1), "{ours}");
    let again = run(&sandbox, &platform, &["import"]);
    assert!(again.contains("is there already"), "{again}");
    sandbox.write("fly.toml", &format!("{FLY}\n[env]\nLOG = \"debug\"\n"));
    let plan = run(&sandbox, &platform, &["plan"]);
    assert!(plan.contains("3 to update"), "{plan}");
    assert!(plan.contains("LOG"), "{plan}");
}

#[test]
fn an_import_writes_the_digest_that_runs_under_a_tag_and_leaves_nothing_to_do() {
    const TAG: &str = "registry.fly.io/shop:v1";
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", FLY);
    let platform = Platform::with_app(&sandbox);
    for region in ["ams", "gru"] {
        platform.deployed("app", region, TAG);
    }
    let shown = run(&sandbox, &platform, &["import"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    let machines = platform.machines();
    assert_eq!(machines[0]["config"]["image"], TAG);
    let digest = machines[0]["image_ref"]["digest"].as_str().unwrap();
    let pinned = format!("image = \"{TAG}@{digest}\"\n");
    let ours = sandbox.read("aeroform.toml");
    assert!(ours.contains(&pinned), "{ours}");
    let applied = run(&sandbox, &platform, &["apply", "-y"]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    let plan = run(&sandbox, &platform, &["plan", "--detailed-exitcode"]);
    assert!(plan.starts_with("exit 0\n"), "{plan}");
    assert!(plan.contains("No changes"), "{plan}");
}

#[test]
fn a_region_that_only_the_platform_knows_is_right_once_it_is_asked() {
    let sandbox = project("[groups.app]\nregions = { ams = 1, emu = 1 }\n");
    let platform = Platform::with_app(&sandbox);
    for asks_nobody in [&["validate"][..], &["plan", "--refresh=false"]] {
        let refused = run(&sandbox, &platform, asks_nobody);
        assert!(refused.contains("error[unknown_region]"), "{refused}");
    }
    let applied = run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    assert!(applied.contains("Apply complete: 2 created."), "{applied}");
    sandbox.write(
        "aeroform.toml",
        "provider = \"fly\"\n[groups.app]\nregions = { ams = 1, zzz = 1 }\n",
    );
    let refused = run(&sandbox, &platform, &["plan"]);
    assert!(
        refused.contains("error[unknown_region]: `zzz`"),
        "{refused}"
    );
}

/// The code of a change of memory where the Machines have different CPUs and nobody wrote which.
pub(crate) fn different_sizes(code: impl Fn(Command) -> String) -> String {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", FLY);
    sandbox.write("aeroform.toml", "provider = \"fly\"\n");
    let platform = Platform::with_app(&sandbox);
    for (region, cpus) in [("ams", 1), ("fra", 2)] {
        let id = platform.deployed("app", region, V1);
        let path = format!("/v1/apps/shop/machines/{id}");
        let (_, mut machine) = platform.ask("GET", &path, &Value::Null);
        machine["config"]["guest"]["cpus"] = json!(cpus);
        machine["config"]["guest"]["memory_mb"] = json!(512);
        let body = json!({"config": machine["config"]});
        assert_eq!(platform.ask("POST", &path, &body).0, 200);
    }
    let scale = ["scale", "memory", "1024", "--plan-only", "--json"];
    code(on(&sandbox, &platform, &scale))
}

/// `fly deploy` of this image, from its release to its end.
fn fly_deploy(platform: &Platform, image: &str) {
    let body = json!({"app_name": "shop", "image": image, "strategy": "ROLLING"});
    let (status, made) = platform.ask("POST", "/api/v1/releases", &body);
    assert_eq!(status, 201, "{made}");
    let release = made["release"].clone();
    for machine in platform.machines() {
        update(platform, machine["id"].as_str().unwrap(), |config| {
            config["image"] = image.into();
            config["metadata"]["fly_release_id"] = release["id"].clone();
            config["metadata"]["fly_release_version"] = release["version"].to_string().into();
        });
    }
    let mark = format!("/api/v1/releases/{}", release["id"].as_str().unwrap());
    let complete = json!({"status": "complete"});
    assert_eq!(platform.ask("PATCH", &mark, &complete).0, 200);
}

#[test]
fn a_newer_release_is_taken_back_only_by_who_says_so() {
    let sandbox = project(&format!("image = \"{V1}\"\n[groups.app]\ncount = 1\n"));
    let platform = Platform::with_app(&sandbox);
    let applied = run(&sandbox, &platform, &["apply", "-y"]);
    assert!(applied.contains("Registers release v1."), "{applied}");
    assert!(applied.contains("release v1 is registered"), "{applied}");
    fly_deploy(&platform, V2);
    let told = "everts release v2 (sha256:222222222222) to sha256:111111111111 on 1 Machine";
    let refused = run(&sandbox, &platform, &["apply", "-y"]);
    assert!(refused.starts_with("exit 6\n"), "{refused}");
    assert!(refused.contains(&format!("R{told}.")), "{refused}");
    assert!(refused.contains(&format!("the plan r{told}")), "{refused}");
    assert!(refused.contains("add `--allow-revert`"), "{refused}");
    assert_eq!(platform.machines()[0]["config"]["image"], V2);
    let saved = run(
        &sandbox,
        &platform,
        &["plan", "--out", "next.plan", "--json"],
    );
    assert!(saved.contains("\"reverts\""), "{saved}");
    // Whoever deploys once more changes what was approved.
    fly_deploy(&platform, V2);
    let stale = run(&sandbox, &platform, &["apply", "next.plan"]);
    assert!(stale.starts_with("exit 4\n"), "{stale}");
    run(&sandbox, &platform, &["plan", "--out", "next.plan"]);
    let applied = run(&sandbox, &platform, &["apply", "next.plan"]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    assert_eq!(platform.machines()[0]["config"]["image"], V1);
    fly_deploy(&platform, V2);
    let applied = run(&sandbox, &platform, &["apply", "-y", "--allow-revert"]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    assert_eq!(platform.machines()[0]["config"]["image"], V1);
    let quiet = run(&sandbox, &platform, &["plan", "--detailed-exitcode"]);
    assert!(quiet.starts_with("exit 0\n"), "{quiet}");
}

#[test]
fn at_a_terminal_a_newer_release_is_taken_back_with_a_y_even_where_yes_was_said_before() {
    let sandbox = project(&format!("image = \"{V1}\"\n[groups.app]\ncount = 1\n"));
    let platform = Platform::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y"]);
    fly_deploy(&platform, V2);
    let mut terminal = Terminal::start(on(&sandbox, &platform, &["apply", "-y"]));
    terminal.expect("Reverts release v2");
    terminal.expect("Apply this plan? [y/N]");
    terminal.type_line("y");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert_eq!(platform.machines()[0]["config"]["image"], V1);
}

/// An apply beside a `fly deploy` that has begun, once it has said that it waits.
fn waits(sandbox: &Sandbox, platform: &Platform) -> (Child, BufReader<ChildStderr>, String) {
    let mut child = on(sandbox, platform, &["apply", "-y", "--image", V2])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("waits for release") {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "it did not wait");
    }
    (child, said, line)
}

#[test]
fn a_release_in_progress_is_waited_for_and_a_plan_warns_of_it() {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let platform = Platform::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    let body = json!({"app_name": "shop", "image": V1, "strategy": "ROLLING"});
    let (_, made) = platform.ask("POST", "/api/v1/releases", &body);
    let mark = format!(
        "/api/v1/releases/{}",
        made["release"]["id"].as_str().unwrap()
    );
    let status = |word: &str| {
        assert_eq!(
            platform.ask("PATCH", &mark, &json!({"status": word})).0,
            200
        );
    };
    status("running");
    let plan = run(&sandbox, &platform, &["plan", "--image", V2]);
    assert!(plan.starts_with("exit 0\n"), "{plan}");
    assert!(plan.contains("warning: release v2 by "), "{plan}");
    assert!(plan.contains(" is in progress: what is"), "{plan}");

    let (mut child, _, said) = waits(&sandbox, &platform);
    assert!(
        said.contains("release v2 by ") && said.contains("at most 1"),
        "{said}"
    );
    assert!(said.contains("(until 2026-01-02T03:1"), "{said}");
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(platform.machines()[0]["config"]["image"], V1);

    let (mut child, mut said, _) = waits(&sandbox, &platform);
    status("complete");
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{rest}");
    assert!(rest.contains("release v3 is registered"), "{rest}");
    assert_eq!(platform.machines()[0]["config"]["image"], V2);
}

#[test]
fn without_an_aeroform_toml_the_first_line_of_a_plan_says_who_named_the_provider() {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", FLY);
    let platform = Platform::with_app(&sandbox);
    platform.deployed("app", "ams", V1);
    let first = "shop · fly (no aeroform.toml names a provider: --provider does) · no state yet";
    let plan = run(&sandbox, &platform, &["--provider", "fly", "plan"]);
    assert!(plan.contains(first), "{plan}");
    sandbox.write("aeroform.toml", "provider = \"fly\"\n");
    let plan = run(&sandbox, &platform, &["plan"]);
    assert!(
        plan.contains("shop · fly · no state yet · 1 Machine read"),
        "{plan}"
    );
}

#[test]
fn what_goes_without_encryption_goes_through_no_proxy() {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let mut command = sandbox.command(&["plan"]);
    command
        .env("FLY_API_TOKEN", "fm2_s3cret")
        .env("FLY_FLAPS_BASE_URL", "http://_api.internal:4280");
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(name, &address);
    }
    let output = command.stdin(Stdio::null()).output().unwrap();
    let shown = sandbox.show(&output);
    assert!(shown.contains("could not be asked"), "{shown}");
    assert!(proxy.accept().is_err(), "the proxy was asked");
}

/// Applies until its release is registered, and is killed then. Gives the platform's releases.
fn killed(sandbox: &Sandbox, platform: &Platform) -> Value {
    let args = ["apply", "-y", "--json", "--image", V1];
    let mut child = on(sandbox, platform, &args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("\"release\"") || !line.contains("\"event\"") {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "no release");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    releases(platform)
}

fn releases(platform: &Platform) -> Value {
    let path = "/api/v1/apps/shop/releases";
    let (_, list) = platform.ask("GET", path, &Value::Null);
    let rows = list["releases"].as_array().unwrap().iter();
    rows.map(|release| release["status"].clone()).collect()
}

#[test]
fn a_run_that_died_with_its_release_in_progress_is_not_waited_for() {
    let sandbox = project("[groups.app]\ncount = 1\n");
    sandbox.write(
        "faults.toml",
        "[[fault]]\non = \"create\"\neffect = \"rate-limited\"\nfor = \"1s\"\n",
    );
    let platform = Platform::start(
        &sandbox,
        &["--rate-limits", "off", "--faults", "faults.toml"],
    );
    let app = json!({"name": "shop", "org_slug": "personal"});
    assert_eq!(platform.ask("POST", "/v1/apps", &app).0, 201);
    assert_eq!(killed(&sandbox, &platform), json!(["running"]));
    assert_eq!(platform.machines(), [Value::Null; 0]);
    let plan = run(&sandbox, &platform, &["plan", "--image", V1]);
    assert!(!plan.contains("is in progress"), "{plan}");
    let mut child = on(&sandbox, &platform, &["apply", "-y", "--image", V1])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.starts_with("waits for release") {
            child.kill().unwrap();
            panic!("{line}");
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(releases(&platform), json!(["complete", "interrupted"]));
    assert_eq!(platform.machines().len(), 1);
}
