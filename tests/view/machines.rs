//! Machines one by one: the table of them, one with everything, and what a verb did to one.

use aeroform::core::fleet::{
    AppName, CheckState, CheckStatus, ConfigDigest, KnownMachine, Machine, MachineConfig,
    MachineEvent, MachineName, MachineState, diff,
};
use aeroform::core::view::status::OtherProjectMachine;
use aeroform::core::view::{MachineView, Style, json, terminal};
use insta::assert_snapshot;
use serde_json::json;

use crate::build::id;
use crate::schemas::{rejects_changes, schema, valid};
use crate::show::{style, written};
use crate::{build, statuses};

fn config(env: &str) -> MachineConfig {
    MachineConfig::from_value(json!({
        "image": "registry.fly.io/shop:v7@sha256:aaaa",
        "env": {"LOG_LEVEL": env, "DATABASE_URL": "postgres://shop:hunter2@db/shop"},
        "guest": {"cpu_kind": "shared", "cpus": 2, "memory_mb": 1024},
        "services": [{"internal_port": 8080, "protocol": "tcp",
            "ports": [{"port": 443, "handlers": ["http", "tls"]}]}],
        "init": {"cmd": ["bin/web", "--port", "8080"]},
    }))
    .unwrap()
}

fn app() -> AppName {
    AppName::new("shop").unwrap()
}

fn machine() -> Machine {
    let mut machine = statuses::machine("148ed599c14189", "web", "gru", 1);
    machine.config = Some(config("debug").into());
    machine.volumes = vec![build::volume("vol_1")];
    "2026-01-01T00:00:00Z".clone_into(&mut machine.created_at);
    machine.checks = vec![CheckStatus {
        name: "up".to_owned(),
        status: CheckState::Critical,
        output: "HTTP 500\u{1b}[31m".to_owned(),
        updated_at: "2026-01-01T00:05:00Z".to_owned(),
    }];
    machine
}

fn one() -> MachineView {
    let machine = machine();
    let known = KnownMachine {
        name: machine.name.clone(),
        group: build::group_name("web"),
        region: build::region("gru"),
        requested_region: None,
        config: ConfigDigest::parse(&"0".repeat(32)).unwrap(),
        launch: None,
        volumes: machine.volumes.clone(),
        standby_for: Vec::new(),
        replaces: None,
        swap: None,
        unproven: true,
    };
    let event = |kind: &str, status: &str, info: Option<&str>| MachineEvent {
        at: "2026-01-01T00:04:00Z".to_owned(),
        kind: kind.to_owned(),
        status: status.to_owned(),
        source: "flyd".to_owned(),
        info: info.map(str::to_owned),
    };
    let events = vec![
        event("start", "started", None),
        event("exit", "stopped", Some("exit code 137, out of memory")),
    ];
    let drift = diff::diff_configs(&config("info"), &config("debug"));
    MachineView::of(&machine, Some(known), drift, events)
}

