//! `[[vm]]`: CPU and memory (docs/platform/fly-toml.md 6), with its old names `compute` and `computes`.
//! [`crate::core::platform::sizes`] has the available sizes.

use std::ops::Range;

use serde_json::Value;

use crate::core::fleet::schema::Guest;
use crate::core::platform::sizes::{self, SizeField};

use super::super::codes;
use super::super::diagnostics::{Diagnostic, quote_text};
use super::super::fields::Fields;
use super::super::size::memory_mb;
use super::super::tree::Located;
use super::super::value::Value as Written;
use super::group_scope::GroupScoped;

/// One `[[vm]]`.
#[derive(Debug)]
pub(in crate::core::manifest) struct VmSection {
    pub(in crate::core::manifest) guest: Guest,
    /// It has `cpu_kind` or `cpus` and no `size`.
    pub(in crate::core::manifest) is_in_parts: bool,
}

/// Reads all entries in the order in which flyctl joins the three names.
pub(super) fn read(
    fields: &mut Fields<'_, '_>,
    dedicated: Option<&str>,
) -> Vec<GroupScoped<VmSection>> {
    let tables = fields.collect_tables(&["compute", "computes"], "vm");
    tables
        .into_iter()
        .map(|table| entry(table, dedicated))
        .collect()
}

/// A size outside groups (`[deploy.release_command_vm]`), where flyctl accepts `memory` only as a string.
pub(super) fn release_command_guest(fields: Fields<'_, '_>) -> Guest {
    if let Some((_, node)) = fields.peek("memory")
        && node.get_ref().as_str().is_none()
    {
        let path = fields.path("memory");
        let expected = "a string like \"512mb\" here";
        fields.file.wrong_type(&path, node, expected);
    }
    entry(fields, None).body.guest
}

fn entry(mut fields: Fields<'_, '_>, dedicated: Option<&str>) -> GroupScoped<VmSection> {
    let number = |fields: &mut Fields<'_, '_>, key| {
        // Zero is Go's "not set".
        let number = fields.integer(key, 0..u32::MAX);
        number.filter(|at| at.value > 0)
    };
    let kind = fields.string("cpu_kind").filter(|at| !at.value.is_empty());
    let cpus = number(&mut fields, "cpus");
    let memory_mb = number(&mut fields, "memory_mb");
    let own = Guest {
        max_memory_mb: number(&mut fields, "max_memory_mb").map(|at| at.value),
        gpu_kind: fields.text("gpu_kind"),
        gpus: number(&mut fields, "gpus").map(|at| at.value),
        host_dedication_id: fields
            .text("host_dedication_id")
            .or(dedicated.map(str::to_owned)),
        kernel_args: kernel_args(&mut fields),
        persist_rootfs: persist_rootfs(&mut fields),
        ..Guest::default()
    };
    let is_in_parts = (kind.is_some() || cpus.is_some()) && !fields.has("size");
    let size = size(&mut fields, own.gpu_kind.is_some());
    let memory_mb = memory_mb.or(memory(&mut fields));
    let usual = size
        .as_ref()
        .map(|size| size.value.clone())
        .unwrap_or_default();
    let value = |number: &Option<Located<u32>>| number.as_ref().map(|at| at.value);
    let guest = Guest {
        cpu_kind: kind.as_ref().map(|at| at.value.clone()).or(usual.cpu_kind),
        cpus: value(&cpus).or(usual.cpus),
        memory_mb: value(&memory_mb).or(usual.memory_mb),
        gpu_kind: own.gpu_kind.or(usual.gpu_kind),
        gpus: own.gpus.or(usual.gpus),
        ..own
    };
    if let Some(size) = size {
        let whole = size.span;
        let spans = SizeSpans {
            kind: kind.map_or_else(|| whole.clone(), |at| at.span),
            cpus: cpus.map_or_else(|| whole.clone(), |at| at.span),
            memory: memory_mb.map_or(whole, |at| at.span),
        };
        check_size(&fields, &guest, spans);
    }
    let section = GroupScoped::of(&mut fields, VmSection { guest, is_in_parts });
    fields.report_unknown_keys();
    section
}

