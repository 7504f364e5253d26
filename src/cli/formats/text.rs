//! For people: the terminal views, and sentences. What to do next goes to standard error.

use std::collections::BTreeMap;

use super::super::manifests::Manifests;
use super::super::views::write_stdout;
use super::{CommandOutput, file_names};
use crate::core::fleet::{GroupName, Known, KnownMachine, MachineId};
use crate::core::view::json::config::{GroupConfig, SecretDisplay};
use crate::core::view::json::{self, to_pretty};
use crate::core::view::phrases::count_noun;
use crate::core::view::{FileEdit, PreparedState, StateMove, StatusView, escape, terminal};
use crate::provider::LogLine;
use crate::store::Unlocked;
use crate::ui::color::{TextRole, paint};
use crate::ui::{Loudness, Ui};

#[expect(clippy::too_many_lines, reason = "one arm for each result")]
pub(super) fn print(ui: &Ui, output: &CommandOutput<'_>) {
    match output {
        CommandOutput::Plan(plan)
        | CommandOutput::ProposedPlan(plan)
        | CommandOutput::EmptyRun(plan) => {
            write_stdout(ui, |style, text| terminal::plan(plan, style, text));
        }
        CommandOutput::ComparedPlan(plan, comparison) => {
            write_stdout(ui, |style, text| {
                terminal::compared_plan(plan, comparison, style, text)
            });
        }
        // The progress on standard error has it.
        CommandOutput::EndOfEmptyRun(_) | CommandOutput::Event { .. } => {}
        CommandOutput::Report(report) => {
            write_stdout(ui, |style, text| terminal::report(report, style, text));
        }
        CommandOutput::Drift(plan) => {
            write_stdout(ui, |style, text| terminal::drift(plan, style, text));
        }
        CommandOutput::Edit {
            app: _,
            files,
            written: _,
            plan,
        } => {
            write_stdout(ui, |style, text| terminal::edits(files, style, text));
            if let Some(plan) = plan {
                print(ui, &CommandOutput::Plan(plan));
            }
        }
        CommandOutput::NoEdit(_) => {
            ui.data("The files already have this setting; nothing was changed.\n");
        }
        CommandOutput::Init {
            app: _,
            written,
            state,
        } => init(ui, written, *state),
        CommandOutput::Import { app: _, written } => {
            ui.data(&format!("wrote {}:\n\n", file_names(written).join(" and ")));
            write_stdout(ui, |style, text| terminal::edits(written, style, text));
        }
        CommandOutput::Validated(manifests) => validated(ui, manifests),
        CommandOutput::Configs {
            app: _,
            groups,
            one_group,
            secrets,
        } => configs(ui, groups, *one_group, *secrets),
        CommandOutput::Status(view) => {
            write_stdout(ui, |style, text| terminal::status(view, style, text));
        }
        CommandOutput::Releases(view) => {
            write_stdout(ui, |style, text| terminal::releases(view, style, text));
        }
        CommandOutput::MachineList(view) => machine_list(ui, view),
        CommandOutput::MachineDetail { app: _, view } => {
            write_stdout(ui, |style, text| {
                terminal::machine::detail(view, style, text)
            });
        }
        CommandOutput::MachineAction {
            action: _,
            before,
            after,
        } => write_stdout(ui, |style, text| {
            terminal::machine::action(before, after, style, text)
        }),
        CommandOutput::Scale(view) => {
            write_stdout(ui, |style, text| terminal::scale(view, style, text));
        }
        CommandOutput::Log(line) => log(ui, line),
        CommandOutput::StateList(known) => state_list(ui, known),
        CommandOutput::StateShow(known) => ui.data(&to_pretty(&json::state::show(known))),
        CommandOutput::StateLog(known) => state_log(ui, known),
        CommandOutput::StatePulled {
            file,
            location,
            serial,
        } => ui.data(&format!("`{file}` is serial {serial} of `{location}`\n")),
        CommandOutput::StateMove { view, edits } => write_stdout(ui, |style, text| {
            terminal::state_move(view, style, text)?;
            terminal::edits(edits, style, text)
        }),
        CommandOutput::StateMoved {
            view,
            moved,
            commit,
        } => state_moved(ui, view, *moved, commit),
        CommandOutput::StatePushed { location, serial } => new_serial(ui, location, *serial),
        CommandOutput::StateMachine {
            location,
            serial,
            id: _,
            group: _,
            advice,
        } => {
            new_serial(ui, location, *serial);
            ui.say(advice);
        }
        CommandOutput::Lock { location, status } => match status {
            Unlocked::Free => ui.data(&format!("the lock is free: `{location}`\n")),
            Unlocked::Removed(holder) => {
                let who = holder.as_ref().map(super::super::lock::holder_name);
                let who = who.map_or(String::new(), |who| format!("; it was held by {who}"));
                ui.data(&format!("the lock of `{location}` is removed{who}\n"));
            }
            // The command fails with the name of the holder.
            Unlocked::Live { .. } => {}
        },
        CommandOutput::EmulatorListens(url) => {
            ui.data(&format!("{url} serves the emulated Machines API\n"));
            ui.say(&format!(
                "in another terminal: `export FLY_FLAPS_BASE_URL={url} FLY_API_TOKEN=none`"
            ));
        }
        CommandOutput::VmSizes => {
            write_stdout(ui, |style, text| terminal::platform::vm_sizes(style, text));
        }
        CommandOutput::Regions => {
            write_stdout(ui, |style, text| terminal::platform::regions(style, text));
        }
        CommandOutput::Version(version) => ui.data(&format!("aeroform {version}\n")),
    }
}

