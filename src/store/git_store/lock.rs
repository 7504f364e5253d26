//! The lock of a state in git: a ref of the remote, created only if it is absent (rule 26).
//!
//! The ref points to a commit without parent or files whose message is the holder and a nonce; without the
//! nonce, two holders with the same record would push the same object and both succeed. The holder renews it at a
//! third of its lifetime, from a thread of its own, and starts no call later than half a lifetime after its last
//! renewal. A waiter compares no clocks: it takes over what it saw unchanged for a complete lifetime.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use tokio::runtime::Builder;
use tokio::time::{Instant, sleep};

use super::super::{
    Holder, LockLife, LockStatus, LockWait, LockWatch, StateLock, StoreError, Unlock, Unlocked,
};
use crate::git::{CommitMessage, GitError, ObjectId, OwnRepository, PushOutcome, PushRefusal};

/// How often a waiter looks, at most.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// How often a forced removal is repeated while the holder renews.
const FORCED_TRIES: u32 = 10;
/// The time between two attempts to renew after a failed one.
const RENEW_RETRY: Duration = Duration::from_secs(2);

/// The lock of one app.
pub(super) struct RemoteLock {
    repository: Arc<OwnRepository>,
    /// The ref, and the one for servers that take only branches.
    refs: [String; 2],
    ttl: Duration,
    /// How long another holder's record must stay unchanged until it is replaced, and three times the interval of
    /// renewals: `ttl`, except in tests.
    takeover: Duration,
}

/// Why the lock was not acquired.
#[derive(Debug)]
pub(super) enum LockError {
    Held(Option<Holder>),
    Refused(PushRefusal, String),
    Git(GitError),
}

impl From<GitError> for LockError {
    fn from(error: GitError) -> Self {
        Self::Git(error)
    }
}

impl RemoteLock {
    pub(super) fn new(
        repository: Arc<OwnRepository>,
        app: &str,
        ttl: Duration,
        takeover: Duration,
    ) -> Self {
        let refs = [
            format!("refs/aeroform/lock/{app}"),
            format!("refs/heads/aeroform-lock/{app}"),
        ];
        Self {
            repository,
            refs,
            ttl,
            takeover,
        }
    }

    /// The current holder.
    pub(super) async fn status(&self) -> Result<LockStatus, GitError> {
        Ok(match self.held_ref().await? {
            None => LockStatus::Free,
            Some((name, id)) => LockStatus::Held(self.holder_at(&name, &id).await),
        })
    }

