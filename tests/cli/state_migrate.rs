//! `state migrate`: from a file into git, between places in git, and back; what is left in the old place; and what a
//! second run does after the first one was cut off.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use insta::assert_snapshot;
use serde_json::Value;

use crate::git_command::git;
use crate::git_state;
use crate::pty::Terminal;
use crate::sandbox::Sandbox;

/// A state of another version, which is text to a move.
const STATE: &str = include_str!("../golden/state-format-3.json");

const SETTINGS: &str = "\
# The shop.
[state] # who may push: the deploy key
path = \"state/shop.json\" # one file

[groups.web]
count = 1

[groups.jobs]
count = 1
";

/// A clone with a state in a file that git tracks.
fn applied() -> git_state::Clone {
    let clone = git_state::Clone::with_settings(Sandbox::with_app(), SETTINGS);
    clone.sandbox.write(".gitignore", ".*.lock\n");
    clone.sandbox.apply();
    clone.git(&["add", "."]);
    clone.git(&["commit", "--quiet", "-m", "the state"]);
    clone.git(&["push", "--quiet"]);
    clone
}

fn migrate(sandbox: &Sandbox, to: &str) -> String {
    sandbox.run(&["state", "migrate", "-y", "--to", to])
}

fn at_branch(clone: &git_state::Clone, branch: &str, path: &str) -> String {
    let shown = clone.at_remote(&["show", &format!("{branch}:{path}")]);
    shown + "\n"
}

#[test]
fn a_state_moves_into_git_between_branches_and_back_and_each_old_place_names_the_new_one() {
    let clone = applied();
    let sandbox = &clone.sandbox;
    let state = sandbox.read("state/shop.json");
    assert_snapshot!(migrate(sandbox, "git+origin"), @r#"
    exit 0
    --- stdout
    Move the state of app shop, serial 1

      from  state/shop.json
      to    git+origin (branch aeroform-state, file shop.json)

    aeroform.toml
        [state] # who may push: the deploy key
      - path = "state/shop.json" # one file
      + url = "git+origin" # one file

    the state is now at `git+origin`: serial 1
    --- stderr
    commit and push `aeroform.toml` and `state/shop.json`: commands in a checkout without that commit end with `state_moved`
    "#);
    assert_eq!(at_branch(&clone, "aeroform-state", "shop.json"), state);
    assert_eq!(
        sandbox.read("aeroform.toml"),
        SETTINGS.replace("path = \"state/shop.json\"", "url = \"git+origin\"")
    );
    let left = sandbox.read("state/shop.json");
    let lines: Vec<&str> = left.lines().collect();
    let header = state.lines().take(2).collect::<Vec<_>>();
    assert_eq!(
        lines[0],
        header[0].replace("\"format\": 7", "\"format\": 5")
    );
    let parent = aeroform::core::state::digest(&state);
    assert!(lines[1].starts_with(" ,\"serial\": 1, \"run\": "), "{left}");
    assert!(
        lines[1].ends_with(&format!("\"parent\": \"{parent}\"}}")),
        "{left}"
    );
    assert!(
        lines[2].starts_with(
            ",{\"moved\": {\"to\": \"git+origin\", \"at\": \"2026-01-02T03:04:05Z\", \"by\": \"ana\", \"lineage\": "
        ) && lines[2].ends_with("\"serial\": 1}}"),
        "{left}"
    );
    assert_eq!(lines[3..], ["]"]);
    let plan = sandbox.run(&["plan"]);
    assert!(plan.contains("No changes."), "{plan}");
    let again = migrate(sandbox, "git+origin");
    assert!(
        again.starts_with("exit 0\n") && again.contains("is already at `git+origin`: serial 1"),
        "{again}"
    );

    let second = "git+origin?branch=main&path=state/prod.json";
    let shown = migrate(sandbox, second);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert_eq!(at_branch(&clone, "main", "state/prod.json"), state);
    let left = at_branch(&clone, "aeroform-state", "shop.json");
    assert!(left.contains(&format!("\"to\": \"{second}\"")), "{left}");
    let subjects = clone.at_remote(&["log", "--format=%s", "aeroform-state"]);
    assert_eq!(
        subjects,
        format!(
            "shop: serial 1 · moved to {second} [skip ci]\nshop: serial 1 · moved from state/shop.json [skip ci]\n\
             aeroform: the branch of the state [skip ci]"
        )
    );

    // Back to where it was: its own record is no other state.
    let output = sandbox
        .command(&[
            "state",
            "migrate",
            "-y",
            "--json",
            "--to",
            "state/shop.json",
        ])
        .output()
        .unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["to"], "state/shop.json");
    assert_eq!(document["moved"], true);
    assert_eq!(
        document["commit"],
        serde_json::json!(["aeroform.toml", "state/shop.json"])
    );
    assert_eq!(sandbox.read("state/shop.json"), state);
    assert_eq!(sandbox.read("aeroform.toml"), SETTINGS);
    sandbox.write(
        "aeroform.toml",
        &SETTINGS.replace("web]\ncount = 1", "web]\ncount = 2"),
    );
    sandbox.apply();
    assert_eq!(sandbox.machines(), 3);
}

