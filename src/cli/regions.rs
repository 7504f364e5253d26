//! `aeroform regions`: where a group's Machines are, as edits of `[groups.*]`.

use std::collections::{BTreeMap, BTreeSet};

use super::args::{RegionsEdit, RegionsVerb as Args};
use super::edit::{self, Ground};
use super::scale::{group, one_group, standbys, there};
use super::{Context, codes, scale_show};
use crate::core::fleet::quoting::shell_word;
use crate::core::fleet::{Count, GroupName, Region, Regions};
use crate::core::manifest::did_you_mean;
use crate::core::manifest::edit::{Edit, GroupLayout};
use crate::core::plan::Requested;
use crate::core::platform::regions;
use crate::ui::{Exit, Failure};

/// Does it.
pub(super) async fn run(context: &Context<'_>, args: &Args) -> Result<Exit, Failure> {
    match args {
        Args::Add(args) => {
            let edits = |ground: &Ground<'_>| add(args, ground);
            edit::run(
                context,
                "regions add",
                &args.editing,
                Requested::default(),
                edits,
            )
            .await
        }
        Args::Remove(args) => {
            let edits = |ground: &Ground<'_>| take(context, args, ground, false);
            edit::run(
                context,
                "regions remove",
                &args.editing,
                Requested::default(),
                edits,
            )
            .await
        }
        Args::Drain(args) => {
            let edits = |ground: &Ground<'_>| take(context, args, ground, true);
            edit::run(
                context,
                "regions drain",
                &args.editing,
                Requested::default(),
                edits,
            )
            .await
        }
        Args::List { group, refresh, .. } => {
            scale_show::run(context, refresh.refresh, group.as_ref()).await
        }
    }
}

fn add(args: &RegionsEdit, ground: &Ground<'_>) -> Result<Vec<Edit>, Failure> {
    let name = one_group(ground.desired, args.group.as_ref())?;
    let edit = match &ground.desired.groups[&name].regions {
        Regions::List(list) => {
            let mut regions = list.clone();
            for region in &args.regions {
                if !regions.contains(region) {
                    regions.push(region.clone());
                }
            }
            Edit::Regions {
                group: name,
                regions,
                count: None,
            }
        }
        Regions::Unwritten | Regions::Exact(_) => {
            let mut map = there(ground.desired, &ground.look.plan, &name);
            for region in &args.regions {
                map.entry(region.clone()).or_insert(1);
            }
            exact(ground, name, map)
        }
    };
    Ok(vec![edit])
}

/// Takes regions away, and keeps the number of Machines where that is asked.
fn take(
    context: &Context<'_>,
    args: &RegionsEdit,
    ground: &Ground<'_>,
    keeps: bool,
) -> Result<Vec<Edit>, Failure> {
    let names: Vec<GroupName> = match &args.group {
        Some(name) => vec![group(ground.desired, name.as_str())?],
        None => ground.desired.groups.keys().cloned().collect(),
    };
    let everywhere = regions_of(ground, ground.desired.groups.keys());
    let here = regions_of(ground, names.iter());
    for region in &args.regions {
        if !everywhere.contains(region) && regions::find(region.as_str()).is_none() {
            return Err(unknown(region, &everywhere));
        }
        if !here.contains(region) {
            let whose = match &args.group {
                Some(name) => format!("of group `{name}` "),
                None => String::new(),
            };
            context
                .ui
                .say(&format!("nothing {whose}runs in `{region}`"));
        }
    }
    let mut edits = Vec::new();
    for name in names {
        edits.extend(taken(args, ground, name, keeps)?);
    }
    Ok(edits)
}

/// Where these groups are by the files, and where their Machines are.
fn regions_of<'a>(
    ground: &Ground<'_>,
    names: impl Iterator<Item = &'a GroupName>,
) -> BTreeSet<Region> {
    let mut regions = BTreeSet::new();
    for name in names {
        regions.extend(there(ground.desired, &ground.look.plan, name).into_keys());
        match &ground.desired.groups[name].regions {
            Regions::Unwritten => {}
            Regions::List(list) => regions.extend(list.iter().cloned()),
            Regions::Exact(map) => regions.extend(map.keys().cloned()),
        }
        let observed = ground.look.observed.iter();
        let machines = observed.flat_map(|observed| observed.machines.values());
        let theirs = machines.filter(|machine| machine.group.as_ref() == Some(name));
        regions.extend(theirs.map(|machine| machine.region.clone()));
    }
    regions
}

fn unknown(region: &Region, known: &BTreeSet<Region>) -> Failure {
    let failure = Failure::new(
        codes::NO_SUCH_REGION,
        format!("there is no region `{region}`"),
    );
    let mut codes: BTreeSet<String> = known.iter().map(ToString::to_string).collect();
    codes.extend(regions::open_codes().map(str::to_owned));
    let meant = did_you_mean(region.as_str(), codes.iter().map(String::as_str));
    failure
        .hint(meant.unwrap_or_else(|| "`aeroform regions list` says where groups are".to_owned()))
}

fn taken(
    args: &RegionsEdit,
    ground: &Ground<'_>,
    name: GroupName,
    keeps: bool,
) -> Result<Option<Edit>, Failure> {
    let wanted = &ground.desired.groups[&name];
    let there = there(ground.desired, &ground.look.plan, &name);
    let stays = |region: &Region| !args.regions.contains(region);
    let total: u32 = there.values().sum();
    if let Regions::List(list) = &wanted.regions {
        let regions: Vec<Region> = list
            .iter()
            .filter(|region| stays(region))
            .cloned()
            .collect();
        if regions.len() == list.len() {
            return Ok(None);
        }
        if regions.is_empty() {
            return Err(nowhere(&name));
        }
        // A count that nobody wrote would follow the Machines that go.
        let count = (keeps && wanted.count == Count::Unwritten).then_some(total);
        return Ok(Some(Edit::Regions {
            group: name,
            regions,
            count,
        }));
    }
    if there.keys().all(stays) {
        return Ok(None);
    }
    let mut map = there;
    map.retain(|region, _| stays(region));
    if keeps {
        if map.is_empty() {
            return Err(nowhere(&name));
        }
        for _ in map.values().sum::<u32>()..total {
            let fewest = map.values_mut().min_by_key(|n| **n);
            *fewest.expect("a region is left") += 1;
        }
    }
    Ok(Some(exact(ground, name, map)))
}

fn exact(ground: &Ground<'_>, group: GroupName, regions: BTreeMap<Region, u32>) -> Edit {
    Edit::Layout {
        layout: GroupLayout {
            standby: standbys(ground, &group, &regions),
            regions,
        },
        group,
    }
}

fn nowhere(name: &GroupName) -> Failure {
    Failure::new(
        codes::NO_REGION_LEFT,
        format!("group `{name}` would have no region left"),
    )
    .hint(format!(
        "add another one first (`aeroform regions add REGION -g {}`), or scale it to 0",
        shell_word(name.as_str())
    ))
}
