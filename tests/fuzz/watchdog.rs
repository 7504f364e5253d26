//! Ends the tests when one input takes too long, and keeps that input.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Unoptimised, on a machine that is busy otherwise, an input of a few KB takes milliseconds.
const INPUT_TIMEOUT: Duration = Duration::from_secs(20);

/// When the reading of an input began, and the input.
type CurrentInput = (Instant, Vec<u8>);

/// What is being read, if anything is.
#[derive(Clone, Default)]
pub(crate) struct InputWatchdog(Arc<Mutex<Option<CurrentInput>>>);

impl InputWatchdog {
    /// Begins to watch; a hanging input is written below `folder`.
    pub(crate) fn start(folder: PathBuf) -> Self {
        let watch = Self::default();
        let weak = Arc::downgrade(&watch.0);
        std::thread::spawn(move || {
            while let Some(watched) = weak.upgrade() {
                let hanging = watched
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                if let Some((since, input)) =
                    hanging.filter(|(since, _)| since.elapsed() > INPUT_TIMEOUT)
                {
                    let saved = super::engine::keep(&folder, &input);
                    eprintln!("hangs for {:?}: {}", since.elapsed(), saved.display());
                    // A thread cannot be stopped, so the process is.
                    std::process::exit(101);
                }
                drop(watched);
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        watch
    }

    pub(crate) fn set(&self, input: Option<&[u8]>) {
        let now = input.map(|input| (Instant::now(), input.to_vec()));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}
