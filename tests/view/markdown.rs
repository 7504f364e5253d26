//! Comments of pull requests, read by a parser of GitHub's Markdown: within the budget to the byte, balanced, with
//! the counts of JSON, and nothing in foreign text is more than text.

mod hostile;
mod parsed;

use aeroform::core::fleet::{AppName, FieldChange, Known};
use aeroform::core::manifest::{self, Overrides, SourceFile};
use aeroform::core::plan::GroupVerdict::{Changed, Removed};
use aeroform::core::plan::{Comparison, Plan, PlanOf, Removal, Snapshot, StepId};
use aeroform::core::view::gitlab::gitlab;
use aeroform::core::view::json;
use aeroform::core::view::markdown::{
    self, DEFAULT_BUDGET, MIN_BUDGET, MarkdownStyle, PlanComment,
};
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::build::*;
use crate::schemas::{rejects_changes, schema, valid};
use crate::{gallery, runs};
use parsed::Document;

const BUDGETS: [usize; 4] = [MIN_BUDGET, 32_768, DEFAULT_BUDGET, 262_144];
const DIGEST: &str = "3bd1e992a2a7";

pub(crate) fn style(budget: usize) -> MarkdownStyle {
    MarkdownStyle {
        budget,
        program: "aeroform",
        verbose: false,
    }
}

pub(crate) fn written(plan: &Plan, budget: usize) -> String {
    compared(plan, None, budget)
}

fn compared(plan: &Plan, comparison: Option<&Comparison>, budget: usize) -> String {
    let comment = PlanComment {
        plan,
        comparison,
        digest: DIGEST,
        failed: None,
    };
    markdown::plan(&comment, &style(budget)).unwrap()
}

/// Machines that are updated, shrunk and destroyed, spread over groups, and groups that are removed.
pub(crate) fn many(machines: usize, groups: usize) -> Plan {
    let fields = |memory: u32| -> Vec<FieldChange> {
        let guest = |mb: u32| json!({"guest": {"cpu_kind": "shared", "cpus": 2, "memory_mb": mb}});
        fields(guest(1024), guest(memory))
    };
    let changes = [fields(2048), fields(512)];
    let mut planned = plan(machines);
    for group_at in 0..groups {
        let name = format!("group-{group_at:03}");
        let own = machines / groups + usize::from(group_at < machines % groups);
        let (verdict, after) = match group_at % 3 {
            2 => (Removed, 0),
            _ => (Changed, own),
        };
        if own == 0 {
            continue;
        }
        planned = planned.group(group(
            &name,
            "bin/serve",
            verdict,
            &format!("gru {own}->{after}"),
        ));
        for at in 0..own {
            let id = format!("{:014x}", group_at * 100_000 + at);
            planned = planned.step(match group_at % 3 {
                2 => destroy(
                    &name,
                    "gru",
                    &id,
                    Removal::GroupRemoved,
                    "its group is removed",
                ),
                kind => update(&name, "gru", &id, &changes[kind]),
            });
        }
    }
    planned
}

fn removed_groups(groups: usize) -> Plan {
    let mut planned = plan(groups * 2);
    for at in 0..groups {
        let name = format!("{at:03}-{}", "n".repeat(90));
        planned = planned.group(group(&name, "", Removed, "gru 2->0"));
        for machine in 0..2 {
            let id = format!("{:014x}", at * 10 + machine);
            let gone = destroy(
                &name,
                "gru",
                &id,
                Removal::GroupRemoved,
                "its group is removed",
            );
            planned = planned.step(with_left_over(gone, &format!("vol_{id}")));
        }
    }
    planned
}

fn all() -> Vec<(String, Plan)> {
    let gallery = gallery::all().into_iter();
    let mut all: Vec<_> = gallery
        .map(|(name, plan)| (name.to_owned(), plan))
        .collect();
    for machines in [1, 100, 10_000] {
        for groups in [1, 200] {
            all.push((format!("{machines} in {groups}"), many(machines, groups)));
        }
    }
    all.push(("200 groups removed".to_owned(), removed_groups(200)));
    all
}

