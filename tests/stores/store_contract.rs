//! The contract of state stores: functions that panic if a store violates it.
//!
//! A store's test passes a fresh [`StoreFixture`] to each; [`store_promises`] lists them all.

use std::time::Duration;

use aeroform::store::{Holder, LockStatus, StateLock, StateStore, StoreError, WriteNote};
use tokio::sync::Notify;

/// A fresh place that was never written.
pub(crate) trait StoreFixture: Sync {
    /// Another client of the place, like another process.
    fn client(&self) -> Box<dyn StateStore>;

    /// Removes the lock from its holder, as an outside event would.
    fn break_lock(&self);
}

/// Passes the names of all promises to a macro, so that a store's test cannot omit one.
macro_rules! store_promises {
    ($with:ident) => {
        $with! {
            a_place_that_was_never_written_has_no_text
            what_one_client_writes_another_reads
            a_client_can_write_again_without_reading
            a_stale_version_is_refused
            a_first_write_never_passes_over_another_first_write
            two_clients_have_one_lock
            the_holder_is_shown_while_it_holds
            a_lock_that_was_let_go_can_be_taken
            a_waiter_learns_the_holder_and_then_gets_the_lock
            a_held_lock_does_not_block_readers
            a_lock_that_was_lost_says_so
        }
    };
}
pub(crate) use store_promises;

const NO_PATIENCE: Duration = Duration::ZERO;
const LONG_PATIENCE: Duration = Duration::from_secs(30);

/// A holder of this name.
pub(crate) fn holder(who: &str) -> Holder {
    Holder {
        who: who.to_owned(),
        host: "host".to_owned(),
        pid: 1,
        command: "apply".to_owned(),
        since: "2024-01-01T00:00:00Z".to_owned(),
        run: Some("7f3k".to_owned()),
        url: None,
    }
}

async fn lock(client: &dyn StateStore, who: &str) -> Box<dyn StateLock> {
    client
        .lock(&holder(who), NO_PATIENCE, &mut |_| {})
        .await
        .expect("a free lock is given at once")
}

async fn write_first(client: &dyn StateStore, text: &str) {
    let version = client.read().await.expect("it reads").version;
    client
        .write(text, &version, &WriteNote::default())
        .await
        .expect("it writes");
}

async fn text(client: &dyn StateStore) -> Option<String> {
    client.read().await.expect("it reads").text
}

/// A place that was never written has no text, and reading creates none.
pub(crate) async fn a_place_that_was_never_written_has_no_text(bench: &dyn StoreFixture) {
    assert_eq!(text(&*bench.client()).await, None);
    assert_eq!(text(&*bench.client()).await, None);
}

/// Text is stored byte for byte.
pub(crate) async fn what_one_client_writes_another_reads(bench: &dyn StoreFixture) {
    let written = "{\"é\": \"\u{1F980}\"}\r\n\n".repeat(1000);
    write_first(&*bench.client(), &written).await;
    assert_eq!(text(&*bench.client()).await, Some(written));
}

/// A write returns the version to use for the next write.
pub(crate) async fn a_client_can_write_again_without_reading(bench: &dyn StoreFixture) {
    let client = bench.client();
    let absent = client.read().await.expect("it reads").version;
    let first = client
        .write("one", &absent, &WriteNote::default())
        .await
        .expect("it writes");
    client
        .write("two", &first, &WriteNote::default())
        .await
        .expect("it writes again");
    assert_eq!(text(&*client).await.as_deref(), Some("two"));
}

/// A write based on an old version is refused, and the newer text stays.
pub(crate) async fn a_stale_version_is_refused(bench: &dyn StoreFixture) {
    let (mine, theirs) = (bench.client(), bench.client());
    write_first(&*mine, "base").await;
    let seen = mine.read().await.expect("it reads").version;
    write_first(&*theirs, "theirs").await;
    let refused = mine.write("mine", &seen, &WriteNote::default()).await;
    assert!(
        matches!(refused, Err(StoreError::Changed { .. })),
        "{refused:?}"
    );
    assert_eq!(text(&*mine).await.as_deref(), Some("theirs"));
}

