//! Breeds inputs, runs them, keeps what fails.

use std::any::Any;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, Instant};

use proptest::test_runner::{RngAlgorithm, TestRng};

use super::mutation;
use super::watchdog::InputWatchdog;

/// A reader of foreign text.
pub(crate) struct FuzzTarget {
    /// Its folder below tests/regressions.
    pub(crate) name: &'static str,
    /// What to begin from.
    pub(crate) seeds: Vec<Vec<u8>>,
    /// Words of its language.
    pub(crate) words: &'static [&'static str],
    /// Reads the input, asserts what must hold, and says in short what came of it: an input whose answer
    /// is new is bred from.
    pub(crate) read: fn(&[u8]) -> String,
}

/// What a run did.
pub(crate) struct FuzzResult {
    pub(crate) inputs: u64,
    pub(crate) answers: usize,
    pub(crate) seed: u64,
}

pub(crate) struct Fuzzer {
    target: FuzzTarget,
    folder: PathBuf,
    watch: InputWatchdog,
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// The share of one reader in the time that all have.
pub(crate) fn share() -> Duration {
    let seconds = std::env::var("AEROFORM_FUZZ_SECONDS").ok();
    let seconds: u32 = seconds.and_then(|text| text.parse().ok()).unwrap_or(4);
    Duration::from_secs(seconds.into()) / 5
}

fn seed() -> u64 {
    let given = std::env::var("AEROFORM_FUZZ_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        u64::try_from(now.unwrap().as_micros()).unwrap()
    })
}

impl Fuzzer {
    pub(crate) fn new(target: FuzzTarget) -> Self {
        let regressions = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regressions");
        Self::in_folder(target, &regressions)
    }

    fn in_folder(target: FuzzTarget, regressions: &Path) -> Self {
        hush();
        let folder = regressions.join(target.name);
        let watch = InputWatchdog::start(folder.clone());
        Self {
            target,
            folder,
            watch,
        }
    }

    /// Runs again what has failed before; gives how many there were.
    pub(crate) fn replay(&self) -> usize {
        let Ok(files) = fs::read_dir(&self.folder) else {
            return 0;
        };
        let paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        for path in &paths {
            let failed = self.attempt(&fs::read(path).unwrap(), false);
            assert!(
                failed.is_ok(),
                "{} fails again: {}",
                path.display(),
                failed.unwrap_err()
            );
        }
        paths.len()
    }

    /// Breeds and runs inputs for so long. The first failing one is minimised, saved and reported.
    pub(crate) fn run(&self, time: Duration) -> FuzzResult {
        let (begun, seed) = (Instant::now(), seed());
        let mut rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed_bytes(seed));
        let mut corpus = self.target.seeds.clone();
        let mut answers = BTreeSet::new();
        let mut inputs = 0;
        let mut fresh = corpus.clone().into_iter();
        while begun.elapsed() < time || inputs < corpus.len() as u64 {
            let input = fresh
                .next()
                .unwrap_or_else(|| mutation::child(&mut rng, &corpus, self.target.words));
            inputs += 1;
            match self.attempt(&input, false) {
                Ok(answer) => {
                    if answers.insert(answer) && inputs > self.target.seeds.len() as u64 {
                        corpus.push(input);
                    }
                }
                Err(message) => {
                    let small = self.shrunk(input);
                    let saved = keep(&self.folder, &small);
                    panic!(
                        "input {inputs} of seed {seed} fails: {message}\nkept as {}",
                        saved.display()
                    );
                }
            }
        }
        FuzzResult {
            inputs,
            answers: answers.len(),
            seed,
        }
    }

    fn attempt(&self, input: &[u8], quiet: bool) -> Result<String, String> {
        self.watch.set(Some(input));
        let before = QUIET.replace(quiet || QUIET.get());
        let ended = panic::catch_unwind(AssertUnwindSafe(|| (self.target.read)(input)));
        QUIET.set(before);
        self.watch.set(None);
        ended.map_err(|panic| message(&*panic))
    }

    /// Takes away what is not needed to fail, in ever smaller pieces.
    fn shrunk(&self, mut input: Vec<u8>) -> Vec<u8> {
        let mut piece = input.len().div_ceil(2);
        while piece > 0 {
            let mut at = 0;
            while at < input.len() {
                let mut less = input.clone();
                less.drain(at..(at + piece).min(input.len()));
                if self.attempt(&less, true).is_err() {
                    input = less;
                } else {
                    at += piece;
                }
            }
            piece /= 2;
        }
        input
    }
}

/// Writes an input below the folder, under a name that its content gives it.
pub(crate) fn keep(folder: &Path, input: &[u8]) -> PathBuf {
    let hash = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    fs::create_dir_all(folder).unwrap();
    let path = folder.join(format!("{hash:016x}"));
    fs::write(&path, input).unwrap();
    path
}

fn seed_bytes(seed: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic")
        .to_owned()
}

/// Panics of inputs that are only being made smaller are not shown.
fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let show = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                show(info);
            }
        }));
    });
}

/// The engine itself must be able to fail: a reader that breaks only on a mixture that no seed has.
#[test]
fn a_planted_bug_is_found_cut_down_kept_and_found_again() {
    fn buggy(input: &[u8]) -> String {
        let text = String::from_utf8_lossy(input);
        let found = ["[[moved]]", "65536"].map(|part| text.contains(part));
        assert!(found != [true, true], "planted");
        format!("{found:?}")
    }
    let folder = tempfile::tempdir().unwrap();
    let target = || FuzzTarget {
        name: "planted",
        seeds: vec![b"app = \"shop\"\ncount = 12\n".to_vec()],
        words: &["[[moved]]", "from"],
        read: buggy,
    };
    let fuzz = || Fuzzer::in_folder(target(), folder.path());
    QUIET.set(true);
    let found = panic::catch_unwind(|| fuzz().run(Duration::from_secs(60)));
    let again = panic::catch_unwind(|| fuzz().replay());
    QUIET.set(false);
    let messages = message(&*found.err().unwrap());
    assert!(
        messages.contains("planted") && messages.contains("kept as"),
        "{messages}"
    );
    assert!(message(&*again.err().unwrap()).contains("fails again"));
    let saved = fs::read_dir(folder.path().join("planted"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let mut small = fs::read(saved.path()).unwrap();
    small.sort_unstable();
    let mut least = b"[[moved]]65536".to_vec();
    least.sort_unstable();
    assert_eq!(small, least, "nothing is left that is not needed");
}
