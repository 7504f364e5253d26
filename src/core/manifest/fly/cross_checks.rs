//! Checks across sections: ports that groups share, and sections that apply to unexpected groups.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::core::fleet::GroupName;
use crate::core::fleet::schema::{Port, Restart};

use super::super::codes;
use super::super::diagnostics::{Diagnostic, quote_text};
use super::super::tree::ManifestFile;
use super::document::FlyDocument;
use super::group_scope::{AppGroups, GroupScoped};
use super::services::ServiceEntry;

/// An external port, or a range of them, and who serves it.
struct ServedPort<'d> {
    udp: bool,
    first: u16,
    last: u16,
    groups: BTreeSet<&'d GroupName>,
    internal: Option<u16>,
    span: Range<usize>,
}

/// Warns of every external port that two groups serve, because Fly Proxy balances between them, or that two services of
/// one group use.
pub(super) fn warn_shared_ports(file: &ManifestFile<'_>, doc: &FlyDocument, groups: &AppGroups) {
    let sections = doc.http_service.iter().chain(&doc.services);
    let mut served: Vec<ServedPort<'_>> = sections
        .flat_map(|section| {
            let ports = section.body.service.ports.iter().flatten();
            ports
                .zip(&section.body.ports)
                .filter_map(|(port, span)| served_port(groups, section, port, span))
        })
        .collect();
    served.sort_by_key(|port| (port.udp, port.first));
    let mut widest: Option<&ServedPort<'_>> = None;
    for port in &served {
        let open = widest.filter(|open| open.udp == port.udp && open.last >= port.first);
        match open {
            Some(open) if open.groups != port.groups => warn_port_of_two_groups(file, open, port),
            // With the same internal port it is one service, defined twice.
            Some(open) if open.internal != port.internal => warn_port_twice(file, open, port),
            Some(_) | None => {}
        }
        if open.is_none_or(|open| open.last < port.last) {
            widest = Some(port);
        }
    }
}

fn served_port<'d>(
    groups: &'d AppGroups,
    section: &GroupScoped<ServiceEntry>,
    port: &Port,
    span: &Range<usize>,
) -> Option<ServedPort<'d>> {
    let first = port.port.or(port.start_port)?;
    let named = section.processes.iter();
    let named: BTreeSet<&GroupName> = if section.is_unscoped() {
        [&groups.default].into()
    } else {
        named
            .filter_map(|name| match name.value.as_str() {
                "" => Some(&groups.default),
                name => groups.names.get(name),
            })
            .collect()
    };
    (!named.is_empty()).then(|| ServedPort {
        udp: section.body.service.protocol.as_deref() == Some("udp"),
        first,
        last: port.port.or(port.end_port).unwrap_or(first),
        groups: named,
        internal: section.body.service.internal_port,
        span: span.clone(),
    })
}

fn by_position<'s, 'd>(
    a: &'s ServedPort<'d>,
    b: &'s ServedPort<'d>,
) -> (&'s ServedPort<'d>, &'s ServedPort<'d>) {
    if a.span.start <= b.span.start {
        (a, b)
    } else {
        (b, a)
    }
}

fn warn_port_twice(file: &ManifestFile<'_>, a: &ServedPort<'_>, b: &ServedPort<'_>) {
    let (first, second) = by_position(a, b);
    let message = format!(
        "two services of one process group use external port {} ({})",
        a.first.max(b.first),
        if a.udp { "udp" } else { "tcp" }
    );
    file.report(
        Diagnostic::warning(codes::PORT_TWICE, message)
            .with_location(file.location(second.span.clone(), "here"))
            .with_related(file.location(first.span.clone(), "and here"))
            .help("give one of them another port"),
    );
}

fn warn_port_of_two_groups(file: &ManifestFile<'_>, a: &ServedPort<'_>, b: &ServedPort<'_>) {
    let (first, second) = by_position(a, b);
    let list = |served: &ServedPort<'_>| {
        let names: Vec<String> = served
            .groups
            .iter()
            .map(|name| quote_text(name.as_str()))
            .collect();
        names.join(", ")
    };
    let message = format!(
        "port {} is served by {} and {}: Fly Proxy balances between them",
        a.first.max(b.first),
        list(first),
        list(second)
    );
    file.report(
        Diagnostic::warning(codes::PORT_OF_TWO_GROUPS, message)
            .with_location(file.location(second.span.clone(), "here"))
            .with_related(file.location(first.span.clone(), "and here"))
            .help("give one of them another port, unless both should answer"),
    );
}

/// flyctl applies a `[[restart]]` without groups to the default group, although Fly's docs say to all.
pub(super) fn warn_restart_without_groups(
    file: &ManifestFile<'_>,
    section: &GroupScoped<Restart>,
    groups: &AppGroups,
) {
    if !section.is_unscoped() || groups.names.len() < 2 {
        return;
    }
    let default = quote_text(groups.default.as_str());
    let message = format!(
        "[[restart]] names no process groups, so flyctl applies it to {default} only: in the others \
         the policy is cleared"
    );
    file.report(
        Diagnostic::warning(codes::RESTART_OF_DEFAULT_GROUP, message)
            .with_location(file.location(section.span.clone(), ""))
            .help(format!("add `processes = [{}]`", toml_group_list(groups))),
    );
}

/// flyctl writes files into every group and ignores their `processes`.
pub(super) fn warn_files_with_groups(
    file: &ManifestFile<'_>,
    doc: &FlyDocument,
    groups: &AppGroups,
) {
    for entry in &doc.files {
        let named: BTreeSet<&str> = entry.processes.iter().map(|at| at.value.as_str()).collect();
        if named.is_empty() || groups.as_strs().all(|name| named.contains(name)) {
            continue;
        }
        let message = "flyctl writes files into every group and ignores their `processes`";
        let span = entry.processes[0].span.clone();
        file.report(
            Diagnostic::warning(codes::FILE_IN_EVERY_GROUP, message)
                .with_location(file.location(span, ""))
                .help("remove `processes`"),
        );
    }
}

/// All groups as a list of TOML, at most eight of them.
fn toml_group_list(groups: &AppGroups) -> String {
    let names = groups.as_strs().take(8);
    let mut list: Vec<String> = names
        .map(|name| serde_json::Value::from(name).to_string())
        .collect();
    if groups.names.len() > list.len() {
        list.push("…".to_owned());
    }
    list.join(", ")
}
