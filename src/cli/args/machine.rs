//! The verbs about single Machines.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{
    ApplyFlags, EditFlags, PlanArgs, RequestFlags, parse_duration_flag, parse_group_name,
    parse_machine_id,
};
use crate::core::fleet::{GroupName, MachineId, Region};

/// `aeroform machine`.
#[derive(Debug, Subcommand)]
pub enum MachineVerb {
    /// List every Machine of the app
    #[command(visible_alias = "ls")]
    List(MachineListArgs),
    /// Show one Machine: its config, checks, events, and what the state says
    #[command(visible_alias = "show")]
    Status(MachineStatusArgs),
    /// Start Machines that are stopped or suspended
    #[command(after_help = "\
As `fly machine start ID`. No file says whether a Machine runs, so no plan undoes it.

Examples:
  aeroform machine start 148ed599c14189
  aeroform machine start 148ed599c14189 6e82d933b7d587")]
    Start(MachineActArgs),
    /// Stop Machines, each with its own signal and timeout
    #[command(after_help = "\
As `fly machine stop ID`. No file says whether a Machine runs, so no plan undoes it; the platform's proxy may \
start it again where the service has `auto_start_machines`.

Examples:
  aeroform machine stop 148ed599c14189")]
    Stop(MachineActArgs),
    /// Stop Machines that run and start them again, as they are
    #[command(after_help = "\
As `fly machine restart ID`: the same version of the Machine, at once and without a plan. For a whole group, a \
few at a time, and for new secrets: `aeroform restart -g GROUP`.

Examples:
  aeroform machine restart 148ed599c14189")]
    Restart(MachineActArgs),
    /// Stop Machines and keep their memory
    #[command(after_help = "\
As `fly machine suspend ID`. A start goes on where it was. No plan undoes it; one that updates the Machine \
leaves it stopped.

Examples:
  aeroform machine suspend 148ed599c14189")]
    Suspend(MachineActArgs),
    /// Take Machines out of the proxy's rotation
    #[command(after_help = "\
As `fly machine cordon ID`. It goes on running and gets no new requests. No plan uncordons it.

Examples:
  aeroform machine cordon 148ed599c14189")]
    Cordon(MachineActArgs),
    /// Put Machines back into the proxy's rotation
    #[command(after_help = "\
As `fly machine uncordon ID`.

Examples:
  aeroform machine uncordon 148ed599c14189")]
    Uncordon(MachineActArgs),
    /// Put new Machines in the places of these: each new one first, then the old one goes
    #[command(after_help = "\
As `fly machine clone ID` and then `fly machine destroy ID`, for a Machine or a host gone bad. It is a plan like \
any other: the new Machine must come up and pass its checks before the old one goes. One with a volume goes \
first and the new one gets the volume, on the same host; while that host does not answer, the plan is refused.

Examples:
  aeroform machine replace 148ed599c14189        show it, ask, and do it
  aeroform plan --replace 148ed599c14189         show it and do nothing")]
    Replace(MachineReplaceArgs),
    /// Add a Machine to a group that is like another
    #[command(after_help = "\
As `fly machine clone ID --region REGION`. The group gets one more in aeroform.toml, as an exact map of regions, \
and the plan that follows makes it: from fly.toml like every Machine of its group, and what no file says it takes \
from the Machine that is cloned. A group with a mount gives it a volume of its own, which is empty: no data is \
copied.

On Fly:
  fly machine clone --region gru ID           aeroform machine clone --region gru ID

Examples:
  aeroform machine clone 148ed599c14189                    one more in the same region
  aeroform machine clone 148ed599c14189 --region gru       one more in gru
  aeroform machine clone 148ed599c14189 -g jobs --plan-only")]
    Clone(MachineCloneArgs),
    /// Destroy Machines, and want as many fewer
    #[command(
        visible_alias = "rm",
        after_help = "\
As `fly machine destroy ID [--force]`. Their groups get as many fewer in aeroform.toml, as an exact map of \
regions, and a `[[removed]]` entry says which ones go, so that no plan makes others or takes others. Volumes \
stay behind.

On Fly:
  fly machine destroy ID --force              aeroform machine destroy ID --force

Examples:
  aeroform machine destroy 148ed599c14189            one that is stopped
  aeroform machine destroy 148ed599c14189 --force    one that runs"
    )]
    Destroy(MachineDestroyArgs),
    /// Move Machines to another group
    #[command(after_help = "\
Both groups get exact maps of regions in aeroform.toml, and a `[[moved]]` entry says which Machine is whose. The \
Machine keeps its place and gets its new group's config.

On Fly:
  fly machine update --metadata fly_process_group=jobs ID && fly deploy
                                              aeroform machine move ID --to jobs

Examples:
  aeroform machine move 148ed599c14189 --to jobs")]
    Move(MachineMoveArgs),
    /// Move a Machine to another group, in Fly's spelling
    #[command(after_help = "\
As `fly machine update --metadata fly_process_group=GROUP ID`, and the same as `aeroform machine move ID --to \
GROUP`. Env, image and all else that Fly's command changes stand in fly.toml: write them there.

Examples:
  aeroform machine update --metadata fly_process_group=jobs 148ed599c14189")]
    Update(MachineUpdateArgs),
}

/// `aeroform machine clone`.
#[derive(Debug, Args)]
pub struct MachineCloneArgs {
    /// The Machine by id or name
    #[arg(value_name = "ID", value_parser = parse_machine_id)]
    pub id: MachineId,
    /// Where the new one is; where the Machine is if none is named
    #[arg(short, long, value_name = "REGION", value_parser = parse_region)]
    pub region: Option<Region>,
    /// The group of the new one; that of the Machine if none is named
    #[arg(short, long, visible_alias = "process-group", value_name = "GROUP", value_parser = parse_group_name)]
    pub group: Option<GroupName>,
    /// How far it goes.
    #[command(flatten)]
    pub edit_flags: EditFlags,
}

