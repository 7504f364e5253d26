//! The planner by example: each test reads like a line of its specification. Every plan here is also
//! read by `check` and planned twice (see `support::PlanFixture`).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod canary;
mod changes;
mod check;
mod codes;
mod commit_order;
mod comparison;
mod cost;
mod counts;
mod data_loss;

mod expect;
mod filters;
mod histories;
mod hold;
mod images;
mod late_machines;
mod once;
mod outside_changes;
mod ownership;
mod pace;
mod placement;
#[path = "../support/provoked.rs"]
mod provoked;
mod refresh;
mod removal;
mod removal_order;
mod replacements;
mod requested;
mod rerun;
mod retry;
mod rolling;
mod rollout;
mod rollout_settings;
mod saved;
mod standbys;
mod starting;
#[path = "../support/mod.rs"]
mod support;
mod swap;
mod swap_checks;
mod unreadable;
mod volumes;
mod waves;
mod way_back;

use aeroform::core::plan::Plan;

fn lines(plan: &Plan) -> String {
    plan.summary_lines().join("\n")
}
