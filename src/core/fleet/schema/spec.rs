//! The properties that a row of the table of config fields can have.
//!
//! A row is only data. [`crate::core::fleet::normalise`] (one spelling), [`crate::core::fleet::overlay`] (a
//! Machine's config), [`crate::core::fleet::computed`] (what the platform adds) and
//! [`crate::core::fleet::diff`] use it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The rows of one table of the config, in the order of the platform's schema.
#[derive(Debug)]
pub struct Table {
    /// The name of its struct.
    pub name: &'static str,
    /// Its documentation.
    pub doc: &'static str,
    /// Its fields.
    pub rows: &'static [Row],
}

/// One field.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The platform's key.
    pub name: &'static str,
    /// Its documentation, one line.
    pub doc: &'static str,
    /// The type of the struct's field.
    pub(super) typed: Kind,
    /// All other properties.
    pub spec: Spec,
}

/// The type of a field.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number with this maximum.
    Number(u64),
    /// A text.
    Text,
    /// A list of texts.
    Texts,
    /// A map from any name to a text.
    TextMap,
    /// Any value.
    Any,
    /// A table.
    Section(&'static Table),
    /// A list of tables.
    List(&'static Table),
    /// A map from any name to a table.
    Entries(&'static Table),
}

/// The properties of a field besides name and type. Owner and effect are required: see [`field`].
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Spec {
    /// The owner.
    pub owner: Owner,
    /// What a change forces.
    pub effect: Effect,
    /// Which values are equal.
    pub equals: Equals,
    /// Whether its value is shown.
    pub secret: Secret,
    /// Its location in fly.toml.
    pub toml: Toml,
    /// Which changes reduce it; they are reported separately.
    pub less: Less,
    /// The keys that identify the entries of a list.
    pub found_by: &'static [&'static str],
    /// Which keys of a map are bookkeeping.
    pub stamps: Option<fn(&str) -> bool>,
    /// The type, if the struct's field is less specific.
    holds: Option<Kind>,
}

/// Who decides about a field that no file writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// `fly deploy` rebuilds it: unwritten values are removed.
    Deploy,
    /// The platform or another tool: unwritten values are kept unless Aeroform sent them.
    Platform,
    /// Unwritten values are kept even if Aeroform sent them: the running value stays.
    Running,
}

/// What a change of a field forces (docs/platform/fly-toml.md 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Nothing: it is not compared (rules 1, 2).
    Bookkeeping,
    /// A new version of the same Machine.
    InPlace,
    /// A replacement of the Machine.
    Replace,
}

/// Which values are equal.
#[derive(Debug, Clone, Copy)]
pub struct Equals {
    /// `false`, 0 and the empty text equal an absent field, on both sides.
    pub empty_is_absent: bool,
    /// Equal spellings, on both sides.
    pub spelling: Spelling,
    /// The order of the list has no meaning.
    pub any_order: bool,
    /// The platform's default: on a Machine it equals an absent field in the files, but not the reverse.
    pub default: PlatformDefault,
}

/// Which spellings of a value are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// Only identical values.
    AsIs,
    /// A Go duration: `60s` is `1m0s`.
    Duration,
    /// A duration that the platform clamps in services, to these nanoseconds.
    Clamped(u64, u64),
    /// An image with a digest equals itself with and without a tag.
    Image,
    /// Case has no meaning.
    AnyCase,
    /// `false` or `off`, `true` or `stop`, `suspend`; off equals absent.
    Autostop,
    /// A word or its number.
    PersistRootfs,
}

/// The platform's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlatformDefault {
    /// None known.
    Nothing,
    /// This text, in normalised spelling.
    Text(&'static str),
    /// This number.
    Number(u64),
    /// The value of this key in the enclosing service.
    OfService(&'static str),
}

/// Whether a value is shown (rule 37).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secret {
    /// Yes, unless it contains a recognisable secret.
    No,
    /// Not if its name looks secret or it contains a recognisable secret.
    ByName,
    /// Never.
    Always,
}

/// Which changes reduce a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Less {
    /// None.
    Nothing,
    /// To a smaller number.
    Number,
    /// From the first word to the second.
    Words(&'static str, &'static str),
}

