//! The process that keeps one Machine: starts, restarts, checks, logs and stops it, until it is at
//! rest, and ends then.
//!
//! It obeys the record and decides nothing beyond the restart policy. Start at [`supervise`]; the life
//! of the Machine is in [`Supervisor::run`], its end in [`stop`].

mod stop;

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions};
use tokio::time::Instant;

use super::checks::Checks;
use super::events::{Event, Events};
use super::identity::Identity;
use super::layout::{Durable, MachineDir, open_private, read_json, write_json};
use super::log::LogWriter;
use super::process;
use super::record::{Exit, Record, Status, Wanted};
use super::restart::{Next, Restarts};
use crate::core::fleet::MachineState;
use stop::{Manner, StopRule};

/// A process that lives so long, or passes a check, is started; one that ends before was none.
const SETTLES_AFTER: Duration = Duration::from_millis(500);

/// Keeps the Machine whose folder this is; the hidden `__supervise DIR` of the program calls it.
/// Returns when the Machine is at rest, its folder is gone, or another supervisor keeps it. Killed, it
/// leaves its processes running and a status that is not final: its successor finds and ends them.
pub fn supervise(dir: &Path) -> ExitCode {
    match keep(&MachineDir::at(dir)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn keep(dir: &MachineDir) -> io::Result<()> {
    // Fails only for the leader of a process group, which then already stands apart.
    let _ = rustix::process::setsid();
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let Some(record) = read_json::<Record>(&dir.record())? else {
        return Ok(());
    };
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            // Listen first, lock then: whoever sees the lock may send a signal.
            let events = Events::listen(LogWriter::open(dir, record.log_cap)?)?;
            // Opened once and never again by this process: a lock of this kind goes with the first of
            // its files that is closed.
            let lock = open_private(&dir.lock())?;
            match fcntl_lock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::AGAIN | Errno::ACCESS) => return Ok(()),
                other => other?,
            }
            let Some(record) = read_json::<Record>(&dir.record())? else {
                return Ok(());
            };
            let predecessor = read_json::<Status>(&dir.status()).unwrap_or_default();
            let mut supervisor = Supervisor::new(dir, lock, events, record);
            supervisor.sweep(predecessor.as_ref()).await;
            supervisor.obey().await;
            Ok(())
        })
}

struct Supervisor {
    dir: MachineDir,
    lock: File,
    events: Events,
    record: Record,
    status: Status,
    /// What is so could not be written; it is tried again at every look.
    unwritten: bool,
    /// The written status says that processes of this supervisor may run: without it, nobody would look
    /// for them after its death.
    announced: bool,
    main: Option<Main>,
    /// How what runs is to be stopped: as it was started, whatever is wanted by now.
    stop_rule: StopRule,
}

struct Main {
    pid: Pid,
    since: Instant,
}

/// Why nothing runs any more, or shall not.
enum End {
    /// It came to rest by itself or was asked to, and nothing of it is left.
    Rest(MachineState, Option<String>),
    /// Something else is wanted.
    Wish,
    /// Its folder is gone.
    Gone,
}

/// What a look at the folder found.
#[derive(PartialEq)]
enum Look {
    Same,
    Changed,
    Gone,
}

impl Supervisor {
    fn new(dir: &MachineDir, lock: File, events: Events, record: Record) -> Self {
        let status = Status {
            wish: record.wish,
            state: MachineState::Starting,
            supervisor: Identity::own(),
            main: None,
            restarts: 0,
            last_exit: None,
            detail: None,
            checks: Vec::new(),
            is_final: false,
        };
        Self {
            dir: dir.clone(),
            lock,
            events,
            stop_rule: StopRule::of(&record.config),
            record,
            status,
            unwritten: false,
            announced: false,
            main: None,
        }
    }

