//! The comment about a plan.

use std::cmp::Reverse;
use std::fmt::Write as _;

use super::failure::{self, FailureText};
use super::frame::{self, Footer, Marker};
use super::group_table::{GroupRow, GroupTable};
use super::layout::{Layout, Omitted, OverBudget, PieceId};
use super::{MarkdownStyle, fold, other_folds, plan_caution, text};
use crate::core::plan::{
    BaseComparison, Comparison, GroupChange, GroupVerdict, Note, Plan, PlanMode,
};
use crate::core::view::change_bundle::ChangeKind;
use crate::core::view::line::{Detail, Line, LineWriter};
use crate::core::view::outline::{Outline, Section};
use crate::core::view::phrases::{self, before_after, count_noun, join_counts};
use crate::core::view::style::Style;
use crate::core::view::terminal::plan::{closing, full_plan, group_table, ids, section};

/// Maximum characters of a note.
const MAX_NOTE: usize = 1000;

/// A plan as a comment shows it.
#[derive(Debug, Clone, Copy)]
pub struct PlanComment<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The plan of its base: title, counts and groups are then those of this change.
    pub comparison: Option<&'a Comparison>,
    /// The plan's digest.
    pub digest: &'a str,
    /// The error of the command that did not apply it, or did not accept it.
    pub failed: Option<&'a FailureText<'a>>,
}

/// The document of a plan.
pub fn plan(comment: &PlanComment<'_>, style: &MarkdownStyle) -> Result<String, OverBudget> {
    let PlanComment {
        plan,
        comparison,
        digest,
        failed,
    } = *comment;
    let this_change = comparison.map(|comparison| comparison.this_change(plan));
    let shown = this_change.as_ref().unwrap_or(plan);
    let outline = Outline::of(shown);
    let pending = comparison.map(|comparison| comparison.pending_changes(plan));
    let pending = pending.as_ref().map(|plan| (plan, Outline::of(plan)));
    let waiting = pending.as_ref().map(|(plan, outline)| (*plan, outline));
    let mut caution = plan_caution::caution(shown, &outline, comparison, waiting, style.program);
    let is_refusal = |cause: &str| (plan.refusals.iter()).any(|refusal| refusal.message == cause);
    if let Some(failed) = failed {
        caution.add_first(failure::error_lines(failed, is_refusal, style.program));
    }
    let mut layout = Layout::default();
    let is_new = comparison.is_some_and(|comparison| {
        matches!(comparison.base, BaseComparison::NewInThisChange { .. })
    });
    let new = if is_new { " · new in this change" } else { "" };
    let (command, failure) = failed.map_or(("plan", String::new()), |failed| {
        (failed.command, format!("{} failed · ", failed.command))
    });
    let title = format!("{failure}{}{new}", title(shown));
    let hold = plan.hold.as_ref().map(|hold| {
        let text = frame::with_program(&phrases::hold_text(hold), style.program);
        format!("**{}**", text::message(&text, MAX_NOTE))
    });
    let left_out = phrases::left_out_texts(plan);
    let left_out = left_out.iter().map(|text| text::message(text, MAX_NOTE));
    let order = phrases::groups_order_text(plan);
    let order = order.map(|text| text::message(&text, MAX_NOTE));
    let first_lines = hold.into_iter().chain(left_out).chain(order);
    let first_lines: Vec<String> = first_lines.collect();
    frame::open_with(
        &Marker::new(command, &plan.app, Some(digest)),
        &first_lines.join("\n\n"),
        &title,
        &mut layout,
    );
    let block = caution.place(&mut layout);
    let rows = table(shown, &outline).place(&mut layout);
    let folds = group_folds(&outline, style, &mut layout);
    let remarks = remarks(shown, style, &mut layout);
    let mut others = Vec::new();
    others.extend(other_folds::drift(shown, &outline, style, &mut layout));
    if let Some((plan, outline)) = &pending {
        others.extend(other_folds::pending(plan, outline, style, &mut layout));
    }
    if let Some(comparison) = comparison {
        others.extend(other_folds::dropped(
            &comparison.dropped,
            style,
            &mut layout,
        ));
    }
    let footer = footer(comment, shown).place(style, &mut layout);
    for piece in others.iter().rev() {
        layout.cut(*piece, Omitted::OtherFolds, 1, String::new);
    }
    for stage in [
        Omitted::FieldDiffs,
        Omitted::Equipment,
        Omitted::Ids,
        Omitted::GroupFolds,
    ] {
        for fold in folds.iter().rev() {
            fold.cut(stage, style, &mut layout);
        }
    }
    if let Some((piece, count)) = remarks {
        layout.cut(piece, Omitted::Remarks, count, String::new);
    }
    rows.beyond_the_worst(&mut layout);
    caution.first_cuts(block, &mut layout);
    rows.worst(&mut layout);
    caution.last_cuts(block, &mut layout);
    footer.last_cut(&mut layout);
    layout.fit(style.budget)
}

