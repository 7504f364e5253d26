//! What the client makes of answers, and what it never does.

use std::sync::Arc;
use std::time::Duration;

use aeroform::core::fleet::call::{CreateCall, UpdateCall};
use aeroform::core::fleet::{
    AppName, Call, GroupName, Machine, MachineConfig, MachineId, MachineName, Region, Stamps,
    WaitUntil,
};
use aeroform::emulator::http::Server;
use aeroform::emulator::world::{Fault, FaultEffect, RefusalKind};
use aeroform::provider::fly::{FlyProvider, Request, Response, Transport, TransportError};
use aeroform::provider::{ErrorClass, Provider, retry};
use serde_json::{Value, json};

use crate::fixture::{TOKEN, access, ask, over_http, platform, provider};

fn app() -> AppName {
    AppName::new("shop").unwrap()
}

fn create(name: &str) -> CreateCall {
    CreateCall {
        name: MachineName::new(name).unwrap(),
        group: GroupName::new("web").unwrap(),
        region: Region::new("ams").unwrap(),
        config: MachineConfig::from_value(json!({"image": "shop:1"})).unwrap(),
        stamps: Stamps::default(),
        skip_launch: false,
        cordoned: false,
        without_lease: false,
        port: None,
    }
}

async fn started(server: &Server) -> Machine {
    let provider = provider(server);
    let call = Call::Create(Box::new(create("web-a")));
    let created = provider.call(&app(), &call).await.unwrap().machine.unwrap();
    provider.release_lease(&app(), &created.id).await.unwrap();
    let patience = Duration::from_secs(30);
    let waited = provider
        .wait(&app(), &created.id, WaitUntil::Started, patience)
        .await;
    waited.unwrap()
}

fn update(machine: &Machine, image: &str) -> Call {
    Call::Update(Box::new(UpdateCall {
        id: machine.id.clone(),
        group: GroupName::new("web").unwrap(),
        config: MachineConfig::from_value(json!({"image": image})).unwrap(),
        stamps: Stamps::default(),
        skip_launch: false,
        instance: machine.instance.clone(),
    }))
}

/// Trees of configs are most of the memory that ten thousand Machines take.
#[tokio::test(start_paused = true)]
async fn machines_of_one_list_share_equal_configs() {
    let server = platform();
    for (name, image) in [("a", "shop:1"), ("b", "shop:2"), ("c", "shop:1")] {
        let config = json!({"image": image, "metadata": {"aeroform_launch": name}});
        server.world().operator("shop").add(name, "ams", config);
    }
    let listing = provider(&server).list(&app()).await.unwrap();
    let mut machines = listing.machines;
    machines.sort_by(|a, b| a.name.cmp(&b.name));
    let configs: Vec<_> = machines
        .iter()
        .map(|m| m.config.as_ref().unwrap())
        .collect();
    assert!(Arc::ptr_eq(configs[0], configs[2]));
    assert_eq!(configs[1].image.as_deref(), Some("shop:2"));
}

/// Holds rule 25.
#[tokio::test(start_paused = true)]
async fn whatever_may_have_happened_is_unknown_and_what_certainly_did_not_is_not() {
    for (effect, class, created) in [
        (
            FaultEffect::LoseAfter { status: 408 },
            ErrorClass::Unknown,
            1,
        ),
        (
            FaultEffect::LoseAfter { status: 502 },
            ErrorClass::Unknown,
            1,
        ),
        (
            FaultEffect::LoseBefore { status: 500 },
            ErrorClass::Unknown,
            0,
        ),
        (FaultEffect::BreakAfter, ErrorClass::Unknown, 1),
        (FaultEffect::BreakBefore, ErrorClass::Unknown, 0),
        (
            FaultEffect::RateLimited {
                retry_after: Duration::from_secs(2),
            },
            ErrorClass::RateLimited(Some(Duration::from_secs(2))),
            0,
        ),
        (
            FaultEffect::Refuse {
                status: 422,
                message: "no".to_owned(),
            },
            ErrorClass::Invalid,
            0,
        ),
    ] {
        let server = platform();
        server.world().inject(Fault::on("create", effect.clone()));
        let call = Call::Create(Box::new(create("web-a")));
        let error = provider(&server).call(&app(), &call).await.unwrap_err();
        assert_eq!(error.class, class, "{effect:?}: {error}");
        assert_eq!(
            server.world().operator("shop").created_count(),
            created,
            "{effect:?}"
        );
        assert!(!format!("{error:?}").contains(TOKEN));
    }
}