#[test]
fn every_verb_that_finds_the_old_place_says_where_the_state_is() {
    let clone = applied();
    let sandbox = &clone.sandbox;
    sandbox.write("copy.json", &sandbox.read("state/shop.json"));
    assert!(migrate(sandbox, "git+origin").starts_with("exit 0\n"));
    sandbox.write("aeroform.toml", SETTINGS);
    let left = sandbox.read("state/shop.json");
    for args in [
        &["plan"][..],
        &["plan", "--refresh=false"],
        &["apply", "-y"],
        &["destroy", "-y", "--allow-destroy=all"],
        &["drift"],
        &["refresh", "-y"],
        &["restart", "-y"],
        &["scale", "count", "web=2", "-y"],
        &["state", "list"],
        &["state", "show"],
        &["state", "log"],
        &["state", "rm", "x"],
        &["state", "pull", "pulled.json"],
        &["state", "push", "copy.json"],
        &["state", "migrate", "--to", "git+origin?branch=other", "-y"],
    ] {
        let shown = sandbox.run(args);
        assert!(
            shown.starts_with("exit 1\n")
                && shown.contains("the state was moved to `git+origin` at serial 1, by ana at"),
            "{args:?}: {shown}"
        );
    }
    let status = sandbox.run(&["status"]);
    assert!(
        status.starts_with("exit 0\n") && status.contains("the state was moved to `git+origin`"),
        "{status}"
    );
    let list = sandbox.run(&["machine", "list"]);
    assert!(
        list.contains("the state was moved to `git+origin`"),
        "{list}"
    );
    assert_eq!(sandbox.read("state/shop.json"), left);
    assert!(!sandbox.project().join("pulled.json").exists());
    assert_eq!(sandbox.machines(), 2);
}

/// Holds rule 36.
#[test]
fn a_checkout_from_before_the_move_does_not_apply_the_state_that_it_has() {
    let clone = applied();
    let sandbox = &clone.sandbox;
    let before = clone.git(&["rev-parse", "HEAD"]);
    assert!(migrate(sandbox, "git+origin").starts_with("exit 0\n"));
    clone.git(&["commit", "--quiet", "-am", "the state is in git"]);
    clone.git(&["push", "--quiet"]);
    // A job of an older commit, on the branch.
    clone.git(&["reset", "--quiet", "--hard", &before]);
    let shown = sandbox.run(&["apply", "-y"]);
    assert!(
        shown.starts_with("exit 1\n") && shown.contains("the state was moved to `git+origin`"),
        "{shown}"
    );
}

