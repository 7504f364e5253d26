//! The location in fly.toml of a field of a Machine's config (the inverse of docs/platform/fly-toml.md 3 to 7). A field
//! without a key in fly.toml is named by its path in the config.

use std::collections::BTreeSet;

use serde_json::Value;

use super::blocks::SizeForm;
use crate::core::fleet::schema::{CONFIG, FieldRow, FieldType, Form, Table, Toml};
use crate::core::fleet::{FieldChange, GroupName};
use crate::core::platform::sizes;

/// Header of fields without a key in fly.toml.
pub(super) const CONFIG_ONLY: &str = "# in the Machine's config, not in fly.toml";

/// The location of a field.
#[derive(Debug, Clone)]
pub(super) struct TomlLocation {
    /// Its table.
    pub(super) header: Option<String>,
    /// Identifies one of several such tables.
    pub(super) which: Option<String>,
    /// Its key; of a table, the additional identification in its header.
    pub(super) key: String,
    /// The form of its value.
    pub(super) form: Form,
    /// The row of the table, where a table or list of tables changes.
    pub(super) table: Option<&'static FieldRow>,
}

/// The header of a table; `*` in it is the name of the entry, or its type.
pub(super) fn header_of(row: &FieldRow, name: &str) -> Option<String> {
    let Toml::Table(header) = row.spec.toml else {
        return None;
    };
    Some(match name {
        "" => header.replace("*_", ""),
        name => header.replace('*', &super::value::key(name)),
    })
}

/// The row of a table, or of a list or map of them.
pub(super) fn table_of(row: &FieldRow) -> Option<&'static Table> {
    match row.kind() {
        FieldType::Section(table) | FieldType::List(table) | FieldType::Entries(table) => {
            Some(table)
        }
        FieldType::Flag
        | FieldType::Number(_)
        | FieldType::Text
        | FieldType::Texts
        | FieldType::TextMap
        | FieldType::Any => None,
    }
}

/// The name of a key in fly.toml, and the form of its value.
pub(super) fn key_of<'k>(table: &Table, key: &'k str) -> (&'k str, Form) {
    match table.row(key).map(|row| row.spec.toml) {
        Some(Toml::Key(name, form)) => (name, form),
        Some(Toml::InTable(..) | Toml::TableOfName(_) | Toml::Table(_) | Toml::Nowhere) | None => {
            (key, Form::Plain)
        }
    }
}

/// The location in fly.toml of this path of the config.
pub(super) fn locate(group: &GroupName, path: &[String]) -> TomlLocation {
    let steps: Vec<&str> = path.iter().map(String::as_str).collect();
    in_table(group, CONFIG, &steps, None, None).unwrap_or_else(|| TomlLocation {
        header: Some(CONFIG_ONLY.to_owned()),
        which: None,
        key: path.join("."),
        form: Form::Plain,
        table: None,
    })
}

