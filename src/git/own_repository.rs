//! A bare repository of this process, with the objects of the user's clone at hand, in which everything that
//! fetches, commits or pushes is done.
//!
//! It is one folder per process, so that no two processes meet in it and a killed one leaves no lock that
//! blocks the next. It is removed at the end; what a killed process left is removed by the next one.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::command::{Git, GitCall, GitError, GitOutput, check, git_args, subcommand};
use super::push::{PushOutcome, refusal};
use super::{ObjectId, WorkTree};
use crate::env::Env;

/// The name of the remote in our own repository.
pub(super) const REMOTE: &str = "remote";
/// Locked by the process that uses the folder.
const OWNER_LOCK: &str = "aeroform.lock";

/// Where to fetch from and push to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remote {
    /// A remote of the clone, by name.
    Named(String),
    /// A URL.
    Url(String),
}

/// A file of a commit: its path, and its new blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange<'a> {
    /// The path from the top folder.
    pub path: &'a str,
    /// The content.
    pub blob: &'a ObjectId,
}

/// The message of a commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitMessage {
    /// The text.
    pub text: String,
}

/// The repository.
pub struct OwnRepository {
    git: Git,
    folder: PathBuf,
    /// The top folder of the user's work tree: a remote with a relative path is relative to it.
    base: PathBuf,
    vars: Vec<(String, String)>,
    /// How many indexes were made.
    trees: AtomicU64,
    /// Held while the folder is in use.
    _owner: File,
}

impl Drop for OwnRepository {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl OwnRepository {
    /// Makes one below `state_dir` that reaches this remote as the clone does.
    ///
    /// # Errors
    /// If the folder cannot be made, or git does not answer.
    pub async fn open(
        env: &Env,
        state_dir: &Path,
        clone: &WorkTree,
        remote: &Remote,
    ) -> Result<Self, GitError> {
        let failed = |error: io::Error| GitError::Failed {
            command: "init".to_owned(),
            message: format!(
                "cannot make a folder below {}: {error}",
                state_dir.display()
            ),
        };
        let (folder, owner) =
            create_folder(&state_dir.join("git"), env.new_run_id().as_str()).map_err(failed)?;
        let named = match remote {
            Remote::Named(name) => Some(name.as_str()),
            Remote::Url(_) => None,
        };
        let mut settings = clone.connection_settings(named, REMOTE);
        if let Remote::Url(url) = remote {
            settings.push((format!("remote.{REMOTE}.url"), url.clone()));
        }
        let git = clone.git().clone();
        let mut vars = config_vars(&settings);
        vars.push(("GIT_CONFIG_GLOBAL".to_owned(), "/dev/null".to_owned()));
        vars.push(("GIT_CONFIG_NOSYSTEM".to_owned(), "1".to_owned()));
        vars.extend(identity(&git, &settings));
        let format = format!("--object-format={}", clone.object_format());
        let made = Self {
            git,
            folder,
            base: clone.root().to_owned(),
            vars,
            trees: AtomicU64::new(0),
            _owner: owner,
        };
        let init = git_args![
            "init",
            "--quiet",
            "--bare",
            "--template=",
            &format,
            &made.folder
        ];
        made.run_ok(init).await?;
        let objects = clone.objects().as_os_str().as_bytes();
        // A path with a line end cannot be named there; its objects are fetched again.
        if !objects.contains(&b'\n') {
            let mut line = objects.to_vec();
            line.push(b'\n');
            let info = made.folder.join("objects/info");
            fs::create_dir_all(&info)
                .and_then(|()| fs::write(info.join("alternates"), line))
                .map_err(failed)?;
        }
        made.add_var("GIT_DIR")
    }

    fn add_var(mut self, name: &str) -> Result<Self, GitError> {
        let folder = self.folder.to_str().ok_or_else(|| GitError::Failed {
            command: "init".to_owned(),
            message: format!("{} is not UTF-8", self.folder.display()),
        })?;
        self.vars.push((name.to_owned(), folder.to_owned()));
        Ok(self)
    }

