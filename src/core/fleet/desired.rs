//! The desired state: fly.toml, aeroform.toml and flags combined.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::profile::{ProviderProfile, profile};
use super::{
    AppName, GroupName, Hold, Lineage, MachineCheck, MachineConfig, MachineId, NewVolume, Region,
    Rollout, StoredConfig, VolumeId, overlay,
};

/// What the manifests request. It contains templates and no finished configs; [`DesiredGroup::config_for`]
/// lays a template over the existing config.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// The app's name.
    pub app: AppName,
    /// The source of the app's name; `None` if it is fly.toml.
    pub app_name_source: Option<AppNameSource>,
    /// The provider's name (`local`, `fly`, …).
    pub provider: String,
    /// A flag names the provider, and there is no aeroform.toml to name it.
    pub provider_from_flag: bool,
    /// Every desired group; Machines of other groups are to be removed.
    pub groups: BTreeMap<GroupName, DesiredGroup>,
    /// Renamed groups.
    pub moved: Vec<MovedGroup>,
    /// Machines that move to another group.
    pub moved_machines: Vec<MovedMachine>,
    /// Machines to remove; ignored when they no longer exist.
    pub removed_machines: BTreeSet<MachineId>,
    /// Limits.
    pub policy: Policy,
    /// The region for Machines of a new group.
    pub primary_region: Option<Region>,
    /// The image of every group and the place that names it; `None` keeps the running images (rule 18).
    pub image: Option<String>,
    /// Whether fly.toml has a `[processes]` section; without it the only group is `app`.
    pub has_processes: bool,
    /// Commands and options of a deploy that apply to the app.
    pub rollout: Rollout,
    /// The release to follow; then the templates of its groups are not used (rule 41).
    pub hold: Option<Hold>,
    /// fly.toml as JSON, for platforms that store it with each release.
    pub definition: Option<Box<serde_json::Value>>,
}

/// The source of an app's name other than fly.toml.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppNameSource {
    /// The source: `--app`, `FLY_APP`, or a state file.
    #[serde(rename = "by")]
    pub source: String,
    /// The manifest that names another app, and that app's name.
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

/// One desired process group.
#[derive(Debug, Clone, PartialEq)]
pub struct DesiredGroup {
    /// The command as written, for display; `None` is the image's own command.
    pub command: Option<String>,
    /// The config from fly.toml. `guest: None` keeps the existing sizes.
    pub template: MachineConfig,
    /// The image comes from `--image` and is not written in a file.
    pub image_from_flag: bool,
    /// The number of primaries.
    pub count: Count,
    /// Their regions.
    pub regions: Regions,
    /// The maximum of Machines in one region.
    pub max_per_region: Option<u32>,
    /// The number of standbys; `None` if not written.
    pub standby: Option<u32>,
    /// Use Fly's redundancy rule for a new group without a count.
    pub ha: bool,
    /// The count is never lowered, and no volume of the group is left unattached.
    pub protect: bool,
    /// The update strategy. This and the other settings of a rollout are not part of the digest.
    pub strategy: Strategy,
    /// How many may be down at once in a rolling update, also where `strategy` is another one: `--strategy rolling`
    /// uses it.
    pub max_unavailable: Limit,
    /// The new Machines that must pass before a running one changes (`canary`, `bluegreen`); `strategy` is rolling
    /// then.
    pub trial: Option<Trial>,
    /// Timeout for one Machine to start and pass its checks, seconds.
    pub wait_timeout_s: u64,
    /// How long a Machine must stay up before its change counts as done, milliseconds; `None` if not written.
    pub steady_ms: Option<u64>,
    /// The order in which a rolling update goes through the regions, each behind the gates of the one before;
    /// empty if not written: all together.
    pub region_order: Vec<OrderedRegions>,
    /// The test Machines to run for each updated Machine.
    pub machine_checks: Vec<MachineCheck>,
    /// The properties of volumes created for this group.
    pub new_volume: NewVolume,
    /// The source locations of the group and its count (`fly.toml:7`, `aeroform.toml:12`), for reasons.
    pub locations: GroupLocations,
}

/// Source locations of a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupLocations {
    /// The group's entry in `[processes]`.
    pub group: Option<String>,
    /// The group's `[groups.x]` table.
    pub settings: Option<String>,
    /// The service written as `[http_service]`, by its name in field changes (`8080 tcp`).
    pub http_service: Option<String>,
    /// Its `[[vm]]` has `cpu_kind` or `cpus` and no `size`.
    pub has_size_in_parts: bool,
}

/// The number of primaries of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Count {
    /// Written as a count or as the sum of exact regions.
    Written(u32),
    /// Not written: the number of known or adopted Machines; a new group follows Fly's rule.
    Unwritten,
}

/// The regions of a group's Machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Regions {
    /// Not written: every Machine stays in its region.
    Unwritten,
    /// Spread evenly over these regions, in the written order.
    List(Vec<Region>),
    /// An exact number per region.
    Exact(BTreeMap<Region, u32>),
}

