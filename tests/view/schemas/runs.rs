//! What is there, and what happens, as programs read it.

use aeroform::core::view::{StatusView, json};
use insta::assert_snapshot;

use super::{rejects_changes, schema, valid};
use crate::{gallery, runs, statuses};

#[test]
fn statuses_are_as_published() {
    let schema = schema("status");
    for (_, mut view) in statuses::statuses() {
        view.machines.truncate(100);
        let value = valid(&schema, &json::status::status(&view));
        rejects_changes(&schema, &value, &["drift", "hold", "plan"]);
    }
    let (_, mut view): (_, StatusView) = statuses::statuses().remove(0);
    view.machines.truncate(2);
    view.groups.truncate(1);
    let value = valid(&schema, &json::status::status(&view));
    assert_snapshot!(serde_json::to_string_pretty(&value).unwrap(), @r#"
    {
      "app": "shop",
      "format_version": 1,
      "groups": [
        {
          "actual": 1,
          "desired": true,
          "healthy": 1,
          "name": "cron",
          "regions": {
            "ams": 1
          },
          "started": 1,
          "wanted": 1
        }
      ],
      "last_run": {
        "at": "2026-01-01T00:00:00Z",
        "by": "ana",
        "command": "apply",
        "outcome": "complete",
        "run": "7f3k2m4n6p",
        "serial": 13
      },
      "machines": [
        {
          "checks": [],
          "cordoned": false,
          "group": "cron",
          "host": "ok",
          "id": "abcdefabcd",
          "known": true,
          "management": "ours",
          "name": "cron-abcdefabcd",
          "pid": 4203,
          "region": "ams",
          "restarts": 0,
          "standby": false,
          "state": "started"
        },
        {
          "address": "http://127.0.0.1:8100",
          "checks": [
            {
              "name": "http-8080",
              "status": "passing"
            }
          ],
          "cordoned": false,
          "group": "web",
          "host": "ok",
          "id": "a1b2c3d4e5",
          "known": true,
          "management": "ours",
          "name": "web-a1b2c3d4e5",
          "pid": 4200,
          "region": "ams",
          "restarts": 0,
          "standby": false,
          "state": "started"
        }
      ],
      "missing": [],
      "provider": "local",
      "serial": 13
    }
    "#);
}

#[test]
fn a_run_is_a_line_per_event_from_the_version_to_the_outcome() {
    let schema = schema("apply");
    let plan = gallery::everything_at_once();
    let mut lines = Vec::new();
    for event in &runs::events() {
        if let Some(line) = json::apply::event_line(&plan, event) {
            let value = valid(&schema, &line);
            let optional = ["run", "up_to_ms", "part"];
            rejects_changes(&schema, &value, &optional);
            lines.push(json::to_line(&line));
        }
    }
    for (_, run) in runs::run_ends() {
        let line = json::apply::finished_line(&run.report());
        let value = valid(&schema, &line);
        rejects_changes(
            &schema,
            &value,
            &[
                "replaced",
                "serving",
                "image_before",
                "findings",
                "remarks",
                "additions",
                "serial",
                "unpublished",
            ],
        );
        lines.push(json::to_line(&line));
    }
    valid(&schema, &json::apply::empty_run_line(&plan));
    assert_snapshot!(lines.join("\n"), @r#"
    {"event":"started","format_version":1,"run":"7f3k2m4n6p","app":"shop","steps":12,"summary":{"create":6,"update":4,"replace":0,"swap":0,"move":0,"destroy":2,"wait":0,"start":0,"adopt":0,"forget":0,"run":0,"canary":0,"new_volumes":0}}
    {"event":"waiting","on":"the rate limit of releases","up_to_ms":5000}
    {"event":"step_began","step":0,"action":"create","group":"jobs","region":"gru","machine":{"name":"jobs-launch0000"}}
    {"event":"step_waiting","step":0,"action":"create","group":"jobs","region":"gru","machine":{"name":"jobs-launch0000"},"on":"check http-8080","up_to_ms":300000}
    {"event":"step_remark","step":0,"action":"create","group":"jobs","region":"gru","machine":{"name":"jobs-launch0000"},"text":"port 8100 is in use by pid 7: the Machine gets port 8101"}
    {"event":"step_ended","step":0,"action":"create","group":"jobs","region":"gru","machine":{"name":"jobs-launch0000"},"outcome":"done"}
    {"event":"step_began","step":7,"action":"update","group":"web","region":"gru","machine":{"id":"148ed599c14189","name":"web-148ed599c14189"}}
    {"event":"step_retrying","step":7,"action":"update","group":"web","region":"gru","machine":{"id":"148ed599c14189","name":"web-148ed599c14189"},"cause":"the lease is held by ana"}
    {"event":"step_ended","step":7,"action":"update","group":"web","region":"gru","machine":{"id":"148ed599c14189","name":"web-148ed599c14189"},"outcome":"failed","code":"gate_timeout","message":"check http-8080 did not pass within 5m","hint":"look at it: `aeroform logs 148ed599c14189`"}
    {"event":"step_ended","step":8,"action":"update","group":"web","region":"gru","machine":{"id":"6e82d933b7d587","name":"web-6e82d933b7d587"},"outcome":"unknown","message":"the answer to update was lost"}
    {"event":"step_ended","step":12,"action":"destroy","group":"cron","region":"gru","machine":{"id":"e2865641be9786","name":"cron-e2865641be9786"},"outcome":"skipped","because":7}
    {"event":"interrupted","sent":{"create":0,"update":3,"move":0,"destroy":0},"unanswered":0}
    {"event":"interrupted","sent":{"create":1,"update":2,"move":0,"destroy":1},"unanswered":2,"up_to_ms":4000}
    {"event":"interrupted","sent":{"create":0,"update":1,"move":0,"destroy":0},"unanswered":1}
    {"event":"interrupted","sent":{"create":0,"update":0,"move":0,"destroy":0},"unanswered":0}
    {"event":"step_ended","step":13,"action":"destroy","group":"cron","region":"bog","machine":{"id":"21781973f03e89","name":"cron-21781973f03e89"},"outcome":"not_started"}
    {"event":"finished","outcome":"complete","total":12,"done":12,"failed":0,"unknown":0,"skipped":0,"not_started":0,"replaced":[{"group":"web","region":"gru","machine":{"id":"148ed599c14189","name":"web-148ed599c14189"},"by":{"id":"3d8d9014b32789","name":"web-3d8d9014b32789"}},{"group":"web","region":"gru","machine":{"id":"6e82d933b7d587","name":"web-6e82d933b7d587"},"by":{"id":"148e1234f56789","name":"web-148e1234f56789"}}],"serial":13}
    {"event":"finished","outcome":"complete","total":12,"done":12,"failed":0,"unknown":0,"skipped":0,"not_started":0,"serial":13}
    {"event":"finished","outcome":"failed","total":12,"done":6,"failed":2,"unknown":1,"skipped":3,"not_started":0,"serial":13}
    {"event":"finished","outcome":"failed","total":12,"done":6,"failed":1,"unknown":0,"skipped":0,"not_started":5,"serving":[{"group":"web","versions":[{"machines":1,"new":true,"release":2,"doing":"failing"},{"machines":5,"new":false,"release":1,"doing":"serves"},{"machines":1,"new":false,"release":1,"doing":"stopped"}],"not_started":false},{"group":"worker","versions":[{"machines":3,"new":false,"release":1,"doing":"serves"}],"not_started":true}],"image_before":"registry.fly.io/shop:v1","serial":13}
    {"event":"finished","outcome":"failed","total":12,"done":0,"failed":12,"unknown":0,"skipped":0,"not_started":0,"serial":13}
    {"event":"finished","outcome":"interrupted","total":12,"done":4,"failed":0,"unknown":0,"skipped":0,"not_started":8,"serial":13}
    {"event":"finished","outcome":"failed","total":12,"done":12,"failed":0,"unknown":0,"skipped":0,"not_started":0,"unpublished":{"cause":"state/shop.json was changed since it was read","copy":"state/shop.json.run-7f3k2m4n6p"}}
    {"event":"finished","outcome":"failed","total":12,"done":12,"failed":0,"unknown":0,"skipped":0,"not_started":0,"findings":["web 148ed599c14189 is gone: somebody destroyed it after us"],"remarks":["Machine 148ed599c14189 ended by itself with exit code 0"],"serial":13}
    {"event":"finished","outcome":"complete","total":12,"done":12,"failed":0,"unknown":0,"skipped":0,"not_started":0,"additions":[{"code":"kept_by_platform","group":"web","machines":4,"path":["services","8080 tcp","autostart"],"value":true,"table":"[http_service]","lines":["auto_start_machines = true"]},{"code":"filled_by_platform","group":"web","machines":4,"path":["services","9090 tcp","ports","443","force_https"],"value":true,"table":"[[services.ports]] of port 443 of internal_port 9090 tcp","lines":["force_https = true"]},{"code":"filled_by_platform","group":"web","machines":4,"path":["restart","max_retries"],"value":10,"table":"[[restart]]","lines":["retries = 10"]},{"code":"filled_by_platform","group":"web","machines":4,"path":["stop_config","timeout"],"value":"5s","lines":["kill_timeout = \"5s\""]},{"code":"filled_by_platform","group":"web","machines":4,"path":["env","PLATFORM_TOKEN"],"table":"[env]","lines":["PLATFORM_TOKEN"]},{"code":"filled_by_platform","group":"web","machines":4,"path":["guest","gpus"],"value":0,"table":"[[vm]]","lines":["gpus = 0"]},{"code":"filled_by_platform","group":"api","machines":4,"path":["restart","max_retries"],"value":10,"table":"[[restart]]","lines":["retries = 10"]}],"serial":13}
    "#);
}
