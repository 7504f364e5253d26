//! What a write of a state in git costs besides the network, and that it does not grow with the branch.

#[path = "../tests/support/long_branch.rs"]
mod long_branch;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use aeroform::core::fleet::AppName;
use aeroform::env::Env;
use aeroform::store::{GitAddress, GitStore, StateStore, WriteNote};
use long_branch::long_branch;
use tokio::runtime::Builder;

const COMMITS: [usize; 3] = [10, 1_000, 10_000];
const RUNS: usize = 7;
/// As many as a state of a thousand Machines has.
const BYTES: usize = 163_000;

fn main() {
    println!("A state on a branch of a repository on this computer: wall time (median).\n");
    println!("{:>10} {:>14} {:>14}", "commits", "first read", "write");
    for commits in COMMITS {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path();
        git(at, &["init", "-q", "--bare", "-b", "main", "origin.git"]);
        let bare = at.join("origin.git");
        long_branch(&bare, commits);
        git(at, &["init", "-q", "-b", "main", "clone"]);
        let clone = at.join("clone");
        let url = format!("file://{}", bare.display());
        git(&clone, &["remote", "add", "origin", &url]);
        let (mut reads, mut writes) = (Vec::new(), Vec::new());
        for run in 0..RUNS {
            let (read, write) = measure(at, &clone, run);
            reads.push(read);
            writes.push(write);
        }
        let (read, write) = (median(reads), median(writes));
        println!(
            "{commits:>10} {:>11.0} ms {:>11.0} ms",
            millis(read),
            millis(write)
        );
    }
}

/// The first read of a process, and a write after it.
fn measure(at: &Path, clone: &Path, run: usize) -> (Duration, Duration) {
    let app = AppName::new("shop").expect("a name");
    let address = GitAddress::parse("git+origin", &app).expect("an address");
    let env = Env::from_process();
    let store = GitStore::new(&env, at.join("own"), clone.to_owned(), address, &app);
    let text = format!("{run}\n").repeat(BYTES / 2);
    let subject = format!("shop: serial {run}");
    let note = WriteNote {
        subject,
        trailers: Vec::new(),
    };
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let start = Instant::now();
        let version = store.read().await.expect("there is a state").version;
        let read = start.elapsed();
        let start = Instant::now();
        store
            .write(&text, &version, &note)
            .await
            .expect("nobody else writes");
        (read, start.elapsed())
    })
}

fn git(folder: &Path, args: &[&str]) {
    let status = Command::new("git").args(args).current_dir(folder).status();
    assert!(status.expect("there is git").success(), "git {args:?}");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
