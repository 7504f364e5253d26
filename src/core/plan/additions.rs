//! What a run has seen the platform add by itself, for people: each field once, when it is new.

use std::collections::BTreeMap;

use serde_json::Value;

use super::codes;
use super::types::{Plan, StepId, StepResult, Work};
use crate::core::code::Code;
use crate::core::fleet::computed::parse_path;
use crate::core::fleet::digest::HIDDEN_PREFIX;
use crate::core::fleet::{GroupName, Known};

/// A field that the platform has added to Machines of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Addition {
    /// The group.
    pub group: GroupName,
    /// The service that is written as `[http_service]`, as the path names it (`8080 tcp`).
    pub http_service: Option<String>,
    /// Where it stands in the config, as field changes name it.
    pub path: Vec<String>,
    /// Its value; none where Machines show different ones, or where it is not shown.
    pub value: Option<Value>,
    /// Its value looks secret.
    pub hidden: bool,
    /// How many Machines have it.
    pub machines: usize,
    /// They had it with this value before, and the run was to remove it.
    pub not_removed: bool,
}

impl Addition {
    /// Its code in the report.
    pub fn code(&self) -> Code {
        if self.not_removed {
            codes::KEPT_BY_PLATFORM
        } else {
            codes::FILLED_BY_PLATFORM
        }
    }
}

/// What the Machines of this run have that was not sent to them, as far as the state does not say so already.
pub fn additions(known: &Known, plan: &Plan, results: &[StepResult]) -> Vec<Addition> {
    let is_known = |path: &str, value: Option<&Value>| {
        let mut configs = known.computed_fields.values();
        configs.any(|filled| filled.has(path, value))
    };
    let mut found: BTreeMap<(&GroupName, bool, &str), (Option<&Value>, usize)> = BTreeMap::new();
    for (result, at) in results.iter().zip(0_u32..) {
        let step = plan.steps.get(StepId(at).0 as usize);
        let (Some(Work::Change(change)), Some(seen)) =
            (step.map(|step| &step.work), &result.filled)
        else {
            continue;
        };
        for (path, value) in seen.fields.iter() {
            let kept = seen.not_removed.contains(path);
            if !kept && is_known(path, value) {
                continue;
            }
            let entry = found.entry((&change.group, kept, path));
            let (known, machines) = entry.or_insert((value, 0));
            if *known != value {
                *known = None;
            }
            *machines += 1;
        }
    }
    let http_service = |name: &GroupName| {
        let group = plan.groups.iter().find(|group| group.name == *name);
        group.and_then(|group| group.http_service.clone())
    };
    let additions = found
        .into_iter()
        .map(|((group, kept, path), (value, machines))| {
            let hidden = value.is_some_and(|value| value.to_string().contains(HIDDEN_PREFIX));
            Addition {
                group: group.clone(),
                http_service: http_service(group),
                path: parse_path(path),
                value: value.filter(|_| !hidden).cloned(),
                hidden,
                machines,
                not_removed: kept,
            }
        });
    additions.collect()
}
