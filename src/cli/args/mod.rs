//! The command line as data. Nothing here does anything; docs/cli.md is generated from it.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{ArgAction, Args, Parser, Subcommand};
use clap_complete::Shell;

mod edit;
mod group;
mod import_emulator;
mod inspect;
mod logs;
mod machine;
mod options;
mod request;
mod scale;
mod state;
mod status;
mod typed_command;

pub use edit::EditFlags;
pub use group::{GroupVerb, RegionsArgs, RegionsVerb};
pub use import_emulator::{EmulatorArgs, Fill, ImportArgs, RateLimits};
pub use inspect::{DiagnosticFormat, PlatformVerb, ShowConfigArgs, ShowVerb, ValidateArgs};
pub use logs::LogsArgs;
pub use machine::{
    MachineActArgs, MachineCloneArgs, MachineDestroyArgs, MachineListArgs, MachineMoveArgs,
    MachineReplaceArgs, MachineStatusArgs, MachineUpdateArgs, MachineVerb,
};
pub use options::{PlanOptions, parse_steady};
pub use request::{RequestFlags, RestartArgs, RestartTarget};
pub use scale::{ScaleCountArgs, ScaleMemoryArgs, ScaleShowArgs, ScaleVerb, ScaleVmArgs};
pub use state::StateVerb;
pub use status::StatusArgs;
pub use typed_command::TypedCommand;

use super::consent::AllowDestroy;
use crate::core::fleet::ids::InvalidName;
use crate::core::fleet::normalise::{is_valid_image_ref, parse_duration};
use crate::core::fleet::quoting::shell_word;
use crate::core::fleet::{AppName, GroupName, MachineId, Region, RunId};
use crate::env::Env;
use crate::ui::{ColorChoice, Loudness};

/// flyctl takes the app's name from it, too.
const APP_VARIABLE: &str = "FLY_APP";

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Cyan.on_default())
    .error(AnsiColor::Red.on_default().bold());

/// Plan and apply for process groups
///
/// fly.toml says what each process group runs, aeroform.toml says how many Machines run where.
/// Aeroform compares that with the Machines that exist, shows the difference, asks, and carries it
/// out.
#[derive(Debug, Parser)]
#[command(
    name = "aeroform",
    version,
    styles = STYLES,
    propagate_version = false,
    max_term_width = 100,
    disable_help_subcommand = false,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  aeroform init               write aeroform.toml beside fly.toml
  aeroform plan               show what would change
  aeroform apply              show it, ask, and do it
  aeroform status             show the Machines and their checks

Exit codes: 0 done · 1 error · 2 changes · 3 incomplete · 4 stale · 5 locked · 6 refused · \
64 usage · 70 bug · 130 interrupted"
)]
pub struct Cli {
    /// Flags that every verb has.
    #[command(flatten)]
    pub global: GlobalFlags,
    /// The verb.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Flags that every verb has.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalFlags {
    /// Run as if started in this folder
    #[arg(short = 'C', long = "chdir", value_name = "DIR", global = true)]
    pub chdir: Option<PathBuf>,
    /// The fly.toml to read, or the folder that has it; its settings are those that go with it
    #[arg(short, long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// The app; beats `FLY_APP`, which beats `app` in fly.toml
    #[arg(short, long, value_name = "NAME", global = true, value_parser = parse_app_name)]
    pub app: Option<AppName>,
    /// The variable that says the app, where no flag does.
    #[arg(skip)]
    pub app_variable: Option<&'static str>,
    /// The verb as it was given.
    #[arg(skip)]
    pub typed_command: TypedCommand,
    /// Where Machines run; beats `provider` in aeroform.toml
    #[arg(long, value_name = "PROVIDER", global = true)]
    pub provider: Option<String>,
    /// The image that every group runs; beats both files
    #[arg(long, value_name = "REF", global = true, value_parser = parse_image)]
    pub image: Option<String>,
    /// Most requests a second to Fly's API, over all that it is asked
    #[arg(long, value_name = "N", global = true)]
    pub max_rps: Option<NonZeroU32>,
    /// When to use colour
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        global = true
    )]
    pub color: ColorChoice,
    /// Say less: no progress, only what matters
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more: every Machine by id
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

impl GlobalFlags {
    /// As if no flag was given.
    pub fn empty() -> Self {
        Self {
            chdir: None,
            config: None,
            app: None,
            app_variable: None,
            typed_command: TypedCommand::default(),
            provider: None,
            image: None,
            max_rps: None,
            color: ColorChoice::Auto,
            quiet: false,
            verbose: false,
        }
    }

