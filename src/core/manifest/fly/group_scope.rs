//! The groups of the app, and the groups of a section (docs/platform/fly-toml.md 2).

use std::collections::BTreeSet;
use std::ops::Range;

use crate::core::fleet::GroupName;
use crate::core::manifest::codes;

use super::super::diagnostics::{Diagnostic, quote_text};
use super::super::fields::Fields;
use super::super::tree::{Located, ManifestFile};
use super::processes::Process;

/// A section together with the groups that it names.
#[derive(Debug, Clone)]
pub(in crate::core::manifest) struct GroupScoped<T> {
    /// Its `processes`; an empty list is the same as none.
    pub(in crate::core::manifest) processes: Vec<Located<String>>,
    /// `processes` is invalid and reported: the section applies to no group.
    failed: bool,
    pub(in crate::core::manifest) span: Range<usize>,
    pub(in crate::core::manifest) body: T,
}

impl<T> GroupScoped<T> {
    /// Takes `processes` from the fields of a section.
    pub(super) fn of(fields: &mut Fields<'_, '_>, body: T) -> Self {
        let processes = fields.strings("processes");
        Self {
            failed: processes.is_none() && fields.has("processes"),
            processes: processes.unwrap_or_default(),
            span: fields.span.clone(),
            body,
        }
    }

    /// Whether it has no `processes`.
    pub(super) fn is_unscoped(&self) -> bool {
        self.processes.is_empty() && !self.failed
    }
}

/// How flyctl handles a section that names an unknown group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnknownGroup {
    /// flyctl rejects it.
    Refused,
    /// flyctl silently ignores the section.
    Dropped,
}

/// All groups of the app.
pub(in crate::core::manifest) struct AppGroups {
    /// Their names, sorted by bytes.
    pub(in crate::core::manifest) names: BTreeSet<GroupName>,
    /// The group of sections that name none.
    pub(in crate::core::manifest) default: GroupName,
    /// Whether `[processes]` has at least one entry.
    pub(in crate::core::manifest) has_processes: bool,
}

impl AppGroups {
    pub(in crate::core::manifest) fn of(processes: &[Process]) -> Self {
        let app = GroupName::new("app").expect("`app` is a valid group name");
        let mut names: BTreeSet<_> = processes.iter().map(|p| p.name.value.clone()).collect();
        if names.is_empty() {
            names.insert(app.clone());
        }
        let first = names
            .first()
            .expect("a name was inserted where there was none");
        let default = names.get(&app).unwrap_or(first).clone();
        Self {
            names,
            default,
            has_processes: !processes.is_empty(),
        }
    }

    pub(in crate::core::manifest) fn as_strs(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(GroupName::as_str)
    }

    /// The groups that a section names; `None` when it names none at all.
    pub(super) fn named_groups<T>(
        &self,
        file: &ManifestFile<'_>,
        section: &GroupScoped<T>,
        what: &str,
        unknown: UnknownGroup,
    ) -> Option<BTreeSet<GroupName>> {
        if section.is_unscoped() {
            return None;
        }
        let mut found = BTreeSet::new();
        for written in &section.processes {
            let name = written.value.as_str();
            if name.is_empty() && unknown == UnknownGroup::Dropped {
                found.insert(self.default.clone());
            } else if let Some(name) = self.names.get(name) {
                found.insert(name.clone());
            } else {
                self.report_undefined(file, written, what, unknown);
            }
        }
        Some(found)
    }

    /// The groups of a section; the default group if it names none.
    pub(super) fn target_groups<T>(
        &self,
        file: &ManifestFile<'_>,
        section: &GroupScoped<T>,
        what: &str,
        unknown: UnknownGroup,
    ) -> BTreeSet<GroupName> {
        self.named_groups(file, section, what, unknown)
            .unwrap_or_else(|| BTreeSet::from([self.default.clone()]))
    }

    fn report_undefined(
        &self,
        file: &ManifestFile<'_>,
        written: &Located<String>,
        what: &str,
        unknown: UnknownGroup,
    ) {
        let name = quote_text(&written.value);
        let message = format!("{what} names the process group {name}, which is not defined");
        let location = file.location(written.span.clone(), "no such group");
        let diagnostic = match unknown {
            UnknownGroup::Refused => Diagnostic::error(codes::UNDEFINED_GROUP, message),
            UnknownGroup::Dropped => Diagnostic::warning(
                codes::UNDEFINED_GROUP,
                format!("{message}: Fly ignores it there"),
            ),
        };
        let help = file
            .suggestion(&written.value, self.as_strs())
            .unwrap_or_else(|| {
                if self.has_processes {
                    format!("the groups in [processes] are {}", self.name_list())
                } else {
                    "without [processes] the only group is `app`".to_owned()
                }
            });
        file.report(diagnostic.with_location(location).help(help));
    }

    /// The names for a message, at most eight of them.
    pub(in crate::core::manifest) fn name_list(&self) -> String {
        let mut list: Vec<String> = self.as_strs().take(8).map(quote_text).collect();
        if self.names.len() > list.len() {
            list.push(format!("{} more", self.names.len() - list.len()));
        }
        list.join(", ")
    }
}
