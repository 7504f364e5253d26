//! Verbs that edit the manifests: what they write, what they show of it, and when they write nothing.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::SystemTime;

use insta::assert_snapshot;

use crate::pty::Terminal;
use crate::sandbox::Sandbox;

pub(crate) const OURS: &str = "\
# how many

[groups.web]
count = 1 # for now

[groups.jobs]
count = 1
";

pub(crate) fn app() -> Sandbox {
    let sandbox = Sandbox::with_app();
    sandbox.write("aeroform.toml", OURS);
    sandbox
}

/// Shows a run without the ids of its Machines: which of those that are made at once is made first is
/// chance.
pub(crate) fn shown(sandbox: &Sandbox, args: &[&str]) -> String {
    let id = regex::Regex::new(r"\b[0-9a-f]{14}\b").unwrap();
    id.replace_all(&sandbox.run(args), "[MACHINE]").into_owned()
}

/// Does it without a question, and says nothing of it.
pub(crate) fn done(sandbox: &Sandbox, args: &[&str]) {
    let shown = sandbox.run(&[args, &["-y", "-q"]].concat());
    assert!(shown.starts_with("exit 0\n"), "{args:?}: {shown}");
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

    shop · local · serial 1 · applied 2026-01-02 by ana · 2 Machines read

      ~   web   1 → 2   ams
          jobs  1       no changes

    ~ web  sleep 1000
        + 1 to create in ams · port 8102

    Plan: 1 to create, 0 to update, 0 to destroy.
    --- stderr
    error: this plan needs approval and stdin is not a terminal; nothing was changed
    hint: review the plan, then add `--auto-approve`
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

    shop · local · serial 1 · applied 2026-01-02 by ana · 2 Machines read

          jobs  1   no changes
          web   1   no changes

    No changes. 2 Machines match the manifests.
    --- stderr
    error: this edit needs approval and stdin is not a terminal; nothing was changed
    hint: review the edit, then add `--auto-approve` or `--edit-only`
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

/// Holds rule 35.
#[test]
fn an_apply_that_does_not_come_to_its_end_keeps_the_edit() {
    let sandbox = app();
    sandbox.apply();
    let broken = Sandbox::FLY.replace("sleep 1000", "false");
    sandbox.write("fly.toml", &broken);
    let shown = sandbox.run(&["scale", "count", "web=+1", "-y"]);
    assert!(shown.starts_with("exit 3\n"), "{shown}");
    assert!(
        shown.contains("the edit of `aeroform.toml` is kept"),
        "{shown}"
    );
    // The same words once more would be one Machine more.
    assert!(
        shown.contains("`aeroform apply` continues with the rest"),
        "{shown}"
    );
    assert!(
        sandbox
            .read("aeroform.toml")
            .contains("{ ams = 2 } # for now")
    );
    assert_eq!(sandbox.read("fly.toml"), broken);
}

/// Every file and folder of the project: when it was changed last, and what is in it.
fn tree(sandbox: &Sandbox) -> BTreeMap<PathBuf, (SystemTime, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![sandbox.project()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let content = std::fs::read(&path).unwrap();
                let changed = path.metadata().unwrap().modified().unwrap();
                found.insert(path, (changed, content));
            }
        }
        // A file that comes and goes again leaves this behind.
        let changed = folder.metadata().unwrap().modified().unwrap();
        found.insert(folder, (changed, Vec::new()));
    }
    found
}

