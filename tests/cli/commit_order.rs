//! Jobs of several commits, each with its own clone and its own home, over one fleet and one bare repository:
//! an older job undoes nothing, and a dead runner holds up nobody (rules 12, 36).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::fly::{EmulatorProcess, FLY, V1, V2, on};
use crate::git_command::git;
use crate::sandbox::Sandbox;

/// A bare repository with branch main, and the fleet that its jobs apply to.
pub(crate) struct Pipeline {
    pub(crate) sandbox: Sandbox,
    pub(crate) platform: EmulatorProcess,
    jobs: std::cell::Cell<u32>,
}

impl Pipeline {
    /// The first commit wants so many Machines.
    pub(crate) fn new(count: u32) -> Self {
        let sandbox = Sandbox::new();
        let platform = EmulatorProcess::with_app(&sandbox);
        let pipeline = Self {
            sandbox,
            platform,
            jobs: std::cell::Cell::new(0),
        };
        let origin = pipeline.folder("origin.git");
        std::fs::create_dir_all(&origin).unwrap();
        git(&origin, &["init", "-q", "--bare", "-b", "main"]);
        let people = pipeline.folder("people");
        std::fs::create_dir_all(&people).unwrap();
        git(&people, &["init", "-q", "-b", "main"]);
        git(&people, &["remote", "add", "origin", "../origin.git"]);
        std::fs::write(people.join("fly.toml"), FLY).unwrap();
        write_count(&people, count);
        git(&people, &["add", "-A"]);
        git(&people, &["commit", "-q", "-m", "first"]);
        git(&people, &["push", "-q", "-u", "origin", "main"]);
        pipeline
    }

    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.sandbox.project().join("..").join(name)
    }

    /// Somebody commits a count on top of main.
    pub(crate) fn commit(&self, count: u32) -> String {
        let people = self.folder("people");
        git(&people, &["pull", "-q", "--rebase", "origin", "main"]);
        write_count(&people, count);
        git(&people, &["commit", "-q", "-a", "-m", "count"]);
        git(&people, &["push", "-q", "origin", "main"]);
        self.head()
    }

    pub(crate) fn head(&self) -> String {
        git(&self.folder("people"), &["rev-parse", "HEAD"])
    }

    /// A job that checks out this commit, as `actions/checkout` does; the depth is that of its default.
    pub(crate) fn job(&self, commit: &str, depth: Option<&str>) -> JobRunner<'_> {
        let number = self.jobs.get() + 1;
        self.jobs.set(number);
        let clone = self.folder(&format!("job{number}"));
        std::fs::create_dir_all(&clone).unwrap();
        let origin = format!("file://{}", self.folder("origin.git").display());
        git(&clone, &["init", "-q", "-b", "main"]);
        git(&clone, &["remote", "add", "origin", &origin]);
        let depth = depth.map(|depth| format!("--depth={depth}"));
        let fetch = ["fetch", "-q", "--no-tags", "origin", commit];
        let fetch: Vec<&str> = fetch.into_iter().chain(depth.as_deref()).collect();
        git(&clone, &fetch);
        git(&clone, &["checkout", "-q", "--detach", commit]);
        JobRunner {
            pipeline: self,
            clone,
            home: self.folder(&format!("home{number}")),
            commit: commit.to_owned(),
        }
    }

    pub(crate) fn machines(&self) -> usize {
        self.platform.machines().len()
    }
}

/// One job with its clone and its home.
pub(crate) struct JobRunner<'p> {
    pipeline: &'p Pipeline,
    pub(crate) clone: PathBuf,
    home: PathBuf,
    commit: String,
}

