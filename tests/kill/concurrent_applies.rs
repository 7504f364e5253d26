//! Two applies at once, and a holder of the lock that dies.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::fixture::{KillFixture, Manifests, eventually};
use crate::kill_points::{KillPoint, MIDDLE, RunningApply};

/// An apply that waits for the lock.
const PATIENT: [&str; 5] = [
    "apply",
    "-y",
    "--allow-destroy=all",
    "--lock-timeout",
    "60s",
];

pub(crate) fn of_applies_at_once_one_does_the_work_and_the_others_say_why_they_did_not() {
    let app = KillFixture::applied(Manifests::Day);
    app.write_manifests(Manifests::Night);
    let start = |args: &[&str]| app.command(args).output();
    let codes: Vec<Option<i32>> = std::thread::scope(|scope| {
        let hasty = (0..2).map(|_| scope.spawn(|| start(&KillFixture::APPLY)));
        let patient = (0..2).map(|_| scope.spawn(|| start(&PATIENT)));
        let all: Vec<_> = hasty.chain(patient).collect();
        let outputs = all.into_iter().map(|one| one.join().unwrap().unwrap());
        outputs.map(|output| output.status.code()).collect()
    });
    let count = |code| codes.iter().filter(|found| **found == Some(code)).count();
    // 4: what was shown is done already, or half done; 5: the lock was not to be had.
    assert_eq!(count(0) + count(4) + count(5), 4, "{codes:?}");
    assert!(count(0) >= 1, "{codes:?}");
    app.assert_matches(Manifests::Night, "four applies at once");
}

pub(crate) fn the_lock_ends_with_its_holder_and_a_waiter_gets_it_at_once() {
    let app = KillFixture::applied(Manifests::Day);
    app.write_manifests(Manifests::Night);
    let mut holder = RunningApply::start(&app, &mut app.command(&KillFixture::APPLY));
    assert!(holder.reach(KillPoint::after(MIDDLE)));
    let unlock = app.run(&["unlock"]);
    assert_eq!(unlock.code, Some(5), "{unlock:?}");
    let name = format!("pid {}", holder.pid);
    assert!(unlock.err.contains(&name), "{unlock:?}");

    holder.signal(Signal::STOP);
    let mut command = app.command(&PATIENT);
    command.stderr(std::process::Stdio::piped());
    let waiter = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    let waits = format!("/proc/{}/stat", waiter.id());
    eventually("the waiter to sleep", || {
        let stat = std::fs::read_to_string(&waits).unwrap();
        stat.contains(") S ").then_some(())
    });
    let since = Instant::now();
    holder.signal(Signal::KILL);
    assert_eq!(holder.ended().code, None);
    let output = waiter.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    // The world is another than the one it was shown, or it took over what was half done.
    assert!(matches!(output.status.code(), Some(0 | 4)), "{said}");
    assert!(since.elapsed() < Duration::from_secs(30), "{said}");
    assert_eq!(app.run(&["unlock"]).code, Some(0));
    app.apply_to_end();
    app.assert_matches(Manifests::Night, "the holder was killed");
}