    /// Brings about what the record wants, until that is rest.
    async fn obey(&mut self) {
        loop {
            self.acknowledge();
            let end = match self.record.wanted {
                Wanted::Running => self.run().await,
                Wanted::Stopped => {
                    let wish = self.record.wish;
                    self.empty(Manner::Gentle).await;
                    self.changed_since(wish)
                        .unwrap_or(End::Rest(MachineState::Stopped, None))
                }
                Wanted::Destroyed => End::Gone,
            };
            match end {
                End::Rest(state, detail) => {
                    self.rest(state, detail);
                    if self.look() != Look::Changed {
                        return;
                    }
                }
                End::Wish if self.record.wanted == Wanted::Running => {
                    self.acknowledge();
                    self.empty(Manner::Gentle).await;
                }
                End::Wish => {}
                End::Gone => {
                    self.empty(Manner::AtOnce).await;
                    // Whatever stays behind is hidden by its name and holds nothing that runs.
                    let _ = self.dir.discard();
                    return;
                }
            }
        }
    }

    /// Runs the main process by its restart policy.
    async fn run(&mut self) -> End {
        let mut restarts = Restarts::under(self.record.config.restart.as_ref());
        self.stop_rule = StopRule::of(&self.record.config);
        self.status.last_exit = None;
        loop {
            self.status.restarts = restarts.total;
            if let Some(end) = self.until_announced().await {
                return end;
            }
            if let Err(why) = self.start() {
                self.events.say(&why);
                return End::Rest(MachineState::Failed, Some(why));
            }
            let (exit, up) = match self.watch().await {
                Ok(ended) => ended,
                Err(end) => return end,
            };
            self.status.last_exit = Some(exit);
            self.forget_main(MachineState::Stopping);
            let wish = self.record.wish;
            self.empty(Manner::Gentle).await;
            if let Some(end) = self.changed_since(wish) {
                return end;
            }
            match restarts.after(exit, up) {
                Next::Done => return End::Rest(MachineState::Stopped, Some(exit.to_string())),
                Next::GiveUp => {
                    return End::Rest(MachineState::Failed, Some(given_up(exit, restarts.total)));
                }
                Next::Again(pause) => {
                    let detail = format!("{exit}; restart {} in {pause:?}", restarts.total);
                    self.events.say(&detail);
                    self.set(MachineState::Starting, Some(detail));
                    if let Some(end) = self.pause(pause).await {
                        return end;
                    }
                }
            }
        }
    }

    /// Starts nothing before the status that names this supervisor is written. A full disk is waited
    /// out.
    async fn until_announced(&mut self) -> Option<End> {
        while !self.announced {
            let event = self.events.next(None).await;
            if let Some(end) = self.interrupted(&event).await {
                return Some(end);
            }
        }
        None
    }

    fn start(&mut self) -> Result<(), String> {
        let (pid, output) = process::start(&self.record)?;
        self.main = Some(Main {
            pid,
            since: Instant::now(),
        });
        if let Err(error) = self.events.follow(output) {
            self.events.say(&format!("cannot read its output: {error}"));
        }
        self.events.checks = Checks::start(&self.record);
        self.status.main = Identity::of(pid);
        self.set(MachineState::Starting, None);
        Ok(())
    }

    /// Waits for the main process to end; says how, and how long it was up.
    async fn watch(&mut self) -> Result<(Exit, Duration), End> {
        loop {
            let since = self
                .main
                .as_ref()
                .map_or_else(Instant::now, |main| main.since);
            let is_starting = self.status.state == MachineState::Starting;
            let settled = is_starting.then(|| since + SETTLES_AFTER);
            match self.events.next(settled).await {
                Event::Child => {
                    if let Some(exit) = self.reap() {
                        return Ok((exit, since.elapsed()));
                    }
                }
                Event::Deadline => self.set(MachineState::Started, None),
                Event::Check(finding) => {
                    let passed = self.events.checks.take(finding);
                    let state = match self.status.state {
                        MachineState::Starting if passed => MachineState::Started,
                        state => state,
                    };
                    self.set(state, None);
                }
                other => {
                    if let Some(end) = self.interrupted(&other).await {
                        return Err(end);
                    }
                }
            }
        }
    }

    /// Lets time pass before a restart.
    async fn pause(&mut self, pause: Duration) -> Option<End> {
        let deadline = Instant::now() + pause;
        loop {
            match self.events.next(Some(deadline)).await {
                Event::Deadline => return None,
                Event::Child => drop(self.reap()),
                Event::Check(_) => {}
                other => {
                    if let Some(end) = self.interrupted(&other).await {
                        return Some(end);
                    }
                }
            }
        }
    }

