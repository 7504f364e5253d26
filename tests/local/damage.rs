//! Killed supervisors and processes, and removed folders and files.

use std::process::{Command, Stdio};
use std::time::Duration;

use aeroform::core::fleet::call::CreateCall;
use aeroform::core::fleet::{Call, MachineState, WaitUntil};
use aeroform::provider::{ErrorClass, Provider};
use rustix::process::Signal;

use crate::world::*;

#[tokio::test]
async fn two_programs_that_create_one_name_make_one_machine() {
    let world = LocalFixture::new();
    let other = provider(world.dir.path());
    let call = || Call::Create(Box::new(create_call("web-1", sleeper())));
    let (one, two) = (call(), call());
    let (one, two) = tokio::join!(
        world.provider.call(&world.app, &one),
        other.call(&world.app, &two)
    );
    let lost = [one, two].into_iter().find_map(Result::err).unwrap();
    assert_eq!(
        (lost.code, lost.class),
        ("already_exists", ErrorClass::Conflict)
    );
    let listing = other.list(&world.app).await.unwrap();
    assert_eq!(listing.machines.len(), 1);
    world.has_one_supervisor().await;
}

#[tokio::test]
async fn an_update_repairs_a_machine_whose_supervisor_was_killed() {
    let world = LocalFixture::new();
    let machine = world.started("web-1", sleeper()).await;
    let orphan = pid_of(&machine);
    kill(world.supervisors()[0], Signal::KILL);
    let failed = world
        .until(&machine, |now| now.state == MachineState::Failed)
        .await;
    world.update(&failed, script("exec sleep 1013")).await;
    let repaired = world.wait(&machine, WaitUntil::Started).await;
    assert!(!is_alive(orphan));
    assert_eq!(world.processes(), [pid_of(&repaired)]);
    assert_eq!(repaired.port, machine.port);
}

#[tokio::test]
async fn a_stop_after_a_killed_supervisor_proves_that_nothing_is_left() {
    let world = LocalFixture::new();
    let machine = world.started("web-1", sleeper()).await;
    kill(world.supervisors()[0], Signal::KILL);
    world
        .until(&machine, |now| now.state == MachineState::Failed)
        .await;
    world.stop(&machine).await;
    assert!(world.processes().is_empty());
    let id = machine.id.clone();
    world
        .call(Call::Destroy { id, force: false })
        .await
        .unwrap();
}

