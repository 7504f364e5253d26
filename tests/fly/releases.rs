//! Releases: what an apply registers, once whatever becomes of the answer, and what it takes back.

use std::time::Duration;

use aeroform::core::fleet::Desired;
use aeroform::core::plan::{Event, Plan};
use aeroform::emulator::http::Server;
use aeroform::emulator::world::{Fault, FaultEffect};
use serde_json::{Value, json};

use crate::fixture::{ask, platform, provider};
use crate::runs::{FlyFixture, PLAIN, target};

const ONE: &str =
    "r.example/shop@sha256:1111111111111111111111111111111111111111111111111111111111111111";
const TWO: &str =
    "r.example/shop@sha256:2222222222222222222222222222222222222222222222222222222222222222";

fn shop(image: &str, count: u32) -> Desired {
    let ours = format!("image = \"{image}\"\n[groups.web]\ncount = {count}\n");
    target(PLAIN, &ours)
}

/// Number and status of each release, newest first.
async fn registered(server: &Server) -> Vec<(u64, String)> {
    let (_, list) = ask(server, "GET", "/api/v1/apps/shop/releases", Value::Null).await;
    let releases = list["releases"].as_array().unwrap().iter();
    let of = |release: &Value| {
        let status = release["status"].as_str().unwrap().to_owned();
        (release["version"].as_u64().unwrap(), status)
    };
    releases.map(of).collect()
}

/// The release that each Machine says it is of, with whether an id stands beside it.
fn stamped(server: &Server) -> Vec<(String, bool)> {
    let machines = server.world().operator("shop").machines();
    let of = |machine: &Value| {
        let metadata = &machine["config"]["metadata"];
        let number = metadata["fly_release_version"].as_str().unwrap_or("none");
        (number.to_owned(), metadata["fly_release_id"].is_string())
    };
    machines.iter().map(of).collect()
}

fn unregistered(events: &[Event]) -> Vec<Option<&str>> {
    let of = |event: &'_ Event| matches!(event, Event::Release { .. });
    let events = events.iter().filter(|event| of(event));
    let why = events.map(|event| match event {
        Event::Release { unregistered, .. } => unregistered.as_deref(),
        _ => None,
    });
    why.collect()
}

fn complete(number: u64) -> (u64, String) {
    (number, "complete".to_owned())
}

/// Holds rule 30.
#[tokio::test(start_paused = true)]
async fn what_machines_run_is_registered_and_how_many_of_them_is_not() {
    let server = platform();
    let provider = provider(&server);
    let mut team = FlyFixture::of(&provider);
    team.settle(&shop(ONE, 2)).await;
    assert_eq!(registered(&server).await, [complete(1)]);
    assert_eq!(stamped(&server), vec![("1".to_owned(), true); 2]);
    // A count makes none, and what it makes is of its group's release.
    team.settle(&shop(ONE, 3)).await;
    assert_eq!(registered(&server).await, [complete(1)]);
    assert_eq!(stamped(&server), vec![("1".to_owned(), true); 3]);
    team.settle(&shop(TWO, 3)).await;
    assert_eq!(registered(&server).await, [complete(2), complete(1)]);
    assert_eq!(stamped(&server), vec![("2".to_owned(), true); 3]);
    let (_, newest) = ask(
        &server,
        "GET",
        "/api/v1/apps/shop/releases/current",
        Value::Null,
    )
    .await;
    assert_eq!(newest["release"]["image_ref"], TWO);
    assert_eq!(newest["release"]["strategy"], "ROLLING");
    // The state remembers both, each with what ran where.
    let known = &team.known;
    assert_eq!(known.release, Some(2));
    let numbers: Vec<u64> = known.releases.iter().map(|r| r.release).collect();
    assert_eq!(numbers, [1, 2]);
    for release in &known.releases {
        let web = release.groups.values().next().unwrap();
        assert!(known.configs.contains_key(&web.config));
        let placed: u32 = web.placement.values().sum();
        assert_eq!(u64::from(placed), release.release + 1);
    }
    // To nothing and back is a matter of counts, too.
    team.settle(&shop(TWO, 0)).await;
    team.settle(&shop(TWO, 1)).await;
    assert_eq!(registered(&server).await.len(), 2);
    // A group that goes is one that fly.toml has lost.
    let other = PLAIN.replace("web =", "api =");
    let moved = format!("image = \"{TWO}\"\n[groups.api]\ncount = 1\n");
    let ran = team.settle(&target(&other, &moved)).await;
    assert_eq!(ran.plan.release.unwrap().number, 3);
    assert_eq!(registered(&server).await[0], complete(3));
}

