//! Secrets that stand in manifests: found by their form wherever they stand, named by `validate`, and neither
//! printed nor kept.

use std::process::Stdio;

use sha2::{Digest, Sha256};

use super::{everything_in, holds};
use crate::fly::{EmulatorProcess, FLY, V1, on, update};
use crate::sandbox::Sandbox;

/// The secrets, each of another form.
const SECRETS: [&str; 8] = [
    "sk_live_0123456789abcdef",
    "hunter2pw",
    "kjhGFd765rfGHJk",
    "abcd1234efgh5678",
    "Zk3Jd9fQ2mX7vB1nR5tY8wL0",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "tok3nInAPath",
    "MIIEpAIBAAKCAQEA",
];

const MANIFEST: &str = r#"app = "shop"
primary_region = "ams"

[processes]
  web = "sh -c 'exec sleep 1000' x --token=sk_live_0123456789abcdef --url redis://:hunter2pw@host --password kjhGFd765rfGHJk"

[env]
  HARMLESS = "https://ghp_abcdefghijklmnopqrstuvwxyz0123456789@github.com/x"
  ANOTHER = "Zk3Jd9fQ2mX7vB1nR5tY8wL0"
  PEM = """-----BEGIN RSA PRIVATE KEY-----
MIIEpAIBAAKCAQEA
-----END RSA PRIVATE KEY-----"""

[checks.up]
  type = "http"
  port = 9
  interval = "1h"
  grace_period = "1h"
  path = "/up?token=tok3nInAPath"
  [checks.up.headers]
    X-Harmless = "Bearer abcd1234efgh5678"

[deploy]
  wait_timeout = "1s"
"#;

fn assert_hidden(what: &str, bytes: &[u8]) {
    for secret in SECRETS {
        assert!(
            !holds(bytes, secret),
            "{what} has {secret}:\n{}",
            String::from_utf8_lossy(bytes)
        );
    }
}

/// Files in the project, which are searched in the end.
const EVERY_FORM: [&str; 6] = [
    "--also",
    "text=forms.txt",
    "--also",
    "json=forms.json",
    "--also",
    "markdown=forms.md",
];

fn output(sandbox: &Sandbox, args: &[&str]) -> Vec<u8> {
    let mut command = sandbox.command(args);
    for variable in ["GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"] {
        command.env(variable, sandbox.project().join(variable));
    }
    let output = command.stdin(Stdio::null()).output().unwrap();
    [output.stdout, output.stderr].concat()
}

/// Holds rule 37.
#[test]
fn no_command_prints_a_secret_of_the_manifest_and_nothing_keeps_one() {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", MANIFEST);
    sandbox.write(
        "aeroform.toml",
        "provider = \"local\"\n[groups.web]\ncount = 1\n",
    );
    let before: [&[&str]; 12] = [
        &["validate"],
        &["validate", "--json"],
        &["validate", "--format", "github"],
        &["show", "config"],
        &["show", "config", "--json"],
        &["plan"],
        &["plan", "--json", "-v"],
        &["plan", "--out", "next.plan"],
        &["plan", "--format", "markdown", "-v"],
        &["plan", "--format", "github"],
        &["plan", "--format", "gitlab"],
        &[&["plan", "--budget", "262144"][..], &EVERY_FORM].concat(),
    ];
    for args in before {
        assert_hidden(&format!("{args:?}"), &output(&sandbox, args));
    }
    // The check never passes, and that is not the point.
    let applied = output(&sandbox, &["apply", "-y"]);
    assert!(holds(&applied, "Apply incomplete") || holds(&applied, "Apply failed"));
    assert_hidden("apply", &applied);
    let shown = sandbox.read("fly.toml");
    sandbox.write(
        "fly.toml",
        &shown.replace("exec sleep 1000", "exec sleep 1001"),
    );
    let after: [&[&str]; 15] = [
        &["plan"],
        &["plan", "--json"],
        &["plan", "--refresh=false", "-v"],
        &["status"],
        &["status", "--json"],
        &["state", "show"],
        &["state", "list", "--json"],
        &["drift"],
        &["drift", "--json"],
        &["drift", "--format", "github", "--also", "markdown=drift.md"],
        &["refresh", "-y"],
        &["machine", "list", "--json"],
        &["scale", "show"],
        &["scale", "count", "web=2", "--plan-only"],
        &[
            "scale",
            "memory",
            "512",
            "-g",
            "web",
            "--plan-only",
            "--json",
        ],
    ];
    for args in after {
        assert_hidden(&format!("{args:?}"), &output(&sandbox, args));
    }
    for (name, bytes) in everything_in(&sandbox.project()) {
        if !name.ends_with("fly.toml") {
            assert_hidden(&name, &bytes);
        }
    }
    for (name, bytes) in everything_in(&sandbox.state_dir()) {
        // A local Machine has to be started with what it is to run.
        if name.contains("journal") {
            assert_hidden(&name, &bytes);
        }
    }
    // Whoever wants to see them says so.
    let shown = output(&sandbox, &["show", "config", "--show-secrets"]);
    assert!(holds(&shown, "sk_live_0123456789abcdef") && holds(&shown, "MIIEpAIBAAKCAQEA"));
}

