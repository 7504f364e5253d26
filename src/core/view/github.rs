//! Annotations as workflow commands of GitHub Actions, shown on the lines of a pull request, and the outputs of a step.
//!
//! The only place that writes such commands; [`super::escape`] prevents accidental ones.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::{self, Write};

use super::change_bundle::{ChangeKind, MachineChange};
use super::markdown;
use super::outline::{Outline, Section};
use super::phrases::{count_noun, group_digits};
use super::rollback_report::RollbackSummary;
use super::run_report::{RunReport, cause_of, machine_label};
use super::terminal::plan::closing::counts;
use crate::core::escape;
use crate::core::fleet::GroupName;
use crate::core::fleet::secret::patterns::redact_certain;
use crate::core::manifest::codes::SECRET_IN_ENV;
use crate::core::manifest::{Diagnostic, Diagnostics, Severity};
use crate::core::plan::{Change, Comparison, Note, Outcome, Plan, StepResult};

/// Annotations of a kind that GitHub keeps of one step; it drops the rest without a word.
const MAX_OF_A_KIND: usize = 10;

/// Machines that an annotation names.
const MAX_NAMES: usize = 10;

/// One annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// The kind.
    pub severity: Severity,
    /// Its title: a stable code or a word.
    pub title: String,
    /// The message.
    pub message: String,
    /// Where.
    pub position: Option<SourcePosition>,
    /// The group that it is about, for one without a position.
    pub group: Option<GroupName>,
    /// Less is worse.
    weight: Weight,
}

/// A position in a file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePosition {
    /// Its path from the top of the repository.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1; none if it is about the line.
    pub column: Option<usize>,
}

/// The order of annotations of a kind, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Refused,
    Failed(Reverse<usize>),
    Destroys(Reverse<usize>),
    LeavesData,
    Reverts,
    Shrinks,
    Secret,
    OfPlan,
    OfFile,
}

/// What a step of a workflow reports to later steps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepOutputs {
    /// Names and values, in order.
    pub values: Vec<(&'static str, String)>,
}

/// Diagnostics of the manifests. `path` maps a displayed file to its path in the repository.
pub fn of_diagnostics(diagnostics: &Diagnostics, path: impl Fn(&str) -> String) -> Vec<Annotation> {
    diagnostics
        .iter()
        .map(|found| of_diagnostic(found, &path))
        .collect()
}

fn of_diagnostic(found: &Diagnostic, path: impl Fn(&str) -> String) -> Annotation {
    let mut message = found.message.clone();
    let position = found.location.as_ref();
    if let Some(label) = position.and_then(|position| position.label.as_ref()) {
        let _ = write!(message, " ({label})");
    }
    for position in &found.related {
        let label = position.label.as_deref().unwrap_or("see");
        let _ = write!(
            message,
            "\n{label}: {}:{}:{}",
            position.file, position.line, position.column
        );
    }
    if let Some(help) = &found.help {
        let _ = write!(message, "\nhelp: {help}");
    }
    Annotation {
        severity: found.severity,
        title: found.code.to_owned(),
        message,
        position: position.map(|position| SourcePosition {
            file: path(&position.file),
            line: position.line,
            column: Some(position.column),
        }),
        group: None,
        weight: if found.code == SECRET_IN_ENV.name() {
            Weight::Secret
        } else {
            Weight::OfFile
        },
    }
}

/// Refusals, what cannot be undone, and warnings of a plan; with a base, those of this change.
pub fn of_plan(plan: &Plan, comparison: Option<&Comparison>) -> Vec<Annotation> {
    let this_change = comparison.map(|comparison| comparison.this_change(plan));
    let remarks = comparison.map_or(&[][..], |comparison| &comparison.remarks);
    let plan = this_change.as_ref().unwrap_or(plan);
    let outline = Outline::of(plan);
    let mut found: Vec<Annotation> = plan
        .refusals
        .iter()
        .map(|note| of_note(Severity::Error, Weight::Refused, note))
        .collect();
    for section in &outline.sections {
        found.extend(destroys(section));
        found.extend(leaves_data(section));
        found.extend(shrinks(section));
    }
    found.extend(plan.reverts().iter().map(|revert| {
        warning(
            Weight::Reverts,
            "reverts",
            format!("the plan {}", revert.describe()),
            None,
        )
    }));
    found.extend(
        remarks
            .iter()
            .chain(&plan.warnings)
            .map(|note| of_note(Severity::Warning, Weight::OfPlan, note)),
    );
    found
}

