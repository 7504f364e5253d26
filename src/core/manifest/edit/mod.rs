//! Edits of the manifests: text in, text out.
//!
//! Turns an [`Edit`] into the smallest change of fly.toml and aeroform.toml. Comments, order, quotes and line ends are
//! kept, and all other bytes stay the same. Afterwards both files are read again: they must mean exactly what was
//! intended, or the edit is refused ([`EditError::UnsupportedForm`]). Never writes a file, and only edits TOML.
//!
//! Start at [`edit()`]. `toml_source` tokenises a text, `toml_entries` sets and removes entries in any syntax, `check`
//! verifies the result.

mod check;
mod description;
mod group_edits;
mod group_sections;
mod groups_order;
mod hold;
mod list_items;
mod machine_entries;
mod quoting;
mod region_edits;
mod state_location;
mod toml_entries;
mod toml_source;
mod vm;

pub use region_edits::GroupLayout;
pub use vm::MachineSize;

use group_edits::GroupNames;

use super::diagnostics::Diagnostics;
use super::format::Format;
use super::load::{Loaded, load};
use super::settings::{Overrides, StateLocation};
use super::source::SourceFile;
use crate::core::fleet::{Desired, GroupName, Hold, MachineId, Region};

/// A change of the manifests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Counts of a group's primaries per region.
    Layout {
        /// The group.
        group: GroupName,
        /// Its numbers.
        layout: GroupLayout,
    },
    /// The regions over which a group's Machines are spread evenly.
    Regions {
        /// The group.
        group: GroupName,
        /// In written order.
        regions: Vec<Region>,
        /// The count, if it must be written to be kept.
        count: Option<u32>,
    },
    /// Adds a group.
    AddGroup {
        /// The group.
        group: GroupName,
        /// Its command; an empty one runs the image's command.
        command: String,
        /// The count; none for Fly's default.
        count: Option<u32>,
    },
    /// Renames a group, with its Machines.
    RenameGroup {
        /// The old name.
        from: GroupName,
        /// The new name.
        to: GroupName,
    },
    /// Removes a group and its own sections.
    RemoveGroup {
        /// The group.
        group: GroupName,
    },
    /// Sets the size of a group's Machines.
    Size {
        /// The group.
        group: GroupName,
        /// Its complete size.
        size: MachineSize,
    },
    /// Moves a Machine to another group.
    MoveMachine {
        /// Which.
        machine: MachineId,
        /// The new group.
        to: GroupName,
    },
    /// Removes a Machine.
    RemoveMachine {
        /// Which.
        machine: MachineId,
    },
    /// Sets where the state is.
    State(StateLocation),
    /// Sets the release to follow, or none.
    Hold(Option<Hold>),
}

impl Edit {
    /// The group that it changes, by its name afterwards.
    pub fn group(&self) -> Option<&GroupName> {
        match self {
            Self::Layout { group, .. }
            | Self::Regions { group, .. }
            | Self::AddGroup { group, .. }
            | Self::RemoveGroup { group }
            | Self::Size { group, .. }
            | Self::RenameGroup { to: group, .. }
            | Self::MoveMachine { to: group, .. } => Some(group),
            Self::RemoveMachine { .. } | Self::State(_) | Self::Hold(_) => None,
        }
    }
}

/// The texts of the manifests.
#[derive(Debug, Clone, Copy)]
pub struct ManifestFiles<'a> {
    /// fly.toml.
    pub fly: SourceFile<'a>,
    /// The displayed path of aeroform.toml, which may not exist yet.
    pub aeroform_path: &'a str,
    /// aeroform.toml, if there is one.
    pub aeroform: Option<&'a [u8]>,
    /// The first lines of a new aeroform.toml.
    pub new_file_header: &'a str,
}

/// The manifests after an edit; none for an unchanged file.
#[derive(Debug, Clone)]
pub struct Edited {
    /// fly.toml.
    pub fly: Option<String>,
    /// aeroform.toml.
    pub aeroform: Option<String>,
    /// The new desired state.
    pub desired: Desired,
}

/// Why an edit failed. `change` is the change to make manually.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EditError {
    /// The file is JSON or YAML, which are not edited.
    #[error("`{path}` is not TOML; only TOML files can be edited")]
    NotToml {
        /// The file.
        path: String,
        /// What to write.
        change: String,
    },
    /// The edit would change other entries as well.
    #[error("`{path}` cannot be edited without changing other entries")]
    UnsupportedForm {
        /// The file.
        path: String,
        /// What to write.
        change: String,
    },
    /// With it the manifests would contradict themselves.
    #[error("this edit would make the manifests invalid")]
    Invalid {
        /// The errors.
        diagnostics: Diagnostics,
        /// The intended change.
        change: String,
    },
}

/// Applies edits in order.
///
/// # Errors
/// If one of them cannot be made, or would change something else; then none is made.
pub fn edit(
    files: ManifestFiles<'_>,
    overrides: &Overrides,
    before: &Desired,
    edits: &[Edit],
) -> Result<Edited, EditError> {
    let mut work = Editor {
        files,
        overrides,
        fly: String::from_utf8_lossy(files.fly.bytes).into_owned(),
        aeroform: files
            .aeroform
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
        desired: before.clone(),
    };
    for edit in edits {
        work.apply(edit)?;
    }
    let changed = |new: String, old: &[u8]| (new.as_bytes() != old).then_some(new);
    Ok(Edited {
        fly: changed(work.fly, files.fly.bytes),
        aeroform: work
            .aeroform
            .and_then(|new| changed(new, files.aeroform.unwrap_or_default())),
        desired: work.desired,
    })
}