const FLY_MANIFEST: &str = r#"app = "shop"
primary_region = "ams"

[processes]
  app = "serve --token=sk_live_0123456789abcdef --url redis://:hunter2pw@host --password kjhGFd765rfGHJk"

[env]
  LOG = "1"
  HARMLESS = "https://ghp_abcdefghijklmnopqrstuvwxyz0123456789@github.com/x"
  ANOTHER = "Zk3Jd9fQ2mX7vB1nR5tY8wL0"
  PEM = """-----BEGIN RSA PRIVATE KEY-----
MIIEpAIBAAKCAQEA
-----END RSA PRIVATE KEY-----"""

[[files]]
  guest_path = "/raw"
  raw_value = "password=passw0rdInAFile"

[[files]]
  guest_path = "/local"
  local_path = "local-file"

[checks.up]
  type = "http"
  port = 9
  path = "/up?token=tok3nInAPath"
  [checks.up.headers]
    X-Harmless = "Bearer abcd1234efgh5678"
"#;

/// What stands in the files of [`FLY_MANIFEST`], as it is and as it is sent.
const IN_FILES: [&str; 4] = [
    "passw0rdInAFile",
    "cGFzc3dvcmQ9cGFzc3cwcmRJbkFGaWxl",
    "anotherPassw0rd",
    "YW5vdGhlclBhc3N3MHJk",
];

