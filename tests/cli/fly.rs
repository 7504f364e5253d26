//! The emulated platform of another process, and what tests of provider `fly` begin with.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

pub(crate) const FLY: &str = "\
app = \"shop\"
primary_region = \"ams\"

[http_service]
  internal_port = 8080
";

pub(crate) const V1: &str = "registry.fly.io/shop:v1@sha256:1111111111111111111111111111111111111111111111111111111111111111";
pub(crate) const V2: &str = "registry.fly.io/shop:v2@sha256:2222222222222222222222222222222222222222222222222222222222222222";

/// An emulator that ends with the test.
pub(crate) struct EmulatorProcess {
    process: Child,
    address: String,
}

impl EmulatorProcess {
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

    /// One with this app, without Machines.
    pub(crate) fn with_app(sandbox: &Sandbox) -> Self {
        Self::start(sandbox, &["--rate-limits", "off"]).and_app()
    }

    /// The same, with a file of faults that says this.
    pub(crate) fn with_faults(sandbox: &Sandbox, faults: &str) -> Self {
        sandbox.write("faults.toml", faults);
        let more = ["--rate-limits", "off", "--faults", "faults.toml"];
        Self::start(sandbox, &more).and_app()
    }

    pub(crate) fn and_app(self) -> Self {
        let app = json!({"name": "shop", "org_slug": "personal"});
        assert_eq!(self.ask("POST", "/v1/apps", &app).0, 201);
        self
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
        let (status, created) = self.ask("POST", "/v1/apps/shop/machines", &body);
        assert_eq!(status, 200, "{created}");
        let id = created["id"].as_str().unwrap().to_owned();
        let wait = format!("/v1/apps/shop/machines/{id}/wait");
        assert_eq!(self.ask("GET", &wait, &Value::Null).0, 200);
        id
    }
}

impl Drop for EmulatorProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn on(sandbox: &Sandbox, platform: &EmulatorProcess, args: &[&str]) -> Command {
    let mut command = sandbox.command(args);
    command
        .env("FLY_API_TOKEN", "FlyV1 fm2_s3cret")
        .env("FLY_FLAPS_BASE_URL", format!("http://{}", platform.address));
    command
}

pub(crate) fn run(sandbox: &Sandbox, platform: &EmulatorProcess, args: &[&str]) -> String {
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

/// Somebody else holds the lease of this Machine for so long.
pub(crate) fn hold(platform: &EmulatorProcess, id: &str, seconds: u32) {
    let lease = format!("/v1/apps/shop/machines/{id}/lease");
    let why = json!({"ttl": seconds, "description": "deploying v7"});
    assert_eq!(platform.ask("POST", &lease, &why).0, 201);
}

/// Makes a Machine another, as `fly machine update` does.
pub(crate) fn update(platform: &EmulatorProcess, id: &str, change: impl FnOnce(&mut Value)) {
    let path = format!("/v1/apps/shop/machines/{id}");
    let (_, mut shown) = platform.ask("GET", &path, &Value::Null);
    change(&mut shown["config"]);
    let body = json!({"config": shown["config"]});
    assert_eq!(platform.ask("POST", &path, &body).0, 200);
    let wait = format!("{path}/wait");
    assert_eq!(platform.ask("GET", &wait, &Value::Null).0, 200);
}

#[test]
fn a_rate_limit_before_a_run_is_reported_as_one() {
    let sandbox = project("[groups.app]\ncount = 2\n");
    let faults = "[[fault]]\non = \"lease\"\neffect = \"rate-limited\"\nfor = \"1s\"\n";
    let platform = EmulatorProcess::with_faults(&sandbox, faults);
    platform.deployed("app", "ams", V1);
    let applied = run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    assert!(applied.contains("for the rate limit: "), "{applied}");
    assert!(!applied.contains("for a lease"), "{applied}");
}

#[test]
fn a_run_takes_no_lease_of_a_machine_that_is_to_be_left_alone() {
    let sandbox = project("[groups.app]\ncount = 3\n");
    let platform = EmulatorProcess::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    let machines = platform.machines();
    let ids = machines
        .iter()
        .map(|machine| machine["id"].as_str().unwrap());
    let id = ids.min().unwrap();
    run(&sandbox, &platform, &["state", "rm", id]);
    hold(&platform, id, 300);
    let applied = run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    assert!(!applied.contains("for a lease"), "{applied}");
    assert_eq!(platform.machines().len(), 4, "{applied}");
}

/// What an import ends with where there is nothing.
pub(crate) fn empty(error_of: impl FnOnce(Command) -> String) -> String {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", FLY);
    let platform = EmulatorProcess::with_app(&sandbox);
    error_of(on(&sandbox, &platform, &["import", "--json"]))
}

/// The result of a verb that names an unmanaged Machine.
pub(crate) fn other_app(error_of: impl FnOnce(Command) -> String) -> String {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let platform = EmulatorProcess::with_app(&sandbox);
    let body = json!({"region": "gru", "config": {"image": "busybox"}});
    let (_, created) = platform.ask("POST", "/v1/apps/shop/machines", &body);
    let id = created["id"].as_str().unwrap();
    error_of(on(
        &sandbox,
        &platform,
        &["machine", "destroy", id, "--json"],
    ))
}

/// What a run ends with that meets a lease which does not end in time.
pub(crate) fn busy(error_of: impl FnOnce(Command) -> String) -> String {
    let sandbox = project("[groups.app]\ncount = 2\n");
    let platform = EmulatorProcess::with_app(&sandbox);
    let id = platform.deployed("app", "ams", V1);
    hold(&platform, &id, 300);
    error_of(on(
        &sandbox,
        &platform,
        &["apply", "-y", "--image", V1, "--json"],
    ))
}

/// The code of a change of memory where the Machines have different, unwritten CPUs.
pub(crate) fn different_sizes(code: impl Fn(Command) -> String) -> String {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", FLY);
    sandbox.write("aeroform.toml", "provider = \"fly\"\n");
    let platform = EmulatorProcess::with_app(&sandbox);
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
