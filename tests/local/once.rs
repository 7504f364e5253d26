//! A Machine for one command: created without being started, started, awaited, read and destroyed, as the executor does it.

use aeroform::core::fleet::{
    Call, GroupName, Machine, MachineConfig, MachineState, Management, ProcessEventKind, WaitUntil,
};
use aeroform::provider::{ErrorClass, LogLine, LogQuery, LogScope, Provider};
use rustix::process::Signal;

use crate::world::*;

/// What `auto_destroy` means on Fly is the executor's work here.
fn once(command: MachineConfig) -> MachineConfig {
    MachineConfig {
        auto_destroy: Some(true),
        restart: Some(restart("no", None)),
        ..command
    }
}

/// Created as a release command, not started yet.
async fn created(world: &LocalFixture, config: MachineConfig) -> Machine {
    let mut create = create_call("once-1", config);
    create.group = GroupName::new("fly_app_release_command").unwrap();
    create.skip_launch = true;
    create.port = None;
    let created = world.call(Call::Create(Box::new(create))).await;
    created.unwrap().unwrap()
}

async fn start(world: &LocalFixture, machine: &Machine) {
    let id = machine.id.clone();
    world.call(Call::Start { id }).await.unwrap();
}

async fn last_lines(world: &LocalFixture, machine: &Machine, count: usize) -> Vec<String> {
    let query = LogQuery {
        known_machines: std::collections::BTreeSet::new(),
        scope: LogScope::Machine(machine.id.clone()),
        follow: false,
        tail: Some(count),
    };
    let mut texts = Vec::new();
    let mut sink = |line: LogLine| {
        texts.push(line.text);
        true
    };
    let sent = world.provider.logs(&world.app, &query, &mut sink).await;
    sent.unwrap();
    texts
}

/// The exit of its process, and whether it was requested.
fn exit(machine: &Machine) -> Option<(i32, bool)> {
    let newest_first = machine.events.iter();
    newest_first
        .take_while(|event| event.kind != ProcessEventKind::Started)
        .find_map(|event| match &event.kind {
            ProcessEventKind::Exited(exit) => Some((exit.code?, exit.requested)),
            _ => None,
        })
}

#[tokio::test]
async fn a_command_that_runs_once_ends_stopped_with_its_code_and_its_last_lines() {
    for code in [0, 3] {
        let world = LocalFixture::new();
        let text = format!(
            "echo $RELEASE_COMMAND:$PORT:$FLY_PROCESS_GROUP >> ran; \
             n=0; while [ $n -lt 150 ]; do n=$((n+1)); echo line $n; done; printf 'no newline'; exit {code}"
        );
        let env = [("RELEASE_COMMAND".to_owned(), "1".to_owned())];
        let config = once(MachineConfig {
            env: Some(env.into()),
            ..script(&text)
        });
        let machine = created(&world, config).await;
        assert_eq!(machine.management, Management::Auxiliary);
        assert_eq!(machine.port, None);
        let waiting = world.wait(&machine, WaitUntil::Stopped).await;
        assert_eq!(exit(&waiting), None);
        assert!(!world.project().join("ran").exists());

        start(&world, &machine).await;
        world.wait(&machine, WaitUntil::Started).await;
        let ended = world.wait(&machine, WaitUntil::Stopped).await;
        assert_eq!(ended.state, MachineState::Stopped);
        assert_eq!(ended.restarts, 0);
        assert_eq!(exit(&ended), Some((code, false)));
        // It ran in the project's folder, once, and no port was given to it.
        assert_eq!(world.file("ran").await, "1::fly_app_release_command\n");
        let lines = last_lines(&world, &ended, 100).await;
        assert_eq!(lines.len(), 100);
        assert_eq!(
            (lines[0].as_str(), lines[99].as_str()),
            ("line 52", "no newline")
        );
        assert!(world.processes().is_empty());

        let id = machine.id.clone();
        let destroy = Call::Destroy { id, force: false };
        world.call(destroy).await.unwrap();
        let gone = world.provider.get(&world.app, &machine.id).await;
        assert_eq!(gone.unwrap_err().class, ErrorClass::NotFound);
        assert!(!world.machine_dir(&machine).exists());
    }
}

#[tokio::test]
async fn a_command_that_runs_for_a_while_is_started_and_ended_by_nobody_else() {
    let world = LocalFixture::new();
    let text = "echo up > up; while [ ! -e go ]; do sleep 0.02; done; kill -9 $$";
    let machine = created(&world, once(script(text))).await;
    start(&world, &machine).await;
    world.file("up").await;
    let running = world.wait(&machine, WaitUntil::Started).await;
    assert_eq!(exit(&running), None);
    std::fs::write(world.project().join("go"), "").unwrap();
    let ended = world.wait(&machine, WaitUntil::Stopped).await;
    assert_eq!(exit(&ended), Some((137, false)));
}

#[tokio::test]
async fn a_command_that_cannot_be_started_has_ended_with_the_code_of_a_shell() {
    let world = LocalFixture::new();
    let machine = created(&world, once(runs(&["no-such-program-anywhere"]))).await;
    start(&world, &machine).await;
    let ended = world.wait(&machine, WaitUntil::Stopped).await;
    assert_eq!(exit(&ended), Some((127, false)));
    let lines = last_lines(&world, &ended, 100).await;
    assert!(
        lines
            .last()
            .unwrap()
            .contains("cannot start `no-such-program-anywhere`"),
        "{lines:?}"
    );
}

/// Its outcome is unknown: nobody waits for it until the timeout, and no exit is made up.
#[tokio::test]
async fn a_command_that_lost_its_supervisor_has_no_exit() {
    let world = LocalFixture::new();
    let machine = created(&world, once(sleeper())).await;
    start(&world, &machine).await;
    world.wait(&machine, WaitUntil::Started).await;
    kill(world.supervisors()[0], Signal::KILL);
    let patience = std::time::Duration::from_secs(300);
    let waited = world
        .provider
        .wait(&world.app, &machine.id, WaitUntil::Stopped, patience);
    let error = tokio::time::timeout(TEST_TIMEOUT, waited)
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.code, "machine_failed");
    assert_eq!(exit(&world.get(&machine).await), None);
}

/// A worker of the files that is never restarted keeps its state `failed` and its port.
#[tokio::test]
async fn a_group_that_is_never_restarted_is_no_command_that_runs_once() {
    let world = LocalFixture::new();
    let config = MachineConfig {
        restart: Some(restart("no", None)),
        ..script("exit 3")
    };
    let machine = world.try_create("web-1", config).await.unwrap();
    assert!(machine.port.is_some());
    assert_eq!(machine.management, Management::Ours);
    let failed = world
        .until(&machine, |now| now.state == MachineState::Failed)
        .await;
    assert_eq!(failed.detail.as_deref(), Some("exit code 3"));
}
