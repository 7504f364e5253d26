//! CPU and memory of a Machine, and its command. [`crate::core::fleet::overlay`] decides what a written size
//! replaces.

use serde_json::Value;

use super::Effect::{InPlace, Replace};
use super::Owner::{Deploy, Platform};
use super::config_struct;
use super::spec::{Form, PlatformDefault, ShrinkRule, Spelling, Toml, field};

config_struct!(
    /// CPU and memory of a Machine. A written size replaces these fields.
    Guest {
        /// `shared` or `performance`.
        cpu_kind: String = field(Deploy, InPlace)
            .empty_is_absent()
            .default(PlatformDefault::Text("shared"))
            .shrinks_by(ShrinkRule::Words("performance", "shared"))
            .toml(Toml::Key("cpu_kind", Form::Plain)),
        /// Number of CPUs.
        cpus: u32 = field(Deploy, InPlace)
            .empty_is_absent()
            .default(PlatformDefault::Number(1))
            .shrinks_by(ShrinkRule::Number)
            .toml(Toml::Key("cpus", Form::Plain)),
        /// GPU model.
        gpu_kind: String = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("gpu_kind", Form::Plain)),
        /// Number of GPUs.
        gpus: u32 = field(Deploy, InPlace)
            .empty_is_absent()
            .shrinks_by(ShrinkRule::Number)
            .toml(Toml::Key("gpus", Form::Plain)),
        /// Dedicated host id.
        host_dedication_id: String = field(Deploy, Replace)
            .empty_is_absent()
            .toml(Toml::Key("host_dedication_id", Form::Plain)),
        /// Kernel arguments.
        kernel_args: Vec<String> = field(Deploy, InPlace).toml(Toml::Key("kernel_args", Form::Plain)),
        /// Maximum memory, MiB.
        max_memory_mb: u32 = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("max_memory_mb", Form::Plain)),
        /// Memory, MiB.
        memory_mb: u32 = field(Deploy, InPlace)
            .empty_is_absent()
            .default(PlatformDefault::Number(256))
            .shrinks_by(ShrinkRule::Number)
            .toml(Toml::Key("memory", Form::Memory)),
        /// `never`, `always` or `restart`; some responses have a number.
        persist_rootfs: Value = field(Deploy, InPlace)
            .empty_is_absent()
            .spelling(Spelling::PersistRootfs)
            .toml(Toml::Key("persist_rootfs", Form::Plain)),
        /// Required host features; kept.
        required_host_features: Value = field(Platform, InPlace),
    }
);
config_struct!(
    /// The command and its environment.
    Init {
        /// Arguments that replace the image's CMD.
        cmd: Vec<String> = field(Deploy, InPlace).toml(Toml::InTable("[processes]", "", Form::Command)),
        /// Arguments that replace the image's ENTRYPOINT.
        entrypoint: Vec<String> =
            field(Deploy, InPlace).toml(Toml::TableOfName("[experimental]")),
        /// Arguments that replace both.
        exec: Vec<String> = field(Deploy, InPlace).toml(Toml::TableOfName("[experimental]")),
        /// Kernel arguments.
        kernel_args: Vec<String> = field(Platform, InPlace),
        /// Swap, MiB.
        swap_size_mb: u32 = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::InTable("", "swap_size_mb", Form::Plain)),
        /// Allocate a terminal.
        tty: bool = field(Platform, InPlace).empty_is_absent(),
    }
);
