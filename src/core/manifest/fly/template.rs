//! Builds each group's Machine config from fly.toml (docs/platform/fly-toml.md 2 and 3).

use std::collections::BTreeMap;
use std::ops::Range;

use crate::core::fleet::schema::{Init, Mount, Service};
use crate::core::fleet::{GroupName, MachineCheck, MachineConfig, NewVolume};

use super::super::codes;
use super::super::diagnostics::{Diagnostic, quote_text};
use super::super::rollout_settings::WrittenStrategy;
use super::super::tree::{Located, ManifestFile};
use super::checks::NamedCheck;
use super::cross_checks;
use super::document::FlyDocument;
use super::group_scope::{AppGroups, GroupScoped, UnknownGroup};
use super::mounts;
use super::services::{self, non_empty};
use super::vm::VmSection;

/// A group's config, with spans for later checks.
pub(in crate::core::manifest) struct Template {
    pub(in crate::core::manifest) config: MachineConfig,
    /// Its first service.
    pub(in crate::core::manifest) service: Option<Range<usize>>,
    /// The maximum `min_machines_running` of its services.
    pub(in crate::core::manifest) min_running: Option<Located<u32>>,
    pub(in crate::core::manifest) machine_checks: Vec<MachineCheck>,
    pub(in crate::core::manifest) new_volume: NewVolume,
    /// The service of `[http_service]`, as field changes name it.
    pub(in crate::core::manifest) http_service: Option<String>,
    /// Its `[[vm]]` has `cpu_kind` or `cpus` and no `size`.
    pub(in crate::core::manifest) has_size_in_parts: bool,
    pub(in crate::core::manifest) mount: Option<Range<usize>>,
}

type Templates = BTreeMap<GroupName, Template>;

/// The template of every group.
pub(in crate::core::manifest) fn templates(
    file: &ManifestFile<'_>,
    doc: &FlyDocument,
    groups: &AppGroups,
) -> Templates {
    let mut all: Templates = groups
        .names
        .iter()
        .map(|name| (name.clone(), base_template(doc, name)))
        .collect();
    apply_commands(doc, &mut all);
    apply_services(file, doc, groups, &mut all);
    cross_checks::warn_shared_ports(file, doc, groups);
    cross_checks::warn_files_with_groups(file, doc, groups);
    apply_checks(file, doc, groups, &mut all);
    apply_guests(file, doc, groups, &mut all);
    apply_mounts(file, doc, groups, &mut all);
    for section in &doc.metrics {
        for name in groups.target_groups(file, section, "[[metrics]]", UnknownGroup::Dropped) {
            if let Some(template) = all.get_mut(&name) {
                template
                    .config
                    .metrics
                    .get_or_insert_with(|| section.body.clone());
            }
        }
    }
    let old = doc
        .experimental
        .metrics
        .as_ref()
        .filter(|_| doc.metrics.is_empty());
    if let (Some(metrics), Some(template)) = (old, all.get_mut(&groups.default)) {
        template.config.metrics = Some(metrics.clone());
    }
    for section in &doc.restarts {
        cross_checks::warn_restart_without_groups(file, section, groups);
        for name in groups.target_groups(file, section, "[[restart]]", UnknownGroup::Refused) {
            if let Some(template) = all.get_mut(&name) {
                template.config.restart = Some(section.body.clone());
            }
        }
    }
    all
}

/// The part that all groups share.
fn base_template(doc: &FlyDocument, group: &GroupName) -> Template {
    let start = doc.base_config.config.clone();
    let config = MachineConfig {
        checks: None,
        env: Some(doc.env_of(group)),
        init: Some(Init {
            entrypoint: doc.experimental.entrypoint.clone(),
            exec: doc.experimental.exec.clone(),
            swap_size_mb: doc.swap_size_mb,
            ..start.init.unwrap_or_default()
        }),
        files: doc.machine_files(),
        metrics: None,
        mounts: None,
        restart: None,
        services: None,
        statics: non_empty(doc.statics.clone()),
        stop_config: doc.stop.clone(),
        ..start
    };
    Template {
        config,
        service: None,
        min_running: None,
        machine_checks: doc.machine_checks.clone(),
        new_volume: NewVolume::default(),
        http_service: None,
        has_size_in_parts: false,
        mount: None,
    }
}

/// A group's command, or that of `[experimental]`.
fn apply_commands(doc: &FlyDocument, all: &mut Templates) {
    let own: BTreeMap<_, _> = doc
        .processes
        .iter()
        .map(|process| (&process.name.value, process))
        .collect();
    for (name, template) in all.iter_mut() {
        let words = own.get(name).and_then(|process| process.words.clone());
        let init = template.config.init.get_or_insert_default();
        init.cmd = words.or_else(|| doc.experimental.cmd.clone());
    }
}