fn init(ui: &Ui, written: &[FileEdit], state: Option<&PreparedState>) {
    if let Some(PreparedState { place, lock }) = state {
        let lock = lock.as_ref();
        let lock = lock.map_or(String::new(), |name| format!("; its lock is `{name}`"));
        ui.data(&format!("`{place}` takes the state{lock}\n"));
    }
    if written.is_empty() {
        return;
    }
    let names: Vec<String> = file_names(written)
        .iter()
        .map(|name| format!("`{name}`"))
        .collect();
    ui.data(&format!("wrote {}\n", join_words(&names)));
    ui.say("next: run `aeroform plan`");
}

fn validated(ui: &Ui, manifests: &Manifests) {
    manifests.show_problems(ui);
    if !manifests.loaded.diagnostics.has_errors() {
        let (path, desired) = (
            manifests.fly_path.display(),
            manifests.loaded.desired.as_ref(),
        );
        let groups = desired.map_or(0, |desired| desired.groups.len());
        let groups = count_noun(groups, "process group");
        ui.data(&format!("`{path}` is valid: {groups}\n"));
    }
}

fn configs(ui: &Ui, groups: &[GroupConfig<'_>], one_group: bool, secrets: SecretDisplay) {
    let text = match groups {
        [only] if one_group => to_pretty(&only.config),
        all => {
            let by_name: BTreeMap<_, _> = all
                .iter()
                .map(|group| (group.name, &group.config))
                .collect();
            to_pretty(&by_name)
        }
    };
    match secrets {
        SecretDisplay::Shown => ui.data_with_secrets(&text),
        SecretDisplay::Hidden => ui.data(&text),
    }
}

fn machine_list(ui: &Ui, view: &StatusView) {
    if ui.loudness() == Loudness::Quiet {
        for machine in &view.machines {
            ui.data(&format!("{}\n", machine.id));
        }
    } else {
        write_stdout(ui, |style, text| terminal::machine::list(view, style, text));
    }
}

fn new_serial(ui: &Ui, location: &str, serial: u64) {
    ui.data(&format!("`{location}` is now at serial {serial}\n"));
}

fn state_moved(ui: &Ui, view: &StateMove, moved: bool, commit: &[String]) {
    let is = if moved { "is now" } else { "is already" };
    let serial = view.serial;
    let serial = serial.map_or("no state yet".to_owned(), |serial| {
        format!("serial {serial}")
    });
    ui.data(&format!("the state {is} at `{}`: {serial}\n", view.to));
    if !commit.is_empty() {
        let names: Vec<String> = commit.iter().map(|name| format!("`{name}`")).collect();
        ui.say(&format!(
            "commit and push {}: commands in a checkout without that commit end with `state_moved`",
            join_words(&names)
        ));
    }
}

fn state_list(ui: &Ui, known: &Known) {
    let width = |cell: fn(&MachineId, &KnownMachine) -> usize| {
        known
            .machines
            .iter()
            .map(|(id, m)| cell(id, m))
            .max()
            .unwrap_or(0)
    };
    let (ids, groups) = (
        width(|id, _| id.as_str().len()),
        width(|_, machine| machine.group.as_str().chars().count()),
    );
    for (id, machine) in &known.machines {
        let (group, region) = (&machine.group, &machine.region);
        ui.data(&format!(
            "{id:ids$}  {group:groups$}  {region}  {}\n",
            machine.name
        ));
    }
    if known.machines.is_empty() {
        ui.say("the state has no Machine");
    }
}

fn state_log(ui: &Ui, known: &Known) {
    if known.runs.is_empty() {
        ui.say("the state lists no run");
        return;
    }
    write_stdout(ui, |style, text| terminal::state_log(known, style, text));
}

fn log(ui: &Ui, line: &LogLine) {
    let group = line.group.as_ref().map_or("-", GroupName::as_str);
    let head = format!(
        "{} {} {}",
        truncate_to_millis(&line.at),
        escape::safe(group),
        line.machine
    );
    let head = paint(&head, TextRole::Dim, ui.color_data());
    ui.data_with_secrets(&format!("{head} {}\n", escape::safe(&line.text)));
}

/// A list of words, as people write it.
fn join_words(words: &[String]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => words.concat(),
    }
}

/// A time as people read it; finer parts of a second are for programs.
fn truncate_to_millis(at: &str) -> String {
    match at.split_once('.') {
        Some((seconds, fraction)) if fraction.ends_with('Z') => {
            let digits = fraction.trim_end_matches('Z');
            format!("{seconds}.{}Z", &digits[..digits.len().min(3)])
        }
        _ => at.to_owned(),
    }
}

#[test]
fn times_are_shown_to_the_millisecond() {
    assert_eq!(
        truncate_to_millis("2026-11-22T12:41:02.988146Z"),
        "2026-11-22T12:41:02.988Z"
    );
    for kept in ["2026-11-22T12:41:02Z", "2026-11-22T12:41:02.9Z", "x.y"] {
        assert_eq!(truncate_to_millis(kept), kept);
    }
}
