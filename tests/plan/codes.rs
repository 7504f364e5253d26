//! Every code of a plan, provoked.

use aeroform::core::fleet::computed::{self, MachineComputedFields};
use aeroform::core::fleet::{
    Desired, DesiredGroup, HostStatus, Lineage, MachineCheck, MachineConfig, MachineState,
    Management, OnceCommand, Release, StoredConfig, Trial, Volume, VolumeId,
};
use aeroform::core::plan::{
    CheckMode, Options, Outcome, Plan, PlanMode, Requested, StepResult, additions, codes,
};
use serde_json::json;

use crate::once;
use crate::provoked::assert_all_provoked;
use crate::requested::{replacing, restarting};
use crate::rollout::never;
use crate::support::{GroupBuilder, PlanFixture, config_of, desired, group, id, moved, region};
use crate::unreadable;

#[test]
fn every_code_of_a_plan_is_provoked() {
    let plans = [
        history(),
        guards(),
        warnings(),
        notes(),
        hosts(),
        images(),
        releases(),
        vec![refreshed(), smaller_volume()],
        requested(),
        rollouts(),
        unreadable::provoked(),
        vec![crate::volumes::forked()],
        crate::commit_order::provoked(),
        crate::hold::provoked(),
        vec![crate::canary::refused(), crate::canary::without_canary()],
        vec![crate::rolling::conflict()],
        crate::rollout_settings::provoked(),
        crate::rolling::proofs(),
        crate::swap_checks::provoked(),
        vec![crate::swap::finishes()],
    ]
    .concat();
    let seen = plans.iter().flat_map(|plan: &Plan| {
        let kinds = [&plan.records, &plan.notes, &plan.warnings, &plan.refusals];
        kinds.into_iter().flatten().map(|note| note.code.clone())
    });
    assert_all_provoked(codes::ALL, seen.chain(added()), &[]);
}

/// What a run has seen the platform add, and put back.
fn added() -> Vec<String> {
    let target = desired([("web", group("web").count(1))]);
    let stage = PlanFixture::empty();
    let plan = stage.plan(&target);
    let lineage = Lineage::new("scope-1").unwrap();
    let config = |value| MachineConfig::from_value(value).unwrap();
    let stored = |value| StoredConfig::from_config(&config(value), &lineage);
    let shown = stored(json!({"stop_config": {"timeout": "7s"}, "env": {"PLATFORM": "1"}}));
    let computed = computed::detect_computed(&shown, &stored(json!({})));
    let filled_in = MachineComputedFields {
        fields: computed,
        not_removed: [String::from("env/PLATFORM")].into(),
    };
    let result = StepResult {
        computed: Some(Box::new(filled_in)),
        ..StepResult::of(Outcome::Done)
    };
    let results = vec![result; plan.steps.len()];
    let additions = additions(&stage.known, &plan, &results);
    assert_eq!(additions.len(), 2);
    let codes = additions.iter().map(|one| one.code().name().to_owned());
    codes.collect()
}

fn history() -> Vec<Plan> {
    let before = desired([("web", group("web").count(2))]);
    let changed = group("web")
        .count(2)
        .config(json!({"env": {"LOG": "debug"}}));
    let changed = desired([("web", changed)]);
    let stage = PlanFixture::with(&before);
    let with = |change: &dyn Fn(&mut PlanFixture)| {
        let mut stage = stage.clone();
        change(&mut stage);
        stage.plan(&before)
    };
    vec![
        with(&|stage| stage.observed.machines.clear()),
        with(&|stage| {
            stage.observed.machines.clear();
            stage.observed.description.machine_count = Some(0);
        }),
        with(&|stage| stage.observed.description.scope = Lineage::new("scope-2").unwrap()),
        with(&|stage| {
            let old = stage.known.clone();
            stage.apply(&changed);
            stage.known = old;
        }),
        with(&|stage| stage.known = PlanFixture::empty().known),
        with(&|stage| stage.observed.lagging.push(id("m00001"))),
        with(&|stage| stage.known.configs_with_cleartext = 1),
    ]
}

fn refreshed() -> Plan {
    let config = json!({"env": {"LOG": "info"}});
    let target = desired([("web", group("web").count(1).config(config))]);
    let mut stage = PlanFixture::with(&target);
    stage.edit_outside("m00001", |machine| {
        let env = config_of(machine).env.as_mut().unwrap();
        env.remove("LOG");
        env.insert("NEW".to_owned(), "1".to_owned());
    });
    let options = Options {
        mode: PlanMode::RefreshOnly,
        ..Options::default()
    };
    stage.plan_with(&target, &options)
}

fn requested() -> Vec<Plan> {
    let target = desired([("web", group("web").count(2))]);
    let mut stage = PlanFixture::with(&target);
    stage.edit_outside("m00001", |machine| machine.state = MachineState::Stopped);
    vec![
        stage.plan_with(&target, &restarting(&["web"])),
        stage.plan_with(&target, &restarting(&["wbe"])),
        stage.plan_with(&target, &replacing(&["m00009"])),
        stage.plan_with(&target, &staying_up_for(600_000)),
        none_runs(stage.clone(), &target),
        filtered(&stage, &target, "not=m00009"),
        filtered(&stage, &target, "replace=m00001 not=m00001"),
    ]
}

