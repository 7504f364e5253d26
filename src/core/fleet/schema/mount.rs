//! Mounted volumes (docs/platform/fly-toml.md 9; rule 2).

use super::Effect::{Bookkeeping, InPlace, Replace};
use super::Owner::{Deploy, Platform};
use super::config_struct;
use super::spec::{Form, Toml, field};

config_struct!(
    /// A mounted volume. Of an existing one only the path and what extends it are replaced; which volume it is
    /// stands on the Machine's own line of the state.
    Mount {
        /// Step of automatic extension, GB.
        add_size_gb: u32 = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("auto_extend_size_increment", Form::Plain)),
        /// Step of automatic extension, percent; carried.
        add_size_percent: u32 = field(Platform, InPlace).empty_is_absent(),
        /// Whether the volume is encrypted.
        encrypted: bool = field(Platform, InPlace).empty_is_absent(),
        /// Percentage at which it is extended.
        extend_threshold_percent: u32 = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("auto_extend_size_threshold", Form::Plain)),
        /// Least step of an extension by percent, GB; carried.
        min_add_size_gb: u32 = field(Platform, InPlace).empty_is_absent(),
        /// Volume name.
        name: String = field(Platform, Replace)
            .empty_is_absent()
            .toml(Toml::Key("source", Form::Plain)),
        /// Where it is mounted.
        path: String = field(Deploy, InPlace).toml(Toml::Key("destination", Form::Plain)),
        /// Size, GB.
        size_gb: u32 = field(Platform, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("initial_size", Form::Plain)),
        /// Limit of automatic extension, GB.
        size_gb_limit: u32 = field(Deploy, InPlace)
            .empty_is_absent()
            .toml(Toml::Key("auto_extend_size_limit", Form::Plain)),
        /// Volume id.
        volume: String = field(Platform, Bookkeeping),
    }
);
