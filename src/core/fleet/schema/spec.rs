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
    pub rows: &'static [FieldRow],
}

/// One field.
#[derive(Debug, Clone, Copy)]
pub struct FieldRow {
    /// The platform's key.
    pub name: &'static str,
    /// Its documentation, one line.
    pub doc: &'static str,
    /// The type of the struct's field.
    pub(super) typed: FieldType,
    /// All other properties.
    pub spec: FieldSpec,
}

/// The type of a field.
#[derive(Debug, Clone, Copy)]
pub enum FieldType {
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
pub struct FieldSpec {
    /// The owner.
    pub owner: Owner,
    /// What a change forces.
    pub effect: Effect,
    /// Which values are equal.
    pub equals: Equivalence,
    /// Whether its value is shown.
    pub secret: SecretRule,
    /// Its location in fly.toml.
    pub toml: Toml,
    /// Which changes reduce it; they are reported separately.
    pub shrinks_by: ShrinkRule,
    /// The keys that identify the entries of a list.
    pub entry_keys: &'static [&'static str],
    /// Which keys of a map are bookkeeping.
    pub stamps: Option<fn(&str) -> bool>,
    /// The type, if the struct's field is less specific.
    field_type: Option<FieldType>,
}

/// The owner of a field that no file sets.
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
pub struct Equivalence {
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
pub enum SecretRule {
    /// Yes, unless it contains a recognisable secret.
    No,
    /// Not if its name looks secret or it contains a recognisable secret.
    ByName,
    /// Never.
    Always,
}

/// Which changes reduce a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShrinkRule {
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
    InTable(&'static str, &'static str, Form),
    /// In this table, under its own name.
    TableOfName(&'static str),
    /// The field is this table.
    Table(&'static str),
}

/// The format of a value in fly.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The same as in the config.
    Plain,
    /// Another format, converted by its own code.
    Manual,
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

const IDENTICAL_ONLY: Equivalence = Equivalence {
    empty_is_absent: false,
    spelling: Spelling::AsIs,
    any_order: false,
    default: PlatformDefault::Nothing,
};

/// A field with this owner and effect.
pub const fn field(owner: Owner, effect: Effect) -> FieldSpec {
    FieldSpec {
        owner,
        effect,
        equals: IDENTICAL_ONLY,
        secret: SecretRule::No,
        toml: Toml::Nowhere,
        shrinks_by: ShrinkRule::Nothing,
        entry_keys: &[],
        stamps: None,
        field_type: None,
    }
}

impl FieldSpec {
    /// `false`, 0 and the empty text equal an absent field.
    pub const fn empty_is_absent(mut self) -> Self {
        self.equals.empty_is_absent = true;
        self
    }

    /// Sets which spellings are equal.
    pub const fn spelling(mut self, spelling: Spelling) -> Self {
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
    pub const fn entry_keys(mut self, keys: &'static [&'static str]) -> Self {
        self.entry_keys = keys;
        self
    }

    /// Sets which of its keys are bookkeeping.
    pub const fn stamps(mut self, is_stamp: fn(&str) -> bool) -> Self {
        self.stamps = Some(is_stamp);
        self
    }

    /// Sets whether its values are shown.
    pub const fn secret(mut self, secret: SecretRule) -> Self {
        self.secret = secret;
        self
    }

    /// Sets which changes reduce it.
    pub const fn shrinks_by(mut self, rule: ShrinkRule) -> Self {
        self.shrinks_by = rule;
        self
    }

    /// Sets its location in fly.toml.
    pub const fn toml(mut self, toml: Toml) -> Self {
        self.toml = toml;
        self
    }

    /// Sets the type, if the struct's field is less specific.
    pub const fn field_type(mut self, kind: FieldType) -> Self {
        self.field_type = Some(kind);
        self
    }
}

impl FieldRow {
    /// A row with this name; removes Rust's `r#`.
    pub(super) const fn new(
        name: &'static str,
        doc: &'static str,
        typed: FieldType,
        spec: FieldSpec,
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
    pub const fn kind(&self) -> FieldType {
        match self.spec.field_type {
            Some(kind) => kind,
            None => self.typed,
        }
    }
}

impl Table {
    /// The row with this key.
    pub fn row(&self, key: &str) -> Option<&'static FieldRow> {
        self.rows.iter().find(|row| row.name == key)
    }
}

/// An unknown field; it belongs to the platform.
pub const UNKNOWN: FieldRow = FieldRow::new(
    "",
    "",
    FieldType::Any,
    field(Owner::Platform, Effect::InPlace),
);

/// A table without known fields.
pub const OPAQUE_TABLE: Table = Table {
    name: "Opaque",
    doc: "A table without known fields.",
    rows: &[],
};

/// A type of config fields.
pub trait Typed {
    /// Its field type.
    const KIND: FieldType;
}

/// A struct generated from rows.
pub trait Section {
    /// Its rows.
    const TABLE: &'static Table;
}

macro_rules! typed {
    ($($ty:ty => $kind:expr),* $(,)?) => {
        $(impl Typed for $ty { const KIND: FieldType = $kind; })*
    };
}
typed!(
    bool => FieldType::Flag,
    u16 => FieldType::Number(65_535),
    u32 => FieldType::Number(4_294_967_295),
    String => FieldType::Text,
    Value => FieldType::Any,
    Vec<String> => FieldType::Texts,
    Vec<Value> => FieldType::List(&OPAQUE_TABLE),
    BTreeMap<String, String> => FieldType::TextMap,
    BTreeMap<String, Value> => FieldType::Entries(&OPAQUE_TABLE),
);

impl<T: Section> Typed for T {
    const KIND: FieldType = FieldType::Section(T::TABLE);
}

impl<T: Section> Typed for Vec<T> {
    const KIND: FieldType = FieldType::List(T::TABLE);
}

impl<T: Section> Typed for BTreeMap<String, T> {
    const KIND: FieldType = FieldType::Entries(T::TABLE);
}