struct Editor<'a> {
    files: ManifestFiles<'a>,
    overrides: &'a Overrides,
    fly: String,
    aeroform: Option<String>,
    desired: Desired,
}

impl Editor<'_> {
    fn apply(&mut self, edit: &Edit) -> Result<(), EditError> {
        if check::is_already_applied(&self.desired, edit) {
            return Ok(());
        }
        match edit {
            Edit::Layout { group, layout } => {
                self.edit_aeroform_toml(edit, |text| {
                    region_edits::write_layout(text, group, layout)
                })?;
            }
            Edit::Regions {
                group,
                regions,
                count,
            } => {
                self.edit_aeroform_toml(edit, |text| {
                    region_edits::write_region_list(text, group, regions, *count)
                })?;
            }
            Edit::AddGroup {
                group,
                command,
                count,
            } => {
                let groups = self.groups();
                self.edit_fly_toml(edit, |text| {
                    group_edits::add_to_fly_toml(text, &groups, group.as_str(), command)
                })?;
                if self.aeroform.is_some() {
                    self.edit_aeroform_toml(edit, |text| {
                        group_edits::remove_moved_from(text, group)
                    })?;
                }
                if let Some(count) = count {
                    let path = ["groups", group.as_str(), "count"];
                    self.edit_aeroform_toml(edit, |text| {
                        toml_entries::set_entry(text, &path, &count.to_string())
                    })?;
                }
            }
            Edit::RenameGroup { from, to } => {
                let groups = self.groups();
                self.edit_fly_toml(edit, |text| {
                    group_edits::rename_in_fly_toml(text, &groups, from.as_str(), to.as_str())
                })?;
                self.edit_aeroform_toml(edit, |text| {
                    group_edits::rename_in_aeroform_toml(text, from, to)
                })?;
            }
            Edit::RemoveGroup { group } => {
                let groups = self.groups();
                self.edit_fly_toml(edit, |text| {
                    group_edits::remove_from_fly_toml(text, &groups, group.as_str())
                })?;
                if self.aeroform.is_some() {
                    self.edit_aeroform_toml(edit, |text| {
                        group_edits::remove_from_aeroform_toml(text, group)
                    })?;
                }
            }
            Edit::Size { group, size } => {
                let is_only = self.desired.groups.len() == 1;
                self.edit_fly_toml(edit, |text| {
                    vm::set_group_size(text, group.as_str(), is_only, size)
                })?;
            }
            Edit::MoveMachine { machine, to } => {
                self.edit_aeroform_toml(edit, |text| machine_entries::add_move(text, machine, to))?;
            }
            Edit::RemoveMachine { machine } => {
                self.edit_aeroform_toml(edit, |text| machine_entries::add_removal(text, machine))?;
            }
            Edit::State(location) => {
                self.edit_aeroform_toml(edit, |text| state_location::write(text, location))?;
            }
            Edit::Hold(hold) => {
                self.edit_aeroform_toml(edit, |text| match hold {
                    Some(hold) => hold::write(text, hold),
                    None => hold::remove(text),
                })?;
            }
        }
        self.desired = self.reload_and_verify(edit)?;
        Ok(())
    }

    fn groups(&self) -> GroupNames {
        let names = self.desired.groups.keys();
        GroupNames {
            names: names.map(|name| name.as_str().to_owned()).collect(),
            has_processes: self.desired.has_processes,
        }
    }

    /// Changes fly.toml.
    fn edit_fly_toml(
        &mut self,
        edit: &Edit,
        with: impl FnOnce(&str) -> Option<String>,
    ) -> Result<(), EditError> {
        if Format::of(self.files.fly.path) != Format::Toml {
            return Err(EditError::NotToml {
                path: self.files.fly.path.to_owned(),
                change: edit.to_string(),
            });
        }
        self.fly = with(&self.fly).ok_or_else(|| self.unsupported_form(edit))?;
        Ok(())
    }

    /// Changes aeroform.toml, or creates it.
    fn edit_aeroform_toml(
        &mut self,
        edit: &Edit,
        with: impl FnOnce(&str) -> Option<String>,
    ) -> Result<(), EditError> {
        let text = self
            .aeroform
            .as_deref()
            .unwrap_or(self.files.new_file_header);
        let edited = with(text).ok_or_else(|| self.unsupported_form(edit))?;
        self.aeroform = Some(edited);
        Ok(())
    }

    /// The new desired state, if it is the expected one.
    fn reload_and_verify(&self, edit: &Edit) -> Result<Desired, EditError> {
        let Loaded {
            desired,
            settings,
            diagnostics,
            ..
        } = self.load();
        let Some(desired) = desired else {
            return Err(EditError::Invalid {
                diagnostics,
                change: edit.to_string(),
            });
        };
        let is_there = match edit {
            Edit::State(location) => settings.state.as_ref() == Some(location),
            _ => true,
        };
        if is_there && check::matches_intent(&self.desired, &desired, edit) {
            Ok(desired)
        } else {
            Err(self.unsupported_form(edit))
        }
    }

    fn load(&self) -> Loaded {
        let fly = SourceFile {
            bytes: self.fly.as_bytes(),
            ..self.files.fly
        };
        let ours = self.aeroform.as_ref().map(|text| SourceFile {
            path: self.files.aeroform_path,
            bytes: text.as_bytes(),
        });
        load(fly, ours, self.overrides)
    }

    fn unsupported_form(&self, edit: &Edit) -> EditError {
        let path = if edit.is_of_fly_toml() {
            self.files.fly.path
        } else {
            self.files.aeroform_path
        };
        EditError::UnsupportedForm {
            path: path.to_owned(),
            change: edit.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
