//! The part of a plan that a reviewer must see: refusals, destroyed Machines, volumes left behind, shrinks, reverts.

use std::cmp::Reverse;

use super::caution::{Caution, CautionKind, CautionLine};
use super::text;
use crate::core::plan::{Comparison, GroupVerdict, Note, Plan, PlanMode};
use crate::core::view::change_bundle::{ChangeKind, MachineChange};
use crate::core::view::outline::{Outline, Section};
use crate::core::view::phrases::{count_noun, group_digits};
use crate::core::view::toml_diff::{self, TomlForms};

/// The start of a line about a pending change.
const WAITING: &str = "Also waiting: ";

/// The block of a plan. With a base, `shown` is this change, and the pending changes are a separate part: merging
/// applies them, too.
pub(super) fn caution(
    shown: &Plan,
    outline: &Outline<'_>,
    comparison: Option<&Comparison>,
    pending: Option<(&Plan, &Outline<'_>)>,
    program: &'static str,
) -> Caution {
    let mut block = Caution::default();
    let remarks = comparison.map_or(&[][..], |comparison| &comparison.remarks);
    block.add(CautionKind {
        prefix: "",
        lines: note_lines("**Base:**", remarks, program),
        fold: |n, _, all| {
            if all {
                format!("**Base:** {}", count_noun(n, "warning"))
            } else {
                format!("and {} about the base", count_noun(n, "more warning"))
            }
        },
    });
    refused(shown, "", program, &mut block);
    if shown.mode == PlanMode::Destroy {
        let app = text::name(shown.app.as_str());
        block.add_line(format!("**Destroys every Machine** of {app}"));
    }
    changes(shown, outline, "", &mut block);
    if let Some((pending, outline)) = pending {
        refused(pending, WAITING, program, &mut block);
        changes(pending, outline, WAITING, &mut block);
    }
    block
}

fn refused(plan: &Plan, prefix: &'static str, program: &'static str, block: &mut Caution) {
    block.add(CautionKind {
        prefix,
        lines: note_lines("**Refused:**", &plan.refusals, program),
        fold: |n, _, all| {
            if all {
                format!("**Refused** for {}", count_noun(n, "reason"))
            } else {
                format!("and {}", count_noun(n, "more refusal"))
            }
        },
    });
}

fn note_lines(head: &str, notes: &[Note], program: &'static str) -> Vec<CautionLine> {
    let lines = notes.iter().map(|note| note_line(head, note, program));
    lines.collect()
}

/// Destroyed Machines, volumes left behind, reverts and shrinks.
fn changes(plan: &Plan, outline: &Outline<'_>, prefix: &'static str, block: &mut Caution) {
    block.add(CautionKind {
        prefix,
        lines: by_amount(outline, |section| destroy_line(plan, section)),
        fold: |groups, machines, all| {
            let machines = count_noun(machines, "Machine");
            if all {
                format!("**Destroys** {machines} of {}", count_noun(groups, "group"))
            } else {
                format!(
                    "and {}: {machines} destroyed",
                    count_noun(groups, "more group")
                )
            }
        },
    });
    block.add(CautionKind {
        prefix,
        lines: by_amount(outline, data_line),
        fold: |groups, volumes, all| {
            let volumes = count_noun(volumes, "volume");
            if all {
                format!("**Leaves data** on {volumes}")
            } else {
                format!(
                    "and {}: data on {volumes}",
                    count_noun(groups, "more group")
                )
            }
        },
    });
    block.add(CautionKind {
        prefix,
        lines: revert_lines(plan),
        fold: |n, machines, all| {
            let machines = count_noun(machines, "Machine");
            if all {
                format!("**Reverts** {} on {machines}", count_noun(n, "release"))
            } else {
                format!("and {} on {machines}", count_noun(n, "more release"))
            }
        },
    });
    block.add(CautionKind {
        prefix,
        lines: by_amount(outline, shrink_line),
        fold: |groups, machines, all| {
            let machines = count_noun(machines, "Machine");
            if all {
                format!("**Shrinks** {machines} of {}", count_noun(groups, "group"))
            } else {
                format!(
                    "and {}: {machines} shrunk",
                    count_noun(groups, "more group")
                )
            }
        },
    });
}

/// A note with its hint.
pub(super) fn note_line(head: &str, note: &Note, program: &'static str) -> CautionLine {
    let group = match &note.group {
        Some(group) if !note.message.contains(group.as_str()) => {
            format!(" group {}:", text::name(group.as_str()))
        }
        Some(_) | None => String::new(),
    };
    let hint = note.hint.iter().map(|hint| format!(" (hint: {hint})"));
    let message = format!("{}{}", note.message, hint.collect::<String>());
    CautionLine {
        head: format!("{head}{group}"),
        message: super::frame::with_program(&message, program),
        ..CautionLine::default()
    }
}

/// One line for each section that has one, the largest number of Machines first.
fn by_amount(
    outline: &Outline<'_>,
    line: impl Fn(&Section<'_>) -> Option<CautionLine>,
) -> Vec<CautionLine> {
    let mut lines: Vec<CautionLine> = outline.sections.iter().filter_map(line).collect();
    lines.sort_by_key(|line| Reverse(line.amount));
    lines
}

fn destroy_line(plan: &Plan, section: &Section<'_>) -> Option<CautionLine> {
    let destroyed: Vec<&MachineChange<'_>> = section
        .bundles
        .iter()
        .filter(|bundle| matches!(bundle.kind, ChangeKind::Destroy(_)))
        .flat_map(|bundle| &bundle.machines)
        .collect();
    if destroyed.is_empty() {
        return None;
    }
    let is_removed = section.is_removed() && plan.mode != PlanMode::Destroy;
    let name = text::name(section.name.as_str());
    let machines = count_noun(destroyed.len(), "Machine");
    let left = section.group.map_or(0, |group| group.after);
    let head = if is_removed {
        format!("**Destroys group** {name}, {machines}")
    } else if left == 0
        && section
            .group
            .is_some_and(|group| group.verdict != GroupVerdict::Removed)
    {
        format!("**Destroys all** {machines} of {name}")
    } else {
        format!("**Destroys** {machines} of {name}")
    };
    Some(CautionLine {
        head,
        message: String::new(),
        ids: destroyed.iter().map(|machine| id_of(machine)).collect(),
        amount: destroyed.len(),
    })
}

fn id_of(machine: &MachineChange<'_>) -> String {
    let name = || machine.change.machine.name.to_string();
    machine.id().map_or_else(name, ToString::to_string)
}

fn data_line(section: &Section<'_>) -> Option<CautionLine> {
    let machines = section.bundles.iter().flat_map(|bundle| &bundle.machines);
    let volumes: Vec<String> = machines
        .flat_map(MachineChange::unattached_volumes)
        .map(ToString::to_string)
        .collect();
    if volumes.is_empty() {
        return None;
    }
    let leaves = if section.online {
        "Leaves data"
    } else {
        "May leave data"
    };
    let name = text::name(section.name.as_str());
    Some(CautionLine {
        head: format!(
            "**{leaves}** on {} of {name}",
            count_noun(volumes.len(), "volume")
        ),
        message: String::new(),
        amount: volumes.len(),
        ids: volumes,
    })
}

fn revert_lines(plan: &Plan) -> Vec<CautionLine> {
    let reverts = plan.reverts();
    let lines = reverts.iter().map(|revert| CautionLine {
        head: "**Reverts**".to_owned(),
        message: revert.describe().trim_start_matches("reverts ").to_owned(),
        ids: Vec::new(),
        amount: revert.machines,
    });
    lines.collect()
}

fn shrink_line(section: &Section<'_>) -> Option<CautionLine> {
    let mut texts: Vec<String> = Vec::new();
    let mut machines = 0;
    let forms = section.group.map(TomlForms::of).unwrap_or_default();
    for bundle in &section.bundles {
        let lowered = toml_diff::lowered_resources(section.name, forms.size, bundle.fields);
        if lowered.is_empty() || matches!(bundle.kind, ChangeKind::Destroy(_)) {
            continue;
        }
        machines += bundle.machines.len();
        for text in lowered {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
    }
    (machines > 0).then(|| CautionLine {
        head: format!(
            "**Shrinks** {} of {}:",
            count_noun(machines, "Machine"),
            text::name(section.name.as_str())
        ),
        message: shorter_list(&texts),
        ids: Vec::new(),
        amount: machines,
    })
}

/// The first few of many texts.
fn shorter_list(texts: &[String]) -> String {
    const SHOWN: usize = 4;
    let more = texts.len().saturating_sub(SHOWN);
    let shown = texts[..texts.len().min(SHOWN)].join(", ");
    if more > 0 {
        format!("{shown} and {} more", group_digits(more))
    } else {
        shown
    }
}
