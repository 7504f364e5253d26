//! The command line as data. Nothing here does anything; docs/cli.md is generated from it.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{ArgAction, Args, Parser, Subcommand};
use clap_complete::Shell;

mod asks;
mod edit;
mod groups;
mod logs;
mod look;
mod machine;
mod options;
mod scale;
mod state;
mod status;
mod typed;
mod world;

pub use asks::{Asks, Restart, RestartOf};
pub use edit::Editing;
pub use groups::{Group, RegionsEdit, RegionsVerb};
pub use logs::Logs;
pub use look::{Format, Platform, Show, ShowConfig, Validate};
pub use machine::{Act, CloneMachine, DestroyMachine, List, Machine, Move, One, Replace, Update};
pub use options::{PlanOptions, steady};
pub use scale::{Count, Memory, Scale, ScaleShow, Vm};
pub use state::State;
pub use status::Status;
pub use typed::Typed;
pub use world::{Emulator, Fill, Import, RateLimits};

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
    pub global: Global,
    /// The verb.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Flags that every verb has.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Run as if started in this folder
    #[arg(short = 'C', long = "chdir", value_name = "DIR", global = true)]
    pub chdir: Option<PathBuf>,
    /// The fly.toml to read, or the folder that has it; its settings are those that go with it
    #[arg(short, long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// The app; beats `FLY_APP`, which beats `app` in fly.toml
    #[arg(short, long, value_name = "NAME", global = true, value_parser = app_name)]
    pub app: Option<AppName>,
    /// The variable that says the app, where no flag does.
    #[arg(skip)]
    pub app_variable: Option<&'static str>,
    /// The verb as it was given.
    #[arg(skip)]
    pub typed: Typed,
    /// Where Machines run; beats `provider` in aeroform.toml
    #[arg(long, value_name = "PROVIDER", global = true)]
    pub provider: Option<String>,
    /// The image that every group runs; beats both files
    #[arg(long, value_name = "REF", global = true, value_parser = image)]
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

