//! One line per event of an apply.

use std::fmt;

use crate::core::fleet::MachineId;
use crate::core::plan::{
    Action, Change, Event, InFlight, Outcome, Plan, StepEvent, StepId, Unconfirmed,
};
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::phrases;
use crate::core::view::run_report::{Tally, step_change};
use crate::core::view::style::{Label, Style};

/// How many lines of a command's output are shown.
const MAX_OUTPUT_LINES: usize = 100;

/// A change in short (`~ web 148ed599c14189 gru`). Uses the Machine's id, which is
/// `created_id` for a new Machine, and its name before it has one.
pub fn subject(change: &Change, created_id: Option<&MachineId>) -> Line {
    let (symbol, label) = symbol(&change.action);
    let head = Line::new(0)
        .push(label, symbol)
        .plain(" ")
        .push(Label::Strong, change.label())
        .plain(" ");
    if let Action::Switch { greens, .. } = &change.action {
        return head.plain(phrases::count_noun(greens.len(), "new Machine"));
    }
    head.plain(
        change
            .machine
            .id
            .as_ref()
            .or(created_id)
            .map_or(change.machine.name.as_str(), MachineId::as_str),
    )
    .plain(" ")
    .push(Label::Dim, &change.region)
}

pub(super) fn symbol(action: &Action) -> (&'static str, Label) {
    match action {
        Action::Create { green: Some(_), .. } => ("+", Label::Create),
        Action::Create { replaces, .. } if replaces.is_some() => ("+/-", Label::Change),
        Action::Create { .. } => ("+", Label::Create),
        Action::Update { .. } | Action::Wait | Action::Start | Action::Switch { .. } => {
            ("~", Label::Change)
        }
        Action::Move { .. } => (">", Label::Change),
        Action::Destroy { .. } => ("-", Label::Destroy),
        Action::Adopt => ("=", Label::Create),
        Action::Forget => (".", Label::Dim),
        Action::Once { .. } => ("!", Label::Change),
        Action::Canary { .. } => ("*", Label::Change),
    }
}

/// The verb while it runs, and once it is done.
pub(super) fn action_verbs(change: &Change) -> (&'static str, &'static str) {
    match &change.action {
        Action::Create { .. } => ("creating", "created"),
        Action::Switch { .. } => ("switching", "switched"),
        Action::Update { .. } if change.keeps_config() => ("restarting", "restarted"),
        Action::Update { .. } => ("updating", "updated"),
        Action::Move { .. } => ("moving", "moved"),
        Action::Destroy { .. } => ("destroying", "destroyed"),
        Action::Wait => ("waiting until healthy", "healthy"),
        Action::Start => ("starting again", "started again"),
        Action::Adopt => ("adopting", "adopted"),
        Action::Forget => ("forgetting", "forgotten"),
        Action::Once { .. } => ("running", "ended with code 0"),
        Action::Canary { .. } => ("trying a canary", "canary passed, and is destroyed"),
    }
}

/// The same in a rollback.
pub(super) fn undo_verbs(change: &Change) -> (&'static str, &'static str) {
    match &change.action {
        Action::Create { .. } => ("creating again", "created again"),
        Action::Destroy { .. } => ("destroying", "destroyed"),
        Action::Update { .. }
        | Action::Move { .. }
        | Action::Wait
        | Action::Start
        | Action::Adopt
        | Action::Forget
        | Action::Once { .. }
        | Action::Switch { .. }
        | Action::Canary { .. } => ("putting back", "put back"),
    }
}

/// The event of a step, without its subject: `waits for check http, at most 30s`. None for events that the count
/// already shows.
fn event_text(
    (doing, done): (&'static str, &'static str),
    what: &StepEvent,
) -> Option<(Label, String)> {
    Some(match what {
        StepEvent::Began => (Label::Plain, doing.to_owned()),
        StepEvent::Waiting { on, up_to_ms } => {
            let limit = up_to_ms
                .map(|ms| format!(", at most {}", phrases::human_duration(ms)))
                .unwrap_or_default();
            (Label::Dim, format!("waits for {on}{limit}"))
        }
        StepEvent::Retrying { cause } => (Label::Change, format!("retrying: {cause}")),
        StepEvent::Remark { text } => (Label::Change, text.clone()),
        StepEvent::Output { lines, .. } => (
            Label::Dim,
            format!("output, {}:", phrases::count_noun(lines.len(), "line")),
        ),
        StepEvent::Ended(Outcome::Done) => (Label::Success, done.to_owned()),
        StepEvent::Ended(Outcome::Failed { code, message, .. }) => {
            (Label::Error, format!("failed: {message} ({code})"))
        }
        StepEvent::Ended(Outcome::Unknown { message }) => {
            (Label::Warning, format!("unconfirmed: {message}"))
        }
        StepEvent::Created { .. }
        | StepEvent::Ended(Outcome::Skipped { .. } | Outcome::NotStarted) => {
            return None;
        }
    })
}

