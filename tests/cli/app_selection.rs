//! Which app a command is about: `--app`, then `FLY_APP`, then fly.toml, as with flyctl; and that no verb
//! writes the files of another one.

use std::process::Stdio;

use insta::assert_snapshot;

use crate::sandbox::Sandbox;

fn with_variable(sandbox: &Sandbox, app: &str, args: &[&str]) -> String {
    let mut command = sandbox.command(args);
    command.env("FLY_APP", app).stdin(Stdio::null());
    sandbox.show(&command.output().unwrap())
}

/// Every verb that writes fly.toml or aeroform.toml.
const EDITS: [&[&str]; 16] = [
    &["scale", "count", "web=3"],
    &["scale", "count", "web=0", "--edit-only"],
    &["scale", "count", "web=3", "--plan-only"],
    &["scale", "vm", "shared-cpu-2x", "-g", "web"],
    &["scale", "memory", "512", "-g", "web"],
    &["group", "add", "cron", "sleep 1"],
    &["group", "rename", "jobs", "work"],
    &["group", "remove", "jobs"],
    &["regions", "add", "fra", "-g", "web"],
    &["regions", "remove", "ams", "-g", "web"],
    &["regions", "drain", "ams"],
    &["machine", "destroy", "x"],
    &["machine", "clone", "x", "--region", "fra"],
    &["machine", "move", "x", "--to", "jobs"],
    &[
        "machine",
        "update",
        "x",
        "--metadata",
        "fly_process_group=jobs",
    ],
    &["machine", "destroy"],
];

