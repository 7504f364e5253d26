//! The planner by example: each test reads like a line of its specification. Every plan here is also
//! read by `check` and planned twice (see `support::Stage`).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod again;
mod asked;
mod changes;
mod check;
mod codes;
mod cost;
mod counts;
mod excluded;
mod going;
mod half_up;
mod histories;
mod images;
mod late;
mod losses;
mod others;
mod ownership;
mod pace;
mod places;
#[path = "../support/provoked.rs"]
mod provoked;
mod refresh;
mod retry;
mod rollout;
mod saved;
mod standbys;
mod successors;
#[path = "../support/mod.rs"]
mod support;
mod unreadable;
mod volumes;

use aeroform::core::plan::Plan;

fn lines(plan: &Plan) -> String {
    plan.summary_lines().join("\n")
}
