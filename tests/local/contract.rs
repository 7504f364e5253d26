//! Provider `local` under the contract of all providers.

use std::collections::BTreeSet;
use std::sync::Mutex;

use aeroform::core::fleet::{AppName, MachineConfig};
use aeroform::provider::contract::{Fixture, violations};

use crate::world::*;

#[derive(Default)]
struct Ports(Mutex<BTreeSet<u16>>);

impl Fixture for Ports {
    fn app(&self, clause: usize) -> AppName {
        AppName::new(format!("app-{clause}")).unwrap()
    }

    fn config(&self, variant: u32) -> MachineConfig {
        let mut config = sleeper();
        config.env = Some([("VARIANT".to_owned(), variant.to_string())].into());
        config
    }

    fn port(&self) -> Option<u16> {
        let mut given = self.0.lock().unwrap();
        std::iter::repeat_with(free_port).find(|port| given.insert(*port))
    }
}

#[tokio::test]
async fn local_keeps_the_contract_of_providers() {
    let world = World::new();
    let found = violations(&world.provider, &Ports::default()).await;
    assert!(found.is_empty(), "{found:#?}");
    assert!(world.processes().is_empty());
}
