//! Every code that a command may end with, provoked at the binary, with the exit code of its row.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

use aeroform::cli::codes as verbs;
use aeroform::core::fleet::AppName;
use aeroform::core::state::{MovedRecord, codes as state, digest, read, write_moved};
use aeroform::store::{Holder, LocalStore, StateLock, StateStore, Version, WriteNote};
use aeroform::ui::{Exit, Failure, codes as ui};
use rustix::process::{Pid, Signal, kill_process};

use crate::first_to_last::applied_and_taken_back;
use crate::provoked::assert_all_provoked;
use crate::pty::Terminal;
use crate::sandbox::Sandbox;

/// The code that the command ends with. Its exit code is the one that the table has for it.
fn code(mut command: Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let last = text.lines().last().unwrap_or_default();
    let document: serde_json::Value = serde_json::from_str(last).unwrap_or_default();
    let shown = String::from_utf8_lossy(&output.stderr);
    let code = document["error"]["code"].as_str();
    let code = code
        .unwrap_or_else(|| panic!("no error: {text}{shown}"))
        .to_owned();
    let exit = output.status.code().unwrap();
    assert_eq!(exit, exit_of(&code), "{code}: {text}{shown}");
    code
}

fn exit_of(name: &str) -> i32 {
    let tables = verbs::CODE_TABLES.iter();
    let row = tables
        .flat_map(|table| table.codes)
        .find(|code| code.name() == name);
    let row = row.unwrap_or_else(|| panic!("{name} is in no table"));
    i32::from(Exit::from(row.exit_class()).code())
}

fn error_of(sandbox: &Sandbox, args: &[&str]) -> String {
    let mut command = sandbox.command(args);
    command.arg("--json");
    code(command)
}

/// The same in a world with an app, after an outside edit of one of its files.
fn with(path: &str, text: &str, args: &[&str]) -> String {
    let sandbox = Sandbox::with_app();
    sandbox.write(path, text);
    error_of(&sandbox, args)
}

