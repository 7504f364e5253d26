//! The command line as data; docs/cli.md is generated from it. Runs nothing.

use crate::ui::OutputFormat;
use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};
use clap_complete::Shell;

mod apply;
mod edit;
mod emulator;
mod global;
mod group;
mod help;
mod import;
mod inspect;
mod logs;
mod machine;
mod options;
mod output;
mod parse;
mod plan;
mod regions;
mod request;
mod restart;
mod rollback;
mod scale;
mod state;
mod status;
mod typed_command;

pub use apply::{ApplyArgs, ApplyFlags, DestroyArgs, RefreshArgs};
pub use edit::EditFlags;
pub use emulator::{EmulatorArgs, Fill, RateLimits};
pub use global::GlobalFlags;
pub use group::GroupVerb;
pub use help::command;
pub use import::ImportArgs;
pub use inspect::{DriftArgs, PlatformVerb, ShowConfigArgs, ShowVerb, ValidateArgs};
pub use logs::LogsArgs;
pub use machine::{
    MachineActArgs, MachineCloneArgs, MachineDestroyArgs, MachineListArgs, MachineMoveArgs,
    MachineReplaceArgs, MachineStatusArgs, MachineUpdateArgs, MachineVerb,
};
pub use options::{PlanOptions, parse_steady};
pub use output::{AlsoFile, OutputFlags, ReportFlags};
pub use plan::{PlanArgs, RecoveryFlags, RefreshFlag};
pub use regions::{RegionsArgs, RegionsVerb};
pub use request::{RequestFlags, RestartTarget};
pub use restart::RestartArgs;
pub use rollback::RollbackArgs;
pub use scale::{ScaleCountArgs, ScaleMemoryArgs, ScaleShowArgs, ScaleVerb, ScaleVmArgs};
pub use state::{MigrateArgs, StateVerb};
pub use status::{ReleasesArgs, StatusArgs};
pub use typed_command::TypedCommand;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Cyan.on_default())
    .error(AnsiColor::Red.on_default().bold());

/// Plan and apply for process groups
///
/// fly.toml defines what each process group runs, aeroform.toml how many Machines it has in which
/// region. Aeroform compares the files with the existing Machines, shows a plan, asks, and applies it.
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
  aeroform init               write aeroform.toml next to fly.toml
  aeroform plan               show what would change
  aeroform apply              show the plan, ask, and apply it
  aeroform status             show the Machines and their checks

Exit codes: 0 done · 1 error · 2 changes · 3 incomplete · 4 stale · 5 locked · 6 refused · \
64 usage · 70 bug · 130 interrupted"
)]
pub struct Cli {
    /// Flags of every verb.
    #[command(flatten)]
    pub global: GlobalFlags,
    /// The verb.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs. [`command`] lists them under headings.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Write aeroform.toml, its JSON schema and .gitignore entries next to fly.toml
    #[command(after_help = "\
With `--state-url`, or where aeroform.toml names a state in git already, it also checks that the remote takes the lock \
of the state, and makes the branch of the state with an empty commit. What the server refuses is then known before \
any Machine is changed.

Examples:
  aeroform init
  aeroform init --provider fly --state-url git+origin")]
    Init {
        /// Keep the state in git: git+REMOTE, such as git+origin
        #[arg(long, value_name = "URL")]
        state_url: Option<String>,
        /// What standard output holds.
        #[command(flatten)]
        output: OutputFlags,
    },
    /// Check fly.toml and aeroform.toml, offline
    Validate(ValidateArgs),
    /// Show what apply would change
    Plan(PlanArgs),
    /// Show the plan, ask, and apply it
    Apply(ApplyArgs),
    /// Destroy every Machine of the app
    Destroy(DestroyArgs),
    /// Change the count, regions and VM size of a group
    #[command(subcommand)]
    Scale(ScaleVerb),
    /// Add, rename or remove a process group
    #[command(subcommand)]
    Group(GroupVerb),
    /// Add, remove or drain the regions of a group
    #[command(subcommand)]
    Regions(RegionsVerb),
    /// Write the state and aeroform.toml of an existing app
    Import(ImportArgs),
    /// Show changes made outside Aeroform since the last apply
    Drift(DriftArgs),
    /// Record changes made outside Aeroform in the state
    Refresh(RefreshArgs),
    /// Restart running Machines by their group's update strategy
    Restart(RestartArgs),
    /// Go back to an earlier release, or end that
    Rollback(RollbackArgs),
    /// List, inspect, start, stop, replace, clone, move or destroy Machines
    #[command(subcommand)]
    Machine(MachineVerb),
    /// Show Machines and their checks
    Status(StatusArgs),
    /// Show the app's releases and which of them Machines run
    Releases(ReleasesArgs),
    /// Show the logs of Machines
    Logs(LogsArgs),
    /// Show the Machine config that the manifests define
    #[command(subcommand)]
    Show(ShowVerb),
    /// Inspect or change the state
    #[command(subcommand)]
    State(StateVerb),
    /// Remove the state's lock if its holder is gone
    #[command(after_help = "\
For a state in git: watches the lock for its lifetime of 60 s, and removes it if its holder did not renew it in that \
time. A holder that is alive renews it every 20 s; its lock is removed only with `--force`, and its run ends before \
its next call. No id is needed: a lock that another run has taken in the meantime is not removed.

The lock of a state file ends with its process. `unlock` names the holder and exits with 5.

Examples:
  aeroform unlock
  aeroform unlock --force     without watching, also if the holder is alive")]
    Unlock {
        /// Remove the lock at once, also if its holder is alive
        #[arg(long)]
        force: bool,
        /// What standard output holds.
        #[command(flatten)]
        output: OutputFlags,
    },
    /// Run an emulated Fly Machines API, to try Aeroform without an account
    Emulator(EmulatorArgs),
    /// List Fly's VM sizes and regions
    #[command(subcommand)]
    Platform(PlatformVerb),
    /// Print the completion script of a shell
    #[command(after_help = "\
The script completes commands, groups, Machines, regions and VM sizes. It calls `aeroform`, which reads fly.toml \
and the state file and uses no network. Print the script again after an update of aeroform.

Examples:
  aeroform completions bash > ~/.local/share/bash-completion/completions/aeroform
  aeroform completions fish > ~/.config/fish/completions/aeroform.fish")]
    Completions {
        /// Shell
        shell: Shell,
    },
    /// Write the man pages to a folder
    #[command(after_help = "\
Examples:
  aeroform man ~/.local/share/man/man1    then: man aeroform-apply")]
    Man {
        /// Folder; it is created if it is missing
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
    /// Print the version
    Version {
        /// What standard output holds.
        #[command(flatten)]
        output: OutputFlags,
    },
}

impl Verb {
    /// Whether it works on an app.
    pub fn needs_app(&self) -> bool {
        match self {
            Self::Completions { .. }
            | Self::Emulator(_)
            | Self::Man { .. }
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
            | Self::Rollback(_)
            | Self::Machine(_)
            | Self::Status(_)
            | Self::Releases(_)
            | Self::Logs(_)
            | Self::Show(_)
            | Self::State(_)
            | Self::Unlock { .. } => true,
        }
    }

