//! The data of `releases`: the platform's releases joined with those of the state.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::fleet::profile::profile;
use crate::core::fleet::{
    AppName, GroupName, Known, Observed, Release, ReleaseRecord, ReleaseStatus, RunId,
};

/// The releases of an app.
#[derive(Debug, Clone, PartialEq)]
pub struct ReleasesView {
    /// The app.
    pub app: AppName,
    /// Whether the provider was read; if not, all rows come from the state.
    pub online: bool,
    /// The numbers are the state's own: the platform has no releases.
    pub local: bool,
    /// Newest first.
    pub releases: Vec<ReleaseRow>,
}

/// One release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseRow {
    /// Its number.
    pub release: u64,
    /// When it was created, RFC 3339, if known.
    pub at: Option<String>,
    /// Who created it, if known; foreign text.
    pub by: Option<String>,
    /// How it ended, or the platform's word for its state; foreign text. None if unknown.
    pub status: Option<String>,
    /// Its image, if known and the same for all groups; foreign text.
    pub image: Option<String>,
    /// The run that created it, if the state lists it.
    pub run: Option<RunId>,
    /// The groups whose config it changed, that it added or removed; none if unknown.
    pub groups: Option<Vec<GroupName>>,
    /// The number of Machines that run it; none if the provider was not read.
    pub machines: Option<usize>,
}

impl ReleasesView {
    /// Joins the lists, and keeps the newest `limit` releases.
    pub fn of(
        known: &Known,
        observed: Option<&Observed>,
        platform: Vec<Release>,
        limit: usize,
    ) -> Self {
        let mut rows: BTreeMap<u64, ReleaseRow> = platform
            .into_iter()
            .map(|release| (release.version, of_platform(release)))
            .collect();
        let mut before: Option<&ReleaseRecord> = None;
        for record in &known.releases {
            let row = rows
                .entry(record.release)
                .or_insert_with(|| empty_row(record.release));
            add_record(row, record, before);
            before = Some(record);
        }
        let mut running: BTreeMap<u64, usize> = BTreeMap::new();
        for machine in observed.into_iter().flat_map(|o| o.machines.values()) {
            if let Some(stamp) = machine
                .stamps
                .release
                .as_ref()
                .filter(|_| !machine.state.is_gone())
            {
                *running.entry(stamp.version).or_default() += 1;
            }
        }
        // A Machine may have the number of a release that nobody registered.
        for number in running.keys() {
            rows.entry(*number).or_insert_with(|| empty_row(*number));
        }
        if observed.is_some() {
            for (number, row) in &mut rows {
                row.machines = Some(running.get(number).copied().unwrap_or(0));
            }
        }
        Self {
            app: known.app.clone(),
            online: observed.is_some(),
            local: !profile(&known.provider).deployed_by_flyctl,
            releases: rows.into_values().rev().take(limit).collect(),
        }
    }

    /// Whether Machines run more than one of these releases.
    pub fn several_run(&self) -> bool {
        let running = self.releases.iter().filter(|row| row.is_running());
        running.count() > 1
    }
}

impl ReleaseRow {
    /// Whether a Machine runs it.
    pub fn is_running(&self) -> bool {
        self.machines.is_some_and(|machines| machines > 0)
    }
}

fn empty_row(release: u64) -> ReleaseRow {
    ReleaseRow {
        release,
        at: None,
        by: None,
        status: None,
        image: None,
        run: None,
        groups: None,
        machines: None,
    }
}

fn of_platform(release: Release) -> ReleaseRow {
    let at = release
        .created_at
        .and_then(|at| jiff::Timestamp::from_second(at).ok());
    ReleaseRow {
        at: at.map(|at| at.to_string()),
        by: release.user,
        status: release.status,
        image: release.image,
        ..empty_row(release.version)
    }
}

/// The platform knows when and how; the state knows the user of the run, and what it changed.
fn add_record(row: &mut ReleaseRow, record: &ReleaseRecord, before: Option<&ReleaseRecord>) {
    row.at.get_or_insert_with(|| record.at.clone());
    row.by = Some(record.by.clone());
    // The platform does not know of filters.
    let complete = |status| status == ReleaseStatus::Complete.as_str();
    let status = row.status.as_deref();
    if status.is_none_or(|status| record.is_partial() && complete(status)) {
        row.status = Some(record.outcome().to_owned());
    }
    row.image = row.image.take().or_else(|| record.image.clone());
    row.run.clone_from(&record.run);
    row.groups = before.map(|before| changed_groups(before, record));
}

fn changed_groups(before: &ReleaseRecord, after: &ReleaseRecord) -> Vec<GroupName> {
    let names: BTreeSet<&GroupName> = before.groups.keys().chain(after.groups.keys()).collect();
    let config = |release: &ReleaseRecord, name: &GroupName| {
        let group = release.groups.get(name);
        group.map(|group| group.config.clone())
    };
    names
        .into_iter()
        .filter(|name| config(before, name) != config(after, name))
        .cloned()
        .collect()
}
