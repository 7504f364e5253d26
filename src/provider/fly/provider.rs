//! The provider: converts calls to requests and responses to Machines.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::Access;
use super::body::{self, Metadata};
use super::client::{ApiRequest, Client, ProgressCallback};
use super::created::CreatedMachines;
use super::events;
use super::leases::Leases;
use super::rate_limit::RateLimiter;
use super::transport::{Method, Transport};
use super::wire::{self, ParsedMachine};
use crate::core::fleet::call::{CreateCall, UpdateCall, VolumeCall};
use crate::core::fleet::profile::FLY;
use crate::core::fleet::{
    AppName, Call, Capabilities, Description, GroupName, Machine, MachineEvent, MachineId,
    NewRelease, Receipt, Region, Release, ReleaseStatus, Volume, WaitUntil, lenient,
};
use crate::provider::codes as answers;
use crate::provider::{
    ErrorClass, Listing, LogQuery, LogSink, MachineVersion, Provider, ProviderError,
};

/// The duration of a lease, seconds (rule 27).
const LEASE_TTL_S: u64 = 15;
/// The maximum length of another client's lease description, in characters.
const MAX_REASON_LEN: usize = 80;

/// Machines of the Fly Machines API.
pub struct FlyProvider<T> {
    pub(super) client: Client<T>,
    leases: Leases,
    pub(super) created: CreatedMachines,
    /// The release of each group's newest Machine, from the last list.
    releases: Mutex<BTreeMap<(AppName, GroupName), Metadata>>,
}

/// A lease, in an envelope (as clients know it) or bare (as in the platform's schema;
/// docs/platform/machines-api.md 7).
#[derive(Deserialize)]
#[serde(untagged)]
enum LeaseResponse {
    Enveloped { data: LeaseData },
    Bare(LeaseData),
}

#[derive(Deserialize)]
struct LeaseData {
    nonce: Option<String>,
    owner: Option<String>,
    /// Seconds since 1970.
    expires_at: Option<Value>,
    description: Option<String>,
}

impl LeaseData {
    /// A short description of the lease.
    fn reason(&self) -> Option<String> {
        let why = self.description.as_deref().filter(|why| !why.is_empty());
        why.map(|why| why.chars().take(MAX_REASON_LEN).collect())
    }

    /// When it expires without a refresh.
    fn end(&self) -> Option<jiff::Timestamp> {
        jiff::Timestamp::from_second(self.expires_at.as_ref()?.as_i64()?).ok()
    }
}

impl LeaseResponse {
    fn into_data(self) -> LeaseData {
        match self {
            Self::Enveloped { data } | Self::Bare(data) => data,
        }
    }
}

/// The path of a Machine with this suffix.
pub(super) fn machine_path(app: &AppName, id: &MachineId, rest: &str) -> String {
    format!("/v1/apps/{app}/machines/{id}{rest}")
}

/// The path of the list of Machines.
pub(super) fn machines_path(app: &AppName) -> String {
    format!("/v1/apps/{app}/machines")
}

fn volumes_path(app: &AppName) -> String {
    format!("/v1/apps/{app}/volumes")
}

impl<T: Transport> FlyProvider<T> {
    /// A provider with this transport.
    pub fn new(transport: T, access: Access) -> Self {
        Self {
            client: Client::new(transport, access),
            leases: Leases::default(),
            created: CreatedMachines::default(),
            releases: Mutex::default(),
        }
    }

    /// Limits all requests to this many per second.
    #[must_use]
    pub fn with_max_rps(mut self, per_second: NonZeroU32) -> Self {
        self.client.rate_limiter = Some(RateLimiter::new(per_second));
        self
    }

    /// Sets the receiver of progress messages.
    #[must_use]
    pub fn with_progress(mut self, tells: ProgressCallback) -> Self {
        self.client.on_progress = Some(tells);
        self
    }

