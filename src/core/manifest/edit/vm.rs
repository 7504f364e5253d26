//! `[[vm]]`: a complete size for exactly one group (rule 19).

use super::group_sections::{
    GroupSection, UnnamedScope, group_sections, names_group, remove_group_from_section,
};
use super::toml_entries::{Comments, all_entries, new_section, remove_entry, splice, toml_string};
use super::toml_source::{TomlEntry, TomlSource, TomlValue};
use crate::core::fleet::schema::Guest;
use crate::core::platform::sizes;

/// The keys of a size.
const SIZE_KEYS: [&str; 8] = [
    "size",
    "memory",
    "memory_mb",
    "cpu_kind",
    "cpus",
    "gpu_kind",
    "gpus",
    "processes",
];

/// A complete size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineSize {
    /// `shared` or `performance`.
    pub cpu_kind: String,
    /// How many.
    pub cpus: u32,
    /// MB.
    pub memory_mb: u32,
}

impl MachineSize {
    /// The name of a size with these CPUs, whatever its memory.
    pub fn name(&self) -> Option<&'static str> {
        let mut sold = sizes::all().filter(|size| size.gpu.is_none());
        let found = sold.find(|size| size.kind.as_str() == self.cpu_kind && size.cpus == self.cpus);
        found.map(|size| size.name)
    }

    /// The size of a guest; none if a part is missing.
    pub fn from_guest(guest: &Guest) -> Option<Self> {
        Some(Self {
            cpu_kind: guest.cpu_kind.clone()?,
            cpus: guest.cpus?,
            memory_mb: guest.memory_mb?,
        })
    }

    /// A guest of this size, with all other fields of another guest.
    pub(super) fn apply_to_guest(&self, guest: Option<&Guest>) -> Guest {
        let mut guest = guest.cloned().unwrap_or_default();
        guest.cpu_kind = Some(self.cpu_kind.clone());
        guest.cpus = Some(self.cpus);
        guest.memory_mb = Some(self.memory_mb);
        guest.gpu_kind = None;
        guest.gpus = None;
        guest
    }

    /// Its lines in fly.toml.
    pub(super) fn toml_lines(&self) -> Vec<String> {
        let mut lines = match self.name() {
            Some(name) => vec![format!("size = {}", toml_string(name))],
            None => vec![
                format!("cpu_kind = {}", toml_string(&self.cpu_kind)),
                format!("cpus = {}", self.cpus),
            ],
        };
        lines.push(format!("memory = {}", self.memory()));
        lines
    }

    fn memory(&self) -> String {
        sizes::format_memory_toml(self.memory_mb)
    }
}

/// fly.toml with this size for one group; others keep theirs. `is_only`: the app has no other group, so a section for
/// all groups is one for this group.
pub(super) fn set_group_size(
    text: &str,
    group: &str,
    is_only: bool,
    size: &MachineSize,
) -> Option<String> {
    let script = TomlSource::parse(text)?;
    let all = vms(&script);
    let named = all
        .iter()
        .rev()
        .find(|part| names_group(&script, part, group));
    let common = all
        .iter()
        .find(|part| part.names(&script).is_empty() && part.unnamed_scope() == UnnamedScope::All);
    match named.or(common) {
        Some(part) if named.is_none() && is_only || part.names(&script) == [group] => {
            replace_size(text, part, size)
        }
        Some(part) => {
            let like = other_keys(&script, part);
            let text = if named.is_some() {
                remove_group_from_section(text, part, group)?
            } else {
                text.to_owned()
            };
            add_vm_section(&text, group, size, like)
        }
        None => add_vm_section(text, group, size, Vec::new()),
    }
}

/// The sizes in the order in which flyctl reads them.
fn vms(script: &TomlSource<'_>) -> Vec<GroupSection> {
    let all = group_sections(script);
    let of = |kind: &'static str| {
        let of_kind = all.iter().filter(move |part| part.kind() == kind);
        of_kind.cloned()
    };
    of("compute")
        .chain(of("computes"))
        .chain(of("vm"))
        .collect()
}

/// Other keys of a size section, which are copied.
fn other_keys(script: &TomlSource<'_>, part: &GroupSection) -> Vec<String> {
    let line = |entry: &TomlEntry| script.text[entry.span()].to_owned();
    let is_other = |key: &str| {
        !SIZE_KEYS
            .iter()
            .any(|known| key.eq_ignore_ascii_case(known))
    };
    match (part, part.entries(script)) {
        (_, Some(entries)) => entries
            .iter()
            .filter(|entry| entry.keys.first().is_some_and(|key| is_other(&key.name)))
            .map(line)
            .collect(),
        (GroupSection::Table(path), None) => all_entries(script)
            .iter()
            .filter(|leaf| leaf.path.len() == path.len() + 1 && leaf.path[0] == path[0])
            .filter(|leaf| is_other(&leaf.key.name))
            .map(|leaf| {
                let value = &script.text[leaf.entry.value.span()];
                format!("{} = {value}", leaf.key.name)
            })
            .collect(),
        (GroupSection::Nth(..), None) => Vec::new(),
    }
}

