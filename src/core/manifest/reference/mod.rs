//! Every section and key of fly.toml: accepted values and effect.
//!
//! The only list of keys: readers take the known keys of a section from here, and `docs/fly-toml.md` is printed
//! from here. A test checks that each supported key is read.

mod app;
mod build_and_deploy;
mod machine;
mod page;
mod services;

pub use page::page;

/// A table of fly.toml.
#[derive(Debug, Clone, Copy)]
pub struct FlySection {
    /// Its path, `services.ports`; empty for the file itself, `*` for a name that the author chooses.
    pub path: &'static str,
    /// Its syntax, with other spellings.
    pub syntax: &'static str,
    /// Its groups, and what is special about it.
    pub about: &'static str,
    /// Its keys; none where the author chooses them.
    pub keys: &'static [FlyKey],
}

/// A key of a section.
#[derive(Debug, Clone, Copy)]
pub struct FlyKey {
    /// Its name in lower case; flyctl accepts any case.
    pub name: &'static str,
    /// Whether it has an effect.
    pub support: KeySupport,
    /// Accepted values.
    pub value_text: &'static str,
    /// Its effect, or why it has none.
    pub becomes: &'static str,
}

/// How a key is handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySupport {
    /// Read, checked and translated.
    Supported,
    /// Copied into the Machine config unchanged.
    PassedThrough,
    /// Valid, without effect on Machines.
    Ignored,
    /// Valid in flyctl; Aeroform does not support it and reports it.
    Refused,
}

impl KeySupport {
    /// Its name on the page.
    pub fn label(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::PassedThrough => "passed through",
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
