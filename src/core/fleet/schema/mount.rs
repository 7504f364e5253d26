//! Mounted volumes (docs/platform/fly-toml.md 9; rule 2).

use super::Effect::{Bookkeeping, InPlace, Replace};
use super::Owner::{Deploy, Platform};
use super::config_struct;
use super::spec::{Form, Toml, field};

config_struct!(
    /// A mounted volume. An update changes only the path and the auto-extend fields; the state lists the
    /// Machine's volumes.
    Mount {
        /// Auto-extend step, GB.
        add_size_gb: u32 = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("auto_extend_size_increment", Form::Plain)),
        /// Auto-extend step, percent; kept.
        add_size_percent: u32 = field(Platform, InPlace).empty_is_absent(),
        /// Whether the volume is encrypted.
        encrypted: bool = field(Platform, InPlace).empty_is_absent(),
        /// Usage at which the volume is extended, percent.
        extend_threshold_percent: u32 = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("auto_extend_size_threshold", Form::Plain)),
        /// Minimum step of an extension by percent, GB; kept.
        min_add_size_gb: u32 = field(Platform, InPlace).empty_is_absent(),
        /// Volume name.
        name: String = field(Platform, Replace)
            .empty_is_absent()
            .toml(Toml::Key("source", Form::Plain)),
        /// Mount path.
        path: String = field(Deploy, InPlace).toml(Toml::Key("destination", Form::Plain)),
        /// Size, GB.
        size_gb: u32 = field(Platform, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("initial_size", Form::Plain)),
        /// Auto-extend limit, GB.
        size_gb_limit: u32 = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("auto_extend_size_limit", Form::Plain)),
        /// Volume id.
        volume: String = field(Platform, Bookkeeping),
    }
);
