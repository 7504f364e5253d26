//! The emulated world under the contract of all providers.

use aeroform::core::fleet::{AppName, MachineConfig};
use serde_json::json;

use crate::provider_contract::{Fixture, violations};
use crate::sim::SimProvider;

struct SimFixture;

impl Fixture for SimFixture {
    fn app(&self, clause: usize) -> AppName {
        AppName::new(format!("app-{clause}")).unwrap()
    }

    fn config(&self, variant: u32) -> MachineConfig {
        MachineConfig::from_value(json!({"image": format!("shop:{variant}")})).unwrap()
    }

    fn port(&self) -> Option<u16> {
        None
    }
}

#[tokio::test(start_paused = true)]
async fn the_emulated_world_keeps_the_contract_of_providers() {
    let sim = SimProvider::new("seed");
    for clause in 0..100 {
        sim.world().add_app(SimFixture.app(clause).as_str());
    }
    assert_eq!(violations(&sim, &SimFixture).await, []);
}
