//! `aeroform scale`: count, regions and VM size, as edits of the manifests.

use std::collections::{BTreeMap, BTreeSet};

use super::args::{ScaleCountArgs, ScaleVerb as Args};
use super::edit::{self, EditContext};
use super::{Context, codes, scale_show, scale_size};
use crate::core::fleet::{Count as Written, Desired, GroupName, Region, Regions};
use crate::core::manifest::edit::{Edit, GroupLayout};
use crate::core::plan::{Plan, Requested, ScaleAmount, ScaleError, ScaleRequest};
use crate::ui::{Exit, Failure};

/// Runs the verb.
pub(super) async fn run(context: &Context<'_>, args: &Args) -> Result<Exit, Failure> {
    match args {
        Args::Count(args) => {
            let edits = |edit_context: &EditContext<'_>| count_edits(args, edit_context);
            edit::run(
                context,
                "scale count",
                &args.edit_flags,
                Requested::default(),
                edits,
            )
            .await
        }
        Args::Vm(args) => {
            let edits = |edit_context: &EditContext<'_>| scale_size::vm_edits(args, edit_context);
            edit::run_without_context(context, "scale vm", &args.size_flags.edit_flags, edits).await
        }
        Args::Memory(args) => {
            let edits =
                |edit_context: &EditContext<'_>| scale_size::memory_edits(args, edit_context);
            edit::run(
                context,
                "scale memory",
                &args.size_flags.edit_flags,
                Requested::default(),
                edits,
            )
            .await
        }
        Args::Show(args) => scale_show::run(context, args.refresh.refresh, None).await,
    }
}

/// The layout of each named group.
fn count_edits(
    args: &ScaleCountArgs,
    edit_context: &EditContext<'_>,
) -> Result<Vec<Edit>, Failure> {
    let desired = edit_context.desired;
    let mut amounts: BTreeMap<GroupName, ScaleAmount> = BTreeMap::new();
    for count in &args.counts {
        let group = match &count.group {
            Some(name) => find_group(desired, name.as_str())?,
            None => single_group(desired, args.group.as_ref())?,
        };
        if amounts.contains_key(&group) {
            return Err(
                Failure::new(codes::BAD_COUNT, format!("group `{group}` has two counts"))
                    .hint("name each group once"),
            );
        }
        amounts.insert(group, count.amount);
    }
    let regions = app_regions(desired, &edit_context.preview.plan);
    let layouts = amounts.into_iter().map(|(group, amount)| {
        let layout = layout(args, edit_context, &regions, &group, amount)?;
        Ok(Edit::Layout { group, layout })
    });
    layouts.collect()
}

fn layout(
    args: &ScaleCountArgs,
    edit_context: &EditContext<'_>,
    regions: &[Region],
    name: &GroupName,
    amount: ScaleAmount,
) -> Result<GroupLayout, Failure> {
    let group = &edit_context.desired.groups[name];
    let current = planned_primaries(edit_context.desired, &edit_context.preview.plan, name);
    let most = args.max_per_region.map(u32::from).or(group.max_per_region);
    let scale = ScaleRequest {
        amount,
        regions: (!args.region.is_empty()).then_some(args.region.as_slice()),
        app_regions: regions,
        max_per_region: most,
        has_volumes: group.template.has_mounts(),
    };
    let after = scale
        .counts_per_region(&current)
        .map_err(|error| no_scale_error(name, &error))?;
    Ok(GroupLayout {
        standby: standby_count(edit_context, name, &after),
        regions: after,
    })
}

/// A written count implies no standbys unless they are written too (rule 15).
pub(super) fn standby_count(
    edit_context: &EditContext<'_>,
    name: &GroupName,
    after: &BTreeMap<Region, u32>,
) -> Option<u32> {
    // A group with count 0 needs no standby setting.
    let group = edit_context.desired.groups.get(name)?;
    if group.standby.is_some() || after.is_empty() || group.count != Written::Unwritten {
        return None;
    }
    let planned = edit_context
        .preview
        .plan
        .groups
        .iter()
        .find(|g| g.name == *name)?;
    let primaries: u32 = planned.primaries.values().sum();
    Some(planned.after.saturating_sub(primaries)).filter(|n| *n > 0 && planned.before > 0)
}

