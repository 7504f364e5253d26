//! A Machine that the platform creates in another region than requested: no success, and every plan names it.

use aeroform::core::plan::{Options, Plan, Requested, plan};
use aeroform::emulator::world::{Fault, FaultEffect};

use crate::fixture::{ExecutorFixture, image, web};
use crate::support::{GroupBuilder, desired};

#[tokio::test(start_paused = true)]
async fn a_machine_that_is_made_in_another_region_is_no_success_and_is_remembered_there() {
    let mut stage = ExecutorFixture::new();
    let elsewhere = FaultEffect::WrongRegion("gru".to_owned());
    stage.sim.world().inject(Fault::on("create", elsewhere));
    let ran = stage
        .apply(&desired([("web", web(1).exact(&[("ams", 1)]))]))
        .await;
    let (code, message) = ran.failure();
    assert_eq!(code, "wrong_region");
    assert!(message.ends_with("is in gru, not ams"), "{message}");
    let known = &stage.known.machines[stage.id(0).as_str()];
    assert_eq!(known.region.as_str(), "gru");
}

/// What a plan says about Machines that the platform made in another region.
fn elsewhere(plan: &Plan) -> Vec<&str> {
    let warnings = plan.warnings.iter();
    let warnings = warnings.filter(|warning| warning.code == "placed_elsewhere");
    warnings.map(|warning| warning.message.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn without_written_regions_every_plan_says_that_a_machine_is_in_another_region_until_it_is_replaced()
 {
    for keeps_state in [true, false] {
        let mut stage = ExecutorFixture::new();
        let target = desired([("web", web(1))]);
        let nothing = stage.known.clone();
        let fault = Fault::on("create", FaultEffect::WrongRegion("gru".to_owned()));
        stage.sim.world().inject(fault);
        let ran = stage.apply(&target).await;
        assert_eq!(ran.failure().0, "wrong_region");
        if !keeps_state {
            stage.known = nothing;
        }
        let id = stage.id(0);
        let says = format!(
            "1 Machine of group `web` ({id}) is in gru instead of ams: the platform chose the region"
        );
        let (planned, observed) = stage.plan(&target).await;
        assert_eq!(elsewhere(&planned), [&says], "state: {keeps_state}");
        if keeps_state {
            let waits = planned.changes().map(|(_, change)| change.reason.as_str());
            let waits: Vec<_> = waits.collect();
            assert!(waits[0].starts_with("created by run "), "{waits:?}");
        }
        stage
            .carry_out(&target, planned, &observed)
            .await
            .assert_complete();
        // It stays so when the Machine is changed.
        let (planned, _) = stage.plan(&target).await;
        assert_eq!(elsewhere(&planned), [&says], "state: {keeps_state}");
        let second = desired([("web", image(web(1), "shop:2"))]);
        stage.apply(&second).await.assert_complete();
        let (planned, _) = stage.plan(&second).await;
        assert_eq!(elsewhere(&planned), [&says], "state: {keeps_state}");
        // Either way out ends it.
        let written = desired([("web", image(web(1), "shop:2").exact(&[("gru", 1)]))]);
        let (planned, _) = stage.plan(&written).await;
        assert_eq!(elsewhere(&planned), [""; 0]);
        assert_eq!(planned.changes().count(), 0);
        let options = Options {
            requested: Requested {
                replace: [aeroform::core::fleet::MachineId::new(&id).unwrap()].into(),
                ..Requested::default()
            },
            ..Options::default()
        };
        let observed = stage.observed().await;
        let planned = plan(&second, &stage.known, Some(&observed), &options);
        stage
            .carry_out(&second, planned, &observed)
            .await
            .assert_complete();
        let (planned, _) = stage.plan(&second).await;
        assert_eq!(elsewhere(&planned), [""; 0]);
        let regions: Vec<_> = stage
            .known
            .machines
            .values()
            .map(|m| m.region.as_str())
            .collect();
        assert_eq!(regions, ["ams"]);
    }
}
