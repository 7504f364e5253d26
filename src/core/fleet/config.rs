//! A Machine's configuration with the platform's own names (schema `fly.MachineConfig`).
//!
//! Every level carries the fields that we do not know (`other`) through untouched. Nothing here says
//! who owns a field or when two configs are equal: see [`super::overlay`] and [`super::normal`].

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lenient::{self, Lenient, Mend, Path};
use super::secret::{self, HIDDEN};

/// Fields that the platform has and we do not know; they are carried, never shown, never dropped.
pub type Other = BTreeMap<String, Value>;

macro_rules! config_struct {
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident : $ty:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $name {
            $($(#[$fdoc])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$ty>,)*
            /// Unknown fields, carried.
            #[serde(flatten)]
            pub other: Other,
        }

        impl Lenient for $name {
            fn mend(value: &mut Value, at: &Path<'_>, problems: &mut Vec<String>) {
                let known = [$((stringify!($field), <$ty as Lenient>::mend as Mend)),*];
                let raw = known.map(|(name, mend)| (name.trim_start_matches("r#"), mend));
                lenient::fields(value, at, problems, &raw);
            }
        }

        /// As JSON, without a secret: what is printed while something is looked for ends up in logs.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut tree = serde_json::to_value(self).map_err(|_| fmt::Error)?;
                secret::replace(&mut tree, &mut |_, _| HIDDEN.to_owned());
                write!(f, "{} {tree}", stringify!($name))
            }
        }
    };
}

config_struct!(
    /// The whole configuration of one Machine. Absent and `null` mean the same everywhere.
    MachineConfig {
        /// Destroy the Machine when it exits.
        auto_destroy: bool,
        /// Extra cache drive; carried.
        cache_drive: Value,
        /// Top-level checks by name.
        checks: BTreeMap<String, Check>,
        /// Containers (beta); carried.
        containers: Vec<Value>,
        /// The proxy never starts it by itself.
        disable_machine_autostart: bool,
        /// Resolver settings; carried.
        dns: Value,
        /// Environment variables.
        env: BTreeMap<String, String>,
        /// Files written into the Machine.
        files: Vec<File>,
        /// CPU and memory.
        guest: Guest,
        /// Image reference.
        image: String,
        /// Command, entrypoint, swap.
        init: Init,
        /// Free text by key; the bookkeeping keys of RULES 1 are not in here, see [`super::Stamps`].
        metadata: BTreeMap<String, String>,
        /// Prometheus endpoint.
        metrics: Metrics,
        /// Mounted volumes (at most one on Fly).
        mounts: Vec<Mount>,
        /// Processes (beta); carried.
        processes: Vec<Value>,
        /// What happens when the process exits.
        restart: Restart,
        /// Root file system; carried.
        rootfs: Value,
        /// Run on a schedule (`hourly`, `daily`, …).
        schedule: String,
        /// Network services.
        services: Vec<Service>,
        /// Legacy size name; carried.
        size: String,
        /// Machines that this one stands by for. Not part of the config digest (RULES 2).
        standbys: Vec<String>,
        /// Static files served by the proxy.
        statics: Vec<Static>,
        /// Signal and timeout of a stop.
        stop_config: StopConfig,
    }
);
config_struct!(
    /// A top-level check (`fly.MachineCheck`) or, without `kind`, a service's check.
    Check {
        /// Time after a start in which failures do not count; Go duration (`10s`).
        grace_period: String,
        /// Request headers.
        headers: Vec<Header>,
        /// Time between two checks; Go duration.
        interval: String,
        /// `informational` or `readiness`.
        kind: String,
        /// HTTP method.
        method: String,
        /// HTTP path.
        path: String,
        /// Port; a service's check takes the service's internal port.
        port: u16,
        /// `http` or `https`.
        protocol: String,
        /// Time until one check counts as failed; Go duration.
        timeout: String,
        /// Server name for TLS.
        tls_server_name: String,
        /// Accept any certificate.
        tls_skip_verify: bool,
        /// `http` or `tcp`.
        r#type: String,
    }
);
config_struct!(
    /// One request header.
    Header {
        /// Header name.
        name: String,
        /// Its values.
        values: Vec<String>,
    }
);
config_struct!(
    /// A file written into the Machine at start.
    File {
        /// Absolute path inside the Machine.
        guest_path: String,
        /// Reference to a file in an image config.
        image_config: String,
        /// Mode bits.
        mode: u32,
        /// Content, base64.
        raw_value: String,
        /// Secret whose value is the content.
        secret_name: String,
    }
);
config_struct!(
    /// CPU and memory of a Machine.
    Guest {
        /// `shared` or `performance`.
        cpu_kind: String,
        /// Number of CPUs.
        cpus: u32,
        /// GPU model.
        gpu_kind: String,
        /// Number of GPUs.
        gpus: u32,
        /// Dedicated host.
        host_dedication_id: String,
        /// Kernel arguments.
        kernel_args: Vec<String>,
        /// Upper limit of memory, MiB.
        max_memory_mb: u32,
        /// Memory, MiB.
        memory_mb: u32,
        /// `never`, `always`, `restart`; some answers have a number, hence a value.
        persist_rootfs: Value,
    }
);
config_struct!(
    /// What is run.
    Init {
        /// Arguments that replace the image's CMD.
        cmd: Vec<String>,
        /// Arguments that replace the image's ENTRYPOINT.
        entrypoint: Vec<String>,
        /// Arguments that replace both.
        exec: Vec<String>,
        /// Kernel arguments.
        kernel_args: Vec<String>,
        /// Swap, MiB.
        swap_size_mb: u32,
        /// Allocate a terminal.
        tty: bool,
    }
);
config_struct!(
    /// Prometheus endpoint.
    Metrics {
        /// Scrape over TLS.
        https: bool,
        /// Path.
        path: String,
        /// Port.
        port: u16,
    }
);
config_struct!(
    /// A mounted volume. `volume` stands on the Machine's own line, not in the digest (RULES 2).
    Mount {
        /// Step of automatic extension, GB.
        add_size_gb: u32,
        /// Whether the volume is encrypted.
        encrypted: bool,
        /// Percentage at which it is extended.
        extend_threshold_percent: u32,
        /// Volume name.
        name: String,
        /// Where it is mounted.
        path: String,
        /// Size, GB.
        size_gb: u32,
        /// Limit of automatic extension, GB.
        size_gb_limit: u32,
        /// Volume id.
        volume: String,
    }
);
config_struct!(
    /// What happens when the process exits.
    Restart {
        /// Spot price bid; carried.
        gpu_bid_price: Value,
        /// Restarts before it is given up (`on-failure`).
        max_retries: u32,
        /// `no`, `always`, `on-failure`, `spot-price`. Absent means `on-failure` to the platform.
        policy: String,
    }
);
config_struct!(
    /// A network service.
    Service {
        /// Start a stopped Machine on a request.
        autostart: bool,
        /// `false`, `true` (stop) or `"suspend"` on the wire, hence a value.
        autostop: Value,
        /// Checks of this service.
        checks: Vec<Check>,
        /// Load limits.
        concurrency: Concurrency,
        /// Carried.
        force_instance_description: String,
        /// Carried.
        force_instance_key: String,
        /// Port that the app listens on.
        internal_port: u16,
        /// Machines that autostop leaves running in the primary region.
        min_machines_running: u32,
        /// External ports.
        ports: Vec<Port>,
        /// `tcp` or `udp`.
        protocol: String,
    }
);
config_struct!(
    /// Load limits of a service.
    Concurrency {
        /// No more than this.
        hard_limit: u32,
        /// Others are preferred above this.
        soft_limit: u32,
        /// `connections` or `requests`.
        r#type: String,
    }
);
config_struct!(
    /// An external port or range.
    Port {
        /// End of a range.
        end_port: u16,
        /// Redirect http to https.
        force_https: bool,
        /// `http`, `tls`, `proxy_proto`, …
        handlers: Vec<String>,
        /// HTTP options; carried.
        http_options: Value,
        /// The port.
        port: u16,
        /// Proxy protocol options; carried.
        proxy_proto_options: Value,
        /// Start of a range.
        start_port: u16,
        /// TLS options; carried.
        tls_options: Value,
    }
);
config_struct!(
    /// Static files served by the proxy.
    Static {
        /// Folder inside the Machine.
        guest_path: String,
        /// File that answers for a folder.
        index_document: String,
        /// Bucket.
        tigris_bucket: String,
        /// URL prefix.
        url_prefix: String,
    }
);
config_struct!(
    /// Signal and timeout of a stop.
    StopConfig {
        /// Signal name (`SIGINT`); the platform's default is SIGINT.
        signal: String,
        /// Go duration; the platform's default is `5s`.
        timeout: String,
    }
);

