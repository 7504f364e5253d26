//! `aeroform machine`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::OutputFlags;
use super::parse::{parse_duration_flag, parse_group_name, parse_machine_id, parse_region};
use super::{ApplyFlags, EditFlags, PlanArgs, PlanOptions, RequestFlags};
use crate::core::fleet::{GroupName, MachineId, Region};
use crate::ui::OutputFormat;

/// `aeroform machine`.
#[derive(Debug, Subcommand)]
pub enum MachineVerb {
    /// List Machines
    #[command(visible_alias = "ls")]
    List(MachineListArgs),
    /// Show one Machine: config, checks, events, state entry
    #[command(visible_alias = "show")]
    Status(MachineStatusArgs),
    /// Start stopped or suspended Machines
    #[command(after_help = "\
Like `fly machine start ID`. A later plan does not undo it.

Examples:
  aeroform machine start 148ed599c14189
  aeroform machine start 148ed599c14189 6e82d933b7d587")]
    Start(MachineActArgs),
    /// Stop Machines with their configured signal and timeout
    #[command(after_help = "\
Like `fly machine stop ID`. A later plan does not undo it, but Fly's proxy may start the Machine again if its \
service has `auto_start_machines`.

Examples:
  aeroform machine stop 148ed599c14189")]
    Stop(MachineActArgs),
    /// Restart running Machines without a change
    #[command(after_help = "\
Like `fly machine restart ID`: the same Machine version, immediately and without a plan. To restart a group by \
its update strategy, or to apply new secrets: `aeroform restart -g GROUP`.

Examples:
  aeroform machine restart 148ed599c14189")]
    Restart(MachineActArgs),
    /// Suspend Machines to disk
    #[command(after_help = "\
Like `fly machine suspend ID`. A start resumes the Machine. A later plan does not undo it, but an update \
leaves the Machine stopped.

Examples:
  aeroform machine suspend 148ed599c14189")]
    Suspend(MachineActArgs),
    /// Stop routing requests to Machines
    #[command(after_help = "\
Like `fly machine cordon ID`. The Machine keeps running and gets no new requests. A later plan does not undo it.

Examples:
  aeroform machine cordon 148ed599c14189")]
    Cordon(MachineActArgs),
    /// Route requests to Machines again
    #[command(after_help = "\
Like `fly machine uncordon ID`.

Examples:
  aeroform machine uncordon 148ed599c14189")]
    Uncordon(MachineActArgs),
    /// Replace Machines by new ones
    #[command(after_help = "\
Like `fly machine clone ID` and then `fly machine destroy ID`, for a broken Machine or host. The new Machine must \
pass its checks before the old one is destroyed. A Machine with a volume is destroyed first, and the new one gets \
the volume on the same host; while that host is unreachable, the plan is refused.

Examples:
  aeroform machine replace 148ed599c14189        show the plan, ask, apply
  aeroform plan --replace 148ed599c14189         only show the plan")]
    Replace(MachineReplaceArgs),
    /// Add a Machine like an existing one
    #[command(after_help = "\
Like `fly machine clone ID --region REGION`. Increases the group's count in aeroform.toml, as a map of regions, and \
applies the plan. The new Machine is built from fly.toml like every Machine of its group; fields that no file sets are \
copied from the cloned Machine. If the group has a mount, the new Machine gets a new, empty volume.

With flyctl:
  fly machine clone --region gru ID           aeroform machine clone --region gru ID

Examples:
  aeroform machine clone 148ed599c14189                    one more in the same region
  aeroform machine clone 148ed599c14189 --region gru       one more in gru
  aeroform machine clone 148ed599c14189 -g jobs --plan-only")]
    Clone(MachineCloneArgs),
    /// Destroy Machines and lower their group's count
    #[command(
        visible_alias = "rm",
        after_help = "\
Like `fly machine destroy ID [--force]`. Lowers the groups' counts in aeroform.toml, as a map of regions, and adds \
a `[[removed]]` entry that names the Machines, so that the plan destroys exactly these and creates no others. \
Volumes are kept.

With flyctl:
  fly machine destroy ID --force              aeroform machine destroy ID --force

Examples:
  aeroform machine destroy 148ed599c14189            a stopped Machine
  aeroform machine destroy 148ed599c14189 --force    a running Machine"
    )]
    Destroy(MachineDestroyArgs),
    /// Move Machines to another group
    #[command(after_help = "\