/// What the title says, as JSON says it.
fn counts_of(plan: &Plan) -> Vec<(String, u64)> {
    let document: Value = serde_json::from_str(&json::to_line(&json::plan::plan(plan))).unwrap();
    let summary = |key: &str| document["summary"][key].as_u64().unwrap();
    let restarts = plan.restart_count() as u64;
    let all = [
        ("create", summary("create")),
        ("update", summary("update") - restarts),
        ("restart", restarts),
        ("replace", summary("replace")),
        ("swap", summary("swap")),
        ("move", summary("move")),
        ("destroy", summary("destroy")),
        ("start again", summary("start")),
        ("wait for", summary("wait")),
        ("adopt", summary("adopt")),
        ("forget", summary("forget")),
    ];
    let counts = all.into_iter().filter(|(_, n)| *n > 0);
    counts.map(|(what, n)| (what.to_owned(), n)).collect()
}

#[test]
fn every_plan_fits_every_budget_and_is_balanced_and_counts_as_json_does() {
    for (name, plan) in all() {
        for budget in BUDGETS {
            let text = written(&plan, budget);
            let at = format!("{name} in {budget} bytes");
            assert!(text.len() <= budget, "{at}: {} bytes", text.len());
            assert_eq!(text, written(&plan, budget), "{at}");
            let document = Document::parse(&text);
            document.assert_harmless(&at);
            assert_eq!(document.title_counts(), counts_of(&plan), "{at}\n{text}");
            let marker = document.marker();
            assert_eq!(marker["app"], "shop");
            assert_eq!(marker["digest"], DIGEST);
            let wants_caution = plan.summary().destroy > 0
                || !plan.refusals.is_empty()
                || plan.downsized_count() > 0
                || !plan.reverts().is_empty();
            assert!(document.has_caution() || !wants_caution, "{at}\n{text}");
        }
    }
}

#[test]
fn a_budget_that_is_one_byte_too_small_drops_something() {
    let plan = gallery::everything_at_once();
    let complete = written(&plan, 262_144);
    assert_eq!(written(&plan, complete.len()), complete);
    let shorter = written(&plan, complete.len() - 1);
    assert!(shorter.len() < complete.len());
    assert!(shorter.contains("Left out to fit"), "{shorter}");
}

#[test]
fn a_plan_of_each_kind_as_a_comment() {
    assert_snapshot!(
        "markdown__everything_at_once",
        written(&gallery::everything_at_once(), DEFAULT_BUDGET)
    );
    let hostile = gallery::all()
        .into_iter()
        .find(|(name, _)| *name == "hostile_names")
        .unwrap()
        .1;
    assert_snapshot!("markdown__hostile_names", written(&hostile, DEFAULT_BUDGET));
    let refused = gallery::all()
        .into_iter()
        .find(|(name, _)| *name == "refusals_and_warnings")
        .unwrap()
        .1;
    assert_snapshot!(
        "markdown__refusals_and_warnings",
        written(&refused, DEFAULT_BUDGET)
    );
    for name in ["reverts", "held"] {
        let mut plans = gallery::all().into_iter();
        let (_, plan) = plans.find(|(other, _)| *other == name).unwrap();
        assert_snapshot!(format!("markdown__{name}"), written(&plan, DEFAULT_BUDGET));
    }
    assert_snapshot!(
        "markdown__removed_groups_in_2000_bytes",
        written(&removed_groups(200), MIN_BUDGET)
    );
    assert_snapshot!(
        "markdown__many_in_2000_bytes",
        written(&many(10_000, 200), MIN_BUDGET)
    );
    let drifted = gallery::all()
        .into_iter()
        .find(|(name, _)| *name == "drift")
        .unwrap()
        .1;
    assert_snapshot!(
        "markdown__drift",
        markdown::drift(&drifted, &style(DEFAULT_BUDGET)).unwrap()
    );
    let of_runs = gallery::all()
        .into_iter()
        .find(|(name, _)| *name == "drift_of_runs")
        .unwrap()
        .1;
    assert_snapshot!(
        "markdown__drift_of_runs",
        markdown::drift(&of_runs, &style(DEFAULT_BUDGET)).unwrap()
    );
}

