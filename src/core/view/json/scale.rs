//! `scale show --json` and `regions list --json`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::FORMAT_VERSION;
use crate::core::fleet::{AppName, GroupName, Region};
use crate::core::view::scale::{ScaleCounts, ScaleView};

/// All groups.
#[derive(Debug, Serialize)]
pub struct ScaleDocument<'a> {
    format_version: u32,
    app: &'a AppName,
    online: bool,
    groups: Vec<ScaleGroup<'a>>,
}

#[derive(Debug, Serialize)]
struct ScaleGroup<'a> {
    name: &'a GroupName,
    actual: ScaleNumbers<'a>,
    #[serde(rename = "wanted", skip_serializing_if = "Option::is_none")]
    desired: Option<ScaleNumbers<'a>>,
}

#[derive(Debug, Serialize)]
struct ScaleNumbers<'a> {
    count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpus: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_mb: Option<u32>,
    regions: &'a BTreeMap<Region, u32>,
}

/// The document.
pub fn scale(view: &ScaleView) -> ScaleDocument<'_> {
    let groups = view.groups.iter().map(|group| ScaleGroup {
        name: &group.name,
        actual: scale_numbers(&group.actual),
        desired: group.desired.as_ref().map(scale_numbers),
    });
    ScaleDocument {
        format_version: FORMAT_VERSION,
        app: &view.app,
        online: view.online,
        groups: groups.collect(),
    }
}

fn scale_numbers(scale: &ScaleCounts) -> ScaleNumbers<'_> {
    ScaleNumbers {
        count: scale.count,
        cpu_kind: scale.cpu_kind.as_deref(),
        cpus: scale.cpus,
        memory_mb: scale.memory_mb,
        regions: &scale.regions,
    }
}
