//! The life of one applying process: it may end at any moment in which something leaves it, before or
//! after that has taken effect. From then on nothing of it takes effect any more.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aeroform::core::fleet::{
    AppName, Call, Description, Lineage, Machine, MachineId, Receipt, RunId, WaitUntil,
};
use aeroform::journal::{
    Journal, JournalError, OpenRun, PendingCallRow, ResultRow, RunRow, RunStatus,
};
use aeroform::provider::fly::{Access, FlyProvider};
use aeroform::provider::{Listing, LogQuery, LogSink, Provider, ProviderError};
use aeroform::store::{
    Holder, LockStatus, LockWait, StateLock, StateStore, StoreError, StoredText, Version, WriteNote,
};
use async_trait::async_trait;
use tokio::sync::Notify;

use crate::in_process::InProcess;
use crate::memory_journal::MemoryJournal;
use crate::memory_store::MemoryStore;
use crate::recorder::SimulationRun;
use crate::sim::SimProvider;

/// When a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CrashPoint {
    /// Before the n-th thing leaves it.
    Before(u32),
    /// After the n-th thing took effect, before it hears so.
    After(u32),
}

#[derive(Clone)]
pub(crate) struct SimulatedProcess {
    story: SimulationRun,
    name: &'static str,
    crash_point: Option<CrashPoint>,
    shared: Arc<(Mutex<ProcessProgress>, Notify)>,
}

#[derive(Default)]
struct ProcessProgress {
    passed: u32,
    over: bool,
}

impl SimulatedProcess {
    pub(crate) fn new(
        story: &SimulationRun,
        name: &'static str,
        death: Option<CrashPoint>,
    ) -> Self {
        Self {
            story: story.clone(),
            name,
            crash_point: death,
            shared: Arc::default(),
        }
    }

    /// Returns once it is over.
    pub(crate) async fn over(&self) {
        while !self.is_over() {
            self.shared.1.notified().await;
        }
    }

    fn is_over(&self) -> bool {
        self.shared.0.lock().unwrap().over
    }

    fn end(&self) {
        self.shared.0.lock().unwrap().over = true;
        self.shared.1.notify_one();
    }

    /// One more moment; whether the process still lives before and after it.
    fn moment(&self) -> (bool, bool) {
        let mut moments = self.shared.0.lock().unwrap();
        moments.passed += 1;
        let lives = !moments.over;
        match self.crash_point {
            Some(CrashPoint::Before(n)) if n == moments.passed => (false, false),
            Some(CrashPoint::After(n)) if n == moments.passed => (lives, false),
            Some(CrashPoint::Before(_) | CrashPoint::After(_)) | None => (lives, lives),
        }
    }

    /// Lets something leave the process, unless it ends before or after.
    async fn pass<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        let (before, after) = self.moment();
        if !before {
            if !self.is_over() {
                self.story.log(&format!("{} dies before {what}", self.name));
            }
            self.end();
            std::future::pending::<()>().await;
        }
        let done = work.await;
        if !after {
            self.story.log(&format!("{} dies after {what}", self.name));
            self.end();
            std::future::pending::<()>().await;
        }
        done
    }

    /// The same for synchronous work, which fails once the process is over.
    fn pass_at_once<T>(
        &self,
        what: &str,
        work: impl FnOnce() -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let (before, after) = self.moment();
        let over = || JournalError {
            place: "of a process that is over".to_owned(),
            message: "nothing is written any more".to_owned(),
            hint: None,
        };
        if !before {
            if !self.is_over() {
                self.story.log(&format!("{} dies before {what}", self.name));
            }
            self.end();
            return Err(over());
        }
        let done = work();
        if !after {
            self.story.log(&format!("{} dies after {what}", self.name));
            self.end();
            return Err(over());
        }
        done
    }

    fn logged<T>(&self, what: &str, result: Result<T, ProviderError>) -> Result<T, ProviderError> {
        match &result {
            Ok(_) => self.story.log(&format!("{} {what}", self.name)),
            Err(error) => self.story.log(&format!("{} {what}: {error}", self.name)),
        }
        result
    }
}

/// The world as this process reaches it.
pub(crate) struct CrashingProvider {
    pub(crate) life: SimulatedProcess,
    pub(crate) sim: Box<dyn Provider>,
}

/// The way to the world that this history takes.
pub(crate) fn way(story: &SimulationRun) -> Box<dyn Provider> {
    let sim: &SimProvider = &story.sim;
    if !story.over_fly {
        return Box::new(sim.clone());
    }
    let access = Access::from_vars(|name| match name {
        "FLY_API_TOKEN" => Some("fm2_token"),
        "FLY_FLAPS_BASE_URL" => Some("http://127.0.0.1:4280"),
        _ => None,
    });
    let transport = InProcess::to(&sim.server());
    Box::new(FlyProvider::new(transport, access.unwrap()))
}

