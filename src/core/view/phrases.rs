//! Numbers and short phrases that all views share.

pub use crate::core::plan::join_with_and;
use std::time::Duration;

use std::fmt::Write;

use crate::core::fleet::{AppNameSource, GroupName};
use crate::core::plan::hold::PlannedHold;
use crate::core::plan::{LeftOut, Plan, Verb};

/// The legend of the mark for standbys.
pub const STANDBY_LEGEND: &str = "† standby: starts when the host of its primary fails";

/// The source of an app's name, to print after it; empty for fly.toml.
pub(super) fn app_name_source(named_by: Option<&AppNameSource>) -> String {
    named_by.map_or_else(String::new, |by| format!(" ({by})"))
}

/// `left out: 6 to update in web (--process-groups worker)`, one for each group and filter.
pub(super) fn left_out_texts(plan: &Plan) -> Vec<String> {
    let of_group = |left: &LeftOut| {
        let counts = left.actions.iter().map(|(verb, n)| {
            let n = group_digits(*n as usize);
            format!("{n} {}", infinitive(*verb))
        });
        let counts: Vec<String> = counts.collect();
        let (group, filter) = (&left.group, &left.filter);
        format!("left out: {} in {group} ({filter})", counts.join(", "))
    };
    plan.left_out.iter().map(of_group).collect()
}

/// `groups in this order: migrator, then worker and jobs, then web`; none without an order.
pub(super) fn groups_order_text(plan: &Plan) -> Option<String> {
    let lists = plan.groups_order.iter();
    let lists: Vec<String> = lists.map(|list| join_group_names(list)).collect();
    (!lists.is_empty()).then(|| format!("groups in this order: {}", lists.join(", then ")))
}

fn join_group_names(list: &[GroupName]) -> String {
    let names: Vec<&str> = list.iter().map(GroupName::as_str).collect();
    join_with_and(&names)
}

/// The release that an app follows, and how that ends.
pub(super) fn hold_text(hold: &PlannedHold) -> String {
    let names: Vec<String> = hold.groups.iter().map(|name| format!("`{name}`")).collect();
    let of = match names.len() {
        0 => String::new(),
        1 => format!(" of group {}", names.concat()),
        _ => format!(" of groups {}", join_with_and(&names)),
    };
    format!(
        "Held at {}: images and configs{of} follow it until `aeroform rollback --end`.",
        hold.release_name()
    )
}

/// A number with a thousands separator (`10,000`).
pub fn group_digits(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An action behind a number of Machines (`to create`).
pub fn infinitive(action: Verb) -> &'static str {
    match action {
        Verb::Create => "to create",
        Verb::Update => "to update",
        Verb::Replace => "to replace",
        Verb::Move => "to move",
        Verb::Destroy => "to destroy",
        Verb::Wait => "to wait for",
        Verb::Start => "to start again",
        Verb::Adopt => "to adopt",
        Verb::Forget => "to forget",
        Verb::Run => "to run",
        Verb::Swap => "to swap",
        Verb::Switch => "to switch",
        Verb::Canary => "canary",
    }
}

/// `4 to update, 2 to replace`.
pub fn join_counts(counts: &[(&str, usize)]) -> String {
    let texts: Vec<String> = counts
        .iter()
        .map(|(what, n)| format!("{} {what}", group_digits(*n)))
        .collect();
    texts.join(", ")
}

/// A number with its noun (`1 Machine`, `12 Machines`).
pub fn count_noun(n: usize, noun: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {noun}{s}", group_digits(n))
}

/// `2 → 4`, or one number if nothing changes.
pub fn before_after(before: u32, after: u32) -> String {
    let text = group_digits(before as usize);
    if before == after {
        text
    } else {
        format!("{text} → {}", group_digits(after as usize))
    }
}

/// Ports with ranges (`port 8100`, `ports 8100-8103, 8110`).
pub fn port_ranges(ports: &[u16]) -> String {
    let mut sorted = ports.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut text = String::from(if sorted.len() == 1 { "port " } else { "ports " });
    let runs = sorted.chunk_by(|a, b| a.checked_add(1) == Some(*b));
    for (at, run) in runs.enumerate() {
        if at > 0 {
            text.push_str(", ");
        }
        let (first, last) = (run[0], run[run.len() - 1]);
        let written = match run.len() {
            1 => write!(text, "{first}"),
            2 => write!(text, "{first}, {last}"),
            _ => write!(text, "{first}-{last}"),
        };
        written.expect("writing to a string never fails");
    }
    text
}

/// Cents as dollars (`$14.20`, `$1,024`); no cents from a thousand dollars.
pub fn format_dollars(cents: i64) -> String {
    let amount = cents.unsigned_abs();
    let whole = group_digits(usize::try_from(amount / 100).unwrap_or(usize::MAX));
    let text = if amount >= 100_000 {
        let rounded = usize::try_from((amount + 50) / 100).unwrap_or(usize::MAX);
        group_digits(rounded)
    } else {
        format!("{whole}.{:02}", amount % 100)
    };
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}${text}")
}

/// A limit of the program, as [`human_duration`] writes it.
pub fn human_limit(limit: Duration) -> String {
    human_duration(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX))
}

/// A duration (`4s`, `5m`, `1m 30s`, `800ms`).
pub fn human_duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match (seconds / 60, seconds % 60) {
        (0, 0) => format!("{ms}ms"),
        (0, s) => format!("{s}s"),
        (m, 0) => format!("{m}m"),
        (m, s) => format!("{m}m {s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases() {
        assert_eq!(group_digits(0), "0");
        assert_eq!(group_digits(1_234_567), "1,234,567");
        assert_eq!(count_noun(1, "Machine"), "1 Machine");
        assert_eq!(count_noun(10_000, "Machine"), "10,000 Machines");
        assert_eq!(before_after(2, 4), "2 → 4");
        assert_eq!(port_ranges(&[8100]), "port 8100");
        assert_eq!(
            port_ranges(&[8102, 8100, 8101, 8110, 8111]),
            "ports 8100-8102, 8110, 8111"
        );
        assert_eq!(human_duration(90_000), "1m 30s");
        assert_eq!(human_duration(800), "800ms");
        assert_eq!(format_dollars(1420), "$14.20");
        assert_eq!(format_dollars(-5), "-$0.05");
        assert_eq!(format_dollars(12_345_678), "$123,457");
    }
}