/// Holds rule 30.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_makes_no_second_release() {
    let lost = [
        (FaultEffect::LoseAfter { status: 408 }, 1),
        (FaultEffect::LoseAfter { status: 502 }, 1),
        (FaultEffect::BreakAfter, 1),
        (FaultEffect::LoseBefore { status: 500 }, 1),
        (FaultEffect::BreakBefore, 1),
    ];
    for (effect, created) in lost {
        let server = platform();
        let provider = provider(&server);
        let mut team = FlyFixture::of(&provider);
        server.world().inject(Fault::on("release", effect.clone()));
        let ran = team.settle(&shop(ONE, 1)).await;
        assert_eq!(unregistered(&ran.events), [None], "{effect:?}");
        let all = registered(&server).await;
        assert_eq!(all.len(), created, "{effect:?}");
        assert_eq!(all[0], complete(1), "{effect:?}");
        assert_eq!(stamped(&server), [("1".to_owned(), true)], "{effect:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_for_the_rate_limit_of_releases_is_short_and_reported() {
    let server = platform();
    let provider = provider(&server);
    let mut team = FlyFixture::of(&provider);
    let limited = FaultEffect::RateLimited {
        retry_after: Duration::from_secs(120),
    };
    let limited = Fault::on("release", limited);
    let limited = server.world().inject(limited);
    let ran = team.settle(&shop(ONE, 1)).await;
    assert_eq!(server.world().fired(limited), 1);
    assert_eq!(registered(&server).await, [complete(1)]);
    let waits = ran.events.iter().filter_map(|event| match event {
        Event::Waiting { on, up_to_ms } => Some((on.as_str(), *up_to_ms)),
        _ => None,
    });
    let waits: Vec<_> = waits.collect();
    assert_eq!(waits, [("the rate limit of releases", 5000)]);
}

/// Holds rule 30.
#[tokio::test(start_paused = true)]
async fn where_none_can_be_registered_the_run_goes_on_under_the_next_number_and_says_why() {
    for (status, says) in [
        (404, "does not accept releases from this client"),
        (403, "does not accept releases from this client"),
        (422, "answered 422: no"),
    ] {
        let server = platform();
        let provider = provider(&server);
        let mut team = FlyFixture::of(&provider);
        team.settle(&shop(ONE, 1)).await;
        let message = "no".to_owned();
        server.world().inject(Fault::on(
            "release",
            FaultEffect::Refuse { status, message },
        ));
        let ran = team.settle(&shop(TWO, 1)).await;
        let why = unregistered(&ran.events)[0].unwrap_or_default();
        assert!(why.contains(says), "{status}: {why}");
        assert_eq!(registered(&server).await, [complete(1)]);
        // The id of another release would belong to another number.
        assert_eq!(stamped(&server), [("2".to_owned(), false)]);
        assert_eq!(team.known.release, Some(2));
        // What the platform does not have is counted on.
        let ran = team.settle(&shop(ONE, 1)).await;
        assert_eq!(ran.plan.release.unwrap().number, 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_run_ends_its_release_as_failed() {
    let server = platform();
    let provider = provider(&server);
    let mut team = FlyFixture::of(&provider);
    team.settle(&shop(ONE, 1)).await;
    let message = "no".to_owned();
    let refuse = FaultEffect::Refuse {
        status: 422,
        message,
    };
    server.world().inject(Fault::on("update", refuse));
    team.apply(&shop(TWO, 1)).await;
    assert_eq!(registered(&server).await[0], (2, "failed".to_owned()));
    // Nothing of it was carried out, so the state remembers nothing of it.
    assert_eq!(team.known.releases.len(), 1);
    let ran = team.settle(&shop(TWO, 1)).await;
    assert_eq!(ran.plan.release.unwrap().number, 3);
}

#[tokio::test(start_paused = true)]
async fn unreadable_releases_are_reported_and_unsupported_ones_are_not() {
    let server = platform();
    let provider = provider(&server);
    let mut team = FlyFixture::of(&provider);
    let codes = |plan: &Plan| -> Vec<String> {
        plan.warnings.iter().map(|note| note.code.clone()).collect()
    };
    team.settle(&shop(ONE, 1)).await;
    let message = "no".to_owned();
    let refuse = FaultEffect::Refuse {
        status: 400,
        message,
    };
    server.world().inject(Fault::on("releases", refuse));
    let (created, _) = team.planned(&shop(ONE, 1)).await;
    assert_eq!(codes(&created), ["release_unknown"]);
    let message = "no".to_owned();
    let refuse = FaultEffect::Refuse {
        status: 404,
        message,
    };
    server.world().inject(Fault::on("releases", refuse));
    let (created, _) = team.planned(&shop(ONE, 1)).await;
    assert_eq!(codes(&created), [""; 0]);
    let body = json!({"app_name": "shop", "image": ONE, "strategy": "ROLLING"});
    ask(&server, "POST", "/api/v1/releases", body).await;
    let (created, _) = team.planned(&shop(TWO, 1)).await;
    assert_eq!(created.release.unwrap().number, 3);
}
