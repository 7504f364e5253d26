//! `fly deploy` with the strategies bluegreen and canary, cut off after each of its calls
//! (docs/platform/fly-toml.md 12.3, 12.4): what a plan names then, and that one apply cleans it up.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use aeroform::core::fleet::Desired;
use aeroform::core::plan::{Outcome, Plan};
use aeroform::emulator::http::Server;
use serde_json::{Value, json};

use crate::fixture::{ask_with, platform, provider};
use crate::flyctl::{path, said};
use crate::runs::{FlyFixture, target};

const APP: &str = "\
app = \"shop\"
primary_region = \"ams\"
[processes]
  web = \"bin/web\"
  worker = \"bin/worker\"
[http_service]
  internal_port = 8080
  processes = [\"web\"]
  [[http_service.checks]]
    path = \"/up\"
    interval = \"10s\"
    timeout = \"2s\"
";
const OURS: &str = "image = \"r.example/shop@sha256:1111111111111111111111111111111111111111111111111111111111111111\"";
const THEIRS: &str =
    "r.example/shop:v9@sha256:9999999999999999999999999999999999999999999999999999999999999999";
/// Between two looks at what serves.
const LOOK: Duration = Duration::from_millis(50);
/// The lease of a flyctl that was killed.
const LEASE: &str = "/lease?ttl=13";

/// Two of web, one of worker and its standby.
fn wanted(image: &str, strategy: &str) -> Desired {
    let counts = "[groups.web]\ncount = 2\n[groups.worker]\ncount = 1\nstandby = 1\n";
    target(
        &format!("{APP}[deploy]\n  strategy = \"{strategy}\"\n"),
        &format!("{image}\n{counts}"),
    )
}

/// The calls of one `fly deploy`, of which only so many are made.
struct Deploy<'a> {
    server: &'a Server,
    left: usize,
    /// The last call that was made.
    last: String,
    /// The leases that it holds.
    nonces: BTreeMap<String, String>,
}

/// It was killed.
struct Killed;

type Called<T> = Result<T, Killed>;

impl<'a> Deploy<'a> {
    fn of(server: &'a Server, calls: usize) -> Self {
        Self {
            server,
            left: calls,
            last: "no call".to_owned(),
            nonces: BTreeMap::new(),
        }
    }

    /// A call that changes something.
    async fn call(&mut self, what: &str, method: &str, path: &str, body: Value) -> Called<Value> {
        if self.left == 0 {
            return Err(Killed);
        }
        self.left -= 1;
        what.clone_into(&mut self.last);
        let nonce = self
            .nonces
            .iter()
            .find(|(id, _)| path.contains(id.as_str()));
        let nonce = nonce.map(|(_, nonce)| nonce.as_str());
        let (status, said) = ask_with(self.server, method, path, body, nonce).await;
        assert!((200..300).contains(&status), "{what}: {status} {said}");
        Ok(said)
    }

    /// The same about one Machine, which is named by its group and its place in the list.
    async fn act(
        &mut self,
        what: &str,
        method: &str,
        at: usize,
        of: &Value,
        rest: &str,
        body: Value,
    ) -> Called<Value> {
        let what = format!("{what} {} {}", group(of), at + 1);
        self.call(&what, method, &path(id(of), rest), body).await
    }

    async fn read(&self, path: &str) -> Value {
        ask_with(self.server, "GET", path, Value::Null, None)
            .await
            .1
    }

    async fn wait(&self, machine: &Value, state: &str) {
        let wait = path(id(machine), &format!("/wait?state={state}"));
        let (status, said) = ask_with(self.server, "GET", &wait, Value::Null, None).await;
        assert_eq!(status, 200, "{said}");
    }

    async fn release(&mut self, strategy: &str) -> Called<Value> {
        let body =
            json!({"app_name": "shop", "image": THEIRS, "strategy": strategy, "definition": {}});
        let made = self
            .call("release", "POST", "/api/v1/releases", body)
            .await?;
        let release = made["release"].clone();
        self.mark(&release, "running").await?;
        Ok(release)
    }

    async fn mark(&mut self, release: &Value, status: &str) -> Called<()> {
        let at = format!("/api/v1/releases/{}", release["id"].as_str().unwrap());
        let body = json!({"status": status});
        self.call(status, "PATCH", &at, body).await.map(drop)
    }

