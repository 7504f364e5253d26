//! What something costs in processor time, which other programs do not stretch. Tests look at proportions
//! of it, never at a time.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        now.tv_sec.try_into().unwrap(),
        now.tv_nsec.try_into().unwrap(),
    )
}

/// The least of three, which is the one that was disturbed least.
pub(crate) fn cpu_time_of<T>(mut of: impl FnMut() -> T) -> Duration {
    let mut once = || {
        let before = processor_time();
        of();
        processor_time().saturating_sub(before)
    };
    (0..3).map(|_| once()).min().unwrap()
}