fn warning(weight: Weight, title: &str, message: String, group: Option<&GroupName>) -> Annotation {
    Annotation {
        severity: Severity::Warning,
        title: title.to_owned(),
        message,
        position: None,
        group: group.cloned(),
        weight,
    }
}

fn of_note(severity: Severity, weight: Weight, note: &Note) -> Annotation {
    let hint = note.hint.iter().map(|hint| format!("\nhint: {hint}"));
    Annotation {
        severity,
        title: note.code.clone(),
        message: format!("{}{}", note.message, hint.collect::<String>()),
        position: None,
        group: note.group.clone(),
        weight,
    }
}

fn destroys(section: &Section<'_>) -> Option<Annotation> {
    let n: usize = machines(section, |kind| matches!(kind, ChangeKind::Destroy(_)));
    let what = if section.is_removed() {
        "destroys group"
    } else {
        "destroys Machines of group"
    };
    (n > 0).then(|| {
        let text = format!("{what} `{}`: {}", section.name, count_noun(n, "Machine"));
        warning(
            Weight::Destroys(Reverse(n)),
            "destroys",
            text,
            Some(section.name),
        )
    })
}

fn leaves_data(section: &Section<'_>) -> Option<Annotation> {
    let machines = section.bundles.iter().flat_map(|bundle| &bundle.machines);
    let n = machines.flat_map(MachineChange::unattached_volumes).count();
    (n > 0).then(|| {
        let text = format!(
            "data of group `{}` is left on {}",
            section.name,
            count_noun(n, "volume")
        );
        warning(Weight::LeavesData, "leaves_data", text, Some(section.name))
    })
}

fn shrinks(section: &Section<'_>) -> Option<Annotation> {
    let shrinking = section.bundles.iter().filter(|bundle| {
        !matches!(bundle.kind, ChangeKind::Destroy(_))
            && bundle.fields.iter().any(|field| field.shrinks)
    });
    let n: usize = shrinking.map(|bundle| bundle.machines.len()).sum();
    (n > 0).then(|| {
        let of = count_noun(n, "Machine");
        let text = format!("shrinks CPU or memory of {of} of group `{}`", section.name);
        warning(Weight::Shrinks, "shrinks", text, Some(section.name))
    })
}

fn machines(section: &Section<'_>, counted: fn(ChangeKind<'_>) -> bool) -> usize {
    section.counts(counted).iter().map(|(_, n)| n).sum()
}

/// Failures of a run, each cause once with its Machines.
pub fn of_report(report: &RunReport<'_>) -> Vec<Annotation> {
    type Failed<'r> = (&'r str, Vec<(&'r Change, &'r StepResult)>);
    let mut causes: BTreeMap<(&str, &str), Failed<'_>> = BTreeMap::new();
    for (change, result) in report.results() {
        let (code, message) = match &result.outcome {
            Outcome::Failed { code, message, .. } => (code.as_str(), message.as_str()),
            Outcome::Unknown { message } => ("unconfirmed", message.as_str()),
            Outcome::Done | Outcome::Skipped { .. } | Outcome::NotStarted => continue,
        };
        let of_cause = causes.entry((code, cause_of(message)));
        let of_cause = of_cause.or_insert((message, Vec::new()));
        of_cause.1.push((change, result));
    }
    let failed = causes.into_iter().map(|((code, _), (message, of_cause))| {
        let n = of_cause.len();
        let text = format!("{}: {message}", machine_names(&of_cause));
        Annotation {
            weight: Weight::Failed(Reverse(n)),
            ..failure(code, text, Some(&of_cause[0].0.group))
        }
    });
    let findings = report
        .findings
        .iter()
        .map(|text| failure("not_verified", text.clone(), None));
    let rolled_back = RollbackSummary::of(report);
    let rolled_back = rolled_back.map(|rollback| failure("rollback", rollback.head(), None));
    let overtaken = report
        .overtaken
        .iter()
        .map(|text| failure("overtaken", text.clone(), None));
    let failed = failed.chain(rolled_back).chain(findings);
    failed.chain(overtaken).collect()
}

