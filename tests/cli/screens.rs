//! What stands on the screen: warnings where they matter, and results that can be read.

use std::fs::{self, File};
use std::process::{Child, Output, Stdio};

use serde_json::json;

use crate::fly::{EmulatorProcess, V1, project, run};
use crate::pty::Terminal;
use crate::sandbox::Sandbox;

/// Groups of words without line breaks.
fn flat(shown: &str) -> String {
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An app on Fly with a release command, a compose file, which this version does not read, and a key that is none.
fn deployed() -> (Sandbox, EmulatorProcess) {
    let sandbox = project("[groups.app]\ncount = 2\n");
    let platform = EmulatorProcess::with_app(&sandbox);
    let applied = run(&sandbox, &platform, &["apply", "-y", "--image", V1]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    let fly = sandbox.read("fly.toml");
    let more = "[deploy]\n  release_command = \"bin/migrate\"\n[build.compose]\n  file = \"compose.yml\"\n";
    sandbox.write("fly.toml", &format!("kil_timeout = 5\n{fly}\n{more}"));
    sandbox.write("compose.yml", "services:\n  app:\n    image: x\n");
    (sandbox, platform)
}

#[test]
fn a_warning_appears_with_the_verb_that_it_concerns() {
    let (sandbox, platform) = deployed();
    let at = |args: &[&str]| run(&sandbox, &platform, args);
    let valid = at(&["validate", "--provider", "fly"]);
    assert!(valid.contains("compose_not_read"), "{valid}");
    let id = platform.machines()[0]["id"].as_str().unwrap().to_owned();
    let looks: [&[&str]; 9] = [
        &["status"],
        &["logs"],
        &["machine", "list"],
        &["machine", "status", &id],
        &["machine", "stop", &id],
        &["drift"],
        &["refresh", "-y"],
        &["scale", "show"],
        &["state", "list"],
    ];
    for args in looks {
        let shown = at(args);
        assert!(shown.starts_with("exit 0\n"), "{args:?}: {shown}");
        assert!(!shown.contains("warning["), "{args:?}: {shown}");
    }
    let acts: [&[&str]; 6] = [
        &["plan"],
        &["scale", "count", "3", "--plan-only"],
        &["scale", "count", "3", "--edit-only", "-y"],
        &["regions", "add", "gru", "--plan-only"],
        &["restart", "--plan-only"],
        &["apply", "-y"],
    ];
    for args in acts {
        let shown = at(args);
        assert!(shown.contains("warning[unknown_key]"), "{args:?}: {shown}");
        let others = shown.matches("warning[").count();
        assert_eq!(others, 1, "{args:?}: {shown}");
    }
    // Where a plan needs one of them, it is refused; that is no warning.
    let more = at(&["scale", "count", "4", "-y"]);
    assert!(more.starts_with("exit 6\n"), "{more}");
}

#[test]
fn what_is_worst_about_a_count_stands_beside_it() {
    let sandbox = project("[groups.app]\ncount = 3\n");
    let platform = EmulatorProcess::with_app(&sandbox);
    let fly = sandbox.read("fly.toml");
    sandbox.write("fly.toml", &format!("{fly}  min_machines_running = 2\n"));
    let at = |args: &[&str]| run(&sandbox, &platform, args);
    at(&["apply", "-y", "--image", V1]);
    let few = at(&["scale", "count", "1", "--plan-only"]);
    let beside = "~ app 3 → 1 ams · fewer than `min_machines_running`";
    assert!(flat(&few).contains(beside), "{few}");
    let after = "warning: group `app` has 1 Machine, but `min_machines_running` is 2";
    assert!(few.find(after) > few.find("to destroy"), "{few}");
    assert!(!few.contains("min_above_count"), "{few}");
    let none = at(&["scale", "count", "0", "--plan-only"]);
    let beside = "~ app 3 → 0 ams · no Machines remain";
    assert!(flat(&none).contains(beside), "{none}");
    // Without a plan the warning is of the edit.
    let edited = at(&["scale", "count", "1", "--edit-only", "-y"]);
    assert!(edited.contains("warning[min_above_count]"), "{edited}");
}

/// Begins it against whatever answers at this address.
fn asks_at(sandbox: &Sandbox, url: &str, args: &[&str]) -> Child {
    let mut command = sandbox.command(args);
    command
        .env("FLY_API_TOKEN", "x")
        .env("FLY_FLAPS_BASE_URL", url)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// A server that answers everything with this status.
fn answering(status: &'static str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            use std::io::{Read, Write};
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 4096]);
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno");
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

#[test]
fn what_does_not_answer_has_a_hint_and_nothing_was_changed() {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let bad = answering("502 Bad Gateway");
    let cases = [
        (
            closed.as_str(),
            "Connection refused",
            "hint: no server listens there: check `FLY_FLAPS_BASE_URL`",
        ),
        (
            "https://nosuch.invalid",
            "dns error",
            "hint: the host name does not resolve: check `FLY_FLAPS_BASE_URL`",
        ),
        (
            bad.as_str(),
            "answered 502",
            "reports an error or is not the Machines API: check `FLY_FLAPS_BASE_URL`",
        ),
    ];
    let verbs = [
        &["apply", "-y"][..],
        &["status"],
        &["scale", "count", "2", "-y"],
    ];
    // Each tries for some seconds.
    let begun: Vec<_> = cases
        .iter()
        .flat_map(|case| verbs.map(|args| (case, asks_at(&sandbox, case.0, args))))
        .collect();
    for ((_, cause, hint), child) in begun {
        let shown = flat(&sandbox.show(&child.wait_with_output().unwrap()));
        assert!(shown.starts_with("exit 1 "), "{shown}");
        for words in [cause, "; nothing was changed", hint] {
            assert!(shown.contains(words), "{words}: {shown}");
        }
    }
    assert_eq!(sandbox.read("aeroform.toml").matches("count").count(), 1);
}

#[test]
fn a_folder_without_write_access_is_reported_before_any_plan() {
    let sandbox = Sandbox::with_app();
    let verbs: [&[&str]; 3] = [
        &["apply"],
        &["apply", "-y"],
        &["scale", "count", "web=3", "-y"],
    ];
    let before = |expected: &str, code: u8| {
        for args in verbs {
            let shown = sandbox.run(args);
            assert!(shown.starts_with(&format!("exit {code}\n")), "{shown}");
            assert!(shown.contains(expected), "{shown}");
            assert!(!shown.contains("to create"), "{shown}");
            assert!(!shown.contains("aeroform.toml"), "{shown}");
        }
        assert_eq!(sandbox.machines(), 0);
    };
    // Somebody is at work.
    let state = sandbox.project().join("state");
    fs::create_dir_all(&state).unwrap();
    let lock = File::create(state.join(".shop.json.lock")).unwrap();
    lock.lock().unwrap();
    before("error: the state is locked by another process", 5);
    drop(lock);
    // No folder for the state.
    fs::remove_dir_all(&state).unwrap();
    fs::write(&state, "").unwrap();
    before("nothing was changed", 1);
    fs::remove_file(&state).unwrap();
    sandbox.apply();
}

#[test]
fn a_lock_that_is_waited_for_is_waited_for_before_the_plan() {
    let sandbox = Sandbox::with_app();
    let state = sandbox.project().join("state");
    fs::create_dir_all(&state).unwrap();
    let lock = File::create(state.join(".shop.json.lock")).unwrap();
    lock.lock().unwrap();
    let mut command = sandbox.command(&["apply", "-y", "--lock-timeout", "60s"]);
    let waiting = std::thread::spawn(move || command.output().unwrap());
    // What it does in this time is to wait.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    drop(lock);
    let output: Output = waiting.join().unwrap();
    let expected = String::from_utf8_lossy(&output.stderr);
    let waits = expected
        .find("for the state's lock")
        .unwrap_or_else(|| panic!("{expected}"));
    assert!(
        expected
            .find("Applying")
            .is_some_and(|begins| begins > waits),
        "{expected}"
    );
    assert!(output.status.success(), "{expected}");
}

#[test]
fn a_mistyped_app_gets_a_suggestion_before_it_is_created() {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let platform = EmulatorProcess::with_app(&sandbox);
    let other = json!({"name": "billing", "org_slug": "personal"});
    assert_eq!(platform.ask("POST", "/v1/apps", &other).0, 201);
    for args in [
        &["status"][..],
        &["plan"],
        &["apply", "-y"],
        &["destroy", "-y", "--allow-destroy=all"],
        &["drift"],
        &["refresh", "-y"],
        &["restart", "-y"],
        &["scale", "show"],
        &["regions", "list"],
        &["logs"],
        &["logs", "web"],
        &["logs", "a1b2c3d4"],
        &["machine", "list"],
        &["machine", "status", "a1b2c3d4"],
        &["machine", "start", "a1b2c3d4"],
        &["machine", "stop", "a1b2c3d4"],
        &["machine", "replace", "a1b2c3d4", "-y"],
        &["import", "a1b2c3d4", "-y"],
    ] {
        let typed = [args, &["-a", "shopp"]].concat();
        let shown = flat(&run(&sandbox, &platform, &typed));
        let hint = "hint: did you mean `shop`? Otherwise `fly apps create shopp` creates it";
        assert!(shown.contains(hint), "{args:?}: {shown}");
    }
    let far = flat(&run(&sandbox, &platform, &["status", "-a", "ledger"]));
    assert!(
        far.contains("hint: if the name is correct, `fly apps create ledger` creates it"),
        "{far}"
    );
}

#[test]
fn with_the_state_alone_a_mistyped_app_gets_a_suggestion() {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    let meant = "app `shopp` has no state here; did you mean `shop`?";
    for args in [&["state", "list"][..], &["state", "show"], &["unlock"]] {
        let shown = sandbox.run(&[args, &["-a", "shopp"]].concat());
        assert!(shown.contains(meant), "{args:?}: {shown}");
        let right = sandbox.run(&[args, &["-a", "shop"]].concat());
        assert!(!right.contains("did you mean"), "{args:?}: {right}");
        let far = sandbox.run(&[args, &["-a", "ledger"]].concat());
        assert!(!far.contains("did you mean"), "{args:?}: {far}");
    }
}

#[test]
fn the_count_rises_by_one_and_a_machine_has_one_name_throughout() {
    let sandbox = Sandbox::with_app();
    sandbox.write(
        "aeroform.toml",
        "provider = \"local\"\n[groups.web]\ncount = 5\n[groups.jobs]\ncount = 1\n",
    );
    for change in ["sleep 1000", "sleep 1003"] {
        let fly = Sandbox::FLY.replace("sleep 1000", change);
        sandbox.write("fly.toml", &fly);
        let shown = sandbox.run(&["apply", "-y"]);
        assert!(shown.starts_with("exit 0\n"), "{shown}");
        let words = shown.split_whitespace();
        let counts: Vec<(usize, usize)> = words
            .filter_map(|word| {
                let (n, all) = word.split_once('/')?;
                Some((n.parse().ok()?, all.parse().ok()?))
            })
            .collect();
        let all = counts.len();
        assert!(all > 3, "{shown}");
        let expected: Vec<_> = (1..=all).map(|n| (n, all)).collect();
        assert_eq!(counts, expected, "{shown}");
        // The plan names new ones by group and number, the run by id.
        let (_, run) = shown.split_once("Applying").unwrap();
        let of_machines = run.lines().filter(|line| line.starts_with(['+', '~']));
        let state = sandbox.read("state/shop.json");
        for line in of_machines {
            let id = line.split_whitespace().nth(2).unwrap();
            assert!(
                state.contains(&format!("\"id\":\"{id}\"")) || state.contains(&format!("\"{id}\"")),
                "{line}"
            );
            assert!(!id.contains('-'), "{line}");
        }
    }
}

#[test]
fn commands_in_json_have_the_flags_in_use() {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let platform = EmulatorProcess::with_app(&sandbox);
    let fly = sandbox.read("fly.toml");
    sandbox.write("my shop/fly.toml", &fly);
    sandbox.write("my shop/aeroform.toml", "provider = \"fly\"\n");
    let at = |args: &[&str]| run(&sandbox, &platform, args);
    let refused = at(&["-C", "my shop", "machine", "move", "--json"]);
    let expected = "`aeroform -C 'my shop' plan` shows what an apply would create";
    assert!(refused.matches(expected).count() == 2, "{refused}");
    let applied = at(&["-C", "my shop", "apply", "-y", "--image", V1]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    let drained = at(&[
        "-C", "my shop", "regions", "drain", "ams", "-g", "app", "--json",
    ]);
    let expected = "(`aeroform -C 'my shop' regions add REGION -g app`)";
    assert!(drained.contains(expected), "{drained}");
}

#[test]
fn a_file_that_differs_in_line_endings_is_reported_as_that() {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let platform = EmulatorProcess::with_app(&sandbox);
    let fly = sandbox.read("fly.toml");
    let files = "[[files]]\n  guest_path = \"/etc/motd\"\n  local_path = \"motd\"\n";
    sandbox.write("fly.toml", &format!("{fly}\n{files}"));
    sandbox.write("motd", "one\ntwo\n");
    let at = |args: &[&str]| run(&sandbox, &platform, args);
    let applied = at(&["apply", "-y", "--image", V1]);
    assert!(applied.starts_with("exit 0\n"), "{applied}");
    sandbox.write("motd", "one\r\ntwo\r\n");
    let plan = flat(&at(&["plan"]));
    let expected =
        "note: group `app`: only the line endings differ in `files./etc/motd` (CRLF, LF)";
    assert!(plan.contains(expected), "{plan}");
    sandbox.write("motd", "one\r\nthree\r\n");
    let plan = flat(&at(&["plan"]));
    assert!(!plan.contains("CRLF"), "{plan}");
}

#[test]
fn machines_without_the_containers_of_a_compose_file_are_not_made() {
    let sandbox = project("[groups.app]\ncount = 1\n");
    let platform = EmulatorProcess::with_app(&sandbox);
    let fly = sandbox.read("fly.toml");
    let at = |args: &[&str]| run(&sandbox, &platform, args);
    at(&["apply", "-y", "--image", V1]);
    sandbox.write(
        "fly.toml",
        &format!("{fly}\n[build.compose]\n  file = \"compose.yml\"\n"),
    );
    sandbox.write("compose.yml", "services:\n  app:\n    image: x\n");
    let same = at(&["plan", "--detailed-exitcode"]);
    assert!(same.starts_with("exit 0\n"), "{same}");
    let more = at(&["scale", "count", "2", "-y"]);
    assert!(more.starts_with("exit 6\n"), "{more}");
    let expected = "new Machines of group `app` would not have the containers of the compose file (fly.toml:7)";
    assert!(flat(&more).contains(expected), "{more}");
    assert_eq!(platform.machines().len(), 1);
    assert!(at(&["validate"]).contains("warning[compose_not_read]"));
}

#[test]
fn what_is_printed_to_be_typed_is_quoted_for_its_reader() {
    let sandbox = Sandbox::with_app();
    let fly = "app = \"shop\"\nprimary_region = \"ams\"\n\n[processes]\n  \"w rk\" = \"echo a##[x] && sleep 9\"\n";
    sandbox.write("fly.toml", fly);
    sandbox.write(
        "aeroform.toml",
        "provider = \"local\"\n[groups.\"w rk\"]\ncount = 1\n[groups.\"w rk\".deploy]\nsteady = \"10m\"\n",
    );
    let shown = flat(&sandbox.run(&["validate"]));
    let steady = "`groups.\"w rk\".deploy.steady` is not shorter than";
    assert!(shown.contains(steady), "{shown}");
    sandbox.write(
        "aeroform.toml",
        "provider = \"local\"\n[groups.\"w rk\"]\ncount = 1\n",
    );
    let shown = flat(&sandbox.run(&["validate", "--provider", "fly"]));
    let line = "\"w rk\" = \"sh -c 'echo a\\u0023#[x] && sleep 9'\"";
    assert!(shown.contains(line), "{shown}");
    let saved = flat(&sandbox.run(&["plan", "--out", "my next.plan"]));
    assert!(saved.contains("`aeroform apply 'my next.plan'`"), "{saved}");
    sandbox.write(
        "fly.toml",
        &fly.replace("echo a##[x] && sleep 9", "sleep 1000"),
    );
    sandbox.apply();
    let refused = flat(&sandbox.run(&["scale", "count", "w rk=0", "-y"]));
    assert!(refused.contains("'--allow-destroy=w rk:1'"), "{refused}");
    let allowed = sandbox.run(&["scale", "count", "w rk=0", "-y", "--allow-destroy=w rk:1"]);
    assert!(allowed.starts_with("exit 0\n"), "{allowed}");
}

#[test]
fn on_a_terminal_no_diagnostic_breaks_within_a_word() {
    let sandbox = Sandbox::with_app();
    let without = Sandbox::FLY.replace("[processes]", "[env]");
    sandbox.write("fly.toml", &without);
    let whole = sandbox.run(&["validate", "--provider", "local"]);
    let expected =
        "process group `app` has no command, and provider `local` has no image to take one from";
    assert!(whole.contains(expected), "{whole}");
    for width in [60, 80, 100] {
        let mut command = sandbox.command(&["validate", "--provider", "local"]);
        command.env("COLUMNS", width.to_string());
        let (code, screen) = Terminal::start(command).end();
        assert_eq!(code, 1, "{screen}");
        let lines: Vec<&str> = screen.lines().map(str::trim_end).collect();
        let longest = lines.iter().map(|line| line.chars().count()).max();
        assert!(longest <= Some(width), "{width}: {screen}");
        let words: Vec<&str> = screen.split_whitespace().collect();
        assert!(words.join(" ").contains(expected), "{width}: {screen}");
    }
}
