//! What may change between review and apply: the table of docs/pull-requests.md, which this test prints.
//!
//! `AEROFORM_UPDATE_DOCS=1 cargo test --test plan expect` writes it.

mod cases;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use aeroform::core::fleet::{MachineState, VolumeId};
use aeroform::core::plan::{
    Action, ApprovalFlags, Excess, Plan, SavedPlan, codes, plan, required_approval,
};
use serde_json::json;

use crate::support::{GroupBuilder, PlanFixture, config_of, desired, group, region};
use cases::{Case, EXCEEDS, NOTHING, OK, STALE, USAGE, rows};

/// Both plans that a reviewer may have saved.
fn files() -> [SavedPlan; 2] {
    let case = Case::reviewed();
    let offline = plan(&case.desired, &case.stage.known, None, &case.options);
    [case.plan(), offline].map(|planned| SavedPlan::of(&planned))
}

fn outcome(plan: &Plan) -> String {
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
        outcome(fresh)
    } else {
        STALE.to_owned()
    }
}

/// What `apply --expect FILE` ends in, and the excesses.
fn expected(file: &SavedPlan, case: &Case, fresh: &Plan) -> (String, Vec<Excess>) {
    if file.check_target(fresh).is_err() {
        return ("1 `other_plan`".to_owned(), Vec::new());
    }
    let found = file.excesses(fresh, &case.desired);
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
        outcome(fresh)
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
        assert_eq!(file.excesses(&fresh, &case.desired), []);
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
    let with_token = |token: &str| {
        let web = group("web")
            .count(2)
            .config(json!({"env": {"API_TOKEN": token}}));
        desired([("web", web)])
    };
    let stage = PlanFixture::empty();
    let file = SavedPlan::of(&stage.offline(&with_token("hunter2")));
    assert_eq!(file.lineage, None);
    let fresh = |token| {
        let desired = with_token(token);
        let planned = stage.plan(&desired);
        assert_eq!(file.check_target(&planned), Ok(()));
        file.excesses(&planned, &desired)
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

/// An update of a plan made with the provider is of one Machine: the same drift of another one is an excess.
#[test]
fn the_update_of_one_machine_does_not_allow_that_of_another() {
    let drifts = |which: usize| {
        let mut case = Case::reviewed();
        let of_api = case.stage.observed.machines.values().filter(|machine| {
            let group = machine.group.as_ref();
            group.is_some_and(|group| group.as_str() == "api")
        });
        let machine = of_api.map(|machine| machine.id.clone()).nth(which).unwrap();
        case.stage.edit_outside(machine.as_str(), |machine| {
            let env = config_of(machine).env.get_or_insert_default();
            env.insert("FLY_PROCESS_GROUP".to_owned(), "other".to_owned());
        });
        case
    };
    let file = SavedPlan::of(&drifts(0).plan());
    let same = drifts(0);
    assert!(file.excesses(&same.plan(), &same.desired).is_empty());
    let other = drifts(1);
    assert!(!file.excesses(&other.plan(), &other.desired).is_empty());
}

/// A reviewed destroy does not allow data to be left behind that it did not name.
#[test]
fn a_volume_that_was_attached_since_is_an_excess_of_the_destroy() {
    for file in files() {
        let mut case = Case::reviewed();
        assert!(file.excesses(&case.plan(), &case.desired).is_empty());
        let volume = VolumeId::new("vol_new").unwrap();
        let cron = cases::cron_id(&case);
        case.stage.edit_outside(cron.as_str(), |machine| {
            machine.volumes = vec![volume];
        });
        let found = file.excesses(&case.plan(), &case.desired);
        let texts: Vec<String> = found.iter().map(Excess::to_string).collect();
        assert!(
            texts.iter().any(|text| text.contains("leaves volumes")),
            "{texts:?}"
        );
    }
}

/// A Machine that a plan waits for may have come up since: it is then adopted, which is less.
#[test]
fn a_machine_that_came_up_since_is_adopted_by_the_plan_that_waits_for_it() {
    let target = desired([("web", group("web").count(2))]);
    let mut stage = PlanFixture::empty();
    let no_state = stage.known.clone();
    stage.apply(&target);
    stage.known = no_state;
    let mut waits = stage.clone();
    let machine = stage.observed.machines.keys().next().unwrap().clone();
    waits.edit_outside(machine.as_str(), |machine| {
        machine.state = MachineState::Starting;
    });
    let reviewed = waits.plan(&target);
    let (waits_for, adopts) = (Action::Wait, Action::Adopt);
    let has = |plan: &Plan, action: &Action| {
        let mut changes = plan.changes();
        changes.any(|(_, c)| c.machine.id.as_ref() == Some(&machine) && c.action == *action)
    };
    let fresh = stage.plan(&target);
    assert!(has(&reviewed, &waits_for) && has(&fresh, &adopts));
    assert!(
        SavedPlan::of(&reviewed)
            .excesses(&fresh, &target)
            .is_empty()
    );
}

/// With a plan that was made offline: that the entry of the gone Machine lists other fields is no matter.
#[test]
fn a_copy_of_a_machine_that_is_gone_is_updated_whatever_differs() {
    let version = |version: &str| {
        let env = json!({"env": {"VERSION": version}});
        desired([("web", group("web").count(2).config(env))])
    };
    let mut stage = PlanFixture::with(&version("1"));
    let target = version("2");
    let file = SavedPlan::of(&stage.offline(&target));
    stage.edit_outside("m00001", |machine| {
        let env = config_of(machine).env.get_or_insert_default();
        env.insert("DEBUG".to_owned(), "1".to_owned());
    });
    stage.clone_machine("m00001", "e0001");
    stage.remove_machine("m00001");
    let fresh = stage.plan(&target);
    assert_eq!(fresh.summary().update, 2);
    assert_eq!(file.excesses(&fresh, &target), []);
    let online = SavedPlan::of(&PlanFixture::with(&version("1")).plan(&target));
    assert_ne!(online.excesses(&fresh, &target), []);
}
