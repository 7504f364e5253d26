//! `releases`: the platform's list joined with that of the state.

use std::collections::BTreeMap;

use aeroform::core::fleet::{
    AppName, ConfigDigest, Known, Machine, Observed, Release, ReleaseRecord, ReleaseStamp,
    ReleasedGroup, RunId,
};
use aeroform::core::view::releases::ReleasesView;
use aeroform::core::view::{json, terminal};
use insta::assert_snapshot;

use crate::build::group_name;
use crate::schemas::{rejects_changes, schema, valid};
use crate::show::{style, written};
use crate::statuses::{machine, observed};

fn record(release: u64, outcome: Option<&str>, groups: &[(&str, &str)]) -> ReleaseRecord {
    let groups = groups.iter().map(|(name, config)| {
        let released = ReleasedGroup {
            config: ConfigDigest::parse(&config.repeat(32)).unwrap(),
            placement: BTreeMap::new(),
        };
        (group_name(name), released)
    });
    ReleaseRecord {
        release,
        at: "2026-01-05T10:00:00Z".to_owned(),
        by: "ci".to_owned(),
        run: outcome.map(|_| RunId::new(format!("run{release}")).unwrap()),
        outcome: outcome.map(str::to_owned),
        image: None,
        release_command: None,
        groups: groups.collect(),
    }
}

fn known() -> Known {
    Known {
        releases: vec![
            record(40, None, &[("web", "a"), ("cron", "a")]),
            record(41, Some("complete"), &[("web", "b"), ("worker", "a")]),
            record(43, Some("failed"), &[("web", "c"), ("worker", "a")]),
        ],
        ..Known::empty(AppName::new("shop").unwrap(), "fly")
    }
}

fn platform_release(version: u64, status: &str, user: &str) -> Release {
    Release {
        id: format!("r{version}"),
        version,
        in_progress: false,
        status: Some(status.to_owned()),
        user: Some(user.to_owned()),
        image: Some(format!("registry.example/shop:{version}")),
        created_at: Some(1_767_607_200 + i64::try_from(version).unwrap()),
    }
}

fn with_release(name: &str, version: u64) -> Machine {
    let mut machine = machine(name, "web", "ams", 1);
    machine.stamps.release = Some(Box::new(ReleaseStamp {
        version,
        id: None,
        registered_by_us: true,
        newer_than_ours: false,
    }));
    machine
}

fn running(releases: &[u64]) -> Observed {
    let machines = releases.iter().enumerate();
    observed(
        machines
            .map(|(n, release)| with_release(&format!("a{n}"), *release))
            .collect(),
    )
}

fn on_terminal(view: &ReleasesView, width: usize) -> String {
    written(|out| terminal::releases(view, &style(width), out))
}

fn platform() -> Vec<Release> {
    vec![
        platform_release(43, "failed", "token@example.com"),
        platform_release(42, "complete", "ana@example.com"),
        platform_release(41, "complete", "token@example.com"),
    ]
}

#[test]
fn releases_of_everybody_with_the_machines_that_run_them() {
    let view = ReleasesView::of(&known(), Some(&running(&[41, 41, 43])), platform(), 25);
    assert_snapshot!(on_terminal(&view, 120));
    let schema = schema("releases");
    rejects_changes(
        &schema,
        &valid(&schema, &json::releases::releases(&view)),
        &[],
    );
}

#[test]
fn a_narrow_terminal_and_a_fleet_on_one_release() {
    let view = ReleasesView::of(&known(), Some(&running(&[42])), platform(), 2);
    assert_snapshot!(on_terminal(&view, 50));
}

#[test]
fn without_the_provider_only_the_state_is_listed() {
    let view = ReleasesView::of(&known(), None, Vec::new(), 25);
    assert_snapshot!(on_terminal(&view, 100));
    let schema = schema("releases");
    valid(&schema, &json::releases::releases(&view));
}

#[test]
fn a_machine_with_an_unregistered_number_is_listed_too() {
    let view = ReleasesView::of(&known(), Some(&running(&[44])), platform(), 1);
    assert_eq!(view.releases[0].release, 44);
    assert_eq!(view.releases[0].machines, Some(1));
    assert_eq!(view.releases[0].status, None);
    let none = Known::empty(AppName::new("shop").unwrap(), "local");
    let view = ReleasesView::of(&none, Some(&running(&[])), Vec::new(), 25);
    assert_snapshot!(on_terminal(&view, 100), @r"
    shop

      no releases
    ");
}