    async fn lease(&mut self, machines: &[Value]) -> Called<()> {
        for (at, machine) in machines.iter().enumerate() {
            let lease = self
                .act("lease", "POST", at, machine, LEASE, Value::Null)
                .await?;
            let nonce = lease["data"]["nonce"].as_str().unwrap().to_owned();
            self.nonces.insert(id(machine).to_owned(), nonce);
        }
        Ok(())
    }

    /// Bluegreen: each Machine is copied with all its metadata, the copies are switched in, the others go.
    async fn bluegreen(&mut self) -> Called<()> {
        let release = self.release("BLUEGREEN").await?;
        let blues = self.machines().await;
        self.lease(&blues).await?;
        let mut greens = Vec::new();
        for (at, blue) in blues.iter().enumerate() {
            let mut config = with_release(&blue["config"], &release);
            config["metadata"]["fly_bluegreen_deployment_tag"] = "1764360000".into();
            config["metadata"]["fly_flyctl_bluegreen_launch_id"] = format!("launch-{at}").into();
            let is_standby = config["standbys"]
                .as_array()
                .is_some_and(|ids| !ids.is_empty());
            let body = json!({
                "config": config, "region": blue["region"], "skip_launch": is_standby,
                "skip_service_registration": true, "skip_secrets": false,
            });
            let what = format!("create {} {}", group(blue), at + 1);
            greens.push(
                self.call(&what, "POST", "/v1/apps/shop/machines", body)
                    .await?,
            );
        }
        for green in &greens {
            let rests = green["config"]["standbys"]
                .as_array()
                .is_some_and(|ids| !ids.is_empty());
            self.wait(green, if rests { "stopped" } else { "started" })
                .await;
        }
        self.wait_healthy(&greens).await;
        for (at, green) in greens.iter().enumerate() {
            self.act("uncordon", "POST", at, green, "/uncordon", Value::Null)
                .await?;
        }
        for (at, blue) in blues.iter().enumerate() {
            let rest = "/metadata/fly_bluegreen_deployment_tag";
            let body = json!({"value": "safe_to_destroy"});
            self.act("tag", "POST", at, blue, rest, body).await?;
        }
        for (at, blue) in blues.iter().enumerate() {
            self.act("cordon", "POST", at, blue, "/cordon", Value::Null)
                .await?;
        }
        for (at, blue) in blues.iter().enumerate() {
            let body = json!({"timeout": "0s"});
            self.act("stop", "POST", at, blue, "/stop", body).await?;
        }
        for blue in &blues {
            self.wait(blue, "stopped").await;
        }
        for (at, blue) in blues.iter().enumerate() {
            self.act("destroy", "DELETE", at, blue, "?kill=true", Value::Null)
                .await?;
        }
        self.mark(&release, "complete").await
    }

    /// Canary: one extra Machine of each group by the new config, which goes; then every Machine in turn.
    async fn canary(&mut self) -> Called<()> {
        let release = self.release("CANARY").await?;
        let machines = self.machines().await;
        let mut groups: Vec<&Value> = Vec::new();
        for machine in &machines {
            if !groups.iter().any(|other| group(other) == group(machine)) {
                groups.push(machine);
            }
        }
        for of in groups {
            // Of the files and not of a Machine, so that no metadata is copied.
            let mut config = with_release(&of["config"], &release);
            config["metadata"] = json!({
                "fly_platform_version": "v2", "fly_process_group": group(of), "fly_canary": "true",
                "fly_release_id": release["id"], "fly_release_version": release["version"].to_string(),
            });
            config["dns"] = json!({"skip_registration": true});
            let body = json!({"config": config, "region": of["region"]});
            let what = format!("canary {}", group(of));
            let canary = self
                .call(&what, "POST", "/v1/apps/shop/machines", body)
                .await?;
            self.wait(&canary, "started").await;
            self.wait_healthy(std::slice::from_ref(&canary)).await;
            self.act(
                "destroy canary",
                "DELETE",
                0,
                &canary,
                "?kill=true",
                Value::Null,
            )
            .await?;
        }
        self.lease(&machines).await?;
        for (at, machine) in machines.iter().enumerate() {
            let config = with_release(&machine["config"], &release);
            let rests = machine["state"] != "started";
            let body = json!({"config": config, "region": machine["region"], "skip_launch": rests});
            self.act("update", "POST", at, machine, "", body).await?;
            if !rests {
                self.wait(machine, "started").await;
            }
        }
        self.mark(&release, "complete").await
    }

    async fn machines(&self) -> Vec<Value> {
        let shown = self.read("/v1/apps/shop/machines").await;
        let live = shown.as_array().unwrap().iter();
        let live = live.filter(|machine| machine["state"] != "destroyed");
        live.cloned().collect()
    }

