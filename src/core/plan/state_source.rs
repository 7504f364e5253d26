//! Where the state of a plan is from: the newest run that it records. Every plan shows it in its first line.

use serde::{Deserialize, Serialize};

use crate::core::fleet::Known;

/// Length of a commit as people write it.
const SHORT_COMMIT: usize = 7;
/// Length of the date in an RFC 3339 time.
const DATE: usize = "2026-11-27".len();

/// The state that a plan is based on: its serial, and the run that wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StateSource {
    /// The serial; 0 if there is no state yet.
    pub serial: u64,
    /// When the newest run ended, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_at: Option<String>,
    /// Who ran it; foreign text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The commit that it applied; foreign text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// How it ended (`complete`, `failed`, `overtaken`, `interrupted`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

impl StateSource {
    /// The source of this state. Runs that another run adopted did not write it.
    pub fn of(known: &Known) -> Self {
        let own = known.runs.iter().filter(|run| !run.is_taken_over());
        let newest = own.max_by_key(|run| (run.serial, &run.at, &run.run));
        Self {
            serial: known.serial,
            applied_at: newest.map(|run| run.at.clone()),
            by: newest.map(|run| run.by.clone()),
            commit: newest.and_then(|run| run.commit.clone()),
            outcome: newest.map(|run| run.outcome.clone()),
        }
    }

    /// As text: `serial 12 · applied 2026-11-27 by ana from 930ce37`. Contains foreign text.
    pub fn describe(&self) -> String {
        if self.serial == 0 {
            return "no state yet".to_owned();
        }
        let serial = format!("serial {}", self.serial);
        let Some(at) = &self.applied_at else {
            return serial;
        };
        let ended = match self.outcome.as_deref() {
            None | Some("complete") => "applied",
            Some(other) => other,
        };
        let date = at.get(..DATE).unwrap_or(at);
        let by = self
            .by
            .as_ref()
            .map_or(String::new(), |by| format!(" by {by}"));
        let from = self.commit.as_ref().map_or(String::new(), |commit| {
            let short: String = commit.chars().take(SHORT_COMMIT).collect();
            format!(" from {short}")
        });
        format!("{serial} · {ended} {date}{by}{from}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(outcome: &str, commit: Option<&str>) -> StateSource {
        StateSource {
            serial: 12,
            applied_at: Some("2026-11-27T18:03:44Z".to_owned()),
            by: Some("ana".to_owned()),
            commit: commit.map(str::to_owned),
            outcome: Some(outcome.to_owned()),
        }
    }

    #[test]
    fn the_newest_run_names_date_person_and_commit() {
        let commit = Some("930ce37a2b1c4d5e6f708192a3b4c5d6e7f80912");
        assert_eq!(
            source("complete", commit).describe(),
            "serial 12 · applied 2026-11-27 by ana from 930ce37"
        );
        assert_eq!(
            source("failed", None).describe(),
            "serial 12 · failed 2026-11-27 by ana"
        );
        assert_eq!(StateSource::default().describe(), "no state yet");
    }
}