fn in_table(
    group: &GroupName,
    table: &Table,
    steps: &[&str],
    header: Option<&str>,
    which: Option<&str>,
) -> Option<TomlLocation> {
    let (first, rest) = steps.split_first()?;
    let here = |key: &str, form: Form| {
        Some(TomlLocation {
            header: header.map(str::to_owned),
            which: which.map(str::to_owned),
            key: key.to_owned(),
            form,
            table: None,
        })
    };
    let Some(row) = table.row(first) else {
        // An unknown field in a known table keeps its name.
        return header.and_then(|_| here(&steps.join("."), Form::Plain));
    };
    let whole = |name: &str| {
        Some(TomlLocation {
            table: Some(row),
            ..here(name, Form::Plain)?
        })
    };
    match (row.spec.toml, row.kind(), rest) {
        (Toml::Table(_), FieldType::TextMap, [key]) => Some(TomlLocation {
            header: header_of(row, ""),
            ..here(key, Form::Plain)?
        }),
        (Toml::Table(_), FieldType::Section(_) | FieldType::List(_), [])
        | (Toml::Table(_), FieldType::List(_), [_]) => whole(""),
        (Toml::Table(_), FieldType::Section(table), rest) => {
            let header = header_of(row, "");
            in_table(group, table, rest, header.as_deref(), which)
        }
        (Toml::Table(_), FieldType::Entries(_), [name]) => whole(name),
        (Toml::Table(_), FieldType::Entries(table), [name, rest @ ..]) => {
            let header = header_of(row, name);
            in_table(group, table, rest, header.as_deref(), which)
        }
        (Toml::Table(text), FieldType::List(table), [entry, rest @ ..]) => {
            let (kind, name) = if text.contains('*') {
                entry.split_once(' ').unwrap_or((entry, ""))
            } else {
                ("", *entry)
            };
            let name = match (row.name, name) {
                (_, "") => None,
                ("services", name) => Some(format!("internal_port {name}")),
                ("ports", name) => Some(format!("port {name}")),
                (_, name) => Some(name.to_owned()),
            };
            let which = match (name, which) {
                (Some(name), Some(which)) => Some(format!("{name} of {which}")),
                (name, which) => name.or_else(|| which.map(str::to_owned)),
            };
            let header = header_of(row, kind);
            in_table(group, table, rest, header.as_deref(), which.as_deref())
        }
        (Toml::Key(key, form), _, []) => here(key, form),
        // A table inside a table, on one line.
        (Toml::Key(key, _), _, rest) => here(&format!("{key}.{}", rest.join(".")), Form::Plain),
        (Toml::InTable(header, key, form), _, _) => Some(TomlLocation {
            header: Some(header.to_owned()).filter(|header| !header.is_empty()),
            which: None,
            key: match key {
                "" => group.to_string(),
                key => key.to_owned(),
            },
            form,
            table: None,
        }),
        (Toml::TableOfName(header), _, _) => Some(TomlLocation {
            header: Some(header.to_owned()),
            ..here(row.name, Form::Plain)?
        }),
        (Toml::Nowhere, FieldType::Section(table), [_, ..]) if header.is_none() => {
            in_table(group, table, rest, header, which)
        }
        (Toml::Nowhere | Toml::Table(_), _, _) => {
            header.and_then(|_| here(&steps.join("."), Form::Plain))
        }
    }
}

/// The changes, with kind and number of CPUs joined to the name of a size (`size = "shared-cpu-2x"`) where fly.toml
/// names one, or where its spelling is not known and both change.
pub(super) fn with_size_names(changes: &[FieldChange], form: SizeForm<'_>) -> Vec<FieldChange> {
    let find = |key: &str| {
        changes
            .iter()
            .position(|c| c.path.len() == 2 && c.path[0] == "guest" && c.path[1] == key)
    };
    let (kind, cpus) = (find("cpu_kind"), find("cpus"));
    let unchanged = match form {
        SizeForm::Parts => return changes.to_vec(),
        SizeForm::Named(name) => sizes::find(name),
        SizeForm::Unknown => None,
    };
    let name = |side: fn(&FieldChange) -> &Option<Value>| {
        let kind = match kind {
            Some(at) => side(&changes[at]).as_ref()?.as_str()?,
            None => unchanged?.kind.as_str(),
        };
        let cpus = match cpus {
            Some(at) => side(&changes[at]).as_ref()?.as_u64()?,
            None => u64::from(unchanged?.cpus),
        };
        let kind = if kind == "shared" { "shared-cpu" } else { kind };
        Some(Value::from(format!("{kind}-{cpus}x")))
    };
    let before = name(|change| &change.before);
    let after = name(|change| &change.after);
    let parts: Vec<&FieldChange> = [kind, cpus]
        .into_iter()
        .flatten()
        .map(|at| &changes[at])
        .collect();
    let (Some(first), false) = (
        [kind, cpus].into_iter().flatten().min(),
        before.is_none() && after.is_none(),
    ) else {
        return changes.to_vec();
    };
    let size = FieldChange {
        path: vec!["guest".to_owned(), "size".to_owned()],
        before,
        after,
        effect: parts
            .iter()
            .fold(changes[first].effect, |most, part| most.max(part.effect)),
        hidden: false,
        shrinks: parts.iter().any(|part| part.shrinks),
        unsent: parts.iter().all(|part| part.unsent),
        line_ends: false,
    };
    let others = changes.iter().enumerate().filter_map(|(at, change)| {
        if at == first {
            Some(&size)
        } else {
            Some(change).filter(|_| kind != Some(at) && cpus != Some(at))
        }
    });
    others.cloned().collect()
}

