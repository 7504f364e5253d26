//! Statuses: the Machines of an app as `status` shows them.

use std::collections::BTreeMap;

use aeroform::core::fleet::{
    AppName, Capabilities, CheckState, CheckStatus, ConfigDigest, Count, Description, Desired,
    DesiredGroup, HostStatus, Known, KnownMachine, Limit, Lineage, Machine, MachineConfig,
    MachineName, MachineState, Management, Observed, Policy, ReleaseRecord, ReleaseStamp,
    ReleasedGroup, Rollout, RunId, Stamps, Strategy, SwapRole,
};
use aeroform::core::plan::hold::PlannedHold;
use aeroform::core::view::{StatusView, terminal};

use serde_json::json;

use crate::build::{bare_group, group_name, id, last_run, region};
use crate::gallery;

pub(crate) fn machine(machine: &str, group: &str, at: &str, n: u16) -> Machine {
    Machine {
        id: id(machine),
        name: MachineName::new(format!("{group}-{machine}")).unwrap(),
        group: Some(group_name(group)),
        region: region(at),
        state: MachineState::Started,
        instance: "i1".to_owned(),
        config: Some(MachineConfig::default().into()),
        unreadable: None,
        partial_image: None,
        image_digest: None,
        stamps: Stamps::default(),
        volumes: Vec::new(),
        standby_for: Vec::new(),
        host: HostStatus::Ok,
        cordoned: false,
        checks: Vec::new(),
        management: Management::Ours,
        project: None,
        created_at: String::new(),
        port: Some(8100 + n),
        pid: Some(4200 + u32::from(n)),
        address: None,
        restarts: 0,
        events: Vec::new(),
        detail: None,
    }
}

fn check(status: CheckState, output: &str) -> CheckStatus {
    CheckStatus {
        name: "http-8080".to_owned(),
        status,
        output: output.to_owned(),
        updated_at: "2026-01-01T00:00:00Z".to_owned(),
    }
}

fn served(mut served: Machine, status: CheckState, output: &str) -> Machine {
    served.address = served.port.map(|port| format!("http://127.0.0.1:{port}"));
    served.checks = vec![check(status, output)];
    served
}

pub(crate) fn observed(machines: Vec<Machine>) -> Observed {
    Observed {
        app: AppName::new("shop").unwrap(),
        description: Description {
            scope: Lineage::new("lineage").unwrap(),
            scope_is_derived: false,
            machine_count: Some(machines.len() as u64),
            is_pending: false,
            project: None,
            capabilities: Capabilities::default(),
        },
        machines: machines.into_iter().map(|m| (m.id.clone(), m)).collect(),
        other_projects: BTreeMap::new(),
        once: Vec::new(),
        gone: Vec::new(),
        lagging: Vec::new(),
        volumes: Vec::new(),
        release: None,
        release_unknown: None,
        unreadable: Vec::new(),
        held_configs: Vec::new(),
    }
}

fn target(groups: &[(&str, Count, Option<u32>)]) -> Desired {
    let group = |count, standby| DesiredGroup {
        count,
        standby,
        ..bare_group(MachineConfig::default())
    };
    Desired {
        app: AppName::new("shop").unwrap(),
        provider: "local".to_owned(),
        provider_from_flag: false,
        app_name_source: None,
        groups: groups
            .iter()
            .map(|(name, count, standby)| (group_name(name), group(*count, *standby)))
            .collect(),
        moved: Vec::new(),
        moved_machines: Vec::new(),
        removed_machines: std::collections::BTreeSet::default(),
        policy: Policy::default(),
        primary_region: None,
        image: None,
        has_processes: true,
        rollout: Rollout::default(),
        hold: None,
        definition: None,
    }
}

fn known(machines: &[&Machine]) -> Known {
    let mut known = Known::empty(AppName::new("shop").unwrap(), "local");
    known.serial = 13;
    known.runs.push(last_run());
    known.machines = machines
        .iter()
        .map(|m| {
            let remembered = KnownMachine {
                name: m.name.clone(),
                group: m.group.clone().unwrap(),
                region: m.region.clone(),
                requested_region: None,
                config: ConfigDigest::parse(&"0".repeat(32)).unwrap(),
                launch: None,
                volumes: Vec::new(),
                standby_for: Vec::new(),
                replaces: None,
                swap: None,
                unproven: false,
            };
            (m.id.clone(), remembered)
        })
        .collect::<BTreeMap<_, _>>();
    known
}