Writes the counts of both groups to aeroform.toml, as maps of regions, and a `[[moved]]` entry that names the \
Machines. A moved Machine keeps its region and volume and gets its new group's config.

With flyctl:
  fly machine update --metadata fly_process_group=jobs ID && fly deploy
                                              aeroform machine move ID --to jobs

Examples:
  aeroform machine move 148ed599c14189 --to jobs")]
    Move(MachineMoveArgs),
    /// Move a Machine to another group, in flyctl's syntax
    #[command(after_help = "\
The same as `aeroform machine move ID --to GROUP`. To change env, image or any other setting, edit fly.toml.

Examples:
  aeroform machine update --metadata fly_process_group=jobs 148ed599c14189")]
    Update(MachineUpdateArgs),
}

/// `aeroform machine clone`.
#[derive(Debug, Args)]
pub struct MachineCloneArgs {
    /// Machine id or name
    #[arg(value_name = "ID", value_parser = parse_machine_id)]
    pub id: MachineId,
    /// Region of the new Machine; default: that of the cloned one
    #[arg(short, long, value_name = "REGION", value_parser = parse_region)]
    pub region: Option<Region>,
    /// Group of the new Machine; default: that of the cloned one
    #[arg(short, long, visible_alias = "process-group", value_name = "GROUP", value_parser = parse_group_name)]
    pub group: Option<GroupName>,
    /// What follows the edit.
    #[command(flatten)]
    pub edit_flags: EditFlags,
}

/// `aeroform machine destroy`.
#[derive(Debug, Args)]
pub struct MachineDestroyArgs {
    /// Machine ids or names; a terminal offers a list
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// Also destroy running Machines; they are stopped first, with their signal and timeout
    #[arg(short, long)]
    pub force: bool,
    /// What follows the edit.
    #[command(flatten)]
    pub edit_flags: EditFlags,
}

/// `aeroform machine move`.
#[derive(Debug, Args)]
pub struct MachineMoveArgs {
    /// Machine ids or names; a terminal offers a list
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// New group; a terminal offers a list
    #[arg(long, value_name = "GROUP", value_parser = parse_group_name)]
    pub to: Option<GroupName>,
    /// What follows the edit.
    #[command(flatten)]
    pub edit_flags: EditFlags,
}

/// `aeroform machine update`.
#[derive(Debug, Args)]
pub struct MachineUpdateArgs {
    /// Machine id or name
    #[arg(value_name = "ID")]
    pub id: String,
    /// New group, as `fly_process_group=GROUP`
    #[arg(short, long, value_name = "fly_process_group=GROUP", required = true, value_parser = parse_process_group)]
    pub metadata: GroupName,
    /// What follows the edit.
    #[command(flatten)]
    pub edit_flags: EditFlags,
}

/// Parses the only metadata key that this verb changes.
fn parse_process_group(text: &str) -> Result<GroupName, String> {
    match text.split_once('=') {
        Some(("fly_process_group", name)) => parse_group_name(name),
        Some((key, _)) => Err(format!(
            "this command changes only `fly_process_group`; write `{key}` in fly.toml"
        )),
        None => Err("expected `fly_process_group=GROUP`".to_owned()),
    }
}

/// `aeroform machine list`.
#[derive(Debug, Args)]
#[command(after_help = "\
Like `fly machine list`. Unmanaged Machines, such as consoles, are listed too. `-q` prints only ids.

Examples:
  aeroform machine list
  aeroform machine list -g web --region gru
  aeroform machine list -q | xargs -n1 aeroform machine status")]
