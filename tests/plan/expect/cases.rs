//! The cases of the table: what changes between review and apply, and the verdicts.

use aeroform::core::fleet::{
    DesiredGroup, Limit, Lineage, MachineState, OnFailure, Policy, ReleaseStamp, Strategy,
};
use aeroform::core::plan::{
    ApprovalFlags, CheckMode, ChosenLimit, ChosenStrategy, Options, Plan, ReleaseCommandMode,
    RestartScope,
};
use serde_json::json;

use crate::support::{GroupBuilder, PlanFixture, config_of, desired, group, group_name, id};

/// What is reviewed, and what it is applied to.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) stage: PlanFixture,
    pub(super) desired: aeroform::core::fleet::Desired,
    pub(super) options: Options,
    pub(super) allow: ApprovalFlags,
}

/// The reviewed change of every row: `web` gets another `LOG` and a third Machine, `cron` goes, `api` and `db`
/// stay as they are.
impl Case {
    pub(super) fn reviewed() -> Self {
        let stage = PlanFixture::with(&desired([
            ("api", group("api").count(2)),
            ("cron", group("cron").count(1)),
            ("db", group("db").count(1).protected()),
            ("web", web().count(2)),
        ]));
        let desired = desired([
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
            desired,
            options: Options::default(),
            allow: ApprovalFlags::default(),
        }
    }

    pub(super) fn group(&mut self, name: &str, change: impl FnOnce(DesiredGroup) -> DesiredGroup) {
        let name = group_name(name);
        let group = self.desired.groups.remove(&name).unwrap();
        self.desired.groups.insert(name, change(group));
    }

    pub(super) fn plan(&self) -> Plan {
        self.stage.plan_with(&self.desired, &self.options)
    }
}

pub(super) fn web() -> DesiredGroup {
    group("web").max_unavailable(2).config(json!({
        "env": {"LOG": "info", "API_TOKEN": "hunter1"},
        "guest": {"cpu_kind": "shared", "cpus": 2, "memory_mb": 1024},
    }))
}

/// One change between review and apply.
pub(super) struct Row {
    pub(super) what: &'static str,
    /// Why it is no excess, or is one against one kind of plan only.
    pub(super) why: &'static str,
    pub(super) change: fn(&mut Case),
    /// Verdicts of `apply FILE`, and of `--expect FILE` for a FILE made with the provider and without.
    pub(super) verdicts: [&'static str; 3],
}

pub(super) const OK: &str = "applied";
pub(super) const STALE: &str = "4 `stale_plan`";
pub(super) const EXCEEDS: &str = "4 `exceeds_expected`";
pub(super) const NOTHING: &str = "nothing to do";
pub(super) const USAGE: &str = "64";

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn rows() -> Vec<(&'static str, Vec<Row>)> {
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
                case.desired
                    .groups
                    .insert(group_name("cron"), group("cron").count(1));
            },
            [STALE, OK, OK],
            "fewer steps",
        ),
        row(
            "`api` goes, too",
            |case| {
                case.desired.groups.remove(&group_name("api"));
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
            [OK, OK, OK],
            "there is nothing to do in `api`",
        ),
        row(
            "a longer `wait_timeout` in `web`",
            |case| case.group("web", |web| web.with(|web| web.wait_timeout_s = 900)),
            [STALE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "a shorter `wait_timeout` in `web`",
            |case| case.group("web", |web| web.with(|web| web.wait_timeout_s = 30)),
            [STALE, OK, OK],
            "it gives up earlier",
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
                case.desired.policy = Policy {
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
                let desired = case.desired.clone();
                let planned = case.stage.plan(&desired);
                let first = planned
                    .changes()
                    .find(|(_, change)| change.machine.id.is_some());
                let first = first.unwrap().0;
                let counts =
                    |step| (step != first).then_some(aeroform::core::plan::Outcome::NotStarted);
                case.stage.carry_out_except(&desired, &planned, counts);
            },
            [STALE, OK, OK],
            "fewer steps: a failed apply can be repeated",
        ),
        row(
            "everything was applied",
            |case| {
                let desired = case.desired.clone();
                case.stage.apply(&desired);
            },
            [STALE, NOTHING, NOTHING],
            "no steps are left",
        ),
        row(
            "another run changed `api`, and the state lists it",
            |case| {
                let mut other = Case::reviewed().stage;
                let mut desired = desired([
                    (
                        "api",
                        group("api").count(2).config(json!({"env": {"A": "1"}})),
                    ),
                    ("cron", group("cron").count(1)),
                    ("db", group("db").count(1).protected()),
                    ("web", web().count(2)),
                ]);
                other.apply(&desired);
                desired.groups.clear();
                case.stage = other;
            },
            [STALE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "another run changed `api`, and the state does not list it",
            |case| {
                let old = case.stage.known.clone();
                let desired = desired([
                    (
                        "api",
                        group("api").count(2).config(json!({"env": {"A": "1"}})),
                    ),
                    ("cron", group("cron").count(1)),
                    ("db", group("db").count(1).protected()),
                    ("web", web().count(2)),
                ]);
                case.stage.apply(&desired);
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
            "only the provider could show it, and nothing is destroyed",
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
            "only the provider could show it: the field is reverted",
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
            "only the provider could show it, and nothing is destroyed",
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
            "`--max-unavailable 1`",
            |case| case.options.requested.max_unavailable = Some(ChosenLimit::Machines(1)),
            [USAGE, OK, OK],
            "a stricter strategy",
        ),
        row(
            "`--max-unavailable 3`",
            |case| case.options.requested.max_unavailable = Some(ChosenLimit::Machines(3)),
            [USAGE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "`--wait-timeout 15m`",
            |case| case.options.requested.wait_timeout_s = Some(900),
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
            "`--on-failure rollback`",
            |case| case.options.requested.on_failure = Some(OnFailure::Rollback),
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
            "`--release-command rerun`",
            |case| case.options.requested.release_command = ReleaseCommandMode::Rerun,
            [USAGE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "`--release-command-timeout 1h`",
            |case| case.options.requested.release_command_timeout_s = Some(3600),
            [USAGE, OK, OK],
            "a timeout lets nothing pass",
        ),
        row(
            "`--verify never`",
            |case| case.options.requested.verify = CheckMode::Never,
            [USAGE, EXCEEDS, EXCEEDS],
            "",
        ),
        row(
            "`--machine-checks never`",
            |case| case.options.requested.machine_checks = CheckMode::Never,
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

pub(super) fn of_group(case: &Case, name: &str) -> String {
    let mut machines = case.stage.observed.machines.values();
    let found = machines.find(|machine| machine.group == Some(group_name(name)));
    found.unwrap().id.to_string()
}

pub(super) fn api_id(case: &Case) -> String {
    of_group(case, "api")
}

pub(super) fn web_id(case: &Case) -> String {
    of_group(case, "web")
}

pub(super) fn cron_id(case: &Case) -> aeroform::core::fleet::MachineId {
    id(&of_group(case, "cron"))
}
