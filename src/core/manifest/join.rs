//! Joins fly.toml and aeroform.toml; [`super::consistency`] and
//! [`super::group_rollout`] check that they agree.

use std::collections::BTreeMap;

use super::codes;
use crate::core::fleet::profile::{ProviderKind, ProviderProfile, profile};
use crate::core::fleet::{
    AppName, AppNameSource, Count, Desired, DesiredGroup, GroupLocations, GroupName, Hold,
    MachineConfig, MovedGroup, MovedMachine, OnceKind, Regions, Rollout,
};

use super::aeroform::AeroformDocument;
use super::aeroform::group_settings::GroupSettings;
use super::diagnostics::Diagnostic;
use super::fly::document::FlyDocument;
use super::fly::group_scope::AppGroups;
use super::fly::once::WrittenCommand;
use super::fly::processes::Process;
use super::fly::template::{Template, templates};
use super::missing_command;
use super::settings::{Overrides, Settings};
use super::tree::{Located, ManifestFile};
use super::value::Table;

/// Placeholder app of a file without `app` that is only validated.
const UNNAMED_APP: &str = "unnamed";

/// Both manifests, read.
pub(super) struct ParsedManifests<'j> {
    pub(super) fly_file: &'j ManifestFile<'j>,
    /// Its raw content.
    pub(super) tree: &'j Table<'j>,
    pub(super) document: &'j FlyDocument,
    /// aeroform.toml, if there is one.
    pub(super) aeroform_file: Option<&'j ManifestFile<'j>>,
    pub(super) aeroform: &'j AeroformDocument,
    pub(super) settings: &'j Settings,
    pub(super) overrides: &'j Overrides,
}

