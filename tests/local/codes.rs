//! Every code of provider `local`, provoked.

use std::time::Duration;

use aeroform::core::fleet::schema::StopConfig;
use aeroform::core::fleet::{Call, MachineId, MachineState, WaitUntil};
use aeroform::provider::Provider;
use aeroform::provider::local::{LocalConfig, LocalProvider, codes};
use rustix::process::Signal;

use crate::provoked::assert_all_provoked;
use crate::world::*;

#[tokio::test]
async fn every_code_of_local_machines_is_provoked() {
    let mut seen = Vec::new();
    let world = LocalFixture::new();
    let machine = world.started("web-1", sleeper()).await;
    let mut see = |error: aeroform::provider::ProviderError| seen.push(error.code.to_owned());

    let mut other = update_call(&machine, sleeper());
    other.instance = "another".to_owned();
    see(world.call(Call::Update(Box::new(other))).await.unwrap_err());

    let last = std::net::TcpListener::bind(("127.0.0.1", u16::MAX));
    let full = LocalProvider::new(LocalConfig {
        dir: world.dir.path().join("full"),
        project: world.project(),
        program: env!("CARGO_BIN_EXE_aeroform").into(),
    });
    let full = full.first_port(u16::MAX);
    let mut call = create_call("web-1", sleeper());
    call.port = None;
    let call = Call::Create(Box::new(call));
    see(full.call(&world.app, &call).await.unwrap_err());
    drop(last);

    let mut config = sleeper();
    config.stop_config = Some(StopConfig {
        signal: Some("SIGNOTHING".to_owned()),
        ..StopConfig::default()
    });
    see(world.try_create("web-2", config).await.unwrap_err());

    let unknown = MachineId::new("00000000000009").unwrap();
    see(world.provider.get(&world.app, &unknown).await.unwrap_err());

    let id = machine.id.clone();
    see(world.call(Call::Suspend { id }).await.unwrap_err());

    let short = Duration::from_millis(20);
    let waited = world
        .provider
        .wait(&world.app, &machine.id, WaitUntil::Stopped, short);
    see(waited.await.unwrap_err());

    world.stop(&machine).await;
    let waited = world
        .provider
        .wait(&world.app, &machine.id, WaitUntil::Started, TEST_TIMEOUT);
    see(waited.await.unwrap_err());

    for program in ["/nowhere/aeroform", "/bin/true"] {
        let broken = LocalProvider::new(LocalConfig {
            dir: world.dir.path().join("local"),
            project: world.project(),
            program: program.into(),
        });
        let call = Call::Create(Box::new(create_call("web-3", sleeper())));
        see(broken.call(&world.app, &call).await.unwrap_err());
        for left in world.provider.list(&world.app).await.unwrap().machines {
            let id = left.id;
            world.call(Call::Destroy { id, force: true }).await.unwrap();
        }
    }

    let machines = world.dir.path().join("local/shop/machines");
    std::fs::create_dir_all(machines.join("00000000000003")).unwrap();
    std::fs::write(machines.join("00000000000003/record.json"), "{").unwrap();
    let damaged = MachineId::new("00000000000003").unwrap();
    see(world.provider.get(&world.app, &damaged).await.unwrap_err());

    std::fs::remove_dir_all(world.dir.path().join("local")).unwrap();
    std::fs::write(world.dir.path().join("local"), "").unwrap();
    see(world.try_create("web-1", sleeper()).await.unwrap_err());

    see(busy().await);
    assert_all_provoked(
        codes::ALL,
        seen,
        &[(
            codes::PROCESSES_REMAIN,
            "a process that SIGKILL does not end waits in the kernel, for a disk or a device",
        )],
    );
}

/// Another program has the app's lock and keeps it.
async fn busy() -> aeroform::provider::ProviderError {
    let world = LocalFixture::new();
    let machine = world.started("web-1", sleeper()).await;
    let lock = std::fs::File::open(world.dir.path().join("local/shop/lock")).unwrap();
    lock.lock().unwrap();
    // The patience is half a minute of a clock that stands still and is moved.
    tokio::time::pause();
    let id = machine.id.clone();
    let error = world.call(Call::Stop { id }).await.unwrap_err();
    tokio::time::resume();
    lock.unlock().unwrap();
    kill(world.supervisors()[0], Signal::KILL);
    world
        .until(&machine, |now| now.state == MachineState::Failed)
        .await;
    error
}