/// `aeroform machine destroy`.
#[derive(Debug, Args)]
pub struct MachineDestroyArgs {
    /// The Machines by id or name; on a terminal they are asked for
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// Also one that runs: it is stopped first, with its own signal and timeout
    #[arg(short, long)]
    pub force: bool,
    /// How far it goes.
    #[command(flatten)]
    pub edit_flags: EditFlags,
}

/// `aeroform machine move`.
#[derive(Debug, Args)]
pub struct MachineMoveArgs {
    /// The Machines by id or name; on a terminal they are asked for
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// The group that they get; on a terminal it is asked for
    #[arg(long, value_name = "GROUP", value_parser = parse_group_name)]
    pub to: Option<GroupName>,
    /// How far it goes.
    #[command(flatten)]
    pub edit_flags: EditFlags,
}

/// `aeroform machine update`.
#[derive(Debug, Args)]
pub struct MachineUpdateArgs {
    /// The Machine by id or name
    #[arg(value_name = "ID")]
    pub id: String,
    /// The group that it gets, as Fly spells it: `fly_process_group=GROUP`
    #[arg(short, long, value_name = "fly_process_group=GROUP", required = true, value_parser = parse_process_group)]
    pub metadata: GroupName,
    /// How far it goes.
    #[command(flatten)]
    pub edit_flags: EditFlags,
}

/// The one key of metadata that says what a manifest can say.
fn parse_process_group(text: &str) -> Result<GroupName, String> {
    match text.split_once('=') {
        Some(("fly_process_group", name)) => parse_group_name(name),
        Some((key, _)) => Err(format!(
            "`{key}` is not moved by this verb, only `fly_process_group`; write other metadata in fly.toml"
        )),
        None => Err("write `fly_process_group=GROUP`".to_owned()),
    }
}

/// `aeroform machine list`.
#[derive(Debug, Args)]
#[command(after_help = "\
As `fly machine list`. Machines that no group of Fly Launch has are listed, too, and no verb touches those but \
by their ids. `-q` prints ids alone.

Examples:
  aeroform machine list
  aeroform machine list -g web --region gru
  aeroform machine list -q | xargs -n1 aeroform machine status")]
pub struct MachineListArgs {
    /// Only this group's
    #[arg(
        short,
        long,
        visible_alias = "process-group",
        value_name = "GROUP",
        value_parser = parse_group_name
    )]
    pub group: Option<GroupName>,
    /// Only those in these regions
    #[arg(short, long, value_name = "REGION", value_delimiter = ',', value_parser = parse_region)]
    pub region: Vec<Region>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `aeroform machine status`.
#[derive(Debug, Args)]
#[command(after_help = "\
As `fly machine status ID`. The config is shown in the language of fly.toml; values that look secret are hidden.

Examples:
  aeroform machine status 148ed599c14189
  aeroform machine status 148ed599c14189 --json | jq .config")]
pub struct MachineStatusArgs {
    /// The Machine by id or name
    #[arg(value_name = "ID")]
    pub id: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What the verbs share that act at once.
#[derive(Debug, Args)]
pub struct MachineActArgs {
    /// The Machines by id or name
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,
    /// How long to wait for a lease or lock of somebody else (30s, 5m)
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration_flag)]
    pub lock_timeout: Duration,
    /// How long a Machine that is started must stay up (10s, 1m; 0 turns it off)
    #[arg(long, value_name = "DURATION", value_parser = parse_duration_flag)]
    pub steady: Option<Duration>,
    /// Print one JSON object per Machine and line
    #[arg(long)]
    pub json: bool,
}

/// `aeroform machine replace`.
#[derive(Debug, Args)]
pub struct MachineReplaceArgs {
    /// The Machines by id or name
    #[arg(value_name = "ID", required = true, value_parser = parse_machine_id)]
    pub ids: Vec<MachineId>,
    /// Show the plan and do nothing, as `plan --replace`
    #[arg(long)]
    pub plan_only: bool,
    /// How it is done.
    #[command(flatten)]
    pub apply_flags: ApplyFlags,
}

impl MachineReplaceArgs {
    /// The plan of it, as `plan` shows one.
    pub fn plan(&self) -> PlanArgs {
        let asks = RequestFlags {
            replace: self.ids.clone(),
            ..RequestFlags::default()
        };
        PlanArgs::for_request(asks, &self.apply_flags)
    }
}

impl MachineVerb {
    /// Whether standard output is for programs.
    pub fn json(&self) -> bool {
        match self {
            Self::List(list) => list.json,
            Self::Status(one) => one.json,
            Self::Start(act)
            | Self::Stop(act)
            | Self::Restart(act)
            | Self::Suspend(act)
            | Self::Cordon(act)
            | Self::Uncordon(act) => act.json,
            Self::Replace(replace) => replace.apply_flags.json,
            Self::Clone(MachineCloneArgs {
                edit_flags: editing,
                ..
            })
            | Self::Destroy(MachineDestroyArgs {
                edit_flags: editing,
                ..
            })
            | Self::Move(MachineMoveArgs {
                edit_flags: editing,
                ..
            })
            | Self::Update(MachineUpdateArgs {
                edit_flags: editing,
                ..
            }) => editing.apply_flags.json,
        }
    }
}

fn parse_region(text: &str) -> Result<Region, String> {
    Region::new(text).map_err(|error| error.rule.to_owned())
}
