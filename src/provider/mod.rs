//! What carries out calls: the [`Provider`] trait, which every place that Machines run on implements.
//!
//! A provider decides nothing: it describes, lists, answers for one Machine, makes one change, waits
//! and reads logs. It retries nothing by itself and never hides an unknown outcome behind an error
//! that looks certain.

pub mod backoff;
pub mod bookkeeping;
pub mod codes;
pub mod contract;
pub mod fly;
pub mod local;
pub mod retry;
pub mod sim;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;

use crate::core::code::Code;
use crate::core::fleet::{
    AppName, Call, Description, GroupName, Machine, MachineEvent, MachineId, NewRelease, Receipt,
    Release, ReleaseStatus, Volume, WaitUntil,
};

/// A place that runs Machines. Every method names the app, so that one provider serves many.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The provider's name as manifests write it (`local`).
    fn name(&self) -> &'static str;

    /// How long a request that is made now waits for a limit which the operator has set over all of them.
    /// It waits by itself; this is for whoever tells of it.
    fn rate_limit_wait(&self) -> Duration {
        Duration::ZERO
    }

    /// The scope of the app, the provider's own count of its Machines, and what it can do.
    async fn describe(&self, app: &AppName) -> Result<Description, ProviderError>;

    /// Every Machine and volume of the app, in any order. Destroyed ones may be among them.
    async fn list(&self, app: &AppName) -> Result<Listing, ProviderError>;

    /// One Machine; an error of class [`ErrorClass::NotFound`] when it does not exist.
    async fn get(&self, app: &AppName, id: &MachineId) -> Result<Machine, ProviderError>;

    /// Makes one change and returns when the provider has taken it, not when it has settled. An error
    /// of class [`ErrorClass::Unknown`] means that it may have happened.
    async fn call(&self, app: &AppName, call: &Call) -> Result<Receipt, ProviderError>;

    /// Waits until the Machine is in that state and returns it, or fails with
    /// [`ErrorClass::Transient`] once `at_most` has passed. May return early with that class when it
    /// can tell that waiting is in vain. Dropping the future stops waiting and leaves nothing behind.
    async fn wait(
        &self,
        app: &AppName,
        id: &MachineId,
        until: WaitUntil,
        at_most: Duration,
    ) -> Result<Machine, ProviderError>;

    /// Takes the Machine's lease, which keeps other tools from changing the Machine, and says why; whatever
    /// this provider does to the Machine from then on bears it. Taken twice, it is let go of twice. An
    /// error of class [`ErrorClass::Conflict`] names the holder. With a provider without leases there is
    /// nothing to take.
    async fn acquire_lease(
        &self,
        _app: &AppName,
        _id: &MachineId,
        _why: &str,
    ) -> Result<(), ProviderError> {
        Ok(())
    }

    /// Who holds the Machine's lease, in words for people; none where nobody does, or this process. It takes
    /// nothing. With a provider without leases nobody holds one.
    async fn lease_holder(
        &self,
        _app: &AppName,
        _id: &MachineId,
    ) -> Result<Option<String>, ProviderError> {
        Ok(None)
    }

    /// Prolongs a lease that was taken, or that a create gave; to be called every [`LEASE_REFRESH_INTERVAL`].
    async fn refresh_lease(&self, _app: &AppName, _id: &MachineId) -> Result<(), ProviderError> {
        Ok(())
    }

    /// Lets go of a lease. That there is none any more is no error.
    async fn release_lease(&self, _app: &AppName, _id: &MachineId) -> Result<(), ProviderError> {
        Ok(())
    }

    /// The app's newest release; none where there is none, the platform keeps none, or keeps them from us.
    async fn newest_release(&self, _app: &AppName) -> Result<Option<Release>, ProviderError> {
        Ok(None)
    }

    /// Registers a release; none where the platform keeps none, or takes none from us. Asked twice, it
    /// makes two.
    async fn register_release(
        &self,
        _app: &AppName,
        _release: &NewRelease<'_>,
    ) -> Result<Option<Release>, ProviderError> {
        Ok(None)
    }

    /// Says how far a release has come that was registered.
    async fn set_release_status(
        &self,
        _app: &AppName,
        _id: &str,
        _status: ReleaseStatus,
    ) -> Result<(), ProviderError> {
        Ok(())
    }

    /// What a Machine has gone through, newest first, where the platform tells.
    async fn events(
        &self,
        _app: &AppName,
        _id: &MachineId,
    ) -> Result<Vec<MachineEvent>, ProviderError> {
        Ok(Vec::new())
    }

    /// Sends log lines to `sink` until it says that it has enough or, without `follow`, until all
    /// there are were sent. An error of class [`ErrorClass::RateLimited`] comes before the first line.
    async fn logs(
        &self,
        app: &AppName,
        query: &LogQuery,
        sink: &mut LogSink<'_>,
    ) -> Result<(), ProviderError>;
}

/// How often a lease is prolonged: a third of its time (rule 27).
pub const LEASE_REFRESH_INTERVAL: Duration = Duration::from_secs(5);

/// What a list answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listing {
    /// The Machines.
    pub machines: Vec<Machine>,
    /// The volumes.
    pub volumes: Vec<Volume>,
    /// Entries of the list of Machines of which not even an id can be read; what is wrong with each.
    pub unreadable: Vec<String>,
}

/// Takes one log line and says whether more are wanted.
pub type LogSink<'a> = dyn FnMut(LogLine) -> bool + Send + 'a;

/// Which log lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogQuery {
    /// Whose.
    pub scope: LogScope,
    /// Go on as lines come.
    pub follow: bool,
    /// Machines that belong to this state, whatever project folder they belong to; without one of these,
    /// logs of another folder's Machines are read by id only.
    pub known_machines: BTreeSet<MachineId>,
    /// Only so many of the newest that are there already.
    pub tail: Option<usize>,
}

/// Whose logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogScope {
    /// Every Machine's.
    App,
    /// Those of one group.
    Group(GroupName),
    /// One Machine's.
    Machine(MachineId),
}

/// One line of a Machine's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Whose.
    pub machine: MachineId,
    /// Its group.
    pub group: Option<GroupName>,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// The text without its line end; foreign text, not yet made safe for a terminal.
    pub text: String,
}

/// What an error means for what may be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorClass {
    /// The request is wrong; the same again fails the same way.
    Invalid,
    /// Something else was faster: another version, a name that is taken, a lease that is held.
    Conflict,
    /// There is no room for it: on the Machine's host, or for a new one in its region. It certainly did not
    /// happen, and the same again elsewhere may.
    NoRoom,
    /// There is no such Machine or app.
    NotFound,
    /// Too fast; not before that much time has passed, where known.
    RateLimited(Option<Duration>),
    /// It certainly did not happen and may work when tried again.
    Transient,
    /// It may have happened.
    Unknown,
    /// Nothing will work until a person has looked (no access, broken installation).
    Fatal,
}

/// Why a provider did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ProviderError {
    /// What it means.
    pub class: ErrorClass,
    /// Stable code (`port_in_use`).
    pub code: &'static str,
    /// What happened, for people; foreign text inside is not yet made safe for a terminal.
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
