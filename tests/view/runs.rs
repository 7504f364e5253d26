//! Runs: their events, and how they end.

use aeroform::core::fleet::{AppName, RunId};
use aeroform::core::plan::partial_rollout::{
    GroupVersions, MachineHealth, MachineVersion, PartialRollout, VersionCount,
};
use aeroform::core::plan::{
    Action, Addition, Event, InFlight, Outcome, Plan, ReplaceFallback, RunEnd, StateOutcome,
    StepEvent, StepId, StepResult, Unconfirmed,
};
use aeroform::core::view::RunReport;
use aeroform::core::view::next_command::NextCommand;

use serde_json::Value;

use crate::build::{group_name, id};
use crate::gallery;
use crate::statuses::machine;

/// What happens to the first changes of the plan that has one of each kind.
pub(crate) fn events() -> Vec<Event> {
    let step = |step, what| Event::Step {
        step: StepId(step),
        what,
    };
    vec![
        Event::Started {
            run: RunId::new("7f3k2m4n6p").unwrap(),
            app: AppName::new("shop").unwrap(),
            steps: 12,
        },
        Event::Waiting {
            on: "the rate limit of releases".to_owned(),
            up_to_ms: 5000,
        },
        step(0, StepEvent::Began),
        step(
            0,
            StepEvent::Created {
                id: id("d891d1dc255e48"),
            },
        ),
        step(
            0,
            StepEvent::Waiting {
                on: "check http-8080".to_owned(),
                up_to_ms: Some(300_000),
            },
        ),
        step(
            0,
            StepEvent::Remark {
                text: "port 8100 is in use by pid 7: the Machine gets port 8101".to_owned(),
            },
        ),
        step(0, StepEvent::Ended(Outcome::Done)),
        step(6, StepEvent::Ended(Outcome::Done)),
        step(7, StepEvent::Began),
        step(
            7,
            StepEvent::Retrying {
                cause: "the lease is held by ana".to_owned(),
            },
        ),
        step(
            7,
            StepEvent::Ended(Outcome::Failed {
                code: "gate_timeout".to_owned(),
                message: "check http-8080 did not pass within 5m".to_owned(),
                hint: Some("look at it: `aeroform logs 148ed599c14189`".to_owned()),
            }),
        ),
        step(
            8,
            StepEvent::Ended(Outcome::Unknown {
                message: "the answer to update was lost".to_owned(),
            }),
        ),
        step(
            12,
            StepEvent::Ended(Outcome::Skipped { because: StepId(7) }),
        ),
        Event::Interrupted(InFlight {
            sent: Unconfirmed {
                update: 3,
                ..Unconfirmed::default()
            },
            ..InFlight::default()
        }),
        Event::Interrupted(InFlight {
            sent: Unconfirmed {
                create: 1,
                update: 2,
                destroy: 1,
                ..Unconfirmed::default()
            },
            unanswered: 2,
            up_to_ms: Some(4000),
        }),
        Event::Interrupted(InFlight {
            sent: Unconfirmed {
                update: 1,
                ..Unconfirmed::default()
            },
            unanswered: 1,
            up_to_ms: None,
        }),
        Event::Interrupted(InFlight::default()),
        step(13, StepEvent::Ended(Outcome::NotStarted)),
    ]
}

/// A run of the plan that has one of each kind.
pub(crate) struct RunFixture {
    pub(crate) plan: Plan,
    results: Vec<StepResult>,
    interrupted: bool,
    findings: Vec<String>,
    remarks: Vec<String>,
    additions: Vec<Addition>,
    overtaken: Vec<String>,
    state: StateOutcome,
    left: Option<PartialRollout>,
    again: NextCommand,
}

impl RunFixture {
    pub(crate) fn report(&self) -> RunReport<'_> {
        let end = RunEnd {
            plan: &self.plan,
            results: &self.results,
            interrupted: self.interrupted,
            state_behind: false,
            findings: &self.findings,
            overtaken: &self.overtaken,
            state: &self.state,
            verb: "apply",
        };
        RunReport {
            plan: &self.plan,
            results: &self.results,
            outcome: end.outcome(),
            findings: &self.findings,
            remarks: &self.remarks,
            additions: &self.additions,
            overtaken: &self.overtaken,
            rollback: None,
            state: &self.state,
            partial_rollout: self.left.as_ref(),
            program: "aeroform",
            verb: "apply",
            next_command: Some(&self.again),
        }
    }
}

fn again() -> NextCommand {
    NextCommand {
        command: "apply".to_owned(),
        ..NextCommand::default()
    }
}

fn written() -> StateOutcome {
    StateOutcome::Written {
        location: "state/shop.json".to_owned(),
        serial: 13,
    }
}

fn run(outcome: impl Fn(usize) -> Outcome, state: StateOutcome) -> RunFixture {
    let plan = gallery::everything_at_once();
    let results = (0..plan.steps.len())
        .map(|step| StepResult::of(outcome(step)))
        .collect();
    RunFixture {
        plan,
        results,
        interrupted: false,
        findings: Vec::new(),
        remarks: Vec::new(),
        additions: Vec::new(),
        overtaken: Vec::new(),
        state,
        left: None,
        again: again(),
    }
}