/// Changes an existing section.
fn replace_size(text: &str, part: &GroupSection, size: &MachineSize) -> Option<String> {
    let mut text = text.to_owned();
    let says = |text: &str, key: &str| -> Option<bool> {
        Some(part.value(&TomlSource::parse(text)?, key).is_some())
    };
    let in_parts = says(&text, "cpu_kind")? && says(&text, "cpus")? && !says(&text, "size")?;
    if let Some(name) = size.name().filter(|_| !in_parts) {
        text = set_string(&text, part, "size", name)?;
        for key in ["cpu_kind", "cpus"] {
            text = part.unset(&text, key)?;
        }
    } else {
        text = part.unset(&text, "size")?;
        text = set_string(&text, part, "cpu_kind", &size.cpu_kind)?;
        text = part.set(&text, "cpus", &size.cpus.to_string())?;
    }
    for key in ["gpu_kind", "gpus"] {
        text = part.unset(&text, key)?;
    }
    if says(&text, "memory_mb")? {
        text = part.set(&text, "memory_mb", &size.memory_mb.to_string())?;
        return part.unset(&text, "memory");
    }
    let script = TomlSource::parse(&text)?;
    let memory = part.value(&script, "memory");
    let bare = memory.is_some_and(|value| script.number(value).is_some());
    let memory = if bare {
        size.memory_mb.to_string()
    } else {
        size.memory()
    };
    set_unless(&text, part, "memory", &memory, |script, value| {
        let said = script
            .string(value)
            .and_then(|text| super::super::size::memory_mb(&text));
        said == Some(size.memory_mb)
    })
}

fn set_string(text: &str, part: &GroupSection, key: &str, value: &str) -> Option<String> {
    set_unless(text, part, key, &toml_string(value), |script, written| {
        script.string(written).as_deref() == Some(value)
    })
}

/// Sets a key, unless its value is already equivalent.
fn set_unless(
    text: &str,
    part: &GroupSection,
    key: &str,
    value: &str,
    says: impl Fn(&TomlSource<'_>, &TomlValue) -> bool,
) -> Option<String> {
    let script = TomlSource::parse(text)?;
    if part
        .value(&script, key)
        .is_some_and(|written| says(&script, written))
    {
        return Some(text.to_owned());
    }
    part.set(text, key, value)
}

/// Adds a section.
fn add_vm_section(
    text: &str,
    group: &str,
    size: &MachineSize,
    like: Vec<String>,
) -> Option<String> {
    let mut entries = size.toml_lines();
    entries.extend(like);
    entries.push(format!("processes = [{}]", toml_string(group)));
    let script = TomlSource::parse(text)?;
    // A single `[vm]` becomes the first of a list.
    let single = script.sections.iter().find_map(|section| {
        let is_single = !section.is_list() && matches!(section.path()[..], [kind] if kind == "vm");
        section.header.as_ref().filter(|_| is_single)
    });
    if let Some(header) = single {
        let name = &text[header.span.start + 1..header.span.end - 1];
        let text = splice(text, vec![(header.span.clone(), format!("[[{name}]]"))]);
        let script = TomlSource::parse(&text)?;
        return Some(new_section(&script, &["vm"], true, &entries));
    }
    let leaves = all_entries(&script);
    let inline = leaves.iter().find(|leaf| leaf.path == ["vm"]);
    match inline.map(|leaf| &leaf.entry.value) {
        Some(TomlValue::Table(span, _)) => {
            let item = format!("[{}, {{ {} }}]", &text[span.clone()], entries.join(", "));
            Some(splice(text, vec![(span.clone(), item)]))
        }
        Some(_) => super::machine_entries::append_table(text, "vm", &entries),
        None if leaves.iter().any(|leaf| leaf.path[0] == "vm") => convert_to_list(text, &entries),
        None => Some(new_section(&script, &["vm"], true, &entries)),
    }
}

/// Dotted keys like `vm.memory = …` become the first of a list, at the position of the first key.
fn convert_to_list(text: &str, entries: &[String]) -> Option<String> {
    let script = TomlSource::parse(text)?;
    let leaves = all_entries(&script);
    let own: Vec<_> = leaves.iter().filter(|leaf| leaf.path[0] == "vm").collect();
    if own.iter().any(|leaf| leaf.path.len() != 2) {
        return None;
    }
    let said = own.iter().map(|leaf| {
        let value = &text[leaf.entry.value.span()];
        format!("{} = {value}", &text[leaf.key.span.clone()])
    });
    let said: Vec<String> = said.collect();
    let list = format!(
        "vm = [{{ {} }}, {{ {} }}]",
        said.join(", "),
        entries.join(", ")
    );
    let (first, rest) = own.split_first()?;
    let mut shorter = splice(text, vec![(first.entry.span(), list)]);
    for leaf in rest {
        shorter = remove_entry(&shorter, &leaf.path, Comments::Stay)?;
    }
    Some(shorter)
}
