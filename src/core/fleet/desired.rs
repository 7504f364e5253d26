//! What is wanted: the meaning of fly.toml and aeroform.toml together, after flags.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::profile::{ProviderProfile, profile};
use super::{
    AppName, GroupName, Lineage, MachineCheck, MachineConfig, MachineId, NewVolume, Region,
    Rollout, StoredConfig, VolumeId, overlay,
};

/// What the manifests want. Never a finished config: a group's template is laid over what exists.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// The app.
    pub app: AppName,
    /// Where the app's name came from; none where fly.toml says it.
    pub app_name_source: Option<AppNameSource>,
    /// Provider by name (`local`, `fly`, …).
    pub provider: String,
    /// A flag names the provider, and there is no aeroform.toml that could.
    pub provider_from_flag: bool,
    /// Every wanted group; a group that is not here is wanted gone.
    pub groups: BTreeMap<GroupName, DesiredGroup>,
    /// Renamed groups.
    pub moved: Vec<MovedGroup>,
    /// Single Machines that go to another group.
    pub moved_machines: Vec<MovedMachine>,
    /// Single Machines that go; ignored once true.
    pub removed_machines: BTreeSet<MachineId>,
    /// Limits.
    pub policy: Policy,
    /// Region of Machines of a new group.
    pub primary_region: Option<Region>,
    /// Image that every group runs and where it was named; none means what runs (rule 18).
    pub image: Option<String>,
    /// Whether fly.toml has a `[processes]` section; without it there is the one group `app`.
    pub has_processes: bool,
    /// What a deploy runs for the whole app.
    pub rollout: Rollout,
    /// fly.toml as JSON, with a platform that keeps it with each release.
    pub definition: Option<Box<serde_json::Value>>,
}

/// Where an app's name came from, where that is not fly.toml.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppNameSource {
    /// What said it: `--app`, `FLY_APP`, or a state file.
    #[serde(rename = "by")]
    pub source: String,
    /// The manifest that names another app, and that app.
    pub file: Option<(String, AppName)>,
}

impl fmt::Display for AppNameSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        match &self.file {
            Some((file, app)) => write!(f, "; {file} names {app}"),
            None => Ok(()),
        }
    }
}

/// One wanted process group.
#[derive(Debug, Clone, PartialEq)]
pub struct DesiredGroup {
    /// The command as written, for display; none runs the image's own.
    pub command: Option<String>,
    /// What fly.toml says of this group's Machines. `guest: None` leaves sizes as they are.
    pub template: MachineConfig,
    /// Its image was named for this run alone (`--image`): no file writes it.
    pub image_from_flag: bool,
    /// How many primaries.
    pub count: Count,
    /// Where.
    pub regions: Regions,
    /// Most Machines in one region.
    pub max_per_region: Option<u32>,
    /// Standbys of this group; none means not written.
    pub standby: Option<u32>,
    /// Redundancy rule for a new group without a count.
    pub ha: bool,
    /// Count never lowered, no volume of it left.
    pub protect: bool,
    /// How its Machines are updated.
    pub strategy: Strategy,
    /// The strategy that fly.toml names, where this version has none of that name; `strategy` is rolling
    /// then, and a plan that would update a running Machine is refused.
    pub unsupported_strategy: Option<UnsupportedStrategy>,
    /// How long one Machine may take to start and pass its checks, seconds.
    pub wait_timeout_s: u64,
    /// How long a Machine must stay up before its change counts as done, milliseconds; none means not
    /// written. It says how and not what: no part of the digest.
    pub steady_ms: Option<u64>,
    /// What runs beside each updated Machine.
    pub machine_checks: Vec<MachineCheck>,
    /// What a volume has that is made for it.
    pub new_volume: NewVolume,
    /// Where the group and its count are written (`fly.toml:7`, `aeroform.toml:12`), for reasons.
    pub locations: GroupLocations,
}

/// Where things were written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupLocations {
    /// The group's entry in `[processes]`.
    pub group: Option<String>,
    /// The group's `[groups.x]` table.
    pub settings: Option<String>,
    /// The service that is written as `[http_service]`, as field changes name it (`8080 tcp`).
    pub http_service: Option<String>,
}

/// How many primaries a group has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Count {
    /// Written, or the sum of an exact map.
    Written(u32),
    /// Not written: the Machines that are known or adopted; a new group gets Fly's own rule.
    Unwritten,
}

/// Where a group's Machines are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Regions {
    /// Nothing written: every Machine stays where it is.
    Unwritten,
    /// Evened out over these, in the order written.
    List(Vec<Region>),
    /// Exactly so many in each.
    Exact(BTreeMap<Region, u32>),
}

/// How a group's Machines are updated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum Strategy {
    /// One first, then so many at a time.
    Rolling {
        /// How many may be down at once.
        max_unavailable: Limit,
    },
    /// All at once, without waiting for health.
    Immediate,
}

impl Strategy {
    /// Rolling with flyctl's own `max_unavailable`.
    pub const ROLLING: Self = Self::Rolling {
        max_unavailable: Limit::Share(0.33),
    };
}

/// A strategy of flyctl that cannot be carried out yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnsupportedStrategy {
    /// One more Machine first, then rolling.
    Canary,
    /// A second set of Machines, then all requests at once to that.
    Bluegreen,
}

impl UnsupportedStrategy {
    /// As fly.toml writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Canary => "canary",
            Self::Bluegreen => "bluegreen",
        }
    }
}

