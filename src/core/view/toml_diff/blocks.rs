//! From changes to lines, those of one table together.

use serde_json::Value;

use super::place::{self, Place, place};
use super::value;
use crate::core::fleet::{FieldChange, GroupName};

/// Lines under one table of fly.toml.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The table's header (`[[vm]]`); none for top-level keys.
    pub header: Option<String>,
    /// Which of several (`internal_port 8080 tcp`), where the header alone does not say.
    pub which: Option<String>,
    /// The lines.
    pub lines: Vec<DiffLine>,
}

/// One line of the difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiffLine {
    /// A key with a value that changes.
    Changed {
        /// The key.
        key: String,
        /// Its value as it is.
        before: String,
        /// Its value as it becomes.
        after: String,
    },
    /// A whole line that goes, so deep in its table.
    Removed(usize, String),
    /// A whole line that comes, so deep in its table.
    Added(usize, String),
    /// A key whose values are not shown.
    Hidden {
        /// The key.
        key: String,
        /// `added`, `changed` or `removed`.
        what: &'static str,
    },
    /// Entries of this key are the same in another order.
    Reordered(String),
}

/// The changes of a Machine of this group, those of one table together.
pub fn blocks(group: &GroupName, changes: &[FieldChange]) -> Vec<Block> {
    let mut ranked: Vec<(Rank, Block)> = Vec::new();
    for change in &place::with_size_names(changes) {
        let place = place(group, &change.path);
        let lines = lines(&place, change);
        let rank = Rank::of(&place);
        let same = |(r, b): &&mut (Rank, Block)| {
            *r == rank && b.header == place.header && b.which == place.which
        };
        match ranked.iter_mut().find(same) {
            Some((_, block)) => block.lines.extend(lines),
            None => ranked.push((
                rank,
                Block {
                    header: place.header,
                    which: place.which,
                    lines,
                },
            )),
        }
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, block)| block).collect()
}

/// The order of blocks: top-level keys stand before the first table, as they must in a TOML file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    TopLevel,
    InTable,
    WholeTable,
    ConfigOnly,
}

impl Rank {
    fn of(place: &Place) -> Self {
        match (&place.header, place.table) {
            (Some(header), _) if header == place::CONFIG_ONLY => Self::ConfigOnly,
            (Some(_), _) => Self::InTable,
            (None, Some(_)) => Self::WholeTable,
            (None, None) => Self::TopLevel,
        }
    }
}

/// The lines that say that there is less CPU or memory than before.
pub fn shrinks(group: &GroupName, changes: &[FieldChange]) -> Vec<String> {
    place::with_size_names(changes)
        .iter()
        .filter(|change| change.shrinks)
        .map(|change| {
            let place = place(group, &change.path);
            let side = |value: &Option<Value>| {
                value.as_ref().map_or_else(
                    || "nothing".to_owned(),
                    |v| value::plain(&value::in_form(place.form, v)),
                )
            };
            format!(
                "{} {} → {}",
                place.key,
                side(&change.before),
                side(&change.after)
            )
        })
        .collect()
}

fn lines(place: &Place, change: &FieldChange) -> Vec<DiffLine> {
    let key = value::key(&place.key);
    if change.hidden {
        let what = match (&change.before, &change.after) {
            (None, _) => "added",
            (_, None) => "removed",
            (Some(_), Some(_)) => "changed",
        };
        return vec![DiffLine::Hidden { key, what }];
    }
    if let Some(table) = place.table {
        let whole = |value: &Option<Value>| {
            value
                .as_ref()
                .map(|value| value::table_lines(table, &place.key, value))
                .unwrap_or_default()
        };
        let (before, after) = (whole(&change.before), whole(&change.after));
        let mut sorted = (before.clone(), after.clone());
        sorted.0.sort();
        sorted.1.sort();
        if sorted.0 == sorted.1 && !before.is_empty() {
            return vec![DiffLine::Reordered(key)];
        }
        let removed = before
            .into_iter()
            .map(|(d, text)| DiffLine::Removed(d, text));
        let added = after.into_iter().map(|(d, text)| DiffLine::Added(d, text));
        return removed.chain(added).collect();
    }
    let text = |v: &Value| value::literal(&value::in_form(place.form, v));
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => vec![DiffLine::Changed {
            key,
            before: text(before),
            after: text(after),
        }],
        (Some(before), None) => vec![DiffLine::Removed(0, format!("{key} = {}", text(before)))],
        (None, Some(after)) => vec![DiffLine::Added(0, format!("{key} = {}", text(after)))],
        (None, None) => Vec::new(),
    }
}
