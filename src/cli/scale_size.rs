//! `aeroform scale vm` and `aeroform scale memory`: a complete size for one group (rule 19).

use super::args::{ScaleMemoryArgs, ScaleVmArgs};
use super::codes;
use super::edit::EditContext;
use super::scale::{find_group, list_groups};
use crate::core::fleet::quoting::shell_word;
use crate::core::fleet::schema::Guest;
use crate::core::fleet::{Desired, GroupName, MachineId};
use crate::core::manifest::edit::{Edit, MachineSize};
use crate::core::platform::sizes;
use crate::ui::Failure;

/// A size by name.
pub(super) fn vm_edits(
    args: &ScaleVmArgs,
    edit_context: &EditContext<'_>,
) -> Result<Vec<Edit>, Failure> {
    let sold = || sizes::all().filter(|size| size.gpu.is_none());
    let Some(found) = sold().find(|size| size.name == args.size) else {
        let message = format!("there is no VM size `{}`", args.size);
        return Err(Failure::new(codes::BAD_SIZE, message).hint(sizes_like(&args.size)));
    };
    let size = MachineSize {
        cpu_kind: found.kind.as_str().to_owned(),
        cpus: found.cpus,
        memory_mb: args.memory.unwrap_or(found.memory_mb),
    };
    Ok(vec![size_edit(
        target_group(edit_context.desired, args.size_flags.group.as_ref())?,
        size,
    )?])
}

/// New memory with the current CPUs.
pub(super) fn memory_edits(
    args: &ScaleMemoryArgs,
    edit_context: &EditContext<'_>,
) -> Result<Vec<Edit>, Failure> {
    let group = target_group(edit_context.desired, args.size_flags.group.as_ref())?;
    let (cpu_kind, cpus) = cpus(edit_context, &group)?;
    let size = MachineSize {
        cpu_kind,
        cpus,
        memory_mb: args.memory,
    };
    Ok(vec![size_edit(group, size)?])
}

/// Size names for a hint: those of the same CPU kind, or all.
fn sizes_like(word: &str) -> String {
    let sold = || sizes::all().filter(|size| size.gpu.is_none());
    let is_of = |size: &&sizes::VmSize| word.starts_with(size.kind.as_str());
    let mut names: Vec<&str> = sold().filter(is_of).map(|size| size.name).collect();
    if names.is_empty() {
        names = sold().map(|size| size.name).collect();
    }
    format!("the sizes are {}", names.join(", "))
}

fn size_edit(group: GroupName, size: MachineSize) -> Result<Edit, Failure> {
    let guest = Guest {
        cpu_kind: Some(size.cpu_kind.clone()),
        cpus: Some(size.cpus),
        memory_mb: Some(size.memory_mb),
        ..Guest::default()
    };
    match sizes::check_size(&guest) {
        None => Ok(Edit::Size { group, size }),
        Some(misfit) => Err(Failure::new(codes::BAD_SIZE, misfit.problem).hint(misfit.help)),
    }
}

/// The group from the flag, or the only one.
fn target_group(desired: &Desired, flag: Option<&GroupName>) -> Result<GroupName, Failure> {
    let mut names = desired.groups.keys();
    match (flag, names.next(), names.next()) {
        (Some(name), _, _) => find_group(desired, name.as_str()),
        (None, Some(only), None) => Ok(only.clone()),
        (None, _, _) => Err(Failure::new(
            codes::NEEDS_GROUP,
            "the app has several process groups, and none is named",
        )
        .hint(format!("use `-g` with one of {}", list_groups(desired)))),
    }
}

/// CPU kind and number of a group: from fly.toml, otherwise from its Machines, otherwise the default.
fn cpus(edit_context: &EditContext<'_>, name: &GroupName) -> Result<(String, u32), Failure> {
    let written = edit_context.desired.groups[name].template.explicit_size();
    if has_gpu(edit_context, name) {
        return Err(Failure::new(
            codes::BAD_SIZE,
            format!("the Machines of group `{name}` have GPUs, which a size of CPUs and memory would remove"),
        )
        .hint("write `memory` into its `[[vm]]` in fly.toml, and run `aeroform apply`"));
    }
    if let Some(cpus) = written.and_then(cpus_of) {
        return Ok(cpus);
    }
    let there = machine_sizes(edit_context, name);
    let mut found: Vec<(String, u32)> = there.iter().flatten().filter_map(cpus_of).collect();
    found.sort();
    found.dedup();
    let whole = format!(
        "set both: `aeroform scale vm SIZE --memory MB -g {}`",
        shell_word(name.as_str())
    );
    match found.as_slice() {
        // Running Machines may be larger than the default.
        [] if there.iter().any(Option::is_none) => Err(Failure::new(
            codes::CPUS_DIFFER,
            format!("the CPUs of group `{name}` are not known, and fly.toml does not set them"),
        )
        .hint(whole)),
        [] => {
            let usual = sizes::find(sizes::DEFAULT_SIZE).expect("the default is a size");
            Ok((usual.kind.as_str().to_owned(), usual.cpus))
        }
        [one] => Ok(one.clone()),
        several => {
            let several = several.iter().map(|(kind, cpus)| format!("{cpus} {kind}"));
            let several: Vec<String> = several.collect();
            Err(Failure::new(
                codes::CPUS_DIFFER,
                format!(
                    "the Machines of group `{name}` have different CPUs, and fly.toml does not set them: {}",
                    several.join(", ")
                ),
            )
            .hint(whole))
        }
    }
}

/// The size of each Machine of the group; `None` if unknown.
fn machine_sizes(edit_context: &EditContext<'_>, name: &GroupName) -> Vec<Option<Guest>> {
    let (desired, preview) = (edit_context.desired, edit_context.preview);
    let is_its = |id: &MachineId, group: &GroupName| desired.group_of(id, group) == *name;
    if let Some(observed) = &preview.observed {
        let its = observed.counted_machines().filter(|machine| {
            let group = machine.group.as_ref();
            !machine.state.is_gone() && group.is_some_and(|group| is_its(&machine.id, group))
        });
        return its
            .map(|machine| Some(machine.config.as_ref()?.guest.clone().unwrap_or_default()))
            .collect();
    }
    let known = &preview.stored_state.known;
    let its = known.machines.iter();
    let its = its.filter(|(id, machine)| is_its(id, &machine.group));
    let sent = its.map(|(id, _)| {
        let guest = known.sent_config(id)?.tree().get("guest")?;
        serde_json::from_value(guest.clone()).ok()
    });
    // Local processes have only a written size.
    let is_sized = desired.profile().has_fly_sizes;
    sent.map(|guest| guest.or_else(|| (!is_sized).then(Guest::default)))
        .collect()
}

/// Whether the group has GPUs, from fly.toml or, without a size there, from its Machines.
fn has_gpu(edit_context: &EditContext<'_>, name: &GroupName) -> bool {
    let written = edit_context.desired.groups[name].template.explicit_size();
    match written {
        Some(written) => written.gpu_kind.is_some(),
        None => machine_sizes(edit_context, name)
            .iter()
            .flatten()
            .any(|guest| guest.gpu_kind.is_some()),
    }
}

fn cpus_of(guest: &Guest) -> Option<(String, u32)> {
    Some((guest.cpu_kind.clone()?, guest.cpus?))
}