    /// The verb as a report names it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Plan(_) => "plan",
            Self::Apply(_) => "apply",
            Self::Drift(_) => "drift",
            Self::Validate(_) => "validate",
            _ => "the command",
        }
    }

    /// The flags of a verb that reports a plan.
    pub fn report_flags(&self) -> Option<&ReportFlags> {
        match self {
            Self::Plan(PlanArgs { report, .. })
            | Self::Apply(ApplyArgs { report, .. })
            | Self::Drift(DriftArgs { report, .. }) => Some(report),
            _ => None,
        }
    }

    /// What clap cannot say of these flags.
    ///
    /// # Errors
    /// Why they are wrong, for people.
    pub fn check_flags(&self) -> Result<(), String> {
        self.check_filters()?;
        let Some(report) = self.report_flags() else {
            return Ok(());
        };
        let has_counts = report
            .formats()
            .any(|format| format == OutputFormat::Gitlab);
        if has_counts && !matches!(self, Self::Plan(_)) {
            return Err(
                "the format `gitlab` counts what a plan would do; only `plan` has it".to_owned(),
            );
        }
        let out = match self {
            Self::Plan(args) => args.out.as_ref(),
            _ => None,
        };
        let files = report.also.iter().map(|file| &file.path).chain(out);
        let files: Vec<_> = files
            .map(|file| std::path::absolute(file).unwrap_or_else(|_| file.clone()))
            .collect();
        for (at, file) in files.iter().enumerate() {
            if files[..at].contains(file) {
                return Err(format!(
                    "`{}` is named twice; each form needs a file of its own",
                    file.display()
                ));
            }
        }
        Ok(())
    }

    /// Verbs that name what they change take no filter.
    fn check_filters(&self) -> Result<(), String> {
        let no_filter = "it destroys every Machine of the app; `scale count` and `machine destroy` destroy some";
        match self {
            Self::Destroy(args) if args.apply_flags.options.has_filter() => {
                Err(format!("`destroy` takes no filter: {no_filter}"))
            }
            Self::Plan(args) if args.destroy && args.options.has_filter() => {
                Err(format!("`plan --destroy` takes no filter: {no_filter}"))
            }
            Self::Machine(verb) if verb.plan_options().is_some_and(PlanOptions::has_place_filter) => {
                Err("this command names its Machines itself; of the filters it takes only `--exclude-machines`".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The form of standard output.
    pub fn format(&self) -> OutputFormat {
        match self {
            Self::Init { output, .. }
            | Self::Show(ShowVerb::Config(ShowConfigArgs { output, .. }))
            | Self::Platform(PlatformVerb::VmSizes { output } | PlatformVerb::Regions { output })
            | Self::Destroy(DestroyArgs { output, .. })
            | Self::Refresh(RefreshArgs { output, .. })
            | Self::Restart(RestartArgs { output, .. })
            | Self::Rollback(RollbackArgs {
                edit_flags: EditFlags { output, .. },
                ..
            })
            | Self::Status(StatusArgs { output, .. })
            | Self::Releases(ReleasesArgs { output, .. })
            | Self::Logs(LogsArgs { output, .. })
            | Self::Emulator(EmulatorArgs { output, .. })
            | Self::Import(ImportArgs { output, .. })
            | Self::State(
                StateVerb::List { output }
                | StateVerb::Show { output, .. }
                | StateVerb::Log { output, .. }
                | StateVerb::Migrate(MigrateArgs { output, .. })
                | StateVerb::Rm { output, .. }
                | StateVerb::Pull { output, .. }
                | StateVerb::Push { output, .. },
            )
            | Self::Unlock { output, .. }
            | Self::Version { output } => output.format(),
            Self::Plan(PlanArgs { report, .. })
            | Self::Apply(ApplyArgs { report, .. })
            | Self::Drift(DriftArgs { report, .. }) => report.format(),
            Self::Scale(args) => args.format(),
            Self::Group(args) => args.format(),
            Self::Regions(args) => args.format(),
            Self::Machine(machine) => machine.format(),
            Self::Validate(args) => args.format(),
            Self::Completions { .. } | Self::Man { .. } => OutputFormat::Text,
        }
    }
}
