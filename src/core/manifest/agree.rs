//! Where fly.toml and aeroform.toml have to agree: groups that are named, moved and kept standing
//! by.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::core::fleet::{Count, GroupName};

use super::aeroform::groups::GroupSettings;
use super::codes;
use super::diagnostics::{Diagnostic, shown};
use super::fly::groups::Groups;
use super::join::{Both, count};
use super::tree::{At, File};

impl Both<'_> {
    /// Rule 15: a standby would never serve, and a service wants all Machines to.
    pub(super) fn check_standby(&self, settings: &GroupSettings, service: Range<usize>) {
        let (Some(aero), Some(standby)) = (self.aero, &settings.standby) else {
            return;
        };
        if standby.value == 0 {
            return;
        }
        let name = shown(settings.name.value.as_str());
        aero.report(
            Diagnostic::error(
                codes::STANDBY_WITH_SERVICES,
                format!("group {name} has services, and a standby cannot serve"),
            )
            .at(aero.place(standby.span.clone(), ""))
            .also(self.fly.place(service, "its service"))
            .help("take `standby` away: with services, every Machine serves"),
        );
    }

    /// A release command belongs to a new image, and without one an apply brings none.
    pub(super) fn check_release_command(&self) {
        let Some(command) = &self.document.deploy.release_command else {
            return;
        };
        let message = "no image is named: an apply keeps the one that runs, and this version does not run the \
                       release command";
        self.fly.report(
            Diagnostic::warning(codes::RELEASE_COMMAND_WITHOUT_IMAGE, message)
                .at(self.fly.place(command.span.clone(), ""))
                .help(
                    "name the image (`--image`, `image` in aeroform.toml or [build] image), and run the command \
                     by hand",
                ),
        );
    }

    /// Fly starts no Machine that is not there.
    pub(super) fn check_least(
        &self,
        name: &GroupName,
        least: &At<u32>,
        settings: Option<&GroupSettings>,
    ) {
        let Count::Written(count) = count(settings) else {
            return;
        };
        if least.value <= count {
            return;
        }
        let message = format!(
            "group {} has {count} Machines, and `min_machines_running` is {}",
            shown(name.as_str()),
            least.value
        );
        let diagnostic = Diagnostic::warning(codes::MIN_ABOVE_COUNT, message)
            .at(self.fly.place(least.span.clone(), ""))
            .help("lower it, or raise the count");
        self.fly.report(match (self.aero, settings) {
            (Some(aero), Some(settings)) => {
                diagnostic.also(aero.place(settings.span.clone(), "its count"))
            }
            (_, _) => diagnostic,
        });
    }

    /// Rule 15: settings of a group that is not there are a slip, unless the group was renamed.
    pub(super) fn check_groups(&self, groups: &Groups) {
        let Some(aero) = self.aero else {
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
                    shown(name.as_str()),
                    self.fly.source.path
                );
                undefined(aero, groups, &group.name, message);
            }
        }
    }

    /// Rule 17.
    pub(super) fn check_moves(&self, groups: &Groups) {
        let Some(aero) = self.aero else {
            return;
        };
        let moves = &self.aeroform.moves;
        let mut seen: BTreeMap<&GroupName, &At<GroupName>> = BTreeMap::new();
        for moved in &moves.groups {
            let from = &moved.from.value;
            if groups.names.contains(from) {
                aero.report(self.still_defined(aero, &moved.from));
            }
            if let Some(first) = seen.insert(from, &moved.from) {
                aero.report(
                    Diagnostic::error(
                        codes::MOVED_TWICE,
                        format!("group {} is moved twice", shown(from.as_str())),
                    )
                    .at(aero.place(moved.from.span.clone(), "again here"))
                    .also(aero.place(first.span.clone(), "first here"))
                    .help("a group's Machines can become those of one other group only"),
                );
            }
        }
        let groups_to = moves.groups.iter().map(|moved| &moved.to);
        for to in groups_to.chain(moves.machines.iter().map(|(_, to)| to)) {
            if !groups.names.contains(&to.value) {
                let name = shown(to.value.as_str());
                let message = format!("[[moved]] goes to {name}, which is not a process group");
                undefined(aero, groups, to, message);
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
                    .at(aero.place(machine.span.clone(), "again here"))
                    .also(aero.place(first.span.clone(), "first here"))
                    .help("keep one of the two"),
                );
            }
        }
    }

    fn still_defined(&self, aero: &File<'_>, from: &At<GroupName>) -> Diagnostic {
        let name = shown(from.value.as_str());
        let message = format!("[[moved]] renames {name}, and {name} is still a process group");
        let process = self
            .document
            .processes
            .iter()
            .find(|p| p.name.value == from.value);
        let diagnostic = Diagnostic::error(codes::MOVED_FROM_DEFINED, message)
            .at(aero.place(from.span.clone(), "renamed here"));
        let diagnostic = match process {
            Some(process) => diagnostic.also(
                self.fly
                    .place(process.name.span.clone(), "still defined here"),
            ),
            None => diagnostic,
        };
        diagnostic.help(format!(
            "take {name} out of [processes], or the [[moved]] out of {}",
            aero.source.path
        ))
    }
}

fn undefined(aero: &File<'_>, groups: &Groups, name: &At<GroupName>, message: String) {
    let help = aero
        .suggestion(name.value.as_str(), groups.words())
        .unwrap_or_else(|| {
            let all = groups.list();
            format!("the groups are {all}; if it has gone on purpose, take it away here, too")
        });
    aero.report(
        Diagnostic::error(codes::UNDEFINED_GROUP, message)
            .at(aero.place(name.span.clone(), "no such group"))
            .help(help),
    );
}
