//! What ends an apply from outside and leaves it time to say so: a pipeline's SIGTERM, a terminal that
//! goes away, a file-size limit.

use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::fixture::{KillFixture, Manifests, names};
use crate::kill_points::{KillPoint, MIDDLE, RunningApply};
use crate::process_table::listed;

/// Every Machine that exists is listed. One that was on its way out may be gone since: a run that is told
/// to stop waits for nobody.
#[track_caller]
fn lists_what_is_there(app: &KillFixture) {
    let mut folders = names(&app.machines());
    folders.retain(|name| !name.starts_with('.'));
    let listed: Vec<_> = listed(&app.state_file()).into_keys().collect();
    folders.retain(|name| !listed.contains(name));
    assert_eq!(folders, [""; 0], "not in the state, which lists {listed:?}");
}

pub(crate) fn sigterm_to_every_process_of_a_ci_job_leaves_a_correct_state() {
    let app = KillFixture::applied(Manifests::Day);
    for (shape, writes) in [
        (Manifests::Night, 25),
        (Manifests::Day, 70),
        (Manifests::Night, 105),
    ] {
        app.write_manifests(shape);
        let mut run = RunningApply::start(&app, app.command(&KillFixture::APPLY).process_group(0));
        assert!(run.reach(KillPoint::after(writes)));
        // Supervisors that have just begun are still of this group and die of it.
        let _ = kill_process_group(Pid::from_raw(run.pid).unwrap(), Signal::TERM);
        let ended = run.ended();
        assert_eq!(ended.code, Some(130), "{ended:?}");
        lists_what_is_there(&app);
        app.apply_to_end();
        app.assert_matches(shape, &format!("SIGTERM after {writes} writes"));
    }
}

pub(crate) fn a_terminal_that_is_closed_ends_the_apply_with_its_state_written() {
    let app = KillFixture::applied(Manifests::Day);
    app.write_manifests(Manifests::Night);
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let place = ptsname(&terminal, Vec::new()).unwrap();
    let place = place.to_str().unwrap();
    // A session of its own on that terminal, as a shell that a window started.
    let script = "exec setsid -c \"$@\" <\"$0\" >\"$0\" 2>&1";
    let program = env!("CARGO_BIN_EXE_aeroform");
    let mut words = vec!["-c", script, place, program];
    words.extend(KillFixture::APPLY);
    let mut run = RunningApply::start(&app, app.command_in("sh", &words).stdin(Stdio::null()));
    assert!(run.reach(KillPoint::after(MIDDLE)));
    drop(terminal);
    let ended = run.ended();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    lists_what_is_there(&app);
    app.apply_to_end();
    app.assert_matches(Manifests::Night, "the terminal was closed");
}

pub(crate) fn a_signal_before_anything_was_done_changes_nothing() {
    let app = KillFixture::applied(Manifests::Day);
    let before = std::fs::read_to_string(app.state_file()).unwrap();
    app.write_manifests(Manifests::Night);
    let mut run = RunningApply::start(&app, &mut app.command(&KillFixture::APPLY));
    run.reach(KillPoint {
        writes: 0,
        pause: Duration::from_millis(2),
    });
    run.signal(Signal::TERM);
    let ended = run.ended();
    // Before it listens, the signal ends it as any program.
    if matches!(ended.code, None | Some(130)) && !ended.err.contains("Applying") {
        assert_eq!(std::fs::read_to_string(app.state_file()).unwrap(), before);
        app.write_manifests(Manifests::Day);
        app.assert_matches(Manifests::Day, "nothing was done");
    }
}
