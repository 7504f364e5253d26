//! Every section and key of fly.toml: what it takes, and what becomes of it.
//!
//! The one list of keys: whoever reads a section knows its keys from here, and `docs/fly-toml.md`
//! is printed from here. That each key marked as read is really read is tested.

mod app;
mod around;
mod machine;
mod page;
mod services;

pub use page::page;

/// A table of fly.toml.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// Its path, `services.ports`; empty for the file itself, `*` for a name of the author's.
    pub path: &'static str,
    /// How it is written, with its other spellings.
    pub written: &'static str,
    /// Which groups it is for and what is particular about it.
    pub about: &'static str,
    /// Its keys; none where the keys are names of the author's.
    pub keys: &'static [Key],
}

/// A key of a section.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name, in lower case; flyctl takes it in any case.
    pub name: &'static str,
    /// Whether anything comes of it.
    pub fate: Fate,
    /// What it takes.
    pub takes: &'static str,
    /// What it becomes, or why nothing.
    pub becomes: &'static str,
}

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Read, checked, and made something of.
    Supported,
    /// Put into the Machine config as it is written.
    Carried,
    /// Right, and without a meaning for Machines.
    Ignored,
    /// Right for flyctl; Aeroform cannot follow, and says so where it is written.
    Refused,
}

impl Fate {
    /// The word of the page.
    pub fn word(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Carried => "carried through",
            Self::Ignored => "ignored",
            Self::Refused => "refused",
        }
    }
}

impl Key {
    /// Whether it is written as `key = value` on one line, and not as a table or a list of them.
    pub(super) fn is_one_line(&self) -> bool {
        !self.takes.contains("table")
    }
}

impl Section {
    fn key(&self, name: &str) -> Option<&Key> {
        self.keys
            .iter()
            .find(|key| key.name.eq_ignore_ascii_case(name))
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.key(name).is_some()
    }
}

/// All sections, in the order of the page.
pub fn sections() -> impl Iterator<Item = &'static Section> {
    [
        app::SECTIONS,
        services::SECTIONS,
        machine::SECTIONS,
        around::SECTIONS,
    ]
    .into_iter()
    .flatten()
}

/// The section of a path.
pub(super) fn section(path: &str) -> Option<&'static Section> {
    sections().find(|section| section.path == path)
}

const fn key(name: &'static str, takes: &'static str, becomes: &'static str) -> Key {
    Key {
        name,
        fate: Fate::Supported,
        takes,
        becomes,
    }
}

const fn carried(name: &'static str, takes: &'static str, becomes: &'static str) -> Key {
    Key {
        fate: Fate::Carried,
        ..key(name, takes, becomes)
    }
}

const fn ignored(name: &'static str, takes: &'static str, why: &'static str) -> Key {
    Key {
        fate: Fate::Ignored,
        ..key(name, takes, why)
    }
}

const fn refused(name: &'static str, takes: &'static str, why: &'static str) -> Key {
    Key {
        fate: Fate::Refused,
        ..key(name, takes, why)
    }
}
