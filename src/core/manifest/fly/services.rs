//! `[http_service]` and `[[services]]` (facts/fly-toml-to-machine.md 4).

use crate::core::fleet::config::{Port, Service};
use crate::core::manifest::codes;

use super::super::diagnostics::Diagnostic;
use super::super::duration::Number;
use super::super::fields::Fields;
use super::checks;
use super::groups::For;
use super::options::carried;
use super::service_parts::{autostop, concurrency, port, ports};

/// Reads `[http_service]`: one tcp service on ports 80 and 443.
pub(super) fn http_service(fields: &mut Fields<'_, '_>) -> Option<For<Service>> {
    let mut fields = fields.table("http_service")?;
    let force_https = fields.boolean("force_https");
    let http_options = carried(&mut fields, "http_options");
    let tls_options = carried(&mut fields, "tls_options");
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
        ..scaling(&mut fields)
    };
    fields.accept(&["machine_checks"]);
    let section = For::of(&mut fields, service);
    fields.finish();
    Some(section)
}

/// Reads `[[services]]`; an entry without any key is as good as none.
pub(super) fn services(fields: &mut Fields<'_, '_>) -> Vec<For<Service>> {
    let tables = fields.one_or_more("services").into_iter();
    tables
        .filter(|table| !table.is_empty())
        .map(service)
        .collect()
}

fn service(mut fields: Fields<'_, '_>) -> For<Service> {
    let mut checks = checks::of_service(&mut fields, "tcp_checks", "tcp", Number::Milliseconds);
    checks.extend(checks::of_service(
        &mut fields,
        "http_checks",
        "http",
        Number::Milliseconds,
    ));
    let ports = ports(&mut fields);
    if ports.is_empty() {
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
        protocol: fields.text("protocol"),
        internal_port: port(&mut fields, "internal_port", true),
        ports: some(ports),
        concurrency: concurrency(&mut fields, true),
        checks: some(checks),
        ..scaling(&mut fields)
    };
    // flyctl once wrote `script_checks`, which mean nothing any more, into every file.
    fields.accept(&["machine_checks", "script_checks"]);
    let section = For::of(&mut fields, service);
    fields.finish();
    section
}

/// What both kinds of service say about starting and stopping. flyctl fills in no defaults here.
fn scaling(fields: &mut Fields<'_, '_>) -> Service {
    Service {
        autostop: autostop(fields),
        autostart: fields.boolean("auto_start_machines"),
        min_machines_running: fields
            .integer("min_machines_running", 0..u32::MAX)
            .map(|at| at.value),
        ..Service::default()
    }
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}
