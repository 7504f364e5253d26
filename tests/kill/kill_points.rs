//! Moments of a run, counted by what it writes: each file that is made, written, renamed or removed
//! where Aeroform keeps things is one. Killing at a moment needs no clock and no hook in the program.

use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::fixture::{KillFixture, ProcessOutput};

/// A point of a run: so long after so many writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KillPoint {
    pub(crate) writes: usize,
    pub(crate) pause: Duration,
}

impl KillPoint {
    /// Right after so many writes.
    pub(crate) fn after(writes: usize) -> Self {
        let pause = Duration::ZERO;
        Self { writes, pause }
    }
}

/// An apply under way.
pub(crate) struct RunningApply {
    watch: WriteWatch,
    process: OwnedFd,
    pub(crate) pid: i32,
    seen: usize,
    end: JoinHandle<ProcessOutput>,
}

impl RunningApply {
    /// Starts `command`, whose output is kept.
    pub(crate) fn start(app: &KillFixture, command: &mut Command) -> Self {
        let end_mark = app.state_dir().join(END);
        let _ = std::fs::remove_file(&end_mark);
        let watch = WriteWatch::of(app);
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = Pid::from_child(&child);
        Self {
            watch,
            process: pidfd_open(pid, PidfdFlags::empty()).unwrap(),
            pid: pid.as_raw_pid(),
            seen: 0,
            end: std::thread::spawn(move || {
                let ended = ProcessOutput::of(&child.wait_with_output().unwrap());
                // Wakes whoever counts writes; where there is no room for it, the end itself must do.
                let _ = File::create(end_mark);
                ended
            }),
        }
    }

    /// Waits for a moment; false when the run ended before it.
    pub(crate) fn reach(&mut self, moment: KillPoint) -> bool {
        while self.seen < moment.writes {
            if !self.watch.next_is_a_write() {
                return false;
            }
            self.seen += 1;
        }
        std::thread::sleep(moment.pause);
        !self.end.is_finished()
    }

    /// Sends a signal, if the process is still there.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(&self.process, signal);
    }

    /// Waits for the end; how it was, and how many writes were seen.
    pub(crate) fn end(mut self) -> (ProcessOutput, usize) {
        while self.watch.next_is_a_write() {
            self.seen += 1;
        }
        (self.end.join().unwrap(), self.seen)
    }

    /// Waits for the end and counts no more.
    pub(crate) fn ended(self) -> ProcessOutput {
        self.end.join().unwrap()
    }
}

/// Somewhere in the middle of an apply from one shape to the other, which is some 150 writes long.
pub(crate) const MIDDLE: usize = 60;

/// Applies without a disturbance; the number of writes.
#[track_caller]
pub(crate) fn whole(app: &KillFixture) -> usize {
    let (ended, writes) = RunningApply::start(app, &mut app.command(&KillFixture::APPLY)).end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    writes
}

/// Applies and kills it with `SIGKILL` at a moment.
pub(crate) fn killed(app: &KillFixture, moment: KillPoint) -> ProcessOutput {
    let mut run = RunningApply::start(app, &mut app.command(&KillFixture::APPLY));
    run.reach(moment);
    run.signal(Signal::KILL);
    run.ended()
}

/// The file that says that a run has ended.
const END: &str = "ended";

struct WriteWatch {
    queue: OwnedFd,
    buffer: Vec<MaybeUninit<u8>>,
    /// Names of files in the order in which they were touched.
    pending: Vec<String>,
}

impl WriteWatch {
    fn of(app: &KillFixture) -> Self {
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
        self.pending.pop().unwrap() != END
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
