//! `aeroform completions SHELL`, and the completion requests of its script.
//!
//! The script runs this program while the user types. Completions come from the manifests, the state file and
//! the tables of Fly's regions and sizes: nothing is started, requested or written. Input that cannot be read
//! has no completions.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Arg, Command};
use clap_complete::Shell;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{EnvCompleter, Shells};

use super::Context;
use super::args::{self, GlobalFlags};
use super::manifests::{self, Purpose};
use super::state_place;
use crate::core::fleet::profile::PROVIDERS;
use crate::core::fleet::{AppName, Desired, Known, MachineId};
use crate::core::platform::{regions, sizes};
use crate::core::state;
use crate::core::view::escape::safe;
use crate::env::Env;
use crate::ui::{ColorChoice, Exit, Loudness, OutputFormat, Ui};

/// The variable with the name of the requesting shell.
const SHELL_VARIABLE: &str = "AEROFORM_COMPLETE";

/// Prints the script.
pub(super) fn run(context: &Context<'_>, shell: Shell) -> Exit {
    let shells = Shells::builtins();
    let shell = shells.completer(&shell.to_string());
    let mut script = Vec::new();
    let shell = shell.expect("every shell that can be named has a script");
    shell
        .write_registration(
            SHELL_VARIABLE,
            "aeroform",
            "aeroform",
            "aeroform",
            &mut script,
        )
        .expect("writing to memory cannot fail");
    context.ui.verbatim(&String::from_utf8_lossy(&script));
    Exit::Done
}

/// Completes words if the script runs the program.
pub(super) fn answer(args: &[OsString], env: &Env) -> Option<Exit> {
    let shells = Shells::builtins();
    let shell = shells.completer(env.var(SHELL_VARIABLE)?)?;
    let ui = Ui::new(env, ColorChoice::Never, Loudness::Quiet, OutputFormat::Text);
    let typed: Vec<OsString> = args
        .iter()
        .skip_while(|word| *word != "--")
        .skip(1)
        .cloned()
        .collect();
    ui.verbatim(&complete_words(shell, &ui, env, typed));
    Some(ui.finish(Exit::Done))
}

