//! `rollback` at the binary: `[hold]`, the plans under it, and its end.

use std::io::Read;

use serde_json::{Value, json};

use crate::fly::{EmulatorProcess, FLY, V1, V2, on, project, run};
use crate::fly_releases::{fly_deploy, waits};
use crate::from_flyctl::assert_page_shows;
use crate::pty::Terminal;
use crate::sandbox::Sandbox;

fn document(text: &str) -> Value {
    let document = text.lines().find(|line| line.starts_with('{')).unwrap();
    serde_json::from_str(document).unwrap()
}

fn release_of(text: &str) -> Value {
    document(text)["hold"]["release"].clone()
}

/// A project whose image, variables and command changed with each of its three releases.
fn three_releases() -> (Sandbox, EmulatorProcess) {
    let sandbox = project(&format!("image = \"{V1}\"\n\n[groups.app]\ncount = 2\n"));
    let platform = EmulatorProcess::with_app(&sandbox);
    for (image, mode) in [(V1, "a"), (V2, "b"), (V2, "c")] {
        write_release(&sandbox, image, mode);
        let applied = run(&sandbox, &platform, &["apply", "-y"]);
        assert!(applied.starts_with("exit 0\n"), "{applied}");
    }
    (sandbox, platform)
}

fn write_release(sandbox: &Sandbox, image: &str, mode: &str) {
    let ours = format!("provider = \"fly\"\nimage = \"{image}\"\n\n[groups.app]\ncount = 2\n");
    sandbox.write("aeroform.toml", &ours);
    let env = format!("[env]\n  MODE = \"{mode}\"\n  API_TOKEN = \"t0k3n-{mode}\"\n");
    sandbox.write("fly.toml", &format!("{FLY}{env}"));
}

fn configs(platform: &EmulatorProcess) -> Vec<(Value, Value, Value)> {
    let machines = platform.machines().into_iter();
    let config = |machine: Value| {
        let config = &machine["config"];
        let env = &config["env"];
        (
            config["image"].clone(),
            env["MODE"].clone(),
            env["API_TOKEN"].clone(),
        )
    };
    machines.map(config).collect()
}

fn all_are(platform: &EmulatorProcess, image: &str, mode: &str) {
    let token = format!("t0k3n-{mode}");
    let wanted: (Value, Value, Value) = (image.into(), mode.into(), token.into());
    assert_eq!(configs(platform), [wanted.clone(), wanted]);
}

/// Holds rules 35, 37 and 41.
#[test]
fn going_back_and_ending_it_leaves_the_same_fleet_and_the_same_files() {
    let (sandbox, platform) = three_releases();
    let before = (sandbox.read("fly.toml"), sandbox.read("aeroform.toml"));
    all_are(&platform, V2, "c");
    let back = run(&sandbox, &platform, &["rollback", "v1", "-y"]);
    assert!(back.starts_with("exit 0\n"), "{back}");
    assert!(
        back.contains("Held at v1: images and configs follow it"),
        "{back}"
    );
    let commit = "commit `aeroform.toml`: until then the next pipeline goes forward again";
    assert!(back.contains(commit), "{back}");
    assert!(
        back.contains("is not used: the image is that of release v1"),
        "{back}"
    );
    // The hidden value is that of the release, from the earlier versions of the Machines.
    assert!(!back.contains("is not known"), "{back}");
    all_are(&platform, V1, "a");
    assert_eq!(sandbox.read("fly.toml"), before.0);
    assert_eq!(
        sandbox.read("aeroform.toml"),
        format!("{}\n[hold]\nrelease = 1\n", before.1)
    );
    // Nothing is left to do, and every plan says why.
    let planned = run(&sandbox, &platform, &["plan", "--detailed-exitcode"]);
    assert!(
        planned.starts_with("exit 0\n--- stdout\nHeld at v1"),
        "{planned}"
    );
    let json_plan = run(&sandbox, &platform, &["plan", "--json"]);
    assert_eq!(release_of(&json_plan), 1, "{json_plan}");
    let status = run(&sandbox, &platform, &["status"]);
    assert!(
        status.starts_with("exit 0\n--- stdout\nHeld at v1"),
        "{status}"
    );
    let status = run(&sandbox, &platform, &["status", "--json"]);
    assert_eq!(release_of(&status), 1, "{status}");
    let comment = run(&sandbox, &platform, &["plan", "--format", "markdown"]);
    let line = comment
        .lines()
        .find(|line| line.starts_with("**Held at v1"));
    assert!(line.is_some(), "{comment}");
    let offline = run(&sandbox, &platform, &["plan", "--refresh=false"]);
    let words: Vec<&str> = offline.split_whitespace().collect();
    let note = "the value of `env.API_TOKEN` of release v1 can be restored is decided at apply";
    assert!(words.join(" ").contains(note), "{offline}");
    // Counts are those of the files.
    let scaled = run(&sandbox, &platform, &["scale", "count", "app=3", "-y"]);
    assert!(scaled.starts_with("exit 0\n"), "{scaled}");
    let count = configs(&platform);
    assert_eq!(count.len(), 3);
    assert!(
        count
            .iter()
            .all(|config| config.0 == V1 && config.2 == "t0k3n-a"),
        "{count:?}"
    );
    run(&sandbox, &platform, &["scale", "count", "app=2", "-y"]);
    let end = run(&sandbox, &platform, &["rollback", "--end", "-y"]);
    assert!(end.starts_with("exit 0\n"), "{end}");
    assert!(
        end.contains("until then the next pipeline goes back again"),
        "{end}"
    );
    all_are(&platform, V2, "c");
    assert!(!sandbox.read("aeroform.toml").contains("hold"));
}

