//! What may change between review and apply: the table of docs/pull-requests.md, which this test prints.
//!
//! `AEROFORM_UPDATE_DOCS=1 cargo test --test plan expect` writes it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use aeroform::core::fleet::{
    DesiredGroup, Limit, Lineage, MachineState, OnFailure, Policy, ReleaseStamp, Strategy,
};
use aeroform::core::plan::{
    ApprovalFlags, ChosenStrategy, Excess, Options, Plan, ReleaseCommandMode, RestartScope,
    SavedPlan, codes, plan, required_approval,
};
use serde_json::json;

use crate::support::{
    GroupBuilder, PlanFixture, config_of, desired, group, group_name, id, region,
};

/// What is reviewed, and what it is applied to.
#[derive(Clone)]
struct Case {
    stage: PlanFixture,
    wanted: aeroform::core::fleet::Desired,
    options: Options,
    allow: ApprovalFlags,
}

/// The reviewed change of every row: `web` gets another `LOG` and a third Machine, `cron` goes, `api` and `db`
/// stay as they are.
impl Case {
    fn reviewed() -> Self {
        let stage = PlanFixture::with(&desired([
            ("api", group("api").count(2)),
            ("cron", group("cron").count(1)),
            ("db", group("db").count(1).protected()),
            ("web", web().count(2)),
        ]));
        let wanted = desired([
            ("api", group("api").count(2)),
            ("db", group("db").count(1).protected()),
            (
                "web",
                web()
                    .count(3)
                    .config(json!({"env": {"LOG": "debug", "API_TOKEN": "hunter2"}})),
            ),
        ]);
        Self {
            stage,
            wanted,
            options: Options::default(),
            allow: ApprovalFlags::default(),
        }
    }

    fn group(&mut self, name: &str, change: impl FnOnce(DesiredGroup) -> DesiredGroup) {
        let name = group_name(name);
        let group = self.wanted.groups.remove(&name).unwrap();
        self.wanted.groups.insert(name, change(group));
    }

    fn plan(&self) -> Plan {
        self.stage.plan_with(&self.wanted, &self.options)
    }
}

fn web() -> DesiredGroup {
    group("web").max_unavailable(2).config(json!({
        "env": {"LOG": "info", "API_TOKEN": "hunter1"},
        "guest": {"cpu_kind": "shared", "cpus": 2, "memory_mb": 1024},
    }))
}