/// Every form of a run and of drift, on standard output and beside it, and what a step of a workflow leaves.
///
/// Holds rule 37.
#[test]
fn no_form_of_a_run_or_of_drift_has_a_secret_of_the_manifest() {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", FLY_MANIFEST);
    sandbox.write("local-file", "anotherPassw0rd");
    sandbox.write(
        "aeroform.toml",
        "provider = \"fly\"\n[groups.app]\ncount = 3\n",
    );
    // The platform's own words repeat a secret that was sent.
    let faults = "[[fault]]\non = \"update\"\nnth = 5\ntimes = 1000\neffect = \"refuse\"\n\
                  message = \"cannot run serve --token=sk_live_0123456789abcdef\"\n";
    let platform = EmulatorProcess::with_faults(&sandbox, faults);
    let run = |args: &[&str], code: i32| {
        let mut command = on(&sandbox, &platform, args);
        for variable in ["GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"] {
            command.env(variable, sandbox.project().join(variable));
        }
        let output = command.stdin(Stdio::null()).output().unwrap();
        let shown = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&shown).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{text}");
        assert_all_hidden(&format!("{args:?}"), &shown);
    };
    let forms: [&[&str]; 5] = [
        &["--format", "github"],
        &["--format", "github", "-v"],
        &["--format", "markdown", "-v"],
        &["--format", "json", "-v"],
        &["-v"],
    ];
    let mut number = 0;
    let mut in_every_form = |command: &[&str], code: i32| {
        for form in forms {
            number += 1;
            let also = ["markdown", "json", "text"].map(|kind| format!("{kind}=form-{number}"));
            let also: Vec<String> = also
                .iter()
                .map(|file| format!("{file}.{}", &file[..4]))
                .collect();
            let also = also.iter().flat_map(|file| ["--also", file]);
            let args: Vec<&str> = command.iter().chain(form).copied().chain(also).collect();
            run(&args, code);
            let first = sandbox.read(&format!("form-{number}.mark"));
            assert!(first.starts_with("<!-- aeroform {"), "{args:?}\n{first}");
        }
    };
    // Refused, complete, and without changes.
    let apply = ["apply", "--image", V1, "--no-wait-release"];
    in_every_form(&apply, 6);
    let confirmed = [&apply[..], &["-y"]].concat();
    in_every_form(&confirmed, 0);
    // What somebody changed outside, with a secret of the manifest.
    for machine in platform.machines() {
        update(&platform, machine["id"].as_str().unwrap(), |config| {
            config["env"]["LINK"] = "redis://:hunter2pw@host".into();
        });
    }
    in_every_form(&["drift"], 0);
    in_every_form(&["drift", "--detailed-exitcode"], 2);
    // Failed: as a saved plan, which is applied once, and as the expected one.
    let edited = FLY_MANIFEST.replace("LOG = \"1\"", "LOG = \"2\"");
    sandbox.write("fly.toml", &edited);
    run(&["plan", "--image", V1, "--out", "saved.plan"], 0);
    let saved = ["apply", "saved.plan", "--no-wait-release"];
    run(&[&saved[..], &["--format", "github"]].concat(), 3);
    in_every_form(&[&apply[..], &["--expect", "saved.plan"]].concat(), 3);
    let inputs = ["fly.toml", "local-file", "faults.toml"];
    for (name, bytes) in everything_in(&sandbox.project())
        .into_iter()
        .chain(everything_in(&sandbox.state_dir()))
    {
        if !inputs.iter().any(|input| name.ends_with(input)) {
            assert_all_hidden(&name, &bytes);
        }
    }
}

fn assert_all_hidden(what: &str, bytes: &[u8]) {
    assert_hidden(what, bytes);
    for secret in IN_FILES {
        assert!(
            !holds(bytes, secret),
            "{what} has {secret}:\n{}",
            String::from_utf8_lossy(bytes)
        );
    }
}

#[test]
fn validate_names_the_place_of_each_secret() {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", MANIFEST);
    sandbox.write(
        "aeroform.toml",
        "image = \"ana:hunter2pw@registry.example/shop:1\"\n[state]\npath = \"state/shop.json\"\n",
    );
    let shown = sandbox.run(&["validate"]);
    for place in [
        "fly.toml:5:3",
        "fly.toml:8:3",
        "fly.toml:9:3",
        "fly.toml:10:3",
        "fly.toml:19:3",
        "fly.toml:21:5",
        "aeroform.toml:1:1",
    ] {
        assert!(shown.contains(place), "{place}:\n{shown}");
    }
}

/// Holds rule 37.
#[test]
fn a_secret_that_changes_is_seen_offline_and_its_value_is_not() {
    let sandbox = Sandbox::new();
    let with = |token: &str| {
        format!(
            "app = \"shop\"\n[processes]\nweb = \"sh -c 'exec sleep 1000' x --token={token}\"\n"
        )
    };
    sandbox.write("fly.toml", &with("sk_live_0123456789abcdef"));
    sandbox.write(
        "aeroform.toml",
        "provider = \"local\"\n[groups.web]\ncount = 1\n",
    );
    sandbox.apply();
    let offline = sandbox.run(&["plan", "--refresh=false"]);
    assert!(
        offline.contains("No changes") || offline.contains("no changes"),
        "{offline}"
    );
    sandbox.write("fly.toml", &with("sk_live_fedcba9876543210"));
    for args in [&["plan", "--refresh=false"][..], &["plan"]] {
        let shown = sandbox.run(args);
        assert!(shown.contains("1 to update"), "{shown}");
        assert!(shown.contains("hidden"), "{shown}");
        assert!(!shown.contains("sk_live_"), "{shown}");
    }
}

