//! The swap of a group: its greens, the switch, and the blues that go after it.

use std::collections::BTreeMap;
use std::fmt;

use super::{create, ids, section};
use crate::core::fleet::Region;
use crate::core::plan::{Action, SwapOverlap};
use crate::core::view::change_bundle::{ChangeBundle, ChangeKind, MachineChange};
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::outline::Section;
use crate::core::view::phrases;
use crate::core::view::style::Label;

/// Writes the swap of the group, if it has one.
pub(super) fn swap(section: &Section<'_>, page: &mut LineWriter<'_>) -> fmt::Result {
    let bundles: Vec<&ChangeBundle<'_>> = section
        .bundles
        .iter()
        .filter(|bundle| bundle.kind == ChangeKind::Swap)
        .collect();
    let machines: Vec<&MachineChange<'_>> =
        bundles.iter().flat_map(|bundle| &bundle.machines).collect();
    if machines.is_empty() {
        return Ok(());
    }
    let overlap = section.group.and_then(|group| group.overlap.as_ref());
    let n = phrases::group_digits(machines.len());
    let strategy = section
        .group
        .map(|group| group.strategy.as_str())
        .filter(|strategy| !strategy.is_empty())
        .map_or(String::new(), |strategy| format!(", {strategy}"));
    let head = Line::new(4).hang(8);
    let head = head.push(Label::Change, format!("~ {n} to swap"));
    page.line(&head.push(Label::Dim, strategy))?;
    let have_fields = bundles.iter().filter(|bundle| !bundle.fields.is_empty());
    let several = have_fields.count() > 1;
    for bundle in &bundles {
        if several && !bundle.fields.is_empty() {
            let these = phrases::count_noun(bundle.machines.len(), "Machine");
            page.line(&Line::new(8).plain(format!("{these}:")))?;
        }
        section::fields(section, bundle, page)?;
    }
    greens(&machines, overlap, page)?;
    switch(section, page)?;
    blues(&machines, page)?;
    overlap.map_or(Ok(()), |overlap| both(overlap, page))
}

/// `+ 6 green: 4 in ams, 2 in gru (1 stays stopped)`.
fn greens(
    machines: &[&MachineChange<'_>],
    overlap: Option<&SwapOverlap>,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    let greens = machines.iter().copied().filter(|item| is_green(item));
    let greens: Vec<&MachineChange<'_>> = greens.collect();
    if greens.is_empty() {
        return Ok(());
    }
    let n = phrases::group_digits(greens.len());
    let mut line = Line::new(8)
        .hang(10)
        .push(Label::Create, format!("+ {n} green"));
    let regions = by_region(&greens);
    line.add(Label::Plain, create::counts_by_region(&regions));
    match overlap.map_or(0, |overlap| overlap.resting) {
        0 => {}
        1 => line.add(Label::Plain, " (1 stays stopped)"),
        n => {
            let n = phrases::group_digits(n as usize);
            line.add(Label::Plain, format!(" ({n} stay stopped)"));
        }
    }
    let exists = |item: &&&MachineChange<'_>| matches!(&item.change.action, Action::Create { green: Some(green), .. } if green.exists);
    match greens.iter().filter(exists).count() {
        0 => {}
        1 => line.add(Label::Plain, ", 1 of which exists"),
        n => {
            let n = phrases::group_digits(n);
            line.add(Label::Plain, format!(", {n} of which exist"));
        }
    }
    if page.detail.equipment {
        let equipment = create::ports_and_volumes(&greens, page.style.verbose);
        if !equipment.is_empty() {
            line.add(Label::Plain, format!(" · {equipment}"));
        }
    }
    page.line(&line)?;
    let failure = "if one fails, all of them are destroyed and nothing else has changed";
    page.line(&Line::new(10).push(Label::Dim, failure))
}

fn switch(section: &Section<'_>, page: &mut LineWriter<'_>) -> fmt::Result {
    let Some(others) = &section.switches_with else {
        return Ok(());
    };
    let others: Vec<String> = others.iter().map(ToString::to_string).collect();
    let with = match others.as_slice() {
        [] => String::new(),
        others => format!(", with {}", phrases::join_with_and(others)),
    };
    let line = Line::new(8).push(Label::Change, format!("~ switch{with}"));
    page.line(&line.push(Label::Dim, ": from here it only goes on"))
}

/// `- 6 blue ams 2508… 32fc… · gru b45c…`.
fn blues(machines: &[&MachineChange<'_>], page: &mut LineWriter<'_>) -> fmt::Result {
    let blues = machines.iter().copied();
    let blues = blues.filter(|item| item.old.is_some() || !is_green(item));
    let blues: Vec<&MachineChange<'_>> = blues.collect();
    if blues.is_empty() {
        return Ok(());
    }
    let n = phrases::group_digits(blues.len());
    let regions = by_region(&blues);
    let mut line = Line::new(8).push(Label::Destroy, format!("- {n} blue"));
    line.add(Label::Plain, create::counts_by_region(&regions));
    page.line(&line)?;
    if page.detail.ids {
        ids::write(regions, 10, page)?;
    }
    Ok(())
}

/// `12 Machines for at least 30s (+$0.01)`.
fn both(overlap: &SwapOverlap, page: &mut LineWriter<'_>) -> fmt::Result {
    let machines = phrases::count_noun(overlap.machines() as usize, "Machine");
    let time = match overlap.at_least_ms {
        Some(ms) => format!("for at least {}", phrases::human_duration(ms)),
        None => "at the same time".to_owned(),
    };
    let cost = overlap.cents.map_or_else(String::new, |cents| {
        format!(" (+{})", phrases::format_dollars(cents))
    });
    page.line(&Line::new(8).push(Label::Dim, format!("{machines} {time}{cost}")))
}

fn is_green(item: &MachineChange<'_>) -> bool {
    matches!(item.change.action, Action::Create { .. })
}

fn by_region<'i, 'a>(
    items: &[&'i MachineChange<'a>],
) -> BTreeMap<&'a Region, Vec<&'i MachineChange<'a>>> {
    let mut regions: BTreeMap<&Region, Vec<&MachineChange<'_>>> = BTreeMap::new();
    for item in items {
        regions.entry(&item.change.region).or_default().push(item);
    }
    regions
}