/// `d8912ef67 (web, ams), e784e90c1 (web, fra)`, the first of many.
fn machine_names(of_cause: &[(&Change, &StepResult)]) -> String {
    let shown = of_cause.iter().take(MAX_NAMES);
    let mut names: Vec<String> = shown
        .map(|(change, result)| {
            let machine = machine_label(change, result);
            format!("{machine} ({}, {})", change.group, change.region)
        })
        .collect();
    let more = of_cause.len() - names.len();
    if more > 0 {
        names.push(format!("and {} more", count_noun(more, "Machine")));
    }
    names.join(", ")
}

/// An error of the command.
pub fn failure(code: &str, message: String, group: Option<&GroupName>) -> Annotation {
    Annotation {
        severity: Severity::Error,
        title: code.to_owned(),
        message,
        position: None,
        group: group.cloned(),
        weight: Weight::Failed(Reverse(0)),
    }
}

/// Writes them, errors first and the worst first among those of a kind; what GitHub would drop is counted by the last
/// one. `locate` is the position of a group, or of the app for none.
pub fn render(
    annotations: &[Annotation],
    locate: impl Fn(Option<&GroupName>) -> Option<SourcePosition>,
    out: &mut dyn Write,
) -> fmt::Result {
    for (severity, command) in [(Severity::Error, "error"), (Severity::Warning, "warning")] {
        let of_kind = annotations.iter().filter(|one| one.severity == severity);
        let mut of_kind: Vec<&Annotation> = of_kind.collect();
        of_kind.sort_by_key(|one| one.weight);
        let shown = if of_kind.len() > MAX_OF_A_KIND {
            MAX_OF_A_KIND - 1
        } else {
            of_kind.len()
        };
        for one in &of_kind[..shown] {
            let position = one.position.clone().or_else(|| locate(one.group.as_ref()));
            let position = position.map(|position| location_properties(&position) + ",");
            let (position, title) = (position.unwrap_or_default(), escape_property(&one.title));
            let message = escape_data(&one.message);
            writeln!(out, "::{command} {position}title={title}::{message}")?;
        }
        let more = of_kind.len() - shown;
        if more > 0 {
            let more = group_digits(more);
            writeln!(
                out,
                "::{command} title=more::and {more} more {command}s; the log has them all"
            )?;
        }
    }
    Ok(())
}

fn location_properties(position: &SourcePosition) -> String {
    let column = position
        .column
        .map_or_else(String::new, |column| format!(",col={column}"));
    format!(
        "file={},line={}{column}",
        escape_property(&position.file),
        position.line
    )
}

/// Escapes a message; line ends are encoded as GitHub expects. Secrets are hidden in each message alone, so that none
/// hides the next one.
fn escape_data(text: &str) -> String {
    let text = redact_certain(text);
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| escape::safe(line).replace('%', "%25"))
        .collect();
    lines.join("%0A")
}

/// Escapes a property, including colons and commas.
fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

impl StepOutputs {
    /// The outputs of a plan, without the exit code; with a base, those of this change.
    pub fn of_plan(plan: &Plan, comparison: Option<&Comparison>) -> Self {
        let plan_digest = plan.plan_digest();
        let this_change = comparison.map(|comparison| comparison.this_change(plan));
        let plan = this_change.as_ref().unwrap_or(plan);
        let summary = plan.summary();
        let changes: usize = counts(plan).iter().map(|(n, ..)| n).sum();
        let refused = !plan.refusals.is_empty();
        let labels = [
            ("no-changes", plan.is_empty() && !refused),
            ("creates", summary.create > 0),
            (
                "updates",
                summary.update + summary.replace + summary.moves + summary.start > 0,
            ),
            ("destroys", summary.destroy > 0),
            ("refused", refused),
        ];
        let labels = labels.iter().filter(|(_, holds)| *holds);
        let labels: Vec<String> = labels
            .map(|(label, _)| format!("aeroform:{label}"))
            .collect();
        Self {
            values: vec![
                ("changes", changes.to_string()),
                ("destroys", summary.destroy.to_string()),
                ("refused", refused.to_string()),
                ("summary", markdown::title(plan)),
                ("labels", labels.join(",")),
                ("plan_digest", plan_digest),
            ],
        }
    }

    /// The outputs of drift.
    pub fn of_drift(plan: &Plan) -> Self {
        Self {
            values: vec![
                ("changes", plan.outside_drift().count().to_string()),
                ("summary", markdown::drift_title(plan)),
            ],
        }
    }

    /// The same with the exit code first.
    #[must_use]
    pub fn with_exit_code(mut self, code: u8) -> Self {
        self.values.insert(0, ("exit_code", code.to_string()));
        self
    }

