//! The program as one process over the world: whatever leaves it is counted, and it ends at a chosen one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aeroform::apply::Cancel;
use aeroform::core::fleet::{
    AppName, Call, Description, Desired, GroupName, Lineage, Machine, MachineId, Receipt, RunId,
    WaitUntil,
};
use aeroform::core::plan::Options;
use aeroform::env::Env;
use aeroform::journal::{
    Journal, JournalError, OpenRun, PendingCallRow, ResultRow, RunRow, RunStatus,
};
use aeroform::provider::codes as answers;
use aeroform::provider::{ErrorClass, Listing, LogQuery, LogSink, Provider, ProviderError};
use aeroform::run::{Preview, RunContext, RunRequest, RunResult};
use aeroform::store::{
    Holder, LockStatus, LockWait, StateLock, StateStore, StoreError, StoredText, Version, WriteNote,
};
use async_trait::async_trait;
use tokio::sync::Notify;

use crate::memory_journal::MemoryJournal;
use crate::memory_store::MemoryStore;
use crate::sim::SimProvider;

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProcessEnd {
    /// Never before its time.
    Normal,
    /// It is killed before the n-th thing leaves it.
    Before(u32),
    /// It is killed when the n-th thing has had its effect, and hears nothing of it.
    After(u32),
    /// No call is carried out from the n-th thing on, so that it comes to its own end.
    RefusedFrom(u32),
}

/// What outlives a process.
#[derive(Clone)]
pub(crate) struct DurableState {
    pub(crate) sim: SimProvider,
    pub(crate) store: MemoryStore,
    pub(crate) journal: MemoryJournal,
}

impl DurableState {
    /// As it is now, and on its own from here on. Its journal is empty.
    pub(crate) fn fork(&self) -> Self {
        let text = self.store.text();
        Self {
            sim: self.sim.fork(),
            store: text.map_or_else(MemoryStore::default, MemoryStore::with_text),
            journal: MemoryJournal::default(),
        }
    }
}

/// One process. Whatever is said to it after its end stays unanswered.
#[derive(Clone)]
pub(crate) struct Process {
    durable: DurableState,
    end: ProcessEnd,
    shared: Arc<(Mutex<Progress>, Notify)>,
}

#[derive(Debug, Default)]
struct Progress {
    passed: u32,
    over: bool,
}

impl Process {
    pub(crate) fn new(durable: &DurableState, end: ProcessEnd) -> Self {
        Self {
            durable: durable.clone(),
            end,
            shared: Arc::default(),
        }
    }

    /// How many things have left it.
    pub(crate) fn passed(&self) -> u32 {
        self.shared.0.lock().unwrap().passed
    }

    /// `aeroform apply`, from the lock to the state; none when it was killed, or could see nothing.
    pub(crate) async fn apply(&self, desired: &Desired, run: &str) -> Option<(Preview, RunResult)> {
        self.apply_with(desired, run, &Options::default()).await
    }

    /// The same with these options.
    pub(crate) async fn apply_with(
        &self,
        desired: &Desired,
        run: &str,
        options: &Options,
    ) -> Option<(Preview, RunResult)> {
        let env = Env::from_vars(
            [("AEROFORM_TEST_TIME", "2026-01-01T00:00:00Z")]
                .map(owned)
                .into(),
        );
        let run_context = RunContext {
            desired,
            provider: self,
            store: self,
            journal: self,
            env: &env,
            commits: &aeroform::run::NoCommits,
        };
        let work = async {
            let holder = Holder {
                who: "ana".to_owned(),
                host: "host".to_owned(),
                pid: 1,
                command: "apply".to_owned(),
                since: env.now(),
                run: None,
                url: None,
            };
            let mut waiting = |_: Option<&Holder>| {};
            let store = &self.durable.store;
            let held = store.lock(&holder, Duration::ZERO, &mut waiting);
            let held = held.await.unwrap();
            let preview = run_context.preview(options).await.ok()?;
            assert_eq!(preview.plan.refusals, []);
            run_context.check_and_close_runs(&preview).unwrap();
            let request = RunRequest {
                run: &RunId::new(run).unwrap(),
                command: "apply",
                parallelism: 4,
                copy_dir: std::path::Path::new("/nowhere"),
            };
            let mut events = |_: &_| {};
            let ended =
                run_context.execute(&preview, &*held, &request, Cancel::never(), &mut events);
            let ended = ended.await.unwrap();
            self.pass_to_its_end(held.release()).await.unwrap();
            Some((preview, ended))
        };
        tokio::select! {
            biased;
            () = self.killed() => None,
            ended = work => ended,
        }
    }

    async fn killed(&self) {
        self.over().await;
        if matches!(self.end, ProcessEnd::RefusedFrom(_)) {
            std::future::pending::<()>().await;
        }
    }

    async fn over(&self) {
        while !self.is_over() {
            self.shared.1.notified().await;
        }
    }

    fn is_over(&self) -> bool {
        self.shared.0.lock().unwrap().over
    }

    /// Counts one more thing; whether it takes effect, and whether its answer arrives.
    fn moment(&self) -> (bool, bool) {
        let mut moments = self.shared.0.lock().unwrap();
        if moments.over {
            return (false, false);
        }
        moments.passed += 1;
        let n = moments.passed;
        let (works, heard) = match self.end {
            ProcessEnd::Before(at) | ProcessEnd::RefusedFrom(at) if n == at => (false, false),
            ProcessEnd::After(at) if n == at => (true, false),
            ProcessEnd::Normal
            | ProcessEnd::Before(_)
            | ProcessEnd::After(_)
            | ProcessEnd::RefusedFrom(_) => (true, true),
        };
        moments.over = !heard;
        if moments.over {
            self.shared.1.notify_waiters();
            self.shared.1.notify_one();
        }
        (works, heard)
    }

