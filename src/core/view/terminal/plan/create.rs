//! New Machines: how many where, how big, on which ports, with which volumes.

use std::fmt;

use crate::core::fleet::VolumeId;
use crate::core::plan::{Action, GroupChange, Standby};
use crate::core::view::line::{Line, Page};
use crate::core::view::outline::{Bundle, Item, Role};
use crate::core::view::style::Label;
use crate::core::view::words;

/// Ports that are listed one by one per region when they do not follow each other.
const PORTS: usize = 8;

/// Writes `+ 4 to create: 2 in gru, 2 in bog · shared-cpu-2x 1 GB`.
pub(super) fn create(
    role: Role,
    bundle: &Bundle<'_>,
    group: Option<&GroupChange>,
    page: &mut Page<'_>,
) -> fmt::Result {
    let regions = bundle.by_region();
    let head = match role {
        Role::Primary => "to create",
        Role::Standby => "to create as standby",
    };
    let mut line = Line::new(4).hang(8).push(
        Label::Create,
        format!("+ {} {head}", words::number(bundle.items.len())),
    );
    let counts: Vec<String> = regions
        .iter()
        .map(|(region, items)| match (items.len(), regions.len()) {
            (_, 1) => format!(" in {region}"),
            (n, _) => format!("{} in {region}", words::number(n)),
        })
        .collect();
    let colon = if counts.len() > 1 { ": " } else { "" };
    line.add(Label::Plain, format!("{colon}{}", counts.join(", ")));
    if let Some(size) = group.and_then(|group| group.size.as_deref()) {
        line.add(Label::Dim, format!(" · {size}"));
    }
    page.line(&line)?;
    for (region, items) in &regions {
        let ports: Vec<u16> = items.iter().filter_map(|item| port(item)).collect();
        let volumes: Vec<&str> = items
            .iter()
            .flat_map(|item| volumes(item))
            .map(VolumeId::as_str)
            .collect();
        if ports.is_empty() && volumes.is_empty() {
            continue;
        }
        let mut line = Line::new(8).push(Label::Dim, region).plain(" ");
        if !ports.is_empty() {
            let limit = if page.style.verbose {
                usize::MAX
            } else {
                PORTS
            };
            line.add(Label::Plain, listed_ports(ports, limit));
        }
        if !volumes.is_empty() {
            let s = if volumes.len() == 1 { "" } else { "s" };
            line.add(
                Label::Plain,
                format!(" takes volume{s} {}", volumes.join(" ")).trim_start(),
            );
        }
        page.line(&line)?;
    }
    if role == Role::Standby {
        watched(bundle, page)?;
    }
    if page.style.verbose {
        for item in &bundle.items {
            let line = Line::new(8)
                .push(Label::Dim, &item.change.region)
                .plain(" ")
                .plain(item.change.machine.name.as_str());
            page.line(&line)?;
        }
    }
    Ok(())
}

fn listed_ports(mut ports: Vec<u16>, limit: usize) -> String {
    ports.sort_unstable();
    let runs: Vec<&[u16]> = ports
        .chunk_by(|a, b| a.checked_add(1) == Some(*b))
        .collect();
    if runs.len() <= limit {
        return words::ports(&ports);
    }
    let shown: usize = runs[..limit].iter().map(|run| run.len()).sum();
    format!(
        "{} + {} more",
        words::ports(&ports[..shown]),
        words::number(ports.len() - shown)
    )
}

fn port(item: &Item<'_>) -> Option<u16> {
    match &item.change.action {
        Action::Create { port, .. } => *port,
        Action::Update { .. }
        | Action::Move { .. }
        | Action::Destroy { .. }
        | Action::Adopt
        | Action::Forget => None,
    }
}

fn volumes<'a>(item: &Item<'a>) -> &'a [VolumeId] {
    match &item.change.action {
        Action::Create { volumes, .. } => volumes,
        Action::Update { .. }
        | Action::Move { .. }
        | Action::Destroy { .. }
        | Action::Adopt
        | Action::Forget => &[],
    }
}

/// Which Machines the standbys stand by for, where they exist already.
fn watched(bundle: &Bundle<'_>, page: &mut Page<'_>) -> fmt::Result {
    let mut ids = Vec::new();
    let mut coming = 0_usize;
    for item in &bundle.items {
        if let Action::Create { standby_for, .. } = &item.change.action {
            for watched in standby_for {
                match watched {
                    Standby::Machine(id) => ids.push(id.as_str()),
                    Standby::Step(_) => coming += 1,
                }
            }
        }
    }
    ids.sort_unstable();
    ids.dedup();
    let more = ids.len().saturating_sub(PORTS);
    ids.truncate(PORTS);
    let mut texts = ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    if more > 0 {
        texts.push(format!("+ {} more", words::number(more)));
    }
    if coming > 0 {
        texts.push("Machines that this plan creates".to_owned());
    }
    let text = format!("starts when its primary's host fails: {}", texts.join(" "));
    page.line(&Line::new(8).push(Label::Dim, text))
}
