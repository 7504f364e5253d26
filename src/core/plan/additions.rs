//! Fields that the platform added during a run, for the report: each field once, when it is new.

use std::collections::BTreeMap;

use serde_json::Value;

use super::codes;
use super::types::{Plan, StepId, StepResult, Work};
use crate::core::code::Code;
use crate::core::fleet::computed::parse_path;
use crate::core::fleet::digest::HIDDEN_PREFIX;
use crate::core::fleet::{GroupName, Known};

/// A field that the platform added to Machines of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Addition {
    /// The group.
    pub group: GroupName,
    /// The service written as `[http_service]`, as the path names it (`8080 tcp`).
    pub http_service: Option<String>,
    /// Its path in the config, as in field changes.
    pub path: Vec<String>,
    /// Its value; none if Machines have different ones, or if it is hidden.
    pub value: Option<Value>,
    /// Whether its value looks secret.
    pub hidden: bool,
    /// The number of Machines that have it.
    pub machines: usize,
    /// Whether the run removed it and the platform added it again with this value.
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

/// Fields that the Machines of this run have although the run did not send them, if they are new to the state.
pub fn additions(known: &Known, plan: &Plan, results: &[StepResult]) -> Vec<Addition> {
    let is_known = |path: &str, value: Option<&Value>| {
        let mut configs = known.computed_fields.values();
        configs.any(|computed| computed.has(path, value))
    };
    let mut found: BTreeMap<(&GroupName, bool, &str), (Option<&Value>, usize)> = BTreeMap::new();
    for (result, at) in results.iter().zip(0_u32..) {
        let step = plan.steps.get(StepId(at).0 as usize);
        let (Some(Work::Change(change)), Some(seen)) =
            (step.map(|step| &step.work), &result.computed)
        else {
            continue;
        };
        for (path, value) in seen.fields.iter() {
            let not_removed = seen.not_removed.contains(path);
            if !not_removed && is_known(path, value) {
                continue;
            }
            let entry = found.entry((&change.group, not_removed, path));
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
        .map(|((group, not_removed, path), (value, machines))| {
            let hidden = value.is_some_and(|value| value.to_string().contains(HIDDEN_PREFIX));
            Addition {
                group: group.clone(),
                http_service: http_service(group),
                path: parse_path(path),
                value: value.filter(|_| !hidden).cloned(),
                hidden,
                machines,
                not_removed,
            }
        });
    additions.collect()
}