/// Holds rule 25.
#[tokio::test]
async fn over_http_a_connection_that_breaks_is_unknown_and_one_that_never_stood_is_not() {
    let server = platform();
    server
        .world()
        .inject(Fault::on("create", FaultEffect::BreakAfter));
    let call = Call::Create(Box::new(create("web-a")));
    let error = over_http(&server)
        .await
        .call(&app(), &call)
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Unknown, "{error}");
    assert_eq!(error.code, "connection_lost");
    let nowhere = access("http://127.0.0.1:9");
    let transport = aeroform::provider::fly::HttpTransport::new(&nowhere).unwrap();
    let unreachable = aeroform::provider::fly::FlyProvider::new(transport, nowhere);
    let error = unreachable.call(&app(), &call).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient, "{error}");
    assert_eq!(error.code, "no_connection");
    assert!(!error.message.contains(TOKEN));
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_was_made_a_moment_ago_is_not_taken_for_gone() {
    let server = platform();
    let provider = provider(&server);
    let unseen = || FaultEffect::Refuse {
        status: 404,
        message: "not_found: machine not found".to_owned(),
    };
    for action in ["wait", "get"] {
        server.world().inject(Fault::on(action, unseen()).times(2));
    }
    let call = Call::Create(Box::new(create("web-a")));
    let created = provider.call(&app(), &call).await.unwrap().machine.unwrap();
    let patience = Duration::from_secs(30);
    let app = app();
    let wait = || provider.wait(&app, &created.id, WaitUntil::Started, patience);
    wait().await.unwrap();
    // What is gone later is gone, and so is what was to go.
    server.world().inject(Fault::on("get", unseen()));
    let error = provider.get(&app, &created.id).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient);
    tokio::time::sleep(Duration::from_secs(11)).await;
    // A wait that finds no Machine reads it once more.
    server.world().inject(Fault::on("wait", unseen()));
    server.world().inject(Fault::on("get", unseen()).times(2));
    let error = wait().await.unwrap_err();
    assert_eq!(error.class, ErrorClass::NotFound);
    let error = provider.get(&app, &created.id).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::NotFound);
}

/// Holds rule 39.
#[tokio::test(start_paused = true)]
async fn an_update_keeps_what_others_keep_on_the_machine() {
    let server = platform();
    let machine = started(&server).await;
    let path = format!(
        "/v1/apps/shop/machines/{}/metadata/fly_release_id",
        machine.id
    );
    let (status, _) = ask(&server, "POST", &path, json!({"value": "r7"})).await;
    assert_eq!(status, 204);
    let answer = provider(&server)
        .call(&app(), &update(&machine, "shop:2"))
        .await;
    answer.unwrap();
    let (_, shown) = ask(&server, "GET", &path, Value::Null).await;
    assert_eq!(shown["value"], "r7");
    let stale = provider(&server)
        .call(&app(), &update(&machine, "shop:3"))
        .await;
    assert_eq!(stale.unwrap_err().class, ErrorClass::Conflict);
}

/// Holds rule 27.
#[tokio::test(start_paused = true)]
async fn calls_on_a_leased_machine_carry_the_nonce_and_others_learn_the_holder() {
    let server = platform();
    let (ours, theirs) = (provider(&server), provider(&server));
    let machine = started(&server).await;
    ours.acquire_lease(&app(), &machine.id, "aeroform run r1 by ana")
        .await
        .unwrap();
    let stop = Call::Stop {
        id: machine.id.clone(),
    };
    let error = theirs.call(&app(), &stop).await.unwrap_err();
    assert_eq!((error.class, error.code), (ErrorClass::Conflict, "leased"));
    let error = theirs
        .acquire_lease(&app(), &machine.id, "me too")
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Conflict);
    let whose = format!("Machine {} is leased by ", machine.id);
    assert!(error.message.starts_with(&whose), "{error}");
    assert!(error.message.contains(" until "), "{error}");
    assert!(
        error.message.ends_with(": aeroform run r1 by ana"),
        "{error}"
    );
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_secs(5)).await;
        ours.refresh_lease(&app(), &machine.id).await.unwrap();
    }
    ours.call(&app(), &stop).await.unwrap();
    ours.release_lease(&app(), &machine.id).await.unwrap();
    // What is not held is not prolonged either.
    ours.refresh_lease(&app(), &machine.id).await.unwrap();
    theirs.acquire_lease(&app(), &machine.id, "").await.unwrap();
}

