//! The planner and the executor over provider `fly`: leases, limits, lost answers, and an end in the
//! middle.

use std::time::Duration;

use aeroform::apply::{Cancel, CancelHandle};
use aeroform::core::fleet::{AppName, Desired, Known, Observed};
use aeroform::core::manifest::{self, Overrides, SourceFile};
use aeroform::core::plan::{Event, Options, Outcome, Plan, StepEvent, plan};
use aeroform::emulator::http::Server;
use aeroform::emulator::world::{Fault, FaultEffect};
use aeroform::observe::observe;
use aeroform::provider::Provider;
use serde_json::Value;

use crate::carried::{ExecutedRun, RunSpec, TestLock, carry_out};
use crate::fixture::{as_fly, ask, platform, provider};
use crate::memory_journal::MemoryJournal;

/// A team's own view of an app: what it remembers, and who asks for it.
pub(crate) struct FlyFixture<'a> {
    pub(crate) provider: &'a dyn Provider,
    pub(crate) known: Known,
    pub(crate) parallelism: usize,
    runs: u32,
    journal: MemoryJournal,
}

impl<'a> FlyFixture<'a> {
    pub(crate) fn of(provider: &'a dyn Provider) -> Self {
        Self {
            provider,
            known: Known::empty(AppName::new("shop").unwrap(), "fly"),
            parallelism: 16,
            runs: 0,
            journal: MemoryJournal::default(),
        }
    }

    pub(crate) async fn planned(&self, desired: &Desired) -> (Plan, Observed) {
        let observed = observe(self.provider, &desired.app, &self.known).await;
        let observed = observed.unwrap();
        let planned = plan(desired, &self.known, Some(&observed), &Options::default());
        assert_eq!(planned.refusals, []);
        (planned, observed)
    }

    pub(crate) async fn apply(&mut self, desired: &Desired) -> ExecutedRun {
        self.apply_until(desired, Cancel::never()).await
    }

    pub(crate) async fn apply_until(&mut self, desired: &Desired, cancel: Cancel) -> ExecutedRun {
        let planned = self.planned(desired).await;
        self.carry_out(desired, planned, cancel).await
    }

    /// Takes what is there into the state.
    pub(crate) async fn refresh(&mut self, desired: &Desired) -> ExecutedRun {
        let (_, observed) = self.planned(desired).await;
        let options = Options {
            mode: aeroform::core::plan::PlanMode::RefreshOnly,
            ..Options::default()
        };
        let planned = plan(desired, &self.known, Some(&observed), &options);
        self.carry_out(desired, (planned, observed), Cancel::never())
            .await
    }

    pub(crate) async fn carry_out(
        &mut self,
        desired: &Desired,
        (planned, observed): (Plan, Observed),
        cancel: Cancel,
    ) -> ExecutedRun {
        self.runs += 1;
        let run_spec = RunSpec {
            number: self.runs,
            desired,
            known: &self.known,
            observed: &observed,
            provider: self.provider,
            journal: &self.journal,
            lock: &TestLock::held(),
            cancel,
            parallelism: self.parallelism,
        };
        let (ran, next) = carry_out(run_spec, planned).await;
        self.known = next;
        ran
    }

    /// Applies, and sees that everything is done and nothing is left to do.
    pub(crate) async fn settle(&mut self, desired: &Desired) -> ExecutedRun {
        let ran = self.apply(desired).await;
        let done = |result: &aeroform::core::plan::StepResult| result.outcome == Outcome::Done;
        let all = ran.report.results.iter().all(done);
        assert!(all, "{:#?}", ran.report.results);
        assert_eq!(ran.report.findings, [""; 0]);
        let (again, _) = self.planned(desired).await;
        assert!(again.is_empty(), "{:#?}", again.steps);
        ran
    }
}

/// An app of one group that serves nothing.
pub(crate) const PLAIN: &str = "\
app = \"shop\"
primary_region = \"ams\"
[env]
  LOG = \"info\"
[processes]
  web = \"bin/web\"
";

