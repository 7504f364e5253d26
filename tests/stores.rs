//! State stores and journals against what all of them promise, and against what only a file system
//! can do to them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "stores/clone_kinds.rs"]
mod clone_kinds;
#[path = "support/clone_snapshot.rs"]
mod clone_snapshot;
#[path = "stores/copy.rs"]
mod copy;
#[path = "stores/git.rs"]
mod git;
#[path = "support/git_command.rs"]
mod git_command;
#[path = "stores/git_cost.rs"]
mod git_cost;
#[path = "stores/git_server.rs"]
mod git_server;
#[path = "support/hostile_clone.rs"]
mod hostile_clone;
#[path = "stores/journal_contract.rs"]
mod journal_contract;
#[path = "stores/journals.rs"]
mod journals;
#[path = "stores/local.rs"]
mod local;
#[path = "support/long_branch.rs"]
mod long_branch;
#[path = "stores/memory.rs"]
mod memory;
#[path = "support/memory_journal.rs"]
mod memory_journal;
#[path = "support/memory_store.rs"]
mod memory_store;
#[path = "stores/store_contract.rs"]
mod store_contract;