    /// The refs of the remote with these full names, and what they point to.
    ///
    /// # Errors
    /// If the remote does not answer.
    pub async fn remote_refs(&self, names: &[&str]) -> Result<Vec<(String, ObjectId)>, GitError> {
        let mut args = git_args!["ls-remote", "--quiet", REMOTE];
        args.extend(names.iter().map(OsStr::new));
        let output = self.run_network(args).await?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines = text.lines().filter_map(|line| {
            let (id, name) = line.split_once('\t')?;
            // A pattern of ls-remote also matches the end of a longer name.
            let is_asked = names.contains(&name);
            Some((name.to_owned(), ObjectId::parse(id)?)).filter(|_| is_asked)
        });
        Ok(lines.collect())
    }

    /// What one ref of the remote points to.
    ///
    /// # Errors
    /// If the remote does not answer.
    pub async fn remote_ref(&self, name: &str) -> Result<Option<ObjectId>, GitError> {
        let found = self.remote_refs(&[name]).await?;
        Ok(found.into_iter().next().map(|(_, id)| id))
    }

    /// Fetches the newest commit of a ref without its history, in one call; `None` if the remote has no such ref.
    /// `without_files` leaves every file to the first read of it, for a branch with much else on it.
    ///
    /// # Errors
    /// If the remote does not answer.
    pub async fn fetch_tip(
        &self,
        name: &str,
        without_files: bool,
    ) -> Result<Option<ObjectId>, GitError> {
        let copy = format!("refs/fetched/{}", name.trim_start_matches("refs/"));
        let spec = format!("+{name}:{copy}");
        let fetched = self.fetch_newest(&spec, without_files).await?;
        if !fetched.success && fetched.stderr.contains("couldn't find remote ref") {
            return Ok(None);
        }
        check("fetch", fetched)?;
        let tip = self.run_ok(git_args!["rev-parse", "--verify", &copy]);
        Ok(ObjectId::parse(&tip.await?.line()))
    }

    /// Fetches one commit with its files and without its history.
    ///
    /// # Errors
    /// If the remote does not answer, or lacks it.
    pub async fn fetch_commit(&self, commit: &ObjectId) -> Result<(), GitError> {
        let fetched = self.fetch_newest(commit.as_str(), false).await?;
        check("fetch", fetched).map(drop)
    }

    async fn fetch_newest(&self, spec: &str, without_files: bool) -> Result<GitOutput, GitError> {
        let mut args = git_args![
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--depth=1",
        ];
        if without_files {
            args.push(OsStr::new("--filter=blob:none"));
        }
        args.extend(git_args![REMOTE, spec]);
        self.call(args, &[], &[], true).await
    }

    /// Fetches commits with their history but without files.
    ///
    /// # Errors
    /// If the remote does not answer, or has none of them.
    pub async fn fetch_history(&self, commits: &BTreeSet<ObjectId>) -> Result<(), GitError> {
        let mut args = git_args![
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--filter=tree:0",
            REMOTE,
        ];
        args.extend(commits.iter().map(|commit| OsStr::new(commit.as_str())));
        self.run_network(args).await.map(drop)
    }

    /// Whether this object is here.
    ///
    /// # Errors
    /// If git does not answer.
    pub async fn has(&self, id: &ObjectId) -> Result<bool, GitError> {
        let args = git_args!["cat-file", "-e", id.as_str()];
        Ok(self.run(args).await?.success)
    }