/// If two clients both saw no text, the first write wins.
pub(crate) async fn a_first_write_never_passes_over_another_first_write(bench: &dyn StoreFixture) {
    let (mine, theirs) = (bench.client(), bench.client());
    let absent = mine.read().await.expect("it reads").version;
    write_first(&*theirs, "theirs").await;
    let refused = mine.write("mine", &absent, &WriteNote::default()).await;
    assert!(
        matches!(refused, Err(StoreError::Changed { .. })),
        "{refused:?}"
    );
    assert_eq!(text(&*mine).await.as_deref(), Some("theirs"));
}

/// There is one lock, and a client that cannot get it learns the holder.
pub(crate) async fn two_clients_have_one_lock(bench: &dyn StoreFixture) {
    let (first, second) = (bench.client(), bench.client());
    let held = lock(&*first, "ana").await;
    assert!(held.is_held());
    match second.lock(&holder("bo"), NO_PATIENCE, &mut |_| {}).await {
        Err(StoreError::Locked { holder: Some(by) }) => assert_eq!(*by, holder("ana")),
        other => panic!(
            "the lock was given twice or without a name: {:?}",
            other.err()
        ),
    }
    assert!(held.is_held(), "asking took the lock away");
}

/// The holder is shown only while it holds the lock.
pub(crate) async fn the_holder_is_shown_while_it_holds(bench: &dyn StoreFixture) {
    let client = bench.client();
    assert_eq!(client.holder().await.expect("it looks"), LockStatus::Free);
    let held = lock(&*client, "ana").await;
    let status = bench.client().holder().await.expect("it looks");
    assert_eq!(status, LockStatus::Held(Some(holder("ana"))));
    held.release().await.expect("it lets go");
    assert_eq!(client.holder().await.expect("it looks"), LockStatus::Free);
}

/// Releasing and dropping a lock have the same effect.
pub(crate) async fn a_lock_that_was_let_go_can_be_taken(bench: &dyn StoreFixture) {
    let client = bench.client();
    let released = lock(&*client, "ana").await;
    released.release().await.expect("it lets go");
    drop(lock(&*client, "bo").await);
    lock(&*client, "cy").await;
}

/// A waiter learns the holder once, and gets the lock when it is released.
pub(crate) async fn a_waiter_learns_the_holder_and_then_gets_the_lock(bench: &dyn StoreFixture) {
    let (first, second) = (bench.client(), bench.client());
    let held = lock(&*first, "ana").await;
    let waits = Notify::new();
    let mut holders = Vec::new();
    let mut waiting = |by: Option<&Holder>| {
        holders.push(by.cloned());
        waits.notify_one();
    };
    let waiter = holder("bo");
    let (acquired, ()) = tokio::join!(second.lock(&waiter, LONG_PATIENCE, &mut waiting), async {
        waits.notified().await;
        held.release().await.expect("it lets go");
    });
    assert!(acquired.expect("it was let go").is_held());
    assert_eq!(holders.first(), Some(&Some(holder("ana"))));
    let named = holders
        .iter()
        .filter(|by| **by == Some(holder("ana")))
        .count();
    assert_eq!(named, 1, "a holder is reported once: {holders:?}");
}

/// Reading and writing do not need the lock.
pub(crate) async fn a_held_lock_does_not_block_readers(bench: &dyn StoreFixture) {
    let (first, second) = (bench.client(), bench.client());
    let held = lock(&*first, "ana").await;
    assert_eq!(text(&*second).await, None);
    write_first(&*first, "hers").await;
    assert_eq!(text(&*second).await.as_deref(), Some("hers"));
    assert!(held.is_held(), "writing took the lock away");
}

/// A holder that lost its lock can detect that before it writes; another client can acquire the lock, and
/// dropping the lost one does not release it.
pub(crate) async fn a_lock_that_was_lost_says_so(bench: &dyn StoreFixture) {
    let (first, second) = (bench.client(), bench.client());
    let lost = lock(&*first, "ana").await;
    bench.break_lock();
    assert!(!lost.is_held());
    let acquired = lock(&*second, "bo").await;
    assert!(acquired.is_held() && !lost.is_held());
    drop(lost);
    assert!(acquired.is_held());
    let status = first.holder().await.expect("it looks");
    assert_eq!(status, LockStatus::Held(Some(holder("bo"))));
}
