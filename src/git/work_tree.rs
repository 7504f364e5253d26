//! The user's work tree, read only: which commit is checked out, what differs from it, and how its remotes are
//! reached.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::ObjectId;
use super::command::{Git, GitCall, GitError, git_args, last_words};
use crate::env::Env;

/// A work tree with its repository.
#[derive(Clone)]
pub struct WorkTree {
    git: Git,
    root: PathBuf,
    git_dir: PathBuf,
    objects: PathBuf,
    object_format: String,
    /// Every setting as git resolves it here, includes as well; in order.
    config: Vec<(String, String)>,
}

impl WorkTree {
    /// The work tree that contains this folder; `None` if there is none, or no git.
    ///
    /// # Errors
    /// If git refuses the folder, or does not answer.
    pub async fn find(env: &Env, folder: &Path) -> Result<Option<Self>, GitError> {
        let git = Git::new(env);
        let call = GitCall::local(folder);
        let args = git_args![
            "rev-parse",
            "--path-format=absolute",
            "--show-object-format",
            "--show-toplevel",
            "--git-dir",
            "--git-path",
            "objects",
        ];
        let output = match git.run(args, &call).await {
            Ok(output) => output,
            Err(GitError::Missing) => return Ok(None),
            Err(error) => return Err(error),
        };
        if !output.success {
            if let Some((_, place)) = output
                .stderr
                .split_once("dubious ownership in repository at '")
            {
                let named = place.split_once("'\n").map(|(top, _)| PathBuf::from(top));
                let top = named.unwrap_or_else(|| folder.to_owned());
                return Err(GitError::UnsafeFolder(top));
            }
            let absent = ["not a git repository", "must be run in a work tree"];
            if absent.iter().any(|text| output.stderr.contains(text)) {
                return Ok(None);
            }
            return Err(GitError::Failed {
                command: "rev-parse".to_owned(),
                message: last_words(&output.stderr),
            });
        }
        let lines: Vec<&[u8]> = output.stdout.split(|byte| *byte == b'\n').collect();
        let [format, root, git_dir, objects, rest] = lines[..] else {
            // A path with a line end.
            return Ok(None);
        };
        if !rest.is_empty() {
            return Ok(None);
        }
        let path = |line: &[u8]| PathBuf::from(OsStr::from_bytes(line));
        let mut found = Self {
            git,
            root: path(root),
            git_dir: path(git_dir),
            objects: path(objects),
            object_format: String::from_utf8_lossy(format).into_owned(),
            config: Vec::new(),
        };
        found.config = found.read_config().await?;
        Ok(Some(found))
    }

    /// Its top folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of its objects.
    pub(super) fn objects(&self) -> &Path {
        &self.objects
    }

    /// The hash function of its ids.
    pub(super) fn object_format(&self) -> &str {
        &self.object_format
    }

    pub(super) fn git(&self) -> &Git {
        &self.git
    }

    /// The commit that is checked out; `None` before the first one.
    ///
    /// # Errors
    /// If git does not answer.
    pub async fn head(&self) -> Result<Option<ObjectId>, GitError> {
        let args = git_args!["rev-parse", "--verify", "--quiet", "HEAD^{commit}"];
        let output = self.git.run(args, &self.call()).await?;
        Ok(ObjectId::parse(&output.line()))
    }

    /// The branch that is checked out; `None` with a detached HEAD.
    ///
    /// # Errors
    /// If git does not answer.
    pub async fn branch(&self) -> Result<Option<String>, GitError> {
        let args = git_args!["symbolic-ref", "--quiet", "HEAD"];
        let output = self.git.run(args, &self.call()).await?;
        let line = output.line();
        let name = line.strip_prefix("refs/heads/");
        Ok(name.filter(|_| output.success).map(str::to_owned))
    }

    /// The remote and the branch there that this branch follows.
    pub fn upstream(&self, branch: &str) -> Option<(String, String)> {
        let remote = self.setting(&format!("branch.{branch}.remote"))?;
        let merge = self.setting(&format!("branch.{branch}.merge"))?;
        let there = merge.strip_prefix("refs/heads/")?;
        (remote != ".").then(|| (remote.to_owned(), there.to_owned()))
    }

    /// Whether it is a shallow clone.
    pub fn is_shallow(&self) -> bool {
        self.objects
            .parent()
            .is_some_and(|common| common.join("shallow").exists())
            || self.git_dir.join("shallow").exists()
    }

    /// The names of its remotes.
    pub fn remotes(&self) -> BTreeSet<&str> {
        let names = self.config.iter().filter_map(|(key, _)| {
            let key = key.strip_prefix("remote.")?;
            key.strip_suffix(".url")
        });
        names.collect()
    }

    /// The URL of a remote, before `insteadOf`.
    pub fn remote_url(&self, name: &str) -> Option<&str> {
        self.setting(&format!("remote.{name}.url"))
    }

    /// The last value of a setting.
    pub fn setting(&self, key: &str) -> Option<&str> {
        let found = self.config.iter().rev().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    }

    /// The settings that a connection needs; those of this remote under the name `as_remote`.
    pub(super) fn connection_settings(
        &self,
        remote: Option<&str>,
        as_remote: &str,
    ) -> Vec<(String, String)> {
        const WHOLE: [&str; 4] = [
            "core.sshcommand",
            "core.gitproxy",
            "core.askpass",
            "safe.directory",
        ];
        const SECTIONS: [&str; 8] = [
            "http.",
            "credential.",
            "url.",
            "protocol.",
            "ssh.",
            "user.",
            "author.",
            "committer.",
        ];
        const OF_REMOTE: [&str; 6] = [
            "url",
            "pushurl",
            "proxy",
            "proxyauthmethod",
            "uploadpack",
            "receivepack",
        ];
        let prefix = remote.map(|name| format!("remote.{name}."));
        let settings = self.config.iter().filter_map(|(key, value)| {
            if WHOLE.contains(&key.as_str()) || SECTIONS.iter().any(|name| key.starts_with(name)) {
                return Some((key.clone(), value.clone()));
            }
            let leaf = key.strip_prefix(prefix.as_deref()?)?;
            OF_REMOTE
                .contains(&leaf)
                .then(|| (format!("remote.{as_remote}.{leaf}"), value.clone()))
        });
        settings.collect()
    }