fn complete_words(shell: &dyn EnvCompleter, ui: &Ui, env: &Env, typed: Vec<OsString>) -> String {
    let facts = Arc::new(CompletionData::of(ui, env, &typed));
    let mut command = with_completers(args::command(), &facts);
    command.build();
    let mut answer = Vec::new();
    // An invalid command line has no completions.
    let _ = shell.write_complete(&mut command, typed, None, &mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Adds completers to arguments, by the names of their values.
fn with_completers(command: Command, facts: &Arc<CompletionData>) -> Command {
    let subcommands: Vec<String> = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect();
    let mut command = command.mut_args(|arg| with_completer(arg, facts));
    for name in subcommands {
        command = command.mut_subcommand(name, |sub| with_completers(sub, facts));
    }
    command
}

fn with_completer(arg: Arg, facts: &Arc<CompletionData>) -> Arg {
    let names = arg.get_value_names().into_iter().flatten();
    let kinds: BTreeSet<ValueKind> = names
        .flat_map(|name| name.split(['|', '=', '[', ',', '…']))
        .filter_map(ValueKind::of)
        .collect();
    if kinds.is_empty() {
        return arg;
    }
    // A prefix such as `fly_process_group=` is completed with the group.
    let names = arg.get_value_names().into_iter().flatten();
    let before = { names }.find_map(|name| Some(format!("{}=", name.strip_suffix("=GROUP")?)));
    let before = before.unwrap_or_default();
    let facts = Arc::clone(facts);
    arg.add(ArgValueCandidates::new(move || {
        let words = kinds.iter().flat_map(|kind| facts.words(*kind));
        words.map(|word| word.add_prefix(&before)).collect()
    }))
}

/// A kind of completable value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ValueKind {
    Group,
    Machine,
    Region,
    Size,
    Provider,
}

impl ValueKind {
    fn of(name: &str) -> Option<Self> {
        match name {
            "GROUP" => Some(Self::Group),
            "ID" => Some(Self::Machine),
            "REGION" => Some(Self::Region),
            "SIZE" => Some(Self::Size),
            "PROVIDER" => Some(Self::Provider),
            _ => None,
        }
    }
}

/// Names with a description, read offline.
#[derive(Debug, Default)]
struct CompletionData {
    groups: BTreeMap<String, String>,
    machines: BTreeMap<String, String>,
}

impl CompletionData {
    /// Reads the project that the typed flags select.
    fn of(ui: &Ui, env: &Env, typed: &[OsString]) -> Self {
        let folder = value_of(typed, "-C", "--chdir");
        if folder.is_some_and(|folder| std::env::set_current_dir(folder).is_err()) {
            return Self::default();
        }
        let global = GlobalFlags {
            config: value_of(typed, "-c", "--config").map(PathBuf::from),
            app: value_of(typed, "-a", "--app").and_then(|app| AppName::new(app.to_str()?).ok()),
            ..GlobalFlags::empty()
        };
        let Ok(global) = global.with_app_from_env(env) else {
            return Self::default();
        };
        let context = Context {
            ui,
            env,
            global: &global,
        };
        let Ok(read) = manifests::read(&context, Purpose::Run) else {
            return Self::default();
        };
        let Some(desired) = read.loaded.desired else {
            return Self::default();
        };
        let path = state_place::state_path(&read.project, &desired.app, &read.loaded.settings);
        let text = path
            .ok()
            .and_then(|path| read.project.read_data(&path?).ok()?);
        let text = text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let known = text.and_then(|text| state::read(&text, &desired.app).ok());
        Self::from(&desired, known.as_ref())
    }

    fn from(desired: &Desired, known: Option<&Known>) -> Self {
        let mut facts = Self::default();
        let machines = known.into_iter().flat_map(|known| &known.machines);
        for (id, machine) in machines {
            let id: &MachineId = id;
            let about = format!("{} {}", machine.group, machine.region);
            facts.machines.insert(id.to_string(), about);
            let group = facts.groups.entry(machine.group.to_string());
            group.or_insert_with(|| "no longer in fly.toml".to_owned());
        }
        for (name, group) in &desired.groups {
            let command = group.command.clone().unwrap_or_default();
            facts.groups.insert(name.to_string(), command);
        }
        facts
    }

    fn words(&self, kind: ValueKind) -> Vec<CompletionCandidate> {
        let candidate = |word: &str, about: &str| {
            let about = (!about.is_empty()).then(|| safe(about).into_owned().into());
            CompletionCandidate::new(word).help(about)
        };
        let named = |names: &BTreeMap<String, String>| {
            // Names with unprintable characters are left out.
            let pairs = names.iter().filter(|(word, _)| safe(word) == **word);
            pairs.map(|(word, about)| candidate(word, about)).collect()
        };
        match kind {
            ValueKind::Group => named(&self.groups),
            ValueKind::Machine => named(&self.machines),
            ValueKind::Region => regions::all()
                .filter(|region| !region.retired)
                .map(|region| candidate(region.code, region.name))
                .collect(),
            ValueKind::Size => sizes::all()
                .filter(|size| size.gpu.is_none())
                .map(|size| candidate(size.name, &sizes::format_memory(size.memory_mb)))
                .collect(),
            ValueKind::Provider => PROVIDERS
                .iter()
                .map(|profile| candidate(profile.name, profile.machine_description))
                .collect(),
        }
    }
}

/// The value of a flag in any of its forms.
fn value_of<'a>(typed: &'a [OsString], short: &str, long: &str) -> Option<&'a Path> {
    let mut words = typed.iter();
    while let Some(word) = words.next() {
        let text = word.to_str().unwrap_or_default();
        if text == short || text == long {
            return words.next().map(Path::new);
        }
        let joined = text
            .strip_prefix(long)
            .and_then(|rest| rest.strip_prefix('='));
        let glued = text.strip_prefix(short).filter(|rest| !rest.is_empty());
        if let Some(value) = joined.or(glued.filter(|_| !text.starts_with("--"))) {
            return Some(Path::new(OsStr::new(value)));
        }
    }
    None
}
