//! The order of commits in random histories, from clones of every depth: what is missing is fetched, and without a
//! remote the order is right or unknown, and never wrong.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::commit_order::{Pipeline, write_count};
use crate::git_command::git;

/// How many commits the history has, and how many pairs of them are compared.
const COMMITS: usize = 14;
const PAIRS: usize = 16;

/// A small generator, so that a failure replays.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// A history with linear parts, merges, and branches that begin anew, as after a rebase; all of it at the remote.
fn history(pipeline: &Pipeline, draw: &mut Draw) -> Vec<String> {
    let people = pipeline.folder("people");
    write_count(&people, 2);
    let mut commits: Vec<String> = Vec::new();
    for n in 0..COMMITS {
        let mut parents: Vec<&String> = match (n, draw.below(10)) {
            (0, _) | (_, 0) => vec![],
            (_, 1..=5) => vec![&commits[n - 1]],
            (_, 6) => vec![&commits[draw.below(n)]],
            (_, _) => vec![&commits[n - 1], &commits[draw.below(n)]],
        };
        parents.dedup();
        // A commit that changes nothing counts as its parent.
        std::fs::write(people.join("number"), n.to_string()).unwrap();
        git(&people, &["add", "."]);
        let tree = git(&people, &["write-tree"]);
        let message = format!("commit {n}");
        let mut args = vec!["commit-tree", &tree, "-m", &message];
        args.extend(parents.iter().flat_map(|parent| ["-p", parent.as_str()]));
        commits.push(git(&people, &args));
    }
    let refs: Vec<String> = (0..COMMITS)
        .map(|n| format!("{}:refs/heads/c{n}", commits[n]))
        .collect();
    let refs = refs.iter().map(String::as_str);
    let push: Vec<&str> = ["push", "-q", "origin"].into_iter().chain(refs).collect();
    git(&people, &push);
    commits
}

/// What a plan should say of this commit beside the applied one.
fn expected(pipeline: &Pipeline, ours: &str, applied: &str) -> Option<&'static str> {
    let origin = pipeline.folder("origin.git");
    let base = |older: &str, newer: &str| {
        let missing = git(
            &origin,
            &["rev-list", "--count", &format!("{newer}..{older}")],
        );
        missing == "0"
    };
    if base(applied, ours) {
        None
    } else if base(ours, applied) {
        Some("older_commit")
    } else {
        Some("diverged_commit")
    }
}

/// Holds rule 12. `AEROFORM_GRAPHS` sets the number of histories.
#[test]
fn the_order_of_commits_is_right_from_a_clone_of_any_depth_and_never_wrong_without_a_remote() {
    let graphs: u64 = std::env::var("AEROFORM_GRAPHS").map_or(1, |n| n.parse().unwrap());
    let met: BTreeSet<Option<String>> = (7..7 + graphs).flat_map(compare_in_history).collect();
    // Every relation is among them.
    assert_eq!(met.len(), 4, "{met:?}");
}

/// Compares pairs of one random history; what plans said.
fn compare_in_history(seed: u64) -> BTreeSet<Option<String>> {
    let pipeline = Pipeline::new(1);
    let first = pipeline.head();
    let job = pipeline.job(&first, None);
    let shown = job.run(&["apply", "-y"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    let state = std::fs::read_to_string(job.clone.join("state/shop.json")).unwrap();
    let mut draw = Draw(seed);
    let commits = history(&pipeline, &mut draw);
    let mut met = BTreeSet::new();
    for n in 0..PAIRS {
        let (ours, applied) = (draw.below(COMMITS), draw.below(COMMITS));
        let depth = ["1", "2", "4"][draw.below(3)];
        let is_cut_off = n % 4 == 3;
        let job = pipeline.job(&commits[ours], Some(depth));
        if is_cut_off {
            git(
                &job.clone,
                &["remote", "set-url", "origin", "file:///nowhere"],
            );
        }
        std::fs::create_dir(job.clone.join("state")).unwrap();
        let state = state.replace(&first, &commits[applied]);
        std::fs::write(job.clone.join("state/shop.json"), state).unwrap();
        let output = job.command(&["plan", "--json"]).output().unwrap();
        let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
        let order: Vec<&str> = ["refusals", "warnings"]
            .iter()
            .flat_map(|notes| plan[notes].as_array().unwrap())
            .map(|note| note["code"].as_str().unwrap())
            .filter(|code| code.contains("commit"))
            .collect();
        let said = order.first().copied();
        let when = format!("seed {seed}: {ours} after {applied}, depth {depth}, {is_cut_off}");
        assert!(order.len() <= 1, "{when}: {order:?}");
        if !(is_cut_off && said == Some("commit_order_unknown")) {
            let expected = expected(&pipeline, &commits[ours], &commits[applied]);
            assert_eq!(said, expected, "{when}");
        }
        met.insert(said.map(str::to_owned));
    }
    met
}
