//! Reads all sections of fly.toml; [`super::template`] assigns them to groups.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::core::fleet::quoting::toml_key;
use crate::core::fleet::schema::{File as MachineFile, Metrics, Restart, Static, StopConfig};
use crate::core::fleet::{AppName, GroupName, MachineCheck, Region};

use super::super::codes;
use super::super::diagnostics::{Diagnostic, quote_text};
use super::super::fields::Fields;
use super::super::names;
use super::super::settings::Overrides;
use super::super::tree::{Located, ManifestFile};
use super::super::value::Table;
use super::checks::NamedCheck;
use super::containers::BaseConfig;
use super::deploy::Deploy;
use super::experimental::Experimental;
use super::group_scope::GroupScoped;
use super::processes::{self, Process};
use super::vm::VmSection;
use super::{
    build, checks, containers, deploy, environment, experimental, files, machine_checks, metrics,
    mounts, restart, services, shell, signals, vm,
};

/// The content of fly.toml.
pub(in crate::core::manifest) struct FlyDocument {
    pub(in crate::core::manifest) app: Option<Located<AppName>>,
    /// Whether `app` is set, even if invalid.
    pub(in crate::core::manifest) has_app: bool,
    /// Whether the file is empty.
    pub(in crate::core::manifest) is_empty: bool,
    /// Span of `app`, for diagnostics without another location.
    pub(in crate::core::manifest) app_span: Option<Range<usize>>,
    pub(in crate::core::manifest) primary_region: Option<Region>,
    pub(in crate::core::manifest) processes: Vec<Process>,
    pub(in crate::core::manifest) build: build::Build,
    pub(in crate::core::manifest) deploy: Deploy,
    pub(super) env: BTreeMap<String, String>,
    pub(super) http_service: Option<GroupScoped<services::ServiceEntry>>,
    pub(super) services: Vec<GroupScoped<services::ServiceEntry>>,
    pub(super) checks: Vec<GroupScoped<NamedCheck>>,
    pub(super) vms: Vec<GroupScoped<VmSection>>,
    /// The host of Machines without a `[[vm]]`; a `[[vm]]` already includes it.
    pub(super) host_dedication_id: Option<Located<String>>,
    pub(super) mounts: Vec<GroupScoped<mounts::MountEntry>>,
    pub(super) restarts: Vec<GroupScoped<Restart>>,
    pub(super) metrics: Vec<GroupScoped<Metrics>>,
    pub(super) statics: Vec<Static>,
    pub(super) files: Vec<GroupScoped<MachineFile>>,
    pub(super) stop: Option<StopConfig>,
    pub(super) experimental: Experimental,
    pub(super) swap_size_mb: Option<u32>,
    pub(in crate::core::manifest) base_config: BaseConfig,
    pub(super) machine_checks: Vec<MachineCheck>,
}

impl FlyDocument {
    /// The variables of a Machine of this group (docs/platform/fly-toml.md 3.5).
    pub(super) fn env_of(&self, group: &GroupName) -> BTreeMap<String, String> {
        let mut env = self.env.clone();
        env.insert("FLY_PROCESS_GROUP".to_owned(), group.to_string());
        if let Some(region) = &self.primary_region {
            env.insert("PRIMARY_REGION".to_owned(), region.to_string());
        }
        env
    }

    /// Whether `experimental.entrypoint`, which may be a shell, runs every command.
    pub(in crate::core::manifest) fn has_entrypoint(&self) -> bool {
        self.experimental.entrypoint.is_some()
    }

    /// The files of every Machine.
    pub(super) fn machine_files(&self) -> Option<Vec<MachineFile>> {
        services::non_empty(self.files.iter().map(|file| file.body.clone()).collect())
    }
}