/// Each step of the first run that was done stays done.
#[test]
fn a_move_that_was_cut_off_anywhere_loses_nothing_and_the_same_command_finishes_it() {
    for is_recorded in [false, true] {
        for to_git in [true, false] {
            let clone = applied();
            let sandbox = &clone.sandbox;
            let state = sandbox.read("state/shop.json");
            let to = if to_git {
                "git+origin"
            } else {
                "kept/shop.json"
            };
            assert!(migrate(sandbox, to).starts_with("exit 0\n"));
            let written = sandbox.read("aeroform.toml");
            // Cut off before aeroform.toml, or before the record as well.
            sandbox.write("aeroform.toml", SETTINGS);
            if is_recorded {
                let refused = sandbox.run(&["apply", "-y"]);
                assert!(
                    refused.contains(&format!("`aeroform state migrate --to {to}`")),
                    "{refused}"
                );
            } else {
                sandbox.write("state/shop.json", &state);
                // The old place counts still, and goes on without the copy.
                sandbox.write(
                    "aeroform.toml",
                    &SETTINGS.replacen("count = 1", "count = 2", 1),
                );
                sandbox.apply();
            }
            let serial = if is_recorded { 1 } else { 2 };
            let shown = migrate(sandbox, to);
            assert!(
                shown.starts_with("exit 0\n")
                    && shown.contains(&format!("is now at `{to}`: serial {serial}")),
                "{shown}"
            );
            if is_recorded {
                assert_eq!(sandbox.read("aeroform.toml"), written);
            }
            assert!(sandbox.read("state/shop.json").contains("\"moved\""));
            let plan = sandbox.run(&["plan"]);
            assert!(plan.contains("No changes."), "{plan}");
            assert_eq!(sandbox.machines(), if is_recorded { 2 } else { 3 });
        }
    }
}

#[test]
fn a_place_with_another_state_is_refused_and_an_older_version_of_the_same_is_replaced() {
    let sandbox = Sandbox::with_app();
    let settings = sandbox.read("aeroform.toml");
    sandbox.apply();
    let first = sandbox.read("state/shop.json");
    sandbox.write(
        "aeroform.toml",
        &settings.replacen("count = 1", "count = 2", 1),
    );
    sandbox.apply();
    let second = sandbox.read("state/shop.json");
    let lineage = first.split("\"lineage\": \"").nth(1).unwrap();
    let lineage = lineage.split('"').next().unwrap();
    let other = first.replace(lineage, "another");
    let diverged = first.replace("\"run\": \"", "\"run\": \"z");
    sandbox.write("state/shop.json", &second);
    for (there, why) in [
        (
            other.as_str(),
            "of lineage another; it is of another lineage",
        ),
        (&diverged, "this one does not list its run"),
        ("{", "the state is damaged"),
    ] {
        sandbox.write("kept.json", there);
        let shown = migrate(&sandbox, "kept.json");
        assert!(
            shown.starts_with("exit 1\n") && shown.contains(why),
            "{shown}"
        );
        assert_eq!(sandbox.read("kept.json"), there);
        assert_eq!(sandbox.read("state/shop.json"), second);
    }
    // A newer one.
    sandbox.write("state/shop.json", &first);
    sandbox.write("kept.json", &second);
    let shown = migrate(&sandbox, "kept.json");
    assert!(
        shown.contains("it has serial 2") && shown.contains("this one has serial 1"),
        "{shown}"
    );
    sandbox.write("state/shop.json", &second);
    sandbox.write("kept.json", &first);
    let shown = migrate(&sandbox, "kept.json");
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert_eq!(sandbox.read("kept.json"), second);
    let settings = sandbox.read("aeroform.toml");
    assert!(
        settings.ends_with("\n[state]\npath = \"kept.json\"\n"),
        "{settings}"
    );
}

#[test]
fn without_an_aeroform_toml_one_is_made_and_before_the_first_apply_only_the_place_changes() {
    let clone = applied();
    let sandbox = &clone.sandbox;
    std::fs::remove_file(sandbox.project().join("aeroform.toml")).unwrap();
    let shown = migrate(sandbox, "git+origin");
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    let written = sandbox.read("aeroform.toml");
    assert!(
        written.contains("provider = \"local\"\n")
            && written.ends_with("[state]\nurl = \"git+origin\"\n"),
        "{written}"
    );

    let clone = git_state::Clone::with_settings(Sandbox::with_app(), SETTINGS);
    let sandbox = &clone.sandbox;
    let shown = migrate(sandbox, "git+origin");
    assert!(
        shown.starts_with("exit 0\n") && shown.contains("is now at `git+origin`: no state yet"),
        "{shown}"
    );
    assert!(!sandbox.project().join("state/shop.json").exists());
    sandbox.apply();
    let subject = clone.at_remote(&["log", "-1", "--format=%s", "aeroform-state"]);
    assert_eq!(subject, "shop: serial 1 · 2 created [skip ci]");
}