fn apply_services(
    file: &ManifestFile<'_>,
    doc: &FlyDocument,
    groups: &AppGroups,
    all: &mut Templates,
) {
    let http = doc
        .http_service
        .iter()
        .map(|service| (service, "[http_service]"));
    let others = doc.services.iter().map(|service| (service, "[[services]]"));
    for (section, what) in http.chain(others) {
        if section.is_unscoped() && groups.has_processes {
            unassigned(file, section, what, groups);
            continue;
        }
        for name in groups.target_groups(file, section, what, UnknownGroup::Refused) {
            let Some(template) = all.get_mut(&name) else {
                continue;
            };
            let written = &section.body;
            template.service.get_or_insert_with(|| section.span.clone());
            let least = |at: &Option<Located<u32>>| at.as_ref().map_or(0, |at| at.value);
            if least(&written.min_running) > least(&template.min_running) {
                template.min_running.clone_from(&written.min_running);
            }
            template
                .machine_checks
                .extend_from_slice(&written.machine_checks);
            let services = template.config.services.get_or_insert_default();
            let listens = |service: &Service| {
                let protocol = service.protocol.as_deref().unwrap_or("tcp").to_owned();
                Some((service.internal_port?, protocol))
            };
            let port = listens(&written.service);
            if let Some((port, protocol)) = &port
                && services
                    .iter()
                    .any(|other| listens(other).as_ref() == Some(&(*port, protocol.clone())))
            {
                file.report(second_service(file, section, &name, *port, protocol));
            }
            services.push(written.service.clone());
            if what == "[http_service]" {
                let port = written.service.internal_port;
                template.http_service = port.map(|port| format!("{port} tcp"));
            }
        }
    }
}

fn second_service(
    file: &ManifestFile<'_>,
    section: &GroupScoped<services::ServiceEntry>,
    group: &GroupName,
    port: u16,
    protocol: &str,
) -> Diagnostic {
    let message = format!(
        "two services of process group {} listen on port {port} ({protocol})",
        quote_text(group.as_str())
    );
    Diagnostic::warning(codes::SERVICE_TWICE, message)
        .with_location(file.location(section.span.clone(), "second one here"))
        .help(
            "write all external ports under one service, or give this one its own `internal_port`",
        )
}

fn unassigned(
    file: &ManifestFile<'_>,
    section: &GroupScoped<services::ServiceEntry>,
    what: &str,
    groups: &AppGroups,
) {
    file.report(
        Diagnostic::error(
            codes::SERVICE_WITHOUT_GROUP,
            format!(
                "{what} has no `processes`, and there are several process groups: {}",
                groups.name_list()
            ),
        )
        .with_location(file.location(section.span.clone(), ""))
        .help(format!("add `processes = [\"{}\"]`", groups.default)),
    );
}

fn apply_checks(
    file: &ManifestFile<'_>,
    doc: &FlyDocument,
    groups: &AppGroups,
    all: &mut Templates,
) {
    for section in &doc.checks {
        for name in groups.target_groups(file, section, "[checks]", UnknownGroup::Dropped) {
            let Some(template) = all.get_mut(&name) else {
                continue;
            };
            let mut check = section.body.check.clone();
            check.port = check.port.or_else(|| http_port(doc, groups, &name));
            if check.port.is_none() {
                let http = doc
                    .http_service
                    .as_ref()
                    .filter(|http| serves_group(http, groups, &name));
                file.report(without_port(file, section, &name, http.is_some()));
                continue;
            }
            let checks = template.config.checks.get_or_insert_default();
            checks.insert(section.body.name.clone(), check);
        }
    }
}

fn without_port(
    file: &ManifestFile<'_>,
    section: &GroupScoped<NamedCheck>,
    group: &GroupName,
    beside_http: bool,
) -> Diagnostic {
    let (check, group) = (quote_text(&section.body.name), quote_text(group.as_str()));
    let message = if beside_http {
        format!(
            "check {check} has no port, and [http_service] of process group {group} has no `internal_port`"
        )
    } else {
        format!("check {check} has no port, and process group {group} has no [http_service]")
    };
    Diagnostic::error(codes::CHECK_WITHOUT_PORT, message)
        .with_location(file.location(section.span.clone(), ""))
        .help("add `port = 8080`")
}

/// The port that `[http_service]` gives to the checks of a group.
fn http_port(doc: &FlyDocument, groups: &AppGroups, group: &GroupName) -> Option<u16> {
    let section = doc.http_service.as_ref()?;
    serves_group(section, groups, group).then_some(section.body.service.internal_port)?
}