/// flyctl's patches reject a section that is null; elsewhere null is the same as missing.
fn report_null_sections(file: &ManifestFile<'_>, tree: &Table<'_>) {
    const PATCHED: [&str; 13] = [
        "build",
        "checks",
        "compute",
        "computes",
        "env",
        "experimental",
        "metric",
        "metrics",
        "mount",
        "mounts",
        "processes",
        "services",
        "vm",
    ];
    for key in PATCHED {
        if let Some((_, node)) = tree.get(key).filter(|(_, node)| node.is_null()) {
            let message = format!("`{key}` is null, and flyctl rejects a section without a value");
            let found = Diagnostic::error(codes::WRONG_TYPE, message);
            let location = file.location(node.span(), "");
            file.report(
                found
                    .with_location(location)
                    .help(format!("remove `{key}`")),
            );
        }
    }
}

/// Reads every section of a parsed fly.toml.
pub(in crate::core::manifest) fn read(
    file: &ManifestFile<'_>,
    tree: &Table<'_>,
    overrides: &Overrides,
) -> FlyDocument {
    let mut fields = Fields::new(file, tree, 0..0, String::new());
    report_null_sections(file, tree);
    let app = fields.string("app");
    let empty = app.as_ref().is_some_and(|app| app.value.is_empty());
    let has_app = fields.has("app") && !empty;
    let app = app.filter(|_| !empty);
    let dedicated = fields
        .string("host_dedication_id")
        .filter(|host| !host.value.is_empty());
    let experimental = experimental::read(&mut fields);
    if let Some(command) = fields.string("console_command") {
        processes::split_command(file, "`console_command`", &command.value, &command.span);
    }
    let document = FlyDocument {
        has_app,
        is_empty: tree.is_empty(),
        app_span: app.as_ref().map(|app| app.span.clone()),
        app: app.and_then(|app| match overrides.app {
            // An invalid placeholder does not matter if another name is chosen.
            Some(_) => AppName::new(app.value)
                .ok()
                .map(|name| Located::new(name, app.span)),
            None => names::parse_app(file, app),
        }),
        primary_region: fields
            .string("primary_region")
            .filter(|region| !region.value.is_empty())
            .and_then(|written| names::parse_region(file, written)),
        processes: processes::read(&mut fields),
        build: build::read(&mut fields, overrides),
        deploy: deploy::read(&mut fields),
        env: environment::read(&mut fields),
        http_service: services::http_service(&mut fields),
        services: services::services(&mut fields),
        checks: checks::read(&mut fields),
        vms: vm::read(
            &mut fields,
            dedicated.as_ref().map(|host| host.value.as_str()),
        ),
        host_dedication_id: dedicated,
        mounts: mounts::read(&mut fields),
        restarts: restart::read(&mut fields),
        metrics: metrics::read(&mut fields),
        statics: metrics::statics(&mut fields),
        files: files::read(&mut fields, overrides),
        stop: signals::stop(&mut fields, experimental.kill_timeout.clone()),
        swap_size_mb: fields
            .integer("swap_size_mb", 0..u32::MAX)
            .map(|at| at.value)
            .filter(|mb| *mb > 0),
        base_config: containers::read(&mut fields, experimental.machine_config.clone(), overrides),
        machine_checks: machine_checks::read(&mut fields),
        experimental,
    };
    fields.report_unknown_keys();
    if !document.has_entrypoint() {
        warn_shell_commands(file, &document);
    }
    document
}

/// Warns of shell syntax in commands that run without an entrypoint of fly.toml, which could be a shell.
fn warn_shell_commands(file: &ManifestFile<'_>, document: &FlyDocument) {
    for process in &document.processes {
        let name = process.name.value.as_str();
        let whose = format!("process group {}", quote_text(name));
        let command = &process.command;
        let key = if process.listed {
            "command".into()
        } else {
            toml_key(name)
        };
        shell::warn_shell_syntax(file, &whose, &key, &command.value, &command.span);
    }
    if let Some(command) = &document.deploy.release_command {
        command.warn_shell_syntax(file);
    }
}