/// Spans of the parts of a size; of a missing part, the span of `size` or of the table.
struct SizeSpans {
    kind: Range<usize>,
    cpus: Range<usize>,
    memory: Range<usize>,
}

/// Reports sizes that the platform does not offer; only warnings where sizes are not used.
fn check_size(fields: &Fields<'_, '_>, guest: &Guest, spans: SizeSpans) {
    let file = fields.file;
    if guest.gpu_kind.is_some() {
        file.report(
            Diagnostic::warning(codes::GPUS_WITHDRAWN, "Fly no longer offers GPU Machines")
                .with_location(file.location(spans.kind, "")),
        );
        return;
    }
    let Some(misfit) = sizes::check_size(guest) else {
        return;
    };
    let location = match misfit.part {
        SizeField::Kind => spans.kind,
        SizeField::Cpus => spans.cpus,
        SizeField::Memory => spans.memory,
    };
    let diagnostic = if file.runs_on_fly() && !misfit.only_flyctl {
        Diagnostic::error(codes::IMPOSSIBLE_SIZE, misfit.problem)
    } else {
        Diagnostic::warning(codes::IMPOSSIBLE_SIZE, misfit.problem)
    };
    file.report(
        diagnostic
            .with_location(file.location(location, ""))
            .help(misfit.help),
    );
}

/// The named size, or the default; none for an unknown size, which is reported.
fn size(fields: &mut Fields<'_, '_>, gpu: bool) -> Option<Located<Guest>> {
    let usual = if gpu {
        sizes::DEFAULT_GPU_SIZE
    } else {
        sizes::DEFAULT_SIZE
    };
    let written = fields.string("size").filter(|size| !size.value.is_empty());
    let written = written.unwrap_or_else(|| Located::new(usual.to_owned(), fields.span.clone()));
    if let Some(size) = sizes::find(&written.value) {
        return Some(written.map(|_| size.guest()));
    }
    let message = format!("{} is not a VM size", quote_text(&written.value));
    let sold = || {
        sizes::all()
            .filter(|size| size.gpu.is_none())
            .map(|size| size.name)
    };
    // The old name of performance sizes.
    let renamed = written.value.replace("dedicated-cpu-", "performance-");
    let help = match sizes::find(&renamed) {
        Some(size) => Some(format!("did you mean `{}`?", size.name)),
        None => fields.file.suggestion(&written.value, sold()),
    };
    let all = || format!("the sizes are {}", sold().collect::<Vec<_>>().join(", "));
    fields
        .file
        .bad_value(written.span, message, Some(help.unwrap_or_else(all)));
    None
}

fn memory(fields: &mut Fields<'_, '_>) -> Option<Located<u32>> {
    let Located { value: text, span } = fields.size("memory", "512mb")?;
    let problem = match memory_mb(&text) {
        None => format!("{} is not an amount of memory", quote_text(&text)),
        Some(0) => format!("{} is less than 1 MB of memory", quote_text(&text)),
        Some(mb) => return Some(Located::new(mb, span)),
    };
    let help = "write it like \"512mb\" or \"1gb\"; a plain number is MB".to_owned();
    fields.file.bad_value(span, problem, Some(help));
    None
}

