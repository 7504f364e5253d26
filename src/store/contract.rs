//! What every state store promises, as functions that panic where a store breaks it.
//!
//! A store's test gives a fresh [`StoreFixture`] to each of them; names are the promises, and
//! [`store_promises`](crate::store_promises) lists them.

use std::time::Duration;

use tokio::sync::Notify;

use super::{Holder, LockStatus, StateLock, StateStore, StoreError};

/// A fresh place, never written.
pub trait StoreFixture: Sync {
    /// Another client of the place, as another process would be.
    fn client(&self) -> Box<dyn StateStore>;

    /// Takes the lock away from whoever holds it, as the world outside may.
    fn break_lock(&self);
}

/// Gives the names of all promises to a macro, so that no store's test leaves one out.
#[macro_export]
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
            a_waiter_is_told_whom_it_waits_for_and_then_gets_the_lock
            a_held_lock_keeps_nobody_from_reading
            a_lock_that_was_lost_says_so
        }
    };
}

const NO_PATIENCE: Duration = Duration::ZERO;
const LONG_PATIENCE: Duration = Duration::from_secs(30);

fn holder(who: &str) -> Holder {
    Holder {
        who: who.to_owned(),
        host: "host".to_owned(),
        pid: 1,
        command: "apply".to_owned(),
        since: "2024-01-01T00:00:00Z".to_owned(),
        run: Some("7f3k".to_owned()),
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
    client.write(text, &version).await.expect("it writes");
}

async fn text(client: &dyn StateStore) -> Option<String> {
    client.read().await.expect("it reads").text
}

/// A place that was never written has no text, and saying so creates none.
pub async fn a_place_that_was_never_written_has_no_text(bench: &dyn StoreFixture) {
    assert_eq!(text(&*bench.client()).await, None);
    assert_eq!(text(&*bench.client()).await, None);
}

/// Every byte of a text is kept.
pub async fn what_one_client_writes_another_reads(bench: &dyn StoreFixture) {
    let written = "{\"é\": \"\u{1F980}\"}\r\n\n".repeat(1000);
    write_first(&*bench.client(), &written).await;
    assert_eq!(text(&*bench.client()).await, Some(written));
}

/// The version that a write answers is the one to name in the next write.
pub async fn a_client_can_write_again_without_reading(bench: &dyn StoreFixture) {
    let client = bench.client();
    let absent = client.read().await.expect("it reads").version;
    let first = client.write("one", &absent).await.expect("it writes");
    client.write("two", &first).await.expect("it writes again");
    assert_eq!(text(&*client).await.as_deref(), Some("two"));
}

/// A write over a version that is gone is refused, and what came meanwhile stays.
pub async fn a_stale_version_is_refused(bench: &dyn StoreFixture) {
    let (mine, theirs) = (bench.client(), bench.client());
    write_first(&*mine, "base").await;
    let seen = mine.read().await.expect("it reads").version;
    write_first(&*theirs, "theirs").await;
    let refused = mine.write("mine", &seen).await;
    assert!(
        matches!(refused, Err(StoreError::Changed { .. })),
        "{refused:?}"
    );
    assert_eq!(text(&*mine).await.as_deref(), Some("theirs"));
}

/// Two clients that both saw nothing: the first one wins.
pub async fn a_first_write_never_passes_over_another_first_write(bench: &dyn StoreFixture) {
    let (mine, theirs) = (bench.client(), bench.client());
    let absent = mine.read().await.expect("it reads").version;
    write_first(&*theirs, "theirs").await;
    let refused = mine.write("mine", &absent).await;
    assert!(
        matches!(refused, Err(StoreError::Changed { .. })),
        "{refused:?}"
    );
    assert_eq!(text(&*mine).await.as_deref(), Some("theirs"));
}

/// One lock, and who asks for it in vain learns who has it.
pub async fn two_clients_have_one_lock(bench: &dyn StoreFixture) {
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

/// The holder is shown while there is one, and nobody afterwards.
pub async fn the_holder_is_shown_while_it_holds(bench: &dyn StoreFixture) {
    let client = bench.client();
    assert_eq!(client.holder().await.expect("it looks"), LockStatus::Free);
    let held = lock(&*client, "ana").await;
    let status = bench.client().holder().await.expect("it looks");
    assert_eq!(status, LockStatus::Held(Some(holder("ana"))));
    held.release().await.expect("it lets go");
    assert_eq!(client.holder().await.expect("it looks"), LockStatus::Free);
}

/// Letting go by release or by drop is the same.
pub async fn a_lock_that_was_let_go_can_be_taken(bench: &dyn StoreFixture) {
    let client = bench.client();
    let released = lock(&*client, "ana").await;
    released.release().await.expect("it lets go");
    drop(lock(&*client, "bo").await);
    lock(&*client, "cy").await;
}

/// A waiter is told who holds the lock, once, and gets it when it is let go.
pub async fn a_waiter_is_told_whom_it_waits_for_and_then_gets_the_lock(bench: &dyn StoreFixture) {
    let (first, second) = (bench.client(), bench.client());
    let held = lock(&*first, "ana").await;
    let waits = Notify::new();
    let mut told = Vec::new();
    let mut waiting = |by: Option<&Holder>| {
        told.push(by.cloned());
        waits.notify_one();
    };
    let waiter = holder("bo");
    let (taken, ()) = tokio::join!(second.lock(&waiter, LONG_PATIENCE, &mut waiting), async {
        waits.notified().await;
        held.release().await.expect("it lets go");
    });
    assert!(taken.expect("it was let go").is_held());
    assert_eq!(told.first(), Some(&Some(holder("ana"))));
    let named = told.iter().filter(|by| **by == Some(holder("ana"))).count();
    assert_eq!(named, 1, "one holder is told of once: {told:?}");
}

/// Reading and writing do not wait for the lock; it excludes runs, not looks.
pub async fn a_held_lock_keeps_nobody_from_reading(bench: &dyn StoreFixture) {
    let (first, second) = (bench.client(), bench.client());
    let held = lock(&*first, "ana").await;
    assert_eq!(text(&*second).await, None);
    write_first(&*first, "hers").await;
    assert_eq!(text(&*second).await.as_deref(), Some("hers"));
    assert!(held.is_held(), "writing took the lock away");
}

/// A holder whose lock was taken away can tell before it writes; another client can take it, and the
/// first one's going does not free it.
pub async fn a_lock_that_was_lost_says_so(bench: &dyn StoreFixture) {
    let (first, second) = (bench.client(), bench.client());
    let lost = lock(&*first, "ana").await;
    bench.break_lock();
    assert!(!lost.is_held());
    let taken = lock(&*second, "bo").await;
    assert!(taken.is_held() && !lost.is_held());
    drop(lost);
    assert!(taken.is_held());
    let status = first.holder().await.expect("it looks");
    assert_eq!(status, LockStatus::Held(Some(holder("bo"))));
}
