//! Provider `fly` under the contract of all providers.

use aeroform::core::fleet::{AppName, MachineConfig};
use aeroform::emulator::http::Server;
use aeroform::emulator::world::Timings;
use serde_json::json;

use crate::fixture::{over_http, platform, provider};
use crate::provider_contract::{Fixture, violations};

struct FlyContractFixture;

impl Fixture for FlyContractFixture {
    fn app(&self, clause: usize) -> AppName {
        AppName::new(format!("app-{clause}")).unwrap()
    }

    fn config(&self, variant: u32) -> MachineConfig {
        let config = json!({"image": format!("shop:{variant}"), "env": {"A": variant.to_string()}});
        MachineConfig::from_value(config).unwrap()
    }

    fn port(&self) -> Option<u16> {
        None
    }
}

fn with_apps() -> Server {
    let server = platform();
    for clause in 0..100 {
        server
            .world()
            .add_app(FlyContractFixture.app(clause).as_str());
    }
    server
}

#[tokio::test(start_paused = true)]
async fn in_process_the_contract_is_kept() {
    let server = with_apps();
    assert_eq!(
        violations(&provider(&server), &FlyContractFixture).await,
        []
    );
}

#[tokio::test]
async fn over_http_the_contract_is_kept() {
    let server = with_apps();
    server.world().timings = Timings::instant();
    let provider = over_http(&server).await;
    assert_eq!(violations(&provider, &FlyContractFixture).await, []);
}