    /// Waits at most `patience` for it.
    pub(super) async fn acquire(
        self,
        holder: &Holder,
        patience: Duration,
        waiting: &mut LockWait<'_>,
    ) -> Result<HeldLock, LockError> {
        // `None` is a deadline beyond the clock's range.
        let deadline = Instant::now().checked_add(patience);
        let mut seen: Option<(ObjectId, Instant)> = None;
        let mut reported: Option<Option<Holder>> = None;
        let mut current = None;
        loop {
            let Some((name, id)) = self.held_ref().await? else {
                match self.create(holder).await? {
                    Some(held) => return Ok(held),
                    // Another client was faster.
                    None => continue,
                }
            };
            match &seen {
                Some((seen_id, since)) if *seen_id == id => {
                    if since.elapsed() >= self.takeover {
                        let taken = self.replace(holder, &name, Some(&id)).await?;
                        match taken {
                            Acquired::Yes(held) => return Ok(held),
                            Acquired::TooLate => {
                                seen = None;
                                continue;
                            }
                            Acquired::Refused(kind, cause) => {
                                return Err(LockError::Refused(kind, cause));
                            }
                        }
                    }
                }
                _ => {
                    current = self.holder_at(&name, &id).await;
                    seen = Some((id, Instant::now()));
                }
            }
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Err(LockError::Held(current));
            }
            if reported.as_ref() != Some(&current) {
                waiting(current.as_ref());
                reported = Some(current.clone());
            }
            let pause = jittered(POLL_INTERVAL.min(self.takeover / 8));
            sleep(left.map_or(pause, |left| left.min(pause))).await;
        }
    }

    /// Removes the lock if its holder does not renew it within one lifetime, or by force.
    pub(super) async fn unlock(
        &self,
        how: Unlock,
        watching: &mut LockWatch<'_>,
    ) -> Result<Unlocked, LockError> {
        let Some((mut name, mut id)) = self.held_ref().await? else {
            return Ok(Unlocked::Free);
        };
        let holder = self.holder_at(&name, &id).await;
        if how == Unlock::IfStale {
            watching(holder.as_ref(), self.takeover);
            match self.watch(&id).await? {
                WatchedRecord::Removed => return Ok(Unlocked::Free),
                WatchedRecord::Renewed(renewed) => return Ok(self.live(&renewed).await),
                WatchedRecord::Unchanged => {}
            }
        }
        for _ in 0..FORCED_TRIES {
            let pushed = self
                .repository
                .push(None, &name, Some(Some(&id)), &[])
                .await?;
            match (self.held_ref().await?, pushed) {
                (None, _) => return Ok(Unlocked::Removed(holder)),
                (Some((_, there)), PushOutcome::Refused(kind, cause)) if there == id => {
                    return Err(LockError::Refused(kind, cause));
                }
                (Some(renewed), _) => {
                    let is_same = self.holder_at(&renewed.0, &renewed.1).await == holder;
                    if how == Unlock::IfStale || !is_same {
                        return Ok(self.live(&renewed).await);
                    }
                    (name, id) = renewed;
                }
            }
        }
        Ok(self.live(&(name, id)).await)
    }

    /// Whether the holder is alive: it renews or releases the lock within one lifetime.
    pub(super) async fn liveness(
        &self,
        watching: &mut LockWatch<'_>,
    ) -> Result<LockLife, GitError> {
        let Some((name, id)) = self.held_ref().await? else {
            return Ok(LockLife::Free);
        };
        let holder = self.holder_at(&name, &id).await;
        watching(holder.as_ref(), self.takeover);
        Ok(match self.watch(&id).await? {
            WatchedRecord::Removed => LockLife::Free,
            WatchedRecord::Renewed((name, id)) => LockLife::Live(self.holder_at(&name, &id).await),
            WatchedRecord::Unchanged => LockLife::Stale(holder),
        })
    }

    /// Watches a record for one lifetime at most.
    async fn watch(&self, id: &ObjectId) -> Result<WatchedRecord, GitError> {
        let began = Instant::now();
        while began.elapsed() < self.takeover {
            sleep(jittered(POLL_INTERVAL.min(self.takeover / 8))).await;
            match self.held_ref().await? {
                None => return Ok(WatchedRecord::Removed),
                Some((_, there)) if there == *id => {}
                Some(renewed) => return Ok(WatchedRecord::Renewed(renewed)),
            }
        }
        Ok(WatchedRecord::Unchanged)
    }

    async fn live(&self, (name, id): &(String, ObjectId)) -> Unlocked {
        Unlocked::Live {
            holder: self.holder_at(name, id).await,
            by_force: true,
        }
    }

    async fn create(&self, holder: &Holder) -> Result<Option<HeldLock>, LockError> {
        let mut refused = Vec::new();
        for name in &self.refs {
            match self.replace(holder, name, None).await? {
                Acquired::Yes(held) => return Ok(Some(held)),
                Acquired::TooLate => return Ok(None),
                Acquired::Refused(kind, cause) if kind.may_pass() => {
                    return Err(LockError::Refused(kind, cause));
                }
                Acquired::Refused(kind, cause) => refused.push((kind, cause)),
            }
        }
        let (kind, last) = refused.pop().expect("there are refs to try");
        let mut causes: Vec<String> = refused.into_iter().map(|(_, cause)| cause).collect();
        causes.retain(|cause| *cause != last);
        causes.push(last);
        let ([first, second], causes) = (&self.refs, causes.join("; "));
        let cause =
            format!("the server takes neither `{first}` nor `{second}` as a lock: {causes}");
        Err(LockError::Refused(kind, cause))
    }

    /// Points the ref to a record of ours if it is still as expected.
    async fn replace(
        &self,
        holder: &Holder,
        name: &str,
        expected: Option<&ObjectId>,
    ) -> Result<Acquired, GitError> {
        let since = boot_time();
        let record = record(&self.repository, holder).await?;
        let pushed = self
            .repository
            .push(Some(&record), name, Some(expected), &[])
            .await?;
        // The answer may be lost, so that a look decides.
        let there = self.repository.remote_ref(name).await?;
        if there.as_ref() == Some(&record) {
            let held = HeldLock::start(self, name, holder, record, since);
            return Ok(Acquired::Yes(held));
        }
        Ok(match pushed {
            PushOutcome::Refused(kind, cause) if there.as_ref() == expected => {
                Acquired::Refused(kind, cause)
            }
            _ => Acquired::TooLate,
        })
    }

    /// The ref that is held, and its record.
    pub(super) async fn held_ref(&self) -> Result<Option<(String, ObjectId)>, GitError> {
        let names = [self.refs[0].as_str(), self.refs[1].as_str()];
        Ok(self
            .repository
            .remote_refs(&names)
            .await?
            .into_iter()
            .next())
    }

    /// The holder that a record names; it may be replaced or removed meanwhile.
    async fn holder_at(&self, name: &str, id: &ObjectId) -> Option<Holder> {
        if !self.repository.has(id).await.ok()? {
            self.repository.fetch_tip(name, false).await.ok()?;
        }
        let message = self.repository.message(id).await.ok()?;
        serde_json::from_str(message.lines().next()?).ok()
    }
}

/// What became of a record while it was watched.
enum WatchedRecord {
    Removed,
    Renewed((String, ObjectId)),
    Unchanged,
}

