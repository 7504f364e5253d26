//! A disk that is full, a limit on the size of files, a state that may not be written.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::fixture::{KillFixture, Manifests};
use crate::kill_points::{KillPoint, RunningApply};

/// A disk of its own for one folder, small enough to be filled. It goes when it is dropped.
struct SmallDisk {
    place: PathBuf,
}

impl SmallDisk {
    /// None where this user may not mount anything.
    fn at(place: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=2m,mode=0700", "small"])
            .arg(place);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        if !mounted {
            println!("not tried: only root may mount a small disk");
        }
        mounted.then(|| Self {
            place: place.to_owned(),
        })
    }

    /// Leaves room for nothing.
    fn fill(&self) {
        let mut ballast = fs::File::create(self.place.join("ballast")).unwrap();
        for size in [64 * 1024, 4096, 1] {
            let block = vec![0; size];
            while ballast.write_all(&block).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.place.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}

pub(crate) fn a_full_disk_before_an_apply_is_named_and_nothing_is_changed() {
    let app = KillFixture::new(Manifests::Day);
    let Some(disk) = SmallDisk::at(&app.state_dir()) else {
        return;
    };
    app.apply_to_end();
    let before = fs::read_to_string(app.state_file()).unwrap();
    disk.fill();
    app.write_manifests(Manifests::Night);
    let ended = app.run(&KillFixture::APPLY);
    assert!(matches!(ended.code, Some(1 | 3)), "{ended:?}");
    assert!(ended.err.contains("disk is full"), "{ended:?}");
    assert!(!ended.err.contains("damaged"), "{ended:?}");
    assert_eq!(fs::read_to_string(app.state_file()).unwrap(), before);
    disk.free();
    app.write_manifests(Manifests::Day);
    app.assert_matches(Manifests::Day, "the disk was full");
    app.write_manifests(Manifests::Night);
    app.apply_to_end();
    app.assert_matches(Manifests::Night, "there is room again");
    power_off(app, disk);
}

pub(crate) fn a_disk_that_fills_up_during_an_apply_is_named_and_the_next_apply_does_the_rest() {
    let app = KillFixture::new(Manifests::Day);
    let Some(disk) = SmallDisk::at(&app.state_dir()) else {
        return;
    };
    app.apply_to_end();
    for (shape, writes) in [(Manifests::Night, 25), (Manifests::Day, 80)] {
        app.write_manifests(shape);
        let mut run = RunningApply::start(&app, &mut app.command(&KillFixture::APPLY));
        assert!(run.reach(KillPoint::after(writes)));
        disk.fill();
        // As long as it is full, supervisors cannot say what has become of their Machines, and gates
        // wait for them.
        std::thread::sleep(Duration::from_secs(1));
        disk.free();
        let ended = run.ended();
        assert!(matches!(ended.code, Some(0 | 3)), "{ended:?}");
        println!(
            "full for a second after {writes} writes: exit {:?}",
            ended.code
        );
        app.apply_to_end();
        app.assert_matches(shape, &format!("full after {writes} writes"));
    }
    power_off(app, disk);
}

pub(crate) fn a_state_that_finds_no_room_keeps_its_old_content_and_the_next_apply_publishes() {
    let app = KillFixture::new(Manifests::Day);
    let Some(disk) = SmallDisk::at(app.state_file().parent().unwrap()) else {
        return;
    };
    app.apply_to_end();
    let before = fs::read_to_string(app.state_file()).unwrap();
    app.write_manifests(Manifests::Night);
    let mut run = RunningApply::start(&app, &mut app.command(&KillFixture::APPLY));
    assert!(run.reach(KillPoint::after(20)));
    disk.fill();
    let ended = run.ended();
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.out.contains("No space left on device"), "{ended:?}");
    assert!(
        ended.err.contains("\"serial\": 2"),
        "the text is not lost: {ended:?}"
    );
    assert_eq!(fs::read_to_string(app.state_file()).unwrap(), before);
    disk.free();
    app.apply_to_end();
    app.assert_matches(Manifests::Night, "there is room again");
    power_off(app, disk);
}

pub(crate) fn a_limit_on_the_size_of_files_is_an_error_and_kills_no_machine() {
    let app = KillFixture::applied(Manifests::Day);
    let before = fs::read_to_string(app.state_file()).unwrap();
    app.write_manifests(Manifests::Night);
    let script = "ulimit -f 2; exec \"$0\" \"$@\"";
    let mut words = vec!["-c", script, env!("CARGO_BIN_EXE_aeroform")];
    words.extend(KillFixture::APPLY);
    let (ended, _) = RunningApply::start(&app, &mut app.command_in("sh", &words)).end();
    assert!(matches!(ended.code, Some(1 | 3)), "{ended:?}");
    assert!(!ended.err.contains("damaged"), "{ended:?}");
    assert_eq!(fs::read_to_string(app.state_file()).unwrap(), before);
    app.apply_to_end();
    app.assert_matches(Manifests::Night, "without a limit");
}

pub(crate) fn a_read_only_state_is_refused_before_anything_is_done() {
    let app = KillFixture::applied(Manifests::Day);
    let before = app.process_table();
    app.write_manifests(Manifests::Night);
    read_only(&app.state_file(), true);
    let ended = app.run(&KillFixture::APPLY);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("the file is read-only"), "{ended:?}");
    let after = app.process_table();
    assert!(before.trees.keys().eq(after.trees.keys()), "{after:#?}");
    read_only(&app.state_file(), false);
    app.apply_to_end();
    app.assert_matches(Manifests::Night, "writable again");
}

pub(crate) fn a_state_that_becomes_read_only_during_an_apply_is_published_from_its_copy() {
    let app = KillFixture::applied(Manifests::Day);
    app.write_manifests(Manifests::Night);
    let mut run = RunningApply::start(&app, &mut app.command(&KillFixture::APPLY));
    assert!(run.reach(KillPoint::after(20)));
    read_only(&app.state_file(), true);
    let ended = run.ended();
    assert_eq!(ended.code, Some(3), "{ended:?}");
    read_only(&app.state_file(), false);
    let push = ["state", "push", "state/shop.unpublished.json"];
    assert!(ended.out.contains(&push.join(" ")), "{ended:?}");
    let pushed = app.run(&push);
    assert_eq!(pushed.code, Some(0), "{pushed:?}");
    app.assert_matches(Manifests::Night, "published from its copy");
}

fn read_only(file: &Path, is_so: bool) {
    let mut permissions = fs::metadata(file).unwrap().permissions();
    permissions.set_readonly(is_so);
    fs::set_permissions(file, permissions).unwrap();
}

/// Processes first: what runs from a disk holds on to it.
fn power_off(app: KillFixture, disk: SmallDisk) {
    drop(app.run(&["destroy", "-y", "--allow-destroy=all"]));
    drop(disk);
    drop(app);
}
