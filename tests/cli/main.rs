//! The binary as a user meets it: hermetic surroundings, standard output, standard error and exit code
//! compared as one text.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod by_hand;
mod checkouts;
mod clients;
mod codes;
mod commands;
mod completions;
mod docs;
mod drift;
mod edits;
mod fly;
mod fly_releases;
mod fly_retry;
mod fly_runs;
mod from_flyctl;
mod from_flyctl_machines;
mod hostile;
mod interrupted;
mod journey;
mod lists;
mod looking;
mod machines;
mod manifests;
mod migrated;
mod one_by_one;
mod outage;
mod pairs;
mod platform;
#[path = "../support/ports.rs"]
mod ports;
mod prompts;
#[path = "../support/provoked.rs"]
mod provoked;
mod rivals;
mod rollout;
mod sandbox;
mod scaled;
mod screens;
mod sizes;
mod steady;
mod terminal;
mod usage;
mod walk;
mod which_app;
mod which_provider;
#[path = "../support/words.rs"]
mod words;