#[test]
fn one_place_under_two_names_is_not_moved_onto_itself() {
    let clone = applied();
    let sandbox = &clone.sandbox;
    let state = sandbox.read("state/shop.json");
    symlink("state/shop.json", sandbox.project().join("link.json")).unwrap();
    let shown = migrate(sandbox, "link.json");
    assert!(
        shown.starts_with("exit 1\n") && shown.contains("are the same place"),
        "{shown}"
    );
    assert_eq!(sandbox.read("state/shop.json"), state);
    let shown = migrate(sandbox, "./state/../state/shop.json");
    assert!(shown.contains("is already at `state/shop.json`"), "{shown}");

    assert!(migrate(sandbox, "git+origin").starts_with("exit 0\n"));
    let bare = clone.bare();
    clone.git(&["remote", "add", "backup", bare.to_str().unwrap()]);
    let shown = migrate(sandbox, "git+backup");
    assert!(
        shown.starts_with("exit 1\n") && shown.contains("are the same place"),
        "{shown}"
    );
    assert_eq!(at_branch(&clone, "aeroform-state", "shop.json"), state);
}

#[test]
fn a_place_that_aeroform_toml_names_already_gets_the_state_from_another_one() {
    let clone = applied();
    let sandbox = &clone.sandbox;
    let settings = SETTINGS.replace("path = \"state/shop.json\"", "url = \"git+origin\"");
    sandbox.write("aeroform.toml", &settings);
    let shown = migrate(sandbox, "git+origin");
    assert!(
        shown.starts_with("exit 1\n") && shown.contains("--from"),
        "{shown}"
    );
    let args = [
        "state",
        "migrate",
        "-y",
        "--from",
        "state/shop.json",
        "--to",
        "git+origin",
    ];
    let shown = sandbox.run(&args);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert_eq!(sandbox.read("aeroform.toml"), settings);
    assert!(sandbox.read("state/shop.json").contains("\"moved\""));
    let plan = sandbox.run(&["plan"]);
    assert!(plan.contains("No changes."), "{plan}");
}

#[test]
fn a_move_is_shown_and_asked_about() {
    let clone = applied();
    let sandbox = &clone.sandbox;
    let state = sandbox.read("state/shop.json");
    let args = ["state", "migrate", "--to", "git+origin"];
    let shown = sandbox.run(&args);
    assert!(
        shown.starts_with("exit 6\n") && shown.contains("--auto-approve"),
        "{shown}"
    );
    let mut terminal = Terminal::start(sandbox.command(&args));
    terminal.expect("Move the state? [y/N]");
    terminal.type_line("");
    let (code, screen) = terminal.end();
    assert_eq!(code, 6, "{screen}");
    assert!(screen.contains("nothing was changed"), "{screen}");
    assert_eq!(sandbox.read("state/shop.json"), state);
    assert_eq!(sandbox.read("aeroform.toml"), SETTINGS);
    assert_eq!(clone.at_remote(&["branch", "--list", "aeroform-state"]), "");

    let json = ["state", "migrate", "--json", "--to", "git+origin"];
    let mut terminal = Terminal::start(sandbox.command(&json));
    terminal.expect("Move the state? [y/N]");
    terminal.type_line("y");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(
        screen.contains("url = \"git+origin\"") && screen.contains("\"moved\":true"),
        "{screen}"
    );
}

