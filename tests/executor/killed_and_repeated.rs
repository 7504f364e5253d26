//! An apply that is killed at any moment and repeated: no changing call is made a second time, and
//! nothing is read beyond what the remainder needs but what the killed run left open.
//!
//! What a killed run left open is told by the one list that every apply begins with, so it costs no read
//! of its own: neither with the journal nor without it. Two things do: a Machine that the state still has
//! and the list lacks is read by its id, once, and a Machine that is not up yet is read and passes its gate.

use std::collections::BTreeMap;
use std::time::Duration;

use aeroform::core::fleet::{Desired, DesiredGroup, Strategy};
use aeroform::core::plan::{Options, Requested, RunOutcome};
use aeroform::emulator::world::{Fault, FaultEffect};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use crate::fixture::{checked, image, web, worker};
use crate::memory_journal::MemoryJournal;
use crate::memory_store::MemoryStore;
use crate::process::{DurableState, Process, ProcessEnd};
use crate::sim::SimProvider;
use crate::support::{self, GroupBuilder, desired};

/// Longer than anything that was begun goes on.
const SETTLED: Duration = Duration::from_secs(60);
/// Longer than a call is under way, and shorter than anything starts or stops.
const AT_ONCE: Duration = Duration::from_millis(100);
/// A multiple of the time between two results of a check.
const ROUND: Duration = Duration::from_secs(100);
const READS: [&str; 5] = ["app", "list", "volumes", "get", "wait"];