/// The same, begun by a shell that does something first.
fn after(preparation: &str, args: &str) -> String {
    let sandbox = Sandbox::with_app();
    let program = env!("CARGO_BIN_EXE_aeroform");
    let inherited = sandbox.command(&[]);
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            &format!("{preparation}; exec '{program}' {args} --json"),
        ])
        .current_dir(sandbox.project())
        .env_clear();
    for (key, value) in inherited.get_envs() {
        command.env(key, value.unwrap_or_default());
    }
    code(command)
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one line or two for each code")]
async fn every_code_of_a_verb_is_provoked() {
    let sandbox = Sandbox::with_app();
    let mut homeless = sandbox.command(&["status", "--json"]);
    homeless.env_remove("AEROFORM_STATE_DIR").env_remove("HOME");
    let mut certless = sandbox.command(&["status", "--provider", "fly", "--json"]);
    let nothing = sandbox.project().join("nothing");
    certless
        .env("FLY_API_TOKEN", "t")
        .env("SSL_CERT_FILE", &nothing)
        .env("SSL_CERT_DIR", &nothing);
    assert_eq!(code(certless), "no_tls");
    let mut portless = sandbox.command(&["status", "--json"]);
    portless.env("AEROFORM_LOCAL_PORTS", "eighty");
    let mut unsteady = sandbox.command(&["plan", "--json"]);
    unsteady.env("AEROFORM_STEADY", "ten");
    let mut nameless = sandbox.command(&["status", "--json"]);
    nameless.env("FLY_APP", "$APP");
    let seen = vec![
        state_at("git+origin", &["plan", "--refresh=false"]),
        other_there(),
        code(nameless),
        code(unsteady),
        error_of(&sandbox, &["-a", "other", "scale", "count", "web=3"]),
        with("aeroform.worker.toml", "", &["-c", "aeroform.toml", "plan"]),
        with("fly.worker.toml", "", &["-c", "fly.worker.toml", "apply"]),
        with("aeroform.a.toml", "config = \"fly.toml\"\n", &["plan"]),
        unclear(),
        several(),
        code(portless),
        error_of(&sandbox, &["init"]),
        with("fly.toml", &" ".repeat((1 << 20) + 1), &["plan"]),
        error_of(&sandbox, &["apply", "fly.toml"]),
        error_of(&sandbox, &["apply", "missing.plan"]),
        error_of(&sandbox, &["-C", "nowhere", "status"]),
        error_of(&sandbox, &["apply"]),
        error_of(&sandbox, &["state", "push", "missing.json"]),
        error_of(&sandbox, &["state", "show", "missing"]),
        with(
            "faults.toml",
            "[[fault]]\non = \"get\"\neffect = \"odd\"\n",
            &["emulator", "--faults", "faults.toml"],
        ),
        not_running(),
        crate::checkouts::of_other_project(code),
        error_of(&sandbox, &["machine", "destroy"]),
        error_of(&sandbox, &["machine", "move", "x"]),
        no_provider(),
        one_by_one("clone"),
        one_by_one("destroy"),
        crate::fly::other_app(code),
        crate::fly::busy(code),
        crate::fly::empty(code),
        crate::fly_runs::several_images(code),
        crate::manual::known(code),
        with("fly.db", "no database", &["emulator", "--data", "fly.db"]),
        error_of(&sandbox, &["emulator", "--listen", "192.0.2.1:1"]),
        error_of(&sandbox, &["status", "--provider", "loco"]),
        error_of(&sandbox, &["show", "config", "-g", "wbe"]),
        error_of(&Sandbox::new(), &["plan"]),
        with("fly.toml", "app = 1\n", &["plan"]),
        with("aeroform.toml", "config = \".git/config\"\n", &["plan"]),
        unreadable(),
        with(
            "aeroform.toml",
            "[state]\npath = \"/etc/passwd\"\n",
            &["plan"],
        ),
        code(homeless),
        after(
            "mkdir gone; cd gone; rmdir ../gone",
            "-c ../fly.toml status",
        ),
        // The loader needs number 3, which another test may have open while this one begins a process.
        after("exec 3>&-; ulimit -n 4", "status"),
        refused(),
        stale(),
        spent(),
        moved_on(),
        another_app(),
        error_of(&sandbox, &["rollback"]),
        with(
            "aeroform.toml",
            "provider = \"fly\"\n[hold]\nrelease = 1\n",
            &["plan", "--refresh=false", "--image", "shop:1"],
        ),
        error_of(&sandbox, &["scale", "count", "3"]),
        error_of(&sandbox, &["regions", "drain", "nowhere"]),
        error_of(&sandbox, &["scale", "count", "web=3", "web=4"]),
        error_of(&sandbox, &["scale", "count", "web=3", "--refresh=false"]),
        error_of(
            &sandbox,
            &["scale", "count", "web=3", "--max-per-region", "1"],
        ),
        contradicted(),
        file_changed().await,
        error_of(&sandbox, &["scale", "vm", "huge", "-g", "web"]),
        error_of(&sandbox, &["group", "add", "web", "sleep 1"]),
        acquired(),
        error_of(&alone(), &["group", "remove", "web"]),
        error_of(&sandbox, &["regions", "drain", "ams"]),
        left_to_people(),
        with(
            "fly.toml",
            "app = \"shop\"\n[processes]\nweb = \"a\"\njobs = \"b\"\n[[vm]]\nprocesses = [\"web\"\n, \"jobs\"]\n",
            &["scale", "vm", "shared-cpu-2x", "-g", "web"],
        ),
        crate::fly::different_sizes(code),
        crate::commit_order::not_newest(code),
    ];
    assert_all_provoked(
        verbs::ALL,
        seen.into_iter().chain(expected()),
        &[(
            verbs::NO_PROGRAM,
            "the system names the file of every program that runs",
        )],
    );
}

/// A Machine that is stopped is to be restarted.
fn not_running() -> String {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    let listed = sandbox
        .command(&["machine", "list", "-q"])
        .output()
        .unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    let id = text.lines().next().unwrap();
    sandbox.run(&["machine", "stop", id]);
    error_of(&sandbox, &["machine", "restart", id])
}

