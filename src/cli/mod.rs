//! The verbs, one file each: observe → plan → view → approve → apply → store.
//!
//! Makes no decision that the plan could make, and prints only through [`crate::ui`]. Start at [`main`];
//! [`args`] is the command line as data.

pub mod args;
mod changed_meanwhile;
pub mod codes;
pub mod consent;
pub mod fly_deploy_flags;

mod also;
mod apply;
mod apply_flow;
mod apply_leases;
mod base;
mod can_begin;
mod completions;
mod destroy;
mod drift;
mod edit;
mod emulator;
mod expected_plan;
mod fallback_manifests;
mod file_edits;
mod flyctl_commands;
mod formats;
mod git_history;
mod git_index;
mod gitignore;
mod group;
mod import;
mod init;
mod local_files;
mod lock;
mod logs;
mod machine;
mod man;
mod manifest_pair;
mod manifests;
mod manual;
mod missing_fly_toml;
mod newest_state;
mod plan;
mod platform;
mod project;
mod refresh;
mod refused_plan;
mod regions;
mod releases;
mod restart;
mod rollback;
mod run_and_report;
mod run_errors;
mod saved_plan;
mod scale;
mod scale_show;
mod scale_size;
mod session;
mod show_config;
mod stale_plan;
mod state;
mod state_migrate;
mod state_place;
mod state_prepare;
mod status;
mod unlock;
mod validate;
mod version;
mod views;

use std::ffi::OsString;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::ExitCode;

use clap::FromArgMatches;
use clap::error::ErrorKind;

use args::{Cli, GlobalFlags, ShowVerb, TypedCommand, Verb};

use crate::core::fleet::ids::InvalidName;
use crate::core::scrub::{self, TokenScrubber};
use crate::core::view::escape::safe;
use crate::core::view::markdown::DEFAULT_BUDGET;
use crate::env::Env;
use crate::provider::fly::TOKEN_VARS;
use crate::provider::local::supervise;
use crate::ui::{ColorChoice, Exit, Failure, Loudness, OutputFormat, Ui};

/// The context of every verb.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// Output.
    pub(crate) ui: &'a Ui,
    /// Clock, ids, variables.
    pub(crate) env: &'a Env,
    /// Flags of every verb.
    pub(crate) global: &'a GlobalFlags,
}

/// The program with these arguments.
pub fn main(args: &[OsString]) -> ExitCode {
    if let Some(dir) = supervisor_dir(args) {
        return supervise(dir);
    }
    let env = Env::from_process();
    // Before any output.
    scrub::install(TokenScrubber::new(
        TOKEN_VARS.iter().filter_map(|name| env.var(name)),
    ));
    let answered = completions::answer(args, &env);
    answered.unwrap_or_else(|| run_command(args, &env)).into()
}

/// Runs a command line.
fn run_command(args: &[OsString], env: &Env) -> Exit {
    let cli = match parse(args, env) {
        Ok(cli) => cli,
        Err(exit) => return exit,
    };
    let ui = Ui::new(
        env,
        cli.global.color,
        cli.global.loudness(),
        cli.verb.format(),
    )
    .with_program(cli.global.program())
    .with_budget(
        cli.verb
            .report_flags()
            .map_or(DEFAULT_BUDGET, |flags| flags.budget),
    );
    ui.sanitize_panics();
    formats::begin(&ui, env);
    let ended = panic::catch_unwind(AssertUnwindSafe(|| run_verb(&ui, env, &cli)))
        .unwrap_or_else(|_| Err(Failure::bug("internal error; see above")));
    let exit = ended.unwrap_or_else(|failure| {
        let failure = if cli.verb.needs_app() && !ui.has_changed() {
            failure.with_nothing_changed()
        } else {
            failure
        };
        formats::print_failure(&ui, cli.verb.name(), &failure);
        failure.exit
    });
    let exit = ui.finish(exit);
    formats::finish(&ui, env, cli.verb.name(), exit);
    exit
}

/// The folder of the local Machine that this process supervises. Not a verb: users never type it, and help and
/// completions do not list it.
fn supervisor_dir(args: &[OsString]) -> Option<&Path> {
    match args {
        [_, verb, dir] if verb == "__supervise" => Some(Path::new(dir)),
        _ => None,
    }
}