    /// Until one check is reported and all of them pass.
    async fn wait_healthy(&self, machines: &[Value]) {
        for machine in machines {
            let services = machine["config"]["services"].as_array();
            if services.is_none_or(Vec::is_empty) {
                continue;
            }
            while !passes_checks(&self.read(&path(id(machine), "")).await) {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

fn id(machine: &Value) -> &str {
    machine["id"].as_str().unwrap()
}

fn group(machine: &Value) -> &str {
    machine["config"]["metadata"]["fly_process_group"]
        .as_str()
        .unwrap()
}

fn passes_checks(machine: &Value) -> bool {
    let checks = machine["checks"].as_array();
    checks.is_some_and(|checks| {
        !checks.is_empty() && checks.iter().all(|check| check["status"] == "passing")
    })
}

fn with_release(config: &Value, release: &Value) -> Value {
    let mut config = config.clone();
    config["image"] = THEIRS.into();
    let metadata = &mut config["metadata"];
    metadata["fly_release_id"] = release["id"].clone();
    metadata["fly_release_version"] = release["version"].to_string().into();
    metadata["fly_flyctl_version"] = "0.3.200".into();
    config
}

/// The Machines of the app, and canaries of flyctl apart.
fn fleet(server: &Server) -> (Vec<Value>, usize) {
    let machines = server.world().operator("shop").machines();
    let live = machines
        .into_iter()
        .filter(|machine| machine["state"] != "destroyed" && machine["state"] != "destroying");
    let (canaries, fleet): (Vec<Value>, Vec<Value>) =
        live.partition(|machine| machine["config"]["metadata"]["fly_canary"] == "true");
    (fleet, canaries.len())
}

/// What is wrong with the fleet after the apply.
fn wrong(server: &Server, is_pinned: bool) -> Vec<String> {
    let mut found = Vec::new();
    let (fleet, _) = fleet(server);
    let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
    let mut images: BTreeSet<&str> = BTreeSet::new();
    let lives: Vec<&str> = fleet.iter().map(id).collect();
    for machine in &fleet {
        *groups.entry(group(machine)).or_default() += 1;
        images.insert(machine["config"]["image"].as_str().unwrap());
        if machine["cordoned"] == true {
            found.push(format!("{} is cordoned", id(machine)));
        }
        let watched = machine["config"]["standbys"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let gone = watched
            .iter()
            .any(|id| !lives.contains(&id.as_str().unwrap()));
        if gone {
            found.push(format!("{} watches a Machine that is gone", id(machine)));
        }
        let rests = machine["state"] != "started";
        if rests == watched.is_empty() {
            found.push(format!("{} is {}", id(machine), machine["state"]));
        }
    }
    if groups != BTreeMap::from([("web", 2), ("worker", 2)]) {
        found.push(format!("{groups:?}"));
    }
    // Where none is written, each Machine keeps its own (rule 18).
    if is_pinned && (images.len() != 1 || images.contains(THEIRS)) {
        found.push(format!("{images:?}"));
    }
    found
}

/// How many Machines of web are in rotation, up and pass their checks.
fn serving(server: &Server) -> usize {
    let answers = |machine: &&Value| {
        group(machine) == "web"
            && machine["state"] == "started"
            && machine["cordoned"] != true
            && passes_checks(machine)
    };
    fleet(server).0.iter().filter(answers).count()
}

/// The fewest that served during an apply, beside its result.
async fn watched<T>(server: &Server, apply: impl Future<Output = T>) -> (T, usize) {
    tokio::pin!(apply);
    let mut fewest = serving(server);
    loop {
        tokio::select! {
            ran = &mut apply => return (ran, fewest),
            () = tokio::time::sleep(LOOK) => fewest = fewest.min(serving(server)),
        }
    }
}

fn named(plan: &Plan) -> String {
    let mut words = said(plan);
    words.extend(plan.notes.iter().map(|note| note.code.as_str().to_owned()));
    words.join(", ")
}

/// Cuts a deploy off after each of its calls, and applies once.
async fn replay(image: &str, strategy: &str, theirs: &str) -> String {
    let mut told = String::new();
    for calls in 0.. {
        let server = platform();
        let provider = provider(&server);
        let mut team = FlyFixture::of(&provider);
        team.settle(&wanted(OURS, "rolling")).await;
        let mut deploy = Deploy::of(&server, calls);
        let ended = match theirs {
            "canary" => deploy.canary().await,
            _ => deploy.bluegreen().await,
        };
        let last = deploy.last;
        let desired = wanted(image, strategy);
        let (plan, _) = team.planned(&desired).await;
        let words = named(&plan);
        let (_, canaries) = fleet(&server);
        let (ran, fewest) = watched(&server, team.apply(&desired)).await;
        let mut problems: Vec<String> = ran
            .report
            .findings
            .iter()
            .map(ToString::to_string)
            .collect();
        for result in &ran.report.results {
            if result.outcome != Outcome::Done {
                problems.push(format!("{:?}", result.outcome));
            }
        }
        if fewest == 0 {
            problems.push("none of web served for a moment".to_owned());
        }
        tokio::time::sleep(Duration::from_secs(30)).await;
        problems.extend(wrong(&server, !image.is_empty()));
        let (again, _) = team.planned(&desired).await;
        if !again.is_empty() {
            problems.push(format!("left: {:?}", said(&again)));
        }
        if fleet(&server).1 != canaries {
            problems.push("a canary of flyctl was touched".to_owned());
        }
        let words = if words.is_empty() { "nothing" } else { &words };
        writeln!(told, "{last}: {words}").unwrap();
        for problem in problems {
            writeln!(told, "    {problem}").unwrap();
        }
        if ended.is_ok() {
            break;
        }
    }
    told
}

/// Holds rules 5, 6 and 10.
#[tokio::test(start_paused = true)]
async fn a_bluegreen_deploy_that_was_cut_off_anywhere_is_cleaned_up_by_one_apply() {
    let told = replay(OURS, "rolling", "bluegreen").await;
    insta::assert_snapshot!(told, @"
    no call: nothing
    release: nothing
    running: nothing
    lease web 1: nothing
    lease web 2: nothing
    lease worker 3: nothing
    lease worker 4: nothing
    create web 1: added, destroy 1
    create web 2: added, destroy 2
    create worker 3: added, destroy 3
    create worker 4: added, destroy 4
    uncordon web 1: added, destroy 4
    uncordon web 2: added, destroy 4
    uncordon worker 3: added, destroy 4
    uncordon worker 4: added, destroy 4
    tag web 1: added, destroy 4
    tag web 2: added, destroy 4
    tag worker 3: added, destroy 4
    tag worker 4: added, destroy 4
    cordon web 1: added, update 1, destroy 4
    cordon web 2: added, update 2, destroy 4
    cordon worker 3: added, update 4, destroy 4
    cordon worker 4: added, update 4, destroy 4
    stop web 1: added, update 4, destroy 4
    stop web 2: added, update 4, destroy 4
    stop worker 3: added, update 4, destroy 4
    stop worker 4: added, update 4, destroy 4
    destroy web 1: added, gone, update 4, destroy 3
    destroy web 2: added, gone, update 4, destroy 2
    destroy worker 3: added, gone, update 4, destroy 1
    destroy worker 4: added, gone, update 4
    complete: added, gone, update 4
    ");
}

/// Holds rule 5.
#[tokio::test(start_paused = true)]
async fn a_canary_deploy_that_was_cut_off_anywhere_is_cleaned_up_by_one_apply() {
    let told = replay(OURS, "rolling", "canary").await;
    insta::assert_snapshot!(told, @"
    no call: nothing
    release: nothing
    running: nothing
    canary web: special_machines
    destroy canary web 1: nothing
    canary worker: special_machines
    destroy canary worker 1: nothing
    lease web 1: nothing
    lease web 2: nothing
    lease worker 3: nothing
    lease worker 4: nothing
    update web 1: drift image, update 1
    update web 2: drift image, update 2
    update worker 3: drift image, update 3
    update worker 4: drift image, update 4
    complete: drift image, update 4
    ");
}

#[tokio::test(start_paused = true)]
async fn a_deploy_that_was_cut_off_leaves_no_second_fleet_either_where_no_image_is_written() {
    for theirs in ["bluegreen", "canary"] {
        let told = replay("", "rolling", theirs).await;
        assert!(!told.contains("\n    "), "{told}");
    }
}

/// A copied tag and launch id make no Machine one of our own swaps, and no mark of flyctl's says that one is complete.
#[tokio::test(start_paused = true)]
async fn a_deploy_that_was_cut_off_is_cleaned_up_by_a_swap_as_well() {
    for theirs in ["bluegreen", "canary"] {
        let told = replay(OURS, "bluegreen", theirs).await;
        assert!(!told.contains("\n    "), "{told}");
    }
}
