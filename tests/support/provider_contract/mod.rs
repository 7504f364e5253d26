//! The contract of providers: one test suite that runs against any of them.
//!
//! A provider's test calls [`violations`] and asserts that the list is empty; [`clauses`] has the
//! requirements. Provider-specific parts come from [`Fixture`].

mod clauses;

use std::time::Duration;

use aeroform::core::fleet::call::{CreateCall, UpdateCall, VolumeCall};
use aeroform::core::fleet::schema::Mount;
use aeroform::core::fleet::{
    AppName, Call, GroupName, Machine, MachineConfig, MachineId, MachineName, Region, Stamps,
    Volume, WaitUntil,
};
use aeroform::provider::{Provider, ProviderError};
use futures_util::future::{BoxFuture, join_all};

/// What the suite needs for the provider under test.
pub(crate) trait Fixture: Send + Sync {
    /// An unused app for each clause.
    fn app(&self, clause: usize) -> AppName;

    /// A config whose process runs until stopped; each number gives another config.
    fn config(&self, variant: u32) -> MachineConfig;

    /// A port for one more Machine, if the provider needs one.
    fn port(&self) -> Option<u16>;
}

/// A violated clause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{clause}: {what}")]
pub(crate) struct Violation {
    /// The clause's sentence.
    pub(crate) clause: &'static str,
    /// The actual result.
    pub(crate) what: String,
}

/// Runs all clauses concurrently, each in its own app, and returns the violated ones. Destroys its Machines
/// in any case; volumes remain, since no call deletes them.
pub(crate) async fn violations(provider: &dyn Provider, fixture: &dyn Fixture) -> Vec<Violation> {
    let runs = clauses::ALL
        .iter()
        .enumerate()
        .map(|(index, (clause, run))| {
            let subject = ContractContext {
                provider,
                fixture,
                app: fixture.app(index),
                other: fixture.app(clauses::ALL.len()),
            };
            async move {
                let result = run(&subject).await;
                let cleared = subject.clear().await;
                let what = result.and(cleared).err()?;
                Some(Violation { clause, what })
            }
        });
    join_all(runs).await.into_iter().flatten().collect()
}

/// Timeout of a clause.
const PATIENCE: Duration = Duration::from_secs(30);

/// The result of a clause; the error says what did not hold.
type Verdict = Result<(), String>;

type Clause = for<'a> fn(&'a ContractContext<'a>) -> BoxFuture<'a, Verdict>;

/// The provider, an app, and another app that stays empty.
struct ContractContext<'a> {
    provider: &'a dyn Provider,
    fixture: &'a dyn Fixture,
    app: AppName,
    other: AppName,
}

impl ContractContext<'_> {
    fn create_call(&self, name: &str) -> CreateCall {
        CreateCall {
            name: MachineName::new(name).expect("clauses use valid names"),
            group: GroupName::new("web").expect("a valid group"),
            region: Region::new("ams").expect("a valid region"),
            config: self.fixture.config(0),
            stamps: Stamps {
                serial: Some(7),
                launch: Some("l".to_owned()),
                ..Stamps::default()
            },
            skip_launch: false,
            cordoned: false,
            without_lease: false,
            port: self.fixture.port(),
        }
    }

    fn update_call(&self, machine: &Machine) -> UpdateCall {
        UpdateCall {
            id: machine.id.clone(),
            group: GroupName::new("jobs").expect("a valid group"),
            config: self.fixture.config(1),
            stamps: Stamps {
                serial: Some(8),
                ..Stamps::default()
            },
            skip_launch: false,
            instance: machine.instance.clone(),
        }
    }

    fn volume_call() -> VolumeCall {
        VolumeCall {
            name: "data".to_owned(),
            region: Region::new("ams").expect("a valid region"),
            size_gb: 2,
            encrypted: true,
            unique_zone: false,
            snapshot_retention: Some(7),
            scheduled_snapshots: None,
            guest: None,
            image: None,
        }
    }

    fn mounting(&self, name: &str, volume: &Volume) -> CreateCall {
        let mut call = self.create_call(name);
        call.config.mounts = Some(vec![Mount {
            name: Some(volume.name.clone()),
            path: Some("/data".to_owned()),
            volume: Some(volume.id.to_string()),
            ..Mount::default()
        }]);
        call
    }

    async fn volumes(&self) -> Result<Vec<Volume>, String> {
        let result = self.provider.list(&self.app).await;
        let listing = result.map_err(|error| format!("list failed: {error}"))?;
        Ok(listing.volumes)
    }

    async fn call(&self, call: Call) -> Result<Option<Machine>, ProviderError> {
        Ok(self.provider.call(&self.app, &call).await?.machine)
    }

    async fn create(&self, call: CreateCall) -> Result<Machine, String> {
        let result = self.call(Call::Create(Box::new(call))).await;
        result
            .map_err(|error| format!("create failed: {error}"))?
            .ok_or_else(|| "a create answered without the Machine".to_owned())
    }

    /// Creates a started Machine.
    async fn started(&self, name: &str) -> Result<Machine, String> {
        let machine = self.create(self.create_call(name)).await?;
        self.wait(&machine.id, WaitUntil::Started).await
    }

    async fn expect_ok(&self, call: Call) -> Verdict {
        let action = call.action();
        let result = self.call(call).await;
        result
            .map(drop)
            .map_err(|error| format!("{action} failed: {error}"))
    }

    async fn get(&self, id: &MachineId) -> Result<Machine, String> {
        let result = self.provider.get(&self.app, id).await;
        result.map_err(|error| format!("get failed: {error}"))
    }

    async fn list(&self) -> Result<Vec<Machine>, String> {
        let result = self.provider.list(&self.app).await;
        let listing = result.map_err(|error| format!("list failed: {error}"))?;
        let live = listing.machines.into_iter();
        Ok(live.filter(|machine| !machine.state.is_gone()).collect())
    }

    async fn wait(&self, id: &MachineId, until: WaitUntil) -> Result<Machine, String> {
        let result = self.provider.wait(&self.app, id, until, PATIENCE).await;
        result.map_err(|error| format!("wait for {until:?} failed: {error}"))
    }

    async fn clear(&self) -> Verdict {
        for machine in self.list().await? {
            let id = machine.id;
            self.expect_ok(Call::Destroy { id, force: true }).await?;
        }
        Ok(())
    }
}

fn ensure(holds: bool, what: &str) -> Verdict {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}