    /// The platform's regions (docs/platform/machines-api.md 13: the list has two spellings).
    pub async fn regions(&self) -> Result<BTreeSet<Region>, ProviderError> {
        #[derive(Deserialize)]
        struct List {
            #[serde(alias = "Regions")]
            regions: Vec<Row>,
        }
        #[derive(Deserialize)]
        struct Row {
            code: String,
        }
        let request = ApiRequest::new(Method::Get, "/v1/platform/regions");
        let list: List = self.client.call_machines_api(request).await?.parse()?;
        let codes = list.regions.into_iter().map(|row| Region::new(row.code));
        Ok(codes.filter_map(Result::ok).collect())
    }

    /// Reads one Machine.
    pub(super) async fn read(
        &self,
        app: &AppName,
        id: &MachineId,
    ) -> Result<ParsedMachine, ProviderError> {
        let request = ApiRequest::new(Method::Get, machine_path(app, id, ""));
        let response = self.client.call_machines_api(request).await;
        response
            .map_err(|error| self.created.retry_if_just_created(app, id, error))?
            .parse_with(wire::parse_machine)
    }

    /// Sends a request about a Machine, with its lease if held.
    async fn send_machine_request(
        &self,
        app: &AppName,
        id: &MachineId,
        method: Method,
        rest: &str,
        body: Option<Value>,
    ) -> Result<super::client::ApiResponse, ProviderError> {
        let nonce = self.leases.nonce(app, id);
        let request = ApiRequest {
            body,
            nonce: nonce.as_deref(),
            ..ApiRequest::new(method, machine_path(app, id, rest))
        };
        let response = self.client.call_machines_api(request).await;
        if let Err(error) = &response
            && error.code == answers::LEASED.name()
        {
            self.leases.invalidate(app, id);
        }
        response
    }

    async fn create(&self, app: &AppName, call: &CreateCall) -> Result<Machine, ProviderError> {
        let inherited = {
            let releases = self.releases.lock().unwrap_or_else(PoisonError::into_inner);
            releases.get(&(app.clone(), call.group.clone())).cloned()
        };
        let body = body::create(
            call,
            inherited.unwrap_or_default(),
            (!call.without_lease).then_some(LEASE_TTL_S),
        );
        let request = ApiRequest {
            body: Some(body),
            ..ApiRequest::new(Method::Post, machines_path(app))
        };
        let read = self
            .client
            .call_machines_api(request)
            .await?
            .parse_with(wire::parse_machine)?;
        self.created.insert(app, &read.machine.id);
        if let Some(nonce) = read.nonce {
            self.leases.acquire(app, &read.machine.id, nonce, "");
        }
        Ok(read.machine)
    }

    /// Merges the call with the current Machine, because other tools can change bookkeeping without a new
    /// instance (rule 39).
    async fn update(&self, app: &AppName, call: &UpdateCall) -> Result<Machine, ProviderError> {
        let live = self.read(app, &call.id).await?;
        if live.machine.instance != call.instance {
            let message = format!(
                "Machine {} is at version {}; the plan expects version {}",
                call.id, live.machine.instance, call.instance
            );
            let class = ErrorClass::Conflict;
            return Err(ProviderError::new(class, answers::CONFLICT, message));
        }
        let body = body::update(call, live.metadata);
        let response = self
            .send_machine_request(app, &call.id, Method::Post, "", Some(body))
            .await?;
        Ok(response.parse_with(wire::parse_machine)?.machine)
    }

    async fn stamp(
        &self,
        app: &AppName,
        id: &MachineId,
        stamps: &crate::core::fleet::Stamps,
    ) -> Result<(), ProviderError> {
        let request = ApiRequest::new(Method::Get, machine_path(app, id, "/metadata"));
        let live: Metadata = self.client.call_machines_api(request).await?.parse()?;
        // An empty text removes a key (docs/platform/machines-api.md 8).
        let entries: Metadata = body::stamp_changes(stamps, &live)
            .into_iter()
            .map(|(key, value)| (key, value.unwrap_or_default()))
            .collect();
        let request = ApiRequest {
            body: Some(json!({ "metadata": entries })),
            ..ApiRequest::new(Method::Patch, machine_path(app, id, "/metadata"))
        };
        self.client.call_machines_api(request).await.map(drop)
    }