impl Global {
    /// As if no flag was given.
    pub fn of_nothing() -> Self {
        Self {
            chdir: None,
            config: None,
            app: None,
            app_variable: None,
            typed: Typed::default(),
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
    pub fn with_app_of(mut self, env: &Env) -> Result<Self, InvalidName> {
        if self.app.is_none()
            && let Some(text) = env.var(APP_VARIABLE)
        {
            self.app = Some(AppName::new(text)?);
            self.app_variable = Some(APP_VARIABLE);
        }
        Ok(self)
    }

    /// What says the app's name, as people write it.
    pub fn app_by(&self) -> &'static str {
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
    Validate(Validate),
    /// Show what apply would do
    Plan(Plan),
    /// Show the plan, ask, and carry it out
    Apply(Apply),
    /// Destroy every Machine of the app
    Destroy(Destroy),
    /// Change how many Machines a group has, where, and of which size
    #[command(subcommand)]
    Scale(Scale),
    /// Add, rename or remove a process group
    #[command(subcommand)]
    Group(Group),
    /// Add, remove or drain the regions of a group
    #[command(subcommand)]
    Regions(RegionsVerb),
    /// Write the state and an aeroform.toml for an app that is there already
    Import(Import),
    /// Show what was changed outside since the last apply
    Drift(Drift),
    /// Take what was changed outside into the state
    Refresh(RefreshState),
    /// Restart the Machines that run, a few at a time
    Restart(Restart),
    /// List Machines, look at one, start it, stop it, replace it
    #[command(subcommand)]
    Machine(Machine),
    /// Show the Machines and their checks
    Status(Status),
    /// Show what the Machines print
    Logs(Logs),
    /// Show what the manifests make of the Machines
    #[command(subcommand)]
    Show(Show),
    /// Look at the state file, or publish one
    #[command(subcommand)]
    State(State),
    /// Say who holds the state's lock
    Unlock {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Serve an emulated Fly Machines API, to try things without an account
    Emulator(Emulator),
    /// List what Fly offers: VM sizes, regions
    #[command(subcommand)]
    Platform(Platform),
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
pub struct Refresh {
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
pub struct Wishes {
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
    #[arg(long, value_name = "RUN", value_parser = run_id)]
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
pub struct Plan {
    /// Where it comes from.
    #[command(flatten)]
    pub refresh: Refresh,
    /// Plan the removal of the whole app, as `aeroform destroy` does it
    #[arg(long, conflicts_with_all = ["replace", "restart"])]
    pub destroy: bool,
    /// What is asked for beyond what the manifests say.
    #[command(flatten)]
    pub asks: Asks,
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
    pub wishes: Wishes,
}

/// What `apply` and `destroy` share.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent flags, not a state machine"
)]
pub struct Doing {
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
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub lock_timeout: Duration,
    /// Print one JSON event per line
    #[arg(long)]
    pub json: bool,
    /// How the plan is made.
    #[command(flatten)]
    pub options: PlanOptions,
    /// What no file says.
    #[command(flatten)]
    pub wishes: Wishes,
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
pub struct Apply {
    /// A plan that `aeroform plan --out` saved; the file is the approval
    #[arg(value_name = "FILE", conflicts_with_all = ["allow_destroy", "allow_revert", "replace", "restart"], conflicts_with_all = options::KEPT)]
    pub plan: Option<PathBuf>,
    /// What is asked for beyond what the manifests say.
    #[command(flatten)]
    pub asks: Asks,
    /// How it is done.
    #[command(flatten)]
    pub doing: Doing,
}

/// `aeroform destroy`.
#[derive(Debug, Args)]
#[command(after_help = "\
As `fly machine destroy --force` of every Machine; the app itself stays, `fly apps destroy` takes that away.

Examples:
  aeroform destroy                            show what goes, ask for the app's name, do it
  aeroform destroy -y --allow-destroy=all     the same in a pipeline")]
pub struct Destroy {
    /// How it is done.
    #[command(flatten)]
    pub doing: Doing,
}

/// `aeroform drift`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes nothing. What is stopped, suspended or started by the proxy has not drifted, nor has what no \
manifest writes.

Examples:
  aeroform drift                        every field that differs from what was sent
  aeroform drift --detailed-exitcode    exit 2 if there is any, 1 if it cannot be told")]
pub struct Drift {
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
pub struct RefreshState {
    /// Do not ask
    #[arg(short = 'y', long)]
    pub auto_approve: bool,
    /// How long to wait for the state's lock (30s, 5m)
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub lock_timeout: Duration,
    /// Print one JSON event per line
    #[arg(long)]
    pub json: bool,
    /// What no file says.
    #[command(flatten)]
    pub wishes: Wishes,
}

impl Verb {
    /// Whether it is about an app at all.
    pub fn is_about_an_app(&self) -> bool {
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
            | Self::Show(Show::Config(ShowConfig { json, .. }))
            | Self::Platform(Platform::VmSizes { json } | Platform::Regions { json })
            | Self::Plan(Plan { json, .. })
            | Self::Apply(Apply {
                doing: Doing { json, .. },
                ..
            })
            | Self::Destroy(Destroy {
                doing: Doing { json, .. },
            })
            | Self::Drift(Drift { json, .. })
            | Self::Refresh(RefreshState { json, .. })
            | Self::Restart(Restart {
                doing: Doing { json, .. },
                ..
            })
            | Self::Status(Status { json, .. })
            | Self::Logs(Logs { json, .. })
            | Self::Emulator(Emulator { json, .. })
            | Self::Import(Import { json, .. })
            | Self::State(
                State::List { json }
                | State::Show { json, .. }
                | State::Rm { json, .. }
                | State::Push { json, .. },
            )
            | Self::Unlock { json }
            | Self::Version { json } => *json,
            Self::Scale(args) => args.json(),
            Self::Group(args) => args.json(),
            Self::Regions(args) => args.json(),
            Self::Machine(machine) => machine.json(),
            Self::Validate(Validate { json, format, .. }) => *json || *format == Format::Json,
            Self::Completions { .. } => false,
        }
    }
}

fn app_name(text: &str) -> Result<AppName, String> {
    AppName::new(text).map_err(|error| error.rule.to_owned())
}

fn image(text: &str) -> Result<String, String> {
    if is_valid_image_ref(text) {
        Ok(text.to_owned())
    } else {
        Err("it names no image; is a variable of it not set?".to_owned())
    }
}

fn group_name(text: &str) -> Result<GroupName, String> {
    GroupName::new(text).map_err(|error| error.rule.to_owned())
}

fn region(text: &str) -> Result<Region, String> {
    Region::new(text).map_err(|error| error.rule.to_owned())
}

fn machine_id(text: &str) -> Result<MachineId, String> {
    MachineId::new(text).map_err(|error| error.rule.to_owned())
}

fn run_id(text: &str) -> Result<RunId, String> {
    RunId::new(text).map_err(|error| error.rule.to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .map(Duration::from_nanos)
        .ok_or_else(|| "write a duration like 30s, 5m or 1h30m".to_owned())
}
