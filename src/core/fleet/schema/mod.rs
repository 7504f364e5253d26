//! The table of config fields; no other code names them.
//!
//! A Machine's configuration uses the platform's names (schema `fly.MachineConfig`). Each field is one row:
//! its type, owner, the effect of a change, equal values, whether it is secret, and its location in fly.toml.
//! The rows generate the structs, and all functions that treat fields differently take the table as an
//! argument.
//!
//! Unknown fields are kept at every level (`other`).

mod check;
mod guest;
mod machine;
mod mount;
mod service;
mod spec;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::Value;

use super::lenient::{Lenient, ValuePath};

pub use check::{Check, Header};
pub use guest::{Guest, Init};
pub use machine::{File, MachineConfig, Metrics, Restart, Static, StopConfig};
pub use mount::Mount;
pub use service::{
    Concurrency, HttpOptions, HttpResponse, Port, ProxyProtoOptions, ReplayCache, Service,
    TlsOptions,
};
pub use spec::{
    Effect, Equivalence, FieldRow, FieldSpec, FieldType, Form, OPAQUE_TABLE, Owner,
    PlatformDefault, SecretRule, Section, ShrinkRule, Spelling, Table, Toml, Typed, UNKNOWN, field,
};

/// Unknown fields of the platform; kept, never shown, never dropped.
pub type Other = BTreeMap<String, Value>;

/// The table of the config.
pub const CONFIG: &Table = MachineConfig::TABLE;

/// Generates a struct of optional fields and its table of rows. Each row has one [`spec::FieldSpec`] expression,
/// which requires owner and effect.
macro_rules! config_struct {
    ($(#[doc = $about:literal])* $name:ident {
        $($(#[doc = $doc:literal])* $field:ident : $ty:ty = $spec:expr),* $(,)?
    }) => {
        $(#[doc = $about])*
        #[derive(Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub struct $name {
            $($(#[doc = $doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$ty>,)*
            /// Unknown fields, kept.
            #[serde(flatten)]
            pub other: $crate::core::fleet::schema::Other,
        }

        impl $crate::core::fleet::schema::Section for $name {
            const TABLE: &'static $crate::core::fleet::schema::Table = &$crate::core::fleet::schema::Table {
                name: stringify!($name),
                doc: concat!($($about),*),
                rows: &[$($crate::core::fleet::schema::FieldRow::new(
                    stringify!($field),
                    concat!($($doc),*),
                    <$ty as $crate::core::fleet::schema::Typed>::KIND,
                    $spec,
                ),)*],
            };
        }

        impl $crate::core::fleet::lenient::Lenient for $name {
            fn coerce(
                value: &mut serde_json::Value,
                at: &$crate::core::fleet::lenient::ValuePath<'_>,
                problems: &mut Vec<String>,
            ) {
                use $crate::core::fleet::lenient::{self, Lenient, CoerceFn};
                let known = [$((stringify!($field), <$ty as Lenient>::coerce as CoerceFn)),*];
                let raw = known.map(|(name, coerce)| (name.trim_start_matches("r#"), coerce));
                lenient::coerce_fields(value, at, problems, &raw);
            }
        }

        /// JSON without secrets, because debug output ends up in logs.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut tree = serde_json::to_value(self).map_err(|_| std::fmt::Error)?;
                $crate::core::fleet::secret::replace_secrets(&mut tree, &mut |_, _| {
                    $crate::core::fleet::secret::HIDDEN.to_owned()
                });
                write!(f, "{} {tree}", stringify!($name))
            }
        }
    };
}
use config_struct;

impl Service {
    /// Whether the proxy stops idle Machines.
    pub fn has_autostop(&self) -> bool {
        let stops = |value: &Value| !matches!(value.as_str(), Some("off")) && *value != false;
        self.autostop.as_ref().is_some_and(stops)
    }
}

impl MachineConfig {
    /// Whether there is any service.
    pub fn has_services(&self) -> bool {
        self.services.as_ref().is_some_and(|s| !s.is_empty())
    }

    /// Whether its Machine is for one command: it is not started again and destroyed when it has ended.
    pub fn runs_once(&self) -> bool {
        let restart = self.restart.as_ref();
        self.auto_destroy == Some(true)
            && restart.and_then(|restart| restart.policy.as_deref()) == Some("no")
    }

    /// The size, if one is written; a guest that only names a host has none.
    pub fn explicit_size(&self) -> Option<&Guest> {
        let says = |guest: &&Guest| guest.cpus.or(guest.memory_mb).is_some();
        self.guest.as_ref().filter(says)
    }

    /// Whether there is any mount.
    pub fn has_mounts(&self) -> bool {
        self.mounts.as_ref().is_some_and(|m| !m.is_empty())
    }

    /// Whether there is any check, top-level or of a service.
    pub fn has_checks(&self) -> bool {
        self.checks.as_ref().is_some_and(|c| !c.is_empty())
            || self
                .services
                .iter()
                .flatten()
                .any(|s| s.checks.as_ref().is_some_and(|c| !c.is_empty()))
    }

    /// The config as JSON, without absent fields.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("a config of strings, numbers and maps always serialises")
    }

    /// Parses a platform's config with the conversions of [`super::lenient`].
    ///
    /// # Errors
    /// The problem and its path; values are not repeated.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Ok(config) = serde_json::from_str(text) {
            return Ok(config);
        }
        let no_json = |_| "not valid JSON, or nested too deeply".to_owned();
        let mut tree: Value = serde_json::from_str(text).map_err(no_json)?;
        let mut problems = Vec::new();
        Self::coerce(&mut tree, &ValuePath::Root, &mut problems);
        if problems.is_empty() {
            let other = |_| "it does not match the platform's schema".to_owned();
            return Self::from_value(tree).map_err(other);
        }
        let more = problems.len() - 1;
        let first = problems.swap_remove(0);
        Err(match more {
            0 => first,
            more => format!("{first} (and {more} more)"),
        })
    }

    /// Converts a JSON tree.
    ///
    /// # Errors
    /// A known field has another type than the platform's schema.
    pub fn from_value(value: Value) -> Result<Self, serde_json::Error> {
        serde_json::from_value(value)
    }
}