/// A Machine without a group, with an unreadable config.
pub(crate) fn statuses_machine() -> Machine {
    let mut stranger = machine("5555555555", "web", "ams", 9);
    stranger.group = None;
    stranger.config = None;
    stranger.host = HostStatus::Unreachable;
    stranger.management = Management::Unmanaged;
    stranger
}

/// Statuses with their names.
pub(crate) fn statuses() -> Vec<(&'static str, StatusView)> {
    vec![
        ("healthy", healthy()),
        ("trouble", trouble()),
        ("nothing", nothing()),
        ("large", large()),
        ("all_gone", all_gone()),
        ("held", held()),
        ("half_rolled_out", half_rolled_out()),
        ("half_swapped", half_swapped()),
    ]
}

/// No Machine at all.
pub(crate) fn nothing() -> StatusView {
    StatusView::of("local", None, None, &observed(Vec::new()))
}

/// The provider lists none and does not say how many there are.
fn unconfirmed() -> StatusView {
    let mut observed = observed(Vec::new());
    observed.description.machine_count = None;
    StatusView::of("fly", None, None, &observed)
}

#[test]
fn an_unconfirmed_empty_list_is_reported_by_every_verb_that_lists() {
    let style = crate::show::style(100);
    for write in [terminal::status, terminal::machine::list] {
        let (mut known, mut unknown) = (String::new(), String::new());
        write(&nothing(), &style, &mut known).unwrap();
        write(&unconfirmed(), &style, &mut unknown).unwrap();
        assert!(known.contains("No Machines."), "{known}");
        assert!(!unknown.contains("No Machines."), "{unknown}");
        assert!(
            unknown.contains("warning: the provider lists no Machines and gives no count"),
            "{unknown}"
        );
    }
}

/// Two groups have gone back to a release of this computer.
fn held() -> StatusView {
    StatusView {
        hold: Some(PlannedHold {
            release: 3,
            groups: ["web", "worker"].map(group_name).to_vec(),
            local: true,
        }),
        ..healthy()
    }
}

fn healthy() -> StatusView {
    let machines = vec![
        served(
            machine("a1b2c3d4e5", "web", "ams", 0),
            CheckState::Passing,
            "",
        ),
        served(
            machine("f6a7b8c9d0", "web", "ams", 1),
            CheckState::Passing,
            "",
        ),
        machine("0123456789", "worker", "ams", 2),
        machine("abcdefabcd", "cron", "ams", 3),
    ];
    let state = known(&machines.iter().collect::<Vec<_>>());
    let desired = target(&[
        ("web", Count::Written(2), None),
        ("worker", Count::Unwritten, None),
        ("cron", Count::Written(1), None),
    ]);
    StatusView::of("local", Some(&desired), Some(&state), &observed(machines))
}

fn trouble() -> StatusView {
    let mut crashed = machine("0123456789", "worker", "ams", 2);
    crashed.state = MachineState::Failed;
    crashed.pid = None;
    crashed.restarts = 10;
    crashed.detail = Some("exit code 3, gave up after 10 restarts".to_owned());
    let mut standby = machine("abcdefabcd", "worker", "fra", 3);
    standby.state = MachineState::Stopped;
    standby.pid = None;
    standby.standby_for = vec![id("0123456789")];
    let mut stranger = machine("5555555555", "web", "ams", 9);
    stranger.group = None;
    stranger.management = Management::Unmanaged;
    let mut orphaned = served(
        machine("f6a7b8c9d0", "web", "ams", 1),
        CheckState::Critical,
        "HTTP 500: \u{1b}[31mdatabase is down\n::error::x",
    );
    orphaned.cordoned = true;
    let gone = machine("9999999999", "web", "fra", 4);
    let machines = vec![
        served(
            machine("a1b2c3d4e5", "web", "ams", 0),
            CheckState::Passing,
            "",
        ),
        orphaned,
        crashed,
        standby,
        stranger,
    ];
    let state = known(&[&machines[0], &machines[2], &machines[3], &gone]);
    let desired = target(&[
        ("web", Count::Written(3), None),
        ("jobs", Count::Written(2), None),
    ]);
    let plan = gallery::everything_at_once();
    StatusView::of("local", Some(&desired), Some(&state), &observed(machines)).with_plan(&plan)
}

