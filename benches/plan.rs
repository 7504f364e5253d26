//! How long planning takes when nothing is to be done: the plan that pull requests and pipelines make
//! most often. Prints the median per fleet, the time per Machine, and how that grows with the fleet: a
//! growth of 1.0 is exact proportion.

mod measure;
#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::time::Duration;

use aeroform::core::fleet::{Desired, Observed};
use aeroform::core::plan::{Options, SavedPlan, plan};
use aeroform::core::view::markdown::{
    self, DEFAULT_BUDGET, MIN_BUDGET, MarkdownStyle, PlanComment,
};
use measure::{growth, median, millis, per};
use serde_json::json;
use support::{GroupBuilder, PlanFixture, desired, group};

const SIZES: [u32; 3] = [1_000, 10_000, 100_000];

fn main() {
    println!("Planning a fleet: processor time (median), the same per Machine, growth of that.\n");
    println!(
        "{:>10} {:>34} {:>34} {:>34} {:>34}",
        "Machines", "no change, offline", "no change, online", "all created", "saved plan read"
    );
    let mut before = [None; 4];
    for size in SIZES {
        let desired = fleet(size);
        let stage = PlanFixture::with(&desired);
        assert_eq!(stage.known.machines.len(), size as usize);
        let mut row = format!("{size:>10}");
        let mut cell = |column: usize, time: Duration| {
            let per_machine = per(time, size as usize);
            let growth = growth(&mut before[column], per_machine);
            let cell = format!("{:.2} ms {per_machine:>7.0} ns {growth:>7}", millis(time));
            write!(row, " {cell:>34}").expect("a string takes any text");
        };
        cell(0, unchanged(&desired, &stage, None));
        cell(1, unchanged(&desired, &stage, Some(&stage.observed)));
        let empty = PlanFixture::empty();
        let create = || {
            plan(
                &desired,
                &empty.known,
                Some(&empty.observed),
                &Options::default(),
            )
        };
        cell(2, median(create));
        let saved = SavedPlan::of(&create()).to_json();
        cell(3, median(|| SavedPlan::parse(&saved).is_ok()));
        println!("{row}");
    }
    println!(
        "\nA comment of a pull request about that plan: processor time (median) after the plan.\n"
    );
    println!("{:>10} {:>9} {:>22}", "Machines", "budget", "all updated");
    for size in [1_000, 10_000] {
        let desired = fleet(size);
        let stage = PlanFixture::with(&desired);
        let options = Options::default();
        let changed = plan(
            &updated(size),
            &stage.known,
            Some(&stage.observed),
            &options,
        );
        assert_eq!(changed.summary().update, size as usize);
        for budget in [MIN_BUDGET, DEFAULT_BUDGET] {
            let style = MarkdownStyle {
                budget,
                program: "aeroform",
                verbose: false,
            };
            let time = median(|| {
                let digest = changed.plan_digest();
                let comment = PlanComment {
                    plan: &changed,
                    comparison: None,
                    digest: &digest,
                    failed: None,
                };
                markdown::plan(&comment, &style).expect("every plan fits")
            });
            println!("{size:>10} {budget:>9} {:>19.2} ms", millis(time));
        }
    }
}

/// The same fleet with another variable in every group.
fn updated(size: u32) -> Desired {
    let quarter = |name| {
        let changed = group(name).list("ams gru nrt").count(size / 4);
        changed.config(json!({"env": {"LOG_LEVEL": "debug"}}))
    };
    desired(["api", "cron", "web", "worker"].map(|name| (name, quarter(name))))
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

fn unchanged(desired: &Desired, stage: &PlanFixture, observed: Option<&Observed>) -> Duration {
    median(|| {
        let made = plan(desired, &stage.known, observed, &Options::default());
        assert!(made.is_empty(), "nothing is to be done");
        made
    })
}
