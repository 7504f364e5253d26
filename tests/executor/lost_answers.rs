//! Answers that were lost, and the one Machine that there is in the end.

use std::time::Duration;

use aeroform::emulator::world::{Fault, FaultEffect, RefusalKind};
use serde_json::json;

use crate::fixture::{ExecutorFixture, image, web, worker};
use crate::support::desired;

/// Holds rule 4.
#[tokio::test(start_paused = true)]
async fn a_create_whose_answer_was_lost_is_found_by_its_name_or_made_again() {
    for effect in [
        FaultEffect::LoseBefore { status: 504 },
        FaultEffect::LoseAfter { status: 408 },
    ] {
        for nth in 1..=3 {
            let mut stage = ExecutorFixture::new();
            let fault = Fault::on("create", effect.clone()).nth(nth);
            let fault = stage.sim.world().inject(fault);
            stage.apply_until_settled(&desired([("web", web(3))])).await;
            assert_eq!(stage.sim.world().fired(fault), 1);
            stage.assert_one_machine_per_name(3);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_create_is_not_made_twice_while_the_list_lags() {
    let mut stage = ExecutorFixture::new();
    stage.sim.world().timings.list_lag = Duration::from_secs(7);
    let fault = stage
        .sim
        .world()
        .inject(Fault::on("create", FaultEffect::LoseAfter { status: 500 }));
    let ran = stage.apply(&desired([("web", web(2))])).await;
    ran.assert_complete();
    assert_eq!(stage.sim.world().fired(fault), 1);
    assert_eq!(stage.sim.world().count("create"), 2);
    stage.assert_one_machine_per_name(2);
}

/// Holds rule 4.
#[tokio::test(start_paused = true)]
async fn a_list_that_lags_longer_than_patience_ends_in_the_platforms_refusal_and_one_machine() {
    let mut stage = ExecutorFixture::new();
    stage.sim.world().timings.list_lag = Duration::from_secs(14);
    stage
        .sim
        .world()
        .inject(Fault::on("create", FaultEffect::LoseAfter { status: 500 }));
    stage
        .apply(&desired([("web", web(1))]))
        .await
        .assert_complete();
    assert_eq!(stage.sim.world().count("create"), 2);
    stage.assert_one_machine_per_name(1);
}

#[tokio::test(start_paused = true)]
async fn a_create_that_is_never_answered_stays_unknown_and_the_next_run_settles_it() {
    let mut stage = ExecutorFixture::new();
    let fault = Fault::on("create", FaultEffect::LoseBefore { status: 503 }).times(6);
    let fault = stage.sim.world().inject(fault);
    let target = desired([("web", web(1))]);
    let ran = stage.apply(&target).await;
    assert_eq!(stage.sim.world().fired(fault), 6);
    assert_eq!(ran.outcomes(), ["unknown"]);
    assert_eq!(stage.known.pending_creates.len(), 1);
    stage.apply_until_settled(&target).await;
    assert_eq!(stage.known.pending_creates, []);
    stage.assert_one_machine_per_name(1);
}

#[tokio::test(start_paused = true)]
async fn a_machine_of_the_planned_name_is_used_or_updated_to_the_desired_config() {
    for config in [None, Some("shop:0")] {
        let mut stage = ExecutorFixture::new();
        let target = desired([("web", web(1))]);
        let (planned, observed) = stage.plan(&target).await;
        // Another run of the same plan was faster, after the snapshot.
        let name = planned.changes().next().unwrap().1.machine.name.clone();
        let mut tree = target.groups["web"].template.to_value();
        tree["metadata"] = json!({"fly_process_group": "web"});
        if let Some(image) = config {
            tree["image"] = image.into();
        }
        let id = stage
            .sim
            .world()
            .operator("shop")
            .add(name.as_str(), "ams", tree)
            .unwrap();
        stage
            .carry_out(&target, planned, &observed)
            .await
            .assert_complete();
        stage.assert_one_machine_per_name(1);
        assert_eq!(stage.id(0), id);
        assert_eq!(stage.machines()[0]["config"]["image"], "shop:1");
        assert_eq!(
            stage.sim.world().count("update"),
            usize::from(config.is_some())
        );
        assert!(stage.known.machines.contains_key(id.as_str()));
    }
}

/// What has the name of the Machine that is to be made, when the platform refuses a second one of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    /// What this run made, with an answer that was lost.
    OfThisRun,
    /// The same, and the list lacks it for as long as it may lag.
    OfThisRunUnlisted,
    /// What another run made, and wants the same.
    OfAnotherRun,
    /// What another run made for something else.
    ForSomethingElse,
    /// It bears no run. The name decides.
    OfNobody,
    /// It is on its way out.
    Leaving,
    /// No Machine, and the platform says so all the same.
    Nothing,
}

/// Holds rule 4.
#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_is_settled_by_that_name_whatever_the_status_of_the_refusal() {
    use Holder::{
        ForSomethingElse, Leaving, Nothing, OfAnotherRun, OfNobody, OfThisRun, OfThisRunUnlisted,
    };
    for says_422 in [false, true] {
        for holder in [
            OfThisRun,
            OfThisRunUnlisted,
            OfAnotherRun,
            ForSomethingElse,
            OfNobody,
            Leaving,
            Nothing,
        ] {
            let said = format!("{holder:?}, 422: {says_422}");
            let mut stage = ExecutorFixture::new();
            let target = desired([("web", web(1))]);
            let (planned, observed) = stage.plan(&target).await;
            let name = planned.changes().next().unwrap().1.machine.name.to_string();
            let refuses =
                |nth| Fault::on("create", FaultEffect::Refusal(RefusalKind::NameTaken)).nth(nth);
            let lost = || Fault::on("create", FaultEffect::LoseAfter { status: 500 });
            let mut other = ExecutorFixture::new();
            other.sim = stage.sim.clone();
            other.runs = 10;
            let mut first_of_ours = 1;
            match holder {
                OfThisRun | OfThisRunUnlisted => {
                    // Longer than a lost answer is looked for, so that the call is made again.
                    let lag = if holder == OfThisRun { 14 } else { 40 };
                    stage.sim.world().timings.list_lag = Duration::from_secs(lag);
                    stage.sim.world().inject(lost());
                    first_of_ours = 2;
                }
                OfAnotherRun | Leaving => {
                    other.apply(&target).await.assert_complete();
                    first_of_ours = 2;
                }
                ForSomethingElse => {
                    let else_wanted = desired([("web", image(web(1), "shop:9"))]);
                    other.apply(&else_wanted).await.assert_complete();
                    first_of_ours = 2;
                }
                OfNobody => {
                    let mut tree = target.groups["web"].template.to_value();
                    tree["metadata"] = json!({"fly_process_group": "web"});
                    let mut world = stage.sim.world();
                    world.operator("shop").add(&name, "ams", tree).unwrap();
                }
                Nothing => {}
            }
            let mut leaves = String::new();
            if holder == Leaving {
                leaves = stage.id(0);
                stage.begin_destroy(&leaves, Duration::from_secs(20)).await;
            }
            if says_422 || holder == Nothing {
                stage.sim.world().inject(refuses(first_of_ours));
            }
            let ran = stage.carry_out(&target, planned, &observed).await;
            if holder == ForSomethingElse {
                assert_eq!(ran.failure().0, "state_behind", "{said}");
                assert_eq!(stage.machines()[0]["config"]["image"], "shop:9", "{said}");
                continue;
            }
            assert_eq!(ran.outcomes(), ["done"], "{said}: {:#?}", ran.report);
            stage.sim.world().timings.list_lag = Duration::ZERO;
            tokio::time::sleep(Duration::from_secs(60)).await;
            stage.assert_one_machine_per_name(1);
            assert!(stage.id(0) != leaves, "{said}");
            assert_eq!(stage.machines()[0]["config"]["image"], "shop:1", "{said}");
            stage.assert_settled(&target).await;
        }
    }
}

/// Holds rule 25.
#[tokio::test(start_paused = true)]
async fn an_update_whose_answer_was_lost_is_settled_by_reading() {
    for (effect, updates) in [
        (FaultEffect::LoseBefore { status: 500 }, 2),
        (FaultEffect::LoseAfter { status: 500 }, 1),
    ] {
        let mut stage = ExecutorFixture::new();
        stage.apply_until_settled(&desired([("web", web(1))])).await;
        let fault = stage.sim.world().inject(Fault::on("update", effect));
        stage
            .apply_until_settled(&desired([("web", image(web(1), "shop:2"))]))
            .await;
        assert_eq!(stage.sim.world().fired(fault), 1);
        assert_eq!(stage.sim.world().count("update"), updates);
    }
}

#[tokio::test(start_paused = true)]
async fn a_destroy_whose_answers_were_lost_ends_with_the_machine_gone() {
    for action in ["cordon", "stop", "destroy"] {
        for effect in [
            FaultEffect::LoseBefore { status: 500 },
            FaultEffect::LoseAfter { status: 408 },
        ] {
            let mut stage = ExecutorFixture::new();
            stage.apply_until_settled(&desired([("web", web(2))])).await;
            let fault = stage.sim.world().inject(Fault::on(action, effect));
            stage.apply_until_settled(&desired([("web", web(1))])).await;
            assert_eq!(stage.sim.world().fired(fault), 1);
            assert_eq!(stage.machines().len(), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeated_run_of_the_same_plan_makes_no_changing_call() {
    let mut stage = ExecutorFixture::new();
    stage
        .apply_until_settled(&desired([("web", web(2)), ("old", worker(1))]))
        .await;
    let target = desired([("web", image(web(3), "shop:2"))]);
    let (planned, observed) = stage.plan(&target).await;
    let before = stage.known.clone();
    stage
        .carry_out(&target, planned.clone(), &observed)
        .await
        .assert_complete();
    let count = |stage: &ExecutorFixture| {
        let world = stage.sim.world();
        ["update", "destroy", "stop", "cordon", "start"].map(|action| world.count(action))
    };
    let calls = count(&stage);
    // The runner died before the state was written.
    stage.known = before;
    stage
        .carry_out(&target, planned, &observed)
        .await
        .assert_complete();
    assert_eq!(count(&stage), calls);
    stage.assert_one_machine_per_name(3);
}
