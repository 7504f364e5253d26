//! A state on a branch of a git remote (rule 36).
//!
//! A write commits on the head of the remote's branch, in a repository of our own, and pushes without force. If
//! the branch moved but the file did not, the commit is made again on the new head; if the file changed, the
//! write is refused. Only what a fetch shows afterwards counts as written.

mod address;
mod lock;

pub use address::{AddressError, GitAddress};

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};

use super::{
    Holder, LockLife, LockStatus, LockWait, LockWatch, MAX_STATE_BYTES, StateLock, StateStore,
    StoreError, StoredText, Unlock, Unlocked, Version, WriteNote,
};
use crate::core::fleet::AppName;
use crate::env::Env;
use crate::git::{
    CommitMessage, FileChange, GitError, ObjectId, OwnRepository, PushOutcome, PushRefusal,
    WorkTree,
};
use lock::{LockError, RemoteLock};

/// How long a write goes on while other commits arrive.
const WRITE_PATIENCE: Duration = Duration::from_secs(60);
/// The longest pause between two pushes.
const MAX_PUSH_PAUSE: Duration = Duration::from_millis(200);
/// How long an unrenewed lock is valid (rule 26).
const LOCK_TTL: Duration = Duration::from_secs(60);

/// A state file on a branch of a remote. Nothing is started before the first operation.
pub struct GitStore {
    env: Env,
    /// Our own repositories are below it.
    state_dir: PathBuf,
    /// The folder of the manifests.
    folder: PathBuf,
    address: GitAddress,
    app: AppName,
    lock_ttl: Duration,
    opened: OnceCell<Arc<OwnRepository>>,
    /// Whether the server refused push options.
    refuses_options: AtomicBool,
}

/// The remote's branch as it was read.
struct BranchHead {
    commit: Option<ObjectId>,
    blob: Option<ObjectId>,
}

impl GitStore {
    /// The store of this address, reached as the work tree of `folder` reaches its remotes.
    pub fn new(
        env: &Env,
        state_dir: PathBuf,
        folder: PathBuf,
        address: GitAddress,
        app: &AppName,
    ) -> Self {
        Self {
            env: env.clone(),
            state_dir,
            folder,
            address,
            app: app.clone(),
            lock_ttl: LOCK_TTL,
            opened: OnceCell::new(),
            refuses_options: AtomicBool::new(false),
        }
    }

    /// The same with another lifetime of the lock; only tests need one.
    #[must_use]
    pub fn with_lock_ttl(self, lock_ttl: Duration) -> Self {
        Self { lock_ttl, ..self }
    }

    async fn repository(&self, what: &'static str) -> Result<&Arc<OwnRepository>, StoreError> {
        let open = async || {
            let clone = WorkTree::find(&self.env, &self.folder).await;
            let clone = clone.map_err(|error| self.error(what, &error))?;
            let Some(clone) = clone else {
                return Err(self.remote_error(
                    what,
                    format!("{} is in no work tree of git", self.folder.display()),
                    None,
                ));
            };
            let allowed = self.env.var("AEROFORM_STATE_REMOTE");
            self.address.check(&clone, allowed)?;
            let repository =
                OwnRepository::open(&self.env, &self.state_dir, &clone, &self.address.remote);
            let repository = repository.await.map_err(|error| self.error(what, &error))?;
            Ok(Arc::new(repository))
        };
        self.opened.get_or_try_init(open).await
    }

    fn error(&self, what: &'static str, error: &GitError) -> StoreError {
        match error.trust_command() {
            Some(command) => StoreError::UntrustedClone {
                what,
                place: self.location(),
                cause: error.to_string(),
                command,
            },
            None => self.remote_error(what, error.to_string(), None),
        }
    }

    fn remote_error(
        &self,
        what: &'static str,
        cause: String,
        refusal: Option<PushRefusal>,
    ) -> StoreError {
        StoreError::Remote {
            what,
            place: self.location(),
            cause,
            refusal,
        }
    }

    async fn head(&self, repository: &OwnRepository) -> Result<BranchHead, GitError> {
        let name = self.address.branch_ref();
        let commit = repository.fetch_tip(&name, self.address.is_branch_named);
        let commit = commit.await?;
        let blob = match &commit {
            Some(commit) => repository.blob_at(commit, &self.address.path).await?,
            None => None,
        };
        Ok(BranchHead { commit, blob })
    }

    async fn text(
        &self,
        repository: &OwnRepository,
        blob: &ObjectId,
    ) -> Result<String, StoreError> {
        let bytes = repository.blob(blob, MAX_STATE_BYTES).await;
        let bytes = bytes.map_err(|error| self.error("read", &error))?;
        String::from_utf8(bytes)
            .map_err(|_| self.remote_error("read", "it is not UTF-8".to_owned(), None))
    }

    fn message(&self, note: &WriteNote) -> CommitMessage {
        let mut text = note.subject.clone();
        if self.address.skip_ci {
            text.push_str(" [skip ci]");
        }
        text.push('\n');
        for (at, (name, value)) in note.trailers.iter().enumerate() {
            let gap = if at == 0 { "\n" } else { "" };
            text.extend([gap, name, ": ", value, "\n"]);
        }
        CommitMessage { text }
    }