/// `6 to create, 4 to update, 2 to destroy`.
pub fn title(plan: &Plan) -> String {
    let counts = closing::counts(plan);
    let counts: Vec<(&str, usize)> = counts
        .iter()
        .filter(|(n, ..)| *n > 0)
        .map(|(n, what, ..)| (*what, *n))
        .collect();
    let text = match (counts.is_empty(), plan.records.is_empty()) {
        (false, _) => join_counts(&counts),
        (true, false) => "only the state changes".to_owned(),
        (true, true) if !plan.refusals.is_empty() => return "refused".to_owned(),
        (true, true) if plan.requested.has_filter() => "no changes within the filters".to_owned(),
        (true, true) => "no changes".to_owned(),
    };
    if plan.refusals.is_empty() {
        text
    } else {
        format!("{text} · refused")
    }
}

/// How bad the changes of a group are, worst first.
fn weight(section: Option<&Section<'_>>) -> (Reverse<usize>, Reverse<usize>, Reverse<usize>) {
    let count = |counted: fn(ChangeKind<'_>) -> bool| {
        let counts = section.map(|section| section.counts(counted));
        Reverse(counts.iter().flatten().map(|(_, n)| n).sum::<usize>())
    };
    (
        count(|kind| matches!(kind, ChangeKind::Destroy(_))),
        count(|kind| matches!(kind, ChangeKind::Replace(_))),
        count(|_| true),
    )
}

fn table(plan: &Plan, outline: &Outline<'_>) -> GroupTable {
    let is_unchanged = |group: &&GroupChange| {
        group.verdict == GroupVerdict::Unchanged && outline.section(&group.name).is_none()
    };
    let unchanged = plan.groups.iter().filter(is_unchanged).count();
    let mut shown: Vec<(&GroupChange, Option<&Section<'_>>)> = plan
        .groups
        .iter()
        .filter(|group| !is_unchanged(group))
        .map(|group| (group, outline.section(&group.name)))
        .collect();
    shown.sort_by_key(|(_, section)| weight(*section));
    let rows = shown.into_iter().map(|(group, section)| GroupRow {
        name: group.name.to_string(),
        cells: vec![
            before_after(group.before, group.after),
            regions(group),
            what_happens(plan, group, section),
        ],
    });
    GroupTable {
        headings: &["Machines", "Regions", "Changes"],
        rows: rows.collect(),
        unchanged,
    }
}

/// Regions are slugs and act as nothing.
fn regions(group: &GroupChange) -> String {
    if let Some(changed) = group_table::region_changes(group) {
        return text::message(&changed, MAX_NOTE);
    }
    let named: Vec<&str> = group
        .regions
        .keys()
        .take(6)
        .map(crate::core::fleet::ids::Region::as_str)
        .collect();
    text::message(&named.join(", "), MAX_NOTE)
}

fn what_happens(plan: &Plan, group: &GroupChange, section: Option<&Section<'_>>) -> String {
    let mut parts = Vec::new();
    match group.verdict {
        GroupVerdict::Added => match &group.moved_from[..] {
            [] if group_table::is_all_missing(plan, group) => {
                parts.push("all its Machines are gone".to_owned());
            }
            [] => parts.push("new group".to_owned()),
            _ => {}
        },
        GroupVerdict::Removed if plan.mode == PlanMode::Destroy || section.is_some() => {
            parts.push(group_table::change_text(plan, group, section));
        }
        GroupVerdict::Removed => parts.push("moved".to_owned()),
        GroupVerdict::Changed | GroupVerdict::Unchanged => {}
    }
    if let Some(section) = section {
        parts.push(join_counts(&section.counts(|_| true)));
    }
    if !group.moved_from.is_empty() {
        let from: Vec<String> = group
            .moved_from
            .iter()
            .take(3)
            .map(|name| text::cell(name.as_str()))
            .collect();
        let more = group.moved_from.len().saturating_sub(3);
        let more = if more > 0 {
            format!(" and {}", count_noun(more, "more group"))
        } else {
            String::new()
        };
        parts.push(format!("from {}{more}", from.join(", ")));
    }
    if parts.is_empty() {
        parts.push("only the state changes".to_owned());
    }
    parts.join(" · ")
}

/// The fold of one group.
struct GroupFold<'a> {
    section: &'a Section<'a>,
    piece: PieceId,
    /// Whether its updates are the first ones of the plan.
    first_update: bool,
}

fn group_folds<'a>(
    outline: &'a Outline<'a>,
    style: &'a MarkdownStyle,
    layout: &mut Layout<'a>,
) -> Vec<GroupFold<'a>> {
    let mut sections: Vec<&Section<'_>> = outline.sections.iter().collect();
    sections.sort_by_key(|section| weight(Some(section)));
    let mut first_update = true;
    let mut folds = Vec::new();
    for section in sections {
        let text = group_fold(section, first_update, Detail::ALL, style);
        folds.push(GroupFold {
            section,
            piece: layout.text(text),
            first_update,
        });
        first_update &= !section.has_updates();
    }
    folds
}

