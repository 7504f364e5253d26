//! The program as one process: it holds the provider, the store and the journal, and takes one blow at
//! a chosen moment. Once it is dead, nothing of it takes effect any more.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use aeroform::apply::CancelHandle;
use aeroform::core::fleet::{
    AppName, Call, Description, Lineage, Machine, MachineId, Receipt, RunId, WaitUntil,
};
use aeroform::core::plan::Event;
use aeroform::emulator::world::World;
use aeroform::journal::{
    Journal, JournalError, OpenRun, PendingCallRow, ResultRow, RunRow, RunStatus,
};
use aeroform::provider::{Listing, LogQuery, LogSink, Provider, ProviderError};
use aeroform::store::{
    Holder, LockStatus, LockWait, StateLock, StateStore, StoreError, StoredText, Version, WriteNote,
};
use async_trait::async_trait;
use tokio::sync::Notify;

use crate::invariants::AvailabilityWatch;
use crate::memory_journal::{FailCommit, MemoryJournal};
use crate::memory_store::{FailWrite, MemoryStore};
use crate::sim::SimProvider;

/// When the blow falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultPoint {
    /// Before the n-th request to the provider is sent.
    BeforeRequest(u64),
    /// When the n-th request has had its effect, before its answer is read.
    AfterRequest(u64),
    /// When the n-th event is said.
    Event(u64),
    /// At the n-th write of the journal.
    Commit(u64, FailCommit),
    /// At the n-th write of the state.
    Write(u64, FailWrite),
    /// Before the lock is let go.
    BeforeRelease,
    /// Once the lock was let go.
    AfterRelease,
}

/// What falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProcessFault {
    /// The process dies.
    Crash,
    /// It is stopped by a signal, with this grace period for calls in flight.
    Signal(Duration),
    /// The moment itself is the fault: a write that fails.
    Nothing,
}

/// How much a process has done; the moments that there are.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct ProcessCounts {
    pub(crate) requests: u64,
    /// Which of the requests change something.
    pub(crate) changing: Vec<u64>,
    pub(crate) events: u64,
    pub(crate) commits: u64,
    pub(crate) writes: u64,
}

pub(crate) struct Process {
    pub(crate) sim: SimProvider,
    pub(crate) store: MemoryStore,
    pub(crate) journal: MemoryJournal,
    pub(crate) guard_watch: Mutex<AvailabilityWatch>,
    fault: Option<(FaultPoint, ProcessFault)>,
    cancel: CancelHandle,
    requests: AtomicU64,
    changing: Mutex<Vec<u64>>,
    events: AtomicU64,
    /// What others do when a rollback begins.
    pub(crate) on_rollback: Option<fn(&mut World)>,
    /// How many requests and calls of the world there were before a rollback.
    pub(crate) rollback: Mutex<Option<(u64, usize)>>,
    before: (u64, u64),
    fired: AtomicBool,
    dead: AtomicBool,
    died: Notify,
}

impl Process {
    pub(crate) fn new(
        sim: &SimProvider,
        store: &MemoryStore,
        journal: &MemoryJournal,
        blow: Option<(FaultPoint, ProcessFault)>,
        cancel: CancelHandle,
        watch: AvailabilityWatch,
    ) -> Self {
        match blow {
            Some((FaultPoint::Commit(n, how), _)) => journal.fail_commit(n, how),
            Some((FaultPoint::Write(n, how), _)) => store.fail_write(n, how),
            _ => {}
        }
        Self {
            sim: sim.clone(),
            store: store.clone(),
            journal: journal.clone(),
            guard_watch: Mutex::new(watch),
            fault: blow,
            cancel,
            requests: AtomicU64::new(0),
            changing: Mutex::default(),
            events: AtomicU64::new(0),
            on_rollback: None,
            rollback: Mutex::default(),
            before: (journal.commits(), store.writes()),
            fired: AtomicBool::new(false),
            dead: AtomicBool::new(false),
            died: Notify::new(),
        }
    }

    /// Whether the blow has fallen.
    pub(crate) fn fired(&self) -> bool {
        self.fired.load(Ordering::Relaxed)
    }

    pub(crate) fn done(&self) -> ProcessCounts {
        ProcessCounts {
            requests: self.requests.load(Ordering::Relaxed),
            changing: self.changing.lock().unwrap().clone(),
            events: self.events.load(Ordering::Relaxed),
            commits: self.journal.commits() - self.before.0,
            writes: self.store.writes() - self.before.1,
        }
    }

    /// Returns once the process is dead.
    pub(crate) async fn death(&self) {
        self.died.notified().await;
    }

    /// Counts an event.
    pub(crate) fn event(&self, event: &Event) {
        if matches!(event, Event::RollingBack { .. }) {
            let requests = self.requests.load(Ordering::Relaxed);
            let calls = self.sim.world().log().len();
            *self.rollback.lock().unwrap() = Some((requests, calls));
            if let Some(hand) = self.on_rollback {
                hand(&mut self.sim.world());
            }
        }
        let n = self.events.fetch_add(1, Ordering::Relaxed) + 1;
        self.reach(FaultPoint::Event(n));
    }

