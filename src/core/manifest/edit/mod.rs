//! Edits of the manifests: text in, text out.
//!
//! A verb says what it wants as an [`Edit`]; here that becomes the smallest change of fly.toml and
//! aeroform.toml that says it. Comments, order, quotes and line ends survive, and whatever is not meant is
//! byte for byte what it was. Afterwards both files are read again: they must say exactly what was
//! intended and nothing else, or the edit is refused ([`EditError::Exotic`]). Never writes a file, and
//! never touches one that is not TOML.
//!
//! Start at [`edit()`]; `script` is how a text is cut up, `table` how entries are set and taken away in
//! whichever form they stand, `check` what an edit is held against.

mod check;
mod machines;
mod regions;
mod script;
mod table;

pub use regions::Layout;

use super::diagnostics::Diagnostics;
use super::format::Format;
use super::load::{Loaded, load};
use super::settings::Overrides;
use super::source::SourceFile;
use crate::core::fleet::{Desired, GroupName, MachineId};

/// What is to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// How many primaries of a group there are, and where.
    Layout {
        /// The group.
        group: GroupName,
        /// Its numbers.
        layout: Layout,
    },
    /// One Machine goes to another group.
    MoveMachine {
        /// Which.
        machine: MachineId,
        /// The group that it gets.
        to: GroupName,
    },
    /// One Machine goes for good.
    RemoveMachine {
        /// Which.
        machine: MachineId,
    },
}

/// The manifests as they were read.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// fly.toml.
    pub fly: SourceFile<'a>,
    /// Where aeroform.toml is or would be, as people are shown it.
    pub ours_path: &'a str,
    /// aeroform.toml, where there is one.
    pub ours: Option<&'a [u8]>,
    /// What a new aeroform.toml begins with.
    pub beginning: &'a str,
}

/// The manifests after an edit; none of a file that stays as it is.
#[derive(Debug, Clone)]
pub struct Edited {
    /// fly.toml.
    pub fly: Option<String>,
    /// aeroform.toml.
    pub ours: Option<String>,
    /// What both say now.
    pub desired: Desired,
}

/// Why there is no edit. `change` is what a person would have to write.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EditError {
    /// The file is JSON or YAML, which are left to people.
    #[error("`{path}` is not TOML, and only TOML is edited")]
    NotToml {
        /// The file.
        path: String,
        /// What to write.
        change: String,
    },
    /// It is written in a form in which the edit would change something else, too.
    #[error("`{path}` is written in a form that cannot be edited without changing more")]
    Exotic {
        /// The file.
        path: String,
        /// What to write.
        change: String,
    },
    /// With it the manifests would contradict themselves.
    #[error("with this change the manifests would not be valid")]
    Invalid {
        /// What is wrong with them.
        diagnostics: Diagnostics,
        /// What was to be written.
        change: String,
    },
}

/// Which of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Ours,
    Fly,
}

/// Makes edits one after another.
///
/// # Errors
/// When one of them cannot be made, or would say something else than it means; then none is.
pub fn edit(
    files: Files<'_>,
    overrides: &Overrides,
    before: &Desired,
    edits: &[Edit],
) -> Result<Edited, EditError> {
    let mut work = Work {
        files,
        overrides,
        fly: String::from_utf8_lossy(files.fly.bytes).into_owned(),
        ours: files
            .ours
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
        desired: before.clone(),
    };
    for edit in edits {
        work.make(edit)?;
    }
    let changed = |new: String, old: &[u8]| (new.as_bytes() != old).then_some(new);
    Ok(Edited {
        fly: changed(work.fly, files.fly.bytes),
        ours: work
            .ours
            .and_then(|new| changed(new, files.ours.unwrap_or_default())),
        desired: work.desired,
    })
}

struct Work<'a> {
    files: Files<'a>,
    overrides: &'a Overrides,
    fly: String,
    ours: Option<String>,
    desired: Desired,
}

impl Work<'_> {
    fn make(&mut self, edit: &Edit) -> Result<(), EditError> {
        if check::holds(&self.desired, edit) {
            return Ok(());
        }
        match edit {
            Edit::Layout { group, layout } => {
                self.ours(edit, |text| regions::write(text, group, layout))?;
            }
            Edit::MoveMachine { machine, to } => {
                self.ours(edit, |text| machines::moved(text, machine, to))?;
            }
            Edit::RemoveMachine { machine } => {
                self.ours(edit, |text| machines::removed(text, machine))?;
            }
        }
        self.desired = self.judged(edit)?;
        Ok(())
    }

    /// Changes aeroform.toml, which begins here if there is none.
    fn ours(
        &mut self,
        edit: &Edit,
        with: impl FnOnce(&str) -> Option<String>,
    ) -> Result<(), EditError> {
        let text = self.ours.as_deref().unwrap_or(self.files.beginning);
        let edited = with(text).ok_or_else(|| self.exotic(Which::Ours, edit))?;
        self.ours = Some(edited);
        Ok(())
    }

    /// What both files say now, if it is what the edit was to make them say.
    fn judged(&self, edit: &Edit) -> Result<Desired, EditError> {
        let Loaded {
            desired,
            diagnostics,
            ..
        } = self.load();
        let Some(desired) = desired else {
            return Err(EditError::Invalid {
                diagnostics,
                change: edit.to_string(),
            });
        };
        if check::is_what_was_meant(&self.desired, &desired, edit) {
            Ok(desired)
        } else {
            Err(self.exotic(Which::Ours, edit))
        }
    }

    fn load(&self) -> Loaded {
        let fly = SourceFile {
            bytes: self.fly.as_bytes(),
            ..self.files.fly
        };
        let ours = self.ours.as_ref().map(|text| SourceFile {
            path: self.files.ours_path,
            bytes: text.as_bytes(),
        });
        load(fly, ours, self.overrides)
    }

    fn exotic(&self, which: Which, edit: &Edit) -> EditError {
        let path = match which {
            Which::Ours => self.files.ours_path,
            Which::Fly => self.files.fly.path,
        };
        let (path, change) = (path.to_owned(), edit.to_string());
        if which == Which::Fly && Format::of(&path) != Format::Toml {
            EditError::NotToml { path, change }
        } else {
            EditError::Exotic { path, change }
        }
    }
}

impl std::fmt::Display for Edit {
    /// What it makes of the files, as a person would write it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Layout { group, layout } => {
                writeln!(f, "[groups.{}]", table::key(group.as_str()))?;
                if layout.regions.values().all(|n| *n == 0) {
                    write!(f, "count = 0")?;
                } else {
                    write!(f, "regions = {}", regions::inline(&layout.regions))?;
                }
                match layout.standby {
                    None => Ok(()),
                    Some(n) => write!(f, "\nstandby = {n}"),
                }
            }
            Self::MoveMachine { machine, to } => {
                write!(f, "[[moved]]\nmachine = \"{machine}\"\nto = \"{to}\"")
            }
            Self::RemoveMachine { machine } => write!(f, "[[removed]]\nmachine = \"{machine}\""),
        }
    }
}

#[cfg(test)]
mod tests;