impl ParsedManifests<'_> {
    fn profile(&self) -> &'static ProviderProfile {
        profile(&self.settings.provider)
    }

    /// The desired state; none without an app.
    pub(super) fn desired(&self) -> Option<Desired> {
        let groups = AppGroups::of(&self.document.processes);
        let templates = templates(self.fly_file, self.document, &groups);
        self.check_groups(&groups);
        self.check_moves(&groups);
        self.check_hold(&groups);
        let image = self.image();
        let rollout = self.rollout(&groups);
        let written: BTreeMap<_, _> = self
            .aeroform
            .groups
            .iter()
            .map(|group| (&group.name.value, group))
            .collect();
        let processes: BTreeMap<_, _> = self
            .document
            .processes
            .iter()
            .map(|process| (&process.name.value, process))
            .collect();
        let groups: BTreeMap<_, _> = templates
            .into_iter()
            .map(|(name, template)| {
                let settings = written.get(&name).copied();
                let process = processes.get(&name).copied();
                let group = self.group(&name, template, process, settings, image.as_ref());
                (name, group)
            })
            .collect();
        self.check_bluegreen(rollout.groups_order.as_ref(), groups.iter());
        let moves = &self.aeroform.moves;
        Some(Desired {
            app: self.app()?,
            app_name_source: self.named_by(),
            provider: self.settings.provider.clone(),
            provider_from_flag: self.aeroform_file.is_none() && self.overrides.provider.is_some(),
            groups,
            moved: self.moved(),
            moved_machines: moves
                .machines
                .iter()
                .map(|(machine, to)| MovedMachine {
                    machine: machine.value.clone(),
                    to: to.value.clone(),
                    location: self.aeroform_line(machine.span.start),
                })
                .collect(),
            removed_machines: moves.removed.iter().map(|at| at.value.clone()).collect(),
            policy: self.aeroform.policy,
            primary_region: self.document.primary_region.clone(),
            image,
            has_processes: !self.document.processes.is_empty(),
            rollout,
            hold: self.hold(),
            definition: self
                .profile()
                .deployed_by_flyctl
                .then(|| Box::new(self.tree.to_json())),
        })
    }

    fn app(&self) -> Option<AppName> {
        if let Some(app) = &self.overrides.app {
            return Some(app.clone());
        }
        if !self.document.has_app {
            let message = format!("{} has no `app`", self.fly_file.source.path);
            let location = self.fly_file.location(0..0, "");
            let help = "add `app = \"name\"` as its first line, or use `--app NAME`";
            if self.overrides.validate_only && !self.document.is_empty {
                let found = Diagnostic::warning(codes::NO_APP, message);
                self.fly_file
                    .report(found.with_location(location).help(help));
                return Some(AppName::new(UNNAMED_APP).expect("a word is a valid name"));
            }
            self.fly_file.report(
                Diagnostic::error(codes::NO_APP, message)
                    .with_location(location)
                    .help(help),
            );
        }
        Some(self.document.app.as_ref()?.value.clone())
    }

    /// The source of the app's name, if not fly.toml.
    fn named_by(&self) -> Option<AppNameSource> {
        let app = self.overrides.app.as_ref()?;
        let by = self.overrides.app_source.clone();
        let written = self.document.app.as_ref().map(|written| &written.value);
        let other = written.filter(|written| *written != app);
        Some(AppNameSource {
            source: by.unwrap_or_else(|| "--app".to_owned()),
            file: other.map(|other| (self.fly_file.source.path.to_owned(), other.clone())),
        })
    }

    /// Rule 18.
    fn image(&self) -> Option<String> {
        let flag = self.overrides.image.as_ref();
        flag.or_else(|| self.written_image()).cloned()
    }

    /// The image of the manifests.
    fn written_image(&self) -> Option<&String> {
        let ours = self.aeroform.image.as_ref();
        ours.or(self.document.build.image.as_ref())
    }

    fn group(
        &self,
        name: &GroupName,
        template: Template,
        process: Option<&Process>,
        settings: Option<&GroupSettings>,
        image: Option<&String>,
    ) -> DesiredGroup {
        let service = template.service;
        if let Some(least) = &template.min_running {
            self.check_min_running(name, least, settings);
        }
        let mut config = MachineConfig {
            image: image.cloned(),
            ..template.config
        };
        self.document
            .base_config
            .with_image(&mut config, image.map(String::as_str));
        let mut command = process
            .map(|process| process.command.value.clone())
            .filter(|text| !text.is_empty());
        if self.profile().kind == ProviderKind::Local {
            let mut reported = process.is_some_and(Process::cannot_be_split);
            if let Some((text, words)) = settings.and_then(|settings| settings.command.clone()) {
                reported |= words.is_empty();
                config.init.get_or_insert_default().cmd = Some(words);
                command = Some(text);
            }
            if !reported && !missing_command::has_command(&config) {
                self.fly_file
                    .report(missing_command::missing_command(self, name, process));
            }
        }
        if let (Some(settings), Some(service)) = (settings, service) {
            self.check_standby(settings, service);
        }
        let rollout = self.group_rollout(settings, template.mount.as_ref());
        DesiredGroup {
            command,
            template: config,
            image_from_flag: image.is_some() && image != self.written_image(),
            count: group_count(settings),
            regions: settings
                .and_then(|settings| settings.regions.clone())
                .unwrap_or(Regions::Unwritten),
            max_per_region: settings.and_then(|settings| settings.max_per_region),
            standby: settings.and_then(|settings| Some(settings.standby.as_ref()?.value)),
            ha: settings.and_then(|settings| settings.ha).unwrap_or(true),
            protect: settings.is_some_and(|settings| settings.protect),
            strategy: rollout.strategy,
            max_unavailable: rollout.max_unavailable,
            trial: rollout.trial,
            wait_timeout_s: rollout.wait_timeout_s,
            steady_ms: rollout.steady_ms,
            region_order: rollout.region_order,
            machine_checks: template.machine_checks,
            new_volume: template.new_volume,
            locations: GroupLocations {
                group: process.map(|p| self.fly_file.source.line_ref(p.name.span.start)),
                settings: self
                    .aeroform_file
                    .zip(settings)
                    .map(|(aero, settings)| aero.source.line_ref(settings.span.start)),
                http_service: template.http_service,
                has_size_in_parts: template.has_size_in_parts,
            },
        }
    }

    fn rollout(&self, groups: &AppGroups) -> Rollout {
        let (deploy, aeroform) = (&self.document.deploy, self.aeroform);
        if let (Some(file), Some(verify)) = (self.aeroform_file, &aeroform.deploy.verify)
            && !self.document.has_entrypoint()
        {
            verify.warn_shell_syntax(file);
        }
        let once = |kind, written: &Option<WrittenCommand>| {
            let command = written.as_ref()?.command(kind, self.document);
            Some(Box::new(command))
        };
        Rollout {
            release_command: once(OnceKind::ReleaseCommand, &deploy.release_command),
            verify: once(OnceKind::Verify, &aeroform.deploy.verify),
            default_group: Some(groups.default.clone()),
            seed_command: deploy.seed_command.clone(),
            compose: self.document.build.compose.clone(),
            on_failure: aeroform.deploy.on_failure.unwrap_or_default(),
            groups_order: self.groups_order(groups),
        }
    }

    fn hold(&self) -> Option<Hold> {
        let hold = self.aeroform.hold.as_ref()?;
        let names = |groups: &Vec<Located<GroupName>>| {
            let names = groups.iter().map(|name| name.value.clone());
            names.collect()
        };
        Some(Hold {
            release: hold.release,
            groups: hold.groups.as_ref().map(names),
        })
    }

    /// `aeroform.toml:12`.
    fn aeroform_line(&self, at: usize) -> String {
        let file = self.aeroform_file;
        file.map(|aero| aero.source.line_ref(at))
            .unwrap_or_default()
    }

    fn moved(&self) -> Vec<MovedGroup> {
        let moved = self.aeroform.moves.groups.iter();
        moved
            .map(|moved| MovedGroup {
                from: moved.from.value.clone(),
                to: moved.to.value.clone(),
                location: self.aeroform_line(moved.span.start),
            })
            .collect()
    }
}

pub(super) fn group_count(settings: Option<&GroupSettings>) -> Count {
    let Some(settings) = settings else {
        return Count::Unwritten;
    };
    match (&settings.regions, settings.count) {
        (Some(Regions::Exact(map)), _) => Count::Written(map.values().sum()),
        (_, Some(count)) => Count::Written(count),
        (_, None) => Count::Unwritten,
    }
}