fn rollouts() -> Vec<Plan> {
    let stage = PlanFixture::with(&desired([("web", group("web").count(1))]));
    let changed = group("web").count(1).config(json!({"image": "shop:2"}));
    let unsupported = Some(Trial::Bluegreen);
    let changed = changed.with(|group| group.trial = unsupported);
    let mut target = desired([("web", changed)]);
    target.image = Some(
        "shop@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
    );
    target.rollout.release_command = Some(Box::new(OnceCommand {
        argv: vec!["bin/migrate".to_owned()],
        timeout_s: None,
        guest: None,
        location: "fly.toml:7".to_owned(),
        host_dedication_id: None,
        template: Box::default(),
    }));
    let app = target.groups.values_mut().next().unwrap();
    app.machine_checks = vec![MachineCheck::default()];
    let mut plans = vec![
        stage.plan(&target),
        stage.plan_with(
            &target,
            &Options {
                requested: Requested {
                    machine_checks: CheckMode::Never,
                    ..never().requested
                },
                ..never()
            },
        ),
        of_a_compose_file(),
        other_line_ends(),
    ];
    plans.extend(once::all_remarks());
    plans
}

fn of_a_compose_file() -> Plan {
    let mut target = desired([("web", group("web").count(1))]);
    target.rollout.compose = Some("fly.toml:9".to_owned());
    PlanFixture::empty().plan(&target)
}

fn other_line_ends() -> Plan {
    let with = |text: &str| {
        let config = json!({"env": {"MOTD": text}});
        desired([("web", group("web").count(1).config(config))])
    };
    PlanFixture::with(&with("a\nb")).plan(&with("a\r\nb"))
}

fn none_runs(mut stage: PlanFixture, target: &aeroform::core::fleet::Desired) -> Plan {
    for id in ["m00001", "m00002"] {
        stage.edit_outside(id, |machine| machine.state = MachineState::Stopped);
    }
    stage.plan(target)
}

fn staying_up_for(steady_ms: u64) -> Options {
    Options {
        requested: Requested {
            steady_ms: Some(steady_ms),
            ..Requested::default()
        },
        ..Options::default()
    }
}

fn filtered(stage: &PlanFixture, target: &Desired, filters: &str) -> Plan {
    stage.plan_with(target, &crate::filters::by(filters))
}

fn smaller_volume() -> Plan {
    let mut stage = PlanFixture::empty();
    stage.observed.description.capabilities.volumes = true;
    stage.observed.volumes.push(Volume {
        id: VolumeId::new("vol_1").unwrap(),
        name: "data".to_owned(),
        region: region("ams"),
        size_gb: 1,
        encrypted: true,
        attached_to: None,
        host: HostStatus::Ok,
    });
    let larger = |group: &mut DesiredGroup| group.new_volume.initial_size_gb = Some(10);
    stage.plan(&desired([(
        "db",
        group("db").count(1).mount().with(larger),
    )]))
}

fn guards() -> Vec<Plan> {
    let mut stage = PlanFixture::with(&desired([("web", group("web").count(3).protected())]));
    let unprotected = PlanFixture::with(&desired([("web", group("web").count(3))]));
    let protects = unprotected.plan(&desired([("web", group("web").count(3).protected())]));
    let lowered = stage.plan(&desired([("web", group("web").count(2))]));
    stage.apply(&desired([("web", group("web").count(3))]));
    let mut limited = desired([("web", group("web").count(1))]);
    limited.policy.max_destroy = Some(aeroform::core::fleet::Limit::Count(1));
    let mut nowhere = desired([("web", group("web"))]);
    nowhere.primary_region = None;
    let full = group("web")
        .count(3)
        .list("ams")
        .with(|g| g.max_per_region = Some(1));
    vec![
        protects,
        lowered,
        stage.plan(&limited),
        PlanFixture::empty().plan(&nowhere),
        PlanFixture::empty().plan(&desired([("web", full)])),
    ]
}

fn warnings() -> Vec<Plan> {
    let mut tagged = desired([
        ("edge", group("edge").serves()),
        ("web", group("web").serves()),
        (
            "lazy",
            group("lazy").config(json!({"services": [{"internal_port": 80, "protocol": "tcp",
                "autostop": true, "autostart": false}]})),
        ),
    ]);
    tagged.image = Some("shop:latest".to_owned());
    let four = desired([("web", group("web").count(4))]);
    let crowded = group("web").count(4).with(|g| g.max_per_region = Some(3));
    let mut elsewhere = PlanFixture::with(&four);
    for machine in elsewhere.known.machines.values_mut() {
        machine.requested_region = Some(region("gru"));
    }
    vec![
        elsewhere.plan(&four),
        PlanFixture::empty().plan(&tagged),
        PlanFixture::with(&four).plan(&desired([("web", crowded)])),
    ]
}