/// Calls by action and Machine: by its name where it was there before, else by its group.
type Calls = BTreeMap<(&'static str, String), usize>;

#[derive(Debug, Clone, PartialEq, Eq)]
struct CallCounts {
    changing: Calls,
    reads: Calls,
}

struct RepeatedRuns {
    durable: DurableState,
    started_at: Instant,
    after: Desired,
    names: BTreeMap<String, String>,
}

impl RepeatedRuns {
    async fn new(before: Desired, after: Desired) -> Self {
        let durable = DurableState {
            sim: SimProvider::new("seed"),
            store: MemoryStore::default(),
            journal: MemoryJournal::default(),
        };
        durable.sim.world().add_app("shop");
        if !before.groups.is_empty() {
            let process = Process::new(&durable, ProcessEnd::Normal);
            let (preview, ended) = process.apply(&before, "before").await.unwrap();
            assert_eq!(ended.run_end(&preview, "apply"), RunOutcome::Complete);
        }
        let machines = durable.sim.world().operator("shop").machines();
        let names = machines.iter().map(|machine| {
            let text = |key: &str| machine[key].as_str().unwrap().to_owned();
            (text("id"), text("name"))
        });
        durable.sim.world().clear_log();
        Self {
            names: names.collect(),
            durable,
            started_at: Instant::now(),
            after,
        }
    }

    /// The calls since the last query.
    fn calls(&self, durable: &DurableState) -> CallCounts {
        let mut world = durable.sim.world();
        let (mut changing, mut reads) = (Calls::new(), Calls::new());
        for call in world.log() {
            let machine = call.machine.as_ref();
            let old = machine.and_then(|id| self.names.get(id));
            let new = || call.group.as_ref().map(|group| format!("new {group}"));
            let about = old.cloned().or_else(new).unwrap_or_default();
            let calls = if READS.contains(&call.action) {
                &mut reads
            } else {
                &mut changing
            };
            *calls.entry((call.action, about)).or_default() += 1;
        }
        world.clear_log();
        CallCounts { changing, reads }
    }

    async fn run(&self, durable: &DurableState, end: ProcessEnd, run: &str) -> CallCounts {
        let ended = Process::new(durable, end).apply(&self.after, run).await;
        if end == ProcessEnd::Normal {
            let (preview, ended) = ended.unwrap();
            assert_eq!(ended.run_end(&preview, "apply"), RunOutcome::Complete);
        }
        self.calls(durable)
    }

    /// The place as every case finds it: between two results of a check.
    async fn again(&self) -> DurableState {
        let rounds = self.started_at.elapsed().as_secs() / ROUND.as_secs() + 1;
        sleep_until(self.started_at + ROUND * u32::try_from(rounds).unwrap()).await;
        self.durable.fork()
    }

    /// One apply that ends so, and another one.
    async fn twice(
        &self,
        end: ProcessEnd,
        journal: JournalKept,
        pause: Duration,
    ) -> (CallCounts, CallCounts) {
        let durable = self.again().await;
        let first = self.run(&durable, end, "first").await;
        if journal == JournalKept::No {
            durable.journal.delete();
        }
        sleep(pause).await;
        (
            first,
            self.run(&durable, ProcessEnd::Normal, "second").await,
        )
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JournalKept {
    Yes,
    No,
}

fn merge_counts(first: &Calls, second: &Calls) -> Calls {
    let mut all = first.clone();
    for (call, n) in second {
        *all.entry(call.clone()).or_default() += n;
    }
    all
}

/// The same without the lists that are asked for where the journal says that a volume was under way which
/// is not to be seen: the next run waits as long as a list may lag.
fn without_lists(mut counts: CallCounts) -> CallCounts {
    if counts
        .changing
        .contains_key(&("create-volume", String::new()))
    {
        counts
            .reads
            .retain(|(action, _), _| !["list", "volumes"].contains(action));
    }
    counts
}

/// How often each thing was read beyond this.
fn beyond(reads: &Calls, expected: &Calls) -> Calls {
    let more = |(what, n): (&(&'static str, String), &usize)| {
        let more = n.saturating_sub(expected.get(what).copied().unwrap_or(0));
        (more > 0).then(|| (what.clone(), more))
    };
    reads.iter().filter_map(more).collect()
}

async fn killed_anywhere(before: Desired, after: Desired) {
    all_moments(RepeatedRuns::new(before, after).await).await;
}

async fn all_moments(stage: RepeatedRuns) {
    let durable = stage.again().await;
    let process = Process::new(&durable, ProcessEnd::Normal);
    process.apply(&stage.after, "whole").await.unwrap();
    let whole = stage.calls(&durable);
    assert!(whole.changing.len() > 1, "{:?}", whole.changing);
    let mut lookups = 0;
    for n in 1..=process.passed() {
        lookups += settled(&stage, &whole, n).await;
        at_once(&stage, &whole, n).await;
    }
    println!("{} moments, {lookups} look-ups", process.passed());
}

/// The same without the waits for Machines of the first run, whose changes were never confirmed.
fn but_for_gates(mut lookups: Calls, first: &CallCounts) -> Calls {
    lookups.retain(|(action, about), n| {
        let of_it = first.changing.iter().filter(|((_, of), _)| of == about);
        let changes = of_it.filter(|((call, _), _)| matches!(*call, "create" | "update"));
        let touched: usize = changes.map(|(_, n)| n).sum();
        !(["get", "wait"].contains(action) && *n <= 3 * touched)
    });
    lookups
}

/// Once all is settled, only what the state has and nobody else is looked up, once each.
async fn settled(stage: &RepeatedRuns, whole: &CallCounts, n: u32) -> usize {
    let case = format!("killed before {n}");
    let (first, second) = stage
        .twice(ProcessEnd::Before(n), JournalKept::Yes, SETTLED)
        .await;
    assert_eq!(
        merge_counts(&first.changing, &second.changing),
        whole.changing,
        "{case}"
    );
    // The remainder of a run that could write down how far it came.
    let (_, fresh) = stage
        .twice(ProcessEnd::RefusedFrom(n), JournalKept::Yes, SETTLED)
        .await;
    assert_eq!(second.changing, fresh.changing, "{case}");
    let more = but_for_gates(beyond(&fresh.reads, &second.reads), &first);
    assert_eq!(more, Calls::new(), "{case}");
    let lookups = but_for_gates(beyond(&without_lists(second).reads, &fresh.reads), &first);
    for ((action, about), n) in &lookups {
        let destroyed = first.changing.contains_key(&("destroy", about.clone()));
        assert!(
            *action == "get" && *n == 1 && destroyed,
            "{case}: {about} had {n} times `{action}` more than needed"
        );
    }
    lookups.len()
}

/// As long as it is not, those wait for their gate that the killed run has touched, as it would have.
async fn at_once(stage: &RepeatedRuns, whole: &CallCounts, n: u32) {
    let case = format!("killed after {n}");
    let (first, second) = stage
        .twice(ProcessEnd::After(n), JournalKept::No, AT_ONCE)
        .await;
    assert_eq!(
        merge_counts(&first.changing, &second.changing),
        whole.changing,
        "{case}"
    );
    let (_, with_journal) = stage
        .twice(ProcessEnd::After(n), JournalKept::Yes, AT_ONCE)
        .await;
    assert_eq!(
        without_lists(second.clone()),
        without_lists(with_journal),
        "{case}, journal lost and kept"
    );
    let lookups = beyond(&second.reads, &whole.reads);
    for ((action, about), n) in &lookups {
        // Each one is read, and waited for until it does not change by itself any more.
        let calls = first.changing.iter().filter(|((_, of), _)| of == about);
        let touched: usize = calls.map(|(_, n)| n).sum();
        assert!(
            ["get", "wait"].contains(action) && *n <= touched,
            "{case}: {about} had {n} times `{action}` more than a whole run makes"
        );
    }
}

fn at_once_all(group: DesiredGroup) -> DesiredGroup {
    group.with(|group| group.strategy = Strategy::Immediate)
}

fn with_standby(group: DesiredGroup) -> DesiredGroup {
    group.with(|group| group.standby = Some(1))
}

#[tokio::test(start_paused = true)]
async fn volumes_and_their_machines_that_were_killed_are_not_made_twice() {
    let db = image(support::group("db").count(2).mount(), "shop:1");
    killed_anywhere(desired([]), desired([("db", db)])).await;
}

#[tokio::test(start_paused = true)]
async fn creates_that_were_killed_are_not_made_twice() {
    let after = desired([("web", checked(web(3))), ("worker", worker(2))]);
    killed_anywhere(desired([]), after).await;
}

#[tokio::test(start_paused = true)]
async fn rolling_updates_that_were_killed_are_not_made_twice() {
    let after = desired([("web", checked(image(web(4), "shop:2")))]);
    killed_anywhere(desired([("web", checked(web(4)))]), after).await;
}

/// Holds rule 12.
#[tokio::test(start_paused = true)]
async fn a_killed_run_without_a_journal_is_repeated_with_a_longer_wait_and_another_strategy() {
    let before = desired([("web", checked(web(4)))]);
    let changed = || checked(image(web(4), "shop:2"));
    let stage = RepeatedRuns::new(before, desired([("web", changed())])).await;
    let patient = |group: DesiredGroup| {
        group.max_unavailable(1).with(|group| {
            group.wait_timeout_s *= 3;
            group.steady_ms = Some(1000);
        })
    };
    let longer = desired([("web", patient(changed()))]);
    let whole = Process::new(&stage.again().await, ProcessEnd::Normal);
    whole.apply(&stage.after, "whole").await.unwrap();
    for n in 1..=whole.passed() {
        let durable = stage.again().await;
        stage.run(&durable, ProcessEnd::After(n), "first").await;
        durable.journal.delete();
        sleep(SETTLED).await;
        // It is not refused as a run of somebody else (`state_behind`).
        let repeated = Process::new(&durable, ProcessEnd::Normal);
        let (preview, ended) = repeated.apply(&longer, "second").await.unwrap();
        let end = ended.run_end(&preview, "apply");
        assert_eq!(end, RunOutcome::Complete, "killed after {n}");
    }
}

#[tokio::test(start_paused = true)]
async fn immediate_updates_that_were_killed_are_not_made_twice() {
    let after = desired([("worker", at_once_all(image(worker(4), "shop:2")))]);
    killed_anywhere(desired([("worker", at_once_all(worker(4)))]), after).await;
}

#[tokio::test(start_paused = true)]
async fn destroys_that_were_killed_are_not_made_twice() {
    let before = desired([("web", web(4)), ("old", checked(web(2)))]);
    killed_anywhere(before, desired([("web", web(2))])).await;
}

#[tokio::test(start_paused = true)]
async fn a_rebalance_that_was_killed_is_not_made_twice() {
    let before = desired([("web", web(4).list("ams"))]);
    killed_anywhere(before, desired([("web", web(4).list("ams fra"))])).await;
}

#[tokio::test(start_paused = true)]
async fn a_replacement_that_was_killed_is_not_made_twice() {
    let after = desired([("web", checked(image(web(3), "shop:2")))]);
    let stage = RepeatedRuns::new(desired([("web", checked(web(3)))]), after).await;
    let old = stage.names.keys().next().unwrap();
    stage
        .durable
        .sim
        .world()
        .operator("shop")
        .set_host_unreachable(old, true);
    all_moments(stage).await;
}

#[tokio::test(start_paused = true)]
async fn moves_that_were_killed_are_not_made_twice() {
    let before = desired([("web", web(2)), ("worker", worker(2))]);
    let mut after = desired([("web", web(2)), ("queue", worker(2))]);
    after.moved = vec![support::moved("worker", "queue")];
    killed_anywhere(before, after).await;
}

#[tokio::test(start_paused = true)]
async fn a_mixture_that_was_killed_is_not_made_twice() {
    let before = desired([
        ("web", checked(web(3))),
        ("worker", worker(2)),
        ("jobs", with_standby(worker(1))),
        ("old", web(1)),
    ]);
    let mut after = desired([
        ("web", checked(image(web(4), "shop:2"))),
        ("queue", worker(1)),
        ("jobs", with_standby(image(worker(1), "shop:2"))),
        ("cron", worker(1)),
    ]);
    after.moved = vec![support::moved("worker", "queue")];
    killed_anywhere(before, after).await;
}

/// What a Machine is, but for the bookkeeping.
fn fleet(durable: &DurableState) -> BTreeMap<String, Value> {
    let machines = durable.sim.world().operator("shop").machines();
    let shown = machines.iter().map(|machine| {
        let mut config = machine["config"].clone();
        config.as_object_mut().unwrap().remove("metadata");
        let group = &machine["config"]["metadata"]["fly_process_group"];
        let what = json!([group, machine["region"], machine["state"], config]);
        (machine["id"].as_str().unwrap().to_owned(), what)
    });
    shown.collect()
}

/// The Machines of these groups.
fn of_groups(mut fleet: BTreeMap<String, Value>, groups: &[&str]) -> BTreeMap<String, Value> {
    fleet.retain(|_, what| groups.contains(&what[0].as_str().unwrap()));
    fleet
}

/// Without the ids, which a later run gives in another order.
fn in_any_order(fleet: &BTreeMap<String, Value>) -> Vec<String> {
    let mut all: Vec<String> = fleet.values().map(Value::to_string).collect();
    all.sort();
    all
}

/// A filtered apply that is killed anywhere changes nothing outside its filter, and neither does the next one; then
/// a whole one reaches what is wanted and nothing more is to do.
async fn killed_with_a_filter(before: Desired, after: Desired, groups: &[&str], left: &[&str]) {
    let stage = RepeatedRuns::new(before, after).await;
    let requested = Requested {
        groups: groups
            .iter()
            .map(|name| support::group_name(name))
            .collect(),
        ..Requested::default()
    };
    let filtered = Options {
        requested,
        ..Options::default()
    };
    let reference = stage.again().await;
    let process = Process::new(&reference, ProcessEnd::Normal);
    process.apply(&stage.after, "whole").await.unwrap();
    sleep(SETTLED).await;
    let wanted = in_any_order(&fleet(&reference));
    let outside = of_groups(fleet(&stage.again().await), left);
    assert!(!outside.is_empty());
    let whole = Process::new(&stage.again().await, ProcessEnd::Normal);
    whole
        .apply_with(&stage.after, "part", &filtered)
        .await
        .unwrap();
    for n in 1..=whole.passed() {
        let part = n % 2 == 0;
        for (end, journal, part_again) in [
            (ProcessEnd::Before(n), JournalKept::Yes, part),
            (ProcessEnd::After(n), JournalKept::No, part),
            (ProcessEnd::After(n), JournalKept::Yes, !part),
        ] {
            let case = format!("{end:?}, journal {journal:?}, part again {part_again}");
            let durable = stage.again().await;
            Process::new(&durable, end)
                .apply_with(&stage.after, "first", &filtered)
                .await;
            if journal == JournalKept::No {
                durable.journal.delete();
            }
            sleep(SETTLED).await;
            assert_eq!(of_groups(fleet(&durable), left), outside, "{case}");
            if part_again {
                // A group that is removed is none that a filter can name.
                let mut again = filtered.clone();
                again.requested.groups.retain(|group| {
                    let there = of_groups(fleet(&durable), &[group.as_str()]);
                    stage.after.groups.contains_key(group) || !there.is_empty()
                });
                let process = Process::new(&durable, ProcessEnd::Normal);
                let run = process.apply_with(&stage.after, "second", &again);
                let (preview, ended) = run.await.unwrap();
                let end = ended.run_end(&preview, "apply");
                assert_eq!(end, RunOutcome::Complete, "{case}");
                assert_eq!(of_groups(fleet(&durable), left), outside, "{case}");
            }
            let process = Process::new(&durable, ProcessEnd::Normal);
            let (preview, ended) = process.apply(&stage.after, "third").await.unwrap();
            let end = ended.run_end(&preview, "apply");
            assert_eq!(end, RunOutcome::Complete, "{case}");
            sleep(SETTLED).await;
            assert_eq!(in_any_order(&fleet(&durable)), wanted, "{case}");
            let process = Process::new(&durable, ProcessEnd::Normal);
            let (preview, _) = process.apply(&stage.after, "fourth").await.unwrap();
            assert!(preview.plan.is_empty(), "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn updates_and_creates_of_one_group_that_were_killed_leave_the_other_groups_alone() {
    let before = desired([
        ("web", checked(web(2))),
        ("jobs", with_standby(worker(1))),
        ("old", web(1)),
    ]);
    let after = desired([
        ("web", checked(image(web(3), "shop:2"))),
        ("jobs", with_standby(image(worker(1), "shop:2"))),
        ("cron", worker(1)),
    ]);
    killed_with_a_filter(before.clone(), after.clone(), &["web"], &["jobs", "old"]).await;
    killed_with_a_filter(before, after, &["jobs", "old", "cron"], &["web"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_move_of_a_filtered_apply_that_was_killed_leaves_the_other_groups_alone() {
    let before = desired([("web", web(2)), ("worker", worker(2))]);
    let mut after = desired([
        ("web", image(web(2), "shop:2")),
        ("queue", image(worker(2), "shop:2")),
    ]);
    after.moved = vec![support::moved("worker", "queue")];
    killed_with_a_filter(before.clone(), after.clone(), &["queue"], &["web"]).await;
    killed_with_a_filter(before, after, &["web"], &["worker", "queue"]).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_lost_costs_one_look_up() {
    let before = desired([("web", checked(web(3))), ("old", worker(2))]);
    let after = desired([("web", checked(image(web(4), "shop:2")))]);
    let stage = RepeatedRuns::new(before, after).await;
    let whole = stage
        .run(&stage.again().await, ProcessEnd::Normal, "whole")
        .await;
    for (action, lookup) in [
        // Found by its name in one list, and read like any other that is taken.
        ("create", vec!["get", "list", "volumes", "wait"]),
        // Read, and waited for until it does not change by itself any more.
        ("update", vec!["get", "wait"]),
        ("destroy", vec!["get"]),
        ("cordon", vec![]),
        ("stop", vec![]),
    ] {
        let durable = stage.again().await;
        let lost = Fault::on(action, FaultEffect::LoseAfter { status: 502 });
        let lost = durable.sim.world().inject(lost);
        let counts = stage.run(&durable, ProcessEnd::Normal, "disturbed").await;
        if whole.changing.keys().any(|(changed, _)| *changed == action) {
            assert_eq!(durable.sim.world().fired(lost), 1, "{action}");
        }
        let lookups = beyond(&counts.reads, &whole.reads);
        let actions: Vec<&str> = lookups.keys().map(|(action, _)| *action).collect();
        assert_eq!(actions, lookup, "{action}: {lookups:?}");
        assert!(lookups.values().all(|n| *n == 1), "{action}: {lookups:?}");
    }
}