/// One change between review and apply.
struct Row {
    what: &'static str,
    /// Why it is no excess, or is one against one kind of plan only.
    why: &'static str,
    change: fn(&mut Case),
    /// Verdicts of `apply FILE`, and of `--expect FILE` for a FILE made with the provider and without.
    verdicts: [&'static str; 3],
}

const OK: &str = "applied";
const STALE: &str = "4 `stale_plan`";
const EXCEEDS: &str = "4 `exceeds_expected`";
const NOTHING: &str = "nothing to do";
const USAGE: &str = "64";

#[expect(clippy::too_many_lines, reason = "a table")]
fn rows() -> Vec<(&'static str, Vec<Row>)> {
    let row = |what, change, verdicts, why| Row {
        what,
        why,
        change,
        verdicts,
    };
    let manifests = vec![
        row("nothing", |_| {}, [OK, OK, OK], "it is what was reviewed"),
        row(
            "another value of `LOG` in `web`",
            |case| case.group("web", |web| web.config(json!({"env": {"LOG": "trace"}}))),
            [STALE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "another value of a secret in `web`",
            |case| {
                case.group("web", |web| {
                    web.config(json!({"env": {"API_TOKEN": "hunter3"}}))
                });
            },
            [STALE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "another field of `web`",
            |case| {
                case.group("web", |web| {
                    web.config(json!({"stop_config": {"timeout": "9s"}}))
                });
            },
            [STALE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "another image, also by `--image`",
            |case| case.group("web", |web| web.config(json!({"image": "shop:2"}))),
            [STALE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "less memory in `web`",
            |case| {
                case.group("web", |web| {
                    web.config(json!({"guest": {"memory_mb": 512}}))
                });
            },
            [STALE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "a fourth Machine in `web`",
            |case| case.group("web", |web| web.count(4)),
            [STALE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "the new Machine in another region",
            |case| case.group("web", |web| web.exact(&[("ams", 2), ("fra", 1)])),
            [STALE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "`web` stays at 2",
            |case| case.group("web", |web| web.count(2)),
            [STALE, OK, OK],
            "fewer steps",
        ),
        row(
            "`cron` stays",
            |case| {
                case.wanted
                    .groups
                    .insert(group_name("cron"), group("cron").count(1));
            },
            [STALE, OK, OK],
            "fewer steps",
        ),
        row(
            "`api` goes, too",
            |case| {
                case.wanted.groups.remove(&group_name("api"));
            },
            [STALE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "`max_unavailable = 3` in `web`",
            |case| {
                case.group("web", |web| {
                    web.with(|web| {
                        web.strategy = Strategy::Rolling {
                            max_unavailable: Limit::Count(3),
                        };
                    })
                });
            },
            [STALE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "`max_unavailable = 1` in `web`",
            |case| case.group("web", |web| web.max_unavailable(1)),
            [STALE, OK, OK],
            "a stricter strategy",
        ),
        row(
            "another `wait_timeout` in `api`",
            |case| case.group("api", |api| api.with(|api| api.wait_timeout_s = 9)),
            [STALE, OK, OK],
            "there is nothing to do in `api`",
        ),
        row(
            "the protection of `db` is lifted",
            |case| case.group("db", |db| db.with(|db| db.protect = false)),
            [STALE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "`api` becomes protected",
            |case| case.group("api", GroupBuilder::protected),
            [STALE, OK, OK],
            "it gives nothing up",
        ),
        row(
            "`[policy] max_destroy = 0`",
            |case| {
                case.wanted.policy = Policy {
                    max_destroy: Some(Limit::Count(0)),
                };
            },
            [STALE, "6 `max_destroy`", "6 `max_destroy`"],
            "the policy is judged again",
        ),
    ];
    let state = vec![
        row(
            "a higher serial and another launch id",
            |case| case.stage.known.serial += 3,
            [OK, OK, OK],
            "neither is compared",
        ),
        row(
            "one Machine of `web` was already updated",
            |case| {
                let wanted = case.wanted.clone();
                let made = case.stage.plan(&wanted);
                let first = made
                    .changes()
                    .find(|(_, change)| change.machine.id.is_some());
                let first = first.unwrap().0;
                let ends =
                    |step| (step != first).then_some(aeroform::core::plan::Outcome::NotStarted);
                case.stage.carry_out_except(&wanted, &made, ends);
            },
            [STALE, OK, OK],
            "fewer steps: a failed apply can be repeated",
        ),
        row(
            "everything was applied",
            |case| {
                let wanted = case.wanted.clone();
                case.stage.apply(&wanted);
            },
            [STALE, NOTHING, NOTHING],
            "no steps are left",
        ),
        row(
            "another run changed `api`, and the state lists it",
            |case| {
                let mut other = Case::reviewed().stage;
                let mut wanted = desired([
                    (
                        "api",
                        group("api").count(2).config(json!({"env": {"A": "1"}})),
                    ),
                    ("cron", group("cron").count(1)),
                    ("db", group("db").count(1).protected()),
                    ("web", web().count(2)),
                ]);
                other.apply(&wanted);
                wanted.groups.clear();
                case.stage = other;
            },
            [STALE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "another run changed `api`, and the state does not list it",
            |case| {
                let old = case.stage.known.clone();
                let wanted = desired([
                    (
                        "api",
                        group("api").count(2).config(json!({"env": {"A": "1"}})),
                    ),
                    ("cron", group("cron").count(1)),
                    ("db", group("db").count(1).protected()),
                    ("web", web().count(2)),
                ]);
                case.stage.apply(&wanted);
                case.stage.known = old;
            },
            [STALE, "4 `state_behind`", "4 `state_behind`"],
            "the history of the state is judged again",
        ),
        row(
            "the state protects `cron`",
            |case| {
                case.stage.known.protected_groups.insert(group_name("cron"));
            },
            [
                "6 `protected_group`",
                "6 `protected_group`",
                "6 `protected_group`",
            ],
            "protection is judged again",
        ),
        row(
            "another run replaced the Machine of `cron`",
            |case| {
                let mut machine = case.stage.observed.machines.remove(&cron_id(case)).unwrap();
                let known = case.stage.known.machines.remove(&machine.id).unwrap();
                machine.id = id("c00002");
                case.stage
                    .observed
                    .machines
                    .insert(machine.id.clone(), machine);
                case.stage.known.machines.insert(id("c00002"), known);
            },
            [STALE, EXCEEDS, OK],
            "a plan from the state alone takes any Machine of the group and region that the state lists",
        ),
        row(
            "the app was recreated",
            |case| case.stage.observed.description.scope = Lineage::new("scope-2").unwrap(),
            ["1 `other_plan`", "1 `other_plan`", "1 `other_plan`"],
            "it is another app",
        ),
    ];
    let world = vec![
        row(
            "a Machine of `api` stopped",
            |case| {
                case.stage.edit_outside(&api_id(case), |machine| {
                    machine.state = MachineState::Stopped;
                });
            },
            [OK, OK, OK],
            "there is nothing to do in `api`",
        ),
        row(
            "a Machine of `api` is gone",
            |case| {
                let api = api_id(case);
                case.stage.remove_machine(&api);
            },
            [STALE, EXCEEDS, OK],
            "only the provider could know, and nothing is destroyed",
        ),
        row(
            "a field of `api` was changed outside",
            |case| {
                case.stage.edit_outside(&api_id(case), |machine| {
                    let env = config_of(machine).env.get_or_insert_default();
                    env.insert("FLY_PROCESS_GROUP".to_owned(), "other".to_owned());
                });
            },
            [STALE, EXCEEDS, OK],
            "only the provider could know: the field is put back",
        ),
        row(
            "a Machine of `web` was made larger outside",
            |case| {
                case.stage.edit_outside(&web_id(case), |machine| {
                    config_of(machine).guest.as_mut().unwrap().memory_mb = Some(4096);
                });
            },
            [STALE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "somebody deployed a release",
            |case| {
                case.stage.known.release = Some(6);
                case.stage.edit_outside(&web_id(case), |machine| {
                    machine.stamps.release = Some(Box::new(ReleaseStamp {
                        version: 7,
                        id: None,
                        registered_by_us: false,
                        newer_than_ours: false,
                    }));
                    let env = config_of(machine).env.get_or_insert_default();
                    env.insert("LOG".to_owned(), "theirs".to_owned());
                });
            },
            [STALE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "a Machine was added to `web` outside",
            |case| {
                let web = web_id(case);
                case.stage.clone_machine(&web, "e0001");
            },
            [STALE, EXCEEDS, OK],
            "only the provider could know, and nothing is destroyed",
        ),
        row(
            "a Machine was added to `cron` outside",
            |case| {
                let cron = cron_id(case);
                case.stage.clone_machine(cron.as_str(), "e0001");
            },
            [STALE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "the Machine of `cron` was replaced outside",
            |case| {
                let cron = cron_id(case);
                case.stage.clone_machine(cron.as_str(), "e0001");
                case.stage.remove_machine(cron.as_str());
            },
            [STALE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "the Machine of `cron` is gone",
            |case| {
                let cron = cron_id(case);
                case.stage.remove_machine(cron.as_str());
            },
            [STALE, OK, OK],
            "fewer steps",
        ),
    ];
    let flags = vec![
        row(
            "`--exclude-machines` of one of `web`",
            |case| {
                let web = web_id(case);
                case.options.requested.exclude = [id(&web)].into();
            },
            [USAGE, OK, OK],
            "fewer steps",
        ),
        row(
            "`--restart api`",
            |case| {
                case.options.requested.restart = RestartScope::Groups([group_name("api")].into());
            },
            [USAGE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "`--replace` of one of `api`",
            |case| {
                let api = api_id(case);
                case.options.requested.replace = [id(&api)].into();
            },
            [USAGE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "`--strategy immediate`",
            |case| case.options.requested.strategy = Some(ChosenStrategy::Immediate),
            [USAGE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "`--steady 0`",
            |case| case.options.requested.steady_ms = Some(0),
            [USAGE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "`--on-failure group`",
            |case| case.options.requested.on_failure = Some(OnFailure::Group),
            [USAGE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "`--release-command never`",
            |case| case.options.requested.release_command = ReleaseCommandMode::Never,
            [USAGE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "`--allow-destroy=cron:0`",
            |case| {
                case.allow.groups.insert(group_name("cron"), Some(0));
            },
            [USAGE, "6 `consent_needed`", "6 `consent_needed`"],
            "a ceiling of the command line holds",
        ),
    ];
    vec![
        ("manifests", manifests),
        ("state", state),
        ("Machines", world),
        ("flags", flags),
    ]
}

fn of_group(case: &Case, name: &str) -> String {
    let mut machines = case.stage.observed.machines.values();
    let found = machines.find(|machine| machine.group == Some(group_name(name)));
    found.unwrap().id.to_string()
}

fn api_id(case: &Case) -> String {
    of_group(case, "api")
}

fn web_id(case: &Case) -> String {
    of_group(case, "web")
}

fn cron_id(case: &Case) -> aeroform::core::fleet::MachineId {
    id(&of_group(case, "cron"))
}

/// Both plans that a reviewer may have saved.
fn files() -> [SavedPlan; 2] {
    let case = Case::reviewed();
    let offline = plan(&case.wanted, &case.stage.known, None, &case.options);
    [case.plan(), offline].map(|made| SavedPlan::of(&made))
}

fn ends(plan: &Plan) -> String {
    match plan.refusals.first() {
        None if plan.is_empty() => NOTHING.to_owned(),
        None => OK.to_owned(),
        Some(refusal) => {
            let stale = [codes::STATE_BEHIND, codes::OTHER_LINEAGE];
            let is_stale = stale.iter().any(|code| code.name() == refusal.code);
            format!("{} `{}`", if is_stale { 4 } else { 6 }, refusal.code)
        }
    }
}

/// What `apply FILE` ends in, in the order of the program.
fn applied(file: &SavedPlan, fresh: &Plan) -> String {
    if file.check_target(fresh).is_err() {
        "1 `other_plan`".to_owned()
    } else if file.differences(fresh).is_empty() {
        ends(fresh)
    } else {
        STALE.to_owned()
    }
}

/// What `apply --expect FILE` ends in, and the excesses.
fn expected(file: &SavedPlan, case: &Case, fresh: &Plan) -> (String, Vec<Excess>) {
    if file.check_target(fresh).is_err() {
        return ("1 `other_plan`".to_owned(), Vec::new());
    }
    let found = file.excesses(fresh, &case.wanted);
    let allow = ApprovalFlags {
        reviewed: true,
        ..case.allow.clone()
    };
    let verdict = if !found.is_empty() && fresh.refusals.is_empty() {
        EXCEEDS.to_owned()
    } else if fresh.refusals.is_empty()
        && !required_approval(fresh).not_covered_by(&allow).is_empty()
    {
        "6 `consent_needed`".to_owned()
    } else {
        ends(fresh)
    };
    (verdict, found)
}

/// The first excess that is not about single ids, as a reason.
fn reason(found: &[Excess]) -> String {
    let texts = found.iter().map(Excess::to_string);
    let texts: Vec<String> = texts
        .map(|text| text.split(": ").next().unwrap().to_owned())
        .collect();
    texts.join("; ")
}

#[test]
fn the_table_of_changes_between_review_and_apply_is_as_documented() {
    let [online, offline] = files();
    let mut table = String::from(
        "| changed since the review | `apply FILE` | `--expect FILE` | `--expect FILE`, made offline | why |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    let mut wrong = Vec::new();
    let mut count = 0;
    for (kind, rows) in rows() {
        for row in rows {
            count += 1;
            let mut case = Case::reviewed();
            (row.change)(&mut case);
            let fresh = case.plan();
            let by_flag = row.verdicts[0] == USAGE;
            let first = if by_flag {
                USAGE.to_owned()
            } else {
                applied(&online, &fresh)
            };
            let (second, found) = expected(&online, &case, &fresh);
            let (third, found_offline) = expected(&offline, &case, &fresh);
            let verdicts = [first, second, third];
            if verdicts != row.verdicts {
                let found = (reason(&found), reason(&found_offline));
                wrong.push(format!("{}: {verdicts:?}, {found:?}", row.what));
            }
            let mut why = row.why.to_owned();
            if why.is_empty() {
                why = reason(&found);
            }
            if why.is_empty() {
                wrong.push(format!("{}: no reason", row.what));
            }
            let [first, second, third] = verdicts;
            let what = row.what;
            writeln!(
                table,
                "| {kind}: {what} | {first} | {second} | {third} | {why} |"
            )
            .unwrap();
        }
    }
    assert_eq!(wrong, [""; 0], "{}", wrong.join("\n"));
    assert!(count >= 24, "{count} rows");
    compare_with_page(&table);
}

/// The table between its marks in docs/pull-requests.md.
fn compare_with_page(table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pull-requests.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (start, end) = ("<!-- expect -->\n", "<!-- /expect -->");
    let from = page.find(start).unwrap() + start.len();
    let to = page.find(end).unwrap();
    let written = &page[from..to];
    let table = format!("\n{table}\n");
    if written == table {
        return;
    }
    if std::env::var_os("AEROFORM_UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{}{table}{}", &page[..from], &page[to..])).unwrap();
        return;
    }
    assert_eq!(
        written, table,
        "`AEROFORM_UPDATE_DOCS=1 cargo test --test plan expect` writes the table"
    );
}

/// The order of steps, the size of a pool and the ports are not compared; nor is what a plan says of groups
/// without steps.
#[test]
fn a_plan_never_exceeds_itself_and_an_offline_one_never_the_online_one_of_the_same_world() {
    let case = Case::reviewed();
    let fresh = case.plan();
    for file in files() {
        assert_eq!(file.excesses(&fresh, &case.wanted), []);
    }
    let kinds: BTreeSet<usize> = files()
        .iter()
        .map(|file| file.plan_digest().len())
        .collect();
    assert_eq!(kinds, BTreeSet::from([12]));
}

/// A plan made before the first apply has no lineage; hidden values are compared all the same.
#[test]
fn a_plan_without_a_lineage_is_taken_for_any_and_hidden_values_are_compared() {
    let wanted = |token: &str| {
        let web = group("web")
            .count(2)
            .config(json!({"env": {"API_TOKEN": token}}));
        desired([("web", web)])
    };
    let stage = PlanFixture::empty();
    let file = SavedPlan::of(&stage.offline(&wanted("hunter2")));
    assert_eq!(file.lineage, None);
    let fresh = |token| {
        let wanted = wanted(token);
        let made = stage.plan(&wanted);
        assert_eq!(file.check_target(&made), Ok(()));
        file.excesses(&made, &wanted)
    };
    assert_eq!(fresh("hunter2"), []);
    assert_eq!(
        reason(&fresh("hunter3")),
        "the manifests want another value of env in group `web`"
    );
    let text = file.to_json();
    assert!(!text.contains("hunter2"));
    assert_eq!(region("ams").to_string(), "ams");
}
