//! Plans that are hard to show: hostile, long, many.

use aeroform::core::plan::GroupVerdict::{Changed, Removed, Unchanged};
use aeroform::core::plan::{Plan, Removal};
use serde_json::{Value, json};

use crate::build::*;

pub(super) fn hostile_names() -> Plan {
    let changes = fields(
        json!({"env": {"GREETING": "hi"}}),
        json!({"env": {"GREETING": "\u{1b}[2J\u{202e}gnp.exe\n::error::pwned\n##[error]x", "A B": "1"}}),
    );
    let name = "we\u{202e}b::error::x";
    let mut plan = plan(1)
        .group(
            group(name, "sh -c 'echo \u{1b}]0;pwned\u{7}'", Changed, "ams 1").strategy("rolling"),
        )
        .step(update(name, "ams", "148ed599c14189", &changes));
    plan.warnings = vec![note(
        "check_output",
        Some(name),
        "::error file=app.rb::\u{1b}[31mthe check said\r\nPlan: 0 to destroy.",
        Some("look\u{200b} at it"),
    )];
    plan
}

pub(super) fn immediate() -> Plan {
    let changes = fields(json!({"env": {"A": "1"}}), json!({"env": {"A": "2"}}));
    plan(20)
        .group(
            group("web", "bin/web", Changed, "ams 10, fra 10")
                .strategy("immediate: all at once, without waiting for health"),
        )
        .steps((0..20).map(|n| {
            let at = if n % 2 == 0 { "ams" } else { "fra" };
            update("web", at, &format!("148ed599c141{n:02}"), &changes)
        }))
}

pub(super) fn long_command() -> Plan {
    let word = "--a-rather-long-option=with-a-value ";
    let before: Vec<Value> = format!("bin/run {}", word.repeat(8))
        .split_whitespace()
        .map(Value::from)
        .collect();
    let mut after = before.clone();
    after.push(Value::from("--last"));
    let changes = fields(
        json!({"init": {"cmd": before}}),
        json!({"init": {"cmd": after}}),
    );
    plan(1)
        .group(
            group(
                "a_rather_long_group_name_that_is_cut",
                &format!("bin/run {}--last", word.repeat(8)),
                Changed,
                "ams 1",
            )
            .strategy("rolling"),
        )
        .step(update(
            "a_rather_long_group_name_that_is_cut",
            "ams",
            "148ed599c14189",
            &changes,
        ))
}

pub(super) fn many_groups() -> Plan {
    let quiet = (0..20).map(|n| group(&format!("queue-{n:02}"), "bin/q", Unchanged, "ams 2"));
    let regions = "ams 1->2, arn 1->2, bog 1->2, cdg 1->2, dfw 1->2, fra 1->2, gru 1->2, iad 1->2";
    let new = regions.split(", ").map(|place| &place[..3]).zip(0..);
    quiet
        .fold(plan(48), PlanBuilder::group)
        .group(group("web", "bin/web", Changed, regions))
        .steps(new.map(|(at, n)| create("web", at, n)))
}

/// So many Machines in twenty regions that all get a new image, and as many that go.
pub(crate) fn ten_thousand(n: usize) -> Plan {
    let changes = fields(json!({"image": "shop:41"}), json!({"image": "shop:42"}));
    let at = |n: usize| format!("r{:02}", n % 20);
    let mut plan = plan(n)
        .group(group("web", "bin/web", Changed, "").strategy(
            "rolling: 1 first, then 16 at a time (`--parallelism`; `max_unavailable` allows 1650), each up for 10s",
        ))
        .group(group("old", "", Removed, ""));
    plan.groups[0].before = u32::try_from(n / 2).unwrap();
    plan.groups[0].steady_ms = Some(10_000);
    plan.groups[0].at_least_ms = Some(3_140_000);
    plan.at_least_ms = Some(3_140_000);
    plan.groups[1].before = u32::try_from(n - n / 2).unwrap();
    plan.groups[1].after = plan.groups[1].before;
    for k in 0..n / 2 {
        plan = plan.step(update("web", &at(k), &format!("148ed{k:09}"), &changes));
    }
    for k in n / 2..n {
        plan = plan.step(destroy(
            "old",
            &at(k),
            &format!("148ed{k:09}"),
            Removal::GroupRemoved,
            "its group is removed",
        ));
    }
    plan
}
