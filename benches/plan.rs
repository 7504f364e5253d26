//! How long planning takes when nothing is to be done: the plan that pull requests and pipelines make
//! most often. Prints the median per fleet, the time per Machine, and how that grows with the fleet: a
//! growth of 1.0 is exact proportion.

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use aeroform::core::fleet::{Desired, Observed};
use aeroform::core::plan::{Options, plan};
use support::{GroupWords, Stage, desired, group};

const SIZES: [u32; 3] = [1_000, 10_000, 100_000];
/// Enough runs for a steady median, and no more than this long for one number.
const RUNS: usize = 21;
const PATIENCE: Duration = Duration::from_secs(10);

fn main() {
    println!("Planning a fleet that needs no change: median, time per Machine, growth of that.\n");
    println!("{:>10} {:>32} {:>32}", "Machines", "offline", "online");
    let mut before: Option<[f64; 2]> = None;
    for size in SIZES {
        let desired = fleet(size);
        let stage = Stage::with(&desired);
        assert_eq!(stage.known.machines.len(), size as usize);
        let each = [None, Some(&stage.observed)].map(|observed| {
            let median = median(&desired, &stage, observed);
            (median, median.as_secs_f64() * 1e9 / f64::from(size))
        });
        let cells: Vec<String> = each
            .iter()
            .enumerate()
            .map(|(column, (median, per_machine))| {
                let growth = before.map_or("-".to_owned(), |before| {
                    format!("x {:.2}", per_machine / before[column])
                });
                let millis = median.as_secs_f64() * 1e3;
                format!("{millis:.2} ms {per_machine:>7.0} ns {growth:>7}")
            })
            .collect();
        println!("{size:>10} {:>32} {:>32}", cells[0], cells[1]);
        before = Some(each.map(|(_, per_machine)| per_machine));
    }
}

/// Four groups of which one serves, over three regions.
fn fleet(size: u32) -> Desired {
    let quarter = |name| group(name).list("ams gru nrt").count(size / 4);
    desired([
        ("api", quarter("api")),
        ("cron", quarter("cron")),
        ("web", quarter("web").serves()),
        ("worker", quarter("worker")),
    ])
}

fn median(desired: &Desired, stage: &Stage, observed: Option<&Observed>) -> Duration {
    let began = Instant::now();
    let mut times = Vec::new();
    while times.len() < RUNS && (times.len() < 3 || began.elapsed() < PATIENCE) {
        let start = Instant::now();
        let made = plan(desired, &stage.known, observed, &Options::default());
        times.push(start.elapsed());
        assert!(made.is_empty(), "nothing is to be done");
    }
    times.sort();
    times[times.len() / 2]
}
