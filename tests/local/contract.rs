//! Provider `local` under the contract of all providers.

use aeroform::core::fleet::{AppName, MachineConfig};

use crate::ports::free_ports;
use crate::provider_contract::{Fixture, violations};
use crate::world::*;

struct ContractFixture;

impl Fixture for ContractFixture {
    fn app(&self, clause: usize) -> AppName {
        AppName::new(format!("app-{clause}")).unwrap()
    }

    fn config(&self, variant: u32) -> MachineConfig {
        let mut config = sleeper();
        config.env = Some([("VARIANT".to_owned(), variant.to_string())].into());
        config
    }

    fn port(&self) -> Option<u16> {
        Some(free_ports(1))
    }
}

#[tokio::test]
async fn local_keeps_the_contract_of_providers() {
    let world = LocalFixture::new();
    let found = violations(&world.provider, &ContractFixture).await;
    assert!(found.is_empty(), "{found:#?}");
    assert!(world.processes().is_empty());
}