    async fn list_machines(
        &self,
        app: &AppName,
    ) -> Result<(Vec<Machine>, Vec<String>), ProviderError> {
        let request = ApiRequest::new(Method::Get, machines_path(app));
        let response = self.client.call_machines_api(request).await?;
        let (read, unreadable) = response.parse_with(wire::parse_machines)?;
        self.remember_releases(app, &read);
        let machines = read.into_iter().map(|read| read.machine).collect();
        Ok((machines, unreadable))
    }

    fn remember_releases(&self, app: &AppName, read: &[ParsedMachine]) {
        let mut newest: BTreeMap<&GroupName, (u64, Metadata)> = BTreeMap::new();
        for machine in read {
            let Some(group) = &machine.machine.group else {
                continue;
            };
            let release = body::release_metadata(&machine.metadata);
            let version = release.get("fly_release_version");
            let version = version.and_then(|text| text.parse().ok()).unwrap_or(0);
            let known = newest.get(group).map_or(0, |(known, _)| *known);
            if !release.is_empty() && version >= known {
                newest.insert(group, (version, release));
            }
        }
        let mut releases = self.releases.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = newest.into_iter();
        releases
            .extend(newest.map(|(group, (_, release))| ((app.clone(), group.clone()), release)));
    }

    async fn create_volume(
        &self,
        app: &AppName,
        call: &VolumeCall,
    ) -> Result<Volume, ProviderError> {
        let request = ApiRequest {
            body: Some(body::create_volume(call)),
            ..ApiRequest::new(Method::Post, volumes_path(app))
        };
        let response = self.client.call_machines_api(request).await?;
        let shown: Value = response.parse()?;
        wire::parse_volume(&shown).ok_or_else(|| response.unreadable("not a volume"))
    }

    async fn list_volumes(&self, app: &AppName) -> Result<Vec<Volume>, ProviderError> {
        let request = ApiRequest::new(Method::Get, volumes_path(app));
        let response = self.client.call_machines_api(request).await?;
        let shown: Value = response.parse()?;
        wire::parse_volumes(&shown).map_err(|why| response.unreadable(why))
    }

    async fn request_lease(
        &self,
        app: &AppName,
        id: &MachineId,
        why: &str,
    ) -> Result<String, ProviderError> {
        // The documentation has the ttl in the body, flyctl in the query (docs/platform/machines-api.md 7).
        let rest = format!("/lease?ttl={LEASE_TTL_S}");
        let body = json!({"ttl": LEASE_TTL_S, "description": why});
        let response = self
            .send_machine_request(app, id, Method::Post, &rest, Some(body))
            .await?;
        let lease: LeaseResponse = response.parse()?;
        let nonce = lease.into_data().nonce.filter(|nonce| !nonce.is_empty());
        nonce.ok_or_else(|| response.unreadable("the lease has no nonce"))
    }

    /// Adds the lease's holder to an error.
    async fn with_lease_holder(
        &self,
        app: &AppName,
        id: &MachineId,
        mut error: ProviderError,
    ) -> ProviderError {
        let request = ApiRequest::new(Method::Get, machine_path(app, id, "/lease"));
        let response = self.client.call_machines_api(request).await;
        let why = response
            .and_then(|response| response.parse::<LeaseResponse>())
            .ok()
            .and_then(|response| response.into_data().reason());
        if let Some(why) = why {
            error.message = format!("{}: {why}", error.message);
        }
        error
    }
}