/// The changes, with the removal and the addition of a single check or port joined to one change. The path identifies
/// a check, so that another path is an addition and a removal.
pub(super) fn merge_exchanges(
    changes: &[FieldChange],
    http_service: Option<&str>,
) -> Vec<FieldChange> {
    let mut result = Vec::with_capacity(changes.len());
    for change in changes {
        let Some((goes, comes)) = exchange(changes, change, http_service) else {
            result.push(change.clone());
            continue;
        };
        // The joined change is at the position of the first of the two.
        let other = if change == goes { comes } else { goes };
        let place = |searched: &FieldChange| changes.iter().position(|one| one == searched);
        if place(change) < place(other) {
            result.extend(fields(goes, comes));
        }
    }
    result
}

/// The two changes that replace one entry by another, if this is one of them.
fn exchange<'c>(
    changes: &'c [FieldChange],
    change: &FieldChange,
    http_service: Option<&str>,
) -> Option<(&'c FieldChange, &'c FieldChange)> {
    let list = list_of(change)?;
    let mut goes = Vec::new();
    let mut comes = Vec::new();
    for one in changes.iter().filter(|one| list_of(one) == Some(list)) {
        match (&one.before, &one.after) {
            (Some(Value::Object(_)), None) => goes.push(one),
            (None, Some(Value::Object(_))) => comes.push(one),
            _ => return None,
        }
    }
    let (&[goes], &[comes]) = (goes.as_slice(), comes.as_slice()) else {
        return None;
    };
    let kind = |value: &Option<Value>| value.as_ref()?.get("type").cloned();
    // Only the service of [http_service] is known to be the same with another port.
    if list.len() == 1 && comes.path.last().map(String::as_str) != http_service {
        return None;
    }
    (kind(&goes.before) == kind(&comes.after)).then_some((goes, comes))
}

/// The list of services, checks or ports that a changed entry belongs to.
fn list_of(change: &FieldChange) -> Option<&[String]> {
    match change.path.as_slice() {
        [services, _, list, _]
            if services == "services" && (list == "checks" || list == "ports") =>
        {
            Some(&change.path[..3])
        }
        [services, _] if services == "services" => Some(&change.path[..1]),
        _ => None,
    }
}

/// The differing keys of two entries, under the path of the removed one; of a service, under the path of the added
/// one, as fly.toml has it.
fn fields(goes: &FieldChange, comes: &FieldChange) -> Vec<FieldChange> {
    let side = |value: &Option<Value>| match value {
        Some(Value::Object(fields)) => fields.clone(),
        _ => serde_json::Map::new(),
    };
    let (before, after) = (side(&goes.before), side(&comes.after));
    let path = if goes.path.len() == 2 {
        &comes.path
    } else {
        &goes.path
    };
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .map(|key| FieldChange {
            path: path.iter().chain([key]).cloned().collect(),
            before: before.get(key).cloned(),
            after: after.get(key).cloned(),
            effect: goes.effect.max(comes.effect),
            hidden: goes.hidden || comes.hidden,
            shrinks: false,
            unsent: false,
            line_ends: false,
        })
        .collect()
}
