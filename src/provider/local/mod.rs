//! Provider `local`: each Machine is a real tree of processes on this computer, under its own small
//! supervisor process. The embedded default, which needs no account.
//!
//! ```text
//! <dir>/lock                     held while an app's scope is made
//! <dir>/<app>/scope              id of this incarnation of the app, base of its ports
//! <dir>/<app>/lock               held while a record changes
//! <dir>/<app>/machines/<id>/     record.json   what is wanted   written by the provider
//!                                status.json   what is so       written by the supervisor
//!                                lock          held by the supervisor for its life
//!                                log, log.1    output with times, capped
//! ```
//!
//! The provider writes a *wish* into the record and wakes the supervisor; only the supervisor touches
//! processes. So whatever dies in between, the record says what was wanted, the lock says who lives,
//! and the next call goes on from there. A supervisor lives only as long as its Machine should run.
//!
//! What a stop is sure to find: everything that descends from the supervisor, double-forked and
//! `setsid` children included. After a supervisor was itself killed, its successor finds what is left
//! of its session, every process whose environment still carries the Machine's id and scope, and their
//! descendants. What escapes: after such a kill, a process that changed its session *and* cleared its
//! environment; a process of another user (setuid); whatever was asked of another service (systemd,
//! cron, a container engine).
//!
//! Sizes, images, volumes and files are recorded and not enforced; regions are names. Start reading
//! at [`provider`] for the calls and at [`supervisor`] for the other side.

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