#[tokio::test]
async fn after_a_restart_of_the_computer_a_machine_that_ran_is_failed() {
    let world = LocalFixture::new();
    let machine = world.started("web-1", sleeper()).await;
    kill(world.supervisors()[0], Signal::KILL);
    world
        .until(&machine, |now| now.state == MachineState::Failed)
        .await;
    let path = world.machine_dir(&machine).join("status.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let text = text.replace(boot.trim(), "00000000-another-boot");
    std::fs::write(&path, text).unwrap();
    let now = world.get(&machine).await;
    assert_eq!(now.state, MachineState::Failed);
    assert_eq!(now.detail.as_deref(), Some("the computer was restarted"));
}

#[tokio::test]
async fn a_supervisor_whose_folder_is_removed_ends_its_processes() {
    let world = LocalFixture::new();
    let machine = world
        .started("web-1", script("(sleep 1014 &); exec sleep 1015"))
        .await;
    std::fs::remove_dir_all(world.machine_dir(&machine)).unwrap();
    eventually("everything to end", || {
        (world.processes().is_empty() && world.supervisors().is_empty()).then_some(())
    })
    .await;
    let listing = world.provider.list(&world.app).await.unwrap();
    assert_eq!(listing.machines, []);
}

#[tokio::test]
async fn half_written_and_damaged_folders_do_not_hide_the_other_machines() {
    let world = LocalFixture::new();
    let machine = world.started("web-1", sleeper()).await;
    let machines = world.dir.path().join("local/shop/machines");
    std::fs::create_dir(machines.join("00000000000001")).unwrap();
    std::fs::create_dir(machines.join(".new-00000000000002")).unwrap();
    std::fs::create_dir(machines.join("00000000000003")).unwrap();
    std::fs::write(machines.join("00000000000003/record.json"), "{\"id\":").unwrap();
    let listing = world.provider.list(&world.app).await.unwrap();
    assert_eq!(listing.machines.len(), 1);
    assert_eq!(listing.machines[0].id, machine.id);
    let description = world.provider.describe(&world.app).await.unwrap();
    assert_eq!(
        description.machine_count,
        Some(2),
        "the damaged one is missed"
    );
    let id = aeroform::core::fleet::MachineId::new("00000000000003").unwrap();
    let error = world.provider.get(&world.app, &id).await.unwrap_err();
    assert_eq!(error.code, "damaged_record");
}

#[tokio::test]
async fn an_update_without_a_wait_is_executed() {
    let world = LocalFixture::new();
    let machine = world.started("web-1", sleeper()).await;
    // What a provider that dies right after its one write leaves behind.
    let path = world.machine_dir(&machine).join("record.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut record: serde_json::Value = serde_json::from_str(&text).unwrap();
    record["instance"] = "next".into();
    record["wish"] = 2.into();
    record["config"]["init"]["exec"] = serde_json::json!(["sleep", "1016"]);
    let draft = path.with_extension("tmp");
    std::fs::write(&draft, record.to_string()).unwrap();
    std::fs::rename(&draft, &path).unwrap();
    let now = world
        .until(&machine, |now| is_started(now) && now.pid != machine.pid)
        .await;
    assert_eq!(now.instance, "next");
    assert_eq!(world.processes(), [pid_of(&now)]);
}

#[tokio::test]
async fn a_wait_for_a_machine_that_was_not_started_starts_it_or_fails_at_once() {
    let world = LocalFixture::new();
    let call = CreateCall {
        skip_launch: true,
        cordoned: false,
        without_lease: false,
        ..create_call("web-1", sleeper())
    };
    let created = world.call(Call::Create(Box::new(call))).await.unwrap();
    let machine = created.unwrap();
    // What an apply leaves that is killed between its wish and its supervisor.
    let path = world.machine_dir(&machine).join("record.json");
    let wish = |writer: Option<u64>| {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut record: serde_json::Value = serde_json::from_str(&text).unwrap();
        record["wish"] = 2.into();
        record["wanted"] = "running".into();
        if let Some(start) = writer {
            record["writer"]["start"] = start.into();
        }
        std::fs::write(&path, record.to_string()).unwrap();
    };
    wish(None);
    let now = world.get(&machine).await;
    assert_eq!(
        now.state,
        MachineState::Starting,
        "this process may yet start it"
    );
    wish(Some(1));
    let now = world.get(&machine).await;
    assert_eq!(now.state, MachineState::Failed);
    assert_eq!(now.detail.as_deref(), Some("its supervisor never started"));
    let now = world.wait(&machine, WaitUntil::Started).await;
    assert_eq!(world.processes(), [pid_of(&now)]);
    world.has_one_supervisor().await;
}

#[tokio::test]
async fn no_process_starts_before_the_record_that_ends_it_is_written() {
    let world = LocalFixture::new();
    let call = CreateCall {
        skip_launch: true,
        cordoned: false,
        without_lease: false,
        ..create_call("web-1", sleeper())
    };
    let created = world.call(Call::Create(Box::new(call))).await.unwrap();
    let machine = created.unwrap();
    // No status can be written, as on a disk that is full.
    let draft = world.machine_dir(&machine).join("status.tmp");
    std::fs::create_dir(&draft).unwrap();
    let id = machine.id.clone();
    let start = Call::Start { id };
    let silent = tokio::time::timeout(Duration::from_millis(500), world.call(start)).await;
    assert!(silent.is_err(), "{silent:?}");
    world.has_one_supervisor().await;
    assert!(world.processes().is_empty());
    std::fs::remove_dir(&draft).unwrap();
    let now = world.until(&machine, is_started).await;
    assert_eq!(world.processes(), [pid_of(&now)]);
}

#[tokio::test]
async fn a_status_that_found_no_room_is_written_once_there_is_some() {
    let world = LocalFixture::new();
    let mut config = sleeper();
    config.restart = Some(restart("always", None));
    let machine = world.started("web-1", config).await;
    let draft = world.machine_dir(&machine).join("status.tmp");
    std::fs::create_dir(&draft).unwrap();
    kill(pid_of(&machine), Signal::KILL);
    let next = eventually("the next process", || {
        let found = world.processes().into_iter().next();
        found.filter(|pid| *pid != pid_of(&machine))
    })
    .await;
    assert_eq!(world.get(&machine).await.restarts, 0, "nobody could say it");
    std::fs::remove_dir(&draft).unwrap();
    let now = world.until(&machine, |now| is_started(now) && now.restarts == 1);
    assert_eq!(pid_of(&now.await), next);
}

#[tokio::test]
async fn a_supervisor_survives_the_hangup_and_obeys_a_polite_end() {
    let world = LocalFixture::new();
    let machine = world.started("web-1", sleeper()).await;
    let supervisor = world.supervisors()[0];
    kill(supervisor, Signal::HUP);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(is_alive(supervisor) && is_alive(pid_of(&machine)));
    kill(supervisor, Signal::TERM);
    world.wait(&machine, WaitUntil::Stopped).await;
    assert!(world.processes().is_empty());
}

#[tokio::test]
async fn no_process_keeps_files_open_that_the_caller_inherited() {
    let world = LocalFixture::new();
    let (reader, writer) = std::io::pipe().unwrap();
    // A file that the caller itself inherited, as from `aeroform apply 3>log`.
    let text = "exec 3>&0; exec \"$0\" --exact damage::creates_one_machine --ignored --nocapture";
    let status = Command::new("sh")
        .args(["-c", text])
        .arg(std::env::current_exe().unwrap())
        .env("AEROFORM_TEST_DIR", world.dir.path())
        .stdin(writer.try_clone().unwrap())
        .stdout(writer.try_clone().unwrap())
        .stderr(Stdio::from(writer))
        .status()
        .unwrap();
    assert!(status.success());
    world.has_one_supervisor().await;
    // Read to the end in a thread, since a file that is held open has none.
    let (sender, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let text = std::io::read_to_string(reader);
        let _ = sender.send(text.is_ok());
    });
    assert_eq!(
        end.recv_timeout(Duration::from_secs(5)),
        Ok(true),
        "held open"
    );
}

#[tokio::test]
async fn what_has_ended_is_reaped_by_supervisor_and_provider() {
    let world = LocalFixture::new();
    let text = "(sh -c 'exit 7' &); (sh -c 'exit 8' &); sleep 0.1; echo up > up; exec sleep 1000";
    let machine = world.started("web-1", script(text)).await;
    world.file("up").await;
    let supervisor = world.supervisors()[0];
    let children = || {
        let list =
            std::fs::read_to_string(format!("/proc/{supervisor}/task/{supervisor}/children"));
        list.unwrap().split_whitespace().count()
    };
    eventually("only the main process", || (children() == 1).then_some(())).await;
    world.stop(&machine).await;
    world
        .until(&machine, |_| {
            !std::path::Path::new(&format!("/proc/{supervisor}")).exists()
        })
        .await;
}

/// Holds rule 42.
#[tokio::test]
async fn files_and_folders_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let world = LocalFixture::new();
    let machine = world
        .started("web-1", script("echo hello; exec sleep 1000"))
        .await;
    let mut open = vec![world.dir.path().join("local")];
    let mut seen = 0;
    while let Some(path) = open.pop() {
        let metadata = std::fs::metadata(&path).unwrap();
        let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(
            metadata.permissions().mode() & 0o777,
            expected,
            "{}",
            path.display()
        );
        seen += 1;
        if metadata.is_dir() {
            open.extend(
                std::fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
    }
    assert!(seen >= 9, "{seen} in {machine:?}");
}

/// Not a test of its own: the caller in the test above.
#[tokio::test]
#[ignore = "run by another test"]
async fn creates_one_machine() {
    let dir = std::env::var("AEROFORM_TEST_DIR").unwrap();
    let provider = provider(dir.as_ref());
    let app = aeroform::core::fleet::AppName::new("shop").unwrap();
    let call = Call::Create(Box::new(create_call("web-1", sleeper())));
    let machine = provider.call(&app, &call).await.unwrap().machine.unwrap();
    let waited = provider.wait(&app, &machine.id, WaitUntil::Started, TEST_TIMEOUT);
    waited.await.unwrap();
}