fn notes() -> Vec<Plan> {
    let mut app = desired([("app", group("app").count(2))]);
    app.has_processes = false;
    let web = desired([("web", group("web").count(2))]);
    let mut renamed = desired([("edge", group("edge").count(2))]);
    let maybe_renamed = PlanFixture::with(&web).plan(&renamed);
    renamed.moved.push(moved("web", "edge"));
    let mut stage = PlanFixture::with(&web);
    stage.apply(&renamed);
    let moved_done = stage.plan(&renamed);
    let mut others = PlanFixture::with(&web);
    for (name, management) in [
        ("e0001", Management::Auxiliary),
        ("e0002", Management::Unmanaged),
    ] {
        others.clone_machine("m00001", name);
        others.edit_outside(name, |machine| machine.management = management);
    }
    others.clone_machine("m00001", "e0003");
    others.known.ignored_machines.insert(id("e0003"));
    others.clone_machine("m00001", "e0004");
    others.edit_outside("e0004", |machine| {
        machine.host = HostStatus::Unreachable;
        machine.config = None;
    });
    let mut theirs = others.observed.machines[&id("m00001")].clone();
    theirs.id = id("e0005");
    theirs.project = Some("/there".to_owned());
    others.observed.other_projects.insert(id("e0005"), theirs);
    others.observed.description.capabilities.enforces_sizes = false;
    let one = desired([("web", group("web").count(1))]);
    let mut late = PlanFixture::with(&web);
    late.known.machines.remove(&id("m00001"));
    vec![
        late.plan(&web),
        PlanFixture::with(&app).plan(&web),
        maybe_renamed,
        moved_done,
        others.plan(&web),
        PlanFixture::empty().plan_with(&web, &Options::default()),
        sizes(),
        PlanFixture::with(&web).offline(&one),
        PlanFixture::with(&web).plan(&desired([("web", group("web").count(0))])),
    ]
}

/// A provider that shows sizes without enforcing them.
fn sizes() -> Plan {
    let mut stage = PlanFixture::empty();
    stage.observed.description.capabilities.enforces_sizes = false;
    let guest = json!({"guest": {"memory_mb": 512}});
    stage.plan(&desired([("web", group("web").config(guest))]))
}

fn hosts() -> Vec<Plan> {
    let db = || group("db").exact(&[("gru", 2)]).mount();
    let mut stage = PlanFixture::empty();
    stage.volumes = true;
    stage.apply(&desired([("db", db())]));
    let uneven = stage.plan(&desired([(
        "db",
        group("db").count(2).list("gru bog").mount(),
    )]));
    stage.edit_outside("m00001", |machine| {
        machine.host = HostStatus::Unreachable;
        machine.config = None;
    });
    let changed = db().config(json!({"env": {"LOG": "debug"}}));
    let moved = db().config(json!({"guest": {"host_dedication_id": "h2"}}));
    let mut dedicated = PlanFixture::empty();
    dedicated.volumes = true;
    dedicated.apply(&desired([("db", db())]));
    vec![
        uneven,
        stage.plan(&desired([("db", changed)])),
        dedicated.plan(&desired([("db", moved)])),
    ]
}

fn images() -> Vec<Plan> {
    let web = |n| desired([("web", group("web").count(n))]);
    let mut nothing = web(1);
    "fly".clone_into(&mut nothing.provider);
    let mut stage = PlanFixture::with(&web(2));
    let run = |stage: &mut PlanFixture, name: &str, image: &str| {
        stage.edit_outside(name, |machine| {
            config_of(machine).image = Some(image.to_owned());
            machine.stamps.serial = Some(1);
        });
    };
    run(&mut stage, "m00001", "shop:1");
    run(&mut stage, "m00002", "shop:1");
    let inherited = stage.plan(&web(3));
    run(&mut stage, "m00002", "shop:2");
    let two_images = stage.plan(&web(3));
    for (name, cpus) in [("m00001", 1), ("m00002", 2)] {
        stage.edit_outside(name, |machine| {
            let config = config_of(machine);
            config.guest.get_or_insert_default().cpus = Some(cpus);
        });
    }
    vec![
        PlanFixture::empty().plan(&nothing),
        inherited,
        two_images,
        stage.plan(&web(3)),
    ]
}

fn releases() -> Vec<Plan> {
    let web = desired([("web", group("web").count(1))]);
    let mut unknown = PlanFixture::with(&web);
    unknown.observed.release_unknown = Some("GET /x answered 400: no".to_owned());
    let mut under_way = PlanFixture::with(&web);
    under_way.observed.release = Some(Release {
        id: "r43".to_owned(),
        version: 43,
        in_progress: true,
        status: None,
        user: Some("ana@example.com".to_owned()),
        image: None,
        created_at: Some(1000),
    });
    let options = Options {
        now: Some(1060),
        ..Options::default()
    };
    vec![unknown.plan(&web), under_way.plan_with(&web, &options)]
}
