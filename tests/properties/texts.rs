//! Random manifests as people write them: the same meaning in any form, with comments, blanks and line
//! ends of their own.

use std::fmt::Write as _;

use proptest::prelude::*;

pub(crate) const GROUPS: [&str; 4] = ["api", "cron", "web", "worker"];

/// Two files.
#[derive(Debug, Clone)]
pub(crate) struct ManifestTexts {
    pub(crate) fly: String,
    pub(crate) aeroform: Option<String>,
}

/// How one group's numbers are said.
#[derive(Debug, Clone, Copy)]
enum CountForm {
    Nothing,
    Count,
    List,
    ListAndCount,
    Map,
}

/// In which form `[groups]` stands.
#[derive(Debug, Clone, Copy)]
enum GroupsForm {
    Headers,
    Dotted,
    DottedUnderHeader,
    InlineUnderHeader,
    Inline,
    MapHeaders,
}

/// The writing style of both files.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a habit by itself")]
struct WritingStyle {
    crlf: bool,
    bom: bool,
    indent: usize,
    spaces: bool,
    literal: bool,
    last_newline: bool,
}

fn writing_style() -> impl Strategy<Value = WritingStyle> {
    (
        any::<bool>(),
        any::<bool>(),
        0..3usize,
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(crlf, bom, indent, spaces, literal, last_newline)| WritingStyle {
                crlf,
                bom,
                indent: indent * 2,
                spaces,
                literal,
                last_newline,
            },
        )
}

impl WritingStyle {
    fn quoted(&self, text: &str) -> String {
        if self.literal {
            format!("'{text}'")
        } else {
            format!("\"{text}\"")
        }
    }

    fn entry(&self, key: &str, value: &str) -> String {
        if self.spaces {
            format!("{key} = {value}")
        } else {
            format!("{key}={value}")
        }
    }

    fn list(&self, names: &[&str]) -> String {
        let names: Vec<String> = names.iter().map(|name| self.quoted(name)).collect();
        format!("[{}]", names.join(if self.spaces { ", " } else { "," }))
    }

    /// Lines with comments of their own here and there, as the seeds say.
    fn finished(&self, lines: &[String], seeds: &[u8], name: &str) -> String {
        let mut text = String::new();
        let mut seeds = seeds.iter().cycle();
        for (at, line) in lines.iter().enumerate() {
            let seed = seeds.next().copied().unwrap_or(0);
            let indent = if line.starts_with('[') {
                0
            } else {
                self.indent
            };
            let indent = " ".repeat(indent);
            if seed % 7 == 1 {
                let _ = writeln!(text, "{indent}# {name} {at} above");
            }
            text.push_str(&indent);
            text.push_str(line);
            if seed % 5 == 2 && !line.is_empty() {
                let _ = write!(text, " # {name} {at} beside");
            }
            text.push('\n');
            if seed % 11 == 3 {
                text.push('\n');
            }
        }
        if !self.last_newline {
            text.truncate(text.trim_end().len());
        }
        if self.crlf {
            text = text.replace('\n', "\r\n");
        }
        if self.bom {
            text.insert(0, '\u{feff}');
        }
        text
    }
}

fn numbers() -> impl Strategy<Value = CountForm> {
    prop_oneof![
        Just(CountForm::Nothing),
        Just(CountForm::Count),
        Just(CountForm::List),
        Just(CountForm::ListAndCount),
        Just(CountForm::Map)
    ]
}

fn form() -> impl Strategy<Value = GroupsForm> {
    prop_oneof![
        Just(GroupsForm::Headers),
        Just(GroupsForm::Dotted),
        Just(GroupsForm::DottedUnderHeader),
        Just(GroupsForm::InlineUnderHeader),
        Just(GroupsForm::Inline),
        Just(GroupsForm::MapHeaders)
    ]
}

/// The entries of a group's table, as key and value.
fn said(outside_change: &WritingStyle, numbers: CountForm) -> Vec<(&'static str, String)> {
    let list = ("regions", outside_change.list(&["gru", "bog"]));
    let count = ("count", "3".to_owned());
    let mut said = match numbers {
        CountForm::Nothing => Vec::new(),
        CountForm::Count => vec![count],
        CountForm::List => vec![list],
        CountForm::ListAndCount => vec![count, list],
        CountForm::Map => vec![("regions", "{ gru = 2, fra = 1 }".to_owned())],
    };
    said.push(("ha", "false".to_owned()));
    said
}

fn ours(
    outside_change: &WritingStyle,
    form: GroupsForm,
    groups: &[(&str, CountForm)],
) -> Vec<String> {
    let mut lines = Vec::new();
    let tables = groups
        .iter()
        .map(|(name, numbers)| (*name, said(outside_change, *numbers)));
    let inline = |entries: &[(&str, String)]| {
        let entries: Vec<String> = entries
            .iter()
            .map(|(k, v)| outside_change.entry(k, v))
            .collect();
        format!("{{ {} }}", entries.join(", "))
    };
    match form {
        GroupsForm::Headers | GroupsForm::MapHeaders => {
            for (name, entries) in tables {
                lines.push(format!("[groups.{name}]"));
                let is_map =
                    |value: &str| matches!(form, GroupsForm::MapHeaders) && value.starts_with('{');
                for (key, value) in entries.iter().filter(|(_, value)| !is_map(value)) {
                    lines.push(outside_change.entry(key, value));
                }
                if entries.iter().any(|(_, value)| is_map(value)) {
                    lines.push(format!("[groups.{name}.regions]"));
                    lines.push(outside_change.entry("gru", "2"));
                    lines.push(outside_change.entry("fra", "1"));
                }
            }
        }
        GroupsForm::Dotted | GroupsForm::DottedUnderHeader => {
            let under = matches!(form, GroupsForm::DottedUnderHeader);
            if under {
                lines.push("[groups]".to_owned());
            }
            for (name, entries) in tables {
                for (key, value) in entries {
                    let key = if under {
                        format!("{name}.{key}")
                    } else {
                        format!("groups.{name}.{key}")
                    };
                    lines.push(outside_change.entry(&key, &value));
                }
            }
        }
        GroupsForm::InlineUnderHeader => {
            lines.push("[groups]".to_owned());
            for (name, entries) in tables {
                lines.push(outside_change.entry(name, &inline(&entries)));
            }
        }
        GroupsForm::Inline => {
            let tables: Vec<String> = tables
                .map(|(name, entries)| outside_change.entry(name, &inline(&entries)))
                .collect();
            lines.push(outside_change.entry("groups", &format!("{{ {} }}", tables.join(", "))));
        }
    }
    lines
}

