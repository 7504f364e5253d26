//! Moments of a run, counted by what it writes: each file that is made, written, renamed or removed
//! where Aeroform keeps things is one. Killing at a moment needs no clock and no hook in the program.

use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::app::App;

/// When to kill: so long after so many writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) writes: usize,
    pub(crate) pause: Duration,
}

/// How a run that was to be killed has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Killed,
    /// By itself, before its moment came, with this code.
    Over(Option<i32>),
}

/// Applies, kills it with `SIGKILL` at a moment if there is one, and says how many writes were seen.
pub(crate) fn apply(app: &App, moment: Option<Moment>) -> (usize, Fate) {
    let end_mark = app.state_dir().join("ended");
    let _ = std::fs::remove_file(&end_mark);
    let mut watch = Watch::of(app);
    let log = File::create(app.project().join("apply.log")).unwrap();
    let mut child = app
        .command(&App::APPLY)
        .stdout(log.try_clone().unwrap())
        .stderr(Stdio::from(log))
        .spawn()
        .unwrap();
    let handle = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).unwrap();
    let end = std::thread::spawn(move || {
        let status = child.wait().unwrap();
        // Wakes whoever counts writes.
        File::create(end_mark).unwrap();
        status.code()
    });
    let mut seen = 0;
    while moment.is_none_or(|moment| seen < moment.writes) && watch.next_is_a_write() {
        seen += 1;
    }
    if let Some(moment) = moment {
        std::thread::sleep(moment.pause);
        let _ = pidfd_send_signal(handle, Signal::KILL);
    }
    let fate = match end.join().unwrap() {
        None => Fate::Killed,
        code => Fate::Over(code),
    };
    (seen, fate)
}

struct Watch {
    queue: OwnedFd,
    buffer: Vec<MaybeUninit<u8>>,
    /// Names of files in the order in which they were touched.
    pending: Vec<String>,
}

impl Watch {
    fn of(app: &App) -> Self {
        let queue = inotify::init(CreateFlags::CLOEXEC).unwrap();
        let mut folders = vec![
            app.project().join("state"),
            app.state_dir(),
            app.state_dir().join("local/shop"),
            app.machines(),
        ];
        let machines = std::fs::read_dir(app.machines()).unwrap().flatten();
        folders.extend(machines.map(|entry| entry.path()));
        for folder in folders {
            add(&queue, &folder);
        }
        Self {
            queue,
            buffer: vec![MaybeUninit::uninit(); 4096],
            pending: Vec::new(),
        }
    }

    /// Waits for the next write; false when the run has ended.
    fn next_is_a_write(&mut self) -> bool {
        if self.pending.is_empty() {
            let mut reader = inotify::Reader::new(&self.queue, &mut self.buffer);
            loop {
                let event = reader.next().unwrap();
                let name = event.file_name().unwrap_or_default();
                self.pending.insert(0, name.to_string_lossy().into_owned());
                if reader.is_buffer_empty() {
                    break;
                }
            }
        }
        self.pending.pop().unwrap() != "ended"
    }
}

fn add(queue: &OwnedFd, folder: &Path) {
    let writes = WatchFlags::CREATE
        | WatchFlags::MODIFY
        | WatchFlags::MOVED_TO
        | WatchFlags::MOVED_FROM
        | WatchFlags::DELETE;
    inotify::add_watch(queue, folder, writes).unwrap();
}