/// Whether the root file system is kept at a restart: a word, or its number in Fly's API.
fn persist_rootfs(fields: &mut Fields<'_, '_>) -> Option<Value> {
    const WORDS: [&str; 4] = ["none", "never", "restart", "always"];
    let node = fields.take("persist_rootfs")?;
    let path = fields.path("persist_rootfs");
    let word = match node.get_ref() {
        Written::String(text) if text.is_empty() => return None,
        Written::String(text) => WORDS.into_iter().find(|word| word == text),
        Written::Integer(number) => {
            let index = number
                .as_i64()
                .and_then(|number| usize::try_from(number).ok());
            index.and_then(|index| WORDS.get(index).copied())
        }
        _ => {
            let expected = "\"never\", \"restart\" or \"always\"";
            fields.file.wrong_type(&path, node, expected);
            return None;
        }
    };
    let Some(word) = word else {
        let text = match node.get_ref() {
            Written::String(text) => text.to_string(),
            Written::Integer(number) => number.as_str().to_owned(),
            _ => String::new(),
        };
        let message = format!(
            "`{path}` is \"never\", \"restart\" or \"always\", not {}",
            quote_text(&text)
        );
        let help = fields.file.suggestion(&text, WORDS);
        fields.file.bad_value(node.span(), message, help);
        return None;
    };
    (word != "none").then(|| Value::from(word))
}

fn kernel_args(fields: &mut Fields<'_, '_>) -> Option<Vec<String>> {
    let list = fields.strings("kernel_args")?;
    Some(list.into_iter().map(|at| at.value).collect())
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::fly_fields;
    use super::*;

    fn guest(text: &str) -> (Guest, usize) {
        let (vms, found) = fly_fields(&format!("[[vm]]\n{text}"), |f| read(f, Some("host")));
        (vms.into_iter().next().unwrap().body.guest, found.errors())
    }

    #[test]
    fn single_fields_beat_memory_and_memory_beats_the_size() {
        let numbers = |text| {
            let (guest, errors) = guest(text);
            assert_eq!(errors, 0, "{text}");
            (
                guest.cpu_kind.unwrap(),
                guest.cpus.unwrap(),
                guest.memory_mb.unwrap(),
            )
        };
        let of = |kind: &str, cpus, memory| (kind.to_owned(), cpus, memory);
        assert_eq!(numbers(""), of("shared", 1, 256));
        assert_eq!(numbers("memory = \"2gb\""), of("shared", 1, 2048));
        assert_eq!(
            numbers("size = \"performance-2x\""),
            of("performance", 2, 4096)
        );
        assert_eq!(
            numbers("memory = 512\nmemory_mb = 1024"),
            of("shared", 1, 1024)
        );
        assert_eq!(numbers("cpus = 4"), of("shared", 4, 256));
        assert_eq!(numbers("gpu_kind = \"l40s\""), of("performance", 8, 16384));
    }

    #[test]
    fn what_the_platform_does_not_offer_is_an_error_on_fly_and_a_warning_elsewhere() {
        let on = |provider: &'static str, text: &str| {
            let (_, found) = fly_fields(&format!("[[vm]]\n{text}"), |fields| {
                fields.file.set_provider(provider);
                read(fields, None)
            });
            (found.errors(), found.warnings())
        };
        for text in [
            "cpus = 3",
            "cpus = 4",
            "memory = \"4gb\"",
            "memory = 300",
            "cpu_kind = \"fast\"",
        ] {
            assert_eq!(on("fly", text), (1, 0), "{text}");
            assert_eq!(on("local", text), (0, 1), "{text}");
        }
        assert_eq!(
            on("fly", "size = \"performance-1x\"\nmemory = 2304"),
            (0, 1)
        );
        assert_eq!(on("fly", "size = \"a10\""), (0, 1));
        assert_eq!(on("fly", "cpus = 4\nmemory = \"1gb\""), (0, 0));
        assert_eq!(on("local", "size = \"shared-cpu-3x\""), (1, 0));
    }

    #[test]
    fn the_vms_own_host_beats_the_apps() {
        let host = |text| guest(text).0.host_dedication_id;
        assert_eq!(host("").as_deref(), Some("host"));
        assert_eq!(host("host_dedication_id = \"own\"").as_deref(), Some("own"));
    }

    #[test]
    fn kernel_args_are_a_list() {
        assert_eq!(guest("kernel_args = \"no-hlt=true\"").1, 1);
        assert_eq!(
            guest("kernel_args = [\"no-hlt=true\"]")
                .0
                .kernel_args
                .unwrap()
                .len(),
            1
        );
    }
}