/// A release stopped at its second Machine, which fails its check.
pub(crate) fn half_rolled_out() -> StatusView {
    let version = |mut machine: Machine, version: u64| {
        machine.stamps.release = Some(Box::new(ReleaseStamp {
            version,
            id: None,
            registered_by_us: true,
            newer_than_ours: false,
        }));
        machine.pid = None;
        machine
    };
    let mut failing = served(
        machine("2508b45c320011", "web", "ams", 1),
        CheckState::Critical,
        "HTTP 500",
    );
    failing.stamps.run = Some(RunId::new("7f3k2m4n6p").unwrap());
    let machines = vec![
        version(
            served(
                machine("148ed599c14189", "web", "gru", 0),
                CheckState::Passing,
                "",
            ),
            3,
        ),
        version(failing, 3),
        version(
            served(
                machine("640e9cd5da0c77", "web", "ams", 2),
                CheckState::Passing,
                "",
            ),
            2,
        ),
        version(machine("9cd5da0c640e77", "worker", "ams", 3), 2),
        version(machine("9cd5da0c640e78", "worker", "ams", 4), 3),
    ];
    let mut state = known(&machines.iter().collect::<Vec<_>>());
    let failing = state.machines.get_mut(&machines[1].id).unwrap();
    failing.unproven = true;
    // v3 did not change the worker.
    for (release, web) in [(2, "0"), (3, "1")] {
        let group = |digest: &str| ReleasedGroup {
            config: ConfigDigest::parse(&digest.repeat(32)).unwrap(),
            placement: BTreeMap::new(),
        };
        state.releases.push(ReleaseRecord {
            release,
            at: "2026-01-01T00:00:00Z".to_owned(),
            by: "ana".to_owned(),
            run: None,
            outcome: None,
            image: None,
            release_command: None,
            groups: [("web", group(web)), ("worker", group("0"))]
                .map(|(name, group)| (group_name(name), group))
                .into(),
        });
    }
    let mut desired = target(&[
        ("web", Count::Written(3), None),
        ("worker", Count::Written(2), None),
    ]);
    let checked = json!({"checks": {"http-8080": {"type": "http", "port": 8080}}});
    for group in desired.groups.values_mut() {
        group.strategy = Strategy::Rolling {
            max_unavailable: Limit::MAX_UNAVAILABLE,
        };
        group.template = serde_json::from_value(checked.clone()).unwrap();
    }
    StatusView::of("fly", Some(&desired), Some(&state), &observed(machines))
}

/// A swap that was cut off before its switch: the state has one green, the other was created after it was written. A
/// switch of an earlier one has marked a blue that is left.
fn half_swapped() -> StatusView {
    let green = |name: &str, n| {
        let mut green = machine(name, "web", "ams", n);
        green.cordoned = true;
        green.stamps.swap = Some("tag".to_owned());
        green
    };
    let mut marked = machine("0a1b2c3d4e", "web", "ams", 4);
    marked.stamps.swap = Some(Stamps::SAFE_TO_DESTROY.to_owned());
    let machines = vec![
        machine("a1b2c3d4e5", "web", "ams", 0),
        machine("f6a7b8c9d0", "web", "ams", 1),
        green("1111111111", 2),
        green("2222222222", 3),
        marked,
    ];
    let mut state = known(&[&machines[0], &machines[1], &machines[2], &machines[4]]);
    for (machine, role) in [
        (&machines[0], SwapRole::Blue),
        (&machines[1], SwapRole::Blue),
        (&machines[2], SwapRole::Green),
    ] {
        state.machines.get_mut(&machine.id).unwrap().swap = Some(role);
    }
    let desired = target(&[("web", Count::Written(2), None)]);
    StatusView::of("fly", Some(&desired), Some(&state), &observed(machines))
}

fn all_gone() -> StatusView {
    let gone = machine("9999999999", "web", "fra", 4);
    let desired = target(&[("web", Count::Written(1), None)]);
    StatusView::of(
        "local",
        Some(&desired),
        Some(&known(&[&gone])),
        &observed(Vec::new()),
    )
}

fn large() -> StatusView {
    let machines: Vec<Machine> = (0..10_000)
        .map(|n| {
            let status = if n % 1999 == 7 {
                CheckState::Critical
            } else {
                CheckState::Passing
            };
            served(
                machine(&format!("148ed{n:09}"), "web", "ams", n),
                status,
                "timeout",
            )
        })
        .collect();
    let desired = target(&[("web", Count::Written(10_000), None)]);
    StatusView::of("local", Some(&desired), None, &observed(machines))
}