    /// The path of a file relative to the top folder, as commits name it; `None` outside of the work tree.
    pub fn path_inside(&self, file: &Path) -> Option<PathBuf> {
        let root = self.root.canonicalize().ok()?;
        // The file and its folders may be missing: the nearest folder that exists decides.
        let resolved = file.ancestors().find_map(|existing| {
            let here = existing.as_os_str().is_empty().then(|| Path::new("."));
            let folder = here.unwrap_or(existing).canonicalize().ok()?;
            let missing = file.strip_prefix(existing).ok()?;
            Some(if missing.as_os_str().is_empty() {
                folder
            } else {
                folder.join(missing)
            })
        });
        let resolved = resolved?;
        let mut parts = resolved.components();
        if parts.any(|part| part == std::path::Component::ParentDir) {
            return None;
        }
        let inside = resolved.strip_prefix(&root).ok()?.to_owned();
        let in_git = inside.components().any(|part| part.as_os_str() == ".git");
        (!in_git).then_some(inside)
    }

    /// Whether git tracks this file.
    ///
    /// # Errors
    /// If git does not answer.
    pub async fn is_tracked(&self, file: &Path) -> Result<bool, GitError> {
        let Some(inside) = self.path_inside(file) else {
            return Ok(false);
        };
        let args = git_args!["ls-files", "-z", "--cached", "--", &inside];
        let call = GitCall {
            // Names are names, not patterns.
            vars: &[("GIT_LITERAL_PATHSPECS".to_owned(), "1".to_owned())],
            ..self.call()
        };
        Ok(!self.git.run_ok(args, &call).await?.stdout.is_empty())
    }

    /// The content of these files in the commit that is checked out; `None` for a file that it lacks. Line ends
    /// and filters are as in the commit.
    ///
    /// # Errors
    /// If git does not answer.
    pub async fn committed(&self, files: &[PathBuf]) -> Result<Vec<Option<Vec<u8>>>, GitError> {
        let mut input = Vec::new();
        let mut asked = Vec::new();
        for file in files {
            let inside = self.path_inside(file);
            let name = inside.as_ref().map(|path| path.as_os_str().as_bytes());
            let name = name.filter(|name| !name.contains(&b'\n'));
            asked.push(name.is_some());
            if let Some(name) = name {
                input.extend(b"HEAD:");
                input.extend(name);
                input.push(b'\n');
            }
        }
        let call = GitCall {
            input: &input,
            ..self.call()
        };
        let output = self.git.run_ok(git_args!["cat-file", "--batch"], &call);
        let output = output.await?.stdout;
        let mut rest = &output[..];
        let read = asked.into_iter().map(|asked| {
            if !asked {
                return None;
            }
            let (content, after) = next_of_batch(rest);
            rest = after;
            content.map(<[u8]>::to_vec)
        });
        Ok(read.collect())
    }

    /// Whether one of these files differs from the commit that is checked out, or is not in it. Line ends do not
    /// count.
    ///
    /// # Errors
    /// If git does not answer.
    pub async fn differs_from_head(&self, files: &[PathBuf]) -> Result<bool, GitError> {
        let committed = self.committed(files).await?;
        let differs = files.iter().zip(committed).any(|(file, committed)| {
            let now = std::fs::read(file).ok();
            match (now, committed) {
                (Some(now), Some(committed)) => {
                    now != committed && without_returns(&now) != without_returns(&committed)
                }
                (now, committed) => now.is_some() != committed.is_some(),
            }
        });
        Ok(differs)
    }

    fn call(&self) -> GitCall<'_> {
        GitCall::local(&self.root)
    }

    async fn read_config(&self) -> Result<Vec<(String, String)>, GitError> {
        let args = git_args!["config", "-z", "--list"];
        let output = self.git.run_ok(args, &self.call()).await?;
        let entries = output.stdout.split(|byte| *byte == 0);
        let entries = entries.filter(|entry| !entry.is_empty()).map(|entry| {
            let text = String::from_utf8_lossy(entry).into_owned();
            match text.split_once('\n') {
                Some((key, value)) => (key.to_owned(), value.to_owned()),
                // A key without a value means true.
                None => (text, "true".to_owned()),
            }
        });
        Ok(entries.collect())
    }
}

/// One object of the output of `cat-file --batch`, and what follows; `None` if it is missing.
fn next_of_batch(output: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let Some(end) = output.iter().position(|byte| *byte == b'\n') else {
        return (None, &[]);
    };
    let (head, rest) = (&output[..end], &output[end + 1..]);
    let head = String::from_utf8_lossy(head);
    let mut words = head.rsplit(' ');
    let size: Option<usize> = words.next().and_then(|word| word.parse().ok());
    match size.filter(|size| words.next().is_some() && *size < rest.len()) {
        Some(size) => (Some(&rest[..size]), &rest[size + 1..]),
        None => (None, rest),
    }
}

fn without_returns(bytes: &[u8]) -> Vec<u8> {
    let kept = bytes
        .iter()
        .enumerate()
        .filter(|(at, byte)| !(**byte == b'\r' && bytes.get(at + 1) == Some(&b'\n')));
    kept.map(|(_, byte)| *byte).collect()
}
