//! The versions that run after an incomplete apply.

use std::fmt;

use super::{MAX_LISTED, is_done};
use crate::core::plan::partial_rollout::{GroupVersions, MachineHealth, VersionCount};
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::phrases;
use crate::core::view::run_report::RunReport;
use crate::core::view::style::Label;

/// The versions that run: `now: web: 1 on v2 (failing), 5 on v1; worker: 3 on v1, not started`.
pub(super) fn running_versions(report: &RunReport<'_>, page: &mut LineWriter<'_>) -> fmt::Result {
    let Some(left) = report.partial_rollout.filter(|_| !is_done(report)) else {
        return Ok(());
    };
    let has_versions = |group: &&GroupVersions| !group.versions.is_empty();
    let groups: Vec<&GroupVersions> = left.groups.iter().filter(has_versions).collect();
    if groups.is_empty() || report.tally().not_started_total() == report.tally().total {
        return Ok(());
    }
    let limit = if page.style.verbose {
        usize::MAX
    } else {
        MAX_LISTED
    };
    let texts = groups.iter().take(limit).map(|group| {
        let is_new = is_first_create(report, group);
        let versions = group.versions.iter().map(|of| version_text(of, is_new));
        let versions: Vec<String> = versions.collect();
        let not_started = if group.not_started {
            ", not started"
        } else {
            ""
        };
        format!("{}: {}{not_started}", group.group, versions.join(", "))
    });
    let mut text = texts.collect::<Vec<_>>().join("; ");
    let more = groups.len().saturating_sub(limit);
    if more > 0 {
        text = format!("{text}; and {}", phrases::count_noun(more, "more group"));
    }
    page.line(
        &Line::new(0)
            .push(Label::Strong, "now:")
            .plain(format!(" {text}")),
    )
}

/// Whether the group had no Machine before: then no other version runs.
fn is_first_create(report: &RunReport<'_>, versions: &GroupVersions) -> bool {
    let mut groups = report.plan.groups.iter();
    groups.any(|group| group.name == versions.group && group.before == 0)
}

/// `5 on v1`, `1 on the new version (failing)`; of a first create `2 created`.
fn version_text(of: &VersionCount, is_first_create: bool) -> String {
    let version = match (of.version.release, of.version.new) {
        (Some(release), _) => format!("on v{release}"),
        (None, true) if is_first_create => "created".to_owned(),
        (None, true) => "on the new version".to_owned(),
        (None, false) => "on the previous version".to_owned(),
    };
    let doing = match of.health {
        MachineHealth::Serving => "",
        MachineHealth::Failing => " (failing)",
        MachineHealth::Unknown => " (unknown)",
        MachineHealth::Stopped => " (stopped)",
    };
    format!("{} {version}{doing}", phrases::group_digits(of.machines))
}
