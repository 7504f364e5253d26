//! The [`Provider`] trait, implemented for every platform that runs Machines.
//!
//! A provider decides nothing. It describes the app, lists and reads Machines, makes single changes, waits
//! and reads logs. It does not retry, and it reports an unknown outcome as unknown.

pub mod backoff;
pub mod bookkeeping;
pub mod codes;
pub mod fly;
pub mod local;
pub mod retry;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;

use crate::core::code::Code;
use crate::core::fleet::{
    AppName, Call, Description, GroupName, Machine, MachineConfig, MachineEvent, MachineId,
    NewRelease, Receipt, Release, ReleaseStatus, Volume, WaitUntil,
};

/// A platform that runs Machines. Every method takes the app, so one provider serves many apps.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The provider's name in manifests (`local`).
    fn name(&self) -> &'static str;

    /// How long a request made now would wait for the operator's rate limit (`--max-rps`). The request waits
    /// by itself; this value is for progress messages.
    fn rate_limit_wait(&self) -> Duration {
        Duration::ZERO
    }

    /// The app's scope, the provider's own count of its Machines, and the provider's capabilities.
    async fn describe(&self, app: &AppName) -> Result<Description, ProviderError>;

    /// Every Machine and volume of the app, in any order; may include destroyed ones.
    async fn list(&self, app: &AppName) -> Result<Listing, ProviderError>;

    /// One Machine; fails with [`ErrorClass::NotFound`] if it does not exist.
    async fn get(&self, app: &AppName, id: &MachineId) -> Result<Machine, ProviderError>;

    /// Makes one change and returns when the provider has accepted it, before the Machine settles. An error
    /// of class [`ErrorClass::Unknown`] means that the change may have happened.
    async fn call(&self, app: &AppName, call: &Call) -> Result<Receipt, ProviderError>;

    /// Waits until the Machine reaches that state and returns it; fails with [`ErrorClass::Transient`] after
    /// `at_most`, or earlier if the state cannot be reached. Dropping the future stops waiting and has no
    /// other effect.
    async fn wait(
        &self,
        app: &AppName,
        id: &MachineId,
        until: WaitUntil,
        at_most: Duration,
    ) -> Result<Machine, ProviderError>;

    /// The Machines of this process group, with destroyed ones as long as the platform shows them.
    async fn list_with_destroyed(
        &self,
        app: &AppName,
        group: &GroupName,
    ) -> Result<Vec<Machine>, ProviderError> {
        let listing = self.list(app).await?;
        let machines = listing.machines.into_iter();
        Ok(machines
            .filter(|machine| machine.group.as_ref() == Some(group))
            .collect())
    }

    /// Acquires the Machine's lease with a description; it blocks changes by other tools, and this provider's
    /// calls use it. Each acquire needs its own release. An error of class [`ErrorClass::Conflict`] names the
    /// holder. Does nothing if the provider has no leases.
    async fn acquire_lease(
        &self,
        _app: &AppName,
        _id: &MachineId,
        _why: &str,
    ) -> Result<(), ProviderError> {
        Ok(())
    }

    /// A description of the lease's holder; `None` if it is free or held by this process. Acquires nothing.
    async fn lease_holder(
        &self,
        _app: &AppName,
        _id: &MachineId,
    ) -> Result<Option<String>, ProviderError> {
        Ok(None)
    }

    /// Refreshes a lease that was acquired or came with a create; call it every [`LEASE_REFRESH_INTERVAL`].
    async fn refresh_lease(&self, _app: &AppName, _id: &MachineId) -> Result<(), ProviderError> {
        Ok(())
    }

    /// Releases a lease; succeeds if there is none any more.
    async fn release_lease(&self, _app: &AppName, _id: &MachineId) -> Result<(), ProviderError> {
        Ok(())
    }

    /// The app's newest release; `None` if there is none, or the platform stores none or does not show them.
    async fn newest_release(&self, _app: &AppName) -> Result<Option<Release>, ProviderError> {
        Ok(None)
    }

    /// The app's newest releases, at most `limit`, newest first; `None` if the platform stores none or does not
    /// show them.
    async fn releases(
        &self,
        _app: &AppName,
        _limit: usize,
    ) -> Result<Option<Vec<Release>>, ProviderError> {
        Ok(None)
    }

    /// Registers a release; `None` if the platform does not store or accept one. Two calls register two
    /// releases.
    async fn register_release(
        &self,
        _app: &AppName,
        _release: &NewRelease<'_>,
    ) -> Result<Option<Release>, ProviderError> {
        Ok(None)
    }

    /// Sets the status of a registered release.
    async fn set_release_status(
        &self,
        _app: &AppName,
        _id: &str,
        _status: ReleaseStatus,
    ) -> Result<(), ProviderError> {
        Ok(())
    }

    /// The configs of a Machine, newest first, as far back as the platform remembers them.
    async fn versions(
        &self,
        _app: &AppName,
        _id: &MachineId,
    ) -> Result<Vec<MachineVersion>, ProviderError> {
        Ok(Vec::new())
    }

    /// A Machine's events, newest first, if the platform reports them.
    async fn events(
        &self,
        _app: &AppName,
        _id: &MachineId,
    ) -> Result<Vec<MachineEvent>, ProviderError> {
        Ok(Vec::new())
    }

    /// Sends log lines to `sink` until it returns `false` or, without `follow`, until the existing lines are
    /// sent. An error of class [`ErrorClass::RateLimited`] comes before the first line.
    async fn logs(
        &self,
        app: &AppName,
        query: &LogQuery,
        sink: &mut LogSink<'_>,
    ) -> Result<(), ProviderError>;
}

