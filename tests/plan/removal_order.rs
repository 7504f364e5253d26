//! Which Machine is removed first: one table, and every pair of its rows.

use aeroform::core::fleet::{CheckState, CheckStatus, Desired, HostStatus, Machine, MachineState};
use aeroform::core::plan::Action;

use crate::support::{GroupBuilder, PlanFixture, config_of, desired, group, id};

/// One reason, and what makes it hold for a Machine.
struct Row {
    reason: &'static str,
    set: fn(&mut Case, &str),
}

/// In removal order (docs/rules.md, rule 34).
const TABLE: [Row; 11] = [
    Row {
        reason: REMOVED,
        set: |case, machine| {
            case.desired.removed_machines.insert(id(machine));
        },
    },
    Row {
        reason: LATE,
        set: |case, machine| {
            case.stage.known.machines.remove(&id(machine)).unwrap();
        },
    },
    Row {
        reason: HOST,
        set: |case, machine| case.edit(machine, |m| m.host = HostStatus::Unreachable),
    },
    Row {
        reason: "cordoned",
        set: |case, machine| case.edit(machine, |m| m.cordoned = true),
    },
    Row {
        reason: "its checks fail",
        set: |case, machine| {
            case.edit(machine, |m| {
                m.checks.push(CheckStatus {
                    name: "up".to_owned(),
                    status: CheckState::Critical,
                    output: String::new(),
                    updated_at: "1".to_owned(),
                });
            });
        },
    },
    Row {
        reason: "not started",
        set: |case, machine| case.edit(machine, |m| m.state = MachineState::Failed),
    },
    Row {
        reason: "not up to date",
        set: |case, machine| case.edit(machine, outdate),
    },
    Row {
        reason: "its replacement already exists",
        set: |case, machine| {
            let successor = case.stage.known.machines.get_mut(&id(OLDEST)).unwrap();
            successor.replaces = Some(id(machine));
        },
    },
    // Without a volume.
    Row {
        reason: NEWEST,
        set: |case, machine| case.edit(machine, |m| m.volumes.clear()),
    },
    Row {
        reason: NEWEST,
        set: |_, _| {},
    },
    Row {
        reason: TRIED,
        set: |case, machine| {
            let record = case.stage.known.machines.get_mut(&id(machine)).unwrap();
            record.unproven = true;
        },
    },
];

const REMOVED: &str = "listed in `[[removed]]`";
const LATE: &str = "created late, when another Machine had taken its place";
const HOST: &str = "its host does not answer";
const NEWEST: &str = "newest";
const TRIED: &str = "its last change was never seen healthy";

/// No reason but its age holds for it.
const OLDEST: &str = "m00001";
/// The older and the newer Machine of a pair.
const PAIR: [&str; 2] = ["m00002", "m00003"];
/// In another region, and outdated: others change as well.
const ELSEWHERE: &str = "m00004";

fn outdate(machine: &mut Machine) {
    let env = config_of(machine).env.get_or_insert_default();
    env.insert("VERSION".to_owned(), "0".to_owned());
}

/// A group that loses one of its three Machines in a region. Each of them has a volume.
struct Case {
    stage: PlanFixture,
    desired: Desired,
}

impl Case {
    fn new() -> Self {
        let web = |n| desired([("web", group("web").mount().exact(&[("ams", n), ("fra", 1)]))]);
        let mut stage = PlanFixture::empty();
        stage.volumes = true;
        stage.apply(&web(3));
        stage.edit_outside(ELSEWHERE, outdate);
        Self {
            stage,
            desired: web(2),
        }
    }

    fn edit(&mut self, machine: &str, change: impl FnOnce(&mut Machine)) {
        self.stage.edit_outside(machine, change);
    }

    /// The Machines that are destroyed, and the reasons.
    fn destroyed(&self) -> Vec<(String, String)> {
        let plan = self.stage.plan(&self.desired);
        let destroys = plan.changes().filter_map(|(_, change)| {
            let id = change.machine.id.as_ref()?;
            let is_destroy = matches!(change.action, Action::Destroy { .. });
            is_destroy.then(|| (id.to_string(), change.reason.clone()))
        });
        destroys.collect()
    }
}

fn gone(machine: &str, reason: &str) -> (String, String) {
    (machine.to_owned(), reason.to_owned())
}

/// Holds rule 34.
#[test]
fn of_each_pair_of_reasons_the_one_that_comes_first_in_the_table_decides() {
    for (at, first) in TABLE.iter().enumerate() {
        for later in &TABLE[at + 1..] {
            for (goes, stays) in [(PAIR[0], PAIR[1]), (PAIR[1], PAIR[0])] {
                let mut case = Case::new();
                (first.set)(&mut case, goes);
                (later.set)(&mut case, stays);
                let pair = format!("{} before {}", first.reason, later.reason);
                assert_eq!(case.destroyed(), [gone(goes, first.reason)], "{pair}");
            }
        }
    }
}

#[test]
fn of_two_reasons_of_one_machine_the_one_that_comes_first_in_the_table_is_named() {
    let named_alone = TABLE.iter().filter(|row| row.reason != NEWEST);
    let rows: Vec<&Row> = named_alone.collect();
    for (at, first) in rows.iter().enumerate() {
        for later in &rows[at + 1..] {
            let is_tried = later.reason == TRIED;
            if is_tried && first.reason == LATE {
                // Only a listed Machine can be unproven.
                continue;
            }
            let mut case = Case::new();
            (first.set)(&mut case, PAIR[1]);
            (later.set)(&mut case, PAIR[1]);
            let expected = match first.reason {
                REMOVED | HOST => gone(PAIR[1], first.reason),
                // What it shows is the reason to keep it.
                _ if is_tried => gone(PAIR[0], NEWEST),
                reason => gone(PAIR[1], reason),
            };
            let pair = format!("{} and {}", first.reason, later.reason);
            assert_eq!(case.destroyed(), [expected], "{pair}");
        }
    }
}

#[test]
fn of_two_machines_with_the_same_reason_the_newer_is_destroyed_first() {
    for row in &TABLE {
        let mut case = Case::new();
        for machine in PAIR {
            (row.set)(&mut case, machine);
        }
        let expected = match row.reason {
            TRIED => gone(OLDEST, NEWEST),
            reason => gone(PAIR[1], reason),
        };
        assert_eq!(case.destroyed()[0], expected);
    }
}
