//! Provider `local`: each Machine is a tree of processes on this computer, under its own supervisor
//! process. It is built in and needs no account.
//!
//! ```text
//! <dir>/lock                     held while an app's scope is created
//! <dir>/<app>/scope              id of the app, and the base of its ports
//! <dir>/<app>/lock               held while a record changes
//! <dir>/<app>/machines/<id>/     record.json   desired state   written by the provider
//!                                status.json   actual state    written by the supervisor
//!                                lock          held by the supervisor while it runs
//!                                log, log.1    output with timestamps, size-limited
//! ```
//!
//! The provider writes a new *generation* of the desired state into the record and notifies the
//! supervisor; only the supervisor touches processes. Whatever dies in between, the record has the
//! desired state, the lock shows whether a supervisor is alive, and the next call continues from
//! there. A supervisor runs only as long as its Machine should run.
//!
//! A stop finds every descendant of the supervisor, including double-forked and `setsid` children.
//! If a supervisor was killed, its successor finds the rest of its session, every process whose
//! environment contains the Machine's id and scope, and their descendants. It does not find a process
//! that changed its session *and* cleared its environment, a process of another user (setuid), or
//! work given to another service (systemd, cron, a container engine).
//!
//! Sizes, images, volumes and files are recorded and not enforced; regions are only names. Start at
//! [`provider`] for calls and at [`supervisor`] for processes.

mod checks;
pub mod codes;
mod events;
mod http;
mod identity;
mod layout;
mod log;
mod logs;
mod port;
mod process;
mod process_tree;
mod procfs;
mod provider;
mod record;
mod requests;
mod restart;
mod scope;
mod signals;
mod snapshot;
mod supervisor;
mod supervisors;

pub use provider::{LocalConfig, LocalProvider};
pub use supervisor::supervise;
