//! Machines that go: one line each, with what they do now and what they leave behind.

use std::fmt;

use crate::core::fleet::VolumeId;
use crate::core::view::bundle::{Bundle, Why};
use crate::core::view::line::{Line, Page};
use crate::core::view::outline::Section;
use crate::core::view::style::Label;
use crate::core::view::words;

/// Machines that are listed; more are counted.
const LISTED: usize = 50;

/// Writes `- 2 to destroy` and the Machines.
pub(super) fn destroy(
    section: &Section<'_>,
    why: Why,
    bundle: &Bundle<'_>,
    page: &mut Page<'_>,
) -> fmt::Result {
    let what = match why {
        Why::Replaced => "to destroy: another took its place",
        Why::Named => "to destroy, named by you",
        Why::Rebalanced => "to destroy: another region gets one instead",
        Why::CountLowered | Why::GroupRemoved | Why::AppDestroyed => "to destroy",
    };
    let mut head = Line::new(4).push(
        Label::Destroy,
        format!("- {} {what}", words::number(bundle.items.len())),
    );
    let reasons = bundle.reasons();
    let shared = match reasons.as_slice() {
        [(reason, n)] if *n == bundle.items.len() => Some(*reason),
        _ => None,
    };
    if let Some(reason) = shared {
        head.add(Label::Dim, format!("  {reason}"));
    }
    page.line(&head)?;
    let limit = if page.style.verbose {
        usize::MAX
    } else {
        LISTED
    };
    for item in bundle.items.iter().take(limit) {
        let change = item.change;
        let id = item
            .id()
            .map_or_else(|| change.machine.name.as_str(), |id| id.as_str());
        let mut line = Line::new(8)
            .plain(id)
            .plain(" ")
            .push(Label::Dim, &change.region);
        if let Some(state) = change.state {
            line.add(Label::Dim, format!("   {}", state.as_str()));
        }
        if shared.is_none() && !change.reason.is_empty() {
            line.add(Label::Dim, format!(" · {}", change.reason));
        }
        left_behind(section, item.leaves(), &mut line);
        page.line(&line)?;
    }
    let more = bundle.items.len().saturating_sub(limit);
    if more > 0 {
        let text = format!("+ {} more (-v shows all)", words::number(more));
        page.line(&Line::new(8).push(Label::Destroy, text))?;
    }
    Ok(())
}

/// Adds ` · volume vol_x is left unattached`.
pub(super) fn left_behind(section: &Section<'_>, volumes: &[VolumeId], line: &mut Line) {
    if volumes.is_empty() {
        return;
    }
    let ids: Vec<&str> = volumes.iter().map(VolumeId::as_str).collect();
    let (s, is) = match (ids.len(), section.online) {
        (1, true) => ("", "is"),
        (1, false) => ("", "may be"),
        (_, true) => ("s", "are"),
        (_, false) => ("s", "may be"),
    };
    line.add(
        Label::Destroy,
        format!(" · volume{s} {} {is} left unattached", ids.join(" ")),
    );
}
