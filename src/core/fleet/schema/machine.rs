//! The config of a Machine, and its small tables.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Effect::{Bookkeeping, InPlace, Replace};
use super::Owner::{Deploy, Platform, Running};
use super::spec::{FieldType, Form, PlatformDefault, SecretRule, Spelling, Toml, field};
use super::{Check, Guest, Init, Mount, OPAQUE_TABLE, Service, config_struct};
use crate::core::fleet::normalise::{is_bookkeeping, is_standby_stamp};

config_struct!(
    /// The configuration of one Machine. Absent and `null` mean the same everywhere.
    MachineConfig {
        /// Destroy the Machine when it exits.
        auto_destroy: bool = field(Platform, InPlace).empty_is_absent(),
        /// Extra cache drive; unknown fields kept.
        cache_drive: Value = field(Platform, InPlace).field_type(FieldType::Section(&OPAQUE_TABLE)),
        /// Top-level checks, by name.
        checks: BTreeMap<String, Check> = field(Deploy, InPlace).toml(Toml::Table("[checks.*]")),
        /// Containers (beta); unknown fields kept.
        containers: Vec<Value> = field(Platform, InPlace).entry_keys(&["name"]),
        /// The proxy never starts the Machine.
        disable_machine_autostart: bool = field(Platform, InPlace).empty_is_absent(),
        /// DNS settings; unknown fields kept.
        dns: Value = field(Platform, InPlace).field_type(FieldType::Section(&OPAQUE_TABLE)),
        /// Environment variables.
        env: BTreeMap<String, String> = field(Deploy, InPlace)
            .secret(SecretRule::ByName)
            .stamps(is_standby_stamp)
            .toml(Toml::Table("[env]")),
        /// Files written into the Machine.
        files: Vec<File> = field(Deploy, InPlace)
            .entry_keys(&["guest_path"])
            .any_order()
            .toml(Toml::Table("[[files]]")),
        /// CPU and memory.
        guest: Guest = field(Running, InPlace).toml(Toml::Table("[[vm]]")),
        /// Image reference.
        image: String = field(Running, InPlace)
            .spelling(Spelling::Image)
            .toml(Toml::InTable("[build]", "image", Form::Manual)),
        /// Command, entrypoint, swap.
        init: Init = field(Platform, InPlace),
        /// Metadata. Keys that runs and releases write are bookkeeping.
        metadata: BTreeMap<String, String> = field(Platform, InPlace)
            .secret(SecretRule::ByName)
            .stamps(is_bookkeeping),
        /// Prometheus endpoint.
        metrics: Metrics = field(Deploy, InPlace).toml(Toml::Table("[metrics]")),
        /// Mounted volumes (at most one on Fly).
        mounts: Vec<Mount> = field(Deploy, Replace)
            .entry_keys(&["name"])
            .toml(Toml::Table("[[mounts]]")),
        /// Processes (beta); unknown fields kept.
        processes: Vec<Value> = field(Platform, InPlace).field_type(FieldType::Any),
        /// What happens when the process exits.
        restart: Restart = field(Deploy, InPlace).toml(Toml::Table("[[restart]]")),
        /// Root file system; unknown fields kept.
        rootfs: Value = field(Platform, InPlace).field_type(FieldType::Section(&OPAQUE_TABLE)),
        /// Run on a schedule (`hourly`, `daily`, …).
        schedule: String = field(Platform, InPlace).empty_is_absent(),
        /// Network services.
        services: Vec<Service> = field(Deploy, InPlace)
            .entry_keys(&["internal_port", "protocol"])
            .any_order()
            .toml(Toml::Table("[[services]]")),
        /// Legacy size name; kept.
        size: String = field(Platform, InPlace).empty_is_absent(),
        /// Start without waiting for checks; kept.
        skip_health_checks: Value = field(Platform, InPlace).empty_is_absent(),
        /// Spot Machine settings; unknown fields kept.
        spot: Value = field(Platform, InPlace).field_type(FieldType::Section(&OPAQUE_TABLE)),
        /// The Machines that it is a standby for.
        standbys: Vec<String> = field(Platform, Bookkeeping),
        /// Static files served by the proxy; the first match wins.
        statics: Vec<Static> = field(Deploy, InPlace)
            .entry_keys(&["url_prefix", "guest_path"])
            .toml(Toml::Table("[[statics]]")),
        /// Signal and timeout of a stop.
        stop_config: StopConfig = field(Deploy, InPlace),
        /// Volumes of containers (beta); unknown fields kept.
        volumes: Vec<Value> = field(Platform, InPlace).entry_keys(&["name"]),
    }
);
config_struct!(
    /// A file written into the Machine at start.
    File {
        /// Absolute path inside the Machine.
        guest_path: String = field(Deploy, InPlace).toml(Toml::Key("guest_path", Form::Plain)),
        /// File in an image config.
        image_config: String = field(Deploy, InPlace).empty_is_absent(),
        /// Permission bits.
        mode: u32 = field(Deploy, InPlace).empty_is_absent(),
        /// Content, base64.
        raw_value: String = field(Deploy, InPlace)
            .secret(SecretRule::Always)
            .toml(Toml::Key("raw_value", Form::Manual)),
        /// Name of the secret with the content.
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
        /// HTTP path.
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
        /// Spot price bid; kept.
        gpu_bid_price: Value = field(Platform, InPlace),
        /// Maximum restarts (`on-failure`).
        max_retries: u32 = field(Deploy, InPlace)
            .empty_is_absent()
            .default(PlatformDefault::Number(10))
            .toml(Toml::Key("retries", Form::Plain)),
        /// `no`, `always`, `on-failure` or `spot-price`; absent means `on-failure`.
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
        /// File served for a folder.
        index_document: String = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("index_document", Form::Plain)),
        /// Tigris bucket.
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
        /// Signal name; the platform's default is SIGINT.
        signal: String = field(Deploy, InPlace)
            .empty_is_absent()
            .default(PlatformDefault::Text("SIGINT"))
            .toml(Toml::InTable("", "kill_signal", Form::Plain)),
        /// Go duration; the platform's default is `5s`.
        timeout: String = field(Deploy, InPlace)
            .empty_is_absent()
            .spelling(Spelling::Duration)
            .default(PlatformDefault::Text("5s"))
            .toml(Toml::InTable("", "kill_timeout", Form::Duration)),
    }
);