#[test]
fn no_verb_edits_the_files_of_another_app() {
    let sandbox = Sandbox::with_app();
    let files = (sandbox.read("fly.toml"), sandbox.read("aeroform.toml"));
    for edit in EDITS {
        let plain = ["--plan-only", "--edit-only"]
            .iter()
            .any(|flag| edit.contains(flag));
        let yes: &[&str] = if plain { &[] } else { &["-y"] };
        let by_flag = sandbox.run(&[&["-a", "staging"], edit, yes].concat());
        let by_variable = with_variable(&sandbox, "staging", &[edit, yes].concat());
        for shown in [by_flag, by_variable] {
            assert!(shown.starts_with("exit 1\n"), "{edit:?}: {shown}");
            let expected = "`fly.toml` belongs to app `shop`";
            assert!(shown.contains(expected), "{edit:?}: {shown}");
            assert!(!shown.contains("--- stdout"), "{edit:?}: {shown}");
        }
    }
    let now = (sandbox.read("fly.toml"), sandbox.read("aeroform.toml"));
    assert_eq!(files, now);
    assert!(sandbox.untouched(), "nobody was asked");
    assert_snapshot!(sandbox.run(&["-a", "staging", "scale", "count", "web=3", "-y"]), @"
    exit 1
    --- stderr
    error: `fly.toml` belongs to app `shop`, and --app names `staging`; nothing was changed
    hint: use the files of `staging` with `-c FILE`; to change `shop`, remove `--app`
    ");
}

#[test]
fn init_and_import_write_no_file_beside_that_of_another_app() {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", Sandbox::FLY);
    for verb in [&["init"][..], &["import"]] {
        let shown = sandbox.run(&[&["-a", "staging"], verb].concat());
        assert!(shown.starts_with("exit 1\n"), "{shown}");
        assert!(
            shown.contains("`fly.toml` belongs to app `shop`"),
            "{shown}"
        );
        let shown = with_variable(&sandbox, "staging", verb);
        assert!(shown.contains("FLY_APP names `staging`"), "{shown}");
    }
    assert!(!sandbox.project().join("aeroform.toml").exists());
    assert!(!sandbox.project().join(".gitignore").exists());
}

#[test]
fn the_app_that_the_files_name_may_be_named_again_and_edited() {
    let sandbox = Sandbox::with_app();
    let edit = ["scale", "count", "web=3", "--edit-only", "--refresh=false"];
    let shown = sandbox.run(&[&["-a", "shop"][..], &edit].concat());
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    let edit = ["scale", "count", "web=2", "--edit-only", "--refresh=false"];
    let shown = with_variable(&sandbox, "shop", &edit);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(sandbox.read("aeroform.toml").contains("ams = 2"));
}

#[test]
fn files_that_name_no_app_or_a_placeholder_are_of_any_app() {
    for first in [
        "",
        "app = \"\"\n",
        "app = \"$NAME\"\n",
        "app = \"{{ app }}\"\n",
    ] {
        let sandbox = Sandbox::with_app();
        let groups = Sandbox::FLY.split_once('\n').unwrap().1;
        sandbox.write("fly.toml", &format!("{first}{groups}"));
        let edit = ["scale", "count", "web=3", "--edit-only", "--refresh=false"];
        let shown = sandbox.run(&[&["-a", "staging"][..], &edit].concat());
        assert!(shown.starts_with("exit 0\n"), "{first}: {shown}");
        let shown = with_variable(&sandbox, "staging", &["plan", "--refresh=false"]);
        assert!(
            shown.contains("\nstaging (FLY_APP) · local"),
            "{first}: {shown}"
        );
        assert!(sandbox.run(&["plan"]).starts_with("exit 1\n"), "{first}");
    }
}

#[test]
fn the_first_line_says_where_the_app_name_comes_from() {
    let sandbox = Sandbox::with_app();
    let first = |shown: String| {
        let line = shown.lines().nth(2).unwrap_or_default().to_owned();
        assert!(shown.starts_with("exit 0\n"), "{shown}");
        line
    };
    let offline = "local · no state yet · planned from the state only";
    let plan = ["plan", "--refresh=false"];
    assert_eq!(first(sandbox.run(&plan)), format!("shop · {offline}"));
    assert_eq!(
        first(sandbox.run(&[&plan[..], &["-a", "staging"]].concat())),
        format!("staging (--app; fly.toml names shop) · {offline}")
    );
    assert_eq!(
        first(with_variable(&sandbox, "staging", &plan)),
        format!("staging (FLY_APP; fly.toml names shop) · {offline}")
    );
    assert_eq!(
        first(with_variable(
            &sandbox,
            "staging",
            &[&plan[..], &["-a", "dev"]].concat()
        )),
        format!("dev (--app; fly.toml names shop) · {offline}")
    );
    assert_eq!(
        first(with_variable(&sandbox, "shop", &plan)),
        format!("shop (FLY_APP) · {offline}")
    );
    let apply = ["-a", "staging", "apply", "-y"];
    let one = "staging (--app; fly.toml names shop) · local";
    assert!(first(sandbox.run(&apply)).starts_with(one));
    assert!(first(sandbox.run(&["-a", "staging", "status"])).starts_with(one));
    let status = with_variable(&sandbox, "staging", &["status", "--json"]);
    assert!(
        status.contains(r#""app":"staging","app_from":"FLY_APP","#),
        "{status}"
    );
    assert!(
        sandbox
            .run(&["status"])
            .contains("\nshop · local · no state yet · 0 Machines\n")
    );
    let destroy = ["destroy", "-y", "--allow-destroy=all"];
    let gone = with_variable(&sandbox, "staging", &destroy);
    assert!(
        gone.contains("staging (FLY_APP; fly.toml names shop)"),
        "{gone}"
    );
}

#[test]
fn a_variable_that_is_no_name_is_an_error_where_an_app_is_meant() {
    let sandbox = Sandbox::with_app();
    assert_snapshot!(with_variable(&sandbox, "$APP", &["plan"]), @r"
    exit 1
    --- stderr
    error: `FLY_APP` is `$APP`, which is not a valid app name
      caused by: use lower-case letters, digits and dashes, fewer than 63 characters
    hint: unset `FLY_APP`, or name the app with `--app`
    ");
    assert!(with_variable(&sandbox, "$APP", &["version"]).starts_with("exit 0\n"));
    let named = with_variable(&sandbox, "$APP", &["plan", "--refresh=false", "-a", "shop"]);
    assert!(named.starts_with("exit 0\n"), "{named}");
    assert!(with_variable(&sandbox, "", &["plan", "--refresh=false"]).contains("\nshop · "));
}