    /// Whether `older` is `newer` or one of its ancestors; `None` if the history here does not tell.
    ///
    /// # Errors
    /// If git does not answer.
    pub async fn is_ancestor(
        &self,
        older: &ObjectId,
        newer: &ObjectId,
    ) -> Result<Option<bool>, GitError> {
        let args = git_args![
            "merge-base",
            "--is-ancestor",
            older.as_str(),
            newer.as_str()
        ];
        let output = self.run(args).await?;
        if output.success {
            return Ok(Some(true));
        }
        // Exit 1 without a message is "no"; 128 names a commit that is missing.
        Ok(output.stderr.trim().is_empty().then_some(false))
    }

    /// How many commits of `newer` are not in `older`.
    ///
    /// # Errors
    /// If git does not answer, or a commit is missing.
    pub async fn count_between(&self, older: &ObjectId, newer: &ObjectId) -> Result<u64, GitError> {
        let range = format!("{older}..{newer}");
        let output = self
            .run_ok(git_args!["rev-list", "--count", &range])
            .await?;
        output.line().parse().map_err(|_| GitError::Failed {
            command: "rev-list".to_owned(),
            message: "it printed no number".to_owned(),
        })
    }

    /// The parent of a commit that has one, if it differs from it only in these files.
    ///
    /// # Errors
    /// If git does not answer, or lacks one of their folders.
    pub async fn parent_that_differs_only_in(
        &self,
        commit: &ObjectId,
        files: &BTreeSet<PathBuf>,
    ) -> Result<Option<ObjectId>, GitError> {
        let args = git_args!["rev-list", "--parents", "--max-count=1", commit.as_str()];
        let line = self.run_ok(args).await?.line();
        let mut parents = line.split(' ').skip(1).filter_map(ObjectId::parse);
        let (Some(parent), None) = (parents.next(), parents.next()) else {
            return Ok(None);
        };
        let args = git_args![
            "diff-tree",
            "-r",
            "-z",
            "--name-only",
            "--no-renames",
            parent.as_str(),
            commit.as_str(),
        ];
        // In a history without files their folders are fetched.
        let output = self.run_network(args).await?;
        let mut changed = output.stdout.split(|byte| *byte == 0);
        let is_listed =
            |name: &[u8]| name.is_empty() || files.contains(Path::new(OsStr::from_bytes(name)));
        Ok(changed.all(is_listed).then_some(parent))
    }

    /// The blob at a path of a commit.
    ///
    /// # Errors
    /// If git does not answer.
    pub async fn blob_at(
        &self,
        commit: &ObjectId,
        path: &str,
    ) -> Result<Option<ObjectId>, GitError> {
        let name = format!("{commit}:{path}");
        let args = git_args!["rev-parse", "--verify", "--quiet", &name];
        Ok(ObjectId::parse(&self.run(args).await?.line()))
    }

    /// The size of an object, bytes.
    async fn size(&self, id: &ObjectId) -> Result<u64, GitError> {
        // With a partial clone this may fetch it.
        let args = git_args!["cat-file", "-s", id.as_str()];
        let output = self.run_network(args).await?;
        output.line().parse().map_err(|_| GitError::Failed {
            command: "cat-file".to_owned(),
            message: "it printed no number".to_owned(),
        })
    }

    /// The content of a blob of at most `limit` bytes.
    ///
    /// # Errors
    /// If git does not answer, lacks it, or it is larger.
    pub async fn blob(&self, id: &ObjectId, limit: u64) -> Result<Vec<u8>, GitError> {
        let size = self.size(id).await?;
        if size > limit {
            return Err(GitError::TooLarge { size, limit });
        }
        let args = git_args!["cat-file", "blob", id.as_str()];
        Ok(self.run_network(args).await?.stdout)
    }

    /// The message of a commit.
    ///
    /// # Errors
    /// If git does not answer, or lacks it.
    pub async fn message(&self, commit: &ObjectId) -> Result<String, GitError> {
        let args = git_args!["cat-file", "commit", commit.as_str()];
        let output = self.run_ok(args).await?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let message = text.split_once("\n\n").map(|(_, message)| message);
        Ok(message.unwrap_or_default().to_owned())
    }

