//! Two people who apply at once from clones of their own, with no state between them.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::fly::{EmulatorProcess, FLY, V1, on};
use crate::sandbox::Sandbox;

/// A clone of the project in which `WHO` is this, and its owner.
fn clone(who: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", &format!("{FLY}\n[env]\n  WHO = \"{who}\"\n"));
    sandbox.write(
        "aeroform.toml",
        "provider = \"fly\"\n[groups.app]\ncount = 2\n",
    );
    sandbox
}

/// `apply` of a person in a clone.
fn apply(sandbox: &Sandbox, platform: &EmulatorProcess, who: &str) -> Command {
    let mut command = on(sandbox, platform, &["apply", "-y", "--image", V1]);
    command
        .env("USER", who)
        .env("AEROFORM_TEST_SEED", who)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Lists do not show for a while what was made a moment ago.
const LAG: &str = "[[fault]]\non = \"create\"\neffect = \"list-lag\"\nfor = \"8s\"\ntimes = 8\n";

/// What both see who apply at once.
fn at_once(platform: &EmulatorProcess, people: [(&Sandbox, &str); 2]) {
    let running = people.map(|(clone, who)| apply(clone, platform, who).spawn().unwrap());
    let ended = running.map(|child| child.wait_with_output().unwrap());
    let shown = [0, 1].map(|n| people[n].0.show(&ended[n]));
    let all = shown.join("\n");
    // On a busy computer one may begin when the other has ended, and see what that one made.
    if shown.iter().any(|text| text.contains("to adopt")) {
        return;
    }
    let machines = platform.machines();
    for (n, (_, me)) in people.iter().enumerate() {
        let mine = |machine: &Value| machine["config"]["env"]["WHO"] == *me;
        let (text, other) = (&shown[n], people[1 - n].1);
        // By its stamps or by its release, whichever is met first.
        let named = [&format!("by {other}"), "release v1 by "];
        let said = named.iter().any(|name| text.contains(*name));
        match ended[n].status.code() {
            Some(0) => assert!(machines.iter().all(mine), "{all}"),
            Some(4) => assert!(said, "{all}"),
            Some(3) => assert!(said && text.contains("overtaken"), "{all}"),
            _ => panic!("{all}"),
        }
    }
    let successes = ended.iter().filter(|output| output.status.success());
    assert!(successes.count() <= 1, "{all}");
}

#[test]
fn of_two_first_applies_at_once_one_is_no_success_and_names_the_other() {
    for latency in ["0ms", "25ms"] {
        let (ana, bo) = (clone("ana"), clone("bo"));
        ana.write("faults.toml", LAG);
        let more = ["--rate-limits", "off", "--faults", "faults.toml"];
        let more = [&more[..], &["--latency", latency]].concat();
        let platform = EmulatorProcess::start(&ana, &more).and_app();
        at_once(&platform, [(&ana, "ana"), (&bo, "bo")]);
    }
}

#[test]
fn an_apply_that_waited_for_another_run_keeps_its_changes() {
    let slow = "[[fault]]\non = \"create\"\neffect = \"slow-start\"\nfor = \"4s\"\ntimes = 2\n";
    let (ana, bo) = (clone("ana"), clone("bo"));
    let platform = EmulatorProcess::with_faults(&ana, slow);
    let first = apply(&ana, &platform, "ana").spawn().unwrap();
    while platform.machines().len() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let second = bo.show(&apply(&bo, &platform, "bo").output().unwrap());
    let first = ana.show(&first.wait_with_output().unwrap());
    assert!(first.starts_with("exit 0\n"), "{first}\n{second}");
    assert!(second.starts_with("exit 4\n"), "{first}\n{second}");
    assert!(
        second.contains("by ana was in progress when this run started"),
        "{second}"
    );
    for machine in platform.machines() {
        assert_eq!(machine["config"]["env"]["WHO"], "ana", "{second}");
    }
}