    /// What an event from outside means for the Machine that runs.
    async fn interrupted(&mut self, event: &Event) -> Option<End> {
        match event {
            Event::Terminate => {
                self.set(MachineState::Stopping, None);
                let wish = self.record.wish;
                self.empty(Manner::Gentle).await;
                self.status.last_exit = None;
                let detail = "its supervisor was asked to end".to_owned();
                let rest = End::Rest(MachineState::Stopped, Some(detail));
                Some(self.changed_since(wish).unwrap_or(rest))
            }
            Event::Look => match self.look() {
                Look::Same => None,
                Look::Changed => Some(End::Wish),
                Look::Gone => Some(End::Gone),
            },
            Event::Child | Event::Check(_) | Event::Deadline => None,
        }
    }

    /// Reaps everything that ended; says how the main process did, if it was among that.
    fn reap(&mut self) -> Option<Exit> {
        let mut exit = None;
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if self.main.as_ref().is_some_and(|main| main.pid == pid) {
                self.main = None;
                exit = status
                    .exit_status()
                    .map(Exit::Code)
                    .or_else(|| status.terminating_signal().map(Exit::Signal));
            }
        }
        exit
    }

    /// Reads the record again and takes over what is wanted; writes what could not be written.
    fn look(&mut self) -> Look {
        if self.unwritten {
            self.write();
        }
        if self.lock.metadata().is_ok_and(|lock| lock.nlink() == 0) {
            return Look::Gone;
        }
        match read_json::<Record>(&self.dir.record()) {
            Ok(None) => Look::Gone,
            Ok(Some(record)) if record.wish != self.record.wish => {
                self.record = record;
                Look::Changed
            }
            // A record that cannot be read now changes nothing.
            Ok(Some(_)) | Err(_) => Look::Same,
        }
    }

    /// What became of this wish while something else was waited for.
    fn changed_since(&mut self, wish: u64) -> Option<End> {
        match self.look() {
            Look::Gone => Some(End::Gone),
            Look::Same | Look::Changed => (self.record.wish != wish).then_some(End::Wish),
        }
    }

    /// Says that what is wanted was seen. What checks found and how often it ended before count no more.
    fn acknowledge(&mut self) {
        self.events.checks = Checks::none();
        self.status.restarts = 0;
        self.status.last_exit = None;
        self.status.wish = self.record.wish;
        self.status.is_final = false;
        let state = match self.record.wanted {
            Wanted::Running if self.main.is_some() => MachineState::Replacing,
            Wanted::Running => MachineState::Starting,
            Wanted::Stopped => MachineState::Stopping,
            Wanted::Destroyed => MachineState::Destroying,
        };
        self.set(state, None);
    }

    fn forget_main(&mut self, state: MachineState) {
        self.main = None;
        self.status.main = None;
        self.events.checks = Checks::none();
        self.set(state, None);
    }

    fn rest(&mut self, state: MachineState, detail: Option<String>) {
        self.main = None;
        self.status.main = None;
        self.events.checks = Checks::none();
        self.events.drain();
        self.status.is_final = true;
        self.set(state, detail);
    }

    fn set(&mut self, state: MachineState, detail: Option<String>) {
        let restarted = || match (self.status.last_exit, self.status.restarts) {
            (Some(exit), 1..) => Some(format!("restarted after {exit}")),
            _ => None,
        };
        self.status.detail = match state {
            MachineState::Starting | MachineState::Started => detail.or_else(restarted),
            _ => detail,
        };
        self.status.state = state;
        self.status.checks = self.events.checks.statuses();
        self.write();
    }

    /// Without its folder there is nobody to tell, and the next look finds that it is gone; without
    /// room on the disk, the next look tries again.
    fn write(&mut self) {
        let written = write_json(&self.dir.status(), &self.status, Durable::No);
        self.unwritten = written.is_err();
        if !self.unwritten {
            self.announced = !self.status.is_final;
        }
    }
}

fn given_up(exit: Exit, restarts: u32) -> String {
    match restarts {
        0 => exit.to_string(),
        1 => format!("{exit}, given up after 1 restart"),
        more => format!("{exit}, given up after {more} restarts"),
    }
}
