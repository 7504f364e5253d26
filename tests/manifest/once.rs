//! The commands that run once on a Machine of their own: `release_command` and `verify`.

use aeroform::core::fleet::{GroupName, OnceKind, Rollout};
use serde_json::{Value, json};

use crate::{on, project, rendered};

/// Everything of fly.toml that reaches a Machine, with a service, a check, a mount and metrics that do not reach these.
const FULL: &str = r#"app = "shop"
primary_region = "ams"
swap_size_mb = 512
kill_signal = "SIGTERM"
kill_timeout = 30
host_dedication_id = "h1"
machine_config = '{"env": {"BASE": "1"}, "schedule": "daily"}'

[experimental]
entrypoint = ["/tini", "--"]
exec = ["/x"]
cmd = ["y"]

[env]
LOG = "debug"
RELEASE_COMMAND = "no"

[processes]
web = "puma"
jobs = "sidekiq"

[deploy]
release_command = "bin/rails db:migrate 'a b'"

[[vm]]
size = "shared-cpu-1x"

[[services]]
internal_port = 80
processes = ["web"]
[[services.ports]]
port = 80

[checks.up]
type = "tcp"
port = 80

[[mounts]]
source = "data"
destination = "/data"
processes = ["jobs"]

[metrics]
port = 9091
path = "/metrics"

[[statics]]
guest_path = "/app/public"
url_prefix = "/public"

[[files]]
guest_path = "/etc/a"
raw_value = "hello"
"#;

fn rollout(fly: &str, aeroform: &str, provider: &str) -> (Rollout, Vec<&'static str>) {
    let loaded = project(fly.as_bytes(), Some(aeroform.as_bytes()), &on(provider));
    let text = rendered(&loaded);
    let codes = loaded.diagnostics.iter().map(|found| found.code).collect();
    (
        loaded.desired.unwrap_or_else(|| panic!("{text}")).rollout,
        codes,
    )
}

fn config(rollout: &Rollout, kind: OnceKind) -> Value {
    serde_json::to_value(&rollout.once_command(kind).unwrap().template).unwrap()
}

/// What `ToReleaseMachineConfig` of flyctl writes, without metadata and guest.
#[test]
fn the_machine_of_the_release_command_has_the_config_that_flyctl_gives_it() {
    let (rollout, _) = rollout(FULL, "", "fly");
    let expected = json!({
        "auto_destroy": true,
        "dns": { "skip_registration": true },
        "env": {
            "FLY_PROCESS_GROUP": "fly_app_release_command",
            "LOG": "debug",
            "PRIMARY_REGION": "ams",
            "RELEASE_COMMAND": "1",
        },
        "files": [{ "guest_path": "/etc/a", "raw_value": "aGVsbG8=" }],
        "init": {
            "cmd": ["bin/rails", "db:migrate", "a b"],
            "entrypoint": ["/tini", "--"],
            "swap_size_mb": 512,
        },
        "restart": { "policy": "no" },
        "stop_config": { "signal": "SIGTERM", "timeout": "30s" },
    });
    assert_eq!(config(&rollout, OnceKind::ReleaseCommand), expected);
    let command = rollout.release_command.as_deref().unwrap();
    assert_eq!(command.host_dedication_id.as_deref(), Some("h1"));
    assert_eq!(command.guest, None);
    assert_eq!(rollout.default_group, Some(GroupName::new("jobs").unwrap()));
}

#[test]
fn the_machine_of_verify_differs_from_it_in_command_group_and_variable() {
    let verify = "[deploy]\nverify = \"bin/smoke --all\"\n";
    let (rollout, _) = rollout(FULL, verify, "fly");
    let mut expected = config(&rollout, OnceKind::ReleaseCommand);
    expected["init"]["cmd"] = json!(["bin/smoke", "--all"]);
    let env = expected["env"].as_object_mut().unwrap();
    env["FLY_PROCESS_GROUP"] = json!("fly_app_test_machine_command");
    // Without the variable of the command, the one of `[env]` stays.
    env["RELEASE_COMMAND"] = json!("no");
    env.insert("AEROFORM_VERIFY".to_owned(), json!("1"));
    assert_eq!(config(&rollout, OnceKind::Verify), expected);
    let command = rollout.verify.as_deref().unwrap();
    assert_eq!(command.timeout_s, Some(300));
    assert_eq!(command.location, "aeroform.toml:2");
    assert_eq!(command.host_dedication_id.as_deref(), Some("h1"));
}

#[test]
fn both_run_with_the_size_of_release_command_vm() {
    let size =
        "app = \"a\"\n[processes]\nweb = \"w\"\n[deploy.release_command_vm]\nmemory = \"2gb\"\n";
    let verify = "[deploy]\nverify = \"bin/smoke\"\n";
    let (only, codes) = rollout(size, verify, "fly");
    assert_eq!(codes, Vec::<&str>::new());
    assert_eq!(only.release_command, None);
    let guest = only.verify.unwrap().guest.unwrap();
    assert_eq!(guest.memory_mb, Some(2048));
    let both = format!("{size}[deploy]\nrelease_command = \"r\"\n").replace(
        "[deploy.release_command_vm]\nmemory = \"2gb\"\n[deploy]\n",
        "[deploy]\nrelease_command_vm = { memory = \"2gb\" }\n",
    );
    let (both, _) = rollout(&both, verify, "fly");
    assert_eq!(
        both.release_command.unwrap().guest,
        both.verify.unwrap().guest
    );
}

#[test]
fn verify_may_take_five_minutes_or_as_long_as_it_wants() {
    let timeout = |text: &str| {
        let aeroform = format!("[deploy]\nverify = \"v\"\n{text}");
        let (rollout, codes) = rollout(
            "app = \"a\"\n[processes]\nweb = \"w\"\n",
            &aeroform,
            "local",
        );
        assert_eq!(codes, Vec::<&str>::new(), "{text}");
        rollout.verify.unwrap().timeout_s
    };
    assert_eq!(timeout(""), Some(300));
    assert_eq!(timeout("verify_timeout = \"1m30s\""), Some(90));
    assert_eq!(timeout("verify_timeout = 7"), Some(7));
    assert_eq!(timeout("verify_timeout = 0"), None);
}

#[test]
fn shell_syntax_in_verify_is_no_mistake_under_an_entrypoint() {
    let aeroform = "[deploy]\nverify = \"a && b\"\n";
    let codes = |fly: &str| rollout(fly, aeroform, "local").1;
    let fly = "app = \"a\"\n[processes]\nweb = \"w\"\n";
    assert_eq!(codes(fly), ["shell_syntax"]);
    let entrypoint = format!("{fly}[experimental]\nentrypoint = [\"sh\", \"-c\"]\n");
    assert_eq!(codes(&entrypoint), Vec::<&str>::new());
}

#[test]
fn an_unwritten_command_does_not_exist() {
    let (rollout, _) = rollout(
        "app = \"a\"\n[deploy]\nrelease_command = \" \"\n",
        "",
        "fly",
    );
    assert_eq!(rollout.release_command, None);
    assert_eq!(rollout.verify, None);
    assert_eq!(rollout.default_group, Some(GroupName::new("app").unwrap()));
}