/// The update strategy of a group.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum Strategy {
    /// One Machine first, then up to `max_unavailable` at a time.
    Rolling {
        /// The maximum of Machines that may be down at the same time.
        max_unavailable: Limit,
    },
    /// All at the same time, without waiting for health.
    Immediate,
}

/// One entry of `order` in `[groups.x.deploy]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderedRegions {
    /// This region.
    Region(Region),
    /// `"*"`: all regions that no entry names, together.
    Others,
}

/// The strategies of flyctl with new Machines that must pass before a running one changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Trial {
    /// One extra Machine first, then the update of [`DesiredGroup::strategy`].
    Canary {
        /// How long it stays started, with its checks passing, after its gate, milliseconds.
        soak_ms: u64,
    },
    /// A second set of Machines, which replaces the first; what does not replace a Machine is done as
    /// [`DesiredGroup::strategy`] says.
    Bluegreen,
}

impl Trial {
    /// The name in fly.toml.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Canary { .. } => "canary",
            Self::Bluegreen => "bluegreen",
        }
    }
}

/// A count or a share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum Limit {
    /// A fixed count.
    Count(u32),
    /// A share from 0 to 1.
    Share(f64),
}

impl Limit {
    /// flyctl's default `max_unavailable`.
    pub const MAX_UNAVAILABLE: Self = Self::Share(0.33);

    /// The limit that a number sets, as flyctl reads `max_unavailable` (docs/platform/fly-toml.md 12.1): from 1 its
    /// integer part is a count, below it is a share.
    ///
    /// # Errors
    /// What the number must be.
    pub fn of_number(number: f64) -> Result<Self, &'static str> {
        if number.is_nan() {
            return Err("a number");
        }
        if number <= 0.0 {
            return Err("above 0, or nothing could be updated");
        }
        if number > f64::from(u32::MAX) {
            return Err("at most 4294967295");
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked above; what is behind the point is meant to go"
        )]
        let whole = number as u32;
        Ok(if number >= 1.0 {
            Self::Count(whole)
        } else {
            Self::Share(number)
        })
    }

    /// The count for a total of `of`, rounded up as flyctl does for `max_unavailable`
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
    /// The count for a total of `of`, rounded down, for limits on losses.
    pub fn to_count_floor(self, of: usize) -> usize {
        match self {
            Self::Count(n) => n as usize,
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of a number of Machines, far below 2^52"
            )]
            // Without this margin 0.29 × 100 would become 28.
            Self::Share(share) => (of as f64 * share + 1e-9).floor().max(0.0) as usize,
        }
    }
}

/// `[[moved]] from = …, to = …`: renames a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovedGroup {
    /// The current name.
    pub from: GroupName,
    /// The new name.
    pub to: GroupName,
    /// The source location.
    #[serde(skip)]
    pub location: String,
}

/// `[[moved]] machine = …, to = …`: moves one Machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovedMachine {
    /// The Machine.
    pub machine: MachineId,
    /// Its new group.
    pub to: GroupName,
    /// The source location.
    #[serde(skip)]
    pub location: String,
}

/// `[policy]`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Policy {
    /// The maximum of Machines that one plan may remove (rule 33 defines which count).
    pub max_destroy: Option<Limit>,
}

impl Desired {
    /// The profile of its provider.
    pub fn profile(&self) -> &'static ProviderProfile {
        profile(&self.provider)
    }

    /// A `Desired` for commands that need no manifest: the app and its provider, without groups.
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
            hold: None,
            definition: None,
        }
    }

    /// The Machine's group after `[[moved]]` is applied.
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

    /// A digest of the desired state without secret-looking values. Equal manifests have equal digests,
    /// whatever their formatting. How changes are rolled out is not part of it: a failed run that is repeated with a
    /// longer `wait_timeout` wants the same (rule 12).
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
                    "machine_checks": group.machine_checks,
                    "new_volume": group.new_volume,
                });
                (name, body)
            })
            .collect();
        let mut body = serde_json::json!({
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
        // Without one the digest stays that of older versions.
        if let Some(hold) = &self.hold {
            body["hold"] = serde_json::json!(hold);
        }
        let text = serde_json::to_vec(&body).expect("plain data always serialises");
        HEXLOWER.encode(&Sha256::digest(text)[..16])
    }
}

/// The configs that a group's template is laid over.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConfigBase<'a> {
    /// The Machine's current config; `None` for a new Machine.
    pub existing: Option<&'a MachineConfig>,
    /// The config that was sent last.
    pub sent: Option<&'a StoredConfig>,
}

impl DesiredGroup {
    /// The config of one Machine of this group: the template laid over the existing config, with its volumes
    /// and standbys. This is the only way to build a config (docs/design/2026-11-22-config-for.md).
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
