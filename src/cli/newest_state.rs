//! Before an apply: whether the state file of this checkout is the newest one of its branch (rule 36).
//!
//! A job that runs again, and the second of two merges in a minute, have the state of their own commit. What
//! cannot be fetched is not checked.

use std::path::Path;

use super::Context;
use super::codes;
use super::git_history::GitHistory;
use super::session::Session;
use crate::core::fleet::{Known, RunRecord};
use crate::core::plan::short_commit;
use crate::core::state::{self, RUNS_KEPT, StateError};
use crate::env::Env;
use crate::git::{GitError, OwnRepository, Remote, WorkTree};
use crate::store::MAX_STATE_BYTES;
use crate::ui::Failure;

/// Where the state file is published.
struct Published {
    remote: String,
    branch: String,
}

/// What kept the state of the branch from being read.
enum Unread {
    /// Nothing is published.
    Nothing,
    /// It could not be read.
    Failed(String),
    /// On this branch the state was moved to another place.
    Moved(StateError, String),
}

impl From<GitError> for Unread {
    fn from(error: GitError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Refuses a tracked state file that lacks a run which its branch has. Under CI one warning says that it could not
/// be checked.
pub(super) async fn check_newest(
    context: &Context<'_>,
    session: &Session,
    known: &Known,
) -> Result<(), Failure> {
    let history = session.history();
    let Some(file) = session.state_file().filter(|_| history.may_fetch()) else {
        return Ok(());
    };
    match newest_state(context.env, history, file, known).await {
        Ok((theirs, published)) => match missing_run(known, &theirs) {
            Some(run) => Err(not_newest(session, known, (&theirs, run), &published)),
            None => Ok(()),
        },
        Err(Unread::Nothing) => Ok(()),
        Err(Unread::Moved(error, branch)) => {
            let place = format!("{} on branch {branch}", session.store.location());
            Err(Failure::of_state(&error, &place))
        }
        Err(Unread::Failed(why)) => {
            if context.env.var("CI").is_some() {
                context.ui.warn(&format!(
                    "cannot check that `{}` is the newest state: {why}",
                    session.store.location()
                ));
            }
            Ok(())
        }
    }
}

/// The state on the branch of this file.
async fn newest_state(
    env: &Env,
    history: &GitHistory,
    file: &Path,
    known: &Known,
) -> Result<(Known, Published), Unread> {
    let work_tree = history.work_tree().await.ok_or(Unread::Nothing)?;
    // A checkout from before the first apply has none yet.
    let is_new = !file.exists() && work_tree.head().await?.is_some();
    if !is_new && !work_tree.is_tracked(file).await? {
        return Err(Unread::Nothing);
    }
    let path = work_tree.path_inside(file).ok_or(Unread::Nothing)?;
    let path = path.to_str().ok_or(Unread::Nothing)?;
    let unknown = |why: &str| {
        if is_new {
            Unread::Nothing
        } else {
            Unread::Failed(why.to_owned())
        }
    };
    let published = published(env, history, work_tree)
        .await?
        .ok_or_else(|| unknown("its branch is unknown"))?;
    let folder = env
        .state_dir()
        .ok_or_else(|| unknown("there is no folder for it"))?;
    let remote = Remote::Named(published.remote.clone());
    let repository = OwnRepository::open(env, &folder, work_tree, &remote).await?;
    let name = format!("refs/heads/{}", published.branch);
    let tip = repository.fetch_tip(&name, true).await?.ok_or_else(|| {
        unknown(&format!(
            "`{}` has no branch `{}`",
            published.remote, published.branch
        ))
    })?;
    let blob = repository.blob_at(&tip, path).await?;
    let blob = blob.ok_or(Unread::Nothing)?;
    let text = repository.blob(&blob, MAX_STATE_BYTES).await?;
    let text = String::from_utf8_lossy(&text);
    let theirs = state::read(&text, &known.app).map_err(|error| match error {
        error @ StateError::Moved { .. } => Unread::Moved(error, published.branch.clone()),
        error => Unread::Failed(format!("that of branch `{}`: {error}", published.branch)),
    })?;
    Ok((theirs, published))
}

/// The upstream of the branch that is checked out; without one, the branch that the pipeline names.
async fn published(
    env: &Env,
    history: &GitHistory,
    work_tree: &WorkTree,
) -> Result<Option<Published>, GitError> {
    if let Some(branch) = work_tree.branch().await? {
        let upstream = work_tree.upstream(&branch);
        return Ok(upstream.map(|(remote, branch)| Published { remote, branch }));
    }
    let of_github = env.var("GITHUB_REF");
    let of_github = of_github.and_then(|name| name.strip_prefix("refs/heads/"));
    let branch = env.var("CI_COMMIT_BRANCH").or(of_github);
    let remote = history.remote().await;
    Ok(branch.zip(remote).map(|(branch, remote)| Published {
        remote,
        branch: branch.to_owned(),
    }))
}

/// The newest run that the other state lists and ours does not. Runs that ours may have dropped do not count.
pub(super) fn missing_run<'t>(ours: &Known, theirs: &'t Known) -> Option<&'t RunRecord> {
    let is_full = ours.runs.len() >= RUNS_KEPT;
    let oldest = ours.runs.iter().map(|run| run.serial).min();
    let oldest = oldest.filter(|_| is_full).unwrap_or(0);
    let is_listed = |run: &RunRecord| ours.runs.iter().any(|own| own.run == run.run);
    let mut newest_first = theirs.runs.iter().rev();
    newest_first.find(|run| run.serial >= oldest && !is_listed(run))
}

fn not_newest(
    session: &Session,
    known: &Known,
    (theirs, run): (&Known, &RunRecord),
    published: &Published,
) -> Failure {
    let Published { remote, branch } = published;
    let commit = run.commit.as_deref().map(short_commit);
    let commit = commit.map_or(String::new(), |commit| format!(" of commit {commit}"));
    Failure::new(
        codes::STATE_NOT_NEWEST,
        format!(
            "`{}` is not the newest state: branch `{branch}` of `{remote}` has serial {}, this one has serial {}",
            session.store.location(),
            theirs.serial,
            known.serial
        ),
    )
    .cause(format!(
        "run {}{commit} by {} wrote serial {} at {}",
        run.run, run.by, run.serial, run.at
    ))
    .hint("check out the branch instead of a commit (GitHub: `ref: ${{ github.ref_name }}` for actions/checkout; GitLab: `git checkout -B \"$CI_COMMIT_BRANCH\" \"origin/$CI_COMMIT_BRANCH\"`; on a computer: `git pull`), or add `--no-fetch`".to_string())
}
