//! Verbs that edit the manifests: what they write, what they show of it, and when they write nothing.

use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;

use crate::sandbox::Sandbox;
use crate::terminal::Terminal;

const OURS: &str = "\
# how many

[groups.web]
count = 1 # for now

[groups.jobs]
count = 1
";

fn app() -> Sandbox {
    let sandbox = Sandbox::with_app();
    sandbox.write("aeroform.toml", OURS);
    sandbox
}

#[test]
fn a_count_is_written_as_an_exact_map_and_applied() {
    let sandbox = app();
    sandbox.apply();
    let scale = [
        "scale", "count", "web=4", "--region", "ams,fra", "--yes", "-q",
    ];
    assert_snapshot!(sandbox.run(&scale), @"
    exit 0
    --- stdout
    aeroform.toml
        [groups.web]
      - count = 1 # for now
      + regions = { ams = 2, fra = 2 } # for now

    shop · local · serial 1 · 2 Machines read

      ~   web   1 → 4   ams 1 → 2, fra 0 → 2
          jobs  1       no changes

    ~ web  sleep 1000
        + 3 to create: 1 in ams, 2 in fra
            ams port 8102 · fra ports 8103, 8104

    Plan: 3 to create, 0 to update, 0 to destroy.
    state: state/shop.json is at serial 2
    Apply complete: 3 created.
    ");
    assert_snapshot!(sandbox.read("aeroform.toml"), @"
    # how many

    [groups.web]
    regions = { ams = 2, fra = 2 } # for now

    [groups.jobs]
    count = 1
    ");
    assert_snapshot!(sandbox.run(&["plan"]), @"
    exit 0
    --- stdout
    shop · local · serial 2 · 5 Machines read

          jobs  1   no changes
          web   4   no changes

    No changes. 5 Machines are as the manifests want them.
    ");
    assert_snapshot!(sandbox.run(&["scale", "count", "web=4", "-r", "ams,fra"]), @"
    exit 0
    --- stdout
    The files say so already; nothing was changed.
    ");
}

#[test]
fn what_is_denied_leaves_the_file_as_it_was() {
    let sandbox = app();
    sandbox.apply();
    assert_snapshot!(sandbox.run(&["scale", "count", "web=2"]), @"
    exit 6
    --- stdout
    aeroform.toml
        [groups.web]
      - count = 1 # for now
      + regions = { ams = 2 } # for now

    shop · local · serial 1 · 2 Machines read

      ~   web   1 → 2   ams
          jobs  1       no changes

    ~ web  sleep 1000
        + 1 to create in ams · port 8102

    Plan: 1 to create, 0 to update, 0 to destroy.
    --- stderr
    error: the plan needs a yes, and there is no terminal to ask at; nothing was changed
    hint: after a review of the plan add `--auto-approve`
    ");
    assert_eq!(sandbox.read("aeroform.toml"), OURS);

    let mut terminal = Terminal::start(sandbox.command(&["scale", "count", "web=+1"]));
    terminal.expect("Apply this plan? [y/N]");
    terminal.type_line("n");
    let (code, screen) = terminal.end();
    assert_eq!(code, 6, "{screen}");
    assert_eq!(sandbox.read("aeroform.toml"), OURS);
    assert_eq!(sandbox.machines(), 2);
}

#[test]
fn an_edit_that_no_machine_changes_for_asks_too() {
    let sandbox = app();
    sandbox.apply();
    let same = ["scale", "count", "web=1"];
    assert_snapshot!(sandbox.run(&same), @"
    exit 6
    --- stdout
    aeroform.toml
        [groups.web]
      - count = 1 # for now
      + regions = { ams = 1 } # for now

    shop · local · serial 1 · 2 Machines read

          jobs  1   no changes
          web   1   no changes

    No changes. 2 Machines are as the manifests want them.
    --- stderr
    error: the edit needs a yes, and there is no terminal to ask at; nothing was changed
    hint: after a review of the edit add `--auto-approve`, or `--edit-only`
    ");
    let mut terminal = Terminal::start(sandbox.command(&same));
    terminal.expect("Write this? [y/N]");
    terminal.type_line("y");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(
        sandbox
            .read("aeroform.toml")
            .contains("{ ams = 1 } # for now")
    );
}

#[test]
fn an_apply_that_does_not_come_to_its_end_keeps_the_edit() {
    let sandbox = app();
    sandbox.apply();
    let broken = Sandbox::FLY.replace("sleep 1000", "false");
    sandbox.write("fly.toml", &broken);
    let shown = sandbox.run(&["scale", "count", "web=2", "-y"]);
    assert!(shown.starts_with("exit 3\n"), "{shown}");
    assert!(
        shown.contains("the edit of `aeroform.toml` stays"),
        "{shown}"
    );
    assert!(
        sandbox
            .read("aeroform.toml")
            .contains("{ ams = 2 } # for now")
    );
    assert_eq!(sandbox.read("fly.toml"), broken);
}

#[test]
fn a_checkout_that_cannot_be_written_is_planned_for() {
    let sandbox = app();
    let project = sandbox.project();
    let mode = |mode| {
        let set = |path| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(project.join("aeroform.toml"));
        set(project.clone());
    };
    mode(0o555);
    let plan = ["scale", "count", "web=2", "--plan-only"];
    let shown = sandbox.run(&plan);
    let json = sandbox.run(&[&plan[..], &["--json"]].concat());
    mode(0o755);
    assert_snapshot!(shown, @"
    exit 0
    --- stdout
    aeroform.toml
        [groups.web]
      - count = 1 # for now
      + regions = { ams = 2 } # for now

    shop · local · no state yet · 0 Machines read

      +   jobs  0 → 1   new group · ams
      +   web   0 → 2   new group · ams

    + jobs  sleep 1001
        + 1 to create in ams · port 8100

    + web  sleep 1000
        + 2 to create in ams · ports 8101, 8102

    Plan: 3 to create, 0 to update, 0 to destroy.
    ");
    assert!(json.starts_with("exit 0\n"), "{json}");
    assert_eq!(sandbox.read("aeroform.toml"), OURS);
}

#[test]
fn edit_only_writes_and_asks_nobody_with_refresh_false() {
    let sandbox = app();
    let scale = ["scale", "count", "jobs=3", "--edit-only", "--refresh=false"];
    assert_snapshot!(sandbox.run(&scale), @"
    exit 0
    --- stdout
    aeroform.toml
        [groups.jobs]
      - count = 1
      + regions = { ams = 3 }

    --- stderr
    wrote `aeroform.toml`; `aeroform apply` carries it out
    ");
    assert_snapshot!(sandbox.read("aeroform.toml"), @"
    # how many

    [groups.web]
    count = 1 # for now

    [groups.jobs]
    regions = { ams = 3 }
    ");
    assert!(!sandbox.machines_folder().exists());
}

#[test]
fn lines_of_json_begin_with_the_edit() {
    let sandbox = app();
    let shown = sandbox.run(&["scale", "count", "web=2", "-y", "--json", "-q"]);
    let lines: Vec<&str> = shown.lines().skip(2).collect();
    let events = lines.iter().map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        value["event"].as_str().unwrap().to_owned()
    });
    let events: Vec<String> = events.collect();
    assert_eq!(events.first().map(String::as_str), Some("edit"));
    assert_eq!(events[1], "started");
    assert_eq!(events.last().map(String::as_str), Some("finished"));
}

#[test]
fn a_new_aeroform_toml_is_made_like_init_makes_it() {
    let sandbox = app();
    std::fs::remove_file(sandbox.project().join("aeroform.toml")).unwrap();
    let shown = sandbox.run(&["scale", "count", "web=1", "jobs=1", "-y", "-q"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert_snapshot!(sandbox.read("aeroform.toml"), @r#"
    # What fly.toml cannot say: how many Machines of each process group run, and where.

    provider = "local"

    [groups.jobs]
    regions = { ams = 1 }

    [groups.web]
    regions = { ams = 1 }
    "#);
    let mode = std::fs::metadata(sandbox.project().join("aeroform.toml"));
    assert_ne!(mode.unwrap().permissions().mode() & 0o044, 0);
}
