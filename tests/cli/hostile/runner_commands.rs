//! A manifest gives no orders to the CI runner that prints what Aeroform says about it.

use std::process::{Output, Stdio};

use insta::assert_snapshot;

use super::assert_harmless;
use crate::sandbox::Sandbox;

const ORDERS: [&str; 4] = [
    "##[set-output name=approved;]true",
    "##vso[task.setvariable variable=x]y",
    "::error file=a::b",
    "\u{202e}\u{200f}gnitirw",
];

/// Manifests that cause diagnostics, each with a place for an order: name of the file, and its text.
const MANIFESTS: &[(&str, &str)] = &[
    ("fly.toml", "app = \"shop\"\nkil_signal = 1 # ORDER\n"),
    ("fly.toml", "app = \"shop\"\n\"ORDER\" = 1\n"),
    ("fly.toml", "app = \"shop\"\n[\"ORDER\"]\nx = 1\n"),
    ("fly.toml", "app = \"ORDER\"\n[processes]\nweb = \"a\"\n"),
    ("fly.toml", "app = \"shop\"\nprimary_region = \"ORDER\"\n"),
    ("fly.toml", "app = \"shop\"\nkill_timeout = \"ORDER\"\n"),
    ("fly.toml", "app = \"shop\"\nkill_timeout = '''\nORDER'''\n"),
    ("fly.toml", "app = \"shop\" ORDER\n"),
    ("fly.toml", "app = \"shop\nORDER\n"),
    (
        "fly.toml",
        "app = \"shop\"\n[processes]\n\"ORDER\" = \"sleep 1\"\n",
    ),
    (
        "fly.toml",
        "app = \"shop\"\n[processes]\nweb = \"ORDER 'x\"\n",
    ),
    (
        "fly.toml",
        "app = \"shop\"\n[processes]\nweb = \"sleep ORDER\"\n",
    ),
    ("fly.toml", "app = \"shop\"\n[[vm]]\nsize = \"ORDER\"\n"),
    (
        "fly.toml",
        "app = \"shop\"\n[[vm]]\nmemory = \"ORDER\" # ORDER\n",
    ),
    (
        "fly.toml",
        "app = \"shop\"\n[[mounts]]\nsource = \"ORDER\"\n",
    ),
    (
        "fly.toml",
        "app = \"shop\"\n[[files]]\nguest_path = \"/a\"\nlocal_path = \"ORDER\"\n",
    ),
    (
        "fly.toml",
        "app = \"shop\"\n[env]\nAPI_TOKEN = \"kjhGFd765rfGHJk\" # ORDER\n",
    ),
    (
        "fly.toml",
        "app = \"shop\"\n[deploy]\nstrategy = \"ORDER\"\nrelease_command = \"ORDER\"\n",
    ),
    (
        "fly.toml",
        "app = \"shop\"\n[[services]]\nprotocol = \"ORDER\"\nprocesses = [\"ORDER\"]\n",
    ),
    (
        "fly.toml",
        "app = \"shop\"\n[checks.\"ORDER\"]\ntype = \"ORDER\"\n",
    ),
    ("fly.toml", "app = \"shop\"\n[build]\nimage = \"ORDER\"\n"),
    ("aeroform.toml", "countt = 1 # ORDER\n"),
    ("aeroform.toml", "[groups.\"ORDER\"]\ncount = 1\n"),
    ("aeroform.toml", "provider = \"ORDER\"\n"),
    ("aeroform.toml", "config = \"ORDER\"\n"),
    ("aeroform.toml", "[state]\npath = \"../../../ORDER\"\n"),
    ("aeroform.toml", "[state]\nurl = \"https://ORDER\"\n"),
    ("aeroform.toml", "[groups.app]\nregions = [\"ORDER\"]\n"),
    (
        "aeroform.toml",
        "[[moved]]\nfrom = \"ORDER\"\nto = \"app\"\n",
    ),
    ("fly.json", "{\"app\": \"shop\", \"ORDER\": 1 /* ORDER */}"),
    ("fly.yaml", "app: shop\nORDER_: [ # ORDER\n"),
];

const COMMANDS: &[&[&str]] = &[
    &["validate"],
    &["validate", "--strict"],
    &["validate", "--json"],
    &["show", "config"],
    &["plan"],
    &["plan", "--refresh=false"],
    &["plan", "--refresh=false", "--json"],
    &["status"],
    &["drift"],
    &["apply", "-y", "--allow-destroy=all"],
    &["scale", "show"],
    &["scale", "count", "app=2", "--dry-run"],
    &["machine", "list"],
    &["init"],
];

fn run(sandbox: &Sandbox, args: &[&str], colored: bool) -> Output {
    let mut command = sandbox.command(args);
    if colored {
        command.env("CLICOLOR_FORCE", "1");
    }
    command.stdin(Stdio::null()).output().unwrap()
}

/// TOML in which a string cannot hold the order as it is gets it with an escape sequence more.
fn filled(text: &str, order: &str) -> String {
    text.replace("ORDER", order)
}

