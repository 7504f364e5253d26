//! Where the manifests' commit comes from, and how it relates to others. Planning gets the answer as data.

use std::collections::BTreeSet;

use async_trait::async_trait;

use crate::core::plan::CommitRelations;

/// The commit of the manifests and its history.
#[async_trait]
pub trait CommitHistory: Send + Sync {
    /// The commit that an apply of the manifests applies now, with
    /// [`CHANGES`](crate::core::plan::CHANGES) if they differ from it.
    async fn applied(&self) -> Option<String>;

    /// How these commits relate to it.
    async fn relations(&self, others: &BTreeSet<String>) -> CommitRelations;
}

/// Manifests without a commit.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCommits;

#[async_trait]
impl CommitHistory for NoCommits {
    async fn applied(&self) -> Option<String> {
        None
    }

    async fn relations(&self, _: &BTreeSet<String>) -> CommitRelations {
        CommitRelations::default()
    }
}
