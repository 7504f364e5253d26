//! `show config`: the Machine config of each group.

use serde::Serialize;
use serde_json::Value;

use super::FORMAT_VERSION;
use crate::core::fleet::secret::HIDDEN;
use crate::core::fleet::{AppName, ConfigBase, DesiredGroup, GroupName, secret};

/// Whether values that look secret are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretDisplay {
    /// Shown as `(hidden)`.
    Hidden,
    /// Shown as written.
    Shown,
}

/// The configs of groups.
#[derive(Debug, Serialize)]
pub struct ConfigDocument<'a> {
    format_version: u32,
    app: &'a AppName,
    groups: Vec<GroupConfig<'a>>,
}

/// The config of one group.
#[derive(Debug, Clone, Serialize)]
pub struct GroupConfig<'a> {
    /// The group.
    pub name: &'a GroupName,
    /// The config of a new Machine of this group.
    pub config: Value,
}

/// The document of the configs of these groups.
pub fn config<'a>(app: &'a AppName, groups: Vec<GroupConfig<'a>>) -> ConfigDocument<'a> {
    ConfigDocument {
        format_version: FORMAT_VERSION,
        app,
        groups,
    }
}

/// One group's config as sent, with sorted keys. Contents of files are hidden like secrets, which they often are.
pub fn group_config<'a>(
    name: &'a GroupName,
    group: &DesiredGroup,
    secrets: SecretDisplay,
) -> GroupConfig<'a> {
    let mut config = group.config_for(ConfigBase::default(), &[], &[]).to_value();
    if secrets == SecretDisplay::Hidden {
        secret::replace_secrets(&mut config, &mut |_, _| HIDDEN.to_owned());
    }
    GroupConfig { name, config }
}

impl GroupConfig<'_> {
    /// Whether a part of it is hidden.
    pub fn has_hidden_values(&self) -> bool {
        fn holds(value: &Value) -> bool {
            match value {
                Value::String(text) => text == HIDDEN,
                Value::Array(items) => items.iter().any(holds),
                Value::Object(map) => map.values().any(holds),
                Value::Null | Value::Bool(_) | Value::Number(_) => false,
            }
        }
        holds(&self.config)
    }
}
