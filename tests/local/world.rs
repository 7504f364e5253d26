//! A folder of its own for one test, and the certainty that nothing of it outlives the test.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aeroform::core::fleet::call::{CreateCall, UpdateCall};
use aeroform::core::fleet::schema::{Init, Restart, StopConfig};
use aeroform::core::fleet::{
    AppName, Call, GroupName, Machine, MachineConfig, MachineName, MachineState, Region, Stamps,
    WaitUntil,
};
use aeroform::provider::local::{LocalConfig, LocalProvider};
use aeroform::provider::{Provider, ProviderError};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::ports::free_ports;

/// No test waits longer for anything.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_secs(15);

/// One provider in a folder of its own.
pub(crate) struct LocalFixture {
    pub(crate) dir: TempDir,
    pub(crate) provider: LocalProvider,
    pub(crate) app: AppName,
}

impl LocalFixture {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("project")).unwrap();
        Self {
            provider: provider(dir.path()),
            app: AppName::new("shop").unwrap(),
            dir,
        }
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    pub(crate) fn provider_with_cap(&self, bytes: u64) -> LocalProvider {
        provider(self.dir.path()).log_cap(bytes)
    }

    pub(crate) fn machine_dir(&self, machine: &Machine) -> PathBuf {
        let machines = self.dir.path().join("local/shop/machines");
        machines.join(machine.id.as_str())
    }

    pub(crate) async fn call(&self, call: Call) -> Result<Option<Machine>, ProviderError> {
        Ok(self.provider.call(&self.app, &call).await?.machine)
    }

    pub(crate) async fn try_create(
        &self,
        name: &str,
        config: MachineConfig,
    ) -> Result<Machine, ProviderError> {
        let call = Call::Create(Box::new(create_call(name, config)));
        Ok(self.call(call).await?.unwrap())
    }

    /// Creates and waits until it is started.
    pub(crate) async fn started(&self, name: &str, config: MachineConfig) -> Machine {
        let machine = self.try_create(name, config).await.unwrap();
        self.wait(&machine, WaitUntil::Started).await
    }

    pub(crate) async fn wait(&self, machine: &Machine, until: WaitUntil) -> Machine {
        let waited = self
            .provider
            .wait(&self.app, &machine.id, until, TEST_TIMEOUT);
        waited.await.unwrap()
    }

    pub(crate) async fn get(&self, machine: &Machine) -> Machine {
        self.provider.get(&self.app, &machine.id).await.unwrap()
    }

    /// Polls until the Machine is as desired.
    pub(crate) async fn until(
        &self,
        machine: &Machine,
        expected: impl Fn(&Machine) -> bool,
    ) -> Machine {
        let deadline = Instant::now() + TEST_TIMEOUT;
        loop {
            let now = self.get(machine).await;
            if expected(&now) {
                return now;
            }
            assert!(Instant::now() < deadline, "still {now:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn stop(&self, machine: &Machine) -> Machine {
        let id = machine.id.clone();
        self.call(Call::Stop { id }).await.unwrap();
        self.wait(machine, WaitUntil::Stopped).await
    }

    pub(crate) async fn update(&self, machine: &Machine, config: MachineConfig) -> Machine {
        let call = update_call(machine, config);
        self.call(Call::Update(Box::new(call)))
            .await
            .unwrap()
            .unwrap()
    }

    /// Waits for a file in the project folder and reads it.
    pub(crate) async fn file(&self, name: &str) -> String {
        let path = self.project().join(name);
        eventually(&format!("file {name}"), || {
            std::fs::read_to_string(&path)
                .ok()
                .filter(|text| text.ends_with('\n'))
        })
        .await
    }

    /// Every process of this world that is no supervisor: whatever runs in its project folder.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let project = self.project();
        live_processes()
            .filter(|pid| {
                std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == project)
            })
            .collect()
    }

    /// Between fork and exec a child looks like the supervisor that forks it, so one look may see two.
    pub(crate) async fn has_one_supervisor(&self) {
        eventually("exactly one supervisor", || {
            (self.supervisors().len() == 1).then_some(())
        })
        .await;
    }

    /// Every supervisor of this world.
    pub(crate) fn supervisors(&self) -> Vec<i32> {
        let place = self.dir.path().to_str().unwrap();
        live_processes()
            .filter(|pid| {
                proc_file_has(*pid, "cmdline", "__supervise")
                    && proc_file_has(*pid, "cmdline", place)
            })
            .collect()
    }
}

impl Drop for LocalFixture {
    fn drop(&mut self) {
        let deadline = Instant::now() + TEST_TIMEOUT;
        loop {
            // Supervisors first, or they start again what is killed.
            let mut left = self.supervisors();
            left.extend(self.processes());
            if left.is_empty() || Instant::now() > deadline {
                return;
            }
            for pid in left {
                kill(pid, Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

pub(crate) fn provider(dir: &Path) -> LocalProvider {
    LocalProvider::new(LocalConfig {
        dir: dir.join("local"),
        project: dir.join("project"),
        program: env!("CARGO_BIN_EXE_aeroform").into(),
    })
}

pub(crate) fn create_call(name: &str, config: MachineConfig) -> CreateCall {
    CreateCall {
        name: MachineName::new(name).unwrap(),
        group: GroupName::new("web").unwrap(),
        region: Region::new("ams").unwrap(),
        config,
        stamps: Stamps::default(),
        skip_launch: false,
        cordoned: false,
        without_lease: false,
        port: Some(free_ports(1)),
    }
}

pub(crate) fn update_call(machine: &Machine, config: MachineConfig) -> UpdateCall {
    UpdateCall {
        id: machine.id.clone(),
        group: machine.group.clone().unwrap(),
        config,
        stamps: Stamps::default(),
        skip_launch: false,
        instance: machine.instance.clone(),
    }
}

/// A config that runs these words, is stopped by `SIGTERM` and given a second for it.
pub(crate) fn runs(words: &[&str]) -> MachineConfig {
    MachineConfig {
        init: Some(Init {
            exec: Some(words.iter().map(|word| (*word).to_owned()).collect()),
            ..Init::default()
        }),
        stop_config: Some(StopConfig {
            signal: Some("SIGTERM".to_owned()),
            timeout: Some("1s".to_owned()),
            ..StopConfig::default()
        }),
        ..MachineConfig::default()
    }
}

/// A config that runs a script of sh.
pub(crate) fn script(text: &str) -> MachineConfig {
    runs(&["sh", "-c", text])
}

/// A config that does nothing for as long as it is let.
pub(crate) fn sleeper() -> MachineConfig {
    runs(&["sleep", "1000"])
}

pub(crate) fn restart(policy: &str, retries: Option<u32>) -> Restart {
    Restart {
        policy: Some(policy.to_owned()),
        max_retries: retries,
        ..Restart::default()
    }
}

pub(crate) fn kill(pid: i32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

pub(crate) fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .map(|(_, rest)| rest.starts_with('Z'));
    state == Some(false)
}

pub(crate) fn pid_of(machine: &Machine) -> i32 {
    machine.pid.unwrap().try_into().unwrap()
}

pub(crate) fn is_started(machine: &Machine) -> bool {
    machine.state == MachineState::Started
}

/// Polls until there is something.
pub(crate) async fn eventually<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + TEST_TIMEOUT;
    loop {
        if let Some(found) = poll() {
            return found;
        }
        assert!(Instant::now() < deadline, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn live_processes() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| is_alive(*pid))
}

fn proc_file_has(pid: i32, file: &str, text: &str) -> bool {
    let bytes = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).contains(text)
}
