//! Every code of provider `fly`, provoked.

use aeroform::core::fleet::call::CreateCall;
use aeroform::core::fleet::{AppName, Call, GroupName, MachineConfig, MachineName, Region, Stamps};
use aeroform::emulator::world::{Fault, FaultEffect};
use aeroform::provider::fly::{
    Access, FlyProvider, HttpTransport, Request, Response, Transport, TransportError, codes,
};
use aeroform::provider::{LogQuery, LogScope, Provider};
use serde_json::json;

use crate::fixture::{access, platform, provider};
use crate::provoked::assert_all_provoked;

fn refused(vars: &[(&str, &'static str)]) -> String {
    let found = |name: &str| {
        let pair = vars.iter().find(|(key, _)| *key == name);
        pair.map(|(_, value)| *value)
    };
    Access::from_vars(found).unwrap_err().code.name().to_owned()
}

fn create() -> Call {
    Call::Create(Box::new(CreateCall {
        name: MachineName::new("web-a").unwrap(),
        group: GroupName::new("web").unwrap(),
        region: Region::new("ams").unwrap(),
        config: MachineConfig::from_value(json!({"image": "shop:1"})).unwrap(),
        stamps: Stamps::default(),
        skip_launch: false,
        cordoned: false,
        without_lease: false,
        port: None,
    }))
}

/// The code of a create that meets this.
async fn answered(effect: FaultEffect) -> String {
    let server = platform();
    server.world().inject(Fault::on("create", effect));
    let app = AppName::new("shop").unwrap();
    let error = provider(&server).call(&app, &create()).await.unwrap_err();
    error.code.to_owned()
}

async fn unconnected() -> String {
    let access = access("http://127.0.0.1:9");
    let unreachable = FlyProvider::new(HttpTransport::new(&access).unwrap(), access);
    let app = AppName::new("shop").unwrap();
    unreachable
        .describe(&app)
        .await
        .unwrap_err()
        .code
        .to_owned()
}

const LONG: &str = "fm2_lJPECAAAAAAAAAAAxyz";

/// One answer to everything.
struct FixedTransport(Result<Response, TransportError>);

#[async_trait::async_trait]
impl Transport for FixedTransport {
    async fn send(&self, _: Request) -> Result<Response, TransportError> {
        self.0.clone()
    }
}

/// The code of a description that is answered so.
async fn described(answer: Result<Response, TransportError>) -> String {
    let access = Access::from_vars(|name| match name {
        "FLY_API_TOKEN" => Some(LONG),
        "FLY_FLAPS_BASE_URL" => Some("http://127.0.0.1:9"),
        _ => None,
    });
    let provider = FlyProvider::new(FixedTransport(answer), access.unwrap());
    let app = AppName::new("shop").unwrap();
    let error = provider.describe(&app).await.unwrap_err();
    assert!(!error.message.contains("AAAAAA"), "{error}");
    error.code.to_owned()
}

async fn followed() -> String {
    let app = AppName::new("shop").unwrap();
    let query = LogQuery {
        known_machines: std::collections::BTreeSet::new(),
        scope: LogScope::App,
        follow: true,
        tail: None,
    };
    let reported = provider(&platform())
        .logs(&app, &query, &mut |_| true)
        .await;
    reported.unwrap_err().code.to_owned()
}

#[tokio::test]
async fn every_code_of_the_provider_is_provoked() {
    let token = ("FLY_API_TOKEN", "t");
    let seen = vec![
        refused(&[]),
        refused(&[("FLY_API_TOKEN", "two words")]),
        refused(&[token, ("FLY_FLAPS_BASE_URL", "nowhere")]),
        refused(&[token, ("FLY_API_BASE_URL", "http://api.example.com")]),
        answered(FaultEffect::BreakAfter).await,
        unconnected().await,
        followed().await,
        described(Ok(Response {
            status: 200,
            body: format!(r#"{{"id": "{LONG}", "machine_count": 0}}"#).into_bytes(),
            ..Response::default()
        }))
        .await,
        described(Err(TransportError::TooLarge("it is".to_owned()))).await,
    ];
    let elsewhere = "tests/cli provokes it at the binary, whose certificates it takes away";
    assert_all_provoked(codes::ALL, seen, &[(codes::NO_TLS, elsewhere)]);
}