    /// Makes the branch with an empty commit, so that a refusal comes before Machines change.
    async fn create_branch(&self, repository: &OwnRepository) -> Result<(), StoreError> {
        let failed = |error: GitError| self.error("write", &error);
        let note = WriteNote {
            subject: "aeroform: the branch of the state".to_owned(),
            trailers: Vec::new(),
        };
        let message = self.message(&note);
        let commit = repository.commit(None, None, &message);
        let commit = commit.await.map_err(failed)?;
        let name = self.address.branch_ref();
        let pushed = self
            .push(repository, &commit, &name)
            .await
            .map_err(failed)?;
        let there = repository.remote_ref(&name).await.map_err(failed)?;
        match pushed {
            _ if there.is_some() => Ok(()),
            PushOutcome::Refused(kind, cause) => Err(self.remote_error("write", cause, Some(kind))),
            PushOutcome::Accepted | PushOutcome::Moved => Err(self.remote_error(
                "write",
                "the branch was pushed and does not exist".to_owned(),
                Some(PushRefusal::Other),
            )),
        }
    }

    /// Whether the rules of the server let this program push to the branch, as far as that shows without a change.
    ///
    /// A push of two refs at once that cannot both be set: the second one is below the ref of the lock, which is
    /// held, and one name cannot be a ref and a folder. The server judges the push by its rules and hooks before
    /// it fails. Where it does not take such a push, only the write shows a rule.
    async fn check_rules(&self, repository: &Arc<OwnRepository>) -> Result<(), StoreError> {
        let failed = |error: GitError| self.error("write", &error);
        let lock = self.remote_lock("write").await?;
        let Some((held, _)) = lock.held_ref().await.map_err(failed)? else {
            return Ok(());
        };
        let name = self.address.branch_ref();
        let tip = repository.fetch_tip(&name, true).await.map_err(failed)?;
        let message = self.message(&WriteNote {
            subject: "aeroform: would a state be taken here".to_owned(),
            trailers: Vec::new(),
        });
        let commit = repository.commit(tip.as_ref(), None, &message).await;
        let commit = commit.map_err(failed)?;
        let blocked = format!("{held}/probe");
        let probed = repository.probe_push(&commit, &name, &blocked).await;
        match probed.map_err(failed)? {
            PushOutcome::Refused(kind, cause) if !kind.may_pass() => {
                Err(self.remote_error("write", cause, Some(kind)))
            }
            PushOutcome::Accepted | PushOutcome::Moved | PushOutcome::Refused(..) => Ok(()),
        }
    }

    fn lock_error(&self, what: &'static str, error: LockError) -> StoreError {
        match error {
            LockError::Held(holder) => StoreError::Locked {
                holder: holder.map(Box::new),
            },
            LockError::Git(error) => self.error(what, &error),
            LockError::Refused(kind, cause) => self.remote_error(what, cause, Some(kind)),
        }
    }

    /// Pushes without force; asks the pipeline to skip the commit where the server takes that.
    async fn push(
        &self,
        repository: &OwnRepository,
        commit: &ObjectId,
        name: &str,
    ) -> Result<PushOutcome, GitError> {
        if self.address.skip_ci && !self.refuses_options.load(Ordering::Relaxed) {
            let pushed = repository.push(Some(commit), name, None, &["ci.skip"]);
            match pushed.await? {
                PushOutcome::Refused(_, cause) if cause.contains("push options") => {
                    self.refuses_options.store(true, Ordering::Relaxed);
                }
                outcome => return Ok(outcome),
            }
        }
        repository.push(Some(commit), name, None, &[]).await
    }

    async fn commit_and_push(
        &self,
        text: &str,
        if_version: &Version,
        note: &WriteNote,
    ) -> Result<Version, StoreError> {
        let failed = |error: GitError| self.error("write", &error);
        let repository = self.repository("write").await?;
        let deadline = Instant::now() + WRITE_PATIENCE;
        let blob = repository.add_blob(text.as_bytes()).await;
        let blob = blob.map_err(failed)?;
        let ours = version_of(Some(&blob));
        let message = self.message(note);
        let mut tries: u32 = 0;
        let mut refused = None;
        loop {
            let head = match self.head(repository).await {
                Ok(head) => head,
                // After a push, the answer of a later look decides.
                Err(_) if tries > 0 && Instant::now() < deadline => {
                    sleep(pause(tries)).await;
                    tries += 1;
                    continue;
                }
                Err(error) => return Err(failed(error)),
            };
            let there = version_of(head.blob.as_ref());
            if there == ours {
                return Ok(ours);
            }
            if there != *if_version {
                return Err(StoreError::Changed {
                    place: self.location(),
                });
            }
            if let Some((kind, cause)) = refused {
                return Err(self.remote_error("write", cause, Some(kind)));
            }
            if tries > 0 && Instant::now() >= deadline {
                return Err(self.remote_error(
                    "write",
                    format!(
                        "the branch moved {tries} times within {} s",
                        WRITE_PATIENCE.as_secs()
                    ),
                    Some(PushRefusal::Network),
                ));
            }
            let change = FileChange {
                path: &self.address.path,
                blob: &blob,
            };
            let commit = repository.commit(head.commit.as_ref(), Some(&change), &message);
            let commit = commit.await.map_err(failed)?;
            let name = self.address.branch_ref();
            let pushed = self
                .push(repository, &commit, &name)
                .await
                .map_err(failed)?;
            tries += 1;
            match pushed {
                // Only a look shows what is true.
                PushOutcome::Accepted => {}
                PushOutcome::Moved => sleep(pause(tries)).await,
                PushOutcome::Refused(kind, _) if kind.may_pass() && Instant::now() < deadline => {
                    sleep(pause(tries)).await;
                }
                PushOutcome::Refused(kind, cause) => refused = Some((kind, cause)),
            }
        }
    }

