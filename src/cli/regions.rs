//! `aeroform regions`: edits the regions of a group in `[groups.*]`.

use std::collections::{BTreeMap, BTreeSet};

use super::args::{RegionsArgs, RegionsVerb as Args};
use super::edit::{self, EditContext};
use super::scale::{find_group, planned_primaries, single_group, standby_count};
use super::{Context, codes, scale_show};
use crate::core::fleet::quoting::shell_word;
use crate::core::fleet::{Count, GroupName, Observed, Region, Regions};
use crate::core::manifest::did_you_mean;
use crate::core::manifest::edit::{Edit, GroupLayout};
use crate::core::plan::Requested;
use crate::core::platform::regions;
use crate::ui::{Exit, Failure};

/// Runs the verb.
pub(super) async fn run(context: &Context<'_>, args: &Args) -> Result<Exit, Failure> {
    match args {
        Args::Add(args) => {
            let edits = |edit_context: &EditContext<'_>| add(args, edit_context);
            edit::run(
                context,
                "regions add",
                &args.edit_flags,
                Requested::default(),
                edits,
            )
            .await
        }
        Args::Remove(args) => {
            let edits = |edit_context: &EditContext<'_>| remove(context, args, edit_context, false);
            edit::run(
                context,
                "regions remove",
                &args.edit_flags,
                Requested::default(),
                edits,
            )
            .await
        }
        Args::Drain(args) => {
            let edits = |edit_context: &EditContext<'_>| remove(context, args, edit_context, true);
            edit::run(
                context,
                "regions drain",
                &args.edit_flags,
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

fn add(args: &RegionsArgs, edit_context: &EditContext<'_>) -> Result<Vec<Edit>, Failure> {
    let name = single_group(edit_context.desired, args.group.as_ref())?;
    let edit = match &edit_context.desired.groups[&name].regions {
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
            let mut map =
                planned_primaries(edit_context.desired, &edit_context.preview.plan, &name);
            for region in &args.regions {
                map.entry(region.clone()).or_insert(1);
            }
            exact_layout(edit_context, name, map)
        }
    };
    Ok(vec![edit])
}

/// Removes regions; `drain` keeps the count.
fn remove(
    context: &Context<'_>,
    args: &RegionsArgs,
    edit_context: &EditContext<'_>,
    keeps: bool,
) -> Result<Vec<Edit>, Failure> {
    let names: Vec<GroupName> = match &args.group {
        Some(name) => vec![find_group(edit_context.desired, name.as_str())?],
        None => edit_context.desired.groups.keys().cloned().collect(),
    };
    let everywhere = regions_of(edit_context, edit_context.desired.groups.keys());
    let here = regions_of(edit_context, names.iter());
    for region in &args.regions {
        if !everywhere.contains(region) && regions::find(region.as_str()).is_none() {
            return Err(unknown_region_error(region, &everywhere));
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
        edits.extend(edit_without(args, edit_context, name, keeps)?);
    }
    Ok(edits)
}

/// The regions of these groups in the files and of their Machines.
fn regions_of<'a>(
    edit_context: &EditContext<'_>,
    names: impl Iterator<Item = &'a GroupName>,
) -> BTreeSet<Region> {
    let mut regions = BTreeSet::new();
    for name in names {
        regions.extend(
            planned_primaries(edit_context.desired, &edit_context.preview.plan, name).into_keys(),
        );
        match &edit_context.desired.groups[name].regions {
            Regions::Unwritten => {}
            Regions::List(list) => regions.extend(list.iter().cloned()),
            Regions::Exact(map) => regions.extend(map.keys().cloned()),
        }
        let observed = edit_context.preview.observed.iter();
        let machines = observed.flat_map(Observed::counted_machines);
        let theirs = machines.filter(|machine| machine.group.as_ref() == Some(name));
        regions.extend(theirs.map(|machine| machine.region.clone()));
    }
    regions
}

fn unknown_region_error(region: &Region, known: &BTreeSet<Region>) -> Failure {
    let failure = Failure::new(
        codes::NO_SUCH_REGION,
        format!("there is no region `{region}`"),
    );
    let mut codes: BTreeSet<String> = known.iter().map(ToString::to_string).collect();
    codes.extend(regions::open_codes().map(str::to_owned));
    let meant = did_you_mean(region.as_str(), codes.iter().map(String::as_str));
    failure.hint(
        meant.unwrap_or_else(|| {
            "`aeroform regions list` shows the regions of each group".to_owned()
        }),
    )
}

fn edit_without(
    args: &RegionsArgs,
    edit_context: &EditContext<'_>,
    name: GroupName,
    keeps: bool,
) -> Result<Option<Edit>, Failure> {
    let group = &edit_context.desired.groups[&name];
    let there = planned_primaries(edit_context.desired, &edit_context.preview.plan, &name);
    let stays = |region: &Region| !args.regions.contains(region);
    let total: u32 = there.values().sum();
    if let Regions::List(list) = &group.regions {
        let regions: Vec<Region> = list
            .iter()
            .filter(|region| stays(region))
            .cloned()
            .collect();
        if regions.len() == list.len() {
            return Ok(None);
        }
        if regions.is_empty() {
            return Err(last_region_error(&name));
        }
        // An unwritten count would drop with the removed Machines.
        let count = (keeps && group.count == Count::Unwritten).then_some(total);
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
            return Err(last_region_error(&name));
        }
        for _ in map.values().sum::<u32>()..total {
            let fewest = map.values_mut().min_by_key(|n| **n);
            *fewest.expect("a region is left") += 1;
        }
    }
    Ok(Some(exact_layout(edit_context, name, map)))
}

fn exact_layout(
    edit_context: &EditContext<'_>,
    group: GroupName,
    regions: BTreeMap<Region, u32>,
) -> Edit {
    Edit::Layout {
        layout: GroupLayout {
            standby: standby_count(edit_context, &group, &regions),
            regions,
        },
        group,
    }
}

fn last_region_error(name: &GroupName) -> Failure {
    Failure::new(
        codes::NO_REGION_LEFT,
        format!("group `{name}` would have no region left"),
    )
    .hint(format!(
        "add another one first (`aeroform regions add REGION -g {}`), or scale it to 0",
        shell_word(name.as_str())
    ))
}
