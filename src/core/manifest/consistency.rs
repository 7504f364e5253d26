//! Checks that fly.toml and aeroform.toml agree: names of groups, moves, standbys.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::core::fleet::{Count, GroupName};

use super::aeroform::group_settings::GroupSettings;
use super::codes;
use super::diagnostics::{Diagnostic, quote_text};
use super::fly::group_scope::AppGroups;
use super::join::{ParsedManifests, group_count};
use super::tree::{Located, ManifestFile};

impl ParsedManifests<'_> {
    /// Rule 15: a standby never serves, but all Machines of a service must.
    pub(super) fn check_standby(&self, settings: &GroupSettings, service: Range<usize>) {
        let (Some(aero), Some(standby)) = (self.aeroform_file, &settings.standby) else {
            return;
        };
        if standby.value == 0 {
            return;
        }
        let name = quote_text(settings.name.value.as_str());
        aero.report(
            Diagnostic::error(
                codes::STANDBY_WITH_SERVICES,
                format!("group {name} has services, and a standby serves no requests"),
            )
            .with_location(aero.location(standby.span.clone(), ""))
            .with_related(self.fly_file.location(service, "its service"))
            .help("remove `standby`: all Machines of a group with services must serve"),
        );
    }

    /// Fly only starts Machines that exist.
    pub(super) fn check_min_running(
        &self,
        name: &GroupName,
        least: &Located<u32>,
        settings: Option<&GroupSettings>,
    ) {
        let Count::Written(count) = group_count(settings) else {
            return;
        };
        if least.value <= count {
            return;
        }
        let message = format!(
            "group {} has {count} Machines, and `min_machines_running` is {}",
            quote_text(name.as_str()),
            least.value
        );
        let diagnostic = Diagnostic::warning(codes::MIN_ABOVE_COUNT, message)
            .with_location(self.fly_file.location(least.span.clone(), ""))
            .help("lower it, or raise `count`");
        self.fly_file.report(match (self.aeroform_file, settings) {
            (Some(aero), Some(settings)) => {
                diagnostic.with_related(aero.location(settings.span.clone(), "its count"))
            }
            (_, _) => diagnostic,
        });
    }

    /// Rule 15: settings of an unknown group are a mistake, unless the group was renamed.
    pub(super) fn check_groups(&self, groups: &AppGroups) {
        let Some(aero) = self.aeroform_file else {
            return;
        };
        let renamed: BTreeSet<_> = self
            .aeroform
            .moves
            .groups
            .iter()
            .map(|moved| &moved.from.value)
            .collect();
        for group in &self.aeroform.groups {
            let name = &group.name.value;
            if !groups.names.contains(name) && !renamed.contains(name) {
                let message = format!(
                    "[groups] has settings for {}, which is not a process group of {}",
                    quote_text(name.as_str()),
                    self.fly_file.source.path
                );
                report_undefined_group(aero, groups, &group.name, message);
            }
        }
    }

    /// Rule 41: a hold of an unknown group is a mistake.
    pub(super) fn check_hold(&self, groups: &AppGroups) {
        let hold = self.aeroform.hold.as_ref();
        let named = hold
            .and_then(|hold| hold.groups.as_ref())
            .into_iter()
            .flatten();
        let Some(aero) = self.aeroform_file else {
            return;
        };
        for name in named.filter(|name| !groups.names.contains(&name.value)) {
            let message = format!(
                "[hold] names {}, which is not a process group of {}",
                quote_text(name.value.as_str()),
                self.fly_file.source.path
            );
            report_undefined_group(aero, groups, name, message);
        }
    }

    /// Rule 17.
    pub(super) fn check_moves(&self, groups: &AppGroups) {
        let Some(aero) = self.aeroform_file else {
            return;
        };
        let moves = &self.aeroform.moves;
        let mut seen: BTreeMap<&GroupName, &Located<GroupName>> = BTreeMap::new();
        for moved in &moves.groups {
            let from = &moved.from.value;
            if groups.names.contains(from) {
                aero.report(self.moved_from_defined(aero, &moved.from));
            }
            if let Some(first) = seen.insert(from, &moved.from) {
                aero.report(
                    Diagnostic::error(
                        codes::MOVED_TWICE,
                        format!("group {} is moved twice", quote_text(from.as_str())),
                    )
                    .with_location(aero.location(moved.from.span.clone(), "again here"))
                    .with_related(aero.location(first.span.clone(), "first here"))
                    .help("a group can be moved to one other group only"),
                );
            }
        }
        let groups_to = moves.groups.iter().map(|moved| &moved.to);
        for to in groups_to.chain(moves.machines.iter().map(|(_, to)| to)) {
            if !groups.names.contains(&to.value) {
                let name = quote_text(to.value.as_str());
                let message = format!("[[moved]] moves to {name}, which is not a process group");
                report_undefined_group(aero, groups, to, message);
            }
        }
        let mut machines = BTreeMap::new();
        for machine in moves
            .machines
            .iter()
            .map(|(machine, _)| machine)
            .chain(&moves.removed)
        {
            if let Some(first) = machines.insert(&machine.value, machine) {
                aero.report(
                    Diagnostic::error(
                        codes::MACHINE_TWICE,
                        format!("Machine `{}` is moved or removed twice", machine.value),
                    )
                    .with_location(aero.location(machine.span.clone(), "again here"))
                    .with_related(aero.location(first.span.clone(), "first here"))
                    .help("keep one of the two"),
                );
            }
        }
    }

    fn moved_from_defined(&self, aero: &ManifestFile<'_>, from: &Located<GroupName>) -> Diagnostic {
        let name = quote_text(from.value.as_str());
        let message = format!("[[moved]] renames {name}, but {name} is still a process group");
        let process = self
            .document
            .processes
            .iter()
            .find(|p| p.name.value == from.value);
        let diagnostic = Diagnostic::error(codes::MOVED_FROM_DEFINED, message)
            .with_location(aero.location(from.span.clone(), "renamed here"));
        let diagnostic = match process {
            Some(process) => diagnostic.with_related(
                self.fly_file
                    .location(process.name.span.clone(), "still defined here"),
            ),
            None => diagnostic,
        };
        diagnostic.help(format!(
            "remove {name} from [processes], or the [[moved]] from {}",
            aero.source.path
        ))
    }
}

pub(super) fn report_undefined_group(
    aero: &ManifestFile<'_>,
    groups: &AppGroups,
    name: &Located<GroupName>,
    message: String,
) {
    let help = aero
        .suggestion(name.value.as_str(), groups.as_strs())
        .unwrap_or_else(|| {
            let all = groups.name_list();
            format!("the groups are {all}; if the group was removed, remove it here too")
        });
    aero.report(
        Diagnostic::error(codes::UNDEFINED_GROUP, message)
            .with_location(aero.location(name.span.clone(), "no such group"))
            .help(help),
    );
}