/// A config that a Machine has or had.
#[derive(Debug, Clone, PartialEq)]
pub struct MachineVersion {
    /// The release that it was sent with, if known.
    pub release: Option<u64>,
    /// The config.
    pub config: MachineConfig,
}

/// How often a lease is refreshed: a third of its duration (rule 27).
pub const LEASE_REFRESH_INTERVAL: Duration = Duration::from_secs(5);

/// The result of a list call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listing {
    /// The Machines.
    pub machines: Vec<Machine>,
    /// The volumes.
    pub volumes: Vec<Volume>,
    /// Problems of list entries whose id cannot be read.
    pub unreadable: Vec<String>,
}

/// Receives one log line; returns whether to continue.
pub type LogSink<'a> = dyn FnMut(LogLine) -> bool + Send + 'a;

/// Selects log lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogQuery {
    /// The Machines.
    pub scope: LogScope,
    /// Continue as new lines arrive.
    pub follow: bool,
    /// The Machines of this state, in whatever project folder. Logs of other folders' Machines are read only
    /// by id.
    pub known_machines: BTreeSet<MachineId>,
    /// Only this many of the newest existing lines.
    pub tail: Option<usize>,
}

/// The Machines whose logs to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogScope {
    /// All Machines.
    App,
    /// Machines of one group.
    Group(GroupName),
    /// One Machine.
    Machine(MachineId),
}

/// One line of a Machine's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The Machine.
    pub machine: MachineId,
    /// Its group.
    pub group: Option<GroupName>,
    /// The time, RFC 3339 in UTC.
    pub at: String,
    /// The text without line end; untrusted and not escaped.
    pub text: String,
}

/// What an error implies for the next action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorClass {
    /// The request is invalid; repeating it fails the same way.
    Invalid,
    /// Another change came first: a new version, a used name, a held lease.
    Conflict,
    /// No capacity on the Machine's host, or for a new Machine in its region. It did not happen; elsewhere it
    /// may work.
    NoRoom,
    /// The Machine or app does not exist.
    NotFound,
    /// Rate limited; retry after this time, if known.
    RateLimited(Option<Duration>),
    /// It did not happen, and a retry may work.
    Transient,
    /// It may have happened.
    Unknown,
    /// Nothing works until a person fixes it (no access, broken installation).
    Fatal,
}

/// A failed provider call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ProviderError {
    /// The class.
    pub class: ErrorClass,
    /// Stable code (`port_in_use`).
    pub code: &'static str,
    /// What happened, for people; may contain unescaped foreign text.
    pub message: String,
    /// What to do, for people.
    pub hint: Option<String>,
}

impl ProviderError {
    /// An error without a hint.
    pub fn new(class: ErrorClass, code: Code, message: impl Into<String>) -> Self {
        Self {
            class,
            code: code.name(),
            message: message.into(),
            hint: None,
        }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