/// What fly.toml says of these groups, in one of several forms each.
fn fly(outside_change: &WritingStyle, groups: &[&str], shape: &[u8]) -> Vec<String> {
    let way = |at: usize| shape[at % shape.len()];
    let first = groups[0];
    let last = groups[groups.len() - 1];
    let mut lines = vec![
        outside_change.entry("app", &outside_change.quoted("shop")),
        outside_change.entry("primary_region", &outside_change.quoted("ams")),
    ];
    let commands = groups
        .iter()
        .map(|name| (*name, outside_change.quoted(&format!("bin/{name}"))));
    let inline_vm = way(0) % 6 == 4;
    if inline_vm {
        lines.push(outside_change.entry("vm", "{ memory = \"1gb\" }"));
    }
    match way(1) % 4 {
        0 => {
            for (name, command) in commands {
                lines.push("[[processes]]".to_owned());
                lines.push(outside_change.entry("name", &outside_change.quoted(name)));
                lines.push(outside_change.entry("command", &command));
            }
        }
        1 => {
            let entries: Vec<String> = commands.map(|(k, v)| outside_change.entry(k, &v)).collect();
            lines.push(outside_change.entry("processes", &format!("{{ {} }}", entries.join(", "))));
        }
        _ => {
            lines.push("[processes]".to_owned());
            for (name, command) in commands {
                lines.push(outside_change.entry(name, &command));
            }
        }
    }
    if way(2) % 2 == 0 {
        lines.push("[[services]]".to_owned());
        lines.push(outside_change.entry("internal_port", "80"));
        lines.push(outside_change.entry("processes", &outside_change.list(&[first, last])));
        lines.push("[[services.ports]]".to_owned());
        lines.push(outside_change.entry("port", "80"));
    }
    if way(3) % 2 == 0 {
        lines.push("[checks.alive]".to_owned());
        lines.push(outside_change.entry("type", &outside_change.quoted("tcp")));
        lines.push(outside_change.entry("port", "80"));
        if way(3) % 4 == 0 {
            lines.push(outside_change.entry("processes", &outside_change.list(&[last])));
        }
    }
    if way(4) % 3 == 0 {
        lines.push("[[restart]]".to_owned());
        lines.push(outside_change.entry("policy", &outside_change.quoted("always")));
        if way(4) % 2 == 0 {
            lines.push(outside_change.entry("processes", &outside_change.list(groups)));
        }
    }
    match way(0) % 6 {
        0 => {
            lines.push("[[vm]]".to_owned());
            lines.push(outside_change.entry("memory", &outside_change.quoted("512mb")));
        }
        1 => {
            lines.push("[vm]".to_owned());
            lines.push(outside_change.entry("size", &outside_change.quoted("shared-cpu-2x")));
        }
        2 => {
            lines.push("[[vm]]".to_owned());
            lines.push(outside_change.entry("cpu_kind", &outside_change.quoted("performance")));
            lines.push(outside_change.entry("cpus", "2"));
            lines.push(outside_change.entry("memory_mb", "4096"));
            lines.push(outside_change.entry("processes", &outside_change.list(&[first, last])));
            lines.push("[[vm]]".to_owned());
            lines.push(outside_change.entry("memory", "512"));
            lines.push(outside_change.entry("processes", &outside_change.list(&[first])));
        }
        3 => {
            lines.push("[[vm]]".to_owned());
            lines.push(outside_change.entry("size", &outside_change.quoted("performance-1x")));
            lines.push(outside_change.entry("processes", &outside_change.list(&[last])));
        }
        _ => {}
    }
    lines
}

/// Any two files, and the groups that they have.
pub(crate) fn texts() -> impl Strategy<Value = ManifestTexts> {
    let seeds = proptest::collection::vec(any::<u8>(), 16);
    (
        (writing_style(), writing_style(), form(), any::<bool>()),
        proptest::sample::subsequence(GROUPS.to_vec(), 2..=3),
        proptest::collection::vec(numbers(), 4),
        (
            seeds.clone(),
            seeds,
            proptest::collection::vec(any::<u8>(), 8),
        ),
    )
        .prop_map(|((one, two, form, has), groups, numbers, (a, b, shape))| {
            let fly = one.finished(&fly(&one, &groups, &shape), &a, "fly");
            let numbers: Vec<(&str, CountForm)> = groups.iter().copied().zip(numbers).collect();
            let ours = has.then(|| two.finished(&ours(&two, form, &numbers), &b, "ours"));
            ManifestTexts {
                fly,
                aeroform: ours,
            }
        })
}
