//! Changes of the service that fly.toml has as `[http_service]`: two ports of the config are one table there
//! (docs/platform/fly-toml.md 4.1).

use serde_json::{Map, Value};

use super::blocks::{DiffBlock, DiffLine};
use crate::core::fleet::FieldChange;

/// The changes, with those of this service as changes of `[http_service]`.
pub(super) fn as_http_service(changes: &[FieldChange], name: &str) -> Vec<FieldChange> {
    let mut result: Vec<FieldChange> = Vec::with_capacity(changes.len());
    for change in &changes.iter().flat_map(split_services).collect::<Vec<_>>() {
        let change = match change.path.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["services", service] if service == name => FieldChange {
                before: change.before.as_ref().map(http_service_table),
                after: change.after.as_ref().map(http_service_table),
                ..change.clone()
            },
            ["services", service, "ports", "80" | "443", ref keys @ ..]
                if service == name && !keys.is_empty() =>
            {
                let path = ["services", name].into_iter().chain(keys.iter().copied());
                FieldChange {
                    path: path.map(str::to_owned).collect(),
                    ..change.clone()
                }
            }
            _ => change.clone(),
        };
        // HTTP options are on both ports, but once in the table.
        if !result.contains(&change) {
            result.push(change);
        }
    }
    result
}

/// Splits a change of the list of services into one change per service.
fn split_services(change: &FieldChange) -> Vec<FieldChange> {
    let entries = match (change.path.as_slice(), &change.before, &change.after) {
        ([all], None, Some(Value::Array(entries))) | ([all], Some(Value::Array(entries)), None)
            if all == "services" =>
        {
            entries
        }
        _ => return vec![change.clone()],
    };
    let name = |entry: &Value| {
        let protocol = entry["protocol"].as_str().unwrap_or("tcp");
        format!("{} {protocol}", entry["internal_port"])
    };
    let entries = entries.iter().map(|entry| FieldChange {
        path: vec!["services".to_owned(), name(entry)],
        before: change.before.as_ref().map(|_| entry.clone()),
        after: change.after.as_ref().map(|_| entry.clone()),
        ..change.clone()
    });
    entries.collect()
}

/// A service as its `[http_service]` table.
fn http_service_table(service: &Value) -> Value {
    let Some(fields) = service.as_object() else {
        return service.clone();
    };
    let own = |key: &str| !matches!(key, "ports" | "protocol");
    let mut table: Map<String, Value> = fields
        .iter()
        .filter(|(key, _)| own(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let ports = fields.get("ports").and_then(Value::as_array);
    for port in ports.into_iter().flatten().filter_map(Value::as_object) {
        for (key, value) in port {
            if !matches!(key.as_str(), "port" | "handlers") {
                table.insert(key.clone(), value.clone());
            }
        }
    }
    table.into()
}

/// A block of this service under its headers in fly.toml.
pub(super) fn rename_block(mut block: DiffBlock, service: &str) -> DiffBlock {
    block.header = block.header.map(|header| rename_header(&header));
    block.which = block.which.and_then(|which| {
        let of = format!("internal_port {service}");
        let rest = which.strip_suffix(&of)?;
        let rest = rest.strip_suffix(" of ").unwrap_or(rest);
        (!rest.is_empty()).then(|| rest.to_owned())
    });
    block.lines = block.lines.into_iter().map(line).collect();
    block
}

fn line(line: DiffLine) -> DiffLine {
    match line {
        DiffLine::Removed(depth, text) => DiffLine::Removed(depth, rename_header(&text)),
        DiffLine::Added(depth, text) => DiffLine::Added(depth, rename_header(&text)),
        DiffLine::Changed { .. } | DiffLine::Hidden { .. } | DiffLine::Reordered(_) => line,
    }
}

fn rename_header(header: &str) -> String {
    let name = match header {
        "[[services]]" => "[http_service]",
        "[services.concurrency]" => "[http_service.concurrency]",
        "[[services.http_checks]]" => "[[http_service.checks]]",
        other => other,
    };
    name.to_owned()
}
