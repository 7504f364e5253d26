//! Getting a wish to a supervisor: waking the one that lives, or starting one.
//!
//! Knows nothing of what is wished. A supervisor that dies on the way is started again a few times; a
//! caller that dies on the way leaves a record that the supervisor's own look, or the next call, finds.

use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use super::codes;
use super::layout::MachineDir;
use super::snapshot::{SupervisorPresence, find_supervisor, snapshot};
use super::{process, signals};
use crate::env::Env;
use crate::provider::{ErrorClass, ProviderError};

/// A supervisor that was woken answers in milliseconds; on a computer that is overloaded, later.
const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(20);
const MAX_STARTS: u32 = 3;

/// Starts supervisors and reaps those that have ended.
#[derive(Debug)]
pub(super) struct Supervisors {
    program: PathBuf,
    started: Mutex<Vec<Child>>,
}

impl Supervisors {
    pub(super) fn new(program: PathBuf) -> Self {
        Self {
            program,
            started: Mutex::default(),
        }
    }

    /// Lets the system forget supervisors of ours that have ended; those that outlive us become
    /// somebody else's children.
    pub(super) fn reap(&self) {
        self.started
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    }

    /// Returns once a supervisor has seen this wish, or the folder is gone. An error of class
    /// `Unknown` when none answers: the wish is written and may yet come true.
    pub(super) async fn notify_and_wait(
        &self,
        dir: &MachineDir,
        wish: u64,
    ) -> Result<(), ProviderError> {
        let deadline = Instant::now() + ACKNOWLEDGE_TIMEOUT;
        let mut woken = None;
        let mut starts = 0;
        let mut started_at = None;
        loop {
            let Some(now) = snapshot(dir).map_err(|error| io_error("read", dir, &error))? else {
                return Ok(());
            };
            if now.record.generation != wish || now.is_acknowledged() {
                return Ok(());
            }
            match now.supervisor {
                SupervisorPresence::Alive(Some(pid)) if woken != Some(pid) => {
                    let is_keeper = || {
                        find_supervisor(dir)
                            .is_ok_and(|now| now == SupervisorPresence::Alive(Some(pid)))
                    };
                    signals::send_if(pid.as_raw_pid(), Signal::HUP, is_keeper);
                    woken = Some(pid);
                }
                SupervisorPresence::None if !self.is_starting(started_at) => {
                    if starts == MAX_STARTS {
                        return Err(no_answer_error(dir));
                    }
                    starts += 1;
                    started_at = Some(self.start(dir)?);
                }
                SupervisorPresence::Alive(_) | SupervisorPresence::None => {}
            }
            if Instant::now() >= deadline {
                return Err(no_answer_error(dir));
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Whether the supervisor of this number still runs and may be about to take the lock.
    fn is_starting(&self, pid: Option<u32>) -> bool {
        self.reap();
        let started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        started.iter().any(|child| Some(child.id()) == pid)
    }

    /// Starts a supervisor that has nothing of ours but what Machines inherit.
    fn start(&self, dir: &MachineDir) -> Result<u32, ProviderError> {
        // What this program inherited itself (a lock of the script that runs it, a pipe of a test
        // runner) must not live as long as a Machine does.
        close_fds::set_fds_cloexec_threadsafe(3, &[]);
        let env = Env::from_process();
        let inherited = env.vars().filter(|(key, _)| process::is_inherited(key));
        let child = Command::new(&self.program)
            .arg("__supervise")
            .arg(dir.path())
            .env_clear()
            .envs(inherited)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| {
                let program = self.program.display();
                ProviderError::new(
                    ErrorClass::Fatal,
                    codes::SUPERVISOR_NOT_STARTED,
                    format!("cannot start a supervisor (`{program}`): {error}"),
                )
            })?;
        let pid = child.id();
        self.started
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(child);
        Ok(pid)
    }
}

fn no_answer_error(dir: &MachineDir) -> ProviderError {
    let place = dir.path().display();
    ProviderError::new(
        ErrorClass::Unknown,
        codes::SUPERVISOR_SILENT,
        format!("the supervisor of {place} does not respond"),
    )
    .hint("read the file `log` in that folder")
}

/// The error for a file of a Machine or an app that the system refuses.
pub(super) fn io_error(what: &str, dir: &MachineDir, error: &io::Error) -> ProviderError {
    let place = dir.path().display();
    if error.kind() == io::ErrorKind::InvalidData || error.kind() == io::ErrorKind::UnexpectedEof {
        let message = format!("the record of a Machine is damaged: {place}: {error}");
        return ProviderError::new(ErrorClass::Fatal, codes::DAMAGED_RECORD, message)
            .hint("stop its processes and remove the folder, then apply again");
    }
    let message = format!("cannot {what} {place}: {error}");
    ProviderError::new(ErrorClass::Fatal, codes::LOCAL_FILES, message)
}