/// What these two manifests want, with provider fly.
pub(crate) fn target(fly: &str, aeroform: &str) -> Desired {
    let file = |path, text: &'static str| SourceFile {
        path,
        bytes: text.as_bytes(),
    };
    // Only a test may keep a text for ever.
    let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    let overrides = Overrides {
        provider: Some("fly".to_owned()),
        ..Overrides::default()
    };
    let ours = file("aeroform.toml", leak(aeroform));
    let loaded = manifest::load(file("fly.toml", leak(fly)), Some(ours), &overrides);
    let problem = format!("{:#?}", loaded.diagnostics);
    loaded.desired.expect(&problem)
}

const FLY: &str = "\
app = \"shop\"
primary_region = \"ams\"
[http_service]
  internal_port = 8080
  [[http_service.checks]]
    path = \"/up\"
    interval = \"10s\"
    timeout = \"2s\"
";

fn web(count: u32, image: u32) -> Desired {
    let ours =
        format!("image = \"r.example/shop@sha256:{image:064}\"\n[groups.app]\ncount = {count}\n");
    target(FLY, &ours)
}

async fn leased(server: &Server) -> Vec<String> {
    let machines = server.world().operator("shop").machines();
    let mut found = Vec::new();
    for machine in machines {
        let id = machine["id"].as_str().unwrap();
        let path = format!("/v1/apps/shop/machines/{id}/lease");
        let (status, lease) = ask(server, "GET", &path, Value::Null).await;
        if status == 200 {
            found.push(format!("{id}: {lease}"));
        }
    }
    found
}

#[tokio::test(start_paused = true)]
async fn a_fleet_is_made_changed_and_made_smaller_within_the_limits_of_the_platform() {
    for documented in [true, false] {
        live_within_limits(documented).await;
    }
}

async fn live_within_limits(documented: bool) {
    let server = platform();
    server.world().limit_rates(true);
    // With limits that are known, and with those that one learns of by being refused.
    let provider: Box<dyn Provider> = if documented {
        Box::new(as_fly(&server))
    } else {
        Box::new(provider(&server))
    };
    let mut team = FlyFixture::of(&*provider);
    team.settle(&web(6, 1)).await;
    team.settle(&web(6, 2)).await;
    team.settle(&web(2, 2)).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(leased(&server).await, [""; 0]);
    // Six updates and four destroys, and none without a lease of its own.
    assert!(server.world().count("lease") >= 10);
    assert_eq!(team.known.machines.len(), 2);
}

/// Holds rule 4.
#[tokio::test(start_paused = true)]
async fn whichever_answer_is_lost_there_is_one_machine_for_one_intent() {
    let effects = [
        FaultEffect::LoseBefore { status: 500 },
        FaultEffect::LoseAfter { status: 408 },
        FaultEffect::LoseAfter { status: 503 },
        FaultEffect::BreakBefore,
        FaultEffect::BreakAfter,
        FaultEffect::RateLimited {
            retry_after: Duration::from_secs(3),
        },
        FaultEffect::LeaseHeld(Duration::from_secs(9)),
        FaultEffect::ListLag(Duration::from_secs(4)),
    ];
    for action in [
        "create", "update", "lease", "get", "list", "wait", "destroy", "stop",
    ] {
        for effect in &effects {
            let server = platform();
            let provider = provider(&server);
            let mut team = FlyFixture::of(&provider);
            team.settle(&web(3, 1)).await;
            let fault = Fault::on(action, effect.clone()).times(2);
            server.world().inject(fault);
            // Two more, three changed, then two gone.
            team.apply(&web(5, 2)).await;
            team.apply(&web(3, 2)).await;
            server.world().clear_faults();
            tokio::time::sleep(Duration::from_secs(60)).await;
            team.apply(&web(3, 2)).await;
            team.settle(&web(3, 2)).await;
            let planned = server.world().operator("shop").created_count();
            assert_eq!(planned, 5, "{action} {effect:?}");
            assert_eq!(leased(&server).await, [""; 0], "{action} {effect:?}");
        }
    }
}

/// Holds rule 27.
#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_leaves_no_lease_behind() {
    for after in [50, 200, 700, 2500] {
        let server = platform();
        let provider = provider(&server);
        let mut team = FlyFixture::of(&provider);
        team.settle(&web(6, 1)).await;
        let (handle, cancel) = CancelHandle::new();
        let stop = async {
            tokio::time::sleep(Duration::from_millis(after)).await;
            handle.stop(Some(Duration::from_secs(4)));
            std::future::pending::<()>().await;
        };
        let target = web(9, 2);
        let ran = tokio::select! {
            ran = team.apply_until(&target, cancel) => ran,
            () = stop => unreachable!(),
        };
        assert!(ran.report.interrupted);
        assert_eq!(leased(&server).await, [""; 0], "after {after} ms");
        team.apply(&target).await;
        team.settle(&target).await;
        assert_eq!(server.world().operator("shop").created_count(), 9);
    }
}