#[test]
fn one_machine_is_shown_with_everything_but_its_secrets() {
    let text = written(|out| terminal::machine::detail(&one(), &style(80), out));
    assert_snapshot!(text, @r#"
    148ed599c14189  web  gru  started
      name            web-148ed599c14189
      size            shared-cpu-2x:1024MB
      image           registry.fly.io/shop:v7@sha256:aaaa
      pid             4201
      volumes         vol_1
      created         2026-01-01T00:00:00Z
      state file      group web, config 00000000000000000000000000000000 · not seen
                      healthy yet

    Config
      [env]
        DATABASE_URL = (hidden)
        LOG_LEVEL = "debug"
      [[vm]]
        size = "shared-cpu-2x"
        memory = "1gb"
      [build]
        image = "registry.fly.io/shop@sha256:aaaa"
      [processes]
        web = "bin/web --port 8080"
      [[services]]
        internal_port = 8080
        protocol = "tcp"
        [[services.ports]]
          port = 443
          handlers = ["http", "tls"]

    Checks
      critical  up  2026-01-01T00:05:00Z
        HTTP 500\u{1b}[31m

    Events, newest first
      2026-01-01T00:04:00Z  start → started  by flyd
      2026-01-01T00:04:00Z  exit → stopped  by flyd  exit code 137, out of memory

    Drift: changed outside Aeroform since the last apply
        [env]
      -   LOG_LEVEL = "info"
      +   LOG_LEVEL = "debug"
    "#);
    let view = MachineView::of(&statuses::statuses_machine(), None, Vec::new(), Vec::new());
    let text = written(|out| terminal::machine::detail(&view, &style(80), out));
    assert_snapshot!(text, @"
    5555555555  no group  ams  started
      host unreachable · not managed by Aeroform
      name            web-5555555555
      pid             4209
      state file      not in the state
    ");
    let document = json::to_line(&json::machine::detail(&app(), &one()));
    assert!(!document.contains("hunter2"), "{document}");
}

#[test]
fn every_machine_is_a_row_and_narrow_terminals_get_fewer_columns() {
    let mut view = statuses::statuses().remove(1).1;
    view.other_project_machines = vec![OtherProjectMachine {
        project: "/home/ana/shop-2".to_owned(),
        id: id("77777777777777"),
        name: MachineName::new("web-77777777777777").unwrap(),
        group: None,
        state: MachineState::Started,
    }];
    let machines = &mut view.machines;
    machines[0].size = Some("shared-cpu-1x:256MB".to_owned());
    machines[0].image = Some("registry.fly.io/shop:v7".to_owned());
    machines[0].release = Some(43);
    let list = |style: &Style| written(|out| terminal::machine::list(&view, style, out));
    assert_snapshot!(list(&style(120)), @"
      MACHINE      GROUP   REGION  STATE              CHECKS    RELEASE  SIZE                 NAME
      a1b2c3d4e5   web     ams     started            passing   v43      shared-cpu-1x:256MB  web-a1b2c3d4e5
      f6a7b8c9d0   web     ams     started, cordoned  critical                                web-f6a7b8c9d0
      0123456789   worker  ams     failed                                                     worker-0123456789
      abcdefabcd†  worker  fra     stopped                                                    worker-abcdefabcd
      5555555555   (-)     ams     started                                                    web-5555555555

    † standby: starts when the host of its primary fails
    cordoned: Fly Proxy sends it no requests
    (-) not managed by Aeroform

    1 Machine of the same app in `/home/ana/shop-2`: 77777777777777; `aeroform import ID` adopts one
    ");
    assert_snapshot!(list(&style(50)), @"
      MACHINE      GROUP   STATE              CHECKS
      a1b2c3d4e5   web     started            passing
      f6a7b8c9d0   web     started, cordoned  critical
      0123456789   worker  failed
      abcdefabcd†  worker  stopped
      5555555555   (-)     started

    † standby: starts when the host of its primary
      fails
    cordoned: Fly Proxy sends it no requests
    (-) not managed by Aeroform

    1 Machine of the same app in `/home/ana/shop-2`:
      77777777777777; `aeroform import ID` adopts one
    ");
    let none = written(|out| terminal::machine::list(&statuses::nothing(), &style(80), out));
    assert_eq!(none.trim(), "No Machines.");
}

#[test]
fn the_verdict_of_checks_is_never_cut_and_the_address_goes_first() {
    let mut view = statuses::statuses().remove(0).1;
    view.last_run = None;
    view.plan_totals = None;
    let check = |name: &str, status| CheckStatus {
        name: name.to_owned(),
        status,
        output: String::new(),
        updated_at: String::new(),
    };
    for machine in &mut view.machines {
        machine.address = Some("fdaa:0:1a2b:a7b:8c31:1f2e:d3c4:2".to_owned());
        machine.pid = None;
        machine.checks = vec![check(
            "servicecheck-00-http-8080-and-more",
            CheckState::Critical,
        )];
    }
    view.machines[1].checks = vec![
        check("up", CheckState::Passing),
        check("db", CheckState::Critical),
    ];
    // What passed before it came to rest says nothing of it now.
    view.machines[2].state = MachineState::Stopped;
    view.machines[2].checks = vec![check("up", CheckState::Passing)];
    let shown = |width| written(|out| terminal::status(&view, &style(width), out));
    for width in [40, 80, 120] {
        let text = shown(width);
        assert!(
            text.contains("CHECKS") && !text.contains("passing"),
            "{text}"
        );
        assert!(text.contains("critical 1 of 2"), "{text}");
        let named = text.contains("critical servicecheck");
        assert_eq!(named, width > 40, "{text}");
        assert_eq!(text.contains("ADDRESS"), width == 120, "{text}");
        // It stands below the Machine instead.
        assert!(text.contains("fdaa:0:1a2b:a7b:8c31:1f2e:d3c4:2"), "{text}");
    }
}

#[test]
fn machines_to_choose_from_are_rows_that_a_narrow_terminal_leaves_columns_out_of() {
    let machines = statuses::statuses().remove(1).1.machines;
    let rows = |width| terminal::machine::choices(machines.iter(), width).join("\n");
    assert_snapshot!(rows(60), @"
    a1b2c3d4e5   web-a1b2c3d4e5     web       ams  started
    f6a7b8c9d0   web-f6a7b8c9d0     web       ams  started
    0123456789   worker-0123456789  worker    ams  failed
    abcdefabcd†  worker-abcdefabcd  worker    fra  stopped
    5555555555   web-5555555555     no group  ams  started
    ");
    assert_snapshot!(rows(34), @"
    a1b2c3d4e5   web       started
    f6a7b8c9d0   web       started
    0123456789   worker    failed
    abcdefabcd†  worker    stopped
    5555555555   no group  started
    ");
    assert_snapshot!(rows(20), @"
    a1b2c3d4e5   web       started
    f6a7b8c9d0   web       started
    0123456789   worker    failed
    abcdefabcd†  worker    stopped
    5555555555   no group  started
    ");
    assert_eq!(rows(usize::MAX), rows(60));
}

#[test]
fn what_a_verb_did_is_one_line() {
    let before = machine();
    let mut after = machine();
    after.state = MachineState::Stopped;
    after.cordoned = true;
    let text = written(|out| terminal::machine::action(&before, &after, &style(80), out));
    assert_snapshot!(text, @"148ed599c14189  web  gru  stopped, was started, now cordoned");
}

#[test]
fn the_documents_are_as_published() {
    let app = app();
    let view = statuses::statuses().remove(1).1;
    let value = valid(&schema("machine-list"), &json::machine::list(&view));
    rejects_changes(&schema("machine-list"), &value, &[]);
    let value = valid(
        &schema("machine-status"),
        &json::machine::detail(&app, &one()),
    );
    rejects_changes(&schema("machine-status"), &value, &[]);
    let stranger = MachineView::of(&statuses::statuses_machine(), None, Vec::new(), Vec::new());
    valid(
        &schema("machine-status"),
        &json::machine::detail(&app, &stranger),
    );
    let (before, after) = (machine(), machine());
    let value = valid(
        &schema("machine-act"),
        &json::machine::action("stop", &before, &after),
    );
    rejects_changes(&schema("machine-act"), &value, &[]);
}
