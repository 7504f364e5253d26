//! Every section and key of fly.toml: what it takes, and what becomes of it.
//!
//! The one list of keys: whoever reads a section knows its keys from here, and `docs/fly-toml.md`
//! is printed from here. That each key marked as read is really read is tested.

mod app;
mod build_and_deploy;
mod machine;
mod page;
mod services;

pub use page::page;

/// A table of fly.toml.
#[derive(Debug, Clone, Copy)]
pub struct FlySection {
    /// Its path, `services.ports`; empty for the file itself, `*` for a name of the author's.
    pub path: &'static str,
    /// How it is written, with its other spellings.
    pub syntax: &'static str,
    /// Which groups it is for and what is particular about it.
    pub about: &'static str,
    /// Its keys; none where the keys are names of the author's.
    pub keys: &'static [FlyKey],
}

/// A key of a section.
#[derive(Debug, Clone, Copy)]
pub struct FlyKey {
    /// Its name, in lower case; flyctl takes it in any case.
    pub name: &'static str,
    /// Whether anything comes of it.
    pub support: KeySupport,
    /// What it takes.
    pub value_text: &'static str,
    /// What it becomes, or why nothing.
    pub becomes: &'static str,
}

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySupport {
    /// Read, checked, and made something of.
    Supported,
    /// Put into the Machine config as it is written.
    PassedThrough,
    /// Right, and without a meaning for Machines.
    Ignored,
    /// Right for flyctl; Aeroform cannot follow, and says so where it is written.
    Refused,
}

impl KeySupport {
    /// The word of the page.
    pub fn label(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::PassedThrough => "carried through",
            Self::Ignored => "ignored",
            Self::Refused => "refused",
        }
    }
}

impl FlyKey {
    /// Whether it is written as `key = value` on one line, and not as a table or a list of them.
    pub(super) fn is_one_line(&self) -> bool {
        !self.value_text.contains("table")
    }
}

impl FlySection {
    fn key(&self, name: &str) -> Option<&FlyKey> {
        self.keys
            .iter()
            .find(|key| key.name.eq_ignore_ascii_case(name))
    }

    pub(super) fn has_key(&self, name: &str) -> bool {
        self.key(name).is_some()
    }
}

/// All sections, in the order of the page.
pub fn sections() -> impl Iterator<Item = &'static FlySection> {
    [
        app::SECTIONS,
        services::SECTIONS,
        machine::SECTIONS,
        build_and_deploy::SECTIONS,
    ]
    .into_iter()
    .flatten()
}

/// The section of a path.
pub(super) fn section(path: &str) -> Option<&'static FlySection> {
    sections().find(|section| section.path == path)
}

const fn key(name: &'static str, takes: &'static str, becomes: &'static str) -> FlyKey {
    FlyKey {
        name,
        support: KeySupport::Supported,
        value_text: takes,
        becomes,
    }
}

const fn passed_through(name: &'static str, takes: &'static str, becomes: &'static str) -> FlyKey {
    FlyKey {
        support: KeySupport::PassedThrough,
        ..key(name, takes, becomes)
    }
}

const fn ignored(name: &'static str, takes: &'static str, why: &'static str) -> FlyKey {
    FlyKey {
        support: KeySupport::Ignored,
        ..key(name, takes, why)
    }
}

const fn refused(name: &'static str, takes: &'static str, why: &'static str) -> FlyKey {
    FlyKey {
        support: KeySupport::Refused,
        ..key(name, takes, why)
    }
}
