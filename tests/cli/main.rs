//! The binary as a user meets it: hermetic surroundings, standard output, standard error and exit code
//! compared as one text.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod app_selection;
mod base;
mod changed_under_lock;
mod checkouts;
#[path = "../support/ci_scripts.rs"]
mod ci_scripts;
mod clients;
#[path = "../support/clone_snapshot.rs"]
mod clone_snapshot;
mod codes;
mod commands;
mod commit_graphs;
mod commit_order;
mod completions;
mod concurrent_applies;
mod docs;
mod drift;
mod edits;
mod emulator_doc;
mod expect;
mod expect_on_fly;
mod failures_in_forms;
mod filters;
mod first_to_last;
mod fly;
mod fly_deploy_flags;
mod fly_releases;
mod fly_retry;
mod fly_runs;
mod forms;
mod from_flyctl;
mod from_flyctl_machines;
mod git_clones;
#[path = "../support/git_command.rs"]
mod git_command;
mod git_state;
mod hostile;
#[path = "../support/hostile_clone.rs"]
mod hostile_clone;
mod inspect_verbs;
mod interrupted;
mod jobs;
mod lists;
mod machines;
mod manifests;
mod manual;
mod migrated;
mod on_failure;
mod once;
mod pairs;
mod platform;
#[path = "../support/ports.rs"]
mod ports;
mod prompts;
mod provider_selection;
#[path = "../support/provoked.rs"]
mod provoked;
mod pty;
mod releases;
mod rollback;
mod rollout;
mod rollout_flags;
mod sandbox;
mod scale_verbs;
mod screens;
mod single_machines;
mod sizes;
mod state_migrate;
mod state_places;
mod stays_up;
mod unreachable_hosts;
mod usage;
#[path = "../support/words.rs"]
mod words;
