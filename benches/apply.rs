//! What carrying out a large plan costs besides the provider: the executor over the emulated world,
//! which answers at once, with the journal and the state on disk. Prints the time of each part, and
//! how often the journal was written: each commit of it waits for the disk.
//!
//! `strace -f -c -e trace=fsync,fdatasync,rename target/release/deps/apply-…` counts what really
//! reaches the disk.

#[path = "../tests/support/carried.rs"]
mod carried;
mod measure;
#[path = "../tests/support/sim/mod.rs"]
mod sim;
#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aeroform::apply::{self, ApplyOptions, Cancel, RunInput};
use aeroform::core::fleet::{Desired, Known, Lineage, RunId};
use aeroform::core::plan::{Options, Outcome, SavedPlan, next_state, plan};
use aeroform::core::state;
use aeroform::emulator::world::Timings;
use aeroform::journal::{
    Journal, JournalError, OpenRun, PendingCallRow, ResultRow, RunRow, RunStatus, SqliteJournal,
};
use aeroform::observe::observe;
use aeroform::store::{Holder, LocalStore, StateStore, WriteNote};
use carried::{run_facts, run_row};
use measure::{growth, millis, per, processor_time};
use support::{GroupBuilder, desired, group};

use sim::SimProvider;

const SIZES: [u32; 3] = [1_000, 10_000, 20_000];

/// The journal on disk, and how often it was written.
struct Counted {
    journal: SqliteJournal,
    commits: AtomicU64,
}

impl Counted {
    fn count(&self) -> &SqliteJournal {
        self.commits.fetch_add(1, Ordering::Relaxed);
        &self.journal
    }
}

impl Journal for Counted {
    fn begin_run(&self, run: &RunRow) -> Result<(), JournalError> {
        self.count().begin_run(run)
    }
    fn begin_call(&self, run: &RunId, row: &PendingCallRow) -> Result<(), JournalError> {
        self.count().begin_call(run, row)
    }
    fn record_results(&self, run: &RunId, rows: &[ResultRow]) -> Result<(), JournalError> {
        self.count().record_results(run, rows)
    }
    fn mark_run(&self, run: &RunId, status: RunStatus) -> Result<(), JournalError> {
        self.count().mark_run(run, status)
    }
    fn open_runs(&self, lineage: &Lineage) -> Result<Vec<OpenRun>, JournalError> {
        self.journal.open_runs(lineage)
    }
    fn releases(&self, lineage: &Lineage) -> Result<BTreeMap<String, RunId>, JournalError> {
        self.journal.releases(lineage)
    }
}

fn main() {
    println!(
        "Creating a fleet, processor time of plan, calls, record and the whole; what the disk takes is in \
         the wall time; commits of the journal, and how many there may be.\n"
    );
    println!(
        "{:>10} {:>12} {:>12} {:>12} {:>32} {:>9} {:>9} {:>9}",
        "creates", "plan", "calls", "record", "whole", "wall", "commits", "at most"
    );
    let mut before = None;
    for size in SIZES {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        runtime
            .expect("a runtime begins")
            .block_on(create(size, &mut before));
    }
}

async fn create(size: u32, before: &mut Option<f64>) {
    let image = || serde_json::json!({"image": "registry.example/shop@sha256:0"});
    let quarter = |name| {
        group(name)
            .config(image())
            .list("ams gru nrt")
            .count(size / 4)
    };
    let groups = ["api", "cron", "web", "worker"].map(|name| (name, quarter(name)));
    let target = desired(groups);
    let folder = tempfile::tempdir().expect("a folder for the files");
    let path = folder.path().join("state/shop.json");
    let store = LocalStore::new(path, "state/shop.json".to_owned());
    let journal = Counted {
        journal: SqliteJournal::open(folder.path()).expect("a new journal"),
        commits: AtomicU64::new(0),
    };
    let sim = SimProvider::new("bench");
    sim.world().timings = Timings::instant();
    sim.world().add_app("shop");
    let known = Known::empty(target.app.clone(), "sim");
    let mut nobody = |_: Option<&Holder>| {};
    let lock = store
        .lock(&holder(), Duration::ZERO, &mut nobody)
        .await
        .expect("nobody has it");
    let version = store.read().await.expect("no state is there").version;

    let (wall, began) = (Instant::now(), processor_time());
    let observed = observe(&sim, &target.app, &known)
        .await
        .expect("the world answers");
    let made = plan(&target, &known, Some(&observed), &Options::default());
    let planned = processor_time().saturating_sub(began);
    let run = run_row(
        1,
        &observed.description.scope,
        0,
        SavedPlan::of(&made).to_json(),
    );
    let job = RunInput {
        plan: &made,
        desired: &target,
        known: &known,
        observed: &observed,
        provider: &sim,
        journal: &journal,
        lock: &*lock,
        run: &run,
        serial: 1,
        commit: None,
        options: ApplyOptions::default(),
    };
    let report = apply::run(job, Cancel::never(), &mut |_| {}).await;
    let called = processor_time().saturating_sub(began);
    assert!(
        report
            .results
            .iter()
            .all(|result| result.outcome == Outcome::Done)
    );
    assert_eq!(report.findings, [""; 0]);
    let next = next_state(&known, &made, &target, &report.results, &run_facts(&run));
    store
        .write(&state::write(&next), &version, &WriteNote::default())
        .await
        .expect("nobody else writes");
    journal
        .mark_run(&run.run, RunStatus::Closed)
        .expect("the journal is there");
    let whole = processor_time().saturating_sub(began);
    let wall = wall.elapsed();
    lock.release().await.expect("it was ours");
    assert_eq!(next.machines.len(), size as usize);

    let each = per(whole, size as usize);
    println!(
        "{size:>10} {:>9.0} ms {:>9.0} ms {:>9.0} ms {:>32} {:>6.0} ms {:>9} {:>9}",
        millis(planned),
        millis(called.saturating_sub(planned)),
        millis(whole.saturating_sub(called)),
        format!(
            "{:.0} ms {each:>7.0} ns {:>7}",
            millis(whole),
            growth(before, each)
        ),
        millis(wall),
        journal.commits.load(Ordering::Relaxed),
        5 + wall.as_millis() / 50,
    );
    settled(&target, &next, &sim).await;
}

/// Nothing is left to do.
async fn settled(target: &Desired, known: &Known, sim: &SimProvider) {
    let observed = observe(sim, &target.app, known)
        .await
        .expect("the world answers");
    let again = plan(target, known, Some(&observed), &Options::default());
    assert!(again.is_empty(), "nothing is left to do");
}

fn holder() -> Holder {
    Holder {
        who: "ana".to_owned(),
        host: "here".to_owned(),
        pid: std::process::id(),
        command: "apply".to_owned(),
        since: "2026-01-01T00:00:00Z".to_owned(),
        run: None,
        url: None,
    }
}