#[test]
fn a_state_with_a_secret_in_clear_is_rewritten_by_the_next_apply_which_warns() {
    let sandbox = Sandbox::new();
    let secret = "--token=sk_live_0123456789abcdef";
    sandbox.write(
        "fly.toml",
        &format!("app = \"shop\"\n[processes]\nweb = \"sh -c 'exec sleep 1000' x {secret}\"\n"),
    );
    sandbox.write(
        "aeroform.toml",
        "provider = \"local\"\n[groups.web]\ncount = 1\n",
    );
    sandbox.apply();
    // What an earlier version has written.
    let state = sandbox.read("state/shop.json");
    assert!(!state.contains("sk_live_"), "{state}");
    let hash = regex::Regex::new("hmac-sha256:[0-9a-f]{64}").unwrap();
    let config = regex::Regex::new(r#""digest": "([0-9a-f]{32})", "body": (\{.*\})\}\}"#).unwrap();
    let found = config.captures(&state).unwrap_or_else(|| panic!("{state}"));
    let body: serde_json::Value = serde_json::from_str(&found[2]).unwrap();
    let body = hash.replace(&body.to_string(), secret).into_owned();
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(body.as_bytes())[..16]);
    let clear = hash.replace(&state, secret).replace(&found[1], &digest);
    assert!(clear.contains(secret));
    sandbox.write("state/shop.json", &clear);
    for args in [&["plan"][..], &["plan", "--refresh=false"]] {
        let plan = sandbox.run(args);
        assert!(plan.contains("a secret in clear"), "{plan}");
        assert!(
            !plan.contains("to update") && !plan.contains("sk_live_"),
            "{plan}"
        );
    }
    let applied = sandbox.run(&["apply", "-y"]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    assert!(applied.contains("history"), "{applied}");
    assert!(!sandbox.read("state/shop.json").contains("sk_live_"));
    let plan = sandbox.run(&["plan"]);
    assert!(!plan.contains("in clear"), "{plan}");
}

#[test]
fn a_config_on_the_platform_is_shown_without_its_secrets() {
    let sandbox = Sandbox::new();
    let platform = EmulatorProcess::with_app(&sandbox);
    sandbox.write("fly.toml", FLY);
    let id = platform.deployed("app", "ams", V1);
    let path = format!("/v1/apps/shop/machines/{id}");
    let (_, machine) = platform.ask("GET", &path, &serde_json::Value::Null);
    let mut config = machine["config"].clone();
    config["init"]["cmd"] = serde_json::json!(["x", "--password", "kjhGFd765rfGHJk"]);
    config["env"]["LINK"] = "redis://:hunter2pw@host".into();
    let (status, _) = platform.ask("POST", &path, &serde_json::json!({ "config": config }));
    assert_eq!(status, 200);
    let run = |args: &[&str]| {
        let mut command = sandbox.command(args);
        command
            .env("FLY_FLAPS_BASE_URL", platform.url())
            .env("FLY_API_TOKEN", "somebody")
            .stdin(Stdio::null());
        let output = command.output().unwrap();
        [output.stdout, output.stderr].concat()
    };
    for args in [
        &["plan", "--provider", "fly"][..],
        &["plan", "--provider", "fly", "--json", "-v"],
        &["machine", "status", &id, "--provider", "fly"],
        &["machine", "status", &id, "--provider", "fly", "--json"],
        &["status", "--provider", "fly", "--json"],
        &["import", "--provider", "fly", "-y"],
        &["drift", "--provider", "fly"],
        &["refresh", "--provider", "fly", "-y"],
        &["apply", "--provider", "fly", "-y"],
        &["state", "show", "--provider", "fly"],
    ] {
        assert_hidden(&format!("{args:?}"), &run(args));
    }
    for (name, bytes) in everything_in(&sandbox.project()) {
        assert_hidden(&name, &bytes);
    }
}