impl JobRunner<'_> {
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = on(&self.pipeline.sandbox, &self.pipeline.platform, args);
        command
            .current_dir(&self.clone)
            .env("AEROFORM_STATE_DIR", &self.home)
            .env("CI", "true")
            .env("GITHUB_REF", "refs/heads/main")
            .env("GITHUB_SHA", &self.commit);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> String {
        let output = self.command(args).stdin(Stdio::null()).output().unwrap();
        self.pipeline.sandbox.show(&output)
    }

    /// Commits the state and pushes it to main.
    pub(crate) fn push_state(&self) {
        git(&self.clone, &["add", "state/shop.json"]);
        git(&self.clone, &["commit", "-q", "-m", "state [skip ci]"]);
        git(
            &self.clone,
            &["push", "-q", "origin", "HEAD:refs/heads/main"],
        );
    }

    pub(crate) fn apply(&self, more: &[&str]) -> String {
        self.run(&[&["apply", "-y"], more].concat())
    }
}

pub(crate) fn write_count(folder: &Path, count: u32) {
    let text = format!("provider = \"fly\"\nimage = \"{V1}\"\n\n[groups.app]\ncount = {count}\n");
    std::fs::write(folder.join("aeroform.toml"), text).unwrap();
}

pub(crate) fn assert_exit(shown: &str, code: i32) {
    assert!(shown.starts_with(&format!("exit {code}\n")), "{shown}");
}

/// The code for a state file that is older than that of its branch.
pub(crate) fn not_newest(code: impl Fn(Command) -> String) -> String {
    let pipeline = Pipeline::new(1);
    let job = pipeline.job(&pipeline.head(), None);
    assert_exit(&job.apply(&[]), 0);
    job.push_state();
    let again = pipeline.job(&pipeline.head(), None);
    code(again.command(&["apply", "-y", "--json"]))
}

/// Holds rule 36.
#[test]
fn a_job_that_runs_again_does_not_undo_a_newer_one() {
    let pipeline = Pipeline::new(4);
    let older = pipeline.head();
    let job = pipeline.job(&older, Some("1"));
    assert_exit(&job.apply(&[]), 0);
    job.push_state();
    let newer = pipeline.commit(2);
    let job = pipeline.job(&newer, Some("1"));
    assert_exit(&job.apply(&["--allow-destroy=all"]), 0);
    job.push_state();
    assert_eq!(pipeline.machines(), 2);
    // The checkout of the older job has the state of its own commit: none.
    let again = pipeline.job(&older, Some("1"));
    let shown = again.apply(&[]);
    assert_exit(&shown, 4);
    assert!(shown.contains("is not the newest state"), "{shown}");
    assert!(shown.contains("ref: ${{ github.ref_name }}"), "{shown}");
    assert_eq!(pipeline.machines(), 2);
    // With the newest state beside the older manifests, the order of commits refuses it.
    git(&again.clone, &["fetch", "-q", "origin", "main"]);
    git(
        &again.clone,
        &["checkout", "-q", "FETCH_HEAD", "--", "state"],
    );
    let plan = again.run(&["plan"]);
    assert!(plan.contains("behind"), "{plan}");
    let shown = again.apply(&[]);
    assert_exit(&shown, 4);
    assert!(shown.contains("commits behind"), "{shown}");
    assert!(shown.contains("git revert"), "{shown}");
    assert_eq!(pipeline.machines(), 2);
    assert_exit(&again.apply(&["--allow-older"]), 0);
    assert_eq!(pipeline.machines(), 4);
}

