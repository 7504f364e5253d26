//! `[http_service]` and `[[services]]` (docs/platform/fly-toml.md 4).

use std::ops::Range;

use crate::core::fleet::MachineCheck;
use crate::core::fleet::schema::{HttpOptions, Port, Section, Service, TlsOptions};
use crate::core::manifest::codes;

use super::super::diagnostics::Diagnostic;
use super::super::duration::NumberUnit;
use super::super::fields::Fields;
use super::super::tree::Located;
use super::checks;
use super::group_scope::GroupScoped;
use super::machine_checks;
use super::plain_keys;
use super::service_parts::{autostop, concurrency, port, ports};

/// A service, with spans for checks across services.
#[derive(Debug, Clone)]
pub(super) struct ServiceEntry {
    pub(super) service: Service,
    /// Spans of its ports, in order.
    pub(super) ports: Vec<Range<usize>>,
    pub(super) min_running: Option<Located<u32>>,
    pub(super) machine_checks: Vec<MachineCheck>,
}

/// Reads `[http_service]`: one tcp service on ports 80 and 443.
pub(super) fn http_service(fields: &mut Fields<'_, '_>) -> Option<GroupScoped<ServiceEntry>> {
    let mut fields = fields.table("http_service")?;
    let force_https = fields.boolean("force_https");
    let http_options = plain_keys::table(&mut fields, "http_options", HttpOptions::TABLE);
    let tls_options = plain_keys::table(&mut fields, "tls_options", TlsOptions::TABLE);
    let handlers = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    let plain = Port {
        port: Some(80),
        handlers: handlers(&["http"]),
        force_https,
        http_options: http_options.clone(),
        ..Port::default()
    };
    let tls = Port {
        port: Some(443),
        handlers: handlers(&["http", "tls"]),
        http_options,
        tls_options,
        ..Port::default()
    };
    if !fields.has("internal_port") {
        fields.file.report(
            Diagnostic::warning(
                codes::NO_INTERNAL_PORT,
                "[http_service] has no `internal_port`",
            )
            .with_location(fields.file.location(fields.span.clone(), ""))
            .help("add `internal_port = 8080`, the port that the app listens on"),
        );
    }
    let service = Service {
        protocol: Some("tcp".to_owned()),
        internal_port: port(&mut fields, "internal_port", false),
        ports: Some(vec![plain, tls]),
        concurrency: concurrency(&mut fields, false),
        checks: non_empty(checks::service_checks(
            &mut fields,
            "checks",
            "http",
            NumberUnit::Nanoseconds,
        )),
        ..Service::default()
    };
    let location = fields.span.clone();
    let section = service_entry(fields, service, vec![location.clone(), location]);
    Some(section)
}

/// Reads `[[services]]`; an entry without keys is ignored.
pub(super) fn services(fields: &mut Fields<'_, '_>) -> Vec<GroupScoped<ServiceEntry>> {
    let beside_http = fields.has("http_service");
    let tables = fields.one_or_more("services").into_iter();
    tables
        .filter(|table| !table.is_empty())
        .map(|table| service(table, beside_http))
        .collect()
}

fn service(mut fields: Fields<'_, '_>, beside_http: bool) -> GroupScoped<ServiceEntry> {
    let lost = beside_http && !fields.has("internal_port") && !fields.has("ports");
    let mut checks =
        checks::service_checks(&mut fields, "tcp_checks", "tcp", NumberUnit::Milliseconds);
    checks.extend(checks::service_checks(
        &mut fields,
        "http_checks",
        "http",
        NumberUnit::Milliseconds,
    ));
    let (ports, locations): (Vec<_>, Vec<_>) = ports(&mut fields).into_iter().unzip();
    if ports.is_empty() && !lost {
        fields.file.report(
            Diagnostic::warning(
                codes::NO_PORTS,
                "a service without ports cannot be reached from outside",
            )
            .with_location(fields.file.location(fields.span.clone(), ""))
            .help("add `[[services.ports]]`, or remove the service"),
        );
    }
    let service = Service {
        protocol: fields.documented_word("protocol", &["tcp", "udp"]),
        internal_port: port(&mut fields, "internal_port", true),
        ports: non_empty(ports),
        concurrency: concurrency(&mut fields, true),
        checks: non_empty(checks),
        ..Service::default()
    };
    if !fields.has("internal_port") {
        let message = "a service has no `internal_port`";
        let location = fields.file.location(fields.span.clone(), "");
        fields.file.report(
            Diagnostic::warning(codes::NO_INTERNAL_PORT, message)
                .with_location(location)
                .help(if lost {
                    "if its checks belong to [http_service], write `[[http_service.checks]]`"
                } else {
                    "add `internal_port = 8080`, the port that the app listens on"
                }),
        );
    }
    service_entry(fields, service, locations)
}

/// Adds the autostart and autostop keys of both kinds of service. flyctl adds no defaults here.
fn service_entry(
    mut fields: Fields<'_, '_>,
    service: Service,
    ports: Vec<Range<usize>>,
) -> GroupScoped<ServiceEntry> {
    let stop_place = fields
        .take_entry("auto_stop_machines")
        .map(|(span, _)| span);
    let autostop = autostop(&mut fields);
    let autostart = fields.boolean("auto_start_machines");
    let stops = autostop.as_ref().is_some_and(|value| *value != false);
    if let (true, Some(location), false) = (stops, stop_place, autostart == Some(true)) {
        warn_never_started(&mut fields, location, autostart);
    }
    let min_running = fields.integer("min_machines_running", 0..u32::MAX);
    let service = Service {
        autostop,
        autostart,
        min_machines_running: min_running.as_ref().map(|at| at.value),
        ..service
    };
    let body = ServiceEntry {
        service,
        ports,
        min_running,
        machine_checks: machine_checks::read(&mut fields),
    };
    let section = GroupScoped::of(&mut fields, body);
    fields.report_unknown_keys();
    section
}

/// Fly's docs disagree about a missing `auto_start_machines`.
fn warn_never_started(fields: &mut Fields<'_, '_>, stop: Range<usize>, autostart: Option<bool>) {
    let file = fields.file;
    let message = match autostart {
        Some(_) => "Machines of this service are stopped automatically and never started again",
        None => {
            "Machines of this service are stopped automatically, and `auto_start_machines` is not set"
        }
    };
    let diagnostic = Diagnostic::warning(codes::NEVER_STARTED_AGAIN, message)
        .with_location(file.location(stop, "stopped here"))
        .help("write `auto_start_machines = true`");
    file.report(match fields.take_entry("auto_start_machines") {
        Some((span, _)) => diagnostic.with_related(file.location(span, "not started again here")),
        None => diagnostic,
    });
}

/// None for an empty list, as Go leaves it out.
pub(super) fn non_empty<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}
