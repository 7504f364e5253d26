//! The provider: a lock around the simulation; sleeps happen outside the lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aeroform::core::fleet::{
    AppName, Call, Capabilities, Description, GroupName, Machine, MachineEvent, MachineId,
    MachineState, Receipt, WaitUntil,
};
use aeroform::emulator::TokioClock;
use aeroform::emulator::http::Server;
use aeroform::emulator::world::{Answer, ListFilter, World};
use aeroform::provider::codes as answers;
use aeroform::provider::{ErrorClass, Listing, LogQuery, LogSink, Provider, ProviderError};
use async_trait::async_trait;
use serde_json::Value;
use tokio::time::Instant;

use super::translate;

/// The simulation as a provider; clones share it.
#[derive(Clone)]
pub(crate) struct SimProvider {
    world: Arc<Mutex<World>>,
    capabilities: Capabilities,
}

impl SimProvider {
    /// A provider with a new simulation and seeded ids, on tokio's clock.
    pub(crate) fn new(seed: &str) -> Self {
        let world = World::new(seed, Arc::new(TokioClock::start()));
        Self {
            world: Arc::new(Mutex::new(world)),
            capabilities: Capabilities {
                cordon: true,
                volumes: true,
                auto_destroy: true,
                enforces_sizes: true,
                replaces_when_full: true,
                poll_ms: 250,
                swap_wait_ms: 4_000,
                ..Capabilities::default()
            },
        }
    }

    /// The same simulation with other capabilities.
    #[must_use]
    pub(crate) fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// The same simulation with this length of both waits of a swap.
    #[must_use]
    pub(crate) fn with_swap_wait(mut self, wait_ms: u64) -> Self {
        self.capabilities.swap_wait_ms = wait_ms;
        self
    }

    /// A provider with an independent copy of the current simulation.
    #[must_use]
    pub(crate) fn fork(&self) -> Self {
        let world = self.world();
        let clock = TokioClock::starting_at(world.now());
        Self {
            world: Arc::new(Mutex::new(world.fork(Arc::new(clock)))),
            capabilities: self.capabilities.clone(),
        }
    }

    /// The simulation, for scripting and inspection. Do not hold it across an await.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        // A test that panicked while holding the lock has already failed.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same simulation behind its HTTP API.
    pub(crate) fn server(&self) -> Server {
        Server::from_shared(Arc::clone(&self.world))
    }

    async fn call_world(
        &self,
        endpoint: impl FnOnce(&mut World) -> Answer,
    ) -> Result<Value, ProviderError> {
        let answer = endpoint(&mut self.world());
        if !answer.delay.is_zero() {
            tokio::time::sleep(answer.delay).await;
        }
        answer.result.map_err(|refusal| translate::error(&refusal))
    }

    async fn act(&self, app: &AppName, call: &Call) -> Result<Value, ProviderError> {
        let app = app.as_str();
        match call {
            Call::Create(create) => {
                let body = translate::create_body(create);
                self.call_world(|world| world.create(app, &body)).await
            }
            Call::Update(update) => {
                let id = update.id.as_str();
                self.call_world(|world| {
                    let live = world.inspect(app, id).unwrap_or_default();
                    world.update(app, id, &translate::update_body(update, &live))
                })
                .await
            }
            Call::Start { id } => self.call_world(|world| world.start(app, id.as_str())).await,
            Call::Stop { id } => self.call_world(|world| world.stop(app, id.as_str())).await,
            Call::Suspend { id } => {
                self.call_world(|world| world.suspend(app, id.as_str()))
                    .await
            }
            Call::Restart { id } => {
                self.call_world(|world| world.restart(app, id.as_str()))
                    .await
            }
            Call::Destroy { id, force } => {
                self.call_world(|world| world.destroy(app, id.as_str(), *force))
                    .await
            }
            Call::Cordon { id } => {
                self.call_world(|world| world.cordon(app, id.as_str(), true))
                    .await
            }
            Call::Uncordon { id } => {
                self.call_world(|world| world.cordon(app, id.as_str(), false))
                    .await
            }
            Call::Stamp { id, stamps } => {
                let live = self.world().inspect(app, id.as_str()).unwrap_or_default();
                for (key, value) in translate::stamp_entries(stamps, &live) {
                    self.call_world(|world| {
                        world.metadata(app, id.as_str(), &key, value.as_deref())
                    })
                    .await?;
                }
                Ok(Value::Null)
            }
            Call::CreateVolume(volume) => {
                let body = translate::volume_body(volume);
                self.call_world(|world| world.create_volume(app, &body))
                    .await
            }
        }
    }
}

