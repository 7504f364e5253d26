//! docs/with-flyctl.md, line by line: the calls that flyctl makes, by docs/platform, and what a
//! plan says then.

use std::collections::BTreeSet;

use aeroform::apply::Cancel;
use aeroform::core::fleet::Desired;
use aeroform::core::plan::{
    Action, ApprovalFlags, DriftKind, Options, Outcome, Plan, Revert, plan, required_approval,
};
use aeroform::emulator::http::Server;
use aeroform::emulator::world::{Fault, FaultEffect};
use aeroform::observe::observe;
use serde_json::{Value, json};

use crate::fixture::{ask, ask_with, platform, provider};
use crate::runs::{FlyFixture, PLAIN, target};

const VM: &str = "[[vm]]\n  size = \"shared-cpu-1x\"\n  memory = \"512mb\"\n";

fn two(vm: &str, ours: &str) -> Desired {
    target(
        &format!("{PLAIN}{vm}"),
        &format!("{ours}\n[groups.web]\ncount = 2\n"),
    )
}

const PINNED: &str = "image = \"r.example/shop@sha256:1111111111111111111111111111111111111111111111111111111111111111\"";

fn ids(server: &Server) -> Vec<String> {
    let machines = server.world().operator("shop").machines();
    let id = |machine: &Value| machine["id"].as_str().unwrap().to_owned();
    machines.iter().map(id).collect()
}

pub(crate) fn path(id: &str, rest: &str) -> String {
    format!("/v1/apps/shop/machines/{id}{rest}")
}

/// What flyctl does to change a Machine: lease, read, send all of it back, wait, let go.
async fn update(server: &Server, id: &str, change: impl Fn(&mut Value)) {
    let lease = path(id, "/lease?ttl=13");
    let (_, lease) = ask(server, "POST", &lease, Value::Null).await;
    let nonce = lease["data"]["nonce"].as_str();
    let (_, mut shown) = ask(server, "GET", &path(id, ""), Value::Null).await;
    change(&mut shown["config"]);
    let body = json!({"config": shown["config"], "region": shown["region"], "skip_launch": false});
    let (status, said) = ask_with(server, "POST", &path(id, ""), body, nonce).await;
    assert_eq!(status, 200, "{said}");
    ask(server, "GET", &path(id, "/wait?state=started"), Value::Null).await;
    ask_with(server, "DELETE", &path(id, "/lease"), Value::Null, nonce).await;
}

/// `fly deploy` of this image: a release, and every Machine with its keys.
async fn deploy(server: &Server, image: Option<&str>) {
    let body = json!({"app_name": "shop", "image": image, "strategy": "ROLLING", "definition": {}});
    let (status, created) = ask(server, "POST", "/api/v1/releases", body).await;
    assert_eq!(status, 201);
    let release = &created["release"];
    let mark = format!("/api/v1/releases/{}", release["id"].as_str().unwrap());
    ask(server, "PATCH", &mark, json!({"status": "running"})).await;
    for id in ids(server) {
        update(server, &id, |config| {
            config["metadata"]["fly_release_id"] = release["id"].clone();
            config["metadata"]["fly_release_version"] = release["version"].to_string().into();
            config["metadata"]["fly_flyctl_version"] = "0.3.200".into();
            if let Some(image) = image {
                config["image"] = image.into();
            }
        })
        .await;
    }
    ask(server, "PATCH", &mark, json!({"status": "complete"})).await;
}

/// Whether a plan takes back a release, and which.
fn reverts(plan: &Plan) -> Vec<String> {
    plan.reverts().iter().map(Revert::describe).collect()
}