#[test]
fn a_move_waits_for_nobody_who_holds_either_lock() {
    let clone = applied();
    let sandbox = &clone.sandbox;
    assert!(migrate(sandbox, "git+origin").starts_with("exit 0\n"));
    // Somebody else's lock of the state in git.
    let bare = clone.bare();
    let record = git(
        &bare,
        &[
            "commit-tree",
            "-m",
            "{}",
            "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        ],
    );
    git(&bare, &["update-ref", "refs/aeroform/lock/shop", &record]);
    let args = [
        "state",
        "migrate",
        "-y",
        "--to",
        "kept.json",
        "--lock-timeout",
        "10ms",
    ];
    let shown = sandbox.run(&args);
    assert!(shown.starts_with("exit 5\n"), "{shown}");
    assert!(!sandbox.project().join("kept.json").exists());
    // The end of the sandbox takes the lock.
    git(&bare, &["update-ref", "-d", "refs/aeroform/lock/shop"]);
}

/// In front of git: kills the program that started it, before or after its command of this number.
const GIT_IN_FRONT: &str = "\
#!/bin/sh
PATH=$REAL_PATH
n=$(($(cat \"$COUNT\") + 1))
echo $n > \"$COUNT\"
if [ $n = \"$AT\" ] && [ -z \"$AFTER\" ]; then kill -9 $PPID; exit 1; fi
git \"$@\"
code=$?
if [ $n = \"$AT\" ]; then kill -9 $PPID; fi
exit $code
";

/// A clone whose state is text only, in its place before the move.
fn with_text(to_git: bool) -> git_state::Clone {
    let clone = git_state::Clone::with_settings(Sandbox::with_app(), SETTINGS);
    let sandbox = &clone.sandbox;
    sandbox.write("state/shop.json", STATE);
    let front = sandbox.project().join("../bin/git");
    std::fs::create_dir_all(front.parent().unwrap()).unwrap();
    std::fs::write(&front, GIT_IN_FRONT).unwrap();
    std::fs::set_permissions(&front, std::fs::Permissions::from_mode(0o755)).unwrap();
    if !to_git {
        let shown = migrate(sandbox, "git+origin");
        assert!(shown.starts_with("exit 0\n"), "{shown}");
    }
    clone
}

/// Moves the state and is killed there; the number of git commands until then.
fn killed(clone: &git_state::Clone, to: &str, at: usize, after: bool) -> usize {
    let sandbox = &clone.sandbox;
    let count = sandbox.project().join("../count");
    std::fs::write(&count, "0").unwrap();
    let real = std::env::var("PATH").unwrap();
    let bin = sandbox.project().join("../bin");
    let mut command = sandbox.command(&["state", "migrate", "-y", "--to", to]);
    command
        .env("PATH", format!("{}:{real}", bin.display()))
        .env("REAL_PATH", real)
        .env("COUNT", &count)
        .env("AT", at.to_string())
        .env("AFTER", if after { "1" } else { "" });
    let output = command.output().unwrap();
    assert_eq!(
        output.status.code().is_none(),
        at > 0,
        "{}",
        sandbox.show(&output)
    );
    std::fs::read_to_string(count)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

/// Both ways; `AEROFORM_GIT_KILLS=all` plays each of them.
#[test]
fn a_move_killed_at_any_git_command_is_finished_by_the_same_command() {
    for (to_git, to) in [(true, "git+origin"), (false, "state/shop.json")] {
        let commands = killed(&with_text(to_git), to, 0, false);
        assert!(commands > 10, "{commands}");
        let step = match std::env::var("AEROFORM_GIT_KILLS") {
            Ok(which) if which == "all" => 1,
            _ => 11,
        };
        let cases = (1..=commands).flat_map(|at| [(at, false), (at, true)]);
        for (at, after) in cases.skip(2).step_by(step) {
            let clone = with_text(to_git);
            let sandbox = &clone.sandbox;
            killed(&clone, to, at, after);
            let mut again = sandbox.command(&["state", "migrate", "-y", "--to", to]);
            let again = again.env("AEROFORM_TEST_TAKEOVER", "300").output().unwrap();
            let shown = format!(
                "{to}, {at} of {commands}, {after}: {}",
                sandbox.show(&again)
            );
            assert!(again.status.success(), "{shown}");
            let settings = sandbox.read("aeroform.toml");
            let in_git = at_branch(&clone, "aeroform-state", "shop.json");
            let in_file = sandbox.read("state/shop.json");
            if to_git {
                assert!(settings.contains("url = \"git+origin\""), "{shown}");
                assert!(in_git == STATE && in_file.contains("\"moved\""), "{shown}");
            } else {
                assert_eq!(settings, SETTINGS, "{shown}");
                assert!(in_file == STATE && in_git.contains("\"moved\""), "{shown}");
            }
            // Only the release was missing, and that lock expires.
            if shown.contains("is already at") {
                continue;
            }
            let refs = clone.at_remote(&["for-each-ref", "--format=%(refname)"]);
            assert_eq!(
                refs, "refs/heads/aeroform-state\nrefs/heads/main",
                "{shown}"
            );
        }
    }
}