enum Acquired {
    Yes(HeldLock),
    TooLate,
    Refused(PushRefusal, String),
}

/// A held lock.
#[derive(Debug)]
pub(super) struct HeldLock {
    name: String,
    state: Arc<Mutex<LockState>>,
    /// Dropping it ends the renewal, which then releases the lock.
    stop: Option<Sender<()>>,
    renewal: Option<JoinHandle<()>>,
    ttl: Duration,
}

#[derive(Debug)]
struct LockState {
    record: ObjectId,
    /// When the last successful renewal began, on a clock that counts suspend.
    renewed: Duration,
    is_lost: bool,
}

impl HeldLock {
    fn start(
        lock: &RemoteLock,
        name: &str,
        holder: &Holder,
        record: ObjectId,
        since: Duration,
    ) -> Self {
        let state = Arc::new(Mutex::new(LockState {
            record,
            renewed: since,
            is_lost: false,
        }));
        let (stop, stopped) = channel();
        let renewal = Renewal {
            repository: Arc::clone(&lock.repository),
            name: name.to_owned(),
            holder: holder.clone(),
            state: Arc::clone(&state),
            takeover: lock.takeover,
        };
        let renewal = std::thread::spawn(move || renewal.run(&stopped));
        Self {
            name: name.to_owned(),
            state,
            stop: Some(stop),
            renewal: Some(renewal),
            ttl: lock.ttl,
        }
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(renewal) = self.renewal.take() {
            // A panic of the thread leaves a lock that expires.
            let _ = renewal.join();
        }
    }
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        self.end();
    }
}

#[async_trait]
impl StateLock for HeldLock {
    fn is_held(&self) -> bool {
        let state = lock_state(&self.state);
        !state.is_lost && boot_time().saturating_sub(state.renewed) < self.ttl / 2
    }

    fn ref_name(&self) -> Option<&str> {
        Some(&self.name)
    }

    async fn release(mut self: Box<Self>) -> Result<(), StoreError> {
        let ended = tokio::task::spawn_blocking(move || self.end());
        let _ = ended.await;
        Ok(())
    }
}

/// Renews a lock until it is released.
struct Renewal {
    repository: Arc<OwnRepository>,
    name: String,
    holder: Holder,
    state: Arc<Mutex<LockState>>,
    takeover: Duration,
}

impl Renewal {
    fn run(&self, stopped: &Receiver<()>) {
        let runtime = Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        let mut pause = self.takeover / 3;
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(pause) {
            pause = match runtime.block_on(self.renew()) {
                Ok(()) => self.takeover / 3,
                // It is unknown; the record decides at the next attempt.
                Err(_) => RENEW_RETRY.min(self.takeover / 10),
            };
            if lock_state(&self.state).is_lost {
                return;
            }
        }
        runtime.block_on(self.release());
    }

    async fn renew(&self) -> Result<(), GitError> {
        let since = boot_time();
        let old = lock_state(&self.state).record.clone();
        let record = record(&self.repository, &self.holder).await?;
        let pushed = self
            .repository
            .push(Some(&record), &self.name, Some(Some(&old)), &[])
            .await?;
        let there = self.repository.remote_ref(&self.name).await?;
        let mut state = lock_state(&self.state);
        if there.as_ref() == Some(&record) {
            state.record = record;
            state.renewed = since;
        } else if there.as_ref() != Some(&old) {
            state.is_lost = true;
        } else if pushed != PushOutcome::Accepted {
            return Err(GitError::Failed {
                command: "push".to_owned(),
                message: "the lock was not renewed".to_owned(),
            });
        }
        Ok(())
    }

    async fn release(&self) {
        let record = lock_state(&self.state).record.clone();
        // A lock that is not released expires.
        let _ = self
            .repository
            .push(None, &self.name, Some(Some(&record)), &[])
            .await;
    }
}

fn lock_state(state: &Mutex<LockState>) -> MutexGuard<'_, LockState> {
    state
        .lock()
        .expect("no holder of this mutex panics while it has it")
}

/// A new record of this holder, as a commit.
async fn record(repository: &OwnRepository, holder: &Holder) -> Result<ObjectId, GitError> {
    let holder = serde_json::to_string(holder).expect("a holder always serialises");
    let nonce = HEXLOWER.encode(&random_bytes());
    let text = format!("{holder}\n\n{nonce}\n");
    repository.commit(None, None, &CommitMessage { text }).await
}

fn random_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    // Whatever was not filled stays zero; the kernel fills 16 bytes at once.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    bytes
}

/// Between half of this and all of it.
pub(super) fn jittered(most: Duration) -> Duration {
    let [byte, ..] = random_bytes();
    most / 2 + most / 2 * u32::from(byte) / 255
}

/// A clock that counts suspend.
fn boot_time() -> Duration {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let clock = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(clock);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(now.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanos)
}