#[test]
fn no_manifest_that_causes_diagnostics_gives_an_order_in_any_command() {
    for (at, (file, text)) in MANIFESTS.iter().enumerate() {
        let sandbox = Sandbox::new();
        // Every file with one order of its own keeps this test short; the orders are one mechanism.
        let order = ORDERS[at % ORDERS.len()];
        if *file == "aeroform.toml" {
            sandbox.write("fly.toml", "app = \"shop\"\n");
        } else {
            sandbox.write("aeroform.toml", "[groups.app]\ncount = 0\n");
        }
        sandbox.write(file, &filled(text, order));
        for (number, command) in COMMANDS.iter().enumerate() {
            let mut args: Vec<&str> = command.to_vec();
            if file.starts_with("fly.") && *file != "fly.toml" {
                args.splice(0..0, ["-c", file]);
            }
            let colored = (at + number) % 2 == 0;
            let output = run(&sandbox, &args, colored);
            assert_harmless(&format!("{file} {text:?} {args:?}"), &output, colored);
        }
    }
}

#[test]
fn every_order_is_harmless_in_comments_keys_and_escape_sequences() {
    for order in ORDERS {
        let sandbox = Sandbox::new();
        let text = format!(
            "app = \"shop\"\nx = 1 # {order}\n\"{order}\" = 1\ny = \"\\n{order}\\u001b[2J\\r{order}\"\n\
             [env]\nA = 1 # {order}\n\"FLY_\\u001b[31m{order}\" = \"\\n{order}\"\n"
        );
        sandbox.write("fly.toml", &text);
        for args in [
            &["validate"][..],
            &["validate", "--strict"],
            &["validate", "--json"],
            &["show", "config"],
            &["show", "config", "--json"],
            &["plan", "--refresh=false", "--provider", "local"],
        ] {
            for colored in [false, true] {
                let output = run(&sandbox, args, colored);
                assert_harmless(&format!("{order} {args:?}"), &output, colored);
            }
        }
        let shown = run(&sandbox, &["show", "config", "--json"], false);
        let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
        let env = &shown["groups"][0]["config"]["env"];
        let name = format!("FLY_\u{1b}[31m{order}");
        assert_eq!(
            env[&name],
            format!("\n{order}"),
            "values in JSON stay true: {shown}"
        );
    }
}

#[test]
fn names_of_files_folders_and_flags_give_no_order() {
    for order in ORDERS {
        let sandbox = Sandbox::new();
        let name = format!("{}.toml", order.replace('/', "_"));
        sandbox.write(&name, "app = \"shop\"\nkil_signal = 1\n");
        sandbox.write(&format!("{order}/fly.toml"), "app = \"shop\"\n");
        for args in [
            &["-c", &name, "validate"][..],
            &["-c", &name, "validate", "--json"],
            &["-c", &name, "plan", "--refresh=false"],
            &["-C", order, "validate"],
            &["-C", order, "init"],
            &["-c", order, "plan", "--provider", "local"],
            &[order],
            &["plan", order],
            &["-a", order, "plan", "--provider", order],
            &["--color", order],
            &["scale", "count", order],
            &["apply", order],
            &["-c", "\u{1b}[31mnone\n::error::x", "validate"],
            &["\u{1b}[31mnone\n::error::x"],
        ] {
            for colored in [false, true] {
                let output = run(&sandbox, args, colored);
                assert_harmless(&format!("{args:?}"), &output, colored);
            }
        }
    }
}

#[test]
fn a_snippet_keeps_its_columns_where_its_line_is_escaped() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "fly.toml",
        "app = \"shop\"\n\"##[x]\" = { kil = 1 } # ##[set-output name=approved;]true\n\
         services = \"\u{202e}::error::x\" # \t::error::y\n",
    );
    assert_snapshot!(sandbox.run(&["validate"]));
}

/// What is written for a runner on purpose is compared as a whole.
#[test]
fn annotations_hold_no_order_but_their_own() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "fly.toml",
        "app = \"shop\"\nkil_signal = 1 # ##[set-output name=approved;]true\n\"::error::x\" = 1\n\
         \"##[x]%0A::stop-commands::y\" = 2\n",
    );
    assert_snapshot!(sandbox.run(&["validate", "--format", "github"]));
}

#[test]
fn log_lines_and_names_of_machines_give_no_order() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "fly.toml",
        "app = \"shop\"\n[processes]\nweb = \"\"\"sh -c 'echo \"##[error]a\"; echo \"::error::b\"; \
         printf \"\\\\033[2Jc\\\\n\"; exec sleep 1000'\"\"\"\n",
    );
    sandbox.write(
        "aeroform.toml",
        "provider = \"local\"\n[groups.web]\ncount = 1\n",
    );
    let applied = run(&sandbox, &["apply", "-y"], false);
    assert!(applied.status.success(), "{}", sandbox.show(&applied));
    assert_harmless("apply", &applied, false);
    for args in [
        &["logs"][..],
        &["logs", "--json"],
        &["status"],
        &["status", "--json"],
        &["state", "show"],
        &["machine", "list"],
        &["plan", "--json"],
    ] {
        let output = run(&sandbox, args, false);
        assert!(output.status.success(), "{}", sandbox.show(&output));
        assert_harmless(&format!("{args:?}"), &output, false);
    }
    let logs = String::from_utf8(run(&sandbox, &["logs"], false).stdout).unwrap();
    assert!(logs.contains("\\u{23}#[error]a"), "{logs}");
    // The group's command stands there as it is written.
    let shown = run(&sandbox, &["state", "show"], false);
    let state: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert!(state.to_string().contains("##[error]a"), "{state}");
}