/// Holds rule 27.
#[tokio::test(start_paused = true)]
async fn a_created_machine_is_leased_and_its_group_s_release_is_copied() {
    let server = platform();
    let metadata = json!({"fly_process_group": "web", "fly_platform_version": "v2",
        "fly_release_version": "7", "fly_release_id": "r7"});
    let config = json!({"image": "shop:1", "metadata": metadata});
    server
        .world()
        .operator("shop")
        .add("old", "ams", config)
        .unwrap();
    let provider = provider(&server);
    provider.list(&app()).await.unwrap();
    let call = Call::Create(Box::new(create("web-a")));
    let created = provider.call(&app(), &call).await.unwrap().machine.unwrap();
    let path = format!("/v1/apps/shop/machines/{}", created.id);
    let (_, shown) = ask(&server, "GET", &path, Value::Null).await;
    assert_eq!(shown["config"]["metadata"]["fly_release_id"], "r7");
    let (status, _) = ask(&server, "POST", &format!("{path}/cordon"), Value::Null).await;
    assert_eq!(status, 409);
    provider.release_lease(&app(), &created.id).await.unwrap();
    let (status, _) = ask(&server, "POST", &format!("{path}/cordon"), Value::Null).await;
    assert_eq!(status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_machine_with_an_unreadable_config_hides_no_other() {
    let server = platform();
    let long = "x".repeat(300);
    for name in ["esc\u{1b}[31m", "", long.as_str()] {
        let config = json!({"image": "y"});
        server.world().operator("shop").add(name, "ams", config);
    }
    for (name, config) in [
        ("odd", json!({"image": "x", "env": 7})),
        ("fine", json!({"image": "x"})),
    ] {
        let created = server.world().operator("shop").add(name, "ams", config);
        assert!(created.is_some());
    }
    let listed = provider(&server).list(&app()).await.unwrap().machines;
    assert_eq!(listed.len(), 5);
    let named_by_id = listed.iter().filter(|m| m.name.as_str() == m.id.as_str());
    assert_eq!(named_by_id.count(), 3);
    let odd = listed.iter().find(|m| m.name.as_str() == "odd").unwrap();
    assert!(odd.config.is_none());
    assert!(odd.detail.as_ref().unwrap().contains("cannot be parsed"));
}

/// What the emulator refuses as the platform was seen to do, the client reads as what it is.
#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_platform_is_read_as_what_it_is() {
    for (refused, class, code) in [
        (RefusalKind::Capacity, ErrorClass::NoRoom, "no_room"),
        (RefusalKind::Quota, ErrorClass::Invalid, "quota"),
        (RefusalKind::MachineLimit, ErrorClass::Invalid, "quota"),
        (
            RefusalKind::ImageUnknown,
            ErrorClass::Transient,
            "image_not_found",
        ),
        (
            RefusalKind::NameTaken,
            ErrorClass::Conflict,
            "already_exists",
        ),
    ] {
        let server = platform();
        server
            .world()
            .inject(Fault::on("create", FaultEffect::Refusal(refused)));
        let call = Call::Create(Box::new(create("web-a")));
        let error = provider(&server).call(&app(), &call).await.unwrap_err();
        assert_eq!((error.class, error.code), (class, code), "{refused:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn logs_wait_for_the_limit_and_tell_what_happened() {
    let server = platform();
    let machine = started(&server).await;
    let limited = FaultEffect::RateLimited {
        retry_after: Duration::from_secs(2),
    };
    server.world().inject(Fault::on("list", limited).times(2));
    let query = aeroform::provider::LogQuery {
        known_machines: std::collections::BTreeSet::new(),
        scope: aeroform::provider::LogScope::Machine(machine.id),
        follow: false,
        tail: None,
    };
    let mut lines = Vec::new();
    let mut sink = |line: aeroform::provider::LogLine| {
        lines.push(line.text);
        true
    };
    let provider = provider(&server);
    let read = async || provider.logs(&app(), &query, &mut sink).await;
    let reported = retry::retry(retry::of_rate_limited_read, read, retry::sleep_between).await;
    reported.unwrap();
    assert_eq!(lines[0], "launch created (user)");
    assert_eq!(lines.last().unwrap(), "start started (flyd)");
}

#[tokio::test(start_paused = true)]
async fn the_newest_release_is_read_without_waiting_for_it() {
    let server = platform();
    let newest = async || provider(&server).newest_release(&app()).await;
    assert_eq!(newest().await, Ok(None));
    let body = json!({"app_name": "shop", "image": "x", "strategy": "ROLLING"});
    ask(&server, "POST", "/api/v1/releases", body).await;
    let release = newest().await.unwrap().unwrap();
    assert_eq!((release.version, release.in_progress), (1, true));
    assert_eq!(release.image.as_deref(), Some("x"));
    assert!(release.created_at.is_some() && release.user.is_some());
    for (status, is_reported) in [
        (401, false),
        (403, false),
        (404, false),
        (422, true),
        (400, true),
    ] {
        let message = "no".to_owned();
        let refuse = FaultEffect::Refuse { status, message };
        server.world().inject(Fault::on("releases", refuse));
        assert_eq!(newest().await.is_err(), is_reported, "{status}");
    }
    let slow = FaultEffect::SlowAnswer(Duration::from_secs(60));
    server.world().inject(Fault::on("releases", slow));
    let began = tokio::time::Instant::now();
    let error = newest().await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Unknown);
    assert!(began.elapsed() < Duration::from_secs(6));
}

/// A server that answers everything with this.
struct FixedResponse(u16, Value);

#[async_trait::async_trait]
impl Transport for FixedResponse {
    async fn send(&self, _: Request) -> Result<Response, TransportError> {
        Ok(Response {
            status: self.0,
            retry_after: Some(Duration::MAX),
            request_id: None,
            body: self.1.to_string().into_bytes(),
        })
    }
}

fn reported(status: u16, answer: Value) -> FlyProvider<FixedResponse> {
    FlyProvider::new(
        FixedResponse(status, answer),
        access("http://127.0.0.1:4280"),
    )
}

#[tokio::test]
async fn what_an_answer_leaves_open_is_open_and_no_error() {
    let id = MachineId::new("a1").unwrap();
    let shown = json!({"id": "x1", "machine_count": null, "organization": null});
    let described = reported(200, shown).describe(&app()).await.unwrap();
    assert_eq!(described.machine_count, None);
    let lease = json!({"nonce": "n1", "owner": null, "description": null, "expires_at": null});
    for answer in [
        json!({"status": "success", "data": lease}),
        // As the platform's schema has it.
        lease.clone(),
    ] {
        reported(201, answer)
            .acquire_lease(&app(), &id, "")
            .await
            .unwrap();
    }
    let nothing = json!({"status": "success", "data": {"nonce": null}});
    let error = reported(201, nothing)
        .acquire_lease(&app(), &id, "")
        .await
        .unwrap_err();
    assert_eq!(error.class, ErrorClass::Unknown);
    let release = json!({"id": "r1", "version": 3, "in_progress": null, "user": null,
        "created_at": null, "image_ref": null});
    let provider = reported(200, json!({"release": release}));
    let newest = provider.newest_release(&app()).await.unwrap().unwrap();
    assert_eq!((newest.version, newest.in_progress), (3, false));
    assert_eq!(
        reported(200, Value::Null)
            .list(&app())
            .await
            .unwrap()
            .machines,
        []
    );
}

#[tokio::test]
async fn a_token_in_a_response_is_never_printed() {
    for long in ["", &"x".repeat(480)] {
        let said = json!({"error": format!("{long} odd header FlyV1 {TOKEN}")});
        let error = reported(400, said).list(&app()).await.unwrap_err();
        assert!(!error.message.contains("fm2_"), "{error}");
        assert!(error.message.contains("odd header FlyV1"), "{error}");
    }
}

#[tokio::test]
async fn every_wait_has_a_limit_and_releases_have_a_short_one() {
    let provider = reported(429, Value::Null);
    let error = provider.list(&app()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Fatal, "{error}");
    assert!(error.message.contains("it asks to wait "), "{error}");
    let error = provider.newest_release(&app()).await.unwrap_err();
    let moment = Duration::from_secs(5);
    assert_eq!(error.class, ErrorClass::RateLimited(Some(moment)));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_long_for_the_start_of_a_command_that_has_ended() {
    let server = platform();
    let provider = provider(&server);
    let app = AppName::new("shop").unwrap();
    let ends = Fault::on("start", FaultEffect::ExitsAtOnce(3));
    server.world().inject(ends);
    let once = json!({"image": "x", "auto_destroy": true, "restart": {"policy": "no"}});
    let mut call = create("once-1");
    call.config = MachineConfig::from_value(once).unwrap();
    call.skip_launch = true;
    let created = provider.call(&app, &Call::Create(Box::new(call))).await;
    let id = created.unwrap().machine.unwrap().id;
    let minute = Duration::from_secs(60);
    let prepared = provider.wait(&app, &id, WaitUntil::Stopped, minute).await;
    assert!(prepared.is_ok(), "{prepared:?}");
    provider
        .call(&app, &Call::Start { id: id.clone() })
        .await
        .unwrap();
    let destroyed = provider.wait(&app, &id, WaitUntil::Destroyed, minute).await;
    let exit = destroyed.unwrap().last_exit().and_then(|exit| exit.code);
    assert_eq!(exit, Some(3));
    let begun = tokio::time::Instant::now();
    let started = provider.wait(&app, &id, WaitUntil::Started, minute).await;
    assert_eq!(started.unwrap_err().code, "not_reached");
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
}