    async fn remote_lock(&self, what: &'static str) -> Result<RemoteLock, StoreError> {
        let repository = Arc::clone(self.repository(what).await?);
        Ok(RemoteLock::new(
            repository,
            self.app.as_str(),
            self.lock_ttl,
            self.env.test_takeover().unwrap_or(self.lock_ttl),
        ))
    }
}

#[async_trait]
impl StateStore for GitStore {
    fn location(&self) -> String {
        self.address.url().to_owned()
    }

    async fn read(&self) -> Result<StoredText, StoreError> {
        let repository = self.repository("read").await?;
        let head = self.head(repository).await;
        let head = head.map_err(|error| self.error("read", &error))?;
        let text = match &head.blob {
            Some(blob) => Some(self.text(repository, blob).await?),
            None => None,
        };
        Ok(StoredText {
            text,
            version: version_of(head.blob.as_ref()),
        })
    }

    async fn write(
        &self,
        text: &str,
        if_version: &Version,
        note: &WriteNote,
    ) -> Result<Version, StoreError> {
        self.commit_and_push(text, if_version, note).await
    }

    async fn read_at(&self, commit: &str) -> Result<Option<String>, StoreError> {
        let Some(commit) = ObjectId::parse(commit) else {
            let cause = "name a commit by its full id".to_owned();
            return Err(self.remote_error("read", cause, None));
        };
        let repository = self.repository("read").await?;
        let read = async {
            if !repository.has(&commit).await? {
                repository.fetch_commit(&commit).await?;
            }
            repository.blob_at(&commit, &self.address.path).await
        };
        match read.await.map_err(|error| self.error("read", &error))? {
            Some(blob) => self.text(repository, &blob).await.map(Some),
            None => Ok(None),
        }
    }

    async fn can_write(&self) -> Result<(), StoreError> {
        let repository = self.repository("write").await?;
        let name = self.address.branch_ref();
        let there = repository.remote_ref(&name).await;
        match there.map_err(|error| self.error("write", &error))? {
            Some(_) => self.check_rules(repository).await,
            None => self.create_branch(repository).await,
        }
    }

    async fn lock(
        &self,
        holder: &Holder,
        patience: Duration,
        waiting: &mut LockWait<'_>,
    ) -> Result<Box<dyn StateLock>, StoreError> {
        let lock = self.remote_lock("lock").await?;
        match lock.acquire(holder, patience, waiting).await {
            Ok(held) => Ok(Box::new(held)),
            Err(error) => Err(self.lock_error("lock", error)),
        }
    }

    fn default_lock_patience(&self) -> Duration {
        LOCK_TTL * 3 / 2
    }

    async fn holder(&self) -> Result<LockStatus, StoreError> {
        let what = "check the lock of";
        let status = self.remote_lock(what).await?.status().await;
        status.map_err(|error| self.error(what, &error))
    }

    async fn liveness(&self, watching: &mut LockWatch<'_>) -> Result<LockLife, StoreError> {
        let what = "check the lock of";
        let life = self.remote_lock(what).await?.liveness(watching).await;
        life.map_err(|error| self.error(what, &error))
    }

    async fn unlock(
        &self,
        how: Unlock,
        watching: &mut LockWatch<'_>,
    ) -> Result<Unlocked, StoreError> {
        let what = "remove the lock of";
        let lock = self.remote_lock(what).await?;
        let unlocked = lock.unlock(how, watching).await;
        unlocked.map_err(|error| self.lock_error(what, error))
    }
}

/// The version is the blob, so that other files of the branch do not count.
fn version_of(blob: Option<&ObjectId>) -> Version {
    Version(blob.map_or_else(|| "absent".to_owned(), |blob| blob.as_str().to_owned()))
}

/// A pause that differs between writers, so that they do not meet again.
fn pause(tries: u32) -> Duration {
    let most = Duration::from_millis(20).saturating_mul(1 << tries.min(6));
    lock::jittered(most.min(MAX_PUSH_PAUSE))
}