/// The app before this change: it has a larger web, and cron is gone already.
#[test]
fn with_a_base_the_comment_is_about_this_change() {
    let known = Known::empty(AppName::new("shop").unwrap(), "local");
    let ours = gallery::everything_at_once();
    let mut base = ours.clone();
    // The base destroys cron, too, and would restart a Machine of api.
    base.steps.retain(|step| step.id.0 >= 11);
    base = base.step(update("api", "gru", "5555555555aaaa", &[]));
    for (at, step) in base.steps.iter_mut().enumerate() {
        step.id = StepId(u32::try_from(at).unwrap());
    }
    let fly = "app = \"shop\"\n[processes]\nweb = \"a\"\njobs = \"b\"\napi = \"c\"\n";
    let file = SourceFile {
        path: "fly.toml",
        bytes: fly.as_bytes(),
    };
    let desired = manifest::load(file, None, &Overrides::default())
        .desired
        .unwrap();
    let of = |plan| PlanOf {
        plan,
        desired: &desired,
    };
    let snapshot = Snapshot {
        known: &known,
        observed: None,
    };
    let mut comparison = Comparison::of(of(&ours), of(&base), snapshot);
    comparison.remarks = vec![note(
        "state_edited",
        None,
        "this change edits `state/shop.json`, serial 11 → 10",
        None,
    )];
    for budget in BUDGETS {
        let text = compared(&ours, Some(&comparison), budget);
        assert!(text.len() <= budget);
        let document = Document::parse(&text);
        document.assert_harmless("a comparison");
        assert_eq!(
            document.title_counts(),
            counts_of(&comparison.this_change(&ours))
        );
    }
    assert_snapshot!(
        "markdown__compared",
        compared(&ours, Some(&comparison), DEFAULT_BUDGET)
    );
    let new = Comparison::new_app("the base has no such app".to_owned());
    let text = compared(&ours, Some(&new), DEFAULT_BUDGET);
    assert!(text.contains(" · new in this change\n"), "{text}");
}

#[test]
fn details_are_dropped_in_a_fixed_order_and_counted() {
    let plan = many(300, 3);
    let left_out = |budget| {
        let text = written(&plan, budget);
        let said = text.lines().find(|line| line.starts_with("Left out"));
        said.map_or_else(String::new, |line| {
            line.split(". ").next().unwrap().to_owned()
        })
    };
    let complete = written(&plan, DEFAULT_BUDGET).len();
    let mut said: Vec<String> = (0..complete - MIN_BUDGET)
        .step_by(20)
        .map(|less| left_out(complete - less))
        .collect();
    // The kinds, without their numbers.
    for line in &mut said {
        let kinds = line.split(": ").last().unwrap_or_default();
        *line = kinds.chars().filter(|c| !c.is_ascii_digit()).collect();
    }
    said.dedup();
    assert_snapshot!(said.join("\n").trim());
}

#[test]
fn a_run_and_drift_fit_every_budget() {
    for (name, run) in runs::run_ends() {
        for budget in BUDGETS {
            let text = markdown::report(&run.report(), DIGEST, &style(budget)).unwrap();
            assert!(text.len() <= budget, "{name}");
            Document::parse(&text).assert_harmless(name);
        }
        let text = markdown::report(&run.report(), DIGEST, &style(DEFAULT_BUDGET)).unwrap();
        assert_snapshot!(format!("markdown__run__{name}"), text);
    }
    for (name, plan) in gallery::all() {
        for budget in BUDGETS {
            let text = markdown::drift(&plan, &style(budget)).unwrap();
            assert!(text.len() <= budget, "{name}");
            Document::parse(&text).assert_harmless(name);
        }
    }
}

#[test]
fn no_secret_is_in_a_comment() {
    for (name, plan) in gallery::all() {
        let text = written(&plan, 262_144);
        for secret in ["sk_live", "postgres:", "aGVsbG8", "d29ybGQ", "hmac"] {
            assert!(!text.contains(secret), "{secret} in {name}");
        }
    }
}

#[test]
fn the_report_of_gitlab_and_the_marker_are_as_published() {
    let (report, marker) = (schema("gitlab"), schema("markdown-marker"));
    for (name, plan) in all() {
        let counts = valid(&report, &gitlab(&plan));
        let summary = plan.summary();
        assert_eq!(counts["create"], summary.create + summary.replace, "{name}");
        assert_eq!(
            counts["delete"],
            summary.destroy + summary.replace,
            "{name}"
        );
        let line = Document::parse(&written(&plan, MIN_BUDGET)).marker();
        assert_eq!(valid(&marker, &line), line);
    }
    rejects_changes(&report, &valid(&report, &gitlab(&many(1, 1))), &[]);
    let line = Document::parse(&written(&many(1, 1), MIN_BUDGET)).marker();
    rejects_changes(&marker, &line, &["app", "digest"]);
}
