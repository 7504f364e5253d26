//! What all benches share: how long something takes, and how that grows.

#![allow(dead_code, reason = "each bench uses its part")]

use std::time::{Duration, Instant};

/// Enough runs for a steady median, and no more than this long for one number.
const RUNS: usize = 21;
const PATIENCE: Duration = Duration::from_secs(10);

/// The median time of some work; what it gives back is dropped outside of the measured time.
pub(crate) fn median<T>(mut work: impl FnMut() -> T) -> Duration {
    let began = Instant::now();
    let mut times = Vec::new();
    while times.len() < RUNS && (times.len() < 3 || began.elapsed() < PATIENCE) {
        let start = Instant::now();
        let made = std::hint::black_box(work());
        times.push(start.elapsed());
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
