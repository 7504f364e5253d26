//! Restarts, checks, environment, ports and logs.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use aeroform::core::fleet::schema::{Check, Service};
use aeroform::core::fleet::{Call, CheckState, Machine, MachineConfig, MachineState, WaitUntil};
use aeroform::provider::{ErrorClass, LogLine, LogQuery, LogScope, Provider};

use crate::ports::free_ports;
use crate::world::*;

#[tokio::test]
async fn a_crash_is_restarted_with_growing_pauses_until_the_retries_are_used_up() {
    let world = LocalFixture::new();
    let mut config = script("date +%s%N >> starts; exit 3");
    config.restart = Some(restart("on-failure", Some(2)));
    let machine = world.try_create("web-1", config).await.unwrap();
    let failed = world
        .until(&machine, |now| now.state == MachineState::Failed)
        .await;
    assert_eq!(
        (
            failed.restarts,
            failed.last_exit().and_then(|exit| exit.code)
        ),
        (2, Some(3))
    );
    let detail = failed.detail.unwrap();
    assert_eq!(detail, "exit code 3, given up after 2 restarts");
    let starts: Vec<u128> = world
        .file("starts")
        .await
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    assert_eq!(starts.len(), 3);
    let pause = |n: usize| Duration::from_nanos((starts[n] - starts[n - 1]).try_into().unwrap());
    assert!(pause(1) >= Duration::from_millis(200), "{starts:?}");
    assert!(pause(2) >= Duration::from_millis(400), "{starts:?}");
    assert!(world.processes().is_empty());

    let waited = world
        .provider
        .wait(&world.app, &machine.id, WaitUntil::Started, TEST_TIMEOUT);
    let error = waited.await.unwrap_err();
    assert_eq!(
        (error.code, &error.class),
        ("machine_failed", &ErrorClass::Transient)
    );
    assert!(error.message.contains("exit code 3"), "{error}");
}

#[tokio::test]
async fn waiting_for_a_machine_that_keeps_ending_ends_early_with_its_last_words() {
    let world = LocalFixture::new();
    let mut config = script("echo no database; exit 3");
    config.restart = Some(restart("always", None));
    let machine = world.try_create("web-1", config).await.unwrap();
    let patience = Duration::from_secs(300);
    let waited = world
        .provider
        .wait(&world.app, &machine.id, WaitUntil::Started, patience);
    let error = tokio::time::timeout(patience / 5, waited)
        .await
        .expect("it does not wait to the end")
        .unwrap_err();
    assert_eq!(
        (error.code, &error.class),
        ("machine_keeps_ending", &ErrorClass::Transient)
    );
    assert!(error.message.contains("exit code 3"), "{error}");
    assert!(error.hint.unwrap().contains("no database"));
}

#[tokio::test]
async fn each_restart_policy_does_what_it_says_after_a_good_end() {
    let world = LocalFixture::new();
    let config = |policy| MachineConfig {
        restart: policy,
        ..script("exit 0")
    };
    let always = Some(restart("always", None));
    let always = world.try_create("web-1", config(always)).await.unwrap();
    let never = Some(restart("no", None));
    let never = world.try_create("web-2", config(never)).await.unwrap();
    let absent = world.try_create("web-3", config(None)).await.unwrap();
    world
        .until(&always, |now| {
            let detail = now.detail.as_deref().unwrap_or_default();
            now.restarts >= 2 && detail.contains("exit code 0")
        })
        .await;
    for machine in [&never, &absent] {
        let stopped = world.wait(machine, WaitUntil::Stopped).await;
        assert_eq!(
            (
                stopped.restarts,
                stopped.last_exit().and_then(|exit| exit.code)
            ),
            (0, Some(0))
        );
        assert_eq!(stopped.detail.as_deref(), Some("exit code 0"));
    }
    // A job that is never restarted and ended well was started; a server that ended was not.
    world.wait(&never, WaitUntil::Started).await;
    let waited = world
        .provider
        .wait(&world.app, &absent.id, WaitUntil::Started, TEST_TIMEOUT);
    assert_eq!(waited.await.unwrap_err().code, "machine_stopped");
}

#[tokio::test]
async fn a_command_that_cannot_run_fails_at_once_and_says_why() {
    let world = LocalFixture::new();
    let config = runs(&["no-such-program-anywhere"]);
    let machine = world.try_create("web-1", config).await.unwrap();
    let failed = world
        .until(&machine, |now| now.state == MachineState::Failed)
        .await;
    assert_eq!(failed.restarts, 0);
    assert!(
        failed
            .detail
            .unwrap()
            .contains("`no-such-program-anywhere`")
    );

    let refused = world.try_create("web-2", MachineConfig::default()).await;
    assert_eq!(refused.unwrap_err().code, "no_command");
}

