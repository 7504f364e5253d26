//! The snapshot that plans stand on.

use std::time::Duration;

use aeroform::core::fleet::MachineId;
use aeroform::emulator::world::{Fault, FaultEffect};
use aeroform::observe::{ObserveError, observe};

use crate::fixture::{ExecutorFixture, checked, web};
use crate::sim::SimProvider;
use crate::support::desired;

/// Holds rule 8.
#[tokio::test(start_paused = true)]
async fn an_empty_list_beside_a_count_is_read_again_and_then_an_error() {
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&desired([("web", web(2))])).await;
    stage
        .sim
        .world()
        .inject(Fault::on("list", FaultEffect::EmptyList));
    assert_eq!(stage.observed().await.machines.len(), 2);
    stage
        .sim
        .world()
        .inject(Fault::on("list", FaultEffect::EmptyList).times(1000));
    let error = observe(&stage.sim, &stage.known.app, &stage.known)
        .await
        .unwrap_err();
    assert!(
        matches!(error, ObserveError::FleetVanished { count: 2, .. }),
        "{error}"
    );
    assert_eq!(error.code(), "fleet_vanished");
}

/// Holds rule 8.
#[tokio::test(start_paused = true)]
async fn a_known_machine_that_the_list_lacks_is_gone_or_lagging_by_its_own_id() {
    let mut stage = ExecutorFixture::new();
    stage.sim.world().timings.list_lag = Duration::from_secs(5);
    stage
        .apply(&desired([("web", web(2))]))
        .await
        .assert_complete();
    assert_eq!(stage.observed().await.lagging, []);

    let lag = FaultEffect::ListLag(Duration::from_secs(300));
    stage.sim.world().inject(Fault::on("create", lag));
    stage
        .apply(&desired([("web", web(3))]))
        .await
        .assert_complete();
    let gone = stage.id(0);
    stage.sim.world().operator("shop").destroy(&gone);
    let observed = stage.observed().await;
    assert_eq!(observed.gone, [MachineId::new(gone).unwrap()]);
    assert_eq!(observed.lagging.len(), 1);
    assert_eq!(observed.machines.len(), 2);
}

/// What a run that died has just made stands in no state: only its number tells that it is missing.
#[tokio::test(start_paused = true)]
async fn a_list_that_is_shorter_than_the_count_has_time_to_catch_up() {
    let mut stage = ExecutorFixture::new();
    let before = stage.known.clone();
    let lag = FaultEffect::ListLag(Duration::from_secs(8));
    stage.sim.world().inject(Fault::on("create", lag).nth(2));
    stage.apply_until_settled(&desired([("web", web(2))])).await;
    stage.known = before;
    assert_eq!(stage.observed().await.machines.len(), 2);
    // A Machine that is never listed delays the run only briefly.
    let lag = FaultEffect::ListLag(Duration::from_secs(3000));
    stage.sim.world().inject(Fault::on("create", lag));
    stage.apply(&desired([("web", web(3))])).await;
    stage.known.machines.clear();
    assert_eq!(stage.observed().await.machines.len(), 2);
}

/// Holds rule 8.
#[tokio::test(start_paused = true)]
async fn an_app_that_is_gone_while_the_state_knows_machines_is_an_error() {
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&desired([("web", web(1))])).await;
    let elsewhere = SimProvider::new("empty");
    let error = observe(&elsewhere, &stage.known.app, &stage.known)
        .await
        .unwrap_err();
    assert!(
        matches!(error, ObserveError::AppGone { known: 1, .. }),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn reads_that_fail_for_a_moment_are_repeated() {
    let mut stage = ExecutorFixture::new();
    for action in ["app", "list", "volumes", "get", "wait"] {
        let fault = Fault::on(action, FaultEffect::LoseBefore { status: 503 });
        stage.sim.world().inject(fault.times(2));
    }
    stage
        .apply_until_settled(&desired([("web", checked(web(2)))]))
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_ends_in_hours_is_an_error_and_no_silence() {
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&desired([("web", web(1))])).await;
    for pause in [3600, u64::MAX] {
        let retry_after = Duration::from_secs(pause);
        let limited = FaultEffect::RateLimited { retry_after };
        stage.sim.world().clear_faults();
        stage
            .sim
            .world()
            .inject(Fault::on("list", limited).times(100));
        let begun = tokio::time::Instant::now();
        let error = observe(&stage.sim, &stage.known.app, &stage.known)
            .await
            .unwrap_err();
        assert_eq!(error.code(), "rate_limited");
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
}