    /// The same with the app that `FLY_APP` names, where no flag names one: flyctl's order.
    ///
    /// # Errors
    /// With the variable's text and the rule that it breaks, where it is no name.
    pub fn with_app_from_env(mut self, env: &Env) -> Result<Self, InvalidName> {
        if self.app.is_none()
            && let Some(text) = env.var(APP_VARIABLE)
        {
            self.app = Some(AppName::new(text)?);
            self.app_variable = Some(APP_VARIABLE);
        }
        Ok(self)
    }

    /// What says the app's name, as people write it.
    pub fn app_source(&self) -> &'static str {
        self.app_variable.unwrap_or("--app")
    }

    /// The program with the flags that say which project is meant, as a person would type it again.
    pub fn program(&self) -> String {
        let mut words = vec!["aeroform".to_owned()];
        for (flag, path) in [("-C", &self.chdir), ("-c", &self.config)] {
            if let Some(path) = path {
                words.extend([
                    flag.to_owned(),
                    shell_word(&path.display().to_string()).into_owned(),
                ]);
            }
        }
        // What a variable says holds where it is read, too.
        let app = self.app.as_ref().filter(|_| self.app_variable.is_none());
        words.extend(
            app.into_iter()
                .flat_map(|app| ["-a".to_owned(), shell_word(app.as_str()).into_owned()]),
        );
        let provider = self.provider.iter();
        words.extend(
            provider.flat_map(|name| ["--provider".to_owned(), shell_word(name).into_owned()]),
        );
        words.join(" ")
    }

    /// How much is to be said.
    pub fn loudness(&self) -> Loudness {
        if self.quiet {
            Loudness::Quiet
        } else if self.verbose {
            Loudness::Verbose
        } else {
            Loudness::Normal
        }
    }
}

#[test]
fn a_command_to_be_typed_again_names_the_same_project() {
    let program = |words: &[&str]| Cli::try_parse_from(words).unwrap().global.program();
    assert_eq!(program(&["aeroform", "apply"]), "aeroform");
    assert_eq!(
        program(&["aeroform", "-C", "my shop", "apply", "-c", "prod/fly.toml"]),
        "aeroform -C 'my shop' -c prod/fly.toml"
    );
    assert_eq!(
        program(&["aeroform", "status", "--provider", "fly", "-a", "shop-2"]),
        "aeroform -a shop-2 --provider fly"
    );
}

