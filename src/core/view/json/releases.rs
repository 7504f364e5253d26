//! `releases --json`.

use serde::Serialize;

use super::FORMAT_VERSION;
use crate::core::fleet::{AppName, GroupName, RunId};
use crate::core::view::releases::{ReleaseRow, ReleasesView};

/// The releases of one app, newest first.
#[derive(Debug, Serialize)]
pub struct ReleasesDocument<'a> {
    format_version: u32,
    app: &'a AppName,
    online: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    local: bool,
    releases: Vec<ReleaseDocument<'a>>,
}

#[derive(Debug, Serialize)]
struct ReleaseDocument<'a> {
    release: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<&'a RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<&'a [GroupName]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    machines: Option<usize>,
}

/// The document of `releases`.
pub fn releases(view: &ReleasesView) -> ReleasesDocument<'_> {
    ReleasesDocument {
        format_version: FORMAT_VERSION,
        app: &view.app,
        online: view.online,
        local: view.local,
        releases: view.releases.iter().map(release).collect(),
    }
}

fn release(row: &ReleaseRow) -> ReleaseDocument<'_> {
    ReleaseDocument {
        release: row.release,
        at: row.at.as_deref(),
        by: row.by.as_deref(),
        status: row.status.as_deref(),
        image: row.image.as_deref(),
        run: row.run.as_ref(),
        groups: row.groups.as_deref(),
        machines: row.machines,
    }
}
