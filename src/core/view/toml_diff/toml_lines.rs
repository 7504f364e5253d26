//! One field as one line of fly.toml.

use serde_json::Value;

use super::blocks::{DiffBlock, DiffLine, TomlForms, blocks};
use super::location::CONFIG_ONLY;
use crate::core::fleet::{Effect, FieldChange, GroupName};
use crate::core::plan::Addition;

/// The line and table of an added field in fly.toml.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TomlLines {
    /// The table (`[http_service]`) and its identification; none at the top level, or without a key in fly.toml.
    pub table: Option<String>,
    /// The lines; only the key if the value is unknown or hidden.
    pub lines: Vec<String>,
    /// fly.toml has no key for it.
    pub config_only: bool,
}

impl TomlLines {
    /// `auto_stop_machines = "stop"` in `[http_service]`.
    pub fn text(&self) -> String {
        let lines = self.lines.join("; ");
        match &self.table {
            Some(table) => format!("`{lines}` in {table}"),
            None if self.config_only => format!("`{lines}` (only `machine_config` can say it)"),
            None => format!("`{lines}`"),
        }
    }
}

/// The table and line of a field that the platform added.
pub fn lines_for_addition(addition: &Addition) -> TomlLines {
    let Addition {
        group,
        http_service,
        path,
        value,
        hidden: _,
        machines: _,
        not_removed: _,
    } = addition;
    let change = FieldChange {
        path: path.clone(),
        before: None,
        after: Some(value.clone().unwrap_or(Value::Null)),
        effect: Effect::InPlace,
        hidden: value.is_none(),
        shrinks: false,
        line_ends: false,
        unsent: false,
    };
    let forms = TomlForms {
        http_service: http_service.as_deref(),
        ..TomlForms::default()
    };
    let mut all = lines_for_changes(group, forms, &[change]);
    all.pop().unwrap_or_else(|| TomlLines {
        table: None,
        lines: vec![path.join(".")],
        config_only: true,
    })
}

/// The same for each table with changes.
pub fn lines_for_changes(
    group: &GroupName,
    forms: TomlForms<'_>,
    changes: &[FieldChange],
) -> Vec<TomlLines> {
    let blocks = blocks(group, forms, changes);
    blocks.into_iter().map(lines_of_block).collect()
}

fn lines_of_block(block: DiffBlock) -> TomlLines {
    let DiffBlock {
        header,
        which,
        lines,
    } = block;
    let config_only = header.as_deref() == Some(CONFIG_ONLY);
    let table = match (header, which) {
        (Some(header), Some(which)) => Some(format!("{header} of {which}")),
        (header, _) => header,
    };
    let lines = lines.into_iter().map(|line| match line {
        DiffLine::Added(_, text) | DiffLine::Removed(_, text) => text,
        DiffLine::Changed { key, after, .. } => format!("{key} = {after}"),
        DiffLine::Hidden { key, .. } | DiffLine::Reordered(key) => key,
    });
    TomlLines {
        table: table.filter(|_| !config_only),
        lines: lines.collect(),
        config_only,
    }
}
