//! `[processes]`: the groups and their commands, in the table form and in the old list form.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::core::fleet::GroupName;
use crate::core::manifest::codes;

use super::super::command::{SplitError, split};
use super::super::diagnostics::{Diagnostic, quote_text};
use super::super::fields::Fields;
use super::super::names;
use super::super::tree::{Located, ManifestFile};
use super::super::value::Value;

/// One entry.
#[derive(Debug, Clone)]
pub(in crate::core::manifest) struct Process {
    pub(in crate::core::manifest) name: Located<GroupName>,
    /// The command as written.
    pub(in crate::core::manifest) command: Located<String>,
    /// Whether it is an entry of the old list form.
    pub(super) listed: bool,
    /// Its words; none when there is no command, or when it cannot be split.
    pub(in crate::core::manifest) words: Option<Vec<String>>,
}

impl Process {
    /// Whether its command cannot be split, which is already reported.
    pub(in crate::core::manifest) fn cannot_be_split(&self) -> bool {
        self.words.is_none() && !self.command.value.is_empty()
    }
}

/// Reads the section. A list of `{name, command}` is the old form; an empty list is common and the same as no section.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Vec<Process> {
    let file = fields.file;
    let Some(node) = fields.take("processes") else {
        return Vec::new();
    };
    let mut processes = Vec::new();
    if let (Value::Array(_), true) = (node.get_ref(), fields.patches("processes")) {
        for mut entry in file.tables("processes", node, false) {
            if entry.is_empty() {
                continue;
            }
            let (name, command) = (entry.string("name"), entry.string("command"));
            let lacks = ["name", "command"].into_iter().find(|key| !entry.has(key));
            if let Some(key) = lacks {
                file.report(missing_key(file, &entry, key));
            }
            // flyctl accepts a group without a command: the image's command runs.
            let own =
                (!entry.has("command")).then(|| Located::new(String::new(), entry.span.clone()));
            let both = name.zip(command.or(own));
            processes.extend(both.and_then(|(n, c)| process(file, n, c, true)));
            entry.report_unknown_keys();
        }
    } else if let Some(table) = file.table("processes", node) {
        table.warn_misplaced_keys();
        for (name, span, value) in table.entries() {
            let command = file.string(&table.path(name), value);
            let name = Located::new(name.to_owned(), span);
            processes.extend(command.and_then(|command| process(file, name, command, false)));
        }
    }
    without_duplicates(file, processes)
}

fn missing_key(file: &ManifestFile<'_>, entry: &Fields<'_, '_>, key: &str) -> Diagnostic {
    let location = file.location(entry.span.clone(), "");
    if key == "name" {
        let message = "an entry of `[[processes]]` needs a `name`";
        let help = "write it as `[processes]` with one line per group: web = \"…\"";
        return Diagnostic::error(codes::MISSING_KEY, message)
            .with_location(location)
            .help(help);
    }
    let message =
        "an entry of `[[processes]]` has no `command`: the group runs the image's command";
    let help = if entry.peek("cmd").is_some() {
        "flyctl ignores `cmd`: write `command = \"…\"`"
    } else {
        "add `command = \"…\"`"
    };
    Diagnostic::warning(codes::PROCESS_WITHOUT_COMMAND, message)
        .with_location(location)
        .help(help)
}

fn process(
    file: &ManifestFile<'_>,
    name: Located<String>,
    command: Located<String>,
    listed: bool,
) -> Option<Process> {
    let words = match command.value.as_str() {
        "" => None,
        text => split_command(
            file,
            &format!("process group {}", quote_text(&name.value)),
            text,
            &command.span,
        ),
    };
    let name = names::parse_group(file, name)?;
    Some(Process {
        name,
        command,
        listed,
        words,
    })
}

/// Splits a command and reports one that cannot be split.
pub(in crate::core::manifest) fn split_command(
    file: &ManifestFile<'_>,
    whose: &str,
    text: &str,
    span: &Range<usize>,
) -> Option<Vec<String>> {
    let error = match split(text) {
        Ok(words) => return Some(words),
        Err(error) => error,
    };
    let help = match error {
        SplitError::Quote(_) => "close the quote, or escape it with a backslash",
        SplitError::Escape => "remove the last backslash, or double it",
    };
    file.report(
        Diagnostic::error(
            codes::BAD_COMMAND,
            format!("the command of {whose} cannot be split into words: {error}"),
        )
        .with_location(file.location(span.clone(), ""))
        .help(help),
    );
    None
}

fn without_duplicates(file: &ManifestFile<'_>, processes: Vec<Process>) -> Vec<Process> {
    let mut first: BTreeMap<GroupName, Range<usize>> = BTreeMap::new();
    let mut known = Vec::with_capacity(processes.len());
    for process in processes {
        let Located { value: name, span } = process.name.clone();
        if let Some(first) = first.get(&name) {
            file.report(
                Diagnostic::error(
                    codes::DUPLICATE_GROUP,
                    format!(
                        "process group {} is defined twice",
                        quote_text(name.as_str())
                    ),
                )
                .with_location(file.location(span, "again here"))
                .with_related(file.location(first.clone(), "first here"))
                .help("keep one of the two"),
            );
            continue;
        }
        first.insert(name, span);
        known.push(process);
    }
    known
}