    /// Stores a blob.
    ///
    /// # Errors
    /// If git does not answer.
    pub async fn add_blob(&self, content: &[u8]) -> Result<ObjectId, GitError> {
        let args = git_args!["hash-object", "-w", "-t", "blob", "--stdin"];
        self.id_of(args, content, &[]).await
    }

    /// Commits a file on a parent, with every other file as it is there; without both, an empty commit.
    ///
    /// # Errors
    /// If git does not answer, or the path is a folder there.
    pub async fn commit(
        &self,
        parent: Option<&ObjectId>,
        change: Option<&FileChange<'_>>,
        message: &CommitMessage,
    ) -> Result<ObjectId, GitError> {
        let tree = match (parent, change) {
            (None, None) => self.id_of(git_args!["mktree"], &[], &[]).await?,
            (parent, change) => self.tree(parent, change).await?,
        };
        let mut args = git_args!["commit-tree", tree.as_str()];
        if let Some(parent) = parent {
            args.extend(git_args!["-p", parent.as_str()]);
        }
        self.id_of(args, message.text.as_bytes(), &[]).await
    }

    /// The files of a commit with this one changed. Its index is its own: the lock is renewed meanwhile.
    async fn tree(
        &self,
        parent: Option<&ObjectId>,
        change: Option<&FileChange<'_>>,
    ) -> Result<ObjectId, GitError> {
        let number = self.trees.fetch_add(1, Ordering::Relaxed);
        let index = self.folder.join(format!("index-{number}"));
        let index = [(
            "GIT_INDEX_FILE".to_owned(),
            index.to_string_lossy().into_owned(),
        )];
        let read = match parent {
            Some(parent) => self.run_with(git_args!["read-tree", parent.as_str()], &[], &index),
            None => self.run_with(git_args!["read-tree", "--empty"], &[], &index),
        };
        check("read-tree", read.await?)?;
        if let Some(FileChange { path, blob }) = change {
            let entry = format!("100644,{blob},{path}");
            let args = git_args!["update-index", "--add", "--cacheinfo", &entry];
            check("update-index", self.run_with(args, &[], &index).await?)?;
        }
        self.id_of(git_args!["write-tree", "--missing-ok"], &[], &index)
            .await
    }

    /// Pushes a commit to a ref, or deletes the ref, if the ref still points to `expected`. Without
    /// `only_if`, a branch accepts only what follows it.
    ///
    /// # Errors
    /// If git does not answer.
    pub async fn push(
        &self,
        commit: Option<&ObjectId>,
        name: &str,
        only_if: Option<Option<&ObjectId>>,
        options: &[&str],
    ) -> Result<PushOutcome, GitError> {
        let lease = only_if.map(|expected| {
            let expected = expected.map_or("", ObjectId::as_str);
            format!("--force-with-lease={name}:{expected}")
        });
        let spec = format!("{}:{name}", commit.map_or("", ObjectId::as_str));
        let mut args = git_args!["push", "--porcelain", "--no-verify"];
        args.extend(lease.as_ref().map(OsStr::new));
        let options: Vec<String> = options
            .iter()
            .map(|option| format!("--push-option={option}"))
            .collect();
        args.extend(options.iter().map(OsStr::new));
        args.extend(git_args![REMOTE, &spec]);
        let pushed = self.call(args, &[], &[], true).await;
        let output = match pushed {
            Ok(output) => output,
            Err(error @ GitError::TimedOut { .. }) => {
                return Ok(PushOutcome::Refused(
                    super::PushRefusal::Network,
                    error.to_string(),
                ));
            }
            Err(error) => return Err(error),
        };
        if output.success {
            return Ok(PushOutcome::Accepted);
        }
        let stdout = String::from_utf8_lossy(&output.stdout);
        Ok(refusal(&stdout, &output.stderr))
    }