/// Holds rule 11.
#[tokio::test(start_paused = true)]
async fn a_deploy_of_another_image_is_reverted_as_a_class_of_its_own() {
    let server = platform();
    let provider = provider(&server);
    let mut team = FlyFixture::of(&provider);
    team.settle(&two("", PINNED)).await;
    let ours = "sha256:111111111111";
    // A change by hand is drift and no release, and the same image again takes nothing back.
    for id in ids(&server) {
        update(&server, &id, |config| config["env"]["A"] = "1".into()).await;
    }
    let (created, _) = team.planned(&two("", PINNED)).await;
    assert_eq!(reverts(&created), [""; 0]);
    team.settle(&two("", PINNED)).await;
    deploy(&server, None).await;
    let (created, _) = team.planned(&two("", PINNED)).await;
    assert!(created.is_empty());
    let theirs = format!("r.example/shop:v9@sha256:{}", "9".repeat(64));
    deploy(&server, Some(&theirs)).await;
    let (created, _) = team.planned(&two("", PINNED)).await;
    let reported = format!("reverts release v4 (sha256:999999999999) to {ours} on 2 Machines");
    assert_eq!(reverts(&created), [reported.as_str()]);
    let approval = required_approval(&created);
    let yes = ApprovalFlags {
        auto_approve: true,
        ..ApprovalFlags::default()
    };
    assert_eq!(approval.not_covered_by(&yes).flags(), "--allow-revert");
    let may = ApprovalFlags {
        revert: true,
        ..yes
    };
    assert!(approval.not_covered_by(&may).is_empty());
    // Without a pinned image the running image stays, and nothing is reverted.
    let (created, _) = team.planned(&two("", "")).await;
    assert_eq!(reverts(&created), [""; 0]);
    // Ours is the newest again, under a number of its own.
    let ran = team.settle(&two("", PINNED)).await;
    assert_eq!(ran.plan.newest_release, Some(4));
    assert_eq!(team.known.release, Some(5));
    assert!(reverts(&team.planned(&two("", PINNED)).await.0).is_empty());
}

/// Holds rule 11.
#[tokio::test(start_paused = true)]
async fn a_release_that_a_run_leaves_on_a_machine_is_still_taken_back_on_request_alone() {
    for is_excluded in [true, false] {
        let server = platform();
        let provider = provider(&server);
        let mut team = FlyFixture::of(&provider);
        team.settle(&two("", PINNED)).await;
        deploy(
            &server,
            Some(&format!("r.example/shop@sha256:{}", "9".repeat(64))),
        )
        .await;
        let left = ids(&server).into_iter().min().unwrap();
        let (_, observed) = team.planned(&two("", PINNED)).await;
        let mut options = Options::default();
        if is_excluded {
            options.requested.exclude =
                [aeroform::core::fleet::MachineId::new(&left).unwrap()].into();
        } else {
            // The second update is refused.
            let no = FaultEffect::Refuse {
                status: 422,
                message: "no".to_owned(),
            };
            server.world().inject(Fault::on("update", no).nth(2));
        }
        let created = plan(&two("", PINNED), &team.known, Some(&observed), &options);
        let ran = team
            .carry_out(&two("", PINNED), (created, observed), Cancel::never())
            .await;
        assert!(
            ran.report
                .results
                .iter()
                .any(|result| result.outcome == Outcome::Done)
        );
        // One is of our release 3 by now, and the other one still of theirs.
        let reported =
            ["reverts release v2 (sha256:999999999999) to sha256:111111111111 on 1 Machine"];
        let (created, _) = team.planned(&two("", PINNED)).await;
        assert_eq!(reverts(&created), reported, "excluded: {is_excluded}");
        assert_eq!(team.known.release, Some(1));
        // A manual change of our Machine is not a release by another client.
        let other = ids(&server).into_iter().max().unwrap();
        update(&server, &other, |config| config["env"]["A"] = "1".into()).await;
        let (created, _) = team.planned(&two("", PINNED)).await;
        assert_eq!(reverts(&created), reported, "excluded: {is_excluded}");
        let ran = team.settle(&two("", PINNED)).await;
        assert_eq!(
            team.known.release,
            ran.plan.release.map(|release| release.number)
        );
    }
}