#[tokio::test]
async fn the_environment_is_the_configs_and_the_providers_and_nothing_of_the_callers() {
    let world = LocalFixture::new();
    let mut config =
        script("env > seen.tmp; echo done >> seen.tmp; mv seen.tmp seen; exec sleep 1000");
    let env = [
        ("GREETING", "hello"),
        ("FLY_MACHINE_ID", "forged"),
        ("PORT", "1"),
        ("PRIMARY_REGION", "bog"),
    ];
    config.env = Some(env.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    let machine = world.started("web-1", config).await;
    let seen = world.file("seen").await;
    let has = |line: &str| assert!(seen.lines().any(|found| found == line), "{line} in {seen}");
    has("GREETING=hello");
    has("FLY_APP_NAME=shop");
    has(&format!("FLY_MACHINE_ID={}", machine.id));
    has("FLY_REGION=ams");
    has("FLY_PROCESS_GROUP=web");
    has("PRIMARY_REGION=bog");
    has("FLY_PRIVATE_IP=127.0.0.1");
    has(&format!("PORT={}", machine.port.unwrap()));
    has(&format!("PATH={}", std::env::var("PATH").unwrap()));
    assert!(!seen.contains("forged"));
    assert!(
        !seen.contains("CARGO"),
        "the caller's own variables stay out"
    );
}

#[tokio::test]
async fn a_port_in_use_is_replaced_by_the_next_and_its_user_is_named() {
    let world = LocalFixture::new();
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut call = create_call("web-1", sleeper());
    call.port = Some(port);
    let call = Call::Create(Box::new(call));
    let receipt = world.provider.call(&world.app, &call).await.unwrap();
    let machine = receipt.machine.unwrap();
    assert!(machine.port.unwrap() != port, "{machine:?}");
    let remark = receipt.remark.unwrap();
    let own = format!("port {port} is in use by pid {}", std::process::id());
    assert!(remark.starts_with(&own), "{remark}");
    assert!(remark.contains("local-"), "the test binary: {remark}");
    let end = format!("the Machine gets port {}", machine.port.unwrap());
    assert!(remark.ends_with(&end), "{remark}");
}

#[tokio::test]
async fn a_port_of_another_machine_is_given_to_no_one_even_while_that_one_is_stopped() {
    let world = LocalFixture::new();
    let first = world.started("web-1", sleeper()).await;
    world.stop(&first).await;
    let mut call = create_call("web-2", sleeper());
    call.port = first.port;
    let call = Call::Create(Box::new(call));
    let receipt = world.provider.call(&world.app, &call).await.unwrap();
    assert_ne!(receipt.machine.unwrap().port, first.port);
    let remark = receipt.remark.unwrap();
    assert!(remark.contains(first.id.as_str()), "{remark}");
}

#[tokio::test]
async fn two_apps_get_ports_of_their_own() {
    let world = LocalFixture::new();
    let base = async |name: &str| {
        let app = aeroform::core::fleet::AppName::new(name).unwrap();
        let description = world.provider.describe(&app).await.unwrap();
        description.capabilities.port_base.unwrap()
    };
    assert_eq!((base("shop").await, base("blog").await), (8100, 8200));
    assert_eq!(base("shop").await, 8100);
}

fn http_check(path: &str) -> Check {
    Check {
        r#type: Some("http".to_owned()),
        path: Some(path.to_owned()),
        interval: Some("100ms".to_owned()),
        timeout: Some("2s".to_owned()),
        grace_period: Some("0s".to_owned()),
        ..Check::default()
    }
}

/// A server that answers 200 while `healthy` is there and 503 otherwise.
const SERVER: &str = r#"
import http.server, os
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        good = self.path == "/up" and os.path.exists("healthy")
        self.send_response(200 if good else 503)
        self.end_headers()
        self.wfile.write(b"database is away")
    def log_message(self, *a): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"#;

fn check<'a>(machine: &'a Machine, name: &str) -> &'a aeroform::core::fleet::CheckStatus {
    let found = machine.checks.iter().find(|check| check.name == name);
    found.unwrap_or_else(|| panic!("no check {name} in {machine:?}"))
}

#[tokio::test]
async fn checks_go_to_the_machines_own_port_and_follow_what_is_so() {
    let world = LocalFixture::new();
    std::fs::write(world.project().join("healthy"), "").unwrap();
    let mut config = runs(&["python3", "-c", SERVER]);
    config.services = Some(vec![Service {
        internal_port: Some(8080),
        checks: Some(vec![http_check("/up")]),
        ..Service::default()
    }]);
    config.checks = Some(
        [
            ("alive".to_owned(), tcp(Some(8080))),
            ("elsewhere".to_owned(), tcp(Some(free_ports(1)))),
        ]
        .into(),
    );
    let machine = world.started("web-1", config.clone()).await;
    let passing = world
        .until(&machine, |now| {
            check(now, "http-8080-/up").status == CheckState::Passing
                && check(now, "alive").status == CheckState::Passing
        })
        .await;
    assert_eq!(check(&passing, "elsewhere").status, CheckState::Critical);
    let address = format!("http://127.0.0.1:{}", machine.port.unwrap());
    assert_eq!(passing.address, Some(address));
    let time = check(&passing, "alive").updated_at.clone();
    world
        .until(&machine, |now| check(now, "alive").updated_at > time)
        .await;

    std::fs::remove_file(world.project().join("healthy")).unwrap();
    let failing = world
        .until(&machine, |now| {
            check(now, "http-8080-/up").status == CheckState::Critical
        })
        .await;
    let output = &check(&failing, "http-8080-/up").output;
    assert!(
        output.contains("503") && output.contains("database is away"),
        "{output}"
    );
    assert_eq!(failing.state, MachineState::Started);

    // Results from before an update count no more: this one replaces the server by none.
    std::fs::write(world.project().join("healthy"), "").unwrap();
    let passing = world
        .until(&machine, |now| {
            check(now, "http-8080-/up").status == CheckState::Passing
        })
        .await;
    config.init = sleeper().init;
    let mut after = world.update(&passing, config).await;
    while !is_started(&after) {
        let checks = &after.checks;
        let none_passes = checks
            .iter()
            .all(|check| check.status != CheckState::Passing);
        assert!(none_passes, "{after:?}");
        after = world.get(&machine).await;
        tokio::task::yield_now().await;
    }
}

