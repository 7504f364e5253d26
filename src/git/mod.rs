//! The user's `git`: which commit the manifests are of, and a bare repository of our own for everything that
//! fetches, commits or pushes.
//!
//! Nothing here writes into the user's repository: its work tree, index, refs and config stay byte-identical.
//! Nothing of a repository's content is run: hooks, fsmonitor, pagers, prompts and filters are off. Start at
//! [`WorkTree`]; [`OwnRepository`] is the place for objects.

mod command;
mod own_repository;
mod probe;
mod push;
mod work_tree;

pub use command::{Git, GitError};
pub use own_repository::{CommitMessage, FileChange, OwnRepository, Remote};
pub use push::{PushOutcome, PushRefusal};
pub use work_tree::WorkTree;

/// The full id of an object, 40 or 64 hex characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(String);

impl ObjectId {
    /// Parses a full id.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (matches!(text.len(), 40 | 64) && text.bytes().all(hex)).then(|| Self(text.to_owned()))
    }

    /// The hex characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ObjectId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}