/// The location of a field in fly.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toml {
    /// Nowhere.
    Nowhere,
    /// This key in the section's table.
    Key(&'static str, Form),
    /// This key in another table; an empty header is the top level.
    At(&'static str, &'static str, Form),
    /// In this table, under its own name.
    Named(&'static str),
    /// The field is this table.
    Table(&'static str),
}

/// The format of a value in fly.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The same as in the config.
    Plain,
    /// Another format, converted by its own code.
    ByHand,
    /// A number of MiB (`1gb`).
    Memory,
    /// A duration.
    Duration,
    /// A command line, under the group's name.
    Command,
    /// A restart policy: the platform's `no` is `never`.
    Policy,
    /// A table of headers.
    Headers,
}

const NO_EQUALS: Equals = Equals {
    empty_is_absent: false,
    spelling: Spelling::AsIs,
    any_order: false,
    default: PlatformDefault::Nothing,
};

/// A field with this owner and effect.
pub const fn field(owner: Owner, effect: Effect) -> Spec {
    Spec {
        owner,
        effect,
        equals: NO_EQUALS,
        secret: Secret::No,
        toml: Toml::Nowhere,
        less: Less::Nothing,
        found_by: &[],
        stamps: None,
        holds: None,
    }
}

impl Spec {
    /// `false`, 0 and the empty text equal an absent field.
    pub const fn empty_is_absent(mut self) -> Self {
        self.equals.empty_is_absent = true;
        self
    }

    /// Sets which spellings are equal.
    pub const fn spelt(mut self, spelling: Spelling) -> Self {
        self.equals.spelling = spelling;
        self
    }

    /// Sets the platform's default.
    pub const fn default(mut self, default: PlatformDefault) -> Self {
        self.equals.default = default;
        self
    }

    /// The order of its entries has no meaning.
    pub const fn any_order(mut self) -> Self {
        self.equals.any_order = true;
        self
    }

    /// Sets the keys that identify its entries.
    pub const fn found_by(mut self, keys: &'static [&'static str]) -> Self {
        self.found_by = keys;
        self
    }

    /// Sets which of its keys are bookkeeping.
    pub const fn stamps(mut self, is_stamp: fn(&str) -> bool) -> Self {
        self.stamps = Some(is_stamp);
        self
    }

    /// Sets whether its values are shown.
    pub const fn secret(mut self, secret: Secret) -> Self {
        self.secret = secret;
        self
    }

    /// Sets which changes reduce it.
    pub const fn less(mut self, less: Less) -> Self {
        self.less = less;
        self
    }

    /// Sets its location in fly.toml.
    pub const fn toml(mut self, toml: Toml) -> Self {
        self.toml = toml;
        self
    }

    /// Sets the type, if the struct's field is less specific.
    pub const fn holds(mut self, kind: Kind) -> Self {
        self.holds = Some(kind);
        self
    }
}

impl Row {
    /// A row with this name; removes Rust's `r#`.
    pub(super) const fn new(
        name: &'static str,
        doc: &'static str,
        typed: Kind,
        spec: Spec,
    ) -> Self {
        let bytes = name.as_bytes();
        let name = match bytes {
            [b'r', b'#', ..] => name.split_at(2).1,
            _ => name,
        };
        Self {
            name,
            doc,
            typed,
            spec,
        }
    }

    /// Its type.
    pub const fn kind(&self) -> Kind {
        match self.spec.holds {
            Some(kind) => kind,
            None => self.typed,
        }
    }
}

impl Table {
    /// The row with this key.
    pub fn row(&self, key: &str) -> Option<&'static Row> {
        self.rows.iter().find(|row| row.name == key)
    }
}

/// An unknown field; it belongs to the platform.
pub const UNKNOWN: Row = Row::new("", "", Kind::Any, field(Owner::Platform, Effect::InPlace));

/// A table without known fields.
pub const CARRIED: Table = Table {
    name: "Carried",
    doc: "Fields that are carried.",
    rows: &[],
};

/// A type of config fields.
pub trait Typed {
    /// Its field type.
    const KIND: Kind;
}

/// A struct generated from rows.
pub trait Section {
    /// Its rows.
    const TABLE: &'static Table;
}

macro_rules! typed {
    ($($ty:ty => $kind:expr),* $(,)?) => {
        $(impl Typed for $ty { const KIND: Kind = $kind; })*
    };
}
typed!(
    bool => Kind::Flag,
    u16 => Kind::Number(65_535),
    u32 => Kind::Number(4_294_967_295),
    String => Kind::Text,
    Value => Kind::Any,
    Vec<String> => Kind::Texts,
    Vec<Value> => Kind::List(&CARRIED),
    BTreeMap<String, String> => Kind::TextMap,
    BTreeMap<String, Value> => Kind::Entries(&CARRIED),
);

impl<T: Section> Typed for T {
    const KIND: Kind = Kind::Section(T::TABLE);
}

impl<T: Section> Typed for Vec<T> {
    const KIND: Kind = Kind::List(T::TABLE);
}

impl<T: Section> Typed for BTreeMap<String, T> {
    const KIND: Kind = Kind::Entries(T::TABLE);
}
