//! Every code of a step and of a provider's answer, provoked.

use std::time::Duration;

use aeroform::apply::codes as steps;
use aeroform::core::fleet::call::CreateCall;
use aeroform::core::fleet::{
    AppName, Call, GroupName, MachineConfig, MachineId, MachineName, Region, Stamps, WaitUntil,
};
use aeroform::core::plan::Work;
use aeroform::emulator::world::{Fault, FaultEffect};
use aeroform::provider::{Provider, codes as answers};
use serde_json::json;

use crate::fixture::{ExecutorFixture, checked, image, web};
use crate::once;
use crate::provoked::assert_all_provoked;
use crate::sim::SimProvider;
use crate::support::desired;

/// The code of the first step that fails once the world does this to a call.
async fn fails(action: &str, effect: FaultEffect, before: u32, after: u32) -> String {
    let mut stage = ExecutorFixture::new();
    if before > 0 {
        stage
            .apply_until_settled(&desired([("web", checked(web(before)))]))
            .await;
    }
    stage
        .sim
        .world()
        .inject(Fault::on(action, effect).times(1000));
    let changed = desired([("web", checked(image(web(after), "shop:2")))]);
    stage.apply(&changed).await.failure().0
}

#[tokio::test(start_paused = true)]
async fn every_code_of_a_step_is_provoked() {
    let seen: Vec<String> = [
        fails("create", FaultEffect::ChecksNeverPass, 0, 1).await,
        fails("destroy", FaultEffect::FalseSuccess, 1, 0).await,
        fails("stop", FaultEffect::FalseSuccess, 1, 0).await,
        fails("update", FaultEffect::Reverts, 1, 1).await,
        fails("create", FaultEffect::WrongRegion("gru".to_owned()), 0, 1).await,
        host_lost().await,
        crate::canary::crashed().await.failure().0,
        crate::swap::not_added().await.1.failure().0,
        crate::swap::crashed_after_the_switch().await.1.failure().0,
        plan_of_another_client().await,
    ]
    .into_iter()
    .chain(once::all_failures().await)
    .collect();
    assert_all_provoked(steps::ALL, seen, &[]);
}

/// The host stops answering between the plan and the call.
async fn host_lost() -> String {
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&desired([("web", web(1))])).await;
    let target = desired([("web", image(web(1), "shop:2"))]);
    let (planned, observed) = stage.plan(&target).await;
    let id = stage.id(0);
    stage
        .sim
        .world()
        .operator("shop")
        .set_host_unreachable(&id, true);
    stage
        .carry_out(&target, planned, &observed)
        .await
        .failure()
        .0
}

/// A change that names no Machine, as no planner makes one.
async fn plan_of_another_client() -> String {
    let mut stage = ExecutorFixture::new();
    stage.apply_until_settled(&desired([("web", web(1))])).await;
    let target = desired([("web", image(web(1), "shop:2"))]);
    let (mut planned, observed) = stage.plan(&target).await;
    for step in &mut planned.steps {
        if let Work::Change(change) = &mut step.work {
            change.machine.id = None;
        }
    }
    stage
        .carry_out(&target, planned, &observed)
        .await
        .failure()
        .0
}

fn create() -> Call {
    Call::Create(Box::new(CreateCall {
        name: MachineName::new("web-1").unwrap(),
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

#[tokio::test(start_paused = true)]
async fn every_code_of_an_answer_is_provoked() {
    let refuse = |status, message: &str| FaultEffect::Refuse {
        status,
        message: message.to_owned(),
    };
    let effects = [
        refuse(400, "invalid config: image is required"),
        refuse(
            400,
            "failed to get manifest: MANIFEST_UNKNOWN: manifest unknown",
        ),
        refuse(401, "unauthorized"),
        refuse(403, "organization is over the allowed quota"),
        refuse(404, "app not found"),
        refuse(409, "already_exists: unique machine name violation"),
        refuse(409, "conflict: somebody else has the lease"),
        refuse(
            409,
            "machine ID 1 lease currently held by ana, expires at …",
        ),
        refuse(412, "failed_precondition: machine still active"),
        refuse(412, "failed_precondition: machine is not currently stopped"),
        refuse(412, "failed_precondition: no"),
        refuse(
            412,
            "failed_precondition: volume already claimed by machine 1",
        ),
        FaultEffect::RateLimited {
            retry_after: Duration::from_secs(1),
        },
        FaultEffect::NoRoom { message: None },
        FaultEffect::LoseBefore { status: 408 },
        FaultEffect::LoseAfter { status: 503 },
        FaultEffect::FalseSuccess,
    ];
    let app = AppName::new("shop").unwrap();
    let mut seen = Vec::new();
    for effect in effects {
        let sim = SimProvider::new("seed");
        sim.world().add_app("shop");
        sim.world().inject(Fault::on("create", effect.clone()));
        let answer = sim.call(&app, &create()).await;
        let error = answer.expect_err(&format!("{effect:?}"));
        seen.push(error.code.to_owned());
    }
    seen.push(fails("create", FaultEffect::FailStart, 0, 1).await);
    seen.push(in_vain(&app).await);
    assert_all_provoked(
        answers::ALL,
        seen,
        &[(
            answers::MACHINE_KEEPS_ENDING,
            "programs of the emulated world do not end by themselves; those of provider local do",
        )],
    );
}

/// What is waited for does not come.
async fn in_vain(app: &AppName) -> String {
    let sim = SimProvider::new("seed");
    sim.world().add_app("shop");
    let planned = sim.call(app, &create()).await.unwrap().machine.unwrap();
    let id: MachineId = planned.id;
    let patience = Duration::from_secs(10);
    sim.wait(app, &id, WaitUntil::Started, patience)
        .await
        .unwrap();
    let waited = sim.wait(app, &id, WaitUntil::Destroyed, patience).await;
    waited.unwrap_err().code.to_owned()
}