    async fn pass<T>(&self, work: impl Future<Output = T>) -> T {
        let (works, heard) = self.moment();
        if !works {
            std::future::pending::<()>().await;
        }
        let done = work.await;
        if !heard {
            std::future::pending::<()>().await;
        }
        done
    }

    /// The same for what belongs to the end that a refused process comes to.
    async fn pass_to_its_end<T>(&self, work: impl Future<Output = T>) -> T {
        if matches!(self.end, ProcessEnd::RefusedFrom(_)) {
            return work.await;
        }
        self.pass(work).await
    }

    fn pass_at_once<T>(
        &self,
        work: impl FnOnce() -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        if matches!(self.end, ProcessEnd::RefusedFrom(_)) {
            self.moment();
            return work();
        }
        let (works, heard) = self.moment();
        let done = if works { Some(work()) } else { None };
        done.filter(|_| heard).unwrap_or_else(|| {
            Err(JournalError {
                place: "of a process that is over".to_owned(),
                message: "nothing is written any more".to_owned(),
                hint: None,
            })
        })
    }

    /// A request; refused instead of left open where the process is to come to its own end.
    async fn ask<T>(
        &self,
        work: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        if !matches!(self.end, ProcessEnd::RefusedFrom(_)) {
            return self.pass(work).await;
        }
        let no = || ProviderError::new(ErrorClass::Fatal, answers::UNREADABLE_ANSWER, "no more");
        if !self.moment().0 {
            return Err(no());
        }
        work.await
    }
}

fn owned((key, value): (&str, &str)) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[async_trait]
impl Provider for Process {
    fn name(&self) -> &'static str {
        "sim"
    }

    async fn describe(&self, app: &AppName) -> Result<Description, ProviderError> {
        self.ask(self.durable.sim.describe(app)).await
    }

    async fn list(&self, app: &AppName) -> Result<Listing, ProviderError> {
        self.ask(self.durable.sim.list(app)).await
    }

    async fn list_with_destroyed(
        &self,
        app: &AppName,
        group: &GroupName,
    ) -> Result<Vec<Machine>, ProviderError> {
        self.ask(self.durable.sim.list_with_destroyed(app, group))
            .await
    }

    async fn get(&self, app: &AppName, id: &MachineId) -> Result<Machine, ProviderError> {
        self.ask(self.durable.sim.get(app, id)).await
    }

    async fn call(&self, app: &AppName, call: &Call) -> Result<Receipt, ProviderError> {
        self.ask(self.durable.sim.call(app, call)).await
    }

    async fn wait(
        &self,
        app: &AppName,
        id: &MachineId,
        until: WaitUntil,
        at_most: Duration,
    ) -> Result<Machine, ProviderError> {
        let wait = self.ask(self.durable.sim.wait(app, id, until, at_most));
        let no = || ProviderError::new(ErrorClass::Fatal, answers::UNREADABLE_ANSWER, "no more");
        tokio::select! {
            biased;
            () = self.over() => Err(no()),
            waited = wait => waited,
        }
    }

    async fn logs(
        &self,
        _app: &AppName,
        _query: &LogQuery,
        _sink: &mut LogSink<'_>,
    ) -> Result<(), ProviderError> {
        Ok(())
    }
}

#[async_trait]
impl StateStore for Process {
    fn location(&self) -> String {
        self.durable.store.location()
    }

    async fn read(&self) -> Result<StoredText, StoreError> {
        self.durable.store.read().await
    }

    async fn write(
        &self,
        text: &str,
        if_version: &Version,
        note: &WriteNote,
    ) -> Result<Version, StoreError> {
        let write = self.durable.store.write(text, if_version, note);
        self.pass_to_its_end(write).await
    }

    async fn lock(
        &self,
        holder: &Holder,
        patience: Duration,
        waiting: &mut LockWait<'_>,
    ) -> Result<Box<dyn StateLock>, StoreError> {
        self.durable.store.lock(holder, patience, waiting).await
    }

    async fn holder(&self) -> Result<LockStatus, StoreError> {
        self.durable.store.holder().await
    }
}

impl Journal for Process {
    fn begin_run(&self, run: &RunRow) -> Result<(), JournalError> {
        self.pass_at_once(|| self.durable.journal.begin_run(run))
    }

    fn begin_call(&self, run: &RunId, row: &PendingCallRow) -> Result<(), JournalError> {
        self.pass_at_once(|| self.durable.journal.begin_call(run, row))
    }

    fn record_results(&self, run: &RunId, rows: &[ResultRow]) -> Result<(), JournalError> {
        self.pass_at_once(|| self.durable.journal.record_results(run, rows))
    }

    fn mark_run(&self, run: &RunId, status: RunStatus) -> Result<(), JournalError> {
        self.pass_at_once(|| self.durable.journal.mark_run(run, status))
    }

    fn open_runs(&self, lineage: &Lineage) -> Result<Vec<OpenRun>, JournalError> {
        self.durable.journal.open_runs(lineage)
    }

    fn releases(
        &self,
        lineage: &Lineage,
    ) -> Result<std::collections::BTreeMap<String, RunId>, JournalError> {
        self.durable.journal.releases(lineage)
    }
}