/// The primaries of a group after an apply of the current files: the base for regions that the edit does not
/// name.
pub(super) fn planned_primaries(
    desired: &Desired,
    plan: &Plan,
    name: &GroupName,
) -> BTreeMap<Region, u32> {
    let Some(group) = plan.groups.iter().find(|group| group.name == *name) else {
        return BTreeMap::new();
    };
    let count_unwritten = desired
        .groups
        .get(name)
        .is_none_or(|group| group.count == Written::Unwritten);
    if group.before == 0 && count_unwritten {
        return BTreeMap::new();
    }
    group.primaries.clone()
}

/// The regions of all groups in alphabetical order; without Machines the written regions, otherwise the primary
/// region.
fn app_regions(desired: &Desired, plan: &Plan) -> Vec<Region> {
    let groups = desired.groups.keys();
    let mut regions: BTreeSet<Region> = groups
        .flat_map(|name| planned_primaries(desired, plan, name).into_keys())
        .collect();
    if regions.is_empty() {
        for group in desired.groups.values() {
            match &group.regions {
                Regions::Unwritten => {}
                Regions::List(list) => regions.extend(list.iter().cloned()),
                Regions::Exact(map) => regions.extend(map.keys().cloned()),
            }
        }
    }
    if regions.is_empty() {
        let planned = plan.groups.iter().flat_map(|group| group.primaries.keys());
        regions.extend(desired.primary_region.iter().chain(planned).cloned());
    }
    regions.into_iter().collect()
}

/// Finds a group by name.
pub(super) fn find_group(desired: &Desired, name: &str) -> Result<GroupName, Failure> {
    let found = desired.groups.keys().find(|group| group.as_str() == name);
    found.cloned().ok_or_else(|| {
        Failure::new(
            codes::NO_GROUP,
            format!("there is no process group `{name}`"),
        )
        .hint(format!("the groups are {}", list_groups(desired)))
    })
}

/// The group from the flag, the only group, or `app`.
pub(super) fn single_group(
    desired: &Desired,
    flag: Option<&GroupName>,
) -> Result<GroupName, Failure> {
    if let Some(name) = flag {
        return find_group(desired, name.as_str());
    }
    let mut names = desired.groups.keys();
    if let (Some(only), None) = (names.next(), names.next()) {
        return Ok(only.clone());
    }
    let app = desired.groups.keys().find(|name| name.as_str() == "app");
    app.cloned().ok_or_else(|| {
        Failure::new(
            codes::NEEDS_GROUP,
            "the app has several process groups, and none is named",
        )
        .hint(format!(
            "use `-g` or `GROUP=N`; the groups are {}",
            list_groups(desired)
        ))
    })
}

/// The group names, for a hint.
pub(super) fn list_groups(desired: &Desired) -> String {
    let names: Vec<String> = desired
        .groups
        .keys()
        .map(|name| format!("`{name}`"))
        .collect();
    names.join(", ")
}

fn no_scale_error(name: &GroupName, error: &ScaleError) -> Failure {
    match error {
        ScaleError::TooFew { count, room } => Failure::new(
            codes::SCALE_FITS_NOT,
            format!(
                "group `{name}` cannot have {count} Machines in these regions: the limit is {room}"
            ),
        )
        .hint("add regions with `--region`, or raise `--max-per-region`"),
        ScaleError::NoRegion => Failure::new(
            codes::SCALE_FITS_NOT,
            format!("group `{name}` cannot have Machines: no region is known for it"),
        )
        .hint("use `--region`, or write `primary_region` in fly.toml"),
    }
}
