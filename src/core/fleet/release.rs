//! Releases: what the platform remembers of every deploy, for people (docs/platform/machines-api.md 14).
//!
//! Bookkeeping beside the Machines: nothing runs otherwise because of it.

use serde::{Deserialize, Serialize};

/// How long a release that somebody has begun is believed to be under way, seconds.
pub const MAX_IN_PROGRESS_S: i64 = 15 * 60;

/// A release as the platform tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The platform's id.
    pub id: String,
    /// Its number; the app's next one has a higher number.
    pub version: u64,
    /// Whether whoever made it has not said that it is over.
    pub in_progress: bool,
    /// Who made it, where that is told; foreign text.
    pub user: Option<String>,
    /// The image that it brought, where that is told; foreign text.
    pub image: Option<String>,
    /// When it was made, seconds since 1970, where that is told.
    pub created_at: Option<i64>,
}

impl Release {
    /// How many seconds it may still be under way; none when it is over, or so old that whoever made it
    /// has most probably died.
    pub fn in_progress_seconds_left(&self, now: i64) -> Option<i64> {
        let age = now - self.created_at.filter(|_| self.in_progress)?;
        (age < MAX_IN_PROGRESS_S).then_some(MAX_IN_PROGRESS_S - age.max(0))
    }
}

/// A release that is to be registered.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRelease<'a> {
    /// The image that it brings, where there is one for all groups.
    pub image: Option<&'a str>,
    /// How Machines are updated.
    pub strategy: ReleaseStrategy,
    /// fly.toml as JSON.
    pub definition: Option<&'a serde_json::Value>,
}

/// How the Machines of a release are updated, as far as the platform has a word for what we do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ReleaseStrategy {
    /// Some at a time.
    Rolling,
    /// All at once.
    Immediate,
}

/// How far a release has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseStatus {
    /// Its Machines are being changed.
    Running,
    /// Every one is as it is to be.
    Complete,
    /// Some are not.
    Failed,
    /// A person ended it.
    Interrupted,
}

impl ReleaseStatus {
    /// The platform's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The release that a Machine is of (metadata `fly_release_*` on the wire).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseStamp {
    /// Its number.
    pub version: u64,
    /// Its id; none for one that nobody registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whether an apply registered it, so that it is nobody else's who may still be at work.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[serde(rename = "by_us")]
    pub registered_by_us: bool,
    /// Whether somebody else brought it after the last change of ours, by our own stamps on the Machine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[serde(rename = "since_us")]
    pub newer_than_ours: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_under_way_for_a_quarter_of_an_hour_and_one_of_an_unknown_time_never() {
        let release = |created_at, in_progress| Release {
            id: "r".to_owned(),
            version: 1,
            in_progress,
            user: None,
            image: None,
            created_at,
        };
        assert_eq!(
            release(Some(1000), true).in_progress_seconds_left(1000),
            Some(900)
        );
        assert_eq!(
            release(Some(1000), true).in_progress_seconds_left(1899),
            Some(1)
        );
        assert_eq!(
            release(Some(1000), true).in_progress_seconds_left(1900),
            None
        );
        assert_eq!(
            release(Some(1000), true).in_progress_seconds_left(900),
            Some(900)
        );
        assert_eq!(
            release(Some(1000), false).in_progress_seconds_left(1000),
            None
        );
        assert_eq!(release(None, true).in_progress_seconds_left(1000), None);
    }
}
