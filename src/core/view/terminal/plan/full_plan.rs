//! All parts of the plan in order.

use std::fmt;

use super::{behind, closing, drift, group_table, ids, remarks, section};
use crate::core::plan::Plan;
use crate::core::plan::hold::PlannedHold;
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::outline::Outline;
use crate::core::view::phrases;
use crate::core::view::style::{Label, Style};

/// Writes the plan.
pub fn plan(plan: &Plan, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let page = &mut LineWriter::new(style, out);
    hold_line(plan.hold.as_ref(), page)?;
    page.line(&header(plan))?;
    if style.verbose {
        let digest = format!("plan digest {}", plan.plan_digest());
        page.line(&Line::new(0).push(Label::Dim, digest))?;
    }
    page.blank()?;
    body(plan, page)
}

/// Writes all that follows the first line.
pub(super) fn body(plan: &Plan, page: &mut LineWriter<'_>) -> fmt::Result {
    behind::first_lines(plan, page)?;
    let plan = &*behind::folded(plan, page);
    part_and_order(plan, page)?;
    let outline = Outline::of(plan);
    group_table::table(plan, &outline, page)?;
    drift::drift(plan, &outline, page)?;
    sections(&outline, page)?;
    remarks::remarks(plan, page)?;
    closing::closing(plan, &outline, page)
}

/// Writes what the filters leave out, and the order of the groups.
pub(super) fn part_and_order(plan: &Plan, page: &mut LineWriter<'_>) -> fmt::Result {
    let texts = phrases::left_out_texts(plan);
    for text in &texts {
        page.line(&Line::new(0).push(Label::Warning, text))?;
    }
    let order = phrases::groups_order_text(plan);
    if let Some(order) = &order {
        page.line(&Line::new(0).plain(order))?;
    }
    if texts.is_empty() && order.is_none() {
        return Ok(());
    }
    page.blank()
}

/// Writes the section of each changed group.
pub(super) fn sections(outline: &Outline<'_>, page: &mut LineWriter<'_>) -> fmt::Result {
    let mut first_update = true;
    for section in &outline.sections {
        section::section(section, first_update, page)?;
        first_update &= !section.has_updates();
    }
    ids::standby_legend(page)?;
    if page.marks_standbys {
        page.blank()?;
    }
    Ok(())
}

/// Writes the release that the app follows, if any.
pub(in crate::core::view) fn hold_line(
    hold: Option<&PlannedHold>,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    hold.map_or(Ok(()), |hold| {
        page.line(&Line::new(0).push(Label::Warning, phrases::hold_text(hold)))
    })
}

/// App, provider, where the state is from, and how many Machines were read.
pub(in crate::core::view) fn header(plan: &Plan) -> Line {
    let state = plan.state.describe();
    let seen = if plan.online {
        format!("{} read", phrases::count_noun(plan.machines, "Machine"))
    } else {
        "planned from the state only".to_owned()
    };
    let named = if plan.provider_unwritten {
        " (from --provider; no aeroform.toml names one)"
    } else {
        ""
    };
    let by = phrases::app_name_source(plan.named_by.as_ref());
    Line::new(0).push(Label::Strong, plan.app.as_str()).push(
        Label::Dim,
        format!("{by} · {}{named} · {state} · {seen}", plan.provider),
    )
}
