//! The order of commits from the user's git: HEAD of the work tree with the manifests, and its relation to the
//! commits of other runs.
//!
//! Missing commits are fetched, without files, into a repository of our own. Whatever fails leaves the order
//! unknown, with the reason; it never fails a verb.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tokio::sync::{Mutex, OnceCell};

use crate::core::plan::{CHANGES, CommitRelation, CommitRelations, base_commit};
use crate::env::Env;
use crate::git::{GitError, ObjectId, OwnRepository, Remote, WorkTree};
use crate::run::CommitHistory;
use crate::ui::Ui;

/// Variables in which a pipeline names its commit.
const COMMIT_VARS: [&str; 2] = ["GITHUB_SHA", "CI_COMMIT_SHA"];
/// How many commits that change only the state are looked through.
const MOST_STATE_COMMITS: usize = 50;

/// The history of the manifests of one session.
pub(super) struct GitHistory {
    env: Env,
    /// The folder of the manifests.
    folder: PathBuf,
    /// The files that are applied.
    files: Vec<PathBuf>,
    /// State files; a change of them is none of the manifests.
    state_files: Vec<PathBuf>,
    may_fetch: AtomicBool,
    is_judged: AtomicBool,
    has_warned: AtomicBool,
    checkout: OnceCell<Checkout>,
    repository: OnceCell<Result<OwnRepository, String>>,
    compared: Mutex<Compared>,
}

/// Results of comparisons; commits do not change their relation during one command.
#[derive(Default)]
struct Compared {
    relations: BTreeMap<String, CommitRelation>,
    unknown_because: Option<String>,
}

/// What is checked out.
struct Checkout {
    work_tree: Option<WorkTree>,
    /// HEAD, else the commit that the pipeline names.
    commit: Option<String>,
    problem: Option<GitError>,
}

impl GitHistory {
    pub(super) fn new(
        env: &Env,
        folder: &Path,
        files: Vec<PathBuf>,
        state_files: impl Iterator<Item = PathBuf>,
    ) -> Self {
        Self {
            env: env.clone(),
            folder: folder.to_owned(),
            files,
            state_files: state_files.collect(),
            may_fetch: AtomicBool::new(true),
            is_judged: AtomicBool::new(true),
            has_warned: AtomicBool::new(false),
            checkout: OnceCell::new(),
            repository: OnceCell::new(),
            compared: Mutex::default(),
        }
    }

    /// `--no-fetch`: uses only the commits that the clone has.
    pub(super) fn set_fetch(&self, may_fetch: bool) {
        self.may_fetch.store(may_fetch, Ordering::Relaxed);
    }

    /// Whether git may use the network.
    pub(super) fn may_fetch(&self) -> bool {
        self.may_fetch.load(Ordering::Relaxed)
    }

    /// The order is not judged: the plan is compared with another branch anyway.
    pub(super) fn do_not_judge(&self) {
        self.is_judged.store(false, Ordering::Relaxed);
    }

    /// Warns once where git refuses the folder; with `-v` also where a pipeline names another commit.
    pub(super) async fn report(&self, ui: &Ui) {
        let checkout = self.checkout().await;
        if self.has_warned.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Some(problem) = &checkout.problem {
            let named = checkout.commit.as_deref().map_or(String::new(), |commit| {
                format!("; commit {commit} is from the pipeline's variables")
            });
            let hint = problem
                .trust_command()
                .map_or(String::new(), |command| format!("; `{command}` allows it"));
            ui.warn(&format!("cannot read the commit: {problem}{named}{hint}"));
        }
        let named = pipeline_commit(&self.env);
        if let (Some(_), Some(head), Some(named)) = (&checkout.work_tree, &checkout.commit, named)
            && ui.is_verbose()
            && head != named
        {
            ui.talk(&format!(
                "commit {head} is checked out and applied; the pipeline's variables name {named}"
            ));
        }
    }

    /// The same, if the commit was needed at all.
    pub(super) async fn report_if_read(&self, ui: &Ui) {
        if self.checkout.initialized() {
            self.report(ui).await;
        }
    }

