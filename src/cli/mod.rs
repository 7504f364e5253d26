//! The verbs: one file each, glue only. Observe → plan → view → consent → apply → store.
//!
//! Nothing is decided here that the plan could decide, and nothing is printed but through
//! [`crate::ui`]. Start at [`main`]; [`args`] is the command line as data.

pub mod args;
pub mod codes;
pub mod consent;

mod apply;
mod by_hand;
mod carry_out;
mod completions;
mod destroy;
mod drift;
mod edit;
mod emulator;
mod files;
mod foreign;
mod groups;
mod ignored;
mod import;
mod init;
mod logs;
mod machine;
mod manifests;
mod pairs;
mod plan;
mod platform;
mod project;
mod refresh;
mod refusals;
mod regions;
mod restart;
mod running;
mod saved;
mod scale;
mod scale_show;
mod session;
mod show;
mod show_config;
mod size;
mod state;
mod status;
mod tracked;
mod unlock;
mod validate;
mod version;
mod without_manifests;

use std::ffi::OsString;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use args::{Cli, Global, Show, Typed, Verb};

use crate::core::fleet::ids::InvalidName;
use crate::core::scrub::{self, TokenScrubber};
use crate::core::view::escape::safe;
use crate::env::Env;
use crate::provider::fly::TOKEN_VARS;
use crate::provider::local::supervise;
use crate::ui::{ColorChoice, Exit, Failure, Loudness, Ui};

/// What every verb gets.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// Where its words go.
    pub(crate) ui: &'a Ui,
    /// Clock, ids, variables.
    pub(crate) env: &'a Env,
    /// Flags that every verb has.
    pub(crate) global: &'a Global,
}

/// The whole program, given its arguments.
pub fn main(args: &[OsString]) -> ExitCode {
    if let Some(dir) = supervised(args) {
        return supervise(dir);
    }
    let env = Env::of_process();
    // Before the first word is printed.
    scrub::install(TokenScrubber::new(
        TOKEN_VARS.iter().filter_map(|name| env.var(name)),
    ));
    let answered = completions::answered(args, &env);
    answered.unwrap_or_else(|| speak(args, &env)).into()
}

/// The program as people know it.
fn speak(args: &[OsString], env: &Env) -> Exit {
    let cli = match parse(args, env) {
        Ok(cli) => cli,
        Err(exit) => return exit,
    };
    let ui = Ui::new(
        env,
        cli.global.color,
        cli.global.loudness(),
        cli.verb.json(),
    )
    .called(cli.global.program());
    ui.tell_panics();
    let ended = panic::catch_unwind(AssertUnwindSafe(|| run(&ui, env, &cli)))
        .unwrap_or_else(|_| Err(Failure::bug("a part of the program gave up; see above")));
    let exit = ended.unwrap_or_else(|failure| {
        let failure = if cli.verb.is_about_an_app() && !ui.has_begun_to_change() {
            failure.unchanged()
        } else {
            failure
        };
        ui.failure(&failure);
        failure.exit
    });
    ui.finish(exit)
}

/// The folder of the local Machine that this process is to be the supervisor of. No verb of the command
/// line: people never type it, and help and completions are theirs.
fn supervised(args: &[OsString]) -> Option<&Path> {
    match args {
        [_, verb, dir] if verb == "__supervise" => Some(Path::new(dir)),
        _ => None,
    }
}

/// Reads the command line; help, version and mistakes end the program here.
fn parse(args: &[OsString], env: &Env) -> Result<Cli, Exit> {
    let mut command = Cli::command();
    command
        .try_get_matches_from_mut(args)
        .and_then(|matches| {
            let mut cli = Cli::from_arg_matches(&matches)?;
            cli.global.typed = Typed::of(&command, &matches);
            Ok(cli)
        })
        .map_err(|error| {
            let ui = Ui::new(env, color_flag(args), Loudness::Normal, false);
            let asked_for = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            let text = foreign::told(error, args).render();
            let colored = if asked_for {
                ui.color_data()
            } else {
                ui.color_talk()
            };
            // Colours of ours cannot be told from those that somebody typed.
            let typed = args
                .iter()
                .all(|arg| arg.to_str().is_some_and(|arg| safe(arg) == arg));
            let text = if colored && typed {
                text.ansi().to_string()
            } else {
                text.to_string()
            };
            if asked_for {
                ui.data(text.trim_end());
                ui.data("\n");
                ui.finish(Exit::Done)
            } else {
                ui.talk(text.trim_end());
                Exit::Usage
            }
        })
}

/// `--color` of a command line that could not be read.
fn color_flag(args: &[OsString]) -> ColorChoice {
    let mut words = args.iter().filter_map(|arg| arg.to_str());
    while let Some(word) = words.next() {
        let value = match word.strip_prefix("--color") {
            Some("") => words.next(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        match value {
            Some("always") => return ColorChoice::Always,
            Some("never") => return ColorChoice::Never,
            _ => {}
        }
    }
    ColorChoice::Auto
}

fn run(ui: &Ui, env: &Env, cli: &Cli) -> Result<Exit, Failure> {
    if let Some(dir) = &cli.global.chdir {
        std::env::set_current_dir(dir).map_err(|error| {
            Failure::new(codes::CHDIR, format!("cannot go to `{}`", dir.display())).cause(error)
        })?;
    }
    let global = match cli.global.clone().with_app_of(env) {
        Ok(global) => global,
        // These are about no app.
        Err(_) if !cli.verb.is_about_an_app() => cli.global.clone(),
        Err(error) => return Err(no_app_name(&error)),
    };
    let context = Context {
        ui,
        env,
        global: &global,
    };
    match &cli.verb {
        Verb::Init { .. } => wait(init::run(&context)),
        Verb::Validate(args) => validate::run(&context, args),
        Verb::Show(Show::Config(args)) => show_config::run(&context, args),
        Verb::Platform(args) => Ok(platform::run(&context, args)),
        Verb::Completions { shell } => Ok(completions::run(&context, *shell)),
        Verb::Version { .. } => Ok(version::run(&context)),
        Verb::Plan(args) => wait(plan::run(&context, args)),
        Verb::Apply(args) => wait(apply::run(&context, args)),
        Verb::Destroy(args) => wait(destroy::run(&context, args)),
        Verb::Import(args) => wait(import::run(&context, args)),
        Verb::Scale(args) => wait(scale::run(&context, args)),
        Verb::Group(args) => wait(groups::run(&context, args)),
        Verb::Regions(args) => wait(regions::run(&context, args)),
        Verb::Drift(args) => wait(drift::run(&context, args)),
        Verb::Refresh(args) => wait(refresh::run(&context, args)),
        Verb::Restart(args) => wait(restart::run(&context, args)),
        Verb::Machine(args) => wait(machine::run(&context, args)),
        Verb::Status(args) => wait(status::run(&context, args)),
        Verb::Logs(args) => wait(logs::run(&context, args)),
        Verb::State(args) => wait(state::run(&context, args)),
        Verb::Unlock { .. } => wait(unlock::run(&context)),
        Verb::Emulator(args) => wait(emulator::run(&context, args)),
    }
}

fn no_app_name(error: &InvalidName) -> Failure {
    let message = format!("`FLY_APP` is `{}`, which is no app name", error.text);
    Failure::new(codes::BAD_APP, message)
        .cause(error.rule)
        .hint("unset `FLY_APP`, or name the app with `--app`")
}

/// Runs a verb that waits for something, on this one thread.
fn wait(verb: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(codes::RUNTIME, "cannot begin to work").cause(error))?;
    runtime.block_on(verb)
}
