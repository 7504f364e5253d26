//! Ports of new Machines that differ from those the shown plan had, because another program took one since.

use std::collections::{BTreeMap, BTreeSet};

use super::types::{Action, Plan};
use crate::core::fleet::GroupName;

/// For each shown port that is no longer used, the port that replaces it.
pub fn changed_ports(shown: &Plan, fresh: &Plan) -> Vec<String> {
    let (was, is) = (planned_ports(shown), planned_ports(fresh));
    let none = BTreeSet::new();
    let mut texts = Vec::new();
    for (group, before) in was {
        let now = is.get(group).unwrap_or(&none);
        let lost = before.difference(now);
        let got = now.difference(&before);
        texts.extend(lost.zip(got).map(|(old, new)| {
            format!(
                "port {old} was taken since the plan was shown: a new Machine of `{group}` gets port {new}"
            )
        }));
    }
    texts
}

/// The ports of new Machines by group.
fn planned_ports(plan: &Plan) -> BTreeMap<&GroupName, BTreeSet<u16>> {
    let mut ports: BTreeMap<&GroupName, BTreeSet<u16>> = BTreeMap::new();
    for (_, change) in plan.changes() {
        if let Action::Create {
            port: Some(port), ..
        } = &change.action
        {
            ports.entry(&change.group).or_default().insert(*port);
        }
    }
    ports
}