    /// The work tree, if there is one that git trusts.
    pub(super) async fn work_tree(&self) -> Option<&WorkTree> {
        self.checkout().await.work_tree.as_ref()
    }

    /// The remote from which commits are fetched: that of the branch, else `origin`, else the only one.
    pub(super) async fn remote(&self) -> Option<String> {
        let work_tree = self.work_tree().await?;
        let branch = work_tree.branch().await.ok().flatten();
        let followed = branch.and_then(|branch| work_tree.upstream(&branch));
        let remotes = work_tree.remotes();
        followed.map(|(remote, _)| remote).or_else(|| {
            let only = remotes.first().filter(|_| remotes.len() == 1);
            let named = remotes.get("origin").or(only);
            named.map(|name| (*name).to_owned())
        })
    }

    async fn checkout(&self) -> &Checkout {
        let find = || async {
            let (work_tree, problem) = match WorkTree::find(&self.env, &self.folder).await {
                Ok(work_tree) => (work_tree, None),
                Err(error) => (None, Some(error)),
            };
            let (mut head, mut problem) = (None, problem);
            if let Some(work_tree) = &work_tree {
                match work_tree.head().await {
                    Ok(found) => head = found,
                    Err(error) => problem = Some(error),
                }
            }
            let head = head.map(|head| head.to_string());
            let named = || pipeline_commit(&self.env).map(str::to_owned);
            Checkout {
                work_tree,
                commit: head.or_else(named),
                problem,
            }
        };
        self.checkout.get_or_init(find).await
    }

    async fn repository(&self, work_tree: &WorkTree) -> Result<&OwnRepository, String> {
        let open = || async {
            let folder = self.env.state_dir();
            let folder = folder.ok_or_else(|| "there is no folder for it".to_owned())?;
            let remote = self.remote().await.unwrap_or_else(|| "origin".to_owned());
            let remote = Remote::Named(remote);
            let opened = OwnRepository::open(&self.env, &folder, work_tree, &remote);
            opened.await.map_err(|error| error.to_string())
        };
        let opened = self.repository.get_or_init(open).await;
        opened.as_ref().map_err(Clone::clone)
    }

    /// The relation of one commit to ours.
    async fn compare(&self, ours: &str, other: &str) -> Result<CommitRelation, String> {
        if ours == other {
            return Ok(CommitRelation::Same);
        }
        let work_tree = self.checkout().await.work_tree.as_ref();
        let work_tree = work_tree.ok_or_else(|| "there is no git work tree".to_owned())?;
        let parse = |id: &str| {
            ObjectId::parse(id).ok_or_else(|| format!("`{id}` is not the full id of a commit"))
        };
        let (ours, other) = (parse(ours)?, parse(other)?);
        let repository = self.repository(work_tree).await?;
        let relation = if let Some(relation) = relation_in(repository, &ours, &other).await? {
            relation
        } else {
            self.fetch(repository, &ours, &other).await?;
            let relation = relation_in(repository, &ours, &other).await?;
            relation.ok_or_else(|| "the history here does not contain both".to_owned())?
        };
        match relation {
            CommitRelation::Descendant(_) | CommitRelation::Diverged => {}
            CommitRelation::Same | CommitRelation::Ancestor | CommitRelation::Unknown => {
                return Ok(relation);
            }
        }
        // A commit of the state alone counts as its parent.
        let ours = self
            .without_state_commits(repository, work_tree, ours)
            .await;
        let other = self
            .without_state_commits(repository, work_tree, other)
            .await;
        let counted = relation_in(repository, &ours, &other).await?;
        Ok(counted.unwrap_or(relation))
    }