#[async_trait]
impl Provider for CrashingProvider {
    fn name(&self) -> &'static str {
        self.sim.name()
    }

    async fn describe(&self, app: &AppName) -> Result<Description, ProviderError> {
        self.life.pass("describe", self.sim.describe(app)).await
    }

    async fn list(&self, app: &AppName) -> Result<Listing, ProviderError> {
        let listing = self.life.pass("list", self.sim.list(app)).await;
        let what = match &listing {
            Ok(listing) => format!("list of {}", listing.machines.len()),
            Err(_) => "list".to_owned(),
        };
        self.life.logged(&what, listing)
    }

    async fn get(&self, app: &AppName, id: &MachineId) -> Result<Machine, ProviderError> {
        self.life.pass("get", self.sim.get(app, id)).await
    }

    async fn call(&self, app: &AppName, call: &Call) -> Result<Receipt, ProviderError> {
        let subject = match call {
            Call::Create(create) => create.name.to_string(),
            Call::CreateVolume(volume) => volume.name.clone(),
            Call::Update(_)
            | Call::Start { .. }
            | Call::Stop { .. }
            | Call::Suspend { .. }
            | Call::Restart { .. }
            | Call::Destroy { .. }
            | Call::Cordon { .. }
            | Call::Uncordon { .. }
            | Call::Stamp { .. } => call.machine().map_or(String::new(), ToString::to_string),
        };
        let mut what = format!("{} {subject}", call.action());
        let receipt = self.life.pass(&what, self.sim.call(app, call)).await;
        if let (
            Call::Create(_),
            Ok(Receipt {
                machine: Some(created),
                ..
            }),
        ) = (call, &receipt)
        {
            what = format!("{what} is {}", created.id);
        }
        self.life.logged(&what, receipt)
    }

    async fn wait(
        &self,
        app: &AppName,
        id: &MachineId,
        until: WaitUntil,
        at_most: Duration,
    ) -> Result<Machine, ProviderError> {
        let wait = self.sim.wait(app, id, until, at_most);
        self.life.pass("wait", wait).await
    }

    async fn acquire_lease(
        &self,
        app: &AppName,
        id: &MachineId,
        why: &str,
    ) -> Result<(), ProviderError> {
        self.life
            .pass("lease", self.sim.acquire_lease(app, id, why))
            .await
    }

    async fn refresh_lease(&self, app: &AppName, id: &MachineId) -> Result<(), ProviderError> {
        self.life
            .pass("prolong", self.sim.refresh_lease(app, id))
            .await
    }

    async fn release_lease(&self, app: &AppName, id: &MachineId) -> Result<(), ProviderError> {
        self.life
            .pass("let go", self.sim.release_lease(app, id))
            .await
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

/// The state's place as this process reaches it.
pub(crate) struct CrashingStore {
    pub(crate) life: SimulatedProcess,
    pub(crate) store: MemoryStore,
}

#[async_trait]
impl StateStore for CrashingStore {
    fn location(&self) -> String {
        self.store.location()
    }

    async fn read(&self) -> Result<StoredText, StoreError> {
        self.life.pass("read of the state", self.store.read()).await
    }

    async fn write(
        &self,
        text: &str,
        if_version: &Version,
        note: &WriteNote,
    ) -> Result<Version, StoreError> {
        let write = self.store.write(text, if_version, note);
        let written = self.life.pass("write of the state", write).await;
        let life = &self.life;
        match &written {
            Ok(_) => life.story.log(&format!("{} writes the state", life.name)),
            Err(error) => life.story.log(&format!("{} {error}", life.name)),
        }
        written
    }

    async fn lock(
        &self,
        holder: &Holder,
        patience: Duration,
        waiting: &mut LockWait<'_>,
    ) -> Result<Box<dyn StateLock>, StoreError> {
        let lock = self.store.lock(holder, patience, waiting);
        self.life.pass("lock of the state", lock).await
    }

    async fn holder(&self) -> Result<LockStatus, StoreError> {
        self.store.holder().await
    }
}

/// The journal as this process reaches it.
pub(crate) struct CrashingJournal {
    pub(crate) life: SimulatedProcess,
    pub(crate) journal: MemoryJournal,
}

impl Journal for CrashingJournal {
    fn begin_run(&self, run: &RunRow) -> Result<(), JournalError> {
        let begin = || self.journal.begin_run(run);
        self.life.pass_at_once("begin in the journal", begin)
    }

    fn begin_call(&self, run: &RunId, row: &PendingCallRow) -> Result<(), JournalError> {
        let start = || self.journal.begin_call(run, row);
        self.life.pass_at_once("start in the journal", start)
    }

    fn record_results(&self, run: &RunId, rows: &[ResultRow]) -> Result<(), JournalError> {
        let record = || self.journal.record_results(run, rows);
        self.life.pass_at_once("results in the journal", record)
    }

    fn mark_run(&self, run: &RunId, status: RunStatus) -> Result<(), JournalError> {
        let mark = || self.journal.mark_run(run, status);
        self.life.pass_at_once("mark in the journal", mark)
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
