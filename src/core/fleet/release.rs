//! Releases: the platform's records of deploys, for people (docs/platform/machines-api.md 14).
//!
//! They are bookkeeping and do not change how Machines run.

use serde::{Deserialize, Serialize};

/// How long another deploy's release counts as in progress, seconds.
pub const MAX_IN_PROGRESS_S: i64 = 15 * 60;

/// A release as the platform reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The platform's id.
    pub id: String,
    /// Its number; numbers increase.
    pub version: u64,
    /// Whether it has not been marked as finished.
    pub in_progress: bool,
    /// The platform's word for its state, if reported; untrusted text.
    pub status: Option<String>,
    /// Its author, if reported; untrusted text.
    pub user: Option<String>,
    /// Its image, if reported; untrusted text.
    pub image: Option<String>,
    /// Creation time in seconds since 1970, if reported.
    pub created_at: Option<i64>,
}

impl Release {
    /// For how many more seconds it may be in progress; `None` if it is finished, or so old that its deploy
    /// has probably died.
    pub fn in_progress_seconds_left(&self, now: i64) -> Option<i64> {
        let age = now - self.created_at.filter(|_| self.in_progress)?;
        (age < MAX_IN_PROGRESS_S).then_some(MAX_IN_PROGRESS_S - age.max(0))
    }
}

/// A release to register.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRelease<'a> {
    /// Its image, if all groups share one.
    pub image: Option<&'a str>,
    /// How Machines are updated.
    pub strategy: ReleaseStrategy,
    /// fly.toml as JSON.
    pub definition: Option<&'a serde_json::Value>,
}

/// The update strategy of a release, in the platform's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ReleaseStrategy {
    /// Some Machines at a time.
    Rolling,
    /// All Machines at the same time.
    Immediate,
    /// One extra Machine first.
    Canary,
    /// A second set of Machines, which replaces the first.
    Bluegreen,
}

/// The status of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseStatus {
    /// Its Machines are being changed.
    Running,
    /// Every Machine has its new config.
    Complete,
    /// Some Machines do not.
    Failed,
    /// A person stopped it.
    Interrupted,
}

impl ReleaseStatus {
    /// The platform's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The release of a Machine (metadata `fly_release_*` in the API).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseStamp {
    /// Its number.
    pub version: u64,
    /// Its id; `None` if it was never registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whether an apply registered it, so that no other deploy can be in progress under it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[serde(rename = "by_us")]
    pub registered_by_us: bool,
    /// Whether another tool set it after our last change, according to our stamps on the Machine.
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
            status: None,
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
