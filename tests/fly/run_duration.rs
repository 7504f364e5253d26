//! How long a run takes on the paused clock, against what the limits and the lifecycle alone allow.

use std::fmt::Write as _;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aeroform::core::fleet::Desired;
use aeroform::core::plan::{Event, StepEvent};
use aeroform::provider::fly::{FlyProvider, Request, Response, Transport, TransportError};
use tokio::time::Instant;

use crate::fixture::{access, as_fly, platform, provider};
use crate::in_process::InProcess;
use crate::runs::{FlyFixture, target};

const LATENCY: Duration = Duration::from_millis(50);

/// Groups with so many Machines each, all of one image but those that are named with another.
fn groups(counts: &[(&str, u32, u32)]) -> Desired {
    let mut fly = "app = \"shop\"\nprimary_region = \"ams\"\n[processes]\n".to_owned();
    let mut ours = "image = \"r.example/shop@sha256:1111111111111111111111111111111111111111111111111111111111111111\"\n".to_owned();
    for (name, count, variant) in counts {
        writeln!(fly, "  {name} = \"bin/{name} {variant}\"").unwrap();
        writeln!(ours, "[groups.{name}]\ncount = {count}\ndeploy.steady = 0").unwrap();
    }
    target(&fly, &ours)
}

#[tokio::test(start_paused = true)]
async fn under_the_platform_s_limits_a_run_takes_what_they_take() {
    let server = platform();
    let provider = as_fly(&server);
    let mut team = FlyFixture::of(&provider);
    // As without `--parallelism`.
    team.parallelism = 16;
    let before = [("c", 50, 1), ("d", 50, 1), ("e", 50, 1)];
    team.settle(&groups(&before)).await;
    server.world().timings.latency = LATENCY;
    server.world().limit_rates(true);
    server.world().clear_log();
    let timings = server.world().timings.clone();
    let after = [
        ("a", 50, 1),
        ("b", 50, 1),
        ("c", 50, 2),
        ("d", 50, 2),
        ("e", 0, 1),
    ];
    let began = Instant::now();
    let ran = team.apply(&groups(&after)).await;
    let took = began.elapsed().as_secs_f64();
    let counts = ran.plan.summary();
    assert_eq!(
        (counts.create, counts.update, counts.destroy),
        (100, 100, 50)
    );
    let calls = |action: &str| server.world().count(action);
    // One create a second once the burst of three is spent; the last one has to come up.
    let life = timings.prepare + timings.boot + LATENCY * 2;
    let bound = 97.0 + life.as_secs_f64();
    let per_create = f64::from(u32::try_from(calls("create")).unwrap()) / 100.0;
    println!("virtual {took:.1} s, bound {bound:.1} s, creates per create {per_create:.2}");
    assert!(
        took <= bound * 1.1,
        "{took:.1} s, and the bound is {bound:.1} s"
    );
    assert_eq!(calls("create"), 100);
    team.settle(&groups(&after)).await;
}

#[tokio::test(start_paused = true)]
async fn without_limits_a_run_takes_what_latency_takes() {
    let server = platform();
    let provider = provider(&server);
    let mut team = FlyFixture::of(&provider);
    team.parallelism = 64;
    {
        let mut world = server.world();
        let mut timings = aeroform::emulator::world::Timings::instant();
        timings.latency = LATENCY;
        world.timings = timings;
    }
    let target = groups(&[("a", 1000, 1)]);
    let began = Instant::now();
    team.apply(&target).await;
    let took = began.elapsed().as_secs_f64();
    let world = server.world();
    let calls = u32::try_from(world.log().len()).unwrap();
    drop(world);
    let per_create = f64::from(calls) / 1000.0;
    let bound = LATENCY.as_secs_f64() * (1000.0_f64 / 64.0).ceil() * per_create;
    println!("virtual {took:.2} s, bound {bound:.2} s, calls per create {per_create:.2}");
    assert!(
        took <= bound * 1.25,
        "{took:.2} s, and the bound is {bound:.2} s"
    );
}

/// Notes when each request is sent.
struct CountingTransport {
    inner: InProcess,
    sent: Arc<Mutex<Vec<Instant>>>,
}

#[async_trait::async_trait]
impl Transport for CountingTransport {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.sent.lock().unwrap().push(Instant::now());
        self.inner.send(request).await
    }
}

/// Holds rule 43.
#[tokio::test(start_paused = true)]
async fn an_operator_s_limit_applies_to_all_requests_and_waiting_for_it_is_reported() {
    let server = platform();
    let sent = Arc::<Mutex<Vec<Instant>>>::default();
    let transport = CountingTransport {
        inner: InProcess::to(&server),
        sent: Arc::clone(&sent),
    };
    let provider = FlyProvider::new(transport, access("http://127.0.0.1:4280"));
    let provider = provider.with_max_rps(NonZeroU32::new(10).unwrap());
    let mut team = FlyFixture::of(&provider);
    let ran = team.settle(&groups(&[("a", 10, 1)])).await;
    let sent = sent.lock().unwrap();
    assert!(sent.len() > 30, "{}", sent.len());
    for pair in sent.windows(2) {
        let apart = pair[1] - pair[0];
        assert!(apart >= Duration::from_millis(100), "{apart:?}");
    }
    let reported = |event: &Event| {
        let Event::Step { what, .. } = event else {
            return false;
        };
        matches!(what, StepEvent::Waiting { on, .. } if on == "its turn (`--max-rps`)")
    };
    assert!(ran.events.iter().any(reported));
}
