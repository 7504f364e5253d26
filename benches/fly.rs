//! Reading a large fleet through provider `fly` and planning it: processor time and memory of the client.
//!
//! `cargo bench --bench fly`. The body is made beforehand, so that only the client is measured.

use std::time::Duration;

use aeroform::core::fleet::{AppName, Known};
use aeroform::core::manifest::{self, Overrides, SourceFile};
use aeroform::core::plan::{Options, plan};
use aeroform::observe::observe;
use aeroform::provider::fly::{Access, FlyProvider, Request, Response, Transport, TransportError};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

const MACHINES: usize = 10_000;

struct Canned(Vec<u8>);

#[async_trait::async_trait]
impl Transport for Canned {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let (_, path) = request.url.split_once("/v1/apps/").unwrap_or(("", ""));
        let body = match path {
            "shop" => json!({"id": "scope", "machine_count": MACHINES})
                .to_string()
                .into_bytes(),
            "shop/machines" => self.0.clone(),
            _ => b"[]".to_vec(),
        };
        Ok(Response {
            status: 200,
            body,
            ..Response::default()
        })
    }
}

/// A Machine as `fly deploy` leaves one, of about 2 KB.
fn machine(number: usize) -> Value {
    let env: serde_json::Map<String, Value> = (0..20)
        .map(|n| {
            (
                format!("SETTING_{n:02}"),
                format!("value number {n}").into(),
            )
        })
        .collect();
    let mut env = env;
    env.insert("FLY_PROCESS_GROUP".to_owned(), "web".into());
    env.insert("PRIMARY_REGION".to_owned(), "ams".into());
    json!({
        "id": format!("{number:014x}"), "name": format!("calm-river-{number}"), "state": "started",
        "region": "ams", "instance_id": format!("01{number:024}"), "version": format!("01{number:024}"),
        "private_ip": "fdaa:0:1:a7b:1:2:3:2", "host_status": "ok", "cordoned": false,
        "created_at": "2026-11-01T10:00:00Z", "updated_at": "2026-11-01T10:00:09Z", "checks": [],
        "config": {
            "image": "registry.fly.io/shop:v7@sha256:0000000000000000000000000000000000000000000000000000000000000000",
            "init": {"cmd": ["bin/web"]}, "env": env, "dns": {},
            "guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256},
            "metadata": {"fly_platform_version": "v2", "fly_process_group": "web",
                "fly_release_id": "r7", "fly_release_version": "7", "fly_flyctl_version": "0.3.1"},
            "services": [{"protocol": "tcp", "internal_port": 8080, "force_instance_key": null,
                "ports": [{"port": 80, "handlers": ["http"]}, {"port": 443, "handlers": ["http", "tls"]}],
                "checks": [{"type": "http", "path": "/up", "interval": "10s", "timeout": "2s"}]}],
        },
        "events": [
            {"id": "01", "type": "start", "status": "started", "source": "flyd", "timestamp": 1_793_527_209_000_i64},
            {"id": "00", "type": "launch", "status": "created", "source": "user", "timestamp": 1_793_527_200_000_i64},
        ],
    })
}

fn processor() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

/// The most memory that this process has had, kB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn main() {
    let body = {
        let all: Vec<String> = (0..MACHINES).map(|n| machine(n).to_string()).collect();
        format!("[{}]", all.join(",")).into_bytes()
    };
    let bytes = body.len();
    let access = Access::of_vars(|name| (name == "FLY_API_TOKEN").then_some("t")).expect("a token");
    let provider = FlyProvider::new(Canned(body), access);
    let settings = (0..20).map(|n| format!("SETTING_{n:02} = \"value number {n}\""));
    let settings = settings.collect::<Vec<_>>().join("\n");
    let fly = format!(
        "app = \"shop\"\nprimary_region = \"ams\"\n[env]\n{settings}\n[processes]\nweb = \"bin/web\"\n\
         [http_service]\ninternal_port = 8080\nprocesses = [\"web\"]\n[[http_service.checks]]\n\
         path = \"/up\"\ninterval = \"10s\"\ntimeout = \"2s\"\n"
    );
    let overrides = Overrides {
        provider: Some("fly".to_owned()),
        ..Overrides::default()
    };
    let file = SourceFile {
        path: "fly.toml",
        bytes: fly.as_bytes(),
    };
    let desired = manifest::load(file, None, &overrides)
        .desired
        .expect("a manifest");
    let known = Known::empty(AppName::new("shop").expect("a name"), "fly");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let (before, began) = (peak(), processor());
    let look = observe(&provider, &desired.app, &known);
    let observed = runtime.block_on(look).expect("an answer");
    let read = processor().saturating_sub(began);
    let made = plan(&desired, &known, Some(&observed), &Options::default());
    let planned = processor().saturating_sub(began).saturating_sub(read);
    println!(
        "{MACHINES} Machines, {bytes} bytes: read {} ms, planned {} ms, {} MB more at most, {} steps",
        read.as_millis(),
        planned.as_millis(),
        peak().saturating_sub(before) / 1024,
        made.steps.len()
    );
}