#[async_trait]
impl Provider for SimProvider {
    fn name(&self) -> &'static str {
        "sim"
    }

    async fn describe(&self, app: &AppName) -> Result<Description, ProviderError> {
        let shown = self.call_world(|world| world.app(app.as_str())).await?;
        let scope = translate::scope(app, &shown)?;
        Ok(Description {
            scope_is_derived: scope.is_derived_from_names(),
            scope,
            machine_count: shown.get("machine_count").and_then(Value::as_u64),
            is_pending: shown
                .get("status")
                .is_some_and(|status| status == "pending"),
            project: None,
            capabilities: self.capabilities.clone(),
        })
    }

    async fn list(&self, app: &AppName) -> Result<Listing, ProviderError> {
        let machines = self.call_world(|world| world.list(app.as_str())).await?;
        let volumes = self.call_world(|world| world.volumes(app.as_str())).await?;
        let (machines, unreadable) = translate::machines(&machines)?;
        Ok(Listing {
            machines,
            volumes: translate::volumes(&volumes)?,
            unreadable,
        })
    }

    async fn list_with_destroyed(
        &self,
        app: &AppName,
        group: &GroupName,
    ) -> Result<Vec<Machine>, ProviderError> {
        let filter = ListFilter {
            deleted: true,
            metadata: [("fly_process_group".to_owned(), group.to_string())].into(),
            ..ListFilter::default()
        };
        let shown = self.call_world(|world| world.list_filtered(app.as_str(), &filter));
        Ok(translate::machines(&shown.await?)?.0)
    }

    async fn get(&self, app: &AppName, id: &MachineId) -> Result<Machine, ProviderError> {
        let shown = self
            .call_world(|world| world.get(app.as_str(), id.as_str()))
            .await?;
        translate::machine(&shown)
    }

    async fn call(&self, app: &AppName, call: &Call) -> Result<Receipt, ProviderError> {
        let shown = self.act(app, call).await?;
        let mut receipt = Receipt::default();
        match call {
            Call::Create(_) | Call::Update(_) => {
                receipt.machine = Some(translate::machine(&shown)?);
            }
            Call::CreateVolume(_) => receipt.volume = Some(translate::volume(&shown)?),
            Call::Start { .. }
            | Call::Stop { .. }
            | Call::Suspend { .. }
            | Call::Restart { .. }
            | Call::Destroy { .. }
            | Call::Cordon { .. }
            | Call::Uncordon { .. }
            | Call::Stamp { .. } => {}
        }
        Ok(receipt)
    }

    async fn wait(
        &self,
        app: &AppName,
        id: &MachineId,
        until: WaitUntil,
        at_most: Duration,
    ) -> Result<Machine, ProviderError> {
        let deadline = Instant::now() + at_most;
        let (name, key) = (app.as_str(), id.as_str());
        let mut looked = self.call_world(|world| world.wait(name, key)).await;
        loop {
            let machine = match looked {
                Err(error)
                    if error.class == ErrorClass::NotFound && until == WaitUntil::Destroyed =>
                {
                    return Ok(translate::destroyed(id));
                }
                looked => translate::machine(&looked?)?,
            };
            if machine.state.has_reached(until) {
                return Ok(machine);
            }
            if is_unreachable(machine.state, until) || Instant::now() >= deadline {
                let message = format!(
                    "machine failed to reach desired state, currently {}",
                    machine.state.as_str()
                );
                return Err(ProviderError::new(
                    ErrorClass::Transient,
                    answers::NOT_REACHED,
                    message,
                ));
            }
            // Another caller may change it earlier, so it is polled too.
            let (now, next) = {
                let world = self.world();
                (world.now(), world.next_change(name, key))
            };
            let own = next.map_or(POLL_INTERVAL, |next| next.saturating_sub(now));
            let pause = own.min(POLL_INTERVAL).max(Duration::from_millis(1));
            tokio::time::sleep_until((Instant::now() + pause).min(deadline)).await;
            let answer = self.world().inspect(name, key);
            looked = answer.map_err(|refusal| translate::error(&refusal));
        }
    }

    async fn events(
        &self,
        app: &AppName,
        id: &MachineId,
    ) -> Result<Vec<MachineEvent>, ProviderError> {
        let shown = self.call_world(|world| world.events(app.as_str(), id.as_str(), 20));
        Ok(translate::events(&shown.await?))
    }

    async fn logs(
        &self,
        _app: &AppName,
        _query: &LogQuery,
        _sink: &mut LogSink<'_>,
    ) -> Result<(), ProviderError> {
        // Simulated Machines run nothing and log nothing.
        Ok(())
    }
}

const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// Whether a Machine in this state cannot reach the target by itself.
fn is_unreachable(state: MachineState, until: WaitUntil) -> bool {
    !state.has_reached(until) && !state.is_transient()
}