/// Holds rule 12.
#[test]
fn a_runner_that_died_before_its_push_holds_up_no_later_commit() {
    for depth in [Some("1"), None] {
        let pipeline = Pipeline::new(2);
        let job = pipeline.job(&pipeline.head(), depth);
        assert_exit(&job.apply(&[]), 0);
        job.push_state();
        let dead = pipeline.commit(3);
        let job = pipeline.job(&dead, depth);
        assert_exit(&job.apply(&["--image", V2]), 0);
        assert_eq!(pipeline.machines(), 3);
        // Its state is lost. The next commit goes on without a flag.
        let next = pipeline.commit(2);
        let job = pipeline.job(&next, depth);
        let shown = job.apply(&[]);
        assert_exit(&shown, 0);
        assert_eq!(pipeline.machines(), 2);
        let state = std::fs::read_to_string(job.clone.join("state/shop.json")).unwrap();
        let taken_over = state.lines().find(|line| line.contains("taken over"));
        assert!(
            taken_over.is_some_and(|line| line.contains(&dead)),
            "{state}"
        );
        job.push_state();
        // The dead job again: it is older than what runs now.
        let again = pipeline.job(&dead, depth);
        git(&again.clone, &["fetch", "-q", "origin", "main"]);
        git(
            &again.clone,
            &["checkout", "-q", "FETCH_HEAD", "--", "state"],
        );
        assert_exit(&again.apply(&["--image", V2]), 4);
    }
}

#[test]
fn a_dead_run_of_another_branch_is_refused_once_with_every_flag() {
    let pipeline = Pipeline::new(1);
    let first = pipeline.head();
    let job = pipeline.job(&first, None);
    assert_exit(&job.apply(&[]), 0);
    job.push_state();
    // A branch is applied and its runner dies.
    let job = pipeline.job(
        &git(&pipeline.folder("origin.git"), &["rev-parse", "main"]),
        None,
    );
    write_count(&job.clone, 3);
    git(&job.clone, &["commit", "-q", "-a", "-m", "branch"]);
    git(
        &job.clone,
        &["push", "-q", "origin", "HEAD:refs/heads/branch"],
    );
    assert_exit(&job.apply(&["--image", V2, "--no-fetch"]), 0);
    let next = pipeline.commit(2);
    let job = pipeline.job(&next, None);
    let shown = job.apply(&[]);
    assert_exit(&shown, 4);
    let flags = shown
        .split('`')
        .find(|text| text.starts_with("--adopt-run"));
    let flags: Vec<&str> = flags
        .unwrap_or_else(|| panic!("{shown}"))
        .split(' ')
        .collect();
    assert!(flags.len() > 2, "{shown}");
    assert_exit(&job.apply(&flags), 0);
    assert_eq!(pipeline.machines(), 2);
}

#[test]
fn the_commit_is_that_of_the_checkout_and_says_whether_files_differ() {
    let pipeline = Pipeline::new(1);
    let job = pipeline.job(&pipeline.head(), None);
    write_count(&job.clone, 2);
    let mut command = on(
        &pipeline.sandbox,
        &pipeline.platform,
        &["apply", "-y", "-v"],
    );
    command
        .current_dir(&job.clone)
        .env("GITHUB_SHA", "930ce37a2b1c4d5e6f708192a3b4c5d6e7f80912");
    let shown = pipeline
        .sandbox
        .show(&command.stdin(Stdio::null()).output().unwrap());
    assert_exit(&shown, 0);
    assert!(shown.contains("930ce37a2b1c"), "{shown}");
    let state = std::fs::read_to_string(job.clone.join("state/shop.json")).unwrap();
    let named = format!("\"commit\": \"{}+changes\"", job.commit);
    assert!(state.contains(&named), "{state}");
}

#[test]
fn a_commit_of_the_state_alone_counts_as_its_parent() {
    let pipeline = Pipeline::new(2);
    let first = pipeline.head();
    let job = pipeline.job(&first, None);
    assert_exit(&job.apply(&[]), 0);
    job.push_state();
    // A job of the commit of the state, as a schedule starts it.
    let tip = git(&pipeline.folder("origin.git"), &["rev-parse", "main"]);
    let job = pipeline.job(&tip, None);
    assert_exit(&job.apply(&["--image", V2]), 0);
    job.push_state();
    // The first commit again, with the state of main: the same manifests, another image.
    let again = pipeline.job(&first, None);
    git(&again.clone, &["fetch", "-q", "origin", "main"]);
    git(
        &again.clone,
        &["checkout", "-q", "FETCH_HEAD", "--", "state"],
    );
    assert_exit(&again.apply(&[]), 0);
}
