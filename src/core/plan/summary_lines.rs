//! A plan as one stable line per fact, for tests and debugging. People read `core::view` instead.

use super::types::{Action, Change, GroupVerdict, Plan, StandbyTarget, Work};

impl Plan {
    /// Groups first, then changes in order (equal ones counted), then notes, warnings and refusals by code.
    pub fn summary_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for group in &self.groups {
            let regions: Vec<String> = group
                .regions
                .iter()
                .map(|(region, (before, after))| format!("{region} {before}->{after}"))
                .collect();
            let verdict = match group.verdict {
                GroupVerdict::Added => "added",
                GroupVerdict::Removed => "removed",
                GroupVerdict::Changed => "changed",
                GroupVerdict::Unchanged => "unchanged",
            };
            let (before, after, regions) = (group.before, group.after, regions.join(", "));
            lines.push(format!(
                "group {}: {before}->{after} {verdict} ({regions})",
                group.name
            ));
        }
        let mut last: Option<(String, usize)> = None;
        for step in &self.steps {
            let text = match &step.work {
                Work::Change(change) => change_line(change),
                Work::Barrier { name } => format!("-- {name}"),
            };
            match &mut last {
                Some((same, n)) if *same == text => *n += 1,
                _ => {
                    lines.extend(last.take().map(times));
                    last = Some((text, 1));
                }
            }
        }
        lines.extend(last.map(times));
        for (kind, notes) in [
            ("record", &self.records),
            ("note", &self.notes),
            ("warning", &self.warnings),
            ("refused", &self.refusals),
        ] {
            for note in notes {
                let group = note
                    .group
                    .as_ref()
                    .map_or(String::new(), |g| format!(" {g}"));
                lines.push(format!("{kind} {}{group}", note.code));
            }
        }
        lines
    }
}

fn times((text, n): (String, usize)) -> String {
    if n == 1 { text } else { format!("{text} x{n}") }
}

fn change_line(change: &Change) -> String {
    let subject = format!("{} {}", change.group, change.region);
    let id = change
        .machine
        .id
        .as_ref()
        .map_or(String::new(), |id| format!(" {id}"));
    let fields: Vec<String> = change
        .changes
        .iter()
        .map(|field| field.path.join("."))
        .collect();
    let fields = if fields.is_empty() {
        String::new()
    } else {
        format!(" [{}]", fields.join(" "))
    };
    let standby = |list: &[StandbyTarget]| {
        let names: Vec<String> = list
            .iter()
            .map(|standby| match standby {
                StandbyTarget::Machine(id) => id.to_string(),
                StandbyTarget::Step(step) => format!("#{}", step.0),
            })
            .collect();
        if names.is_empty() {
            String::new()
        } else {
            format!(" standby for {}", names.join(" "))
        }
    };
    match &change.action {
        Action::Create {
            standby_for,
            replaces,
            new_volumes,
            green,
            ..
        } => {
            let create = green.as_ref().map_or("create", |_| "create green");
            let replaces = replaces
                .as_ref()
                .map_or(String::new(), |id| format!(" replaces {id}"));
            let volumes: Vec<String> = new_volumes
                .iter()
                .map(|volume| format!(" with a new {} of {} GB", volume.name, volume.size_gb))
                .collect();
            let volumes = volumes.concat();
            format!(
                "{create} {subject}{replaces}{}{volumes}{fields}",
                standby(standby_for)
            )
        }
        Action::Update { standby_for } => {
            format!("update {subject}{id}{}{fields}", standby(standby_for))
        }
        Action::Move { from, standby_for } => {
            format!(
                "move {subject}{id} from {from}{}{fields}",
                standby(standby_for)
            )
        }
        Action::Destroy {
            removal,
            left_volumes: leaves,
        } => {
            let leaves = if leaves.is_empty() {
                String::new()
            } else {
                format!(" leaves {}", leaves.len())
            };
            format!(
                "destroy {subject}{id} {removal:?}{leaves}: {}",
                change.reason
            )
        }
        Action::Wait => format!("wait for {subject}{id}: {}", change.reason),
        Action::Start => format!("start again {subject}{id}: {}", change.reason),
        Action::Adopt => format!("adopt {subject}{id}: {}", change.reason),
        Action::Forget => format!("forget {subject}{id}"),
        Action::Switch { greens, .. } => format!("switch {subject} to {} greens", greens.len()),
        Action::Canary { soak_ms: 0, .. } => format!("canary {subject}"),
        Action::Canary { soak_ms, .. } => format!("canary {subject} soak {soak_ms} ms"),
        Action::Once { what, .. } => {
            format!(
                "run the {} in {}{id}: {}",
                what.as_str(),
                change.region,
                change.reason
            )
        }
    }
}