/// A standby is to be cloned, or a Machine that runs destroyed.
fn one_by_one(what: &str) -> String {
    let sandbox = Sandbox::with_app();
    let ours = "[groups.web]\ncount = 1\n[groups.jobs]\ncount = 1\nstandby = true\n";
    sandbox.write("aeroform.toml", ours);
    sandbox.apply();
    let output = sandbox.command(&["status", "--json"]).output().unwrap();
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let machines = status["machines"].as_array().unwrap();
    let id = |is_standby: bool| {
        let found = machines.iter().find(|m| m["standby"] == is_standby);
        found.unwrap()["id"].as_str().unwrap().to_owned()
    };
    match what {
        "clone" => error_of(&sandbox, &["machine", "clone", &id(true)]),
        _ => error_of(&sandbox, &["machine", "destroy", &id(false)]),
    }
}

/// A folder stands where a file is meant.
fn unreadable() -> String {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml/file", "");
    error_of(&sandbox, &["plan"])
}

/// An app with one group.
fn alone() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        "fly.toml",
        "app = \"shop\"\n[processes]\nweb = \"sleep 1\"\n",
    );
    sandbox
}

/// An app that is configured in JSON.
/// A group is to get the name of one whose Machines have not moved yet.
fn acquired() -> String {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    sandbox.run(&["group", "rename", "jobs", "work", "--edit-only"]);
    error_of(&sandbox, &["group", "rename", "web", "jobs"])
}

fn left_to_people() -> String {
    let sandbox = Sandbox::new();
    let text = r#"{"app": "shop", "primary_region": "ams", "processes": {"web": "sleep 1"}}"#;
    sandbox.write("fly.json", text);
    sandbox.write("aeroform.toml", "config = \"fly.json\"\n");
    let code = error_of(&sandbox, &["scale", "memory", "512", "-g", "web"]);
    assert_eq!(sandbox.read("fly.json"), text);
    code
}

/// A layout beside a limit that it does not keep.
fn contradicted() -> String {
    let text = "[groups.web]\ncount = 1\nmax_per_region = 1\n";
    let count = ["scale", "count", "web=2", "--max-per-region", "2"];
    with("aeroform.toml", text, &count)
}

/// A file that is changed outside while its edit waits for the lock.
async fn file_changed() -> String {
    let sandbox = Sandbox::with_app();
    let lock = lock(&sandbox).await;
    let scale = ["scale", "count", "web=2", "-y", "--lock-timeout", "1m"];
    let mut command = sandbox.command(&scale);
    command.arg("--json").stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    while !said.contains("for the state's lock") {
        assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "{said}");
    }
    sandbox.write("aeroform.toml", "[groups.web]\ncount = 1\n# mine\n");
    lock.release().await.unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(exit_of("file_changed")));
    assert!(sandbox.read("aeroform.toml").ends_with("# mine\n"));
    let text = String::from_utf8(output.stdout).unwrap();
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    last["error"]["code"].as_str().unwrap().to_owned()
}

fn refused() -> String {
    let sandbox = Sandbox::with_app();
    let protected = |count| {
        format!("[groups.web]\ncount = {count}\nprotect = true\n[groups.jobs]\ncount = 0\n")
    };
    sandbox.write("aeroform.toml", &protected(1));
    sandbox.apply();
    sandbox.write("aeroform.toml", &protected(0));
    error_of(&sandbox, &["apply", "-y"])
}

/// What a plan from the state alone ends in, as a plan to apply and as a plan to expect.
fn expected() -> Vec<String> {
    let sandbox = Sandbox::with_app();
    let offline = ["plan", "--refresh=false", "--out", "reviewed.plan"];
    sandbox.run(&offline);
    sandbox.write("aeroform.toml", "[groups.web]\ncount = 2\n");
    vec![
        error_of(&sandbox, &["apply", "reviewed.plan"]),
        error_of(&sandbox, &["apply", "--expect", "reviewed.plan"]),
        error_of(
            &sandbox,
            &["-a", "blog", "plan", "--expect", "reviewed.plan"],
        ),
    ]
}

fn stale() -> String {
    let sandbox = Sandbox::with_app();
    sandbox.run(&["plan", "--out", "next.plan"]);
    sandbox.write("aeroform.toml", "[groups.web]\ncount = 2\n");
    error_of(&sandbox, &["apply", "next.plan"])
}

