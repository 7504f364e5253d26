//! Machines to destroy: one line each, with state and volumes that are detached.

use std::fmt;

use crate::core::fleet::VolumeId;
use crate::core::view::change_bundle::{ChangeBundle, RemovalReason};
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::outline::Section;
use crate::core::view::phrases;
use crate::core::view::style::Label;

/// Maximum Machines listed; the rest is counted.
const MAX_LISTED: usize = 50;

/// Writes `- 2 to destroy` and the Machines.
pub(super) fn destroy(
    section: &Section<'_>,
    why: RemovalReason,
    bundle: &ChangeBundle<'_>,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    let what = match why {
        RemovalReason::Replaced => "to destroy: already replaced",
        RemovalReason::SwapUndone => "green to destroy",
        RemovalReason::ChosenByUser => "to destroy, chosen by you",
        RemovalReason::Rebalanced => "to destroy: another region gets one instead",
        RemovalReason::CountLowered | RemovalReason::GroupRemoved | RemovalReason::AppDestroyed => {
            "to destroy"
        }
        RemovalReason::Canary if bundle.machines.len() == 1 => "canary",
        RemovalReason::Canary => "canaries",
    };
    let mut head = Line::new(4).push(
        Label::Destroy,
        format!("- {} {what}", phrases::group_digits(bundle.machines.len())),
    );
    let reasons = bundle.reasons();
    let shared = match reasons.as_slice() {
        [(reason, n)] if *n == bundle.machines.len() => Some(*reason),
        _ => None,
    };
    if let Some(reason) = shared {
        head.add(Label::Dim, format!("  {reason}"));
    }
    page.line(&head)?;
    if !page.detail.ids {
        return Ok(());
    }
    let limit = if page.style.verbose {
        usize::MAX
    } else {
        MAX_LISTED
    };
    for item in bundle.machines.iter().take(limit) {
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
        add_unattached_volumes(section, item.unattached_volumes(), &mut line);
        page.line(&line)?;
    }
    let more = bundle.machines.len().saturating_sub(limit);
    if more > 0 {
        let text = format!("+ {} more (-v shows all)", phrases::group_digits(more));
        page.line(&Line::new(8).push(Label::Destroy, text))?;
    }
    Ok(())
}

/// Adds ` · volume vol_x is left unattached`.
pub(super) fn add_unattached_volumes(section: &Section<'_>, volumes: &[VolumeId], line: &mut Line) {
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
