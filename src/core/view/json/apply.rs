//! `apply --json` and `destroy --json`: one event per line. The first line carries the version, the
//! last one is `finished`, whatever happened.

use serde::Serialize;
use serde_json::Value;

use super::FORMAT_VERSION;
use crate::core::fleet::{AppName, GroupName, Region, RunId};
use crate::core::plan::partial_rollout::GroupVersions;
use crate::core::plan::{
    Addition, Change, Event, MachineRef, Outcome, Plan, ReplaceHalf, RunOutcome, StateOutcome,
    StepEvent, StepId, Summary, Unconfirmed, Verb,
};
use crate::core::view::rollback_report::RollbackSummary;
use crate::core::view::run_report::{RunReport, step_change};
use crate::core::view::toml_diff;

/// One line.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventLine<'a> {
    /// The run began; the first line.
    Started {
        /// The version of all lines.
        format_version: u32,
        /// The run; none when there was nothing to do.
        #[serde(skip_serializing_if = "Option::is_none")]
        run: Option<&'a RunId>,
        /// The app.
        app: &'a AppName,
        /// Changes that it has.
        steps: usize,
        /// The same by kind.
        summary: Summary,
    },
    /// A step began.
    StepBegan {
        /// Which.
        #[serde(flatten)]
        step: StepRef<'a>,
    },
    /// A step waits.
    StepWaiting {
        /// Which.
        #[serde(flatten)]
        step: StepRef<'a>,
        /// What for.
        on: &'a str,
        /// Its timeout in milliseconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        up_to_ms: Option<u64>,
    },
    /// A step is tried again.
    StepRetrying {
        /// Which.
        #[serde(flatten)]
        step: StepRef<'a>,
        /// The cause.
        cause: &'a str,
    },
    /// The provider did something that was not planned.
    StepRemark {
        /// Which.
        #[serde(flatten)]
        step: StepRef<'a>,
        /// What.
        text: &'a str,
    },
    /// The output of a command that ran once.
    StepOutput {
        /// Which.
        #[serde(flatten)]
        step: StepRef<'a>,
        /// Its lines, oldest first.
        lines: &'a [String],
        /// Whether the command failed.
        failed: bool,
    },
    /// A step ended.
    StepEnded {
        /// Which.
        #[serde(flatten)]
        step: StepRef<'a>,
        /// `done`, `failed` (code, message, hint), `unknown` (message), `skipped` (because) or
        /// `not_started`.
        #[serde(flatten)]
        outcome: &'a Outcome,
    },
    /// The run waits before its first step.
    Waiting {
        /// What for.
        on: &'a str,
        /// The longest wait in milliseconds.
        up_to_ms: u64,
    },
    /// Whether a signal interrupted it.
    Interrupted {
        /// Changes that were sent and are not confirmed.
        sent: Unconfirmed,
        /// Calls without a response yet.
        unanswered: usize,
        /// Milliseconds until the wait ends; none without a limit.
        #[serde(skip_serializing_if = "Option::is_none")]
        up_to_ms: Option<u64>,
    },
    /// The run undoes its changes; the following steps have `undoes`.
    RollingBack {
        /// The release that its Machines had before.
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<u64>,
        /// The number of its steps.
        steps: usize,
        /// The failure that caused it.
        cause: &'a str,
    },
    /// The run's release has its number.
    Release {
        /// The number.
        release: u64,
        /// Why the platform does not have it; none when it is registered.
        #[serde(skip_serializing_if = "Option::is_none")]
        unregistered: Option<&'a str>,
    },
    /// The run ended; the last line.
    Finished(Box<FinishedLine<'a>>),
}

/// A step in a line.
#[derive(Debug, Serialize)]
pub struct StepRef<'a> {
    step: StepId,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    undoes: bool,
    action: Verb,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<ReplaceHalf>,
    group: &'a GroupName,
    region: &'a Region,
    machine: &'a MachineRef,
}

/// The last line.
#[derive(Debug, Serialize)]
pub struct FinishedLine<'a> {
    outcome: FinishedStatus,
    total: usize,
    done: usize,
    failed: usize,
    unknown: usize,
    skipped: usize,
    not_started: usize,
    #[serde(skip_serializing_if = "is_zero")]
    rolled_back: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollback: Option<Box<RollbackSummary<'a>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    replaced: Vec<ReplacedMachine<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    serving: &'a [GroupVersions],
    #[serde(skip_serializing_if = "Option::is_none")]
    image_before: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    findings: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    remarks: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    additions: Vec<AddedField<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    overtaken: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unpublished: Option<UnpublishedCopy<'a>>,
}

/// A Machine whose host had no room, and the one that replaced it.
#[derive(Debug, Serialize)]
struct ReplacedMachine<'a> {
    group: &'a GroupName,
    region: &'a Region,
    machine: &'a MachineRef,
    by: MachineRef,
}

/// A field that the platform added.
#[derive(Debug, Serialize)]
struct AddedField<'a> {
    code: &'a str,
    group: &'a GroupName,
    machines: usize,
    path: &'a [String],
    /// None if Machines have different values, or if it looks secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<String>,
    lines: Vec<String>,
}

