//! The ids of Machines, by region; a standby has a †.

use std::collections::BTreeMap;
use std::fmt;

use crate::core::fleet::Region;
use crate::core::view::change_bundle::{ChangeBundle, MachineChange};
use crate::core::view::line::{Line, LineWriter, display_width};
use crate::core::view::phrases;
use crate::core::view::style::Label;

/// Maximum ids per region and change.
const MAX_IDS: usize = 8;
/// Maximum regions listed on separate lines.
const MAX_REGIONS: usize = 6;

/// Writes `gru 148ed… 6e82… · bog 3d8d…` on one line, or one line per region if that is too long. Writes nothing if no
/// Machine has an id yet.
pub(super) fn ids(
    bundle: &ChangeBundle<'_>,
    indent: usize,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    write(bundle.by_region(), indent, page)
}

/// Writes the same for Machines by region.
pub(super) fn write(
    machines: BTreeMap<&Region, Vec<&MachineChange<'_>>>,
    indent: usize,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    let mut marks_standbys = false;
    let regions: Vec<(&Region, Vec<String>)> = machines
        .into_iter()
        .map(|(region, items)| {
            let ids = items.iter().filter_map(|item| {
                let id = item.id()?;
                marks_standbys |= item.is_standby();
                Some(marked(id.as_str(), item.is_standby()))
            });
            (region, ids.collect())
        })
        .filter(|(_, ids): &(_, Vec<_>)| !ids.is_empty())
        .collect();
    if regions.is_empty() {
        return Ok(());
    }
    page.marks_standbys |= marks_standbys;
    let limit = if page.style.verbose {
        usize::MAX
    } else {
        MAX_IDS
    };
    let mut line = Line::new(indent);
    for (at, (region, ids)) in regions.iter().enumerate() {
        if at > 0 {
            line.add(Label::Dim, " · ");
        }
        add(&mut line, region, 0, ids, limit);
    }
    if line.width() <= page.style.width {
        return page.line(&line);
    }
    let shown = if page.style.verbose {
        usize::MAX
    } else {
        MAX_REGIONS
    };
    let wide = |region: &Region| display_width(region.as_str());
    let width = regions
        .iter()
        .take(shown)
        .map(|(r, _)| wide(r))
        .max()
        .unwrap_or(0);
    for (region, ids) in regions.iter().take(shown) {
        let mut line = Line::new(indent).hang(indent + width + 1);
        add(&mut line, region, width - wide(region), ids, limit);
        page.line(&line)?;
    }
    let rest = regions.get(shown..).unwrap_or_default();
    if !rest.is_empty() {
        let machines: usize = rest.iter().map(|(_, ids)| ids.len()).sum();
        let text = format!(
            "+ {} with {} (-v shows all)",
            phrases::count_noun(rest.len(), "more region"),
            phrases::count_noun(machines, "Machine")
        );
        page.line(&Line::new(indent).push(Label::Dim, text))?;
    }
    Ok(())
}

/// An id, with a † for a standby.
pub(super) fn marked(id: &str, is_standby: bool) -> String {
    let dagger = if is_standby { "†" } else { "" };
    format!("{id}{dagger}")
}

/// Writes the legend if a standby was marked.
pub(in crate::core::view) fn standby_legend(page: &mut LineWriter<'_>) -> fmt::Result {
    if page.marks_standbys {
        page.line(&Line::new(0).push(Label::Dim, phrases::STANDBY_LEGEND))?;
    }
    Ok(())
}

fn add(line: &mut Line, region: &Region, pad: usize, ids: &[String], limit: usize) {
    line.add(Label::Dim, region);
    line.add(Label::Plain, " ".repeat(pad));
    for id in ids.iter().take(limit) {
        line.add(Label::Plain, " ");
        line.add(Label::Plain, id);
    }
    let more = ids.len().saturating_sub(limit);
    if more > 0 {
        line.add_unbroken(
            Label::Dim,
            format!(" + {} more", phrases::group_digits(more)),
        );
    }
}
