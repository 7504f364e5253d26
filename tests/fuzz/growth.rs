//! What a reader costs grows with its input and not with its square. How fast it is, `just bench` says;
//! here only proportions are looked at.

use std::time::Duration;

use super::large::{ALL, LargeInput};
use crate::effort::cpu_time_of;

/// Small enough for unoptimised readers, and large enough that a square stands out.
const SMALL: usize = 24 * 1024;
const TIMES: u32 = 8;

/// Eight times the input: eight times the time is proportion, sixty-four a square. In between lie tables
/// that outgrow a cache.
const MOST: f64 = 30.0;

fn cost(of: &LargeInput, size: usize) -> Duration {
    let text = (of.make)(size);
    cpu_time_of(|| (of.read)(&text))
}

#[test]
fn the_cost_of_reading_grows_with_the_input_and_not_with_its_square() {
    let mut found = Vec::new();
    for of in ALL {
        let small = cost(of, SMALL).max(Duration::from_micros(200));
        let large = cost(of, SMALL * TIMES as usize);
        let growth = large.as_secs_f64() / small.as_secs_f64();
        println!(
            "{:>9} {:<28} {small:>10.1?} -> {large:>10.1?}  x {growth:.1}",
            of.reader, of.what
        );
        if growth > MOST {
            found.push(format!("{} of {}: x {growth:.1}", of.reader, of.what));
        }
    }
    assert!(found.is_empty(), "{TIMES} times the input costs {found:#?}");
}
