//! kill -9 before and after each git command of an apply that keeps its state in git: those of the lock, of the
//! write, and between the last call to the platform and the push. Then another job: of the same commit, of the
//! next one, or of an older one first; with the journal kept and with it lost.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use aeroform::core::fleet::AppName;
use aeroform::core::state;

use crate::clone_snapshot::CloneSnapshot;
use crate::git_fixture::{Commit, GitKillPoint, Home, Pipeline, PipelineTemplate, Stage};

/// How many cases of a first, a later and a long apply are drawn, unless `AEROFORM_GIT_KILLS` is a number for each or
/// `all`.
const DRAWN: [usize; 3] = [5, 6, 1];
/// How many cases go side by side. A case mostly waits for the lock of the dead job.
const PARALLEL_CASES: usize = 4;

/// One case of the matrix.
#[derive(Debug, Clone, Copy)]
struct Case {
    stage: usize,
    at: GitKillPoint,
    then: Commit,
    home: Home,
}

/// Holds rules 4, 12, 26 and 36.
pub(crate) fn an_apply_killed_at_any_git_command_holds_up_no_later_commit() {
    let stages = std::thread::scope(|scope| {
        let all = [Stage::First, Stage::Later, Stage::Long];
        let made = all.map(|stage| {
            scope.spawn(move || {
                let template = PipelineTemplate::new(stage);
                let commands = template.copy().commands_of_apply();
                (stage, template, commands)
            })
        });
        made.map(|thread| thread.join().unwrap())
    });
    let wanted = std::env::var("AEROFORM_GIT_KILLS").unwrap_or_default();
    let (mut size, mut chosen) = (0, Vec::new());
    for (stage, (kind, _, commands)) in stages.iter().enumerate() {
        let cases = cases_of(stage, *kind, commands);
        size += cases.len();
        chosen.extend(match wanted.as_str() {
            "" => spread(&cases, DRAWN[stage]),
            "all" => cases,
            number => spread(&cases, number.parse().unwrap()),
        });
    }
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..PARALLEL_CASES.min(chosen.len()) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = chosen.get(number) else {
                        return;
                    };
                    if number % 100 == 99 {
                        println!("case {} of {}", number + 1, chosen.len());
                    }
                    let (stage, template, commands) = &stages[case.stage];
                    let name = &commands[case.at.command - 1];
                    let played = std::panic::catch_unwind(|| case.play(template));
                    if played.is_err() {
                        failures
                            .lock()
                            .unwrap()
                            .push(format!("{stage:?} {case:?} `git{name}`"));
                    }
                }
            });
        }
    });
    for (at, (stage, _, commands)) in stages.iter().enumerate() {
        let cases = chosen.iter().filter(|case| case.stage == at).count();
        println!(
            "{stage:?} apply: {} git commands, {cases} cases played",
            commands.len()
        );
    }
    let failures = failures.into_inner().unwrap();
    println!(
        "{size} cases, {} played, {} failed\n{}",
        chosen.len(),
        failures.len(),
        failures.join("\n")
    );
    assert!(failures.is_empty(), "{failures:#?}");
}

/// The commands of the first renewal, counted from 1: it makes a record, points the ref to it, and looks.
fn first_renewal(commands: &[String]) -> std::ops::RangeInclusive<usize> {
    let lease = "--force-with-lease=refs/aeroform/lock/shop:";
    let is_renewal = |command: &&String| {
        let expected = command.split_once(lease).map(|(_, rest)| rest);
        expected.is_some_and(|rest| !rest.starts_with(' ') && !rest.contains(" :refs"))
    };
    let push = commands.iter().find(is_renewal);
    let push = commands.iter().position(|command| Some(command) == push);
    let push = push.expect("the lock is renewed") + 1;
    push - 2..=push + 1
}

