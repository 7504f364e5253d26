//! New Machines: counts per region, size, ports and volumes.

use std::collections::BTreeMap;
use std::fmt;

use crate::core::fleet::{Region, VolumeId};
use crate::core::plan::{Action, GroupChange, PlannedVolume, StandbyTarget};
use crate::core::view::change_bundle::{ChangeBundle, MachineChange, NewMachineRole};
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::phrases;
use crate::core::view::style::Label;

/// Maximum separate port ranges per region.
const MAX_PORTS: usize = 8;

/// Texts shorter than this do not wrap.
const MAX_UNBROKEN: usize = 24;

/// Writes `+ 4 to create: 2 in gru, 2 in bog · shared-cpu-2x 1 GB`.
pub(super) fn create(
    role: NewMachineRole,
    bundle: &ChangeBundle<'_>,
    group: Option<&GroupChange>,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    let regions = bundle.by_region();
    let head = match role {
        NewMachineRole::Primary => "to create",
        NewMachineRole::Standby => "to create as standby",
    };
    let mut line = Line::new(4).hang(8).push(
        Label::Create,
        format!("+ {} {head}", phrases::group_digits(bundle.machines.len())),
    );
    line.add(Label::Plain, counts_by_region(&regions));
    if let Some(size) = group.and_then(|group| group.size.as_deref()) {
        line.add(Label::Dim, format!(" · {size}"));
    }
    if !page.detail.equipment {
        return page.line(&line);
    }
    let equipment: Vec<(&Region, String)> = regions
        .iter()
        .map(|(region, items)| (*region, ports_and_volumes(items, page.style.verbose)))
        .filter(|(_, text)| !text.is_empty())
        .collect();
    if let (1, [(_, text)]) = (regions.len(), equipment.as_slice()) {
        line.add(Label::Plain, format!(" · {text}"));
        page.line(&line)?;
    } else {
        page.line(&line)?;
        let mut line = Line::new(8);
        for (at, (region, text)) in equipment.iter().enumerate() {
            if at > 0 {
                line.add(Label::Dim, " · ");
            }
            line.add(Label::Dim, region);
            line.add(Label::Plain, " ");
            if text.len() < MAX_UNBROKEN {
                line.add_unbroken(Label::Plain, text);
            } else {
                line.add(Label::Plain, text);
            }
        }
        if !equipment.is_empty() {
            page.line(&line)?;
        }
    }
    if role == NewMachineRole::Standby {
        standby_targets(bundle, page)?;
    }
    if page.style.verbose {
        for item in &bundle.machines {
            let line = Line::new(8)
                .push(Label::Dim, &item.change.region)
                .plain(" ")
                .plain(item.change.machine.name.as_str());
            page.line(&line)?;
        }
    }
    Ok(())
}

/// ` in gru`, `: 2 in gru, 2 in bog`.
pub(super) fn counts_by_region(regions: &BTreeMap<&Region, Vec<&MachineChange<'_>>>) -> String {
    if let Some((only, _)) = regions.first_key_value()
        && regions.len() == 1
    {
        return format!(" in {only}");
    }
    let counts = regions.iter().map(|(region, items)| {
        let n = phrases::group_digits(items.len());
        format!("{n} in {region}")
    });
    format!(": {}", counts.collect::<Vec<_>>().join(", "))
}

/// The ports and volumes of the new Machines of one region.
pub(super) fn ports_and_volumes(items: &[&MachineChange<'_>], verbose: bool) -> String {
    let ports: Vec<u16> = items.iter().filter_map(|item| local_port(item)).collect();
    let mut texts = Vec::new();
    if !ports.is_empty() {
        texts.push(listed_ports(
            ports,
            if verbose { usize::MAX } else { MAX_PORTS },
        ));
    }
    texts.extend(volume_texts(items));
    texts.join(", ")
}

/// Writes the volumes of replacements on one line.
pub(super) fn replacement_volumes(
    bundle: &ChangeBundle<'_>,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    let items: Vec<&MachineChange<'_>> = bundle.machines.iter().collect();
    let texts = volume_texts(&items);
    if texts.is_empty() {
        return Ok(());
    }
    page.line(&Line::new(8).plain(texts.join(", ")))
}

fn volume_texts(items: &[&MachineChange<'_>]) -> Vec<String> {
    let reused: Vec<&str> = items
        .iter()
        .flat_map(|item| item.change.taken_volumes())
        .map(VolumeId::as_str)
        .collect();
    let mut texts = Vec::new();
    if !reused.is_empty() {
        let s = if reused.len() == 1 { "" } else { "s" };
        texts.push(format!("reuses volume{s} {}", reused.join(" ")));
    }
    let new = items.iter().flat_map(|item| item.change.new_volumes());
    texts.extend(new_volumes(new));
    texts
}

/// `with 2 new volumes data of 10 GB`, grouped by kind.
fn new_volumes<'a>(all: impl Iterator<Item = &'a PlannedVolume>) -> Vec<String> {
    let mut many: BTreeMap<(&str, u32, bool), usize> = BTreeMap::new();
    for volume in all {
        let kind = (volume.name.as_str(), volume.size_gb, volume.encrypted);
        *many.entry(kind).or_default() += 1;
    }
    let text = |((name, size, encrypted), n): ((&str, u32, bool), usize)| {
        let volumes = match n {
            1 => "a new volume".to_owned(),
            n => format!("{} new volumes", phrases::group_digits(n)),
        };
        let plain = if encrypted { "" } else { ", not encrypted" };
        format!(
            "with {volumes} {name} of {} GB{plain}",
            phrases::group_digits(size as usize)
        )
    };
    many.into_iter().map(text).collect()
}

fn listed_ports(mut ports: Vec<u16>, limit: usize) -> String {
    ports.sort_unstable();
    let runs: Vec<&[u16]> = ports
        .chunk_by(|a, b| a.checked_add(1) == Some(*b))
        .collect();
    if runs.len() <= limit {
        return phrases::port_ranges(&ports);
    }
    let shown: usize = runs[..limit].iter().map(|run| run.len()).sum();
    format!(
        "{} + {} more",
        phrases::port_ranges(&ports[..shown]),
        phrases::group_digits(ports.len() - shown)
    )
}

fn local_port(item: &MachineChange<'_>) -> Option<u16> {
    let Action::Create { port, .. } = &item.change.action else {
        return None;
    };
    *port
}

/// The primaries of the standbys.
fn standby_targets(bundle: &ChangeBundle<'_>, page: &mut LineWriter<'_>) -> fmt::Result {
    let mut ids = Vec::new();
    let mut coming = 0_usize;
    for item in &bundle.machines {
        for watched in item.change.standby_for() {
            match watched {
                StandbyTarget::Machine(id) => ids.push(id.as_str()),
                StandbyTarget::Step(_) => coming += 1,
            }
        }
    }
    ids.sort_unstable();
    ids.dedup();
    let more = ids.len().saturating_sub(MAX_PORTS);
    ids.truncate(MAX_PORTS);
    let mut texts = ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    if more > 0 {
        texts.push(format!("+ {} more", phrases::group_digits(more)));
    }
    if coming > 0 {
        texts.push("Machines that this plan creates".to_owned());
    }
    let text = format!("starts when its primary's host fails: {}", texts.join(" "));
    page.line(&Line::new(8).push(Label::Dim, text))
}
