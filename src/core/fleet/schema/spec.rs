//! What a row of the table of config fields can say.
//!
//! A row is data: which functions make what of it stands in [`crate::core::fleet::normalise`] (one spelling),
//! [`crate::core::fleet::overlay`] (what a Machine gets), [`crate::core::fleet::computed`] (what of a Machine
//! is nobody's change) and [`crate::core::fleet::diff`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The rows of one table of the config, in the order of the platform's own schema.
#[derive(Debug)]
pub struct Table {
    /// Its name, as the struct that is made of it.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// Its fields.
    pub rows: &'static [Row],
}

/// One field.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its key, as the platform writes it.
    pub name: &'static str,
    /// What it is, in one line.
    pub doc: &'static str,
    /// The type of the struct's field.
    pub(super) typed: Kind,
    /// Everything else.
    pub spec: Spec,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number, at most this one.
    Number(u64),
    /// A text.
    Text,
    /// A list of texts.
    Texts,
    /// Texts by a name of the author's.
    TextMap,
    /// Anything that the platform takes.
    Any,
    /// A table.
    Section(&'static Table),
    /// A list of tables.
    List(&'static Table),
    /// Tables by a name of the author's.
    Entries(&'static Table),
}

/// What is known of a field besides its name and type. Owner and effect have to be said: see [`field`].
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Spec {
    /// Who decides about it where no file writes it.
    pub owner: Owner,
    /// What changing it forces.
    pub effect: Effect,
    /// What is the same as what.
    pub equals: Equals,
    /// Whether its value is shown.
    pub secret: Secret,
    /// Where it stands in fly.toml.
    pub toml: Toml,
    /// Which values of it are less than others: a change to less is a class of its own.
    pub less: Less,
    /// The keys by which the entries of a list are found again.
    pub found_by: &'static [&'static str],
    /// Which keys of a map are bookkeeping.
    pub stamps: Option<fn(&str) -> bool>,
    /// Where the type of the struct's field says less than is known.
    holds: Option<Kind>,
}

/// Who decides about a field where no file writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// `fly deploy` rebuilds it: what no file writes goes.
    Deploy,
    /// The platform, or whoever set it there: it stays, unless we sent it.
    Platform,
    /// It stays, even if we sent it once: what runs goes on running as it is.
    Running,
}

/// What the change of a field forces (docs/platform/fly-toml.md 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Nothing: it is outside of everything that is compared (rules 1, 2).
    Bookkeeping,
    /// A new version of the same Machine.
    InPlace,
    /// Another Machine.
    Replace,
}

/// Which values mean the same.
#[derive(Debug, Clone, Copy)]
pub struct Equals {
    /// `false`, 0 and the empty text are the same as nothing, on both sides.
    pub empty_is_absent: bool,
    /// The spellings of one value, on both sides.
    pub spelling: Spelling,
    /// Another order of a list is the same list.
    pub any_order: bool,
    /// What the platform fills in: on a Machine it is the same as silence in the files, but not the other
    /// way round.
    pub default: PlatformDefault,
}

/// The spellings that one value has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// One.
    AsIs,
    /// A Go duration: `60s` is `1m0s`.
    Duration,
    /// The same; in a service the platform keeps it between these numbers of nanoseconds.
    Clamped(u64, u64),
    /// A reference with a digest is the same with and without a tag.
    Image,
    /// Letters of either case.
    AnyCase,
    /// `false` or `off`, `true` or `stop`, `suspend`; off is the same as nothing.
    Autostop,
    /// A word, or its number.
    PersistRootfs,
}

/// A value that the platform fills in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlatformDefault {
    /// None that is known.
    Nothing,
    /// This text, in its normal spelling.
    Text(&'static str),
    /// This number.
    Number(u64),
    /// The value that the enclosing service has under this key.
    OfService(&'static str),
}

/// Whether a value is shown (rule 37).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secret {
    /// Unless its form gives it away.
    No,
    /// Where its name looks secret, or its form gives it away.
    ByName,
    /// Never.
    Always,
}

/// Which values are less than others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Less {
    /// None.
    Nothing,
    /// The smaller number.
    Number,
    /// The second word after the first.
    Words(&'static str, &'static str),
}

/// Where a field stands in fly.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toml {
    /// Nowhere.
    Nowhere,
    /// Under this key of the table that its section is.
    Key(&'static str, Form),
    /// In another table, under this key; at the top level where the header is empty.
    At(&'static str, &'static str, Form),
    /// In this table, under its own name.
    Named(&'static str),
    /// It is this table.
    Table(&'static str),
}

/// How a value is written in fly.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As it is.
    Plain,
    /// Not as it is in the config: read by hand.
    ByHand,
    /// A number of MiB (`1gb`).
    Memory,
    /// A duration.
    Duration,
    /// A list of words as one command line, under the group's name.
    Command,
    /// A restart policy: the platform's `no` is `never`.
    Policy,
    /// The list of headers as a table of them.
    Headers,
}

const NO_EQUALS: Equals = Equals {
    empty_is_absent: false,
    spelling: Spelling::AsIs,
    any_order: false,
    default: PlatformDefault::Nothing,
};

/// A field of this owner, whose change forces this.
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
    /// `false`, 0 and the empty text are the same as nothing.
    pub const fn empty_is_absent(mut self) -> Self {
        self.equals.empty_is_absent = true;
        self
    }

    /// Its values have more than one spelling.
    pub const fn spelt(mut self, spelling: Spelling) -> Self {
        self.equals.spelling = spelling;
        self
    }

    /// What the platform fills in.
    pub const fn default(mut self, default: PlatformDefault) -> Self {
        self.equals.default = default;
        self
    }

    /// Its entries are the same in another order.
    pub const fn any_order(mut self) -> Self {
        self.equals.any_order = true;
        self
    }

    /// Its entries are found again by these keys.
    pub const fn found_by(mut self, keys: &'static [&'static str]) -> Self {
        self.found_by = keys;
        self
    }

    /// Which of its keys are bookkeeping.
    pub const fn stamps(mut self, is_stamp: fn(&str) -> bool) -> Self {
        self.stamps = Some(is_stamp);
        self
    }

    /// Whether its values are shown.
    pub const fn secret(mut self, secret: Secret) -> Self {
        self.secret = secret;
        self
    }

    /// Which values are less.
    pub const fn less(mut self, less: Less) -> Self {
        self.less = less;
        self
    }

    /// Where it stands in fly.toml.
    pub const fn toml(mut self, toml: Toml) -> Self {
        self.toml = toml;
        self
    }

    /// What it holds, where the type of the struct's field says less.
    pub const fn holds(mut self, kind: Kind) -> Self {
        self.holds = Some(kind);
        self
    }
}

impl Row {
    /// The row of a field of this name; `r#` in front of it is Rust's business.
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

    /// What it holds.
    pub const fn kind(&self) -> Kind {
        match self.spec.holds {
            Some(kind) => kind,
            None => self.typed,
        }
    }
}

impl Table {
    /// The row of a key.
    pub fn row(&self, key: &str) -> Option<&'static Row> {
        self.rows.iter().find(|row| row.name == key)
    }
}

/// A field that we do not know: the platform's, whatever it holds.
pub const UNKNOWN: Row = Row::new("", "", Kind::Any, field(Owner::Platform, Effect::InPlace));

/// A table of which we know no field.
pub const CARRIED: Table = Table {
    name: "Carried",
    doc: "Fields that are carried.",
    rows: &[],
};

/// A type that a field of a config struct can have.
pub trait Typed {
    /// What it holds.
    const KIND: Kind;
}

/// A struct that is made of rows.
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
