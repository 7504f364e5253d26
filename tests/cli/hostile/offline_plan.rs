//! What a plan of somebody's pull request does on the machine that makes it, seen from outside, by `strace`: it
//! starts no process, opens no connection, opens nothing outside of the two checkouts, and writes nothing.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::everything_in;
use crate::sandbox::Sandbox;

const APP: &str = "app = \"shop\"\n[processes]\nweb = \"sleep 1000\"\nworker = \"sleep 2000\"\n";
const SETTINGS: &str = "provider = \"fly\"\nimage = \"nginx:1\"\n[groups.web]\ncount = 2\n";

fn traces() -> bool {
    let ok = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .status()
        .is_ok_and(|status| status.success());
    if !ok {
        eprintln!("skipped: strace is not there or may not trace");
    }
    ok
}

/// The base and the pull request, both as work trees, in one folder.
struct Checkouts {
    sandbox: Sandbox,
}

impl Checkouts {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        for tree in ["base", "theirs"] {
            sandbox.write(&format!("{tree}/.git/HEAD"), "ref: refs/heads/main\n");
            sandbox.write(&format!("{tree}/fly.toml"), APP);
            sandbox.write(&format!("{tree}/aeroform.toml"), SETTINGS);
        }
        sandbox.write(
            "outside/secret.toml",
            &format!("[env]\nKEY = \"{CONTENT}\"\n"),
        );
        Self { sandbox }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.sandbox.project().join(name)
    }

    /// Runs the program in the folder of both under `strace`: its calls, a line each, and what it printed.
    fn traced(&self, args: &[&str]) -> (Vec<String>, String) {
        let log = self.sandbox.project().join("../calls");
        let program = self.sandbox.command(args);
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-s", "4096", "-o"]).arg(&log);
        command.args(["-e", "trace=execve,execveat,connect,bind,socket,%file"]);
        command.arg("--").arg(program.get_program());
        command.args(program.get_args());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.current_dir(self.sandbox.project());
        let output = command.output().unwrap();
        let calls = fs::read_to_string(&log).unwrap();
        let calls = calls.lines().map(str::to_owned).collect();
        let shown = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        (calls, shown)
    }

    /// Fails if a traced run did more than read the two checkouts and what every program reads of its system.
    #[track_caller]
    fn assert_only_read(&self, what: &str, args: &[&str]) {
        let before = everything_in(&self.sandbox.project());
        let (calls, shown) = self.traced(args);
        let mut started = 0;
        for call in &calls {
            let Some((name, rest)) = call.split_once('(') else {
                continue;
            };
            let name = name.rsplit(' ').next().unwrap();
            if ["execve", "execveat"].contains(&name) {
                started += 1;
            }
            let opens = ["connect", "bind", "socket"].contains(&name);
            assert!(!opens, "{what}: {call}\n{shown}");
            let changes = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"];
            let writes =
                changes.iter().any(|flag| rest.contains(flag)) && !rest.contains("\"/dev/");
            assert!(!writes, "{what}: {call}\n{shown}");
            let alters = [
                "rename", "unlink", "mkdir", "rmdir", "link", "chmod", "chown", "truncate",
                "mknod", "utime",
            ];
            let alters = alters.iter().any(|call| name.starts_with(call));
            assert!(!alters, "{what}: {call}\n{shown}");
            if ["open", "openat", "openat2"].contains(&name) && !rest.contains("ENOENT") {
                assert!(!rest.contains("outside"), "{what}: {call}\n{shown}");
            }
        }
        // The program itself.
        assert_eq!(started, 1, "{what}\n{}", calls.join("\n"));
        assert!(!shown.contains(CONTENT), "{what}\n{shown}");
        let names = |found: &[(String, Vec<u8>)]| found.iter().cloned().collect::<BTreeSet<_>>();
        let after = everything_in(&self.sandbox.project());
        assert_eq!(names(&before), names(&after), "{what}");
    }
}

/// What stands in a file outside of both checkouts.
const CONTENT: &str = "of-somebody-else";

const PLAN: [&str; 6] = ["-C", "theirs", "plan", "--refresh=false", "--base", "base"];

/// What it is, and what makes it.
type Trap<'a> = (&'static str, Box<dyn Fn() + 'a>);