/// The verbs, in the order in which people meet them.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Write aeroform.toml, its schema for editors, and .gitignore entries beside an existing fly.toml
    Init {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check fly.toml and aeroform.toml; starts nothing, asks nobody
    Validate(ValidateArgs),
    /// Show what apply would do
    Plan(PlanArgs),
    /// Show the plan, ask, and carry it out
    Apply(ApplyArgs),
    /// Destroy every Machine of the app
    Destroy(DestroyArgs),
    /// Change how many Machines a group has, where, and of which size
    #[command(subcommand)]
    Scale(ScaleVerb),
    /// Add, rename or remove a process group
    #[command(subcommand)]
    Group(GroupVerb),
    /// Add, remove or drain the regions of a group
    #[command(subcommand)]
    Regions(RegionsVerb),
    /// Write the state and an aeroform.toml for an app that is there already
    Import(ImportArgs),
    /// Show what was changed outside since the last apply
    Drift(DriftArgs),
    /// Take what was changed outside into the state
    Refresh(RefreshArgs),
    /// Restart the Machines that run, a few at a time
    Restart(RestartArgs),
    /// List Machines, look at one, start it, stop it, replace it
    #[command(subcommand)]
    Machine(MachineVerb),
    /// Show the Machines and their checks
    Status(StatusArgs),
    /// Show what the Machines print
    Logs(LogsArgs),
    /// Show what the manifests make of the Machines
    #[command(subcommand)]
    Show(ShowVerb),
    /// Look at the state file, or publish one
    #[command(subcommand)]
    State(StateVerb),
    /// Say who holds the state's lock
    Unlock {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Serve an emulated Fly Machines API, to try things without an account
    Emulator(EmulatorArgs),
    /// List what Fly offers: VM sizes, regions
    #[command(subcommand)]
    Platform(PlatformVerb),
    /// Print the completions of a shell
    #[command(after_help = "\
The script asks this program while you type, so that it offers your groups and Machines, from fly.toml and \
the state file, and Fly's regions and sizes. Nothing is started and nobody is asked. Print it again when \
aeroform was updated.

Examples:
  aeroform completions bash > ~/.local/share/bash-completion/completions/aeroform
  aeroform completions fish > ~/.config/fish/completions/aeroform.fish")]
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the version
    Version {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Where the plan comes from.
#[derive(Debug, Args)]
pub struct RefreshFlag {
    /// Read the provider first; `--refresh=false` plans from the state alone
    #[arg(
        long,
        value_name = "BOOL",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value_t = true,
        default_missing_value = "true",
        hide_possible_values = true
    )]
    pub refresh: bool,
}

/// What an operator knows that no file says.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "When state and world disagree")]
pub struct RecoveryFlags {
    /// Every known Machine is gone on purpose; make them again
    #[arg(long)]
    pub accept_missing: bool,
    /// Make Machines although some that exist do not say whose they are
    #[arg(long)]
    pub accept_unknown: bool,
    /// The app was recreated; adopt it into this state
    #[arg(long)]
    pub take_over: bool,
    /// Take over what this run did, though the state does not list it
    #[arg(long, value_name = "RUN", value_parser = parse_run_id)]
    pub adopt_run: Vec<RunId>,
}

/// `aeroform plan`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  aeroform plan                         what would change now
  aeroform plan --refresh=false         the same from the state alone, with no account
  aeroform plan --out next.plan         keep it; `aeroform apply next.plan` does exactly that
  aeroform plan --detailed-exitcode     exit 2 if anything would change")]
pub struct PlanArgs {
    /// Where it comes from.
    #[command(flatten)]
    pub refresh: RefreshFlag,
    /// Plan the removal of the whole app, as `aeroform destroy` does it
    #[arg(long, conflicts_with_all = ["replace", "restart"])]
    pub destroy: bool,
    /// What is asked for beyond what the manifests say.
    #[command(flatten)]
    pub requested_flags: RequestFlags,
    /// Most changes at once, as `apply` would make them; it takes the flag again
    #[arg(long, value_name = "N", default_value = "16")]
    pub parallelism: NonZeroUsize,
    /// Save the plan for `aeroform apply FILE`
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Exit 2 if there are changes or drift, 6 if something is refused
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// How this plan is made.
    #[command(flatten)]
    pub options: PlanOptions,
    /// What no file says.
    #[command(flatten)]
    pub plan_flags: RecoveryFlags,
}

/// What `apply` and `destroy` share.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent flags, not a state machine"
)]
pub struct ApplyFlags {
    /// Do not ask what a terminal answers with y
    #[arg(short = 'y', long, visible_alias = "yes")]
    pub auto_approve: bool,
    /// Allow what a terminal asks a typed name for: GROUP, GROUP:CEILING, or all
    #[arg(long, value_name = "GROUP[:CEILING],…", value_delimiter = ',')]
    pub allow_destroy: Vec<AllowDestroy>,
    /// Allow that Machines are taken back from a newer release of somebody else
    #[arg(long)]
    pub allow_revert: bool,
    /// Go on beside a release that somebody else has in progress
    #[arg(long)]
    pub no_wait_release: bool,
    /// Most changes at once
    #[arg(long, value_name = "N", default_value = "16")]
    pub parallelism: NonZeroUsize,
    /// How long to wait for the state's lock (30s, 5m)
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse_duration_flag)]
    pub lock_timeout: Duration,
    /// Print one JSON event per line
    #[arg(long)]
    pub json: bool,
    /// How the plan is made.
    #[command(flatten)]
    pub options: PlanOptions,
    /// What no file says.
    #[command(flatten)]
    pub plan_flags: RecoveryFlags,
}

/// `aeroform apply`.
#[derive(Debug, Args)]
#[command(after_help = "\
In the place of `fly deploy` once the image is built, and of `fly scale` and `fly machine` for what the files say. \
Without a terminal nothing is asked: what would be is refused with exit 6, and the message names \
the flag that answers.

Examples:
  aeroform apply                              plan, ask, do
  aeroform apply -y                           in a pipeline, when nothing of weight is destroyed
  aeroform apply -y --allow-destroy=cron      … and group cron may go
  aeroform apply -y --allow-destroy=web:2     … and up to 2 Machines of web
  aeroform apply next.plan                    do exactly what `plan --out next.plan` showed")]
pub struct ApplyArgs {
    /// A plan that `aeroform plan --out` saved; the file is the approval
    #[arg(value_name = "FILE", conflicts_with_all = ["allow_destroy", "allow_revert", "replace", "restart"], conflicts_with_all = options::PERSISTED_FLAGS)]
    pub plan: Option<PathBuf>,
    /// What is asked for beyond what the manifests say.
    #[command(flatten)]
    pub requested_flags: RequestFlags,
    /// How it is done.
    #[command(flatten)]
    pub apply_flags: ApplyFlags,
}

/// `aeroform destroy`.
#[derive(Debug, Args)]
#[command(after_help = "\
As `fly machine destroy --force` of every Machine; the app itself stays, `fly apps destroy` takes that away.

Examples:
  aeroform destroy                            show what goes, ask for the app's name, do it
  aeroform destroy -y --allow-destroy=all     the same in a pipeline")]
pub struct DestroyArgs {
    /// How it is done.
    #[command(flatten)]
    pub apply_flags: ApplyFlags,
}