/// `3 updates were sent and are not confirmed; the next apply checks them`, and how many responses are pending.
fn unconfirmed_text(stopping: &InFlight) -> String {
    let Unconfirmed {
        create,
        update,
        moves,
        destroy,
        start,
        switch,
        run,
    } = stopping.sent;
    let kinds = [
        (create, "create"),
        (update, "update"),
        (moves, "move"),
        (destroy, "destroy"),
        (start, "start"),
        (switch, "swap"),
        (run, "command"),
    ];
    let kinds = kinds.into_iter().filter(|(n, _)| *n > 0);
    let kinds: Vec<String> = kinds
        .map(|(n, kind)| phrases::count_noun(n, kind))
        .collect();
    let mut text = match (kinds.as_slice(), stopping.sent.total()) {
        ([], _) => "every sent change is confirmed".to_owned(),
        (kinds, 1) => format!(
            "{} was sent and is not confirmed; the next apply checks it",
            kinds.join("")
        ),
        (kinds, _) => format!(
            "{} were sent and are not confirmed; the next apply checks them",
            phrases::join_with_and(kinds)
        ),
    };
    if stopping.unanswered > 0 {
        let answers = phrases::count_noun(stopping.unanswered, "answer");
        let until = match stopping.up_to_ms {
            Some(ms) => format!("at most {}", phrases::human_duration(ms)),
            None => "until Ctrl-C is pressed again".to_owned(),
        };
        text = format!("{text}; waiting for {answers}, {until}");
    }
    text
}

/// The newest lines of a command's output; all with `-v`.
fn output_lines(lines: &[String], style: &Style, page: &mut LineWriter<'_>) -> fmt::Result {
    let hidden = if style.verbose {
        0
    } else {
        lines.len().saturating_sub(MAX_OUTPUT_LINES)
    };
    if hidden > 0 {
        let text = format!(
            "... {} before these; `-v` shows all",
            phrases::count_noun(hidden, "line")
        );
        page.line(&Line::new(4).push(Label::Dim, text))?;
    }
    for text in &lines[hidden..] {
        page.line(&Line::new(4).plain(text.as_str()))?;
    }
    Ok(())
}

/// Writes an event as one line; nothing for events without one.
pub fn event(
    plan: &Plan,
    event: &Event,
    tally: &Tally,
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let page = &mut LineWriter::new(style, out);
    match event {
        Event::Started { run, steps, .. } => {
            let text = format!("{} (run {run})", phrases::count_noun(*steps, "change"));
            page.line(&Line::new(0).push(Label::Strong, "Applying ").plain(text))
        }
        Event::Waiting { on, up_to_ms } => {
            let text = format!(
                "waits for {on}, at most {}",
                phrases::human_duration(*up_to_ms)
            );
            page.line(&Line::new(0).push(Label::Dim, text))
        }
        Event::Interrupted(stopping) => page.line(
            &Line::new(0)
                .push(Label::Warning, "stopping:")
                .plain(format!(" {}", unconfirmed_text(stopping))),
        ),
        Event::Release {
            release,
            unregistered: None,
        } => page.line(&Line::new(0).plain(format!("release v{release} is registered"))),
        Event::Release {
            release,
            unregistered: Some(why),
        } => page.line(
            &Line::new(0)
                .push(Label::Warning, "warning:")
                .plain(format!(" release v{release} is not registered: {why}")),
        ),
        Event::RollingBack { to, steps, cause } => {
            let to = to.map_or_else(String::new, |release| format!(" to v{release}"));
            let changes = phrases::count_noun(*steps, "change");
            page.line(
                &Line::new(0)
                    .push(Label::Warning, format!("rolling back{to}:"))
                    .plain(format!(" {changes}, because {cause}")),
            )
        }
        Event::Undo { step, change, what } => {
            step_line((*step, change, what), undo_verbs, tally, page)
        }
        Event::Step { step, what } => match step_change(plan, *step) {
            Some(change) => step_line((*step, change, what), action_verbs, tally, page),
            None => Ok(()),
        },
    }
}

/// The line of an event of a step.
fn step_line(
    (step, change, what): (StepId, &Change, &StepEvent),
    verbs: fn(&Change) -> (&'static str, &'static str),
    tally: &Tally,
    page: &mut LineWriter<'_>,
) -> fmt::Result {
    let Some((label, text)) = event_text(verbs(change), what) else {
        return Ok(());
    };
    let mut line = subject(change, tally.created_machine(step))
        .plain("  ")
        .push(label, text);
    if matches!(what, StepEvent::Ended(_)) {
        let count = format!("  {}/{}", tally.executed(), tally.total);
        line.add(Label::Dim, count);
    }
    // The report prints the hint of a failure.
    page.line(&line)?;
    if let StepEvent::Output { lines, .. } = what {
        let style = page.style;
        return output_lines(lines, style, page);
    }
    Ok(())
}