    /// Says that a moment has come; a process that dies of it goes no further.
    pub(crate) async fn at(&self, moment: FaultPoint) {
        self.reach(moment);
        self.live().await;
    }

    fn reach(&self, moment: FaultPoint) {
        if self.fault.is_some_and(|(at, _)| at == moment) {
            self.strike();
        }
    }

    fn strike(&self) {
        self.fired.store(true, Ordering::Relaxed);
        match self.fault {
            Some((_, ProcessFault::Crash)) => {
                self.dead.store(true, Ordering::Relaxed);
                self.died.notify_one();
            }
            Some((_, ProcessFault::Signal(grace))) => self.cancel.stop(Some(grace)),
            Some((_, ProcessFault::Nothing)) | None => {}
        }
    }

    fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    async fn live(&self) {
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }

    async fn request<T>(&self, work: impl Future<Output = T>) -> T {
        self.live().await;
        let n = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        self.at(FaultPoint::BeforeRequest(n)).await;
        let answer = work.await;
        self.guard_watch.lock().unwrap().check(&self.sim);
        self.at(FaultPoint::AfterRequest(n)).await;
        answer
    }

    /// A write of the journal; dead, it writes nothing.
    fn commit(
        &self,
        write: impl FnOnce(&MemoryJournal) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        if self.is_dead() {
            return Err(JournalError {
                place: "in memory".to_owned(),
                message: "the process is dead".to_owned(),
                hint: None,
            });
        }
        let was = self.journal.fired();
        let done = write(&self.journal);
        if matches!(self.fault, Some((FaultPoint::Commit(..), _))) && !was && self.journal.fired() {
            self.strike();
        }
        done
    }
}

#[async_trait]
impl Provider for Process {
    fn name(&self) -> &'static str {
        self.sim.name()
    }

    async fn describe(&self, app: &AppName) -> Result<Description, ProviderError> {
        self.request(self.sim.describe(app)).await
    }

    async fn list(&self, app: &AppName) -> Result<Listing, ProviderError> {
        self.request(self.sim.list(app)).await
    }

    async fn get(&self, app: &AppName, id: &MachineId) -> Result<Machine, ProviderError> {
        self.request(self.sim.get(app, id)).await
    }

    async fn call(&self, app: &AppName, call: &Call) -> Result<Receipt, ProviderError> {
        let next = self.requests.load(Ordering::Relaxed) + 1;
        self.changing.lock().unwrap().push(next);
        self.request(self.sim.call(app, call)).await
    }

    async fn wait(
        &self,
        app: &AppName,
        id: &MachineId,
        until: WaitUntil,
        at_most: Duration,
    ) -> Result<Machine, ProviderError> {
        self.request(self.sim.wait(app, id, until, at_most)).await
    }

    async fn logs(
        &self,
        app: &AppName,
        query: &LogQuery,
        sink: &mut LogSink<'_>,
    ) -> Result<(), ProviderError> {
        self.sim.logs(app, query, sink).await
    }
}

#[async_trait]
impl StateStore for Process {
    fn location(&self) -> String {
        self.store.location()
    }

    async fn read(&self) -> Result<StoredText, StoreError> {
        self.live().await;
        self.store.read().await
    }

    async fn write(
        &self,
        text: &str,
        if_version: &Version,
        note: &WriteNote,
    ) -> Result<Version, StoreError> {
        self.live().await;
        let was = self.store.fired();
        let done = self.store.write(text, if_version, note).await;
        if matches!(self.fault, Some((FaultPoint::Write(..), _))) && !was && self.store.fired() {
            self.strike();
            self.live().await;
        }
        done
    }

    async fn lock(
        &self,
        holder: &Holder,
        patience: Duration,
        waiting: &mut LockWait<'_>,
    ) -> Result<Box<dyn StateLock>, StoreError> {
        self.live().await;
        self.store.lock(holder, patience, waiting).await
    }

    async fn holder(&self) -> Result<LockStatus, StoreError> {
        self.live().await;
        self.store.holder().await
    }
}

impl Journal for Process {
    fn begin_run(&self, run: &RunRow) -> Result<(), JournalError> {
        self.commit(|journal| journal.begin_run(run))
    }

    fn begin_call(&self, run: &RunId, row: &PendingCallRow) -> Result<(), JournalError> {
        self.commit(|journal| journal.begin_call(run, row))
    }

    fn record_results(&self, run: &RunId, rows: &[ResultRow]) -> Result<(), JournalError> {
        self.commit(|journal| journal.record_results(run, rows))
    }

    fn mark_run(&self, run: &RunId, status: RunStatus) -> Result<(), JournalError> {
        self.commit(|journal| journal.mark_run(run, status))
    }

    fn open_runs(&self, lineage: &Lineage) -> Result<Vec<OpenRun>, JournalError> {
        self.journal.open_runs(lineage)
    }

    fn releases(
        &self,
        lineage: &Lineage,
    ) -> Result<std::collections::BTreeMap<String, RunId>, JournalError> {
        self.journal.releases(lineage)
    }
}
