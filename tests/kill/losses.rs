//! What provider `local` keeps is lost: by a restart of the computer, by somebody who kills supervisors,
//! by somebody who removes folders.

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use crate::app::{App, Shape, eventually, kill, names};
use crate::moments::{self, MIDDLE, Moment, Run};
use crate::table::listed;

/// Ends everything at once, as a power cut does for processes.
fn power_cut(app: &App) {
    eventually("nothing to run", || {
        let everybody = app.table().everybody();
        for pid in &everybody {
            kill(*pid, Signal::KILL);
        }
        everybody.is_empty().then_some(())
    });
}

/// Makes everything that was written one of an earlier boot, and loses some of what was not yet on disk.
fn another_boot(app: &App) {
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
    let app = App::applied(Shape::Day);
    let before = listed(&app.state_file());
    power_cut(&app);
    another_boot(&app);
    let plan = app.run(&["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, Some(2), "{plan:?}");
    assert!(plan.out.contains("the computer was restarted"), "{plan:?}");
    app.applies();
    app.is_exactly(Shape::Day, "after a restart");
    assert_eq!(listed(&app.state_file()), before);
}

pub(crate) fn a_restart_of_the_computer_in_the_middle_of_an_apply_loses_and_doubles_nothing() {
    let app = App::applied(Shape::Day);
    app.wants(Shape::Night);
    let cut = moments::killed(&app, Moment::after(MIDDLE));
    assert_eq!(cut.code, None);
    power_cut(&app);
    another_boot(&app);
    app.applies();
    app.is_exactly(Shape::Night, "the power was cut");
}

pub(crate) fn supervisors_that_are_killed_during_an_apply_leave_no_orphan_behind_the_next() {
    let app = App::applied(Shape::Day);
    for (shape, writes) in [(Shape::Night, 25), (Shape::Day, 70)] {
        app.wants(shape);
        let mut run = Run::start(&app, &mut app.command(&App::APPLY));
        assert!(run.reach(Moment::after(writes)));
        for pid in app.table().supervisors.values().flatten() {
            kill(*pid, Signal::KILL);
        }
        let ended = run.ended();
        assert!(matches!(ended.code, Some(0 | 3)), "{ended:?}");
        app.applies();
        app.is_exactly(shape, &format!("killed after {writes} writes"));
    }
}

pub(crate) fn a_machine_whose_folder_is_removed_ends_and_is_made_again() {
    let app = App::applied(Shape::Day);
    let id = names(&app.machines()).remove(0);
    fs::remove_dir_all(app.machines().join(&id)).unwrap();
    eventually("its processes to end", || {
        let table = app.table();
        (!table.trees.contains_key(&id) && !table.supervisors.contains_key(&id)).then_some(())
    });
    let plan = app.run(&["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, Some(2), "{plan:?}");
    app.applies();
    app.is_exactly(Shape::Day, "a folder was removed");
}

pub(crate) fn an_app_whose_folder_is_removed_is_another_app_until_somebody_says_so() {
    let app = App::applied(Shape::Day);
    let scope = app.scope();
    fs::remove_dir_all(app.state_dir().join("local/shop")).unwrap();
    eventually("everything to end", || {
        app.table().everybody().is_empty().then_some(())
    });
    let refused = app.run(&App::APPLY);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.err.contains("--take-over"), "{refused:?}");
    assert!(app.table().everybody().is_empty());
    let taken = app.run(&["apply", "-y", "--take-over"]);
    assert_eq!(taken.code, Some(0), "{taken:?}");
    assert_ne!(app.scope(), scope);
    app.is_exactly(Shape::Day, "the app was taken over");
}