    /// Fetches the history of both; one of them may exist only here.
    async fn fetch(
        &self,
        repository: &OwnRepository,
        ours: &ObjectId,
        other: &ObjectId,
    ) -> Result<(), String> {
        if !self.may_fetch() {
            return Err(
                "`--no-fetch` is set, and the clone lacks a part of the history".to_owned(),
            );
        }
        if self.remote().await.is_none() {
            return Err("the clone has no remote, and lacks a part of the history".to_owned());
        }
        let fetch = |commit: &ObjectId| {
            let commits = BTreeSet::from([commit.clone()]);
            async move { repository.fetch_history(&commits).await }
        };
        let other_fetched = fetch(other).await.map_err(|error| error.to_string());
        if matches!(relation_in(repository, ours, other).await, Ok(Some(_))) {
            return Ok(());
        }
        let ours_fetched = fetch(ours).await.map_err(|error| error.to_string());
        other_fetched.and(ours_fetched)
    }

    async fn without_state_commits(
        &self,
        repository: &OwnRepository,
        work_tree: &WorkTree,
        commit: ObjectId,
    ) -> ObjectId {
        let files = self.state_files.iter();
        let paths: BTreeSet<PathBuf> = files
            .filter_map(|file| work_tree.path_inside(file))
            .collect();
        let mut commit = commit;
        if paths.is_empty() {
            return commit;
        }
        for _ in 0..MOST_STATE_COMMITS {
            match repository
                .parent_that_differs_only_in(&commit, &paths)
                .await
            {
                Ok(Some(parent)) => commit = parent,
                Ok(None) | Err(_) => break,
            }
        }
        commit
    }
}

#[async_trait]
impl CommitHistory for GitHistory {
    async fn applied(&self) -> Option<String> {
        let checkout = self.checkout().await;
        let commit = checkout.commit.clone()?;
        let Some(work_tree) = &checkout.work_tree else {
            return Some(commit);
        };
        let differs = work_tree.differs_from_head(&self.files).await;
        Some(if differs == Ok(true) {
            format!("{commit}{CHANGES}")
        } else {
            commit
        })
    }

    async fn relations(&self, others: &BTreeSet<String>) -> CommitRelations {
        if !self.is_judged.load(Ordering::Relaxed) || others.is_empty() {
            return CommitRelations::default();
        }
        let checkout = self.checkout().await;
        let mut compared = self.compared.lock().await;
        for other in others {
            if compared.relations.contains_key(other) {
                continue;
            }
            let relation = match &checkout.commit {
                Some(ours) => self.compare(base_commit(ours), other).await,
                None => Err(match &checkout.problem {
                    Some(problem) => problem.to_string(),
                    None => "there is no git work tree".to_owned(),
                }),
            };
            let relation = relation.unwrap_or_else(|because| {
                compared.unknown_because.get_or_insert(because);
                CommitRelation::Unknown
            });
            compared.relations.insert(other.clone(), relation);
        }
        let of = |(commit, relation): (&String, &CommitRelation)| (commit.clone(), *relation);
        let asked = compared.relations.iter();
        let asked = asked.filter(|(commit, _)| others.contains(*commit));
        CommitRelations {
            relations: asked.map(of).collect(),
            unknown_because: compared.unknown_because.clone(),
        }
    }
}

/// The relation as far as the objects here tell.
async fn relation_in(
    repository: &OwnRepository,
    ours: &ObjectId,
    other: &ObjectId,
) -> Result<Option<CommitRelation>, String> {
    if ours == other {
        return Ok(Some(CommitRelation::Same));
    }
    let told = |error: GitError| error.to_string();
    let older = repository.is_ancestor(other, ours).await.map_err(told)?;
    if older == Some(true) {
        return Ok(Some(CommitRelation::Ancestor));
    }
    let newer = repository.is_ancestor(ours, other).await.map_err(told)?;
    Ok(match (older, newer) {
        (_, Some(true)) => {
            let commits = repository.count_between(ours, other).await.map_err(told)?;
            Some(CommitRelation::Descendant(commits))
        }
        (Some(false), Some(false)) => Some(CommitRelation::Diverged),
        (_, _) => None,
    })
}

fn pipeline_commit(env: &Env) -> Option<&str> {
    COMMIT_VARS.iter().find_map(|name| env.var(name))
}
