//! The store in memory: the contract, and its injected faults.

use std::time::Duration;

use aeroform::store::{StateStore, StoreError, WriteNote};

use crate::memory_store::{FailWrite, MemoryStore};
use crate::store_contract::{self as contract, StoreFixture, holder};

struct MemoryStoreFixture(MemoryStore);

impl StoreFixture for MemoryStoreFixture {
    fn client(&self) -> Box<dyn StateStore> {
        Box::new(self.0.clone())
    }

    fn break_lock(&self) {
        self.0.lose_lock();
    }
}

macro_rules! keeps {
    ($($promise:ident)*) => {$(
        #[tokio::test(start_paused = true)]
        async fn $promise() {
            contract::$promise(&MemoryStoreFixture(MemoryStore::default())).await;
        }
    )*};
}

crate::store_contract::store_promises!(keeps);

async fn put(store: &MemoryStore, text: &str) -> Result<(), StoreError> {
    let version = store.read().await?.version;
    store
        .write(text, &version, &WriteNote::default())
        .await
        .map(drop)
}

#[tokio::test]
async fn the_chosen_write_fails_before_or_after_it_took_effect_and_the_next_one_works() {
    for (how, left) in [(FailWrite::Before, "one"), (FailWrite::After, "two")] {
        let store = MemoryStore::default();
        store.fail_write(2, how);
        put(&store, "one").await.unwrap();
        assert!(!store.fired());
        assert!(put(&store, "two").await.is_err());
        assert!(store.fired());
        assert_eq!(store.text().as_deref(), Some(left));
        put(&store, "three").await.unwrap();
        assert_eq!(store.text().as_deref(), Some("three"));
        assert_eq!(store.writes(), 3);
    }
}

#[tokio::test]
async fn after_a_crash_nothing_works_until_the_restart_which_finds_the_lock_free() {
    for (how, left) in [
        (FailWrite::CrashBefore, None),
        (FailWrite::CrashAfter, Some("one")),
    ] {
        let store = MemoryStore::default();
        let held = store
            .lock(&holder("ana"), Duration::ZERO, &mut |_| {})
            .await
            .unwrap();
        store.fail_write(1, how);
        assert!(put(&store, "one").await.is_err());
        assert!(put(&store, "two").await.is_err());
        assert!(!held.is_held());
        store.restart();
        assert_eq!(store.text().as_deref(), left);
        let again = store
            .lock(&holder("ana"), Duration::ZERO, &mut |_| {})
            .await;
        assert!(again.is_ok());
        put(&store, "three").await.unwrap();
    }
}