/// Holds rule 11.
#[tokio::test(start_paused = true)]
async fn without_a_state_and_after_a_refresh_a_newer_release_is_still_taken_back_on_request_alone()
{
    let server = platform();
    let provider = provider(&server);
    let mut team = FlyFixture::of(&provider);
    team.settle(&two("", PINNED)).await;
    let before = team.known.clone();
    // Our own, without a state, is no revert.
    team.known = aeroform::core::fleet::Known::empty(before.app.clone(), "fly");
    let other = two("", &PINNED.replace('1', "2"));
    assert_eq!(reverts(&team.planned(&other).await.0), [""; 0]);
    deploy(
        &server,
        Some(&format!("r.example/shop@sha256:{}", "9".repeat(64))),
    )
    .await;
    let reported =
        ["reverts release v2 (sha256:999999999999) to sha256:111111111111 on 2 Machines"];
    assert_eq!(reverts(&team.planned(&two("", PINNED)).await.0), reported);
    for known in [team.known.clone(), before] {
        team.known = known;
        team.refresh(&two("", PINNED)).await;
        assert_eq!(team.known.machines.len(), 2);
        assert_eq!(reverts(&team.planned(&two("", PINNED)).await.0), reported);
    }
    // The files have the same value by then, so nothing is reverted.
    let theirs = two("", &PINNED.replace('1', "9"));
    assert!(team.planned(&theirs).await.0.is_empty());
    assert_eq!(reverts(&team.planned(&other).await.0), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn machines_that_a_release_recreated_are_reverted_too() {
    let server = platform();
    let provider = provider(&server);
    let mut team = FlyFixture::of(&provider);
    team.settle(&two("", PINNED)).await;
    let theirs = format!("r.example/shop@sha256:{}", "9".repeat(64));
    // As bluegreen: copies of another image, and the old ones go.
    for id in ids(&server) {
        let (_, shown) = ask(&server, "GET", &path(&id, ""), Value::Null).await;
        let mut config = shown["config"].clone();
        config["image"] = theirs.as_str().into();
        config["metadata"]["fly_release_version"] = "9".into();
        config["metadata"]["fly_release_id"] = "r9".into();
        let body = json!({"config": config, "region": shown["region"]});
        let (_, created) = ask(&server, "POST", "/v1/apps/shop/machines", body).await;
        let new = created["id"].as_str().unwrap();
        ask(
            &server,
            "GET",
            &path(new, "/wait?state=started"),
            Value::Null,
        )
        .await;
        ask(&server, "DELETE", &path(&id, "?kill=true"), Value::Null).await;
    }
    let observed = observe(&provider, &two("", PINNED).app, &team.known).await;
    let created = plan(
        &two("", PINNED),
        &team.known,
        Some(&observed.unwrap()),
        &Options::default(),
    );
    assert_eq!(
        reverts(&created),
        ["reverts release v9 (sha256:999999999999) to sha256:111111111111 on 2 Machines"]
    );
}

/// A copy, its metadata included, under a name of the platform's.
async fn clone(server: &Server, id: &str) {
    let (_, shown) = ask(server, "GET", &path(id, ""), Value::Null).await;
    let body = json!({"config": shown["config"], "region": shown["region"]});
    let (_, created) = ask(server, "POST", "/v1/apps/shop/machines", body).await;
    let id = created["id"].as_str().unwrap();
    ask(server, "GET", &path(id, "/wait?state=started"), Value::Null).await;
}

/// What a plan says, in a few words.
pub(crate) fn said(plan: &Plan) -> Vec<String> {
    let mut words: BTreeSet<String> = BTreeSet::new();
    for drift in &plan.drift {
        let fields = drift.changes.iter().map(|field| field.path.join("."));
        words.insert(match drift.kind {
            DriftKind::Changed => format!("drift {}", fields.collect::<Vec<_>>().join(" ")),
            DriftKind::Missing => "gone".to_owned(),
            DriftKind::Added => "added".to_owned(),
        });
    }
    let mut counts = [("create", 0), ("update", 0), ("destroy", 0)];
    for (_, change) in plan.changes() {
        let at = match change.action {
            Action::Create { .. } => 0,
            Action::Update { .. } | Action::Move { .. } => 1,
            Action::Destroy { .. } => 2,
            Action::Wait
            | Action::Start
            | Action::Adopt
            | Action::Forget
            | Action::Once { .. }
            | Action::Switch { .. }
            | Action::Canary { .. } => {
                continue;
            }
        };
        counts[at].1 += 1;
    }
    let counts = counts.into_iter().filter(|(_, n)| *n > 0);
    words
        .into_iter()
        .chain(counts.map(|(what, n)| format!("{what} {n}")))
        .collect()
}

/// Creates two Machines, changes them outside, and plans.
async fn after(desired: &Desired, something: impl AsyncFnOnce(&Server, &[String])) -> Vec<String> {
    let server = platform();
    let provider = provider(&server);
    let mut team = FlyFixture::of(&provider);
    team.settle(desired).await;
    something(&server, &ids(&server)).await;
    let (created, _) = team.planned(desired).await;
    let words = said(&created);
    // What a plan says is also what comes of it.
    team.apply(desired).await;
    team.settle(desired).await;
    words
}

#[tokio::test(start_paused = true)]
async fn deploys_and_sizes() {
    let pinned = two("", PINNED);
    let same = after(&pinned, async |server, _| deploy(server, None).await).await;
    assert_eq!(same, [""; 0]);
    let new = after(&pinned, async |server, _| {
        deploy(server, Some("r.example/shop:v2")).await;
    })
    .await;
    assert_eq!(new, ["drift image", "update 2"]);
    let more = async |server: &Server, ids: &[String]| {
        for id in ids {
            update(server, id, |config| {
                config["guest"] = json!({"cpu_kind": "shared", "cpus": 2, "memory_mb": 1024});
            })
            .await;
        }
    };
    let written = after(&two(VM, PINNED), more).await;
    assert_eq!(written, ["drift guest.cpus guest.memory_mb", "update 2"]);
    let unwritten = after(&pinned, more).await;
    assert_eq!(unwritten, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_deploy_where_no_image_is_written_stays() {
    let server = platform();
    let provider = provider(&server);
    let mut team = FlyFixture::of(&provider);
    team.settle(&two("", PINNED)).await;
    deploy(&server, Some("r.example/shop:v2")).await;
    let ran = team.apply(&two("", "")).await;
    assert_eq!(said(&ran.plan), ["drift image"]);
    for machine in server.world().operator("shop").machines() {
        assert_eq!(machine["config"]["image"], "r.example/shop:v2");
    }
    team.settle(&two("", "")).await;
}

#[tokio::test(start_paused = true)]
async fn counts() {
    let pinned = two("", PINNED);
    let scaled = after(&pinned, async |server, ids| {
        for id in ids {
            clone(server, id).await;
        }
    })
    .await;
    assert_eq!(scaled, ["added", "destroy 2"]);
    let gone = after(&pinned, async |server, ids| {
        ask(server, "DELETE", &path(&ids[0], "?kill=true"), Value::Null).await;
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    })
    .await;
    assert_eq!(gone, ["gone", "create 1"]);
}

/// Holds rules 1 and 2.
#[tokio::test(start_paused = true)]
async fn single_machines_and_secrets() {
    let pinned = two("", PINNED);
    for action in ["stop", "suspend", "cordon"] {
        let quiet = after(&pinned, async |server, ids| {
            let (status, _) = ask(
                server,
                "POST",
                &path(&ids[0], &format!("/{action}")),
                json!({}),
            )
            .await;
            assert_eq!(status, 200, "{action}");
            tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        })
        .await;
        assert_eq!(quiet, [""; 0], "{action}");
    }
    let secrets = after(&pinned, async |server, ids| {
        for id in ids {
            update(server, id, |_| {}).await;
        }
    })
    .await;
    assert_eq!(secrets, [""; 0]);
    let env = after(&pinned, async |server, ids| {
        update(server, &ids[0], |config| config["env"]["A"] = "1".into()).await;
    })
    .await;
    assert_eq!(env, ["drift env.A", "update 1"]);
}

const MOUNTED: &str = "\
app = \"shop\"
primary_region = \"ams\"
[mounts]
  source = \"data\"
  destination = \"/data\"
  initial_size = \"2gb\"
";

#[tokio::test(start_paused = true)]
async fn volumes() {
    let app = |count: u32| {
        target(
            MOUNTED,
            &format!("{PINNED}\n[groups.app]\ncount = {count}\n"),
        )
    };
    let server = platform();
    let provider = provider(&server);
    let mut team = FlyFixture::of(&provider);
    team.settle(&app(1)).await;
    let created = server.world().operator("shop").volumes();
    assert_eq!(created.len(), 1);
    // `fly volumes create`, and `fly volumes extend` of the one that is in use.
    let body = json!({"name": "data", "region": "ams", "size_gb": 5, "encrypted": true});
    ask(&server, "POST", "/v1/apps/shop/volumes", body).await;
    let id = created[0]["id"].as_str().unwrap();
    let extend = format!("/v1/apps/shop/volumes/{id}/extend");
    let (status, _) = ask(&server, "PUT", &extend, json!({"size_gb": 9})).await;
    assert_eq!(status, 200);
    let (plan, _) = team.planned(&app(1)).await;
    assert_eq!(said(&plan), [""; 0]);
    assert!(plan.is_empty() && plan.notes.is_empty(), "{:?}", plan.notes);
    let (plan, _) = team.planned(&app(2)).await;
    assert_eq!(said(&plan), ["create 1"]);
    assert_eq!(plan.summary().new_volumes, 0);
    team.settle(&app(2)).await;
    assert_eq!(server.world().operator("shop").volumes().len(), 2);
}