/// Every case of a stage.
fn cases_of(stage: usize, kind: Stage, commands: &[String]) -> Vec<Case> {
    let killed_at = match kind {
        Stage::First | Stage::Later => 1..=commands.len(),
        Stage::Long => first_renewal(commands),
    };
    let mut cases = Vec::new();
    for command in killed_at {
        for after in [false, true] {
            let at = GitKillPoint { command, after };
            for then in [Commit::This, Commit::Next, Commit::Older] {
                let homes = [Home::Kept, Home::Own];
                cases.extend(homes.map(|home| Case {
                    stage,
                    at,
                    then,
                    home,
                }));
            }
        }
    }
    cases
}

/// So many of the cases, so that every kind of them is among a few.
fn spread(cases: &[Case], drawn: usize) -> Vec<Case> {
    let drawn = drawn.min(cases.len() / 12);
    // Kinds repeat every twelve cases; five more than that meets each of them at another command.
    let nth = |n: usize| n * cases.len() / drawn / 12 * 12 + n * 5 % 12;
    (0..drawn).map(|n| cases[nth(n)]).collect()
}

impl Case {
    fn play(&self, template: &PipelineTemplate) {
        let pipeline = template.copy();
        let killed = CloneSnapshot::of(&pipeline.clone_of(Commit::This));
        assert!(pipeline.kill(self.at), "{self:?}: it was not killed");
        let when = format!("{self:?}, killed at\n{}", pipeline.commands().join("\n"));
        killed.assert_unchanged(&when);
        let follower = match self.then {
            Commit::This | Commit::Next => self.then,
            Commit::Older => {
                self.older_goes_not_back(&pipeline, &when);
                Commit::Next
            }
        };
        let clone = CloneSnapshot::of(&pipeline.clone_of(follower));
        let ended = pipeline.apply(follower, self.home);
        let shown = format!("{when}\n{}\n{}", ended.out, ended.err);
        assert_eq!(ended.code, Some(0), "{shown}");
        clone.assert_unchanged(&shown);
        let waits = ended
            .err
            .lines()
            .filter(|line| line.contains("waiting up to"));
        assert!(waits.count() <= 1, "{shown}");
        self.is_as_wanted(&pipeline, follower, &shown);
    }

    /// A job of an older commit is refused, or has nothing to undo.
    fn older_goes_not_back(&self, pipeline: &Pipeline, when: &str) {
        let before = pipeline.fleet();
        let ended = pipeline.apply(Commit::Older, self.home);
        let shown = format!("{when}\n{}\n{}", ended.out, ended.err);
        let now = pipeline.fleet();
        let this = Commit::This.name();
        assert!(now.get(this) >= before.get(this), "{shown}");
        match ended.code {
            Some(0) => assert!(!before.contains_key(this), "{shown}"),
            Some(4) => assert!(ended.err.contains("behind"), "{shown}"),
            _ => panic!("{shown}"),
        }
    }

    /// The fleet is what the commit wants, the state lists it, and nothing is left behind.
    fn is_as_wanted(&self, pipeline: &Pipeline, commit: Commit, shown: &str) {
        let wanted = BTreeMap::from([(commit.name().to_owned(), commit.count())]);
        assert_eq!(pipeline.fleet(), wanted, "{shown}");
        let app = AppName::new("shop").unwrap();
        let known = state::read(&pipeline.state().unwrap(), &app).unwrap();
        let mut listed: Vec<String> = known.machines.keys().map(ToString::to_string).collect();
        let machines = pipeline.machines();
        let mut there: Vec<&str> = machines.iter().map(|m| m["id"].as_str().unwrap()).collect();
        listed.sort();
        there.sort_unstable();
        assert_eq!(listed, there, "{shown}");
        let refs = pipeline.refs();
        // A job that finds nothing to do needs no lock, and leaves that of a dead one.
        let is_done = shown.contains("No changes.");
        assert!(is_done || !refs.contains("lock"), "{refs}\n{shown}");
        if self.home == Home::Kept {
            let left = pipeline.own_repositories();
            assert!(left.is_empty(), "{left:?}\n{shown}");
        }
    }
}
