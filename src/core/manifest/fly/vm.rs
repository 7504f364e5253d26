//! `[[vm]]`: CPU and memory (facts/fly-toml-to-machine.md 6), with its old names `compute` and
//! `computes`.

use crate::core::fleet::config::Guest;

use super::super::diagnostics::shown;
use super::super::fields::Fields;
use super::super::size::memory_mb;
use super::super::tree::At;
use super::groups::For;
use super::presets;

/// Reads all entries in the order in which flyctl joins the three names.
pub(super) fn read(fields: &mut Fields<'_, '_>, dedicated: Option<&str>) -> Vec<For<Guest>> {
    let mut tables = fields.one_or_more("compute");
    tables.extend(fields.one_or_more("computes"));
    tables.extend(fields.one_or_more("vm"));
    tables
        .into_iter()
        .map(|table| entry(table, dedicated))
        .collect()
}

fn entry(mut fields: Fields<'_, '_>, dedicated: Option<&str>) -> For<Guest> {
    let number = |fields: &mut Fields<'_, '_>, key| {
        // Zero is Go's "not set".
        fields
            .integer(key, 0..u32::MAX)
            .map(|at| at.value)
            .filter(|value| *value > 0)
    };
    let own = Guest {
        cpu_kind: fields.text("cpu_kind"),
        cpus: number(&mut fields, "cpus"),
        memory_mb: number(&mut fields, "memory_mb"),
        max_memory_mb: number(&mut fields, "max_memory_mb"),
        gpu_kind: fields.text("gpu_kind"),
        gpus: number(&mut fields, "gpus"),
        host_dedication_id: fields
            .text("host_dedication_id")
            .or(dedicated.map(str::to_owned)),
        kernel_args: kernel_args(&mut fields),
        persist_rootfs: fields.text("persist_rootfs"),
        ..Guest::default()
    };
    let size = size(&mut fields, own.gpu_kind.is_some());
    let guest = Guest {
        memory_mb: own.memory_mb.or(memory(&mut fields)).or(size.memory_mb),
        cpu_kind: own.cpu_kind.or(size.cpu_kind),
        cpus: own.cpus.or(size.cpus),
        gpu_kind: own.gpu_kind.or(size.gpu_kind),
        gpus: own.gpus.or(size.gpus),
        ..own
    };
    let section = For::of(&mut fields, guest);
    fields.finish();
    section
}

fn size(fields: &mut Fields<'_, '_>, gpu: bool) -> Guest {
    let usual = if gpu {
        "performance-8x"
    } else {
        "shared-cpu-1x"
    };
    let usual = presets::preset(usual).unwrap_or_default();
    let Some(size) = fields.string("size").filter(|size| !size.value.is_empty()) else {
        return usual;
    };
    presets::preset(&size.value).unwrap_or_else(|| {
        let message = format!("{} is not a VM size", shown(&size.value));
        let help = fields.file.suggestion(&size.value, presets::names());
        let all = || {
            format!(
                "the sizes are {}",
                presets::names().collect::<Vec<_>>().join(", ")
            )
        };
        fields
            .file
            .bad_value(size.span, message, Some(help.unwrap_or_else(all)));
        usual
    })
}

fn memory(fields: &mut Fields<'_, '_>) -> Option<u32> {
    let At { value: text, span } = fields.size("memory", "512mb")?;
    let mb = memory_mb(&text);
    let problem = match mb {
        None => format!("{} is not an amount of memory", shown(&text)),
        Some(0) => format!("{} is less than one MB of memory", shown(&text)),
        Some(_) => return mb,
    };
    let help = "write it like \"512mb\" or \"1gb\"; a number alone counts MB".to_owned();
    fields.file.bad_value(span, problem, Some(help));
    None
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
        (vms.into_iter().next().unwrap().body, found.errors())
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