    /// Whether the plan is refused.
    pub fn is_refused(&self) -> bool {
        self.values.contains(&("refused", true.to_string()))
    }

    /// The text for `$GITHUB_OUTPUT`: each value between lines of a delimiter that no value holds.
    pub fn render(&self) -> String {
        let mut delimiter = "aeroform_end_of_value".to_owned();
        while self
            .values
            .iter()
            .any(|(_, value)| value.contains(&delimiter))
        {
            delimiter.push('_');
        }
        let mut text = String::new();
        for (name, value) in &self.values {
            let value = escape::safe(value);
            let _ = write!(text, "{name}<<{delimiter}\n{value}\n{delimiter}\n");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::manifest::{SourceLocation, codes};

    fn position(file: &str) -> SourceLocation {
        SourceLocation {
            file: file.to_owned(),
            span: 0..1,
            line: 3,
            column: 7,
            excerpt: String::new(),
            caret: 0..0,
            label: None,
        }
    }

    fn written(file: &str, message: &str) -> String {
        let mut found = Diagnostics::default();
        found.push(Diagnostic::warning(codes::CLAMPED, "a warning"));
        found.push(
            Diagnostic::error(codes::BAD_VALUE, message)
                .with_location(position(file))
                .help("two\r\nlines"),
        );
        rendered(&found)
    }

    fn rendered(found: &Diagnostics) -> String {
        let mut out = String::new();
        let annotations = of_diagnostics(found, str::to_owned);
        render(&annotations, |_| None, &mut out).unwrap();
        out
    }

    #[test]
    fn errors_come_first_with_their_position() {
        assert_eq!(
            written("fly.toml", "`x` is wrong: 100%"),
            "::error file=fly.toml,line=3,col=7,title=bad_value::`x` is wrong: 100%25%0Ahelp: two\\r%0Alines\n\
             ::warning title=clamped::a warning\n"
        );
    }

    #[test]
    fn ten_of_a_kind_are_written_the_worst_first_and_the_last_one_counts_the_rest() {
        let mut found = Diagnostics::default();
        for at in 0..15 {
            found.push(Diagnostic::warning(codes::CLAMPED, format!("warning {at}")));
        }
        found.push(Diagnostic::warning(codes::SECRET_IN_ENV, "a secret"));
        let text = rendered(&found);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 10, "{text}");
        assert_eq!(lines[0], "::warning title=secret_in_env::a secret");
        assert_eq!(lines[1], "::warning title=clamped::warning 0");
        assert_eq!(
            lines[9],
            "::warning title=more::and 7 more warnings; the log has them all"
        );
    }

    #[test]
    fn an_annotation_without_a_position_is_at_its_group() {
        let web = GroupName::new("web").unwrap();
        let found = [failure("gate_timeout", "slow".to_owned(), Some(&web))];
        let mut out = String::new();
        let locate = |group: Option<&GroupName>| {
            let line = if group == Some(&web) { 5 } else { 1 };
            Some(SourcePosition {
                file: "aeroform.toml".to_owned(),
                line,
                column: None,
            })
        };
        render(&found, locate, &mut out).unwrap();
        assert_eq!(
            out,
            "::error file=aeroform.toml,line=5,title=gate_timeout::slow\n"
        );
    }

    #[test]
    fn nothing_in_a_file_or_a_message_ends_the_command_or_begins_another() {
        let text = written("a,line=1:b%.toml", "x\n::error::y\r\n##[error]z\u{1b}[2J");
        assert_eq!(text.lines().count(), 2, "{text}");
        let first = text.lines().next().unwrap();
        assert!(
            first.starts_with("::error file=a%2Cline=1%3Ab%25.toml,line=3,col=7,"),
            "{first}"
        );
        assert!(!first.contains('\r') && !first.contains("##[") && !first.contains('\u{1b}'));
        assert!(!first.contains("%0A::error"), "{first}");
    }

    #[test]
    fn no_value_ends_an_output_or_begins_another() {
        let outputs = StepOutputs {
            values: vec![
                ("summary", "x\naeroform_end_of_value\nlabels=y".to_owned()),
                ("labels", "a".to_owned()),
            ],
        };
        assert_eq!(
            outputs.render(),
            "summary<<aeroform_end_of_value_\nx\\naeroform_end_of_value\\nlabels=y\naeroform_end_of_value_\n\
             labels<<aeroform_end_of_value_\na\naeroform_end_of_value_\n"
        );
    }
}