/// Files that a pull request may hold.
fn traps(theirs: &Path) -> Vec<Trap<'_>> {
    let write = move |name: &str, text: &str| fs::write(theirs.join(name), text).unwrap();
    let outside = "../outside/secret.toml";
    vec![
        ("nothing", Box::new(|| {})),
        (
            "a config outside",
            Box::new(move || write("aeroform.toml", &format!("config = \"{outside}\"\n"))),
        ),
        (
            "a state outside",
            Box::new(move || {
                write(
                    "aeroform.toml",
                    &format!("{SETTINGS}[state]\npath = \"{outside}\"\n"),
                );
            }),
        ),
        (
            "a file outside",
            Box::new(move || {
                let files = format!("[[files]]\nguest_path = \"/a\"\nlocal_path = \"{outside}\"\n");
                write("fly.toml", &format!("{APP}{files}"));
            }),
        ),
        (
            "a link to the outside",
            Box::new(move || {
                fs::remove_file(theirs.join("fly.toml")).unwrap();
                symlink(outside, theirs.join("fly.toml")).unwrap();
            }),
        ),
        (
            "a folder that is a link",
            Box::new(move || {
                symlink("../outside", theirs.join("state")).unwrap();
            }),
        ),
        (
            "a pipe",
            Box::new(move || {
                fs::remove_file(theirs.join("fly.toml")).unwrap();
                let mkfifo = Command::new("mkfifo").arg(theirs.join("fly.toml")).status();
                assert!(mkfifo.unwrap().success());
            }),
        ),
        (
            "hooks and a plugin",
            Box::new(move || {
                write(
                    ".git/config",
                    "[core]\n\tfsmonitor = ./evil\n\thooksPath = .\n[alias]\n\trev-parse = !./evil\n",
                );
                write("evil", "#!/bin/sh\ntouch ../outside/ran\n");
                write(
                    "aeroform.toml",
                    &format!("{SETTINGS}[plugins]\nrun = \"./evil\"\n"),
                );
            }),
        ),
        (
            "orders to the runner",
            Box::new(move || {
                let orders = "web = \"sleep 1 ::set-output name=a::b\"\n\"::error::x\" = \"a\"\n";
                write(
                    "fly.toml",
                    &format!("app = \"shop\"\n[processes]\n{orders}"),
                );
            }),
        ),
        (
            "a file without end",
            Box::new(move || {
                let file = fs::File::create(theirs.join("fly.toml")).unwrap();
                file.set_len(1 << 30).unwrap();
            }),
        ),
    ]
}

#[test]
fn it_only_reads_the_two_checkouts() {
    if !traces() {
        return;
    }
    let count = traps(Path::new("")).len();
    for trap in 0..count {
        let checkouts = Checkouts::new();
        let theirs = checkouts.path("theirs");
        let (what, set) = &traps(&theirs)[trap];
        set();
        checkouts.assert_only_read(what, &PLAN);
        checkouts.assert_only_read(what, &["-C", "theirs", "validate"]);
    }
}

#[test]
fn output_files_are_never_written_through_a_link() {
    for flag in ["--out", "--also"] {
        let checkouts = Checkouts::new();
        let target = checkouts.path("outside/secret.toml");
        let before = fs::read(&target).unwrap();
        symlink("../outside/secret.toml", checkouts.path("theirs/made")).unwrap();
        symlink("../outside/new", checkouts.path("theirs/dangling")).unwrap();
        for name in ["made", "dangling"] {
            let file = if flag == "--also" {
                format!("markdown=theirs/{name}")
            } else {
                format!("theirs/{name}")
            };
            let args = [&PLAN[..], &[flag, &file]].concat();
            let shown = checkouts.sandbox.run(&args);
            assert!(!shown.starts_with("exit 0\n"), "{flag} {name}\n{shown}");
            assert_eq!(fs::read(&target).unwrap(), before, "{flag}");
            assert!(!checkouts.path("outside/new").exists(), "{flag}");
        }
    }
}

#[test]
fn what_is_too_large_is_refused_by_its_size_and_not_read() {
    let checkouts = Checkouts::new();
    let file = fs::File::create(checkouts.path("theirs/fly.toml")).unwrap();
    file.set_len((1 << 20) + 1).unwrap();
    let shown = checkouts.sandbox.run(&PLAN);
    assert!(
        shown.starts_with("exit 1\n") && shown.contains("the limit is 1048576"),
        "{shown}"
    );
    let checkouts = Checkouts::new();
    fs::create_dir_all(checkouts.path("base/state")).unwrap();
    let file = fs::File::create(checkouts.path("base/state/shop.json")).unwrap();
    file.set_len((64 << 20) + 1).unwrap();
    let shown = checkouts.sandbox.run(&PLAN);
    assert!(shown.contains("the limit is 67108864"), "{shown}");
}