#[async_trait]
impl<T: Transport> Provider for FlyProvider<T> {
    fn name(&self) -> &'static str {
        FLY.name
    }

    fn rate_limit_wait(&self) -> Duration {
        self.client
            .rate_limiter
            .as_ref()
            .map_or(Duration::ZERO, RateLimiter::wait_time)
    }

    async fn describe(&self, app: &AppName) -> Result<Description, ProviderError> {
        let request = ApiRequest::new(Method::Get, format!("/v1/apps/{app}"));
        let response = match self.client.call_machines_api(request).await {
            Err(error) if error.class == ErrorClass::NotFound => {
                return Err(error.hint(self.suggest_apps(app).await));
            }
            response => response?,
        };
        let shown: Value = response.parse()?;
        let scope = wire::parse_scope(app, &shown).map_err(|why| response.unreadable(why))?;
        // Fly documents its limits (docs/platform/machines-api.md 1.5); other servers report them in
        // responses.
        let documented = self.client.is_fly();
        let or_none = |limit: u32| if documented { limit } else { 0 };
        Ok(Description {
            scope_is_derived: scope.is_derived_from_names(),
            scope,
            machine_count: shown
                .get("machine_count")
                .and_then(lenient::as_whole_number),
            is_pending: shown
                .get("status")
                .is_some_and(|status| status == "pending"),
            project: None,
            capabilities: Capabilities {
                port_base: None,
                ports_in_use: BTreeSet::new(),
                cordon: true,
                leases: true,
                volumes: true,
                enforces_sizes: true,
                replaces_when_full: true,
                releases: true,
                auto_destroy: true,
                poll_ms: 1000,
                // The duration of flyctl's smoke checks.
                steady_ms: 10_000,
                swap_wait_ms: 10_000,
                calls_per_second: or_none(1),
                burst: or_none(3),
                reads_per_second: or_none(5),
                read_burst: or_none(10),
            },
        })
    }

    async fn list(&self, app: &AppName) -> Result<Listing, ProviderError> {
        let ((machines, unreadable), volumes) =
            try_join(self.list_machines(app), self.list_volumes(app)).await?;
        Ok(Listing {
            machines,
            volumes,
            unreadable,
        })
    }

    async fn list_with_destroyed(
        &self,
        app: &AppName,
        group: &GroupName,
    ) -> Result<Vec<Machine>, ProviderError> {
        let query = format!("?include_deleted=true&metadata.fly_process_group={group}");
        let request = ApiRequest::new(Method::Get, machines_path(app) + &query);
        let response = self.client.call_machines_api(request).await?;
        let (read, _) = response.parse_with(wire::parse_machines)?;
        let machines = read.into_iter().map(|read| read.machine);
        // A server that does not know the filter lists all.
        Ok(machines
            .filter(|machine| machine.group.as_ref() == Some(group))
            .collect())
    }

    async fn get(&self, app: &AppName, id: &MachineId) -> Result<Machine, ProviderError> {
        Ok(self.read(app, id).await?.machine)
    }

    async fn call(&self, app: &AppName, call: &Call) -> Result<Receipt, ProviderError> {
        let act = |id, rest, body| self.send_machine_request(app, id, Method::Post, rest, body);
        let machine = match call {
            Call::CreateVolume(volume) => {
                return Ok(Receipt {
                    volume: Some(self.create_volume(app, volume).await?),
                    ..Receipt::default()
                });
            }
            Call::Create(create) => Some(self.create(app, create).await?),
            Call::Update(update) => Some(self.update(app, update).await?),
            Call::Start { id } => act(id, "/start", None).await.map(|_| None)?,
            // An empty body uses the Machine's own signal and timeout.
            Call::Stop { id } => act(id, "/stop", Some(json!({}))).await.map(|_| None)?,
            Call::Suspend { id } => act(id, "/suspend", None).await.map(|_| None)?,
            Call::Restart { id } => act(id, "/restart", None).await.map(|_| None)?,
            Call::Cordon { id } => act(id, "/cordon", None).await.map(|_| None)?,
            Call::Uncordon { id } => act(id, "/uncordon", None).await.map(|_| None)?,
            Call::Destroy { id, force } => {
                self.created.remove(app, id);
                let rest = if *force { "?force=true" } else { "" };
                self.send_machine_request(app, id, Method::Delete, rest, None)
                    .await?;
                None
            }
            Call::Stamp { id, stamps } => {
                self.stamp(app, id, stamps).await?;
                None
            }
        };
        Ok(Receipt {
            machine,
            ..Receipt::default()
        })
    }

    async fn wait(
        &self,
        app: &AppName,
        id: &MachineId,
        until: WaitUntil,
        at_most: Duration,
    ) -> Result<Machine, ProviderError> {
        self.wait_for(app, id, until, at_most).await
    }

    async fn acquire_lease(
        &self,
        app: &AppName,
        id: &MachineId,
        why: &str,
    ) -> Result<(), ProviderError> {
        match self.request_lease(app, id, why).await {
            Ok(nonce) => {
                self.leases.acquire(app, id, nonce, why);
                Ok(())
            }
            Err(error) if error.class == ErrorClass::Conflict => {
                Err(self.with_lease_holder(app, id, error).await)
            }
            Err(error) => Err(error),
        }
    }

    async fn lease_holder(
        &self,
        app: &AppName,
        id: &MachineId,
    ) -> Result<Option<String>, ProviderError> {
        if self.leases.nonce(app, id).is_some() {
            return Ok(None);
        }
        let request = ApiRequest::new(Method::Get, machine_path(app, id, "/lease"));
        let lease = match self.client.call_machines_api(request).await {
            Ok(response) => response.parse::<LeaseResponse>()?.into_data(),
            Err(error) if error.class == ErrorClass::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let owner = lease.owner.as_deref().filter(|owner| !owner.is_empty());
        let owner = owner.unwrap_or("another client");
        let until = lease.end().map(|end| format!(" until {end}"));
        let why = lease.reason().map(|why| format!(": {why}"));
        let (until, why) = (until.unwrap_or_default(), why.unwrap_or_default());
        Ok(Some(format!(
            "Machine {id} is leased by {owner}{until}{why}"
        )))
    }

    async fn refresh_lease(&self, app: &AppName, id: &MachineId) -> Result<(), ProviderError> {
        // A lease without a local holder would never be released and would block ourselves.
        let Some(why) = self.leases.why(app, id) else {
            return Ok(());
        };
        let nonce = self.request_lease(app, id, &why).await?;
        self.leases.renew(app, id, nonce);
        Ok(())
    }

    async fn release_lease(&self, app: &AppName, id: &MachineId) -> Result<(), ProviderError> {
        let Some(nonce) = self.leases.release(app, id) else {
            return Ok(());
        };
        let request = ApiRequest {
            nonce: Some(&nonce),
            ..ApiRequest::new(Method::Delete, machine_path(app, id, "/lease"))
        };
        match self.client.call_machines_api(request).await {
            Err(error) if !matches!(error.class, ErrorClass::NotFound | ErrorClass::Invalid) => {
                Err(error)
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn newest_release(&self, app: &AppName) -> Result<Option<Release>, ProviderError> {
        self.current_release(app).await
    }

    async fn releases(
        &self,
        app: &AppName,
        limit: usize,
    ) -> Result<Option<Vec<Release>>, ProviderError> {
        self.list_releases(app, limit).await
    }

    async fn register_release(
        &self,
        app: &AppName,
        release: &NewRelease<'_>,
    ) -> Result<Option<Release>, ProviderError> {
        self.new_release(app, release).await
    }

    async fn set_release_status(
        &self,
        _app: &AppName,
        id: &str,
        status: ReleaseStatus,
    ) -> Result<(), ProviderError> {
        self.send_release_status(id, status).await
    }

    async fn versions(
        &self,
        app: &AppName,
        id: &MachineId,
    ) -> Result<Vec<MachineVersion>, ProviderError> {
        let request = ApiRequest::new(Method::Get, machine_path(app, id, "/versions"));
        let shown: Value = self.client.call_machines_api(request).await?.parse()?;
        Ok(wire::parse_versions(&shown))
    }

    async fn events(
        &self,
        app: &AppName,
        id: &MachineId,
    ) -> Result<Vec<MachineEvent>, ProviderError> {
        let request = ApiRequest::new(Method::Get, machine_path(app, id, "/events?limit=20"));
        let shown: Value = self.client.call_machines_api(request).await?.parse()?;
        Ok(events::parse_events(&shown))
    }

    async fn logs(
        &self,
        app: &AppName,
        query: &LogQuery,
        sink: &mut LogSink<'_>,
    ) -> Result<(), ProviderError> {
        self.send_machine_events(app, query, sink).await
    }
}