/// A run of which every step has this outcome.
pub(crate) fn failed_everywhere(outcome: &Outcome) -> RunFixture {
    run(|_| outcome.clone(), written())
}

fn timeout() -> Outcome {
    Outcome::Failed {
        code: "gate_timeout".to_owned(),
        message: "check http-8080 did not pass within 5m".to_owned(),
        hint: Some("look at it: `aeroform logs web`".to_owned()),
    }
}

/// Ends of runs with their names.
/// What a release leaves that was stopped by a failure.
fn left() -> PartialRollout {
    let on = |machines, release, new, doing| VersionCount {
        machines,
        version: MachineVersion {
            new,
            release: Some(release),
        },
        health: doing,
    };
    let group = |name, versions, not_started| GroupVersions {
        group: group_name(name),
        versions,
        not_started,
    };
    PartialRollout {
        groups: vec![
            group(
                "web",
                vec![
                    on(1, 2, true, MachineHealth::Failing),
                    on(5, 1, false, MachineHealth::Serving),
                    on(1, 1, false, MachineHealth::Stopped),
                ],
                false,
            ),
            group(
                "worker",
                vec![on(3, 1, false, MachineHealth::Serving)],
                true,
            ),
        ],
        image_before: Some("registry.fly.io/shop:v1".to_owned()),
    }
}

#[expect(clippy::too_many_lines, reason = "a gallery, one entry per end")]
pub(crate) fn run_ends() -> Vec<(&'static str, RunFixture)> {
    let failed = run(
        |step| match step {
            7 | 8 => timeout(),
            9 => Outcome::Unknown {
                message: "the answer to update was lost".to_owned(),
            },
            0..7 => Outcome::Done,
            _ => Outcome::Skipped { because: StepId(7) },
        },
        written(),
    );
    let stopped = RunFixture {
        left: Some(left()),
        again: again(),
        ..run(
            |step| match step {
                7 => timeout(),
                0..7 => Outcome::Done,
                _ => Outcome::NotStarted,
            },
            written(),
        )
    };
    let all_failed = run(|_| timeout(), written());
    let interrupted = RunFixture {
        interrupted: true,
        ..run(
            |step| {
                if step < 4 {
                    Outcome::Done
                } else {
                    Outcome::NotStarted
                }
            },
            written(),
        )
    };
    let unpublished = run(
        |_| Outcome::Done,
        StateOutcome::Unpublished {
            cause: "state/shop.json was changed since it was read".to_owned(),
            copy: "state/shop.json.run-7f3k2m4n6p".to_owned(),
        },
    );
    let unverified = RunFixture {
        findings: vec!["web 148ed599c14189 is gone: somebody destroyed it after us".to_owned()],
        remarks: vec!["Machine 148ed599c14189 ended by itself with exit code 0".to_owned()],
        ..run(|_| Outcome::Done, written())
    };
    let mut replaced = run(|_| Outcome::Done, written());
    let updates = replaced.plan.changes();
    let updates = updates.filter(|(_, change)| matches!(change.action, Action::Update { .. }));
    let steps: Vec<StepId> = updates.map(|(step, _)| step).collect();
    for (step, id) in steps.into_iter().zip(["3d8d9014b32789", "148e1234f56789"]) {
        let result = &mut replaced.results[step.0 as usize];
        result.machine = Some(machine(id, "web", "ams", 1));
        result.replace_fallback = Some(Box::new(ReplaceFallback {
            created: true,
            old_gone: true,
            repointed: Vec::new(),
        }));
    }
    let addition = |path: &[&str], value: Option<Value>, not_removed| Addition {
        group: group_name("web"),
        http_service: Some("8080 tcp".to_owned()),
        path: path.iter().map(ToString::to_string).collect(),
        hidden: value.is_none(),
        value,
        machines: 4,
        not_removed,
    };
    let added = RunFixture {
        additions: vec![
            addition(
                &["services", "8080 tcp", "autostart"],
                Some(true.into()),
                true,
            ),
            addition(
                &["services", "9090 tcp", "ports", "443", "force_https"],
                Some(true.into()),
                false,
            ),
            addition(&["restart", "max_retries"], Some(10.into()), false),
            addition(&["stop_config", "timeout"], Some("5s".into()), false),
            addition(&["env", "PLATFORM_TOKEN"], None, false),
            addition(&["guest", "gpus"], Some(0.into()), false),
            Addition {
                group: group_name("api"),
                ..addition(&["restart", "max_retries"], Some(10.into()), false)
            },
        ],
        ..run(|_| Outcome::Done, written())
    };
    vec![
        ("replaced", replaced),
        ("complete", run(|_| Outcome::Done, written())),
        ("failed", failed),
        ("stopped", stopped),
        ("all_failed", all_failed),
        ("interrupted", interrupted),
        ("unpublished", unpublished),
        ("unverified", unverified),
        ("added", added),
    ]
}