/// `SNAPSHOTS=overwrite cargo test --test cli going_back` writes what is seen into the page.
#[test]
fn the_page_about_going_back_shows_what_the_commands_print() {
    assert_page_shows(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/going-back.md"));
}

#[test]
fn without_a_number_it_is_the_newest_complete_release_that_does_not_run() {
    let (sandbox, platform) = three_releases();
    let back = run(&sandbox, &platform, &["rollback", "--plan-only"]);
    assert!(back.contains("+ release = 2"), "{back}");
    assert!(!sandbox.read("aeroform.toml").contains("hold"), "{back}");
    // Nobody asked for this one, so the newest complete release does not run everywhere.
    fly_deploy(&platform, V1);
    let back = run(&sandbox, &platform, &["rollback", "--plan-only"]);
    assert!(back.contains("+ release = 3"), "{back}");
    let edited = run(&sandbox, &platform, &["rollback", "v2", "--edit-only"]);
    assert!(edited.contains("wrote `aeroform.toml`"), "{edited}");
    assert!(edited.contains("commit `aeroform.toml`"), "{edited}");
    let further = run(&sandbox, &platform, &["rollback", "--plan-only"]);
    assert!(further.contains("+ release = 1"), "{further}");
    let same = run(&sandbox, &platform, &["rollback", "2", "-y"]);
    assert!(same.contains("aeroform plan"), "{same}");
    for wrong in ["v9", "v0", "next"] {
        let refused = run(&sandbox, &platform, &["rollback", wrong]);
        let exit = if wrong == "v9" {
            "exit 1\n"
        } else {
            "exit 64\n"
        };
        assert!(refused.starts_with(exit), "{refused}");
        if wrong == "v9" {
            assert!(refused.contains("the state has v3, v2, v1"), "{refused}");
        }
    }
}

/// Holds rule 41.
#[test]
fn a_flag_for_the_image_is_refused_and_a_release_that_the_state_lacks_too() {
    let (sandbox, platform) = three_releases();
    let both = run(
        &sandbox,
        &platform,
        &["rollback", "v1", "-y", "--image", V2],
    );
    assert!(both.starts_with("exit 64\n"), "{both}");
    assert!(!sandbox.read("aeroform.toml").contains("hold"));
    let ours = sandbox.read("aeroform.toml");
    sandbox.write("aeroform.toml", &format!("{ours}[hold]\nrelease = 1\n"));
    for verb in ["plan", "apply"] {
        let both = run(&sandbox, &platform, &[verb, "--image", V2]);
        assert!(both.starts_with("exit 64\n"), "{both}");
        assert!(
            both.contains("`--image` cannot be combined with [hold]"),
            "{both}"
        );
    }
    sandbox.write("aeroform.toml", &format!("{ours}[hold]\nrelease = 7\n"));
    let unknown = run(&sandbox, &platform, &["apply", "-y"]);
    assert!(unknown.starts_with("exit 6\n"), "{unknown}");
    assert!(unknown.contains("the state has v3, v2, v1"), "{unknown}");
    all_are(&platform, V2, "c");
    for (text, message) in [
        ("[hold]\n", "`hold.release` is missing"),
        ("[hold]\nrelease = 0\n", "release"),
        (
            "[hold]\nrelease = 1\ngroups = []\n",
            "`hold.groups` is empty",
        ),
        ("[hold]\nrelease = 1\ngroups = [\"ap\"]\n", "did you mean"),
    ] {
        sandbox.write("aeroform.toml", &format!("{ours}{text}"));
        let wrong = run(&sandbox, &platform, &["plan"]);
        assert!(wrong.starts_with("exit 1\n"), "{wrong}");
        assert!(
            wrong.contains(message) && wrong.contains("aeroform.toml:"),
            "{wrong}"
        );
    }
}

/// Holds rule 11.
#[test]
fn going_back_past_a_release_of_somebody_else_asks_for_its_number() {
    let sandbox = project(&format!("image = \"{V1}\"\n[groups.app]\ncount = 1\n"));
    let platform = EmulatorProcess::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y"]);
    fly_deploy(&platform, V2);
    sandbox.write("fly.toml", &format!("{FLY}[env]\n  MODE = \"a\"\n"));
    run(&sandbox, &platform, &["apply", "-y", "--allow-revert"]);
    let refused = run(&sandbox, &platform, &["rollback", "v1", "-y"]);
    assert!(refused.starts_with("exit 6\n"), "{refused}");
    assert!(
        refused.contains("reverts what release v2 changed"),
        "{refused}"
    );
    assert!(!sandbox.read("aeroform.toml").contains("hold"));
    let mut terminal = Terminal::start(on(&sandbox, &platform, &["rollback", "v1"]));
    terminal.expect("Type the release's number, v2, to continue:");
    terminal.type_line("v2");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(
        sandbox
            .read("aeroform.toml")
            .ends_with("[hold]\nrelease = 1\n")
    );
    // Forward again reverts nothing of theirs.
    let end = run(&sandbox, &platform, &["rollback", "--end", "-y"]);
    assert!(end.starts_with("exit 0\n"), "{end}");
}

#[test]
fn an_image_that_only_a_flag_named_goes_back_and_is_named_for_the_way_forward() {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let platform = EmulatorProcess::with_app(&sandbox);
    run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    run(&sandbox, &platform, &["apply", "-y", "--image", V2]);
    let image = || platform.machines()[0]["config"]["image"].clone();
    let back = run(&sandbox, &platform, &["rollback", "-y"]);
    assert!(back.starts_with("exit 0\n"), "{back}");
    assert_eq!(image(), V1);
    let end = run(&sandbox, &platform, &["rollback", "--end", "--plan-only"]);
    let words: Vec<&str> = end.split_whitespace().collect();
    let hint = format!("release v2 ran another: `--image {V2}`");
    assert!(words.join(" ").contains(&hint), "{end}");
    let end = ["rollback", "--end", "-y", "--image", V2];
    let end = run(&sandbox, &platform, &end);
    assert!(end.starts_with("exit 0\n"), "{end}");
    assert_eq!(image(), V2);
}

#[test]
fn it_waits_for_a_release_that_is_in_progress() {
    let (sandbox, platform) = three_releases();
    let body = json!({"app_name": "shop", "image": V2, "strategy": "ROLLING"});
    let (_, created) = platform.ask("POST", "/api/v1/releases", &body);
    let path = format!(
        "/api/v1/releases/{}",
        created["release"]["id"].as_str().unwrap()
    );
    platform.ask("PATCH", &path, &json!({"status": "running"}));
    let rollback = ["rollback", "v1", "-y", "--allow-revert"];
    let (mut child, mut stderr, _) = waits(&sandbox, &platform, &rollback);
    assert!(!sandbox.read("aeroform.toml").contains("hold"));
    platform.ask("PATCH", &path, &json!({"status": "complete"}));
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{rest}");
    all_are(&platform, V1, "a");
}

#[test]
fn groups_that_a_release_did_not_have_or_the_files_no_longer_name_are_named() {
    let sandbox = project(&format!("image = \"{V1}\"\n"));
    let processes = |text: &str| {
        let fly = FLY.replace(
            "[http_service]\n",
            "[http_service]\n  processes = [\"web\"]\n",
        );
        sandbox.write("fly.toml", &format!("{fly}[processes]\n{text}"));
    };
    let platform = EmulatorProcess::with_app(&sandbox);
    processes("web = \"serve a\"\nold = \"old job\"\n");
    run(&sandbox, &platform, &["apply", "-y"]);
    processes("web = \"serve b\"\nnew = \"new job\"\n");
    run(&sandbox, &platform, &["apply", "-y", "--allow-destroy=old"]);
    processes("web = \"serve b\"\nnew = \"new job --more\"\nnext = \"next job\"\n");
    let back = run(&sandbox, &platform, &["rollback", "v1", "-y"]);
    assert!(back.starts_with("exit 0\n"), "{back}");
    for line in [
        "group `new` is not in release v1 and keeps what runs",
        "group `next` is not in release v1 and is not created",
        "write `groups = [\"web\"]` in [hold]",
        "group `old` of release v1 is not in fly.toml and is not created again",
        "write `old = \"old job\"` in [processes] of fly.toml",
    ] {
        let words: Vec<&str> = back.split_whitespace().collect();
        assert!(words.join(" ").contains(line), "{line}\n{back}");
    }
    let commands = || {
        let machines = platform.machines().into_iter();
        let mut commands: Vec<String> = machines
            .map(|machine| {
                let cmd = machine["config"]["init"]["cmd"].as_array().unwrap().clone();
                let words = cmd.iter().map(|word| word.as_str().unwrap().to_owned());
                words.collect::<Vec<_>>().join(" ")
            })
            .collect();
        commands.sort();
        commands.dedup();
        commands
    };
    assert_eq!(commands(), ["new job", "serve a"]);
    // One group alone; the others follow the files.
    let only = run(&sandbox, &platform, &["rollback", "v1", "-g", "web", "-y"]);
    assert!(only.starts_with("exit 0\n"), "{only}");
    assert!(only.contains("configs of group `web` follow it"), "{only}");
    assert_eq!(commands(), ["new job --more", "next job", "serve a"]);
    let wrong = run(&sandbox, &platform, &["rollback", "v1", "-g", "wbe"]);
    assert!(wrong.starts_with("exit 1\n"), "{wrong}");
}

/// Holds rule 28.
#[test]
fn the_release_command_does_not_run_while_the_app_is_held() {
    let (sandbox, platform) = three_releases();
    let fly = sandbox.read("fly.toml");
    sandbox.write(
        "fly.toml",
        &format!("{fly}[deploy]\n  release_command = \"bin/migrate\"\n"),
    );
    let back = run(&sandbox, &platform, &["rollback", "v1", "-y"]);
    assert!(back.starts_with("exit 0\n"), "{back}");
    let words: Vec<&str> = back.split_whitespace().collect();
    assert!(
        words
            .join(" ")
            .contains("does not run: [hold] goes back to a release"),
        "{back}"
    );
    all_are(&platform, V1, "a");
}

#[test]
fn a_value_that_neither_files_nor_machines_have_is_todays_and_the_plan_says_so() {
    let (sandbox, platform) = three_releases();
    // New Machines have no versions of the release.
    for machine in platform.machines() {
        let id = machine["id"].as_str().unwrap().to_owned();
        run(&sandbox, &platform, &["machine", "replace", &id, "-y"]);
    }
    let back = run(&sandbox, &platform, &["rollback", "v1", "-y"]);
    assert!(back.starts_with("exit 0\n"), "{back}");
    let words: Vec<&str> = back.split_whitespace().collect();
    let warning = "the value of `env.API_TOKEN` of release v1 is not known: today's value is used";
    assert!(words.join(" ").contains(warning), "{back}");
    let wanted: (Value, Value, Value) = (V1.into(), "a".into(), "t0k3n-c".into());
    assert_eq!(configs(&platform), [wanted.clone(), wanted]);
}

#[test]
fn the_held_release_stays_in_the_state_however_many_follow() {
    let sandbox = Sandbox::with_app();
    let fly = |n: usize| format!("{}[env]\n  N = \"{n}\"\n", Sandbox::FLY);
    sandbox.write("fly.toml", &fly(0));
    sandbox.apply();
    let edited = sandbox.run(&["rollback", "v1", "-g", "jobs", "--edit-only"]);
    assert!(edited.starts_with("exit 0\n"), "{edited}");
    for n in 1..13 {
        sandbox.write("fly.toml", &fly(n));
        let applied = sandbox.run(&["apply", "-y", "--strategy", "immediate"]);
        assert!(applied.starts_with("exit 0\n"), "{applied}");
    }
    let listed = sandbox.run(&["releases", "--refresh=false", "--json"]);
    let rows = document(&listed)["releases"].as_array().unwrap().clone();
    let numbers: Vec<u64> = rows
        .iter()
        .map(|row| row["release"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 1]);
    let planned = sandbox.run(&["plan", "--detailed-exitcode"]);
    assert!(planned.starts_with("exit 0\n"), "{planned}");
    let ended = sandbox.run(&["rollback", "--end", "-y"]);
    assert!(ended.starts_with("exit 0\n"), "{ended}");
    sandbox.write("fly.toml", &fly(13));
    sandbox.apply();
    let listed = sandbox.run(&["releases", "--refresh=false", "--json"]);
    let rows = document(&listed)["releases"].as_array().unwrap().clone();
    assert_eq!(rows.len(), 10, "{listed}");
}

#[test]
fn a_hold_of_an_unknown_release_stops_no_refresh_and_no_destroy() {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    let ours = sandbox.read("aeroform.toml");
    sandbox.write("aeroform.toml", &format!("{ours}[hold]\nrelease = 7\n"));
    let refused = sandbox.run(&["apply", "-y"]);
    assert!(refused.starts_with("exit 6\n"), "{refused}");
    for verb in [
        &["refresh", "-y"][..],
        &["destroy", "-y", "--allow-destroy=all"],
    ] {
        let done = sandbox.run(verb);
        assert!(done.starts_with("exit 0\n"), "{done}");
    }
    assert_eq!(sandbox.machines(), 0);
}

#[test]
fn provider_local_counts_its_own_releases_and_goes_back_from_the_state_alone() {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    let files = (sandbox.read("fly.toml"), sandbox.read("aeroform.toml"));
    let next = Sandbox::FLY.replace("sleep 1000", "sleep 2000");
    sandbox.write("fly.toml", &next);
    sandbox.apply();
    // A count alone is no release.
    let scaled = sandbox.run(&["scale", "count", "web=2", "-y"]);
    assert!(scaled.starts_with("exit 0\n"), "{scaled}");
    for flags in [&["releases"][..], &["releases", "--refresh=false"]] {
        let listed = sandbox.run(flags);
        assert!(
            listed.contains("v2 (local)") && listed.contains("v1 (local)"),
            "{listed}"
        );
        assert!(!listed.contains("v3"), "{listed}");
    }
    let offline = ["rollback", "--plan-only", "--refresh=false"];
    let offline = sandbox.run(&offline);
    assert!(offline.contains("Held at v1 (local)"), "{offline}");
    assert!(offline.contains("+ release = 1"), "{offline}");
    let back = sandbox.run(&["rollback", "-y"]);
    assert!(back.starts_with("exit 0\n"), "{back}");
    let shown = sandbox.run(&["status"]);
    assert!(shown.contains("Held at v1 (local)"), "{shown}");
    let listed = sandbox.run(&["machine", "list", "--json"]);
    assert!(listed.starts_with("exit 0\n"), "{listed}");
    let end = sandbox.run(&["rollback", "--end", "-y"]);
    assert!(end.starts_with("exit 0\n"), "{end}");
    assert_eq!(sandbox.read("fly.toml"), next);
    assert!(!sandbox.read("aeroform.toml").contains("hold"));
    assert_ne!(sandbox.read("aeroform.toml"), files.1, "the count stays");
}
