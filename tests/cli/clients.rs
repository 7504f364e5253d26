//! Two clients of the Machines API that others wrote, in their published versions and unchanged, against
//! the emulator. `.ci/run` puts them below `target/clients`; where they are not, this says so.

use std::path::PathBuf;
use std::process::Command;

use crate::fly::EmulatorProcess;
use crate::sandbox::Sandbox;

/// Where a client is, or nothing and a word about it.
fn client(path: &str) -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/target").into());
    let found = target.join("clients").join(path);
    if !found.exists() {
        eprintln!(
            "skipped: {} is not there; `.ci/run` installs it",
            found.display()
        );
        return None;
    }
    Some(found)
}

fn run(program: &str, arguments: &[&str], platform: &EmulatorProcess, name: &str, at: &PathBuf) {
    let output = Command::new(program)
        .args(arguments)
        .env(name, at)
        .env("BASE", platform.url())
        .output();
    let Ok(output) = output else {
        eprintln!("skipped: there is no {program}");
        return;
    };
    let (said, erred) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}{erred}");
    assert!(said.ends_with("done\n"), "{said}{erred}");
}

const NODE: &str = r"
const assert = require('assert');
const Client = require('fly-admin/dist/client').default;
(async () => {
  const fly = new Client('token', { apiUrl: process.env.BASE });
  const app_name = 'market';
  await fly.App.createApp({ name: app_name, org_slug: 'personal' });
  assert.strictEqual((await fly.App.getApp(app_name)).name, app_name);
  assert.strictEqual((await fly.App.listApps('personal')).total_apps, 1);
  const config = { image: 'nginx', metadata: { a: 'b' } };
  const made = await fly.Machine.createMachine({ app_name, name: 'one', region: 'ams', config });
  const machine_id = made.id;
  const wait = (state, instance_id) =>
    fly.Machine.waitMachine({ app_name, machine_id, state, instance_id, timeout: '30' });
  assert.strictEqual((await wait('started', made.instance_id)).ok, true);
  const lease = await fly.Machine.acquireLease({ app_name, machine_id, ttl: 1 });
  assert.strictEqual(lease.status, 'success');
  assert.ok((await fly.Machine.getLease({ app_name, machine_id })).data.owner);
  await assert.rejects(fly.Machine.cordonMachine({ app_name, machine_id }), /409.*lease currently held/);
  await new Promise((later) => setTimeout(later, 1500));
  await fly.Machine.cordonMachine({ app_name, machine_id });
  await fly.Machine.uncordonMachine({ app_name, machine_id });
  const updated = await fly.Machine.updateMachine({ app_name, machine_id, config: { image: 'nginx:2' } });
  assert.notStrictEqual(updated.instance_id, made.instance_id);
  await wait('started', updated.instance_id);
  await fly.Machine.stopMachine({ app_name, machine_id });
  await wait('stopped', updated.instance_id);
  assert.ok((await fly.Machine.listEvents({ app_name, machine_id })).length > 3);
  const volume = await fly.Volume.createVolume({ app_name, name: 'data', region: 'ams', size_gb: 2 });
  assert.strictEqual((await fly.Volume.listVolumes(app_name)).length, 1);
  const volume_id = volume.id;
  const grown = await fly.Volume.extendVolume({ app_name, volume_id, size_gb: 4 });
  assert.strictEqual(grown.volume.size_gb, 4);
  await fly.Volume.deleteVolume({ app_name, volume_id });
  await fly.Machine.deleteMachine({ app_name, machine_id, force: true });
  await assert.rejects(fly.App.getApp('nobody'), /404/);
  await fly.App.deleteApp(app_name);
  console.log('done');
})().catch((error) => { console.error(error); process.exit(1); });
";

const PYTHON: &str = r"
import asyncio, os
from fly_python_sdk.fly.app import App
from fly_python_sdk.models.machine import FlyMachine, FlyMachineConfig

async def main():
    app = App('token', 'personal', 'shop')
    app.base_url = os.environ['BASE']
    assert (await app.inspect()).name == 'shop'
    config = FlyMachineConfig(image='nginx', env={'A': '1'}, metadata={'fly_process_group': 'web'})
    made = await app.create_machine(FlyMachine(name='one', region='ams', config=config))
    assert made.region == 'ams' and made.config.env == {'A': '1'}
    assert await app.list_machines(ids_only=True) == [made.id]
    machine = app.Machine(made.id)
    machine.base_url = app.base_url
    for _ in range(100):
        if (await machine.inspect()).state == 'started':
            break
        await asyncio.sleep(0.1)
    await machine.start()
    copy = await machine.clone(name='two', region='gru')
    assert copy.region == 'gru' and copy.config.image == 'nginx'
    events = await machine.get_events()
    assert events[-1].type == 'launch'
    print('done')

asyncio.run(main())
";

#[test]
fn the_client_fly_admin_works_against_the_emulator() {
    let (Some(at), Some(_)) = (client("node_modules"), client("node_modules/fly-admin")) else {
        return;
    };
    let sandbox = Sandbox::new();
    let platform = EmulatorProcess::start(&sandbox, &["--rate-limits", "off"]);
    run("node", &["-e", NODE], &platform, "NODE_PATH", &at);
}

#[test]
fn the_client_fly_python_sdk_works_against_the_emulator() {
    let Some(at) = client("py") else {
        return;
    };
    let sandbox = Sandbox::new();
    let platform = EmulatorProcess::with_app(&sandbox);
    run("python3", &["-c", PYTHON], &platform, "PYTHONPATH", &at);
}