/// The state is of an app that was made elsewhere.
fn another_app() -> String {
    let sandbox = Sandbox::with_app();
    sandbox.apply();
    let state = sandbox.read("state/shop.json");
    let lineage = state.split("\"lineage\":").nth(1).unwrap();
    let lineage = lineage.split('"').nth(1).unwrap();
    sandbox.write("state/shop.json", &state.replace(lineage, "elsewhere"));
    error_of(&sandbox, &["drift"])
}

fn spent() -> String {
    let sandbox = Sandbox::with_app();
    applied_and_taken_back(&sandbox);
    error_of(&sandbox, &["apply", "next.plan"])
}

/// A state moves to where another one is.
fn other_there() -> String {
    let text = include_str!("../golden/state-format-1.json");
    let sandbox = Sandbox::with_app();
    sandbox.write("state/shop.json", text);
    sandbox.write("kept.json", &text.replace("k2v9", "another"));
    error_of(&sandbox, &["state", "migrate", "-y", "--to", "kept.json"])
}

/// A state that follows another one than the none that is there.
fn moved_on() -> String {
    let text = include_str!("../golden/state-format-1.json");
    with("copy.json", text, &["state", "push", "copy.json"])
}

#[test]
fn every_code_of_a_state_file_is_provoked() {
    let error_of = |text: &str| with("state/shop.json", text, &["state", "list"]);
    let text = include_str!("../golden/state-format-1.json");
    let seen = vec![
        error_of("{"),
        error_of(&text.replace("\"format\": 1", "\"format\": 99")),
        error_of(&text.replace("\"shop\"", "\"other\"")),
        error_of(&format!("<<<<<<< HEAD\n{text}")),
        error_of(&moved(text)),
    ];
    assert_all_provoked(state::ALL, seen, &[]);
}

/// What `state migrate` leaves where this state was.
fn moved(text: &str) -> String {
    let known = read(text, &AppName::new("shop").unwrap()).unwrap();
    let record = MovedRecord {
        to: "git+origin".to_owned(),
        at: "2026-01-01T00:00:00Z".to_owned(),
        by: "ben".to_owned(),
        lineage: known.lineage.clone(),
        serial: known.serial,
    };
    write_moved(&known, &digest(text), &record)
}

#[tokio::test]
async fn every_code_of_state_journal_and_streams_is_provoked() {
    let seen = vec![
        Failure::bug("it cannot be").code.to_owned(),
        locked_and_interrupted(Signal::TERM).await,
        held(&["apply", "-y", "--lock-timeout", "10ms"]).await,
        no_answer(),
        output(),
        changed().await,
        with("state/shop.json/x", "", &["state", "list"]),
        damaged_journal(),
        state_at("https://host/state", &["state", "list"]),
        state_at("git+origin", &["state", "list"]),
        error_of(
            &Sandbox::with_app(),
            &["plan", "--out", "nowhere/next.plan"],
        ),
    ];
    let beyond = [(
        ui::SIGNALS,
        "a system that runs a program lets it listen for SIGTERM",
    )];
    assert_all_provoked(ui::ALL, seen, &beyond);
}

fn store(sandbox: &Sandbox) -> LocalStore {
    LocalStore::new(
        sandbox.project().join("state/shop.json"),
        "state/shop.json".to_owned(),
    )
}

/// Somebody else holds the lock of the state.
pub(crate) async fn lock(sandbox: &Sandbox) -> Box<dyn StateLock> {
    let holder = Holder {
        who: "ben".to_owned(),
        host: "there".to_owned(),
        pid: 1,
        command: "apply".to_owned(),
        since: "2026-01-01T00:00:00Z".to_owned(),
        run: None,
        url: Some("https://host/jobs/1".to_owned()),
    };
    let mut silent = |_: Option<&Holder>| {};
    store(sandbox)
        .lock(&holder, Duration::ZERO, &mut silent)
        .await
        .unwrap()
}

async fn held(args: &[&str]) -> String {
    let sandbox = Sandbox::with_app();
    let lock = lock(&sandbox).await;
    let ended = error_of(&sandbox, args);
    lock.release().await.unwrap();
    ended
}