fn serves_group(
    section: &GroupScoped<services::ServiceEntry>,
    groups: &AppGroups,
    group: &GroupName,
) -> bool {
    if section.is_unscoped() {
        return *group == groups.default;
    }
    let mut names = section.processes.iter();
    names.any(|name| match name.value.as_str() {
        "" => *group == groups.default,
        name => name == group.as_str(),
    })
}

/// `[[vm]]`: the last entry that names the group, else the first without `processes`, else the guest of
/// `machine_config`.
fn apply_guests(
    file: &ManifestFile<'_>,
    doc: &FlyDocument,
    groups: &AppGroups,
    all: &mut Templates,
) {
    let mut common: Option<&GroupScoped<VmSection>> = None;
    let mut own: BTreeMap<GroupName, &GroupScoped<VmSection>> = BTreeMap::new();
    for section in &doc.vms {
        match groups.named_groups(file, section, "[[vm]]", UnknownGroup::Dropped) {
            None => match common {
                None => common = Some(section),
                Some(first) => file.report(second_size(file, section, first, None)),
            },
            Some(names) => {
                for name in names {
                    if let Some(before) = own.insert(name.clone(), section) {
                        file.report(second_size(file, before, section, Some(&name)));
                    }
                }
            }
        }
    }
    for (name, template) in all.iter_mut() {
        if let Some(section) = own.get(name).copied().or(common) {
            template.config.guest = Some(section.body.guest.clone());
            template.has_size_in_parts = section.body.is_in_parts;
        } else if let Some(host) = &doc.host_dedication_id {
            file.report(host_without_size(file, host, name));
        }
    }
}

/// Warns of two `[[vm]]` for a group: flyctl silently ignores one.
fn second_size(
    file: &ManifestFile<'_>,
    unused: &GroupScoped<VmSection>,
    used: &GroupScoped<VmSection>,
    group: Option<&GroupName>,
) -> Diagnostic {
    let (whose, rule) = match group {
        Some(group) => (
            format!("process group {}", quote_text(group.as_str())),
            "the last one applies",
        ),
        None => ("every process group".to_owned(), "the first one applies"),
    };
    let message = format!("two `[[vm]]` entries are for {whose}: {rule}, and this one is not used");
    Diagnostic::warning(codes::TWO_SIZES, message)
        .with_location(file.location(unused.span.clone(), "not used"))
        .with_related(file.location(used.span.clone(), "used"))
        .help("keep one of them, or name different groups in `processes`")
}

fn host_without_size(
    file: &ManifestFile<'_>,
    host: &Located<String>,
    group: &GroupName,
) -> Diagnostic {
    let message = format!(
        "`host_dedication_id` needs a `[[vm]]`, and process group {} has none",
        quote_text(group.as_str())
    );
    Diagnostic::warning(codes::HOST_WITHOUT_SIZE, message)
        .with_location(file.location(host.span.clone(), ""))
        .help("add a `[[vm]]` with `size` for the group")
}

fn apply_mounts(
    file: &ManifestFile<'_>,
    doc: &FlyDocument,
    groups: &AppGroups,
    all: &mut Templates,
) {
    // An empty entry is already reported.
    let written =
        |section: &&GroupScoped<mounts::MountEntry>| section.body.mount != Mount::default();
    for section in doc.mounts.iter().filter(written) {
        for name in groups.target_groups(file, section, "[[mounts]]", UnknownGroup::Dropped) {
            let Some(template) = all.get_mut(&name) else {
                continue;
            };
            if let Some(first) = &template.mount {
                file.report(second_mount(file, section, first, &name));
                continue;
            }
            template.mount = Some(section.span.clone());
            template.config.mounts = Some(vec![section.body.mount.clone()]);
            template.new_volume = section.body.volume;
        }
    }
    if let (Some(strategy), Some(mount)) = (&doc.deploy.rollout.strategy, doc.mounts.first())
        && strategy.value == WrittenStrategy::Canary
    {
        file.report(
            Diagnostic::error(
                codes::CANARY_WITH_MOUNTS,
                "the strategy `canary` does not support mounts",
            )
            .with_location(file.location(strategy.span.clone(), ""))
            .with_related(file.location(mount.span.clone(), "the mount"))
            .help("use `strategy = \"rolling\"`"),
        );
    }
}

fn second_mount(
    file: &ManifestFile<'_>,
    section: &GroupScoped<mounts::MountEntry>,
    first: &Range<usize>,
    group: &GroupName,
) -> Diagnostic {
    let message = format!(
        "process group {} has two mounts, but a Machine can have one volume",
        quote_text(group.as_str())
    );
    Diagnostic::error(codes::TWO_MOUNTS, message)
        .with_location(file.location(section.span.clone(), "second one here"))
        .with_related(file.location(first.clone(), "first one here"))
        .help("give each mount its own process group with `processes`")
}
