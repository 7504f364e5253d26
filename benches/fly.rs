//! Reading a large fleet from the emulator through provider `fly` and planning it: processor time and memory
//! of the client.
//!
//! `cargo bench --bench fly`. The client is a process of its own, so that nothing else is measured.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use aeroform::core::fleet::{AppName, Known};
use aeroform::core::manifest::{self, Overrides, SourceFile};
use aeroform::core::plan::{Options, plan};
use aeroform::emulator::TokioClock;
use aeroform::emulator::http::{Server, router};
use aeroform::emulator::world::World;
use aeroform::observe::observe;
use aeroform::provider::fly::{Access, FlyProvider, HttpTransport};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

const MACHINES: usize = 10_000;
/// Where the client finds the emulator; set for the client alone.
const SERVED_AT: &str = "AEROFORM_BENCH_SERVED_AT";

fn main() {
    match std::env::var(SERVED_AT) {
        Ok(url) => read_and_plan(&url),
        Err(_) => serve(),
    }
}

fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
}

/// Fills the emulated platform and has the client read it.
fn serve() {
    let mut world = World::new("bench", Arc::new(TokioClock::start()));
    world.add_app("shop");
    let mut app = world.operator("shop");
    for number in 0..MACHINES {
        app.add(&format!("calm-river-{number}"), "ams", config())
            .expect("there is room");
    }
    let server = Server::new(world);
    let status = runtime().block_on(async move {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router(server)).await });
        let client = move || {
            let program = std::env::current_exe().expect("this program");
            Command::new(program).env(SERVED_AT, url).status()
        };
        tokio::task::spawn_blocking(client).await.expect("it runs")
    });
    assert!(status.expect("it runs").success());
}

fn settings() -> impl Iterator<Item = (String, String)> {
    (0..18).map(|n| (format!("SETTING_{n:02}"), format!("value number {n}")))
}

/// What `fly deploy` sends; the API shows some 2 KB of such a Machine.
fn config() -> Value {
    let mut env: serde_json::Map<String, Value> =
        settings().map(|(key, value)| (key, value.into())).collect();
    env.insert("FLY_PROCESS_GROUP".to_owned(), "web".into());
    env.insert("PRIMARY_REGION".to_owned(), "ams".into());
    json!({
        "image": "registry.fly.io/shop:v7@sha256:0000000000000000000000000000000000000000000000000000000000000000",
        "init": {"cmd": ["bin/web"]}, "env": env, "dns": {},
        "guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256},
        "metadata": {"fly_platform_version": "v2", "fly_process_group": "web",
            "fly_release_id": "r7", "fly_release_version": "7", "fly_flyctl_version": "0.3.1"},
        "services": [{"protocol": "tcp", "internal_port": 8080, "force_instance_key": null,
            "ports": [{"port": 80, "handlers": ["http"]}, {"port": 443, "handlers": ["http", "tls"]}],
            "checks": [{"type": "http", "path": "/up", "interval": "10s", "timeout": "2s"}]}],
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

fn read_and_plan(url: &str) {
    let settings = settings().map(|(key, value)| format!("{key} = \"{value}\""));
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
    let desired = manifest::load(file, None, &overrides).desired;
    let desired = desired.expect("a manifest");
    let access = Access::from_vars(|name| match name {
        "FLY_API_TOKEN" => Some("none"),
        "FLY_FLAPS_BASE_URL" => Some(url),
        _ => None,
    });
    let access = access.expect("a token");
    let transport = HttpTransport::new(&access).expect("a client");
    let provider = FlyProvider::new(transport, access);
    let known = Known::empty(AppName::new("shop").expect("a name"), "fly");
    let look = observe(&provider, &desired.app, &known);
    let observed = runtime().block_on(look).expect("an answer");
    let read = processor();
    let made = plan(&desired, &known, Some(&observed), &Options::default());
    let planned = processor().saturating_sub(read);
    assert_eq!(made.summary().adopt, MACHINES);
    println!(
        "{MACHINES} Machines: read {} ms, planned {} ms, at most {} MB in all",
        read.as_millis(),
        planned.as_millis(),
        peak() / 1024,
    );
}
