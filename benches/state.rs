//! What reading and writing the state costs, per Machine and as the fleet grows.

mod measure;
#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt::Write as _;

use aeroform::core::state;
use measure::{growth, median, millis, per};
use support::{GroupBuilder, PlanFixture, desired, group};

const SIZES: [u32; 3] = [1_000, 10_000, 100_000];

fn main() {
    println!("The state file: processor time (median), the same per Machine, growth of that.\n");
    println!(
        "{:>10} {:>10} {:>32} {:>32}",
        "Machines", "bytes", "write", "read"
    );
    let mut before = [None; 2];
    for size in SIZES {
        let group = |name| group(name).list("ams gru nrt").count(size / 2);
        let stage = PlanFixture::with(&desired([
            ("web", group("web")),
            ("worker", group("worker")),
        ]));
        let text = state::write(&stage.known);
        let app = stage.known.app.clone();
        let times = [
            median(|| state::write(&stage.known)),
            median(|| state::read(&text, &app).expect("what was written can be read")),
        ];
        let mut row = format!("{size:>10} {:>10}", text.len());
        for (time, before) in times.into_iter().zip(&mut before) {
            let each = per(time, size as usize);
            let cell = format!(
                "{:.2} ms {each:>7.0} ns {:>7}",
                millis(time),
                growth(before, each)
            );
            write!(row, " {cell:>32}").expect("a string takes any text");
        }
        println!("{row}");
    }
}