impl Service {
    /// Whether the proxy stops Machines that have nothing to do.
    pub fn stops_by_itself(&self) -> bool {
        let stops = |value: &Value| !matches!(value.as_str(), Some("off")) && *value != false;
        self.autostop.as_ref().is_some_and(stops)
    }
}

impl MachineConfig {
    /// Whether any service is written.
    pub fn has_services(&self) -> bool {
        self.services.as_ref().is_some_and(|s| !s.is_empty())
    }

    /// The size that is written; a guest that only names a host says none.
    pub fn written_size(&self) -> Option<&Guest> {
        let says = |guest: &&Guest| guest.cpus.or(guest.memory_mb).is_some();
        self.guest.as_ref().filter(says)
    }

    /// Whether any mount is written.
    pub fn has_mounts(&self) -> bool {
        self.mounts.as_ref().is_some_and(|m| !m.is_empty())
    }

    /// Whether any check, top-level or of a service, is written.
    pub fn has_checks(&self) -> bool {
        self.checks.as_ref().is_some_and(|c| !c.is_empty())
            || self
                .services
                .iter()
                .flatten()
                .any(|s| s.checks.as_ref().is_some_and(|c| !c.is_empty()))
    }

    /// The config as a JSON tree; fields that are absent do not appear.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("a config of strings, numbers and maps always serialises")
    }

    /// Reads a config as a platform wrote it, by the one rule of [`super::lenient`].
    ///
    /// # Errors
    /// What cannot be understood, by its place; no value is repeated.
    pub fn read(text: &str) -> Result<Self, String> {
        if let Ok(config) = serde_json::from_str(text) {
            return Ok(config);
        }
        let no_json = |_| "it is nested too deeply, or no JSON".to_owned();
        let mut tree: Value = serde_json::from_str(text).map_err(no_json)?;
        let mut problems = Vec::new();
        Self::mend(&mut tree, &Path::Root, &mut problems);
        if problems.is_empty() {
            let other = |_| "it has another form than the platform's schema".to_owned();
            return Self::from_value(tree).map_err(other);
        }
        let more = problems.len() - 1;
        let first = problems.swap_remove(0);
        Err(match more {
            0 => first,
            more => format!("{first} (and {more} more)"),
        })
    }

    /// Reads a config from a JSON tree.
    ///
    /// # Errors
    /// When a field that we know has another type than the platform's schema gives it.
    pub fn from_value(value: Value) -> Result<Self, serde_json::Error> {
        serde_json::from_value(value)
    }
}
