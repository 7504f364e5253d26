//! The config itself, and its small tables.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Effect::{Bookkeeping, InPlace, Replace};
use super::Owner::{Deploy, Platform, Running};
use super::spec::{Form, Kind, PlatformDefault, Secret, Spelling, Toml, field};
use super::{CARRIED, Check, Guest, Init, Mount, Service, config_struct};
use crate::core::fleet::normalise::{is_bookkeeping, is_standby_stamp};

config_struct!(
    /// The whole configuration of one Machine. Absent and `null` mean the same everywhere.
    MachineConfig {
        /// Destroy the Machine when it exits.
        auto_destroy: bool = field(Platform, InPlace).empty_is_absent(),
        /// Extra cache drive; carried.
        cache_drive: Value = field(Platform, InPlace).holds(Kind::Section(&CARRIED)),
        /// Top-level checks by name.
        checks: BTreeMap<String, Check> = field(Deploy, InPlace).toml(Toml::Table("[checks.*]")),
        /// Containers (beta); carried.
        containers: Vec<Value> = field(Platform, InPlace).found_by(&["name"]),
        /// The proxy never starts it by itself.
        disable_machine_autostart: bool = field(Platform, InPlace).empty_is_absent(),
        /// Resolver settings; carried.
        dns: Value = field(Platform, InPlace).holds(Kind::Section(&CARRIED)),
        /// Environment variables.
        env: BTreeMap<String, String> = field(Deploy, InPlace)
            .secret(Secret::ByName)
            .stamps(is_standby_stamp)
            .toml(Toml::Table("[env]")),
        /// Files written into the Machine.
        files: Vec<File> = field(Deploy, InPlace)
            .found_by(&["guest_path"])
            .any_order()
            .toml(Toml::Table("[[files]]")),
        /// CPU and memory.
        guest: Guest = field(Running, InPlace).toml(Toml::Table("[[vm]]")),
        /// Image reference.
        image: String = field(Running, InPlace)
            .spelt(Spelling::Image)
            .toml(Toml::At("[build]", "image", Form::ByHand)),
        /// Command, entrypoint, swap.
        init: Init = field(Platform, InPlace),
        /// Free text by key. What runs and releases write here is bookkeeping.
        metadata: BTreeMap<String, String> = field(Platform, InPlace)
            .secret(Secret::ByName)
            .stamps(is_bookkeeping),
        /// Prometheus endpoint.
        metrics: Metrics = field(Deploy, InPlace).toml(Toml::Table("[metrics]")),
        /// Mounted volumes (at most one on Fly).
        mounts: Vec<Mount> = field(Deploy, Replace)
            .found_by(&["name"])
            .toml(Toml::Table("[[mounts]]")),
        /// Processes (beta); carried.
        processes: Vec<Value> = field(Platform, InPlace).holds(Kind::Any),
        /// What happens when the process exits.
        restart: Restart = field(Deploy, InPlace).toml(Toml::Table("[[restart]]")),
        /// Root file system; carried.
        rootfs: Value = field(Platform, InPlace).holds(Kind::Section(&CARRIED)),
        /// Run on a schedule (`hourly`, `daily`, …).
        schedule: String = field(Platform, InPlace).empty_is_absent(),
        /// Network services.
        services: Vec<Service> = field(Deploy, InPlace)
            .found_by(&["internal_port", "protocol"])
            .any_order()
            .toml(Toml::Table("[[services]]")),
        /// Legacy size name; carried.
        size: String = field(Platform, InPlace).empty_is_absent(),
        /// Starts without waiting for checks; carried.
        skip_health_checks: Value = field(Platform, InPlace).empty_is_absent(),
        /// Terms of a spot Machine; carried.
        spot: Value = field(Platform, InPlace).holds(Kind::Section(&CARRIED)),
        /// Machines that this one stands by for.
        standbys: Vec<String> = field(Platform, Bookkeeping),
        /// Static files served by the proxy; the first of several may win.
        statics: Vec<Static> = field(Deploy, InPlace)
            .found_by(&["url_prefix", "guest_path"])
            .toml(Toml::Table("[[statics]]")),
        /// Signal and timeout of a stop.
        stop_config: StopConfig = field(Deploy, InPlace),
        /// Volumes of containers (beta); carried.
        volumes: Vec<Value> = field(Platform, InPlace).found_by(&["name"]),
    }
);
config_struct!(
    /// A file written into the Machine at start.
    File {
        /// Absolute path inside the Machine.
        guest_path: String = field(Deploy, InPlace).toml(Toml::Key("guest_path", Form::Plain)),
        /// Reference to a file in an image config.
        image_config: String = field(Deploy, InPlace).empty_is_absent(),
        /// Mode bits.
        mode: u32 = field(Deploy, InPlace).empty_is_absent(),
        /// Content, base64.
        raw_value: String = field(Deploy, InPlace)
            .secret(Secret::Always)
            .toml(Toml::Key("raw_value", Form::ByHand)),
        /// Secret whose value is the content.
        secret_name: String = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("secret_name", Form::Plain)),
    }
);
config_struct!(
    /// Prometheus endpoint.
    Metrics {
        /// Scrape over TLS.
        https: bool = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("https", Form::Plain)),
        /// Path.
        path: String = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("path", Form::Plain)),
        /// Port.
        port: u16 = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("port", Form::Plain)),
    }
);
config_struct!(
    /// What happens when the process exits.
    Restart {
        /// Spot price bid; carried.
        gpu_bid_price: Value = field(Platform, InPlace),
        /// Restarts before it is given up (`on-failure`).
        max_retries: u32 = field(Deploy, InPlace)
            .empty_is_absent()
            .default(PlatformDefault::Number(10))
            .toml(Toml::Key("retries", Form::Plain)),
        /// `no`, `always`, `on-failure`, `spot-price`. Absent means `on-failure` to the platform.
        policy: String = field(Deploy, InPlace)
            .empty_is_absent()
            .default(PlatformDefault::Text("on-failure"))
            .toml(Toml::Key("policy", Form::Policy)),
    }
);
config_struct!(
    /// Static files served by the proxy.
    Static {
        /// Folder inside the Machine.
        guest_path: String = field(Deploy, InPlace).toml(Toml::Key("guest_path", Form::Plain)),
        /// File that answers for a folder.
        index_document: String = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("index_document", Form::Plain)),
        /// Bucket.
        tigris_bucket: String = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("tigris_bucket", Form::Plain)),
        /// URL prefix.
        url_prefix: String = field(Deploy, InPlace).toml(Toml::Key("url_prefix", Form::Plain)),
    }
);
config_struct!(
    /// Signal and timeout of a stop.
    StopConfig {
        /// Signal name (`SIGINT`); the platform's default is SIGINT.
        signal: String = field(Deploy, InPlace)
            .empty_is_absent()
            .default(PlatformDefault::Text("SIGINT"))
            .toml(Toml::At("", "kill_signal", Form::Plain)),
        /// Go duration; the platform's default is `5s`.
        timeout: String = field(Deploy, InPlace)
            .empty_is_absent()
            .spelt(Spelling::Duration)
            .default(PlatformDefault::Text("5s"))
            .toml(Toml::At("", "kill_timeout", Form::Duration)),
    }
);
