//! Provider `local` loses data: by a restart of the computer, by killed supervisors, by removed folders.

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use crate::fixture::{KillFixture, Manifests, eventually, kill, names};
use crate::kill_points::{self, KillPoint, MIDDLE, RunningApply};
use crate::process_table::listed;

/// Ends everything at once, as a power cut does for processes.
fn power_cut(app: &KillFixture) {
    eventually("nothing to run", || {
        let everybody = app.process_table().everybody();
        for pid in &everybody {
            kill(*pid, Signal::KILL);
        }
        everybody.is_empty().then_some(())
    });
}

/// Makes everything that was written one of an earlier boot, and loses some of what was not yet on disk.
fn another_boot(app: &KillFixture) {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let earlier = |file: &Path| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let earlier = text.replace(boot.trim(), "3ff0ab2c-0000-4000-8000-an-earlier-b");
        assert!(text.is_empty() || earlier != text, "{text}");
        fs::write(file, earlier).unwrap();
    };
    for (index, id) in names(&app.machines()).iter().enumerate() {
        // One that begins with a dot was half removed.
        if id.starts_with('.') {
            continue;
        }
        let folder = app.machines().join(id);
        earlier(&folder.join("record.json"));
        let status = folder.join("status.json");
        match index % 4 {
            0 => fs::write(&status, "").unwrap(),
            1 => drop(fs::remove_file(&status)),
            _ => earlier(&status),
        }
    }
}

pub(crate) fn after_a_restart_of_the_computer_one_apply_starts_the_same_machines_again() {
    let app = KillFixture::applied(Manifests::Day);
    let before = listed(&app.state_file());
    power_cut(&app);
    another_boot(&app);
    let plan = app.run(&["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, Some(2), "{plan:?}");
    assert!(plan.out.contains("the computer was restarted"), "{plan:?}");
    app.apply_to_end();
    app.assert_matches(Manifests::Day, "after a restart");
    assert_eq!(listed(&app.state_file()), before);
}

pub(crate) fn a_restart_of_the_computer_in_the_middle_of_an_apply_loses_and_doubles_nothing() {
    let app = KillFixture::applied(Manifests::Day);
    app.write_manifests(Manifests::Night);
    let cut = kill_points::killed(&app, KillPoint::after(MIDDLE));
    assert_eq!(cut.code, None);
    power_cut(&app);
    another_boot(&app);
    app.apply_to_end();
    app.assert_matches(Manifests::Night, "the power was cut");
}

pub(crate) fn supervisors_that_are_killed_during_an_apply_leave_no_orphan_behind_the_next() {
    let app = KillFixture::applied(Manifests::Day);
    for (shape, writes) in [(Manifests::Night, 25), (Manifests::Day, 70)] {
        app.write_manifests(shape);
        let mut run = RunningApply::start(&app, &mut app.command(&KillFixture::APPLY));
        assert!(run.reach(KillPoint::after(writes)));
        for pid in app.process_table().supervisors.values().flatten() {
            kill(*pid, Signal::KILL);
        }
        let ended = run.ended();
        assert!(matches!(ended.code, Some(0 | 3)), "{ended:?}");
        app.apply_to_end();
        app.assert_matches(shape, &format!("killed after {writes} writes"));
    }
}

pub(crate) fn a_machine_whose_folder_is_removed_ends_and_is_made_again() {
    let app = KillFixture::applied(Manifests::Day);
    let id = names(&app.machines()).remove(0);
    fs::remove_dir_all(app.machines().join(&id)).unwrap();
    eventually("its processes to end", || {
        let table = app.process_table();
        (!table.trees.contains_key(&id) && !table.supervisors.contains_key(&id)).then_some(())
    });
    let plan = app.run(&["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, Some(2), "{plan:?}");
    app.apply_to_end();
    app.assert_matches(Manifests::Day, "a folder was removed");
}

pub(crate) fn an_app_whose_folder_is_removed_is_another_app_until_a_flag_adopts_it() {
    let app = KillFixture::applied(Manifests::Day);
    let scope = app.scope();
    fs::remove_dir_all(app.state_dir().join("local/shop")).unwrap();
    eventually("everything to end", || {
        app.process_table().everybody().is_empty().then_some(())
    });
    let refused = app.run(&KillFixture::APPLY);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.err.contains("--take-over"), "{refused:?}");
    assert!(app.process_table().everybody().is_empty());
    let taken_over = app.run(&["apply", "-y", "--take-over"]);
    assert_eq!(taken_over.code, Some(0), "{taken_over:?}");
    assert_ne!(app.scope(), scope);
    app.assert_matches(Manifests::Day, "the app was taken over");
}