/// Holds rule 27.
#[tokio::test(start_paused = true)]
async fn a_lease_that_does_not_end_fails_the_step_and_names_its_holder() {
    let server = platform();
    let provider = provider(&server);
    let mut team = FlyFixture::of(&provider);
    team.settle(&web(1, 1)).await;
    let id = team.known.machines.keys().next().unwrap().clone();
    let path = format!("/v1/apps/shop/machines/{id}/lease");
    let why = serde_json::json!({"ttl": 600, "description": "scaling"});
    ask(&server, "POST", &path, why).await;
    let ran = team.apply(&web(1, 2)).await;
    let Outcome::Failed { code, message, .. } = &ran.report.results[0].outcome else {
        panic!("{:#?}", ran.report.results);
    };
    assert_eq!(code, "leased");
    let whose = format!("Machine {id} is leased by ");
    assert!(message.starts_with(&whose), "{message}");
    assert!(message.ends_with(": scaling"), "{message}");
    let reported = ran.events.iter().any(|event| {
        matches!(event, Event::Step { what: StepEvent::Waiting { on, .. }, .. } if on.contains("scaling"))
    });
    assert!(reported, "{:#?}", ran.events);
    assert_eq!(ran.plan.changes().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_machine_is_made_of_the_digest_that_runs_after_its_tag_has_moved() {
    const TAG: &str = "r.example/shop:latest";
    let server = platform();
    let config = serde_json::json!({
        "image": TAG, "env": {"LOG": "info", "FLY_PROCESS_GROUP": "web", "PRIMARY_REGION": "ams"},
        "init": {"cmd": ["bin/web"]}, "guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256},
        "metadata": {"fly_platform_version": "v2", "fly_process_group": "web"},
    });
    let digest = |number: u32| format!("sha256:{number:064}");
    server.world().operator("shop").push(TAG, &digest(1));
    let body = serde_json::json!({"region": "ams", "config": config});
    let (status, planned) = ask(&server, "POST", "/v1/apps/shop/machines", body).await;
    assert_eq!(status, 200, "{planned}");
    assert_eq!(planned["image_ref"]["digest"], digest(1));
    server.world().operator("shop").push(TAG, &digest(2));
    tokio::time::sleep(Duration::from_secs(60)).await;

    let provider = provider(&server);
    let mut team = FlyFixture::of(&provider);
    team.settle(&target(PLAIN, "[groups.web]\ncount = 2\n"))
        .await;
    // Another change of both keeps what they run, although one was made by the tag.
    let other = PLAIN.replace("info", "debug");
    team.settle(&target(&other, "[groups.web]\ncount = 2\n"))
        .await;
    let machines = server.world().operator("shop").machines();
    assert_eq!(machines.len(), 2);
    for machine in &machines {
        assert_eq!(machine["image_ref"]["digest"], digest(1), "{machine}");
        assert_eq!(machine["config"]["image"], format!("{TAG}@{}", digest(1)));
    }
    // Written down by digest it is what is there.
    let ours = format!("image = \"{TAG}@{}\"\n[groups.web]\ncount = 2\n", digest(1));
    let (plan, _) = team.planned(&target(&other, &ours)).await;
    assert_eq!(plan.summary().update, 0, "{:#?}", plan.steps);

    let id = machines[0]["id"].as_str().unwrap();
    server
        .world()
        .operator("shop")
        .update(id, |config| config["image"] = TAG.into());
    let more = target(&other, "[groups.web]\ncount = 3\n");
    let observed = observe(&provider, &more.app, &team.known).await.unwrap();
    let refused =
        aeroform::core::plan::plan(&more, &team.known, Some(&observed), &Options::default());
    let codes: Vec<&str> = refused
        .refusals
        .iter()
        .map(|note| note.code.as_str())
        .collect();
    assert_eq!(codes, ["two_images"]);
}
