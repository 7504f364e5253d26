//! `[http_service]` and `[[services]]` (docs/platform/fly-toml.md 4).

use std::ops::Range;

use crate::core::fleet::MachineCheck;
use crate::core::fleet::schema::{HttpOptions, Port, Section, Service, TlsOptions};
use crate::core::manifest::codes;

use super::super::diagnostics::Diagnostic;
use super::super::duration::Number;
use super::super::fields::Fields;
use super::super::tree::At;
use super::checks;
use super::groups::For;
use super::machine_checks;
use super::plain;
use super::service_parts::{autostop, concurrency, port, ports};

/// A service, and the places that questions about several services are about.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) service: Service,
    /// Where each of its ports is written, in their order.
    pub(super) ports: Vec<Range<usize>>,
    pub(super) min_running: Option<At<u32>>,
    pub(super) machine_checks: Vec<MachineCheck>,
}

/// Reads `[http_service]`: one tcp service on ports 80 and 443.
pub(super) fn http_service(fields: &mut Fields<'_, '_>) -> Option<For<Written>> {
    let mut fields = fields.table("http_service")?;
    let force_https = fields.boolean("force_https");
    let http_options = plain::table(&mut fields, "http_options", HttpOptions::TABLE);
    let tls_options = plain::table(&mut fields, "tls_options", TlsOptions::TABLE);
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
                "[http_service] names no `internal_port`",
            )
            .at(fields.file.place(fields.span.clone(), ""))
            .help("add `internal_port = 8080`, the port that the app listens on"),
        );
    }
    let service = Service {
        protocol: Some("tcp".to_owned()),
        internal_port: port(&mut fields, "internal_port", false),
        ports: Some(vec![plain, tls]),
        concurrency: concurrency(&mut fields, false),
        checks: some(checks::of_service(
            &mut fields,
            "checks",
            "http",
            Number::Nanoseconds,
        )),
        ..Service::default()
    };
    let place = fields.span.clone();
    let section = written(fields, service, vec![place.clone(), place]);
    Some(section)
}

/// Reads `[[services]]`; an entry without any key is as good as none.
pub(super) fn services(fields: &mut Fields<'_, '_>) -> Vec<For<Written>> {
    let beside_http = fields.has("http_service");
    let tables = fields.one_or_more("services").into_iter();
    tables
        .filter(|table| !table.is_empty())
        .map(|table| service(table, beside_http))
        .collect()
}

fn service(mut fields: Fields<'_, '_>, beside_http: bool) -> For<Written> {
    let lost = beside_http && !fields.has("internal_port") && !fields.has("ports");
    let mut checks = checks::of_service(&mut fields, "tcp_checks", "tcp", Number::Milliseconds);
    checks.extend(checks::of_service(
        &mut fields,
        "http_checks",
        "http",
        Number::Milliseconds,
    ));
    let (ports, places): (Vec<_>, Vec<_>) = ports(&mut fields).into_iter().unzip();
    if ports.is_empty() && !lost {
        fields.file.report(
            Diagnostic::warning(
                codes::NO_PORTS,
                "a service without ports cannot be reached from outside",
            )
            .at(fields.file.place(fields.span.clone(), ""))
            .help("add `[[services.ports]]`, or take the service away"),
        );
    }
    let service = Service {
        protocol: fields.word("protocol", &["tcp", "udp"]),
        internal_port: port(&mut fields, "internal_port", true),
        ports: some(ports),
        concurrency: concurrency(&mut fields, true),
        checks: some(checks),
        ..Service::default()
    };
    if !fields.has("internal_port") {
        let message = "a service names no `internal_port`";
        let place = fields.file.place(fields.span.clone(), "");
        fields.file.report(
            Diagnostic::warning(codes::NO_INTERNAL_PORT, message)
                .at(place)
                .help(if lost {
                    "if its checks are meant for [http_service], write `[[http_service.checks]]`"
                } else {
                    "add `internal_port = 8080`, the port that the app listens on"
                }),
        );
    }
    written(fields, service, places)
}

/// Adds what both kinds of service say about starting and stopping. flyctl fills in no defaults here.
fn written(mut fields: Fields<'_, '_>, service: Service, ports: Vec<Range<usize>>) -> For<Written> {
    let stop_place = fields
        .take_entry("auto_stop_machines")
        .map(|(span, _)| span);
    let autostop = autostop(&mut fields);
    let autostart = fields.boolean("auto_start_machines");
    let stops = autostop.as_ref().is_some_and(|value| *value != false);
    if let (true, Some(place), false) = (stops, stop_place, autostart == Some(true)) {
        never_started(&mut fields, place, autostart);
    }
    let min_running = fields.integer("min_machines_running", 0..u32::MAX);
    let service = Service {
        autostop,
        autostart,
        min_machines_running: min_running.as_ref().map(|at| at.value),
        ..service
    };
    let body = Written {
        service,
        ports,
        min_running,
        machine_checks: machine_checks::read(&mut fields),
    };
    let section = For::of(&mut fields, body);
    fields.finish();
    section
}

/// Fly's own documents disagree about what a missing `auto_start_machines` means.
fn never_started(fields: &mut Fields<'_, '_>, stop: Range<usize>, autostart: Option<bool>) {
    let file = fields.file;
    let message = match autostart {
        Some(_) => "Machines of this service are stopped by themselves and never started again",
        None => {
            "Machines of this service are stopped by themselves, and nothing says that they are started again"
        }
    };
    let diagnostic = Diagnostic::warning(codes::NEVER_STARTED_AGAIN, message)
        .at(file.place(stop, "stopped here"))
        .help("write `auto_start_machines = true`");
    file.report(match fields.take_entry("auto_start_machines") {
        Some((span, _)) => diagnostic.also(file.place(span, "and not started here")),
        None => diagnostic,
    });
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}