pub struct MachineListArgs {
    /// Only this group
    #[arg(
        short,
        long,
        visible_alias = "process-group",
        value_name = "GROUP",
        value_parser = parse_group_name
    )]
    pub group: Option<GroupName>,
    /// Only these regions
    #[arg(short, long, value_name = "REGION", value_delimiter = ',', value_parser = parse_region)]
    pub region: Vec<Region>,
    /// What standard output holds.
    #[command(flatten)]
    pub output: OutputFlags,
}

/// `aeroform machine status`.
#[derive(Debug, Args)]
#[command(after_help = "\
Like `fly machine status ID`. The config is printed as fly.toml keys; values that look secret are hidden.

Examples:
  aeroform machine status 148ed599c14189
  aeroform machine status 148ed599c14189 --json | jq .config")]
pub struct MachineStatusArgs {
    /// Machine id or name
    #[arg(value_name = "ID")]
    pub id: String,
    /// What standard output holds.
    #[command(flatten)]
    pub output: OutputFlags,
}

/// Flags of the verbs that act immediately, without a plan.
#[derive(Debug, Args)]
pub struct MachineActArgs {
    /// Machine ids or names
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,
    /// How long to wait for a lease or lock (30s, 5m)
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration_flag)]
    pub lock_timeout: Duration,
    /// How long a started Machine must stay up (10s, 1m; 0 to disable)
    #[arg(long, value_name = "DURATION", value_parser = parse_duration_flag)]
    pub steady: Option<Duration>,
    /// What standard output holds.
    #[command(flatten)]
    pub output: OutputFlags,
}

/// `aeroform machine replace`.
#[derive(Debug, Args)]
pub struct MachineReplaceArgs {
    /// Machine ids or names
    #[arg(value_name = "ID", required = true, value_parser = parse_machine_id)]
    pub ids: Vec<MachineId>,
    /// Only show the plan, like `plan --replace`
    #[arg(long)]
    pub plan_only: bool,
    /// How the plan is applied.
    #[command(flatten)]
    pub apply_flags: ApplyFlags,
    /// What standard output holds.
    #[command(flatten)]
    pub output: OutputFlags,
}

impl MachineReplaceArgs {
    /// The arguments of `plan` that show this replacement.
    pub fn plan(&self) -> PlanArgs {
        let requested_flags = RequestFlags {
            replace: self.ids.clone(),
            ..RequestFlags::default()
        };
        PlanArgs::for_request(requested_flags, &self.apply_flags, self.output)
    }
}

impl MachineVerb {
    /// The options of its plan, if it makes one.
    pub(super) fn plan_options(&self) -> Option<&PlanOptions> {
        match self {
            Self::List(_)
            | Self::Status(_)
            | Self::Start(_)
            | Self::Stop(_)
            | Self::Restart(_)
            | Self::Suspend(_)
            | Self::Cordon(_)
            | Self::Uncordon(_) => None,
            Self::Replace(replace) => Some(&replace.apply_flags.options),
            Self::Clone(MachineCloneArgs { edit_flags, .. })
            | Self::Destroy(MachineDestroyArgs { edit_flags, .. })
            | Self::Move(MachineMoveArgs { edit_flags, .. })
            | Self::Update(MachineUpdateArgs { edit_flags, .. }) => {
                Some(&edit_flags.apply_flags.options)
            }
        }
    }

    /// The form of standard output.
    pub fn format(&self) -> OutputFormat {
        match self {
            Self::List(list) => list.output.format(),
            Self::Status(status) => status.output.format(),
            Self::Start(act)
            | Self::Stop(act)
            | Self::Restart(act)
            | Self::Suspend(act)
            | Self::Cordon(act)
            | Self::Uncordon(act) => act.output.format(),
            Self::Replace(replace) => replace.output.format(),
            Self::Clone(MachineCloneArgs { edit_flags, .. })
            | Self::Destroy(MachineDestroyArgs { edit_flags, .. })
            | Self::Move(MachineMoveArgs { edit_flags, .. })
            | Self::Update(MachineUpdateArgs { edit_flags, .. }) => edit_flags.output.format(),
        }
    }
}
