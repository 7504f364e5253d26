//! What a reader costs grows with its input and not with its square. How fast it is, `just bench` says;
//! here only proportions are looked at, in processor time, which other programs do not stretch.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::large::{ALL, Large};

/// Small enough for unoptimised readers, and large enough that a square stands out.
const SMALL: usize = 24 * 1024;
const TIMES: u32 = 8;

/// Eight times the input: eight times the time is proportion, sixty-four a square. In between lie tables
/// that outgrow a cache.
const MOST: f64 = 30.0;

fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        now.tv_sec.try_into().unwrap(),
        now.tv_nsec.try_into().unwrap(),
    )
}

/// The least of three, which is the one that was disturbed least.
fn cost(of: &Large, size: usize) -> Duration {
    let text = (of.make)(size);
    let once = |_| {
        let before = processor_time();
        (of.read)(&text);
        processor_time().saturating_sub(before)
    };
    (0..3).map(once).min().unwrap()
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