/// A command that waits for the lock gets a signal.
async fn locked_and_interrupted(signal: Signal) -> String {
    let sandbox = Sandbox::with_app();
    let lock = lock(&sandbox).await;
    let mut command = sandbox.command(&["apply", "-y", "--lock-timeout", "1m", "--json"]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains("for the state's lock") {
        let mut byte = [0];
        assert_eq!(
            stderr.read(&mut byte).unwrap(),
            1,
            "{}",
            String::from_utf8_lossy(&said)
        );
        said.extend(byte);
    }
    let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
    let output = child.wait_with_output().unwrap();
    lock.release().await.unwrap();
    assert_eq!(output.status.code(), Some(130));
    error_code(&String::from_utf8(output.stdout).unwrap())
}

/// The code in text that a terminal may have broken into lines.
fn error_code(text: &str) -> String {
    let text: String = text.split_whitespace().collect();
    let rest = text
        .split("\"code\":\"")
        .nth(1)
        .unwrap_or_else(|| panic!("no code: {text}"));
    rest.split('"').next().unwrap().to_owned()
}

fn no_answer() -> String {
    let sandbox = Sandbox::with_app();
    let mut terminal = Terminal::start(sandbox.command(&["apply", "--json"]));
    terminal.expect("[y/N]");
    terminal.end_input();
    let (exit, screen) = terminal.end();
    assert_eq!(exit, exit_of(ui::NO_ANSWER.name()), "{screen}");
    error_code(&screen)
}

/// Settings that go with two files by name.
fn unclear() -> String {
    let sandbox = Sandbox::new();
    for path in ["fly.a.json", "fly.a.yaml", "aeroform.a.toml"] {
        sandbox.write(path, "");
    }
    error_of(&sandbox, &["-c", "fly.a.json", "plan"])
}

/// States of two apps, and no fly.toml that says which is meant.
fn several() -> String {
    let sandbox = Sandbox::new();
    for app in ["a", "b"] {
        let header = format!("[{{\"format\": 1, \"app\": \"{app}\", \"provider\": \"local\"}}]");
        sandbox.write(&format!("state/{app}.json"), &header);
    }
    error_of(&sandbox, &["status"])
}

/// Asked at a terminal that cannot draw a list, which no document is written for.
fn no_provider() -> String {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", Sandbox::FLY);
    let mut command = sandbox.command(&["init"]);
    command.env("TERM", "dumb");
    let (exit, screen) = Terminal::start(command).end();
    let named = verbs::NO_PROVIDER_NAMED;
    assert_eq!(exit, exit_of(named.name()), "{screen}");
    assert!(screen.contains(named.message()), "{screen}");
    named.name().to_owned()
}

/// The document cannot be written where nothing can: what is said stands on the other stream.
fn output() -> String {
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(&["version", "--json"]);
    let output = command.stdout(full).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(ui::OUTPUT.message()), "{said}");
    assert_eq!(output.status.code(), Some(exit_of(ui::OUTPUT.name())));
    ui::OUTPUT.name().to_owned()
}

/// Somebody writes the state between the read and the write of another.
async fn changed() -> String {
    let sandbox = Sandbox::with_app();
    let lost = store(&sandbox)
        .write("[]", &Version("another".to_owned()), &WriteNote::default())
        .await;
    let failure = Failure::from(lost.map(drop).unwrap_err());
    assert_eq!(failure.exit, Exit::Stale);
    failure.code.to_owned()
}

/// A state in git, in a repository whose remote does not exist.
fn state_at(url: &str, args: &[&str]) -> String {
    let sandbox = Sandbox::with_app();
    sandbox.write("aeroform.toml", &format!("[state]\nurl = \"{url}\"\n"));
    let missing = sandbox.project().join("missing.git");
    for args in [
        &["init", "--quiet"][..],
        &["remote", "add", "origin", missing.to_str().unwrap()],
    ] {
        let mut git = std::process::Command::new("git");
        assert!(
            git.args(args)
                .current_dir(sandbox.project())
                .status()
                .unwrap()
                .success()
        );
    }
    error_of(&sandbox, args)
}

fn damaged_journal() -> String {
    let sandbox = Sandbox::with_app();
    let journal = sandbox.project().with_file_name("state").join("journal.db");
    std::fs::write(journal, "this is no journal, and no database at all").unwrap();
    error_of(&sandbox, &["apply", "-y"])
}