    async fn id_of(
        &self,
        args: Vec<&OsStr>,
        input: &[u8],
        vars: &[(String, String)],
    ) -> Result<ObjectId, GitError> {
        let name = subcommand(&args);
        let output = check(&name, self.run_with(args, input, vars).await?)?;
        ObjectId::parse(&output.line()).ok_or_else(|| GitError::Failed {
            command: name,
            message: "it printed no object id".to_owned(),
        })
    }

    async fn run(&self, args: Vec<&OsStr>) -> Result<GitOutput, GitError> {
        self.call(args, &[], &[], false).await
    }

    async fn run_ok(&self, args: Vec<&OsStr>) -> Result<GitOutput, GitError> {
        let name = subcommand(&args);
        check(&name, self.run(args).await?)
    }

    async fn run_with(
        &self,
        args: Vec<&OsStr>,
        input: &[u8],
        vars: &[(String, String)],
    ) -> Result<GitOutput, GitError> {
        self.call(args, input, vars, false).await
    }

    async fn run_network(&self, args: Vec<&OsStr>) -> Result<GitOutput, GitError> {
        let name = subcommand(&args);
        check(&name, self.call(args, &[], &[], true).await?)
    }

    pub(super) async fn call(
        &self,
        args: Vec<&OsStr>,
        input: &[u8],
        vars: &[(String, String)],
        network: bool,
    ) -> Result<GitOutput, GitError> {
        let all: Vec<(String, String)> = self.vars.iter().chain(vars).cloned().collect();
        let call = GitCall {
            folder: &self.base,
            vars: &all,
            input,
            network,
        };
        self.git.run(args, &call).await
    }
}

/// Settings as variables, so that a token never is an argument.
fn config_vars(settings: &[(String, String)]) -> Vec<(String, String)> {
    let mut vars = vec![("GIT_CONFIG_COUNT".to_owned(), settings.len().to_string())];
    for (at, (key, value)) in settings.iter().enumerate() {
        vars.push((format!("GIT_CONFIG_KEY_{at}"), key.clone()));
        vars.push((format!("GIT_CONFIG_VALUE_{at}"), value.clone()));
    }
    vars
}

/// Who commits: what git is configured with, else this program.
fn identity(git: &Git, settings: &[(String, String)]) -> Vec<(String, String)> {
    let set = |key: &str| {
        let found = settings.iter().rev().find(|(name, _)| name == key);
        found.map(|(_, value)| value.clone())
    };
    let mut vars = Vec::new();
    for who in ["author", "committer"] {
        for (leaf, otherwise) in [("name", "aeroform"), ("email", "aeroform@localhost")] {
            let variable = format!("GIT_{}_{}", who.to_uppercase(), leaf.to_uppercase());
            if git.var(&variable).is_some() {
                continue;
            }
            let configured = set(&format!("{who}.{leaf}")).or_else(|| set(&format!("user.{leaf}")));
            let value = configured.filter(|value| !value.is_empty());
            vars.push((variable, value.unwrap_or_else(|| otherwise.to_owned())));
        }
    }
    vars
}

/// A new folder, locked for this process; removes those whose process ended.
fn create_folder(parent: &Path, name: &str) -> io::Result<(PathBuf, File)> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(parent)?;
    // No other process removes the new folder before it is locked.
    let all = lock_file(&parent.join(OWNER_LOCK))?;
    all.lock()?;
    for entry in fs::read_dir(parent)?.flatten() {
        let folder = entry.path();
        let Ok(owner) = File::open(folder.join(OWNER_LOCK)) else {
            continue;
        };
        if owner.try_lock().is_ok() {
            let _ = fs::remove_dir_all(&folder);
        }
    }
    let folder = parent.join(name);
    DirBuilder::new().mode(0o700).create(&folder)?;
    let owner = lock_file(&folder.join(OWNER_LOCK))?;
    owner.lock()?;
    Ok((folder, owner))
}

fn lock_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.mode(0o600).open(path)
}
