//! Every table and key of aeroform.toml: type, default, meaning and an example.
//!
//! This is the only list of these keys. The reader takes the known keys of a table from here, and
//! `docs/aeroform-toml.md` and `docs/schemas/aeroform.schema.json` are printed from here. A test checks that
//! the reader reads every key of the list and no other. Start at [`tables`].

mod list;
mod page;
mod schema;

pub use list::tables;
pub use page::page;
pub use schema::{is_schema, schema};

/// A table of aeroform.toml.
#[derive(Debug, Clone, Copy)]
pub struct AeroformTable {
    /// Its path, `groups.*.deploy`; empty for the file itself, `*` for a name that the author chooses.
    pub path: &'static str,
    /// Its heading on the page.
    pub heading: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Its keys.
    pub keys: &'static [AeroformKey],
    /// Keys that exclude each other.
    pub key_rule: KeyRule,
}

/// A key of a table.
#[derive(Debug, Clone, Copy)]
pub struct AeroformKey {
    /// Its name; case matters.
    pub name: &'static str,
    /// The values that it takes.
    pub value_type: ValueType,
    /// The value if it is not written.
    pub default: &'static str,
    /// What it means.
    pub about: &'static str,
    /// One line that a file may have.
    pub example: &'static str,
}

/// The values that a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// A string that is not empty.
    Text,
    /// One of these strings.
    Word(&'static [&'static str]),
    /// True or false.
    Flag,
    /// A number of Machines, at least this one.
    Count(u32),
    /// A number of Machines; true is 1 and false is 0.
    FlagOrCount,
    /// A number of Machines, or a percentage of all.
    CountOrShare,
    /// A list of regions, or a table with a number of Machines for each.
    Regions,
    /// A duration with a unit, or a number of seconds.
    Duration,
    /// The same, and above 0.
    Timeout,
    /// A number of Machines, or below 1 a share of the group.
    Limit,
    /// A list of regions, with `"*"` for all others.
    RegionOrder,
    /// The name of a process group.
    Group,
    /// A list of process groups.
    Groups,
    /// A list of lists of process groups.
    GroupLists,
    /// The number of a release.
    Release,
    /// The id of a Machine.
    Machine,
    /// The table of this path.
    Table(&'static str),
    /// A table whose keys are names that the author chooses, each with the table of this path.
    Named(&'static str),
    /// A list of tables of this path.
    List(&'static str),
}

/// Keys of one table that exclude each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRule {
    /// There are none.
    No,
    /// At most one of these is written.
    AtMostOne(&'static [&'static str]),
    /// Exactly one of these is written, with the key that belongs to it.
    OneWith(&'static [&'static str], &'static str),
    /// This key is required.
    Required(&'static str),
}

impl AeroformTable {
    /// The key of this name.
    pub fn key(&self, name: &str) -> Option<&'static AeroformKey> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// The table of a path.
pub(super) fn table(path: &str) -> Option<&'static AeroformTable> {
    tables().iter().find(|table| table.path == path)
}