/// A number or a share of one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum Limit {
    /// So many.
    Count(u32),
    /// This share, 0 to 1.
    Share(f64),
}

impl Limit {
    /// How many of `of` this allows: a share is rounded up, as flyctl does with `max_unavailable`
    /// (docs/platform/fly-toml.md 12.1).
    pub fn to_count_ceil(self, of: usize) -> usize {
        match self {
            Self::Count(n) => n as usize,
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of a number of Machines, far below 2^52"
            )]
            Self::Share(share) => (of as f64 * share).ceil().max(0.0) as usize,
        }
    }
}

impl Limit {
    /// How many of `of` this allows at most, rounded down: a limit on what may be lost.
    pub fn to_count_floor(self, of: usize) -> usize {
        match self {
            Self::Count(n) => n as usize,
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of a number of Machines, far below 2^52"
            )]
            // The margin keeps 0.29 × 100 from becoming 28.
            Self::Share(share) => (of as f64 * share + 1e-9).floor().max(0.0) as usize,
        }
    }
}

/// `[[moved]] from = …, to = …`: Machines of one group become those of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovedGroup {
    /// The name that the Machines have now.
    pub from: GroupName,
    /// The name that they get.
    pub to: GroupName,
    /// Where it is written.
    #[serde(skip)]
    pub location: String,
}

/// `[[moved]] machine = …, to = …`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovedMachine {
    /// Which Machine.
    pub machine: MachineId,
    /// The group that it gets.
    pub to: GroupName,
}

/// `[policy]`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Policy {
    /// Most Machines that one plan may take away (rule 33 says which count).
    pub max_destroy: Option<Limit>,
}

impl Desired {
    /// What its provider is like.
    pub fn profile(&self) -> &'static ProviderProfile {
        profile(&self.provider)
    }

    /// What a verb stands on that needs no manifest: the app, where it runs, and no wish at all.
    pub fn empty(app: AppName, named_by: Option<AppNameSource>, provider: &str) -> Self {
        Self {
            app,
            app_name_source: named_by,
            provider: provider.to_owned(),
            provider_from_flag: false,
            groups: BTreeMap::new(),
            moved: Vec::new(),
            moved_machines: Vec::new(),
            removed_machines: BTreeSet::new(),
            policy: Policy::default(),
            primary_region: None,
            image: None,
            has_processes: true,
            rollout: Rollout::default(),
            definition: None,
        }
    }

    /// The group that a Machine of this group counts for: after `[[moved]]`.
    pub fn group_of(&self, machine: &MachineId, now: &GroupName) -> GroupName {
        let moved = self
            .moved_machines
            .iter()
            .find(|moved| moved.machine == *machine);
        let renamed = || self.moved.iter().find(|moved| moved.from == *now);
        let to = moved
            .map(|moved| &moved.to)
            .or_else(|| Some(&renamed()?.to));
        to.unwrap_or(now).clone()
    }

    /// A digest of everything that is wanted, without a value of any secret-looking variable. Equal
    /// manifests give equal digests whatever their formatting.
    pub fn digest(&self, lineage: &Lineage) -> String {
        let groups: BTreeMap<_, _> = self
            .groups
            .iter()
            .map(|(name, group)| {
                let body = serde_json::json!({
                    "template": StoredConfig::from_config(&group.template, lineage),
                    "count": group.count,
                    "regions": group.regions,
                    "max_per_region": group.max_per_region,
                    "standby": group.standby,
                    "ha": group.ha,
                    "protect": group.protect,
                    "strategy": group.strategy,
                    "wait_timeout_s": group.wait_timeout_s,
                    "machine_checks": group.machine_checks,
                    "new_volume": group.new_volume,
                });
                (name, body)
            })
            .collect();
        let body = serde_json::json!({
            "app": self.app,
            "provider": self.provider,
            "groups": groups,
            "moved": self.moved,
            "moved_machines": self.moved_machines,
            "removed_machines": self.removed_machines,
            "policy": self.policy,
            "primary_region": self.primary_region,
            "image": self.image,
            "rollout": self.rollout,
        });
        let text = serde_json::to_vec(&body).expect("plain data always serialises");
        HEXLOWER.encode(&Sha256::digest(text)[..16])
    }
}

/// What a group's template is laid over.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConfigBase<'a> {
    /// The config that the Machine has; none for a new one.
    pub existing: Option<&'a MachineConfig>,
    /// The config that we sent last.
    pub sent: Option<&'a StoredConfig>,
}

impl DesiredGroup {
    /// The config of one Machine of this group: the template laid over what exists, with its volumes
    /// and the Machines that it stands by for. The only way to a config
    /// (docs/design/2026-11-22-config-for.md).
    pub fn config_for(
        &self,
        base: ConfigBase<'_>,
        volumes: &[VolumeId],
        standby_for: &[MachineId],
    ) -> MachineConfig {
        let mut config = overlay::config_for(&self.template, base.existing, base.sent);
        for (mount, volume) in config.mounts.iter_mut().flatten().zip(volumes) {
            mount.volume = Some(volume.as_str().to_owned());
        }
        if standby_for.is_empty() {
            config.standbys = None;
        } else {
            let ids: Vec<&str> = standby_for.iter().map(MachineId::as_str).collect();
            config
                .env
                .get_or_insert_default()
                .insert("FLY_STANDBY_FOR".to_owned(), ids.join(","));
            config.standbys = Some(ids.into_iter().map(str::to_owned).collect());
        }
        config
    }
}
