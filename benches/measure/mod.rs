//! What all benches share: how much processor time something takes, which other programs on the machine
//! do not stretch as they stretch the wall's, and how that grows.

#![allow(dead_code, reason = "each bench uses its part")]

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Enough runs for a steady median, and no more than this long for one number.
const RUNS: usize = 21;
const PATIENCE: Duration = Duration::from_secs(10);

/// The processor time of this thread until now.
pub(crate) fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (now.tv_sec.try_into(), now.tv_nsec.try_into());
    Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
}

/// The median cost of some work; what it gives back is dropped outside of the measured time.
pub(crate) fn median<T>(mut work: impl FnMut() -> T) -> Duration {
    let began = Instant::now();
    let mut times = Vec::new();
    while times.len() < RUNS && (times.len() < 3 || began.elapsed() < PATIENCE) {
        let start = processor_time();
        let made = std::hint::black_box(work());
        times.push(processor_time().saturating_sub(start));
        drop(made);
    }
    times.sort();
    times[times.len() / 2]
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Nanoseconds per piece.
pub(crate) fn per(time: Duration, pieces: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^52")]
    let pieces = pieces as f64;
    time.as_secs_f64() * 1e9 / pieces
}

/// How a time per piece compares with the one before it, larger one: `x 1.00` is exact proportion.
pub(crate) fn growth(before: &mut Option<f64>, per_piece: f64) -> String {
    let shown = before.map_or("-".to_owned(), |before| {
        format!("x {:.2}", per_piece / before)
    });
    *before = Some(per_piece);
    shown
}
