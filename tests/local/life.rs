//! Starting, stopping, updating and destroying, until nothing is left.

use aeroform::core::fleet::{Call, MachineState, WaitUntil};
use aeroform::provider::{ErrorClass, Provider};
use rustix::process::Signal;

use crate::world::*;

#[tokio::test]
async fn a_machine_is_created_stopped_started_updated_and_destroyed() {
    let world = LocalFixture::new();
    let machine = world.started("web-1", sleeper()).await;
    assert!(is_alive(pid_of(&machine)));
    assert_eq!(world.get(&machine).await.restarts, 0);

    let stopped = world.stop(&machine).await;
    assert_eq!(stopped.pid, None);
    assert!(world.processes().is_empty());
    eventually("supervisor to end", || {
        world.supervisors().is_empty().then_some(())
    })
    .await;

    let id = machine.id.clone();
    world.call(Call::Start { id: id.clone() }).await.unwrap();
    let again = world.wait(&machine, WaitUntil::Started).await;
    assert_eq!(again.instance, machine.instance);

    let mut config = sleeper();
    config.env = Some([("A".to_owned(), "1".to_owned())].into());
    world.update(&again, config.clone()).await;
    let updated = world.wait(&machine, WaitUntil::Started).await;
    assert_eq!(
        (&updated.id, &updated.name, updated.port),
        (&machine.id, &machine.name, machine.port)
    );
    assert_ne!(updated.instance, machine.instance);
    assert_eq!(updated.config.as_deref(), Some(&config));
    assert_eq!(world.processes().len(), 1);

    let refused = world
        .call(Call::Destroy {
            id: id.clone(),
            force: false,
        })
        .await;
    assert_eq!(refused.unwrap_err().code, "not_stopped");
    world
        .call(Call::Destroy {
            id: id.clone(),
            force: true,
        })
        .await
        .unwrap();
    let gone = world.provider.get(&world.app, &id).await.unwrap_err();
    assert_eq!(gone.class, ErrorClass::NotFound);
    assert!(world.processes().is_empty());
    assert!(!world.machine_dir(&machine).exists());
}

#[tokio::test]
async fn a_stop_ends_children_that_forked_twice_or_made_a_session_of_their_own() {
    let world = LocalFixture::new();
    let text = "(setsid sleep 1001 &) ; (sleep 1002 &) ; setsid sh -c '(sleep 1003 &) ; sleep 1004' & \
                env -i /bin/sleep 1005 & echo ready > ready; wait";
    let machine = world.started("web-1", script(text)).await;
    world.file("ready").await;
    eventually("all children", || {
        (world.processes().len() >= 7).then_some(())
    })
    .await;
    world.stop(&machine).await;
    assert_eq!(world.processes(), Vec::<i32>::new());
}

#[tokio::test]
async fn a_process_that_ignores_its_signal_is_killed_after_the_timeout() {
    let world = LocalFixture::new();
    let text = "trap 'echo asked >> asked' TERM; echo up > up; while :; do sleep 0.05; done";
    let machine = world.started("web-1", script(text)).await;
    world.file("up").await;
    let begun = std::time::Instant::now();
    world.stop(&machine).await;
    assert!(begun.elapsed() >= std::time::Duration::from_secs(1));
    assert_eq!(world.file("asked").await, "asked\n");
    assert!(world.processes().is_empty());
}

#[tokio::test]
async fn a_killed_supervisor_is_seen_at_once_and_repaired_without_an_orphan() {
    let world = LocalFixture::new();
    let text = "(env -i PATH=\"$PATH\" sleep 1011 &); exec sleep 1012";
    let machine = world.started("web-1", script(text)).await;
    let before = eventually("the child without environment", || {
        Some(world.processes()).filter(|found| found.len() == 2)
    })
    .await;
    kill(world.supervisors()[0], Signal::KILL);
    let seen = world
        .until(&machine, |now| now.state == MachineState::Failed)
        .await;
    assert_eq!(seen.detail.as_deref(), Some("supervisor is gone"));
    assert_eq!(
        world.processes(),
        before,
        "the orphans that are to be found"
    );

    let id = machine.id.clone();
    world.call(Call::Start { id: id.clone() }).await.unwrap();
    let repaired = world.wait(&machine, WaitUntil::Started).await;
    assert!(before.iter().all(|pid| !is_alive(*pid)));
    eventually("its own child", || {
        (world.processes().len() == 2).then_some(())
    })
    .await;
    assert!(world.processes().contains(&pid_of(&repaired)));
    world.has_one_supervisor().await;

    kill(world.supervisors()[0], Signal::KILL);
    world
        .until(&machine, |now| now.state == MachineState::Failed)
        .await;
    world.call(Call::Destroy { id, force: true }).await.unwrap();
    assert!(world.processes().is_empty());
}