fn tcp(port: Option<u16>) -> Check {
    Check {
        r#type: Some("tcp".to_owned()),
        port,
        path: None,
        ..http_check("")
    }
}

#[tokio::test]
async fn failures_within_the_grace_period_are_warnings() {
    let world = LocalFixture::new();
    let mut config = sleeper();
    let mut one = http_check("/");
    one.grace_period = Some("1500ms".to_owned());
    config.checks = Some([("web".to_owned(), one)].into());
    let machine = world.started("web-1", config).await;
    let first = world
        .until(&machine, |now| !check(now, "web").updated_at.is_empty())
        .await;
    assert_eq!(check(&first, "web").status, CheckState::Warning);
    world
        .until(&machine, |now| {
            check(now, "web").status == CheckState::Critical
        })
        .await;
}

#[tokio::test]
async fn a_check_of_a_port_without_a_listener_names_its_variable() {
    let world = LocalFixture::new();
    let mut config = sleeper();
    let elsewhere = tcp(Some(free_ports(1)));
    config.checks = Some(
        [
            ("own".to_owned(), tcp(None)),
            ("elsewhere".to_owned(), elsewhere),
        ]
        .into(),
    );
    let machine = world.started("web-1", config).await;
    let failing = world
        .until(&machine, |now| {
            ["own", "elsewhere"]
                .iter()
                .all(|name| check(now, name).status == CheckState::Critical)
        })
        .await;
    assert!(check(&failing, "own").output.contains("as `PORT`"));
    assert!(!check(&failing, "elsewhere").output.contains("`PORT`"));
}

async fn lines(world: &LocalFixture, query: LogQuery) -> Vec<LogLine> {
    let mut lines = Vec::new();
    let mut sink = |line| {
        lines.push(line);
        true
    };
    let sent = world.provider.logs(&world.app, &query, &mut sink);
    sent.await.unwrap();
    lines
}

#[tokio::test]
async fn a_log_keeps_the_newest_lines_within_its_cap() {
    let mut world = LocalFixture::new();
    world.provider = world.provider_with_cap(4096);
    let text = "i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done; echo oops >&2; \
                echo end > end; exec sleep 1000";
    let machine = world.started("web-1", script(text)).await;
    world.file("end").await;
    let query = |tail| LogQuery {
        known_machines: std::collections::BTreeSet::new(),
        scope: LogScope::Machine(machine.id.clone()),
        follow: false,
        tail,
    };
    let newest = async || lines(&world, query(Some(2))).await;
    let deadline = Instant::now() + TEST_TIMEOUT;
    loop {
        let texts: Vec<String> = newest().await.into_iter().map(|line| line.text).collect();
        if texts == ["line 499", "oops"] {
            break;
        }
        assert!(Instant::now() < deadline, "{texts:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let dir = world.machine_dir(&machine);
    for name in ["log", "log.1"] {
        let size = std::fs::metadata(dir.join(name)).unwrap().len();
        assert!((1..=4096).contains(&size), "{name} has {size} bytes");
    }
    let all = lines(&world, query(None)).await;
    assert!(all.len() > 100 && all.windows(2).all(|pair| pair[0].at <= pair[1].at));
}

#[tokio::test]
async fn followed_logs_of_two_machines_come_as_they_are_written() {
    let world = LocalFixture::new();
    let text = "n=0; while :; do n=$((n+1)); echo $FLY_MACHINE_ID $n; sleep 0.05; done";
    let one = world.started("web-1", script(text)).await;
    let two = world.started("web-2", script(text)).await;
    let query = LogQuery {
        known_machines: std::collections::BTreeSet::new(),
        scope: LogScope::Group(one.group.clone().unwrap()),
        follow: true,
        tail: Some(0),
    };
    let mut seen = Vec::new();
    let mut sink = |line: LogLine| {
        assert!(line.text.starts_with(line.machine.as_str()), "{line:?}");
        seen.push(line.machine);
        let count = |id| seen.iter().filter(|seen| *seen == id).count();
        count(&one.id) < 3 || count(&two.id) < 3
    };
    let sent = world.provider.logs(&world.app, &query, &mut sink);
    tokio::time::timeout(TEST_TIMEOUT, sent)
        .await
        .unwrap()
        .unwrap();
}