impl<'a> AddedField<'a> {
    fn of(addition: &'a Addition) -> Self {
        let written = toml_diff::lines_for_addition(addition);
        Self {
            code: addition.code().name(),
            group: &addition.group,
            machines: addition.machines,
            path: &addition.path,
            value: addition.value.as_ref(),
            table: written.table,
            lines: if written.config_only {
                Vec::new()
            } else {
                written.lines
            },
        }
    }
}

#[derive(Debug, Serialize)]
struct UnpublishedCopy<'a> {
    cause: &'a str,
    copy: &'a str,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum FinishedStatus {
    Complete,
    /// Completed, but fly.toml must set the rest.
    Incomplete,
    Failed,
    Overtaken,
    Interrupted,
}

/// The line of an event; none for what happens to a barrier.
pub fn event_line<'a>(plan: &'a Plan, event: &'a Event) -> Option<EventLine<'a>> {
    let (step, what) = match event {
        Event::Started { run, app, steps } => {
            return Some(EventLine::Started {
                format_version: FORMAT_VERSION,
                run: Some(run),
                app,
                steps: *steps,
                summary: plan.summary(),
            });
        }
        Event::Waiting { on, up_to_ms } => {
            return Some(EventLine::Waiting {
                on,
                up_to_ms: *up_to_ms,
            });
        }
        Event::Interrupted(stopping) => {
            return Some(EventLine::Interrupted {
                sent: stopping.sent,
                unanswered: stopping.unanswered,
                up_to_ms: stopping.up_to_ms,
            });
        }
        Event::Release {
            release,
            unregistered,
        } => {
            return Some(EventLine::Release {
                release: *release,
                unregistered: unregistered.as_deref(),
            });
        }
        Event::RollingBack { to, steps, cause } => {
            return Some(EventLine::RollingBack {
                to: *to,
                steps: *steps,
                cause,
            });
        }
        Event::Undo { step, change, what } => (undo_ref(change, *step), what),
        Event::Step { step, what } => (step_ref(plan, *step)?, what),
    };
    Some(match what {
        StepEvent::Began => EventLine::StepBegan { step },
        StepEvent::Waiting { on, up_to_ms } => EventLine::StepWaiting {
            step,
            on,
            up_to_ms: *up_to_ms,
        },
        StepEvent::Retrying { cause } => EventLine::StepRetrying { step, cause },
        StepEvent::Remark { text } => EventLine::StepRemark { step, text },
        StepEvent::Output { lines, failed } => EventLine::StepOutput {
            step,
            lines,
            failed: *failed,
        },
        StepEvent::Created { .. } => return None,
        StepEvent::Ended(outcome) => EventLine::StepEnded { step, outcome },
    })
}

/// The first line of an apply without changes, which starts no run.
pub fn empty_run_line(plan: &Plan) -> EventLine<'_> {
    EventLine::Started {
        format_version: FORMAT_VERSION,
        run: None,
        app: &plan.app,
        steps: 0,
        summary: plan.summary(),
    }
}

/// The last line.
pub fn finished_line<'a>(report: &RunReport<'a>) -> EventLine<'a> {
    let tally = report.tally();
    let left_out = report.remaining_notes();
    let left = report.partial_rollout.filter(|_| tally.done < tally.total);
    let (serial, unpublished) = match report.state {
        StateOutcome::Unchanged => (None, None),
        StateOutcome::Written { serial, .. } => (Some(*serial), None),
        StateOutcome::Unpublished { cause, copy } => (None, Some(UnpublishedCopy { cause, copy })),
    };
    EventLine::Finished(Box::new(FinishedLine {
        outcome: match report.outcome {
            RunOutcome::Incomplete => FinishedStatus::Incomplete,
            RunOutcome::Complete => FinishedStatus::Complete,
            RunOutcome::Failed | RunOutcome::Stale => FinishedStatus::Failed,
            RunOutcome::Overtaken => FinishedStatus::Overtaken,
            RunOutcome::Interrupted => FinishedStatus::Interrupted,
        },
        total: tally.total,
        done: tally.done,
        failed: tally.failed,
        unknown: tally.unknown,
        skipped: tally.skipped,
        not_started: tally.not_started,
        rolled_back: tally.rolled_back,
        rollback: RollbackSummary::of(report).map(Box::new),
        replaced: report
            .replaced_machines()
            .map(|(change, new)| ReplacedMachine {
                group: &change.group,
                region: &change.region,
                machine: &change.machine,
                by: MachineRef {
                    id: Some(new.id.clone()),
                    name: new.name.clone(),
                },
            })
            .collect(),
        serving: left.map_or(&[], |left| &left.groups),
        image_before: left.and_then(|left| left.image_before.as_deref()),
        findings: report.findings,
        remarks: report.remarks,
        additions: report.additions.iter().map(AddedField::of).collect(),
        overtaken: report.overtaken,
        left_out,
        serial,
        unpublished,
    }))
}

fn step_ref(plan: &Plan, step: StepId) -> Option<StepRef<'_>> {
    let of_plan = undo_ref(step_change(plan, step)?, step);
    Some(StepRef {
        undoes: false,
        ..of_plan
    })
}

/// A step of a rollback.
fn undo_ref(change: &Change, step: StepId) -> StepRef<'_> {
    let (action, part) = change.action.verb();
    StepRef {
        step,
        undoes: true,
        action,
        part,
        group: &change.group,
        region: &change.region,
        machine: &change.machine,
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(n: &usize) -> bool {
    *n == 0
}