/// Parses the command line; help, version and usage errors end the program here.
fn parse(args: &[OsString], env: &Env) -> Result<Cli, Exit> {
    let mut command = args::command();
    command
        .try_get_matches_from_mut(args)
        .and_then(|matches| {
            let mut cli = Cli::from_arg_matches(&matches)?;
            cli.global.typed_command = TypedCommand::from_matches(&command, &matches);
            let checked = cli.verb.check_flags();
            checked.map_err(|why| command.error(ErrorKind::ValueValidation, why))?;
            Ok(cli)
        })
        .map_err(|error| {
            let ui = Ui::new(env, color_flag(args), Loudness::Normal, OutputFormat::Text);
            let is_requested = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            let text = flyctl_commands::add_suggestion(error, args, &command).render();
            let colored = if is_requested {
                ui.color_data()
            } else {
                ui.color_talk()
            };
            // Typed escape sequences cannot be distinguished from our colours.
            let typed = args
                .iter()
                .all(|arg| arg.to_str().is_some_and(|arg| safe(arg) == arg));
            let text = if colored && typed {
                text.ansi().to_string()
            } else {
                text.to_string()
            };
            if is_requested {
                ui.data(text.trim_end());
                ui.data("\n");
                ui.finish(Exit::Done)
            } else {
                ui.talk(text.trim_end());
                Exit::Usage
            }
        })
}

/// `--color` of an invalid command line.
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

fn run_verb(ui: &Ui, env: &Env, cli: &Cli) -> Result<Exit, Failure> {
    let started_in = std::env::current_dir().ok();
    if let Some(dir) = &cli.global.chdir {
        std::env::set_current_dir(dir).map_err(|error| {
            Failure::new(
                codes::CHDIR,
                format!("cannot change to folder `{}`", dir.display()),
            )
            .cause(error)
        })?;
    }
    also::open(ui, &cli.verb)?;
    let mut given = cli.global.clone();
    given.started_in = started_in.filter(|_| given.chdir.is_some());
    let global = match given.clone().with_app_from_env(env) {
        Ok(global) => global,
        // These verbs need no app.
        Err(_) if !cli.verb.needs_app() => given,
        Err(error) => return Err(app_name_error(&error)),
    };
    let context = Context {
        ui,
        env,
        global: &global,
    };
    match &cli.verb {
        Verb::Init { state_url, .. } => block_on(init::run(&context, state_url.as_deref())),
        Verb::Validate(args) => validate::run(&context, args),
        Verb::Show(ShowVerb::Config(args)) => show_config::run(&context, args),
        Verb::Platform(args) => Ok(platform::run(&context, args)),
        Verb::Completions { shell } => Ok(completions::run(&context, *shell)),
        Verb::Man { dir } => man::run(&context, dir),
        Verb::Version { .. } => Ok(version::run(&context)),
        Verb::Plan(args) => block_on(plan::run(&context, args)),
        Verb::Apply(args) => block_on(apply::run(&context, args)),
        Verb::Destroy(args) => block_on(destroy::run(&context, args)),
        Verb::Import(args) => block_on(import::run(&context, args)),
        Verb::Scale(args) => block_on(scale::run(&context, args)),
        Verb::Group(args) => block_on(group::run(&context, args)),
        Verb::Regions(args) => block_on(regions::run(&context, args)),
        Verb::Drift(args) => block_on(drift::run(&context, args)),
        Verb::Refresh(args) => block_on(refresh::run(&context, args)),
        Verb::Restart(args) => block_on(restart::run(&context, args)),
        Verb::Rollback(args) => block_on(rollback::run(&context, args)),
        Verb::Machine(args) => block_on(machine::run(&context, args)),
        Verb::Status(args) => block_on(status::run(&context, args)),
        Verb::Releases(args) => block_on(releases::run(&context, args)),
        Verb::Logs(args) => block_on(logs::run(&context, args)),
        Verb::State(args) => block_on(state::run(&context, args)),
        Verb::Unlock { force, .. } => block_on(unlock::run(&context, *force)),
        Verb::Emulator(args) => block_on(emulator::run(&context, args)),
    }
}

fn app_name_error(error: &InvalidName) -> Failure {
    let message = format!(
        "`FLY_APP` is `{}`, which is not a valid app name",
        error.text
    );
    Failure::new(codes::BAD_APP, message)
        .cause(error.rule)
        .hint("unset `FLY_APP`, or name the app with `--app`")
}

/// Runs an async verb on this thread.
fn block_on(verb: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::new(codes::RUNTIME, "cannot start the async runtime").cause(error)
        })?;
    runtime.block_on(verb)
}