/// Also for root, as in a container.
#[test]
fn plan_only_leaves_a_checkout_alone_that_cannot_be_written() {
    let sandbox = app();
    sandbox.apply();
    let listed = sandbox.command(&["machine", "list", "-q", "-g", "web"]);
    let id = { listed }.output().unwrap().stdout;
    let id = String::from_utf8(id).unwrap();
    let id = id.trim();
    let paths: Vec<PathBuf> = tree(&sandbox).into_keys().collect();
    let mode = |mode: u32| {
        for path in &paths {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    mode(0o555);
    let before = tree(&sandbox);
    for verb in [
        &["scale", "count", "web=2"][..],
        &["scale", "vm", "shared-cpu-2x", "-g", "web"],
        &["scale", "memory", "1gb", "-g", "web"],
        &["group", "add", "mail", "sleep 1"],
        &["group", "rename", "jobs", "work"],
        &["group", "remove", "jobs"],
        &["regions", "add", "fra", "-g", "web"],
        &["regions", "remove", "ams", "-g", "web"],
        &["machine", "clone", id],
        &["machine", "destroy", id, "--force"],
        &["machine", "move", id, "--to", "jobs"],
        &["machine", "update", id, "-m", "fly_process_group=jobs"],
        &["machine", "replace", id],
        &["restart"],
    ] {
        let shown = sandbox.run(&[verb, &["--plan-only"]].concat());
        assert!(shown.starts_with("exit 0\n"), "{verb:?}: {shown}");
        assert!(shown.contains("Plan: "), "{verb:?}: {shown}");
        let args = [verb, &["--plan-only", "--json"]].concat();
        let output = sandbox.command(&args).output().unwrap();
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap();
    }
    assert_eq!(tree(&sandbox), before);
    mode(0o755);
}

/// Has the journal refuse every run, as one does whose disk is full.
fn full(sandbox: &Sandbox) {
    let journal = sandbox.state_dir().join("journal.db");
    let journal = rusqlite::Connection::open(journal).unwrap();
    let refuses = "CREATE TRIGGER full BEFORE INSERT ON run BEGIN SELECT RAISE(FAIL, 'full'); END";
    journal.execute(refuses, []).unwrap();
}

/// Holds rule 35.
#[test]
fn an_apply_that_makes_no_call_takes_the_edit_back() {
    let sandbox = app();
    sandbox.apply();
    full(&sandbox);
    let before = sandbox.read("aeroform.toml");
    let shown = sandbox.run(&["scale", "count", "web=+1", "-y"]);
    assert!(shown.starts_with("exit 3\n"), "{shown}");
    assert!(
        shown.contains("the edit of `aeroform.toml` was reverted"),
        "{shown}"
    );
    assert!(
        shown.contains("run `aeroform scale count web=+1` again"),
        "{shown}"
    );
    assert_eq!(sandbox.read("aeroform.toml"), before);

    // Of both files, and one that was not there is not there again.
    std::fs::remove_file(sandbox.project().join("aeroform.toml")).unwrap();
    let shown = sandbox.run(&["group", "rename", "jobs", "work", "-y"]);
    assert!(shown.starts_with("exit 3\n"), "{shown}");
    assert!(!sandbox.project().join("aeroform.toml").exists());
    assert_eq!(sandbox.read("fly.toml"), Sandbox::FLY);
    assert_eq!(sandbox.machines(), 2);
}

#[test]
fn what_cannot_be_edited_is_said_and_left_as_it_was() {
    let sandbox = app();
    let fly = format!(
        "{}[[vm]]\nmemory = \"1gb\"\nprocesses = [\"web\"\n  , \"jobs\"]\n",
        Sandbox::FLY
    );
    sandbox.write("fly.toml", &fly);
    assert_snapshot!(sandbox.run(&["scale", "vm", "shared-cpu-2x", "-g", "web", "-y"]), @r#"
    exit 1
    --- stderr
    the edit to make:
      [[vm]]
      size = "shared-cpu-2x"
      memory = "512mb"
      processes = ["web"]

    error: `fly.toml` cannot be edited without changing other entries; nothing was changed
    hint: make this edit by hand, then run `aeroform plan`
    "#);
    assert_eq!(sandbox.read("fly.toml"), fly);
}

#[test]
fn edit_only_writes_and_makes_no_call_with_refresh_false() {
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
    wrote `aeroform.toml`; apply it with `aeroform apply`
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
fn a_fly_json_is_not_edited_and_the_change_is_shown() {
    let sandbox = Sandbox::new();
    let text = r#"{"app": "shop", "primary_region": "ams", "processes": {"web": "sleep 1"}}"#;
    sandbox.write("fly.json", text);
    sandbox.write("aeroform.toml", "config = \"fly.json\"\n");
    assert_snapshot!(sandbox.run(&["scale", "vm", "shared-cpu-2x", "-y"]), @r#"
    exit 1
    --- stderr
    the edit to make:
      [[vm]]
      size = "shared-cpu-2x"
      memory = "512mb"
      processes = ["web"]

    error: `fly.json` is not TOML; only TOML files can be edited; nothing was changed
    hint: make this edit by hand, then run `aeroform plan`
    "#);
    let shown = sandbox.run(&["scale", "count", "2", "--edit-only", "-q"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(sandbox.read("aeroform.toml").contains("{ ams = 2 }"));
}

/// Holds rule 35.
#[test]
fn a_plan_that_is_refused_leaves_the_file_as_it_was() {
    let sandbox = app();
    let protected = OURS.replace("count = 1 # for now", "count = 2\nprotect = true");
    sandbox.write("aeroform.toml", &protected);
    sandbox.apply();
    let shown = sandbox.run(&["scale", "count", "web=1", "-y", "--allow-destroy=all"]);
    assert!(shown.starts_with("exit 6\n"), "{shown}");
    assert_eq!(sandbox.read("aeroform.toml"), protected);
    assert_eq!(sandbox.machines(), 3);
}

#[test]
fn an_edit_that_needs_no_numbers_makes_no_call_with_edit_only() {
    let sandbox = app();
    let rename = [
        "group",
        "rename",
        "jobs",
        "work",
        "--edit-only",
        "--provider",
        "fly",
    ];
    let shown = sandbox.run(&rename);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(sandbox.read("fly.toml").contains("work = \"sleep 1001\""));
}
