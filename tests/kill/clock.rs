//! Clocks that lie: the one that records bear is set back between two runs, and files come from the
//! future or from long ago.

use std::time::{Duration, SystemTime};

use rustix::process::Signal;

use crate::fixture::{KillFixture, Manifests, names};
use crate::kill_points::{self, KillPoint, MIDDLE, RunningApply};

pub(crate) fn a_clock_that_steps_back_between_two_runs_changes_nothing_but_the_times_that_are_shown()
 {
    let app = KillFixture::applied(Manifests::Day);
    let at = |time: &str| {
        let mut command = app.command(&KillFixture::APPLY);
        command.env("AEROFORM_TEST_TIME", time);
        command
    };
    app.write_manifests(Manifests::Night);
    let mut run = RunningApply::start(&app, &mut at("2031-01-01T00:00:00Z"));
    assert!(run.reach(KillPoint::after(MIDDLE)));
    run.signal(Signal::KILL);
    run.ended();
    let (again, _) = RunningApply::start(&app, &mut at("2001-01-01T00:00:00Z")).end();
    assert_eq!(again.code, Some(0), "{again:?}");
    app.assert_matches(Manifests::Night, "thirty years back");
}

pub(crate) fn records_from_the_future_and_from_long_ago_mean_the_same() {
    let app = KillFixture::applied(Manifests::Day);
    let year = Duration::from_secs(365 * 24 * 3600);
    for (shape, ahead) in [(Manifests::Night, true), (Manifests::Day, false)] {
        app.write_manifests(shape);
        // Some records have no supervisor that has read them.
        kill_points::killed(&app, KillPoint::after(25));
        for id in names(&app.machines()) {
            let record = app.machines().join(id).join("record.json");
            let now = SystemTime::now();
            let time = if ahead { now + year } else { now - year };
            // Half removed folders have none.
            if let Ok(file) = std::fs::File::options().write(true).open(record) {
                file.set_modified(time).unwrap();
            }
        }
        app.apply_to_end();
        app.assert_matches(shape, &format!("files a year away, ahead: {ahead}"));
    }
}
