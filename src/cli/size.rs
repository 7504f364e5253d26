//! `aeroform scale vm` and `aeroform scale memory`: a whole size for one group (RULES 19).

use super::args::{Memory, Vm};
use super::codes;
use super::edit::Ground;
use super::scale::{group, list};
use crate::core::fleet::config::Guest;
use crate::core::fleet::{Desired, GroupName};
use crate::core::manifest::edit::{Edit, Size};
use crate::core::platform::sizes;
use crate::ui::Failure;

/// A size with a name.
pub(super) fn vm(args: &Vm, ground: &Ground<'_>) -> Result<Vec<Edit>, Failure> {
    let sold = || sizes::all().filter(|size| size.gpu.is_none());
    let Some(found) = sold().find(|size| size.name == args.size) else {
        let message = format!("there is no VM size `{}`", args.size);
        return Err(Failure::new(codes::BAD_SIZE, message).hint(sizes_like(&args.size)));
    };
    let size = Size {
        cpu_kind: found.kind.as_str().to_owned(),
        cpus: found.cpus,
        memory_mb: args.memory.unwrap_or(found.memory_mb),
    };
    Ok(vec![edit(
        the_group(ground.desired, args.of.group.as_ref())?,
        size,
    )?])
}

/// Other memory for the CPUs that it has.
pub(super) fn memory(args: &Memory, ground: &Ground<'_>) -> Result<Vec<Edit>, Failure> {
    let group = the_group(ground.desired, args.of.group.as_ref())?;
    let (cpu_kind, cpus) = cpus(ground, &group)?;
    let size = Size {
        cpu_kind,
        cpus,
        memory_mb: args.memory,
    };
    Ok(vec![edit(group, size)?])
}

/// The sizes that somebody who wrote this may have meant: those of its kind, if it has one.
fn sizes_like(word: &str) -> String {
    let sold = || sizes::all().filter(|size| size.gpu.is_none());
    let is_of = |size: &&sizes::VmSize| word.starts_with(size.kind.as_str());
    let mut names: Vec<&str> = sold().filter(is_of).map(|size| size.name).collect();
    if names.is_empty() {
        names = sold().map(|size| size.name).collect();
    }
    format!("the sizes are {}", names.join(", "))
}

fn edit(group: GroupName, size: Size) -> Result<Edit, Failure> {
    let guest = Guest {
        cpu_kind: Some(size.cpu_kind.clone()),
        cpus: Some(size.cpus),
        memory_mb: Some(size.memory_mb),
        ..Guest::default()
    };
    match sizes::misfit(&guest) {
        None => Ok(Edit::Size { group, size }),
        Some(misfit) => Err(Failure::new(codes::BAD_SIZE, misfit.problem).hint(misfit.help)),
    }
}

/// The group that a flag names, or the only one.
fn the_group(desired: &Desired, flag: Option<&GroupName>) -> Result<GroupName, Failure> {
    let mut names = desired.groups.keys();
    match (flag, names.next(), names.next()) {
        (Some(name), _, _) => group(desired, name.as_str()),
        (None, Some(only), None) => Ok(only.clone()),
        (None, _, _) => Err(Failure::new(
            codes::NEEDS_GROUP,
            "there are several process groups, and none is named",
        )
        .hint(format!("name one with `-g`: {}", list(desired)))),
    }
}

/// Kind and number of a group's CPUs: what fly.toml says, else what its Machines have, else the default.
fn cpus(ground: &Ground<'_>, name: &GroupName) -> Result<(String, u32), Failure> {
    let written = ground.desired.groups[name].template.written_size();
    if let Some(cpus) = written.and_then(cpus_of) {
        return Ok(cpus);
    }
    let mut found = there(ground, name);
    found.sort();
    found.dedup();
    match found.as_slice() {
        [] => {
            let usual = sizes::find(sizes::DEFAULT).expect("the default is a size");
            Ok((usual.kind.as_str().to_owned(), usual.cpus))
        }
        [one] => Ok(one.clone()),
        several => {
            let several = several.iter().map(|(kind, cpus)| format!("{cpus} {kind}"));
            let several: Vec<String> = several.collect();
            Err(Failure::new(
                codes::CPUS_DIFFER,
                format!(
                    "the Machines of group `{name}` have different CPUs, and fly.toml does not say which: {}",
                    several.join(", ")
                ),
            )
            .hint(format!("say it whole: `aeroform scale vm SIZE --memory MB -g {name}`")))
        }
    }
}

/// Kind and number of the CPUs of each of its Machines.
fn there(ground: &Ground<'_>, name: &GroupName) -> Vec<(String, u32)> {
    if let Some(observed) = &ground.look.observed {
        let its = observed.machines.values();
        let its = its.filter(|machine| machine.group.as_ref() == Some(name));
        return its
            .filter_map(|machine| cpus_of(machine.config.as_ref()?.guest.as_ref()?))
            .collect();
    }
    let known = &ground.look.remembered.known;
    let its = known.machines.iter().filter(|(_, m)| m.group == *name);
    let sent = its.filter_map(|(id, _)| {
        let guest = known.sent(id)?.tree().get("guest")?;
        let cpus = u32::try_from(guest.get("cpus")?.as_u64()?).ok()?;
        Some((guest.get("cpu_kind")?.as_str()?.to_owned(), cpus))
    });
    sent.collect()
}

fn cpus_of(guest: &Guest) -> Option<(String, u32)> {
    Some((guest.cpu_kind.clone()?, guest.cpus?))
}
