//! Notifies the supervisor of a Machine, or starts one.
//!
//! A supervisor that dies is restarted a few times. If the caller dies, the supervisor's own check or the
//! next call finds the record.

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

/// A supervisor responds within milliseconds, on an overloaded computer later.
const ACKNOWLEDGE_TIMEOUT: Duration = Duration::from_secs(20);
const MAX_STARTS: u32 = 3;

/// Starts supervisors and reaps those that exited.
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

    /// Reaps our exited supervisors; those that outlive us are inherited by another process.
    pub(super) fn reap(&self) {
        self.started
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    }

    /// Returns once a supervisor has acknowledged this generation, or the folder is removed. If none
    /// responds, an error of class `Unknown`: the desired state is written and may still be applied.
    pub(super) async fn notify_and_wait(
        &self,
        dir: &MachineDir,
        generation: u64,
    ) -> Result<(), ProviderError> {
        let deadline = Instant::now() + ACKNOWLEDGE_TIMEOUT;
        let mut woken = None;
        let mut starts = 0;
        let mut started_at = None;
        loop {
            let Some(now) = snapshot(dir).map_err(|error| io_error("read", dir, &error))? else {
                return Ok(());
            };
            if now.record.generation != generation || now.is_acknowledged() {
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

    /// Whether the supervisor with this pid is running and may be about to take the lock.
    fn is_starting(&self, pid: Option<u32>) -> bool {
        self.reap();
        let started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        started.iter().any(|child| Some(child.id()) == pid)
    }

    /// Starts a supervisor that inherits only what Machines inherit.
    fn start(&self, dir: &MachineDir) -> Result<u32, ProviderError> {
        // Inherited file handles (a script's lock, a test runner's pipe) must not stay open as long as a
        // Machine.
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

/// The error for an inaccessible file of a Machine or an app.
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