fn group_fold(
    section: &Section<'_>,
    first_update: bool,
    detail: Detail,
    style: &MarkdownStyle,
) -> String {
    let mut lines = String::new();
    let style = diff_style(style);
    let page = &mut LineWriter::diff(&style, detail, &mut lines);
    let group = section.group;
    let command = group
        .and_then(|group| group.command.as_deref())
        .filter(|text| !text.is_empty());
    let heads = command
        .into_iter()
        .chain(group.and_then(|group| group.count_reason.as_deref()));
    for head in heads {
        page.line(&Line::new(6).plain(head))
            .expect("writing to a String cannot fail");
    }
    section::entries(section, first_update, page).expect("writing to a String cannot fail");
    ids::standby_legend(page).expect("writing to a String cannot fail");
    let counts = join_counts(&section.counts(|_| true));
    fold::fold(
        &format!("{} · {counts}", text::html(section.name.as_str())),
        &lines,
    )
}

/// Diffs are not wrapped.
pub(super) fn diff_style(style: &MarkdownStyle) -> Style {
    Style {
        color: false,
        width: usize::MAX,
        verbose: style.verbose,
        program: style.program,
        cut_words: false,
    }
}

impl<'a> GroupFold<'a> {
    /// Adds the cut of one stage, which keeps what the stages before it have left.
    fn cut(&self, stage: Omitted, style: &'a MarkdownStyle, layout: &mut Layout<'a>) {
        let (section, first_update) = (self.section, self.first_update);
        let (detail, count) = match stage {
            Omitted::FieldDiffs => (
                Detail {
                    fields: false,
                    ..Detail::ALL
                },
                self.machines(|kind, has_fields| {
                    has_fields && !matches!(kind, ChangeKind::Create(_) | ChangeKind::Destroy(_))
                }),
            ),
            Omitted::Equipment => (
                Detail {
                    ids: true,
                    fields: false,
                    equipment: false,
                },
                self.machines(|kind, _| {
                    matches!(
                        kind,
                        ChangeKind::Create(_) | ChangeKind::Swap | ChangeKind::Replace(_)
                    )
                }),
            ),
            Omitted::Ids => (
                Detail {
                    ids: false,
                    fields: false,
                    equipment: false,
                },
                self.machines(|kind, _| !matches!(kind, ChangeKind::Create(_))),
            ),
            _ => {
                layout.cut(self.piece, stage, 1, String::new);
                return;
            }
        };
        layout.cut(self.piece, stage, count, move || {
            group_fold(section, first_update, detail, style)
        });
    }

    fn machines(&self, counted: impl Fn(ChangeKind<'_>, bool) -> bool) -> usize {
        let bundles = self.section.bundles.iter();
        bundles
            .filter(|bundle| counted(bundle.kind, !bundle.fields.is_empty()))
            .map(|bundle| bundle.machines.len())
            .sum()
    }
}

/// A fold of warnings, notes and records, and how many there are.
fn remarks(
    plan: &Plan,
    style: &MarkdownStyle,
    layout: &mut Layout<'_>,
) -> Option<(PieceId, usize)> {
    let kinds: [(&str, &str, &[Note]); 3] = [
        ("**Warning:**", "warning", &plan.warnings),
        ("**State:**", "change of the state only", &plan.records),
        ("**Note:**", "note", &plan.notes),
    ];
    let mut lines = String::new();
    let mut counts = Vec::new();
    for (head, noun, notes) in kinds {
        for note in notes {
            let line = plan_caution::note_line(head, note, style.program);
            let message = text::message(&line.message, MAX_NOTE);
            let _ = writeln!(lines, "- {} {message}", line.head);
        }
        if !notes.is_empty() {
            counts.push(match (noun, notes.len()) {
                ("change of the state only", 1) => "1 change of the state only".to_owned(),
                ("change of the state only", n) => format!("{n} changes of the state only"),
                (noun, n) => count_noun(n, noun),
            });
        }
    }
    let count = plan.warnings.len() + plan.records.len() + plan.notes.len();
    (count > 0).then(|| {
        (
            layout.text(fold::fold_text(&counts.join(" · "), &lines)),
            count,
        )
    })
}

fn footer(comment: &PlanComment<'_>, shown: &Plan) -> Footer {
    let PlanComment {
        plan,
        digest,
        failed,
        ..
    } = *comment;
    let mut sentences = Vec::new();
    // The refusals have their own hints.
    let hinted = failed.filter(|_| plan.refusals.is_empty());
    sentences.extend(hinted.and_then(FailureText::hint_sentence));
    sentences.extend(closing::cost_text(shown));
    sentences.extend(closing::minimum_duration(shown));
    sentences.extend(closing::rollback_text(shown));
    if failed.is_none() && !plan.is_empty() && plan.refusals.is_empty() {
        sentences.push(match plan.mode {
            PlanMode::Normal => "`aeroform apply` applies it.".to_owned(),
            PlanMode::Destroy => "`aeroform destroy` applies it.".to_owned(),
            PlanMode::RefreshOnly => "`aeroform refresh` applies it.".to_owned(),
        });
    }
    let header = full_plan::header(plan).text("aeroform");
    sentences.push(format!("{header} · plan `{digest}`"));
    Footer {
        sentences,
        complete: "`aeroform plan -v` prints everything.".to_owned(),
    }
}
