//! `[groups.NAME]`: counts, regions and other settings of a group.

use std::ops::Range;

use crate::core::fleet::{GroupName, OrderedRegions, Regions};

use super::super::diagnostics::quote_text;
use super::super::duration::NumberUnit;
use super::super::fields::Fields;
use super::super::fly::processes::split_command;
use super::super::names;
use super::super::rollout_settings::{self, RolloutSettings};
use super::super::tree::Located;
use super::super::value::{Node, Value};
use super::order;
use super::regions::{self, RegionLimits};

/// Maximum Machines of one group; a larger number is a mistake and would exhaust memory.
pub(in crate::core::manifest) const MAX_COUNT: u32 = 100_000;

/// One `[groups.NAME]`.
#[derive(Debug)]
pub(in crate::core::manifest) struct GroupSettings {
    pub(in crate::core::manifest) name: Located<GroupName>,
    pub(in crate::core::manifest) span: Range<usize>,
    pub(in crate::core::manifest) count: Option<u32>,
    pub(in crate::core::manifest) regions: Option<Regions>,
    pub(in crate::core::manifest) max_per_region: Option<u32>,
    pub(in crate::core::manifest) standby: Option<Located<u32>>,
    pub(in crate::core::manifest) ha: Option<bool>,
    pub(in crate::core::manifest) protect: bool,
    pub(in crate::core::manifest) deploy: GroupDeploy,
    /// `local.command`, as written and split.
    pub(in crate::core::manifest) command: Option<(String, Vec<String>)>,
}

/// `[groups.NAME.deploy]`.
#[derive(Debug, Default)]
pub(in crate::core::manifest) struct GroupDeploy {
    pub(in crate::core::manifest) rollout: RolloutSettings,
    /// `steady`, milliseconds.
    pub(in crate::core::manifest) steady: Option<Located<u64>>,
    pub(in crate::core::manifest) order: Option<Located<Vec<OrderedRegions>>>,
    /// `canary.soak`, milliseconds.
    pub(in crate::core::manifest) soak: Option<Located<u64>>,
}

/// Reads all of them, in the order of the file.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Vec<GroupSettings> {
    let file = fields.file;
    let Some(table) = fields.table("groups") else {
        return Vec::new();
    };
    let entries = table.entries().into_iter();
    entries
        .filter_map(|(name, span, node)| {
            let fields = file
                .table(&table.path(name), node)?
                .with_section("groups.*");
            let name = names::parse_group(file, Located::new(name.to_owned(), span))?;
            Some(group(fields, name))
        })
        .collect()
}

fn group(mut fields: Fields<'_, '_>, name: Located<GroupName>) -> GroupSettings {
    let count = fields.integer("count", 0..MAX_COUNT + 1);
    let regions = fields.take("regions");
    let regions_span = regions.map(Node::span);
    let regions_path = fields.path("regions");
    let regions = regions.and_then(|node| regions::read(fields.file, &regions_path, node));
    let max_per_region = fields.integer("max_per_region", 1..MAX_COUNT + 1);
    let settings = GroupSettings {
        span: fields.span.clone(),
        standby: standby(&mut fields),
        ha: fields.boolean("ha"),
        protect: fields.boolean("protect").unwrap_or(false),
        deploy: deploy(&mut fields).unwrap_or_default(),
        command: local(&mut fields, &name.value),
        count: count.as_ref().map(|count| count.value),
        max_per_region: max_per_region.as_ref().map(|most| most.value),
        regions,
        name,
    };
    if let (Some(regions), Some(span)) = (&settings.regions, regions_span) {
        let layout = RegionLimits {
            file: fields.file,
            regions,
            span,
            name: &settings.name.value,
        };
        layout.check_count(count.as_ref());
        layout.check_max_per_region(count.as_ref(), max_per_region.as_ref());
    }
    fields.report_unknown_keys();
    settings
}

/// `standby`: a number, or true for one.
fn standby(fields: &mut Fields<'_, '_>) -> Option<Located<u32>> {
    let node = fields.take("standby")?;
    let path = fields.path("standby");
    match node.get_ref() {
        Value::Boolean(value) => Some(Located::new(u32::from(*value), node.span())),
        Value::Integer(_) => fields.file.integer(&path, node, 0..MAX_COUNT + 1),
        _ => {
            fields
                .file
                .wrong_type(&path, node, "true, false or a number");
            None
        }
    }
}

fn deploy(fields: &mut Fields<'_, '_>) -> Option<GroupDeploy> {
    let mut fields = fields.table("deploy")?.with_section("groups.*.deploy");
    // A duration, or 0.
    let steady = fields.duration("steady", NumberUnit::Seconds);
    let deploy = GroupDeploy {
        rollout: rollout_settings::read(&mut fields),
        steady: steady.map(|at| at.map(|nanos| nanos / 1_000_000)),
        order: order::regions(&mut fields),
        soak: canary(&mut fields),
    };
    fields.report_unknown_keys();
    Some(deploy)
}

fn canary(fields: &mut Fields<'_, '_>) -> Option<Located<u64>> {
    let mut fields = fields
        .table("canary")?
        .with_section("groups.*.deploy.canary");
    let soak = fields.duration("soak", NumberUnit::Seconds);
    fields.report_unknown_keys();
    soak.map(|at| at.map(|nanos| nanos / 1_000_000))
}

fn local(fields: &mut Fields<'_, '_>, group: &GroupName) -> Option<(String, Vec<String>)> {
    let mut fields = fields.table("local")?.with_section("groups.*.local");
    let command = fields.string("command");
    let file = fields.file;
    fields.report_unknown_keys();
    let command = command?;
    let whose = format!("group {}", quote_text(group.as_str()));
    // A command that cannot be split is reported, but still counts as a command.
    let words = split_command(file, &whose, &command.value, &command.span);
    if words.as_ref().is_some_and(Vec::is_empty) {
        let message = format!("the local command of {whose} is empty");
        file.bad_value(command.span, message, None);
    }
    Some((command.value, words.unwrap_or_default()))
}