/// `aeroform drift`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes nothing. What is stopped, suspended or started by the proxy has not drifted, nor has what no \
manifest writes.

Examples:
  aeroform drift                        every field that differs from what was sent
  aeroform drift --detailed-exitcode    exit 2 if there is any, 1 if it cannot be told")]
pub struct DriftArgs {
    /// Exit 2 if there is drift
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `aeroform refresh`.
#[derive(Debug, Args)]
#[command(after_help = "\
No Machine changes. Machines that were added outside enter the state, those that are gone leave it, and \
of configs that were changed it remembers what the manifests write. The next apply still puts back what \
the manifests say otherwise; the plan names it.

Examples:
  aeroform refresh       show it, ask, and write the state
  aeroform refresh -y    in a pipeline")]
pub struct RefreshArgs {
    /// Do not ask
    #[arg(short = 'y', long)]
    pub auto_approve: bool,
    /// How long to wait for the state's lock (30s, 5m)
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse_duration_flag)]
    pub lock_timeout: Duration,
    /// Print one JSON event per line
    #[arg(long)]
    pub json: bool,
    /// What no file says.
    #[command(flatten)]
    pub plan_flags: RecoveryFlags,
}

impl Verb {
    /// Whether it is about an app at all.
    pub fn needs_app(&self) -> bool {
        match self {
            Self::Completions { .. }
            | Self::Emulator(_)
            | Self::Platform(_)
            | Self::Version { .. } => false,
            Self::Init { .. }
            | Self::Validate(_)
            | Self::Plan(_)
            | Self::Apply(_)
            | Self::Destroy(_)
            | Self::Scale(_)
            | Self::Group(_)
            | Self::Regions(_)
            | Self::Import(_)
            | Self::Drift(_)
            | Self::Refresh(_)
            | Self::Restart(_)
            | Self::Machine(_)
            | Self::Status(_)
            | Self::Logs(_)
            | Self::Show(_)
            | Self::State(_)
            | Self::Unlock { .. } => true,
        }
    }

    /// Whether standard output is for programs.
    pub fn json(&self) -> bool {
        match self {
            Self::Init { json }
            | Self::Show(ShowVerb::Config(ShowConfigArgs { json, .. }))
            | Self::Platform(PlatformVerb::VmSizes { json } | PlatformVerb::Regions { json })
            | Self::Plan(PlanArgs { json, .. })
            | Self::Apply(ApplyArgs {
                apply_flags: ApplyFlags { json, .. },
                ..
            })
            | Self::Destroy(DestroyArgs {
                apply_flags: ApplyFlags { json, .. },
            })
            | Self::Drift(DriftArgs { json, .. })
            | Self::Refresh(RefreshArgs { json, .. })
            | Self::Restart(RestartArgs {
                apply_flags: ApplyFlags { json, .. },
                ..
            })
            | Self::Status(StatusArgs { json, .. })
            | Self::Logs(LogsArgs { json, .. })
            | Self::Emulator(EmulatorArgs { json, .. })
            | Self::Import(ImportArgs { json, .. })
            | Self::State(
                StateVerb::List { json }
                | StateVerb::Show { json, .. }
                | StateVerb::Rm { json, .. }
                | StateVerb::Push { json, .. },
            )
            | Self::Unlock { json }
            | Self::Version { json } => *json,
            Self::Scale(args) => args.json(),
            Self::Group(args) => args.json(),
            Self::Regions(args) => args.json(),
            Self::Machine(machine) => machine.json(),
            Self::Validate(ValidateArgs { json, format, .. }) => {
                *json || *format == DiagnosticFormat::Json
            }
            Self::Completions { .. } => false,
        }
    }
}

fn parse_app_name(text: &str) -> Result<AppName, String> {
    AppName::new(text).map_err(|error| error.rule.to_owned())
}

fn parse_image(text: &str) -> Result<String, String> {
    if is_valid_image_ref(text) {
        Ok(text.to_owned())
    } else {
        Err("it names no image; is a variable of it not set?".to_owned())
    }
}

fn parse_group_name(text: &str) -> Result<GroupName, String> {
    GroupName::new(text).map_err(|error| error.rule.to_owned())
}

fn parse_region(text: &str) -> Result<Region, String> {
    Region::new(text).map_err(|error| error.rule.to_owned())
}

fn parse_machine_id(text: &str) -> Result<MachineId, String> {
    MachineId::new(text).map_err(|error| error.rule.to_owned())
}

fn parse_run_id(text: &str) -> Result<RunId, String> {
    RunId::new(text).map_err(|error| error.rule.to_owned())
}

fn parse_duration_flag(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .map(Duration::from_nanos)
        .ok_or_else(|| "write a duration like 30s, 5m or 1h30m".to_owned())
}
