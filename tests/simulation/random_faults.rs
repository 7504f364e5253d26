//! Random faults of the platform.

use std::time::Duration;

use aeroform::emulator::world::{ExitsAfter, Fault, FaultEffect, FaultId, RefusalKind};

use crate::random::Random;
use crate::recorder::SimulationRun;

const READS: [&str; 5] = ["app", "list", "get", "wait", "volumes"];
const CHANGES: [&str; 7] = [
    "create",
    "create-volume",
    "update",
    "start",
    "stop",
    "destroy",
    "cordon",
];

/// Faults that are armed, with what is said of them once they fired.
pub(crate) struct RandomFaults(Vec<(FaultId, String)>);

impl RandomFaults {
    pub(crate) fn arm(story: &SimulationRun, many: u32, random: &mut Random) -> Self {
        let faults = (0..many).map(|_| {
            let (action, effect) = some(random);
            let (nth, times) = (1 + random.below(4), 1 + random.below(3));
            let said = format!("{action} {nth} × {times} {effect:?}");
            let fault = Fault::on(action, effect).nth(nth).times(times);
            story.log(&format!("will go wrong: {said}"));
            (story.sim.world().inject(fault), said)
        });
        Self(faults.collect())
    }

    /// Ends it, and counts what fired.
    pub(crate) fn end(self, story: &SimulationRun) {
        story.sim.world().clear_faults();
        for (id, said) in self.0 {
            let fired = story.sim.world().fired(id);
            if fired > 0 {
                story.log(&format!("went wrong {fired} times: {said}"));
                let effect = said.split([' ', '(']).nth(4).unwrap_or_default();
                story.count_many(&format!("fault {effect}"), u64::from(fired));
                if effect == "Migrates" {
                    // Each fork is a volume more.
                    story.expect_volumes(fired as usize);
                }
                story.count_many("faults fired", u64::from(fired));
            }
        }
    }
}

fn some(random: &mut Random) -> (&'static str, FaultEffect) {
    let seconds =
        |random: &mut Random, most| Duration::from_secs(u64::from(1 + random.below(most)));
    let lost = [408, 500, 504][random.below(3) as usize];
    let all: Vec<&str> = CHANGES.into_iter().chain(READS).collect();
    let any = random.pick(&all).copied().unwrap();
    let change = random.pick(&CHANGES).copied().unwrap();
    let starts = ["create", "update"][random.below(2) as usize];
    match random.below(22) {
        0 => (
            change,
            FaultEffect::Refuse {
                status: 422,
                message: "no".to_owned(),
            },
        ),
        1 | 2 => (
            any,
            FaultEffect::RateLimited {
                retry_after: seconds(random, 5),
            },
        ),
        3 | 4 => (any, FaultEffect::LoseBefore { status: lost }),
        5 | 6 => (change, FaultEffect::LoseAfter { status: lost }),
        7 => (any, FaultEffect::SlowAnswer(seconds(random, 10))),
        8 => (starts, FaultEffect::SlowStart(seconds(random, 30))),
        9 => (starts, FaultEffect::FailStart),
        10 => (starts, FaultEffect::ChecksNeverPass),
        11 | 12 => (
            ["update", "update", "create"][random.below(3) as usize],
            FaultEffect::NoRoom { message: None },
        ),
        13 => ("create", FaultEffect::ListLag(seconds(random, 8))),
        14 | 15 => (starts, FaultEffect::ExitsAfter(ends_by_itself(random))),
        16 => ("update", FaultEffect::Reverts),
        17 => ("create", FaultEffect::WrongRegion("gru".to_owned())),
        18 => random
            .pick(&[
                ("create", FaultEffect::StaysCreated),
                ("update", FaultEffect::StartsStopped),
            ])
            .cloned()
            .unwrap(),
        19 => refusal(random),
        20 => {
            let in_part = random.chance(80);
            (starts, FaultEffect::HostUnreachable { in_part })
        }
        _ => (starts, FaultEffect::Migrates),
    }
}

/// A refusal in the platform's own words, of a call that it is given to.
fn refusal(random: &mut Random) -> (&'static str, FaultEffect) {
    let all = [
        ("create-volume", RefusalKind::Capacity),
        ("update", RefusalKind::Capacity),
        ("create", RefusalKind::Quota),
        ("create", RefusalKind::MachineLimit),
        ("create", RefusalKind::NameTaken),
        ("create", RefusalKind::ImageUnknown),
        ("update", RefusalKind::ImageUnknown),
    ];
    let (action, refused) = random.pick(&all).copied().unwrap();
    (action, FaultEffect::Refusal(refused))
}

/// A process that is up for some seconds and ends, once or again and again.
pub(crate) fn ends_by_itself(random: &mut Random) -> ExitsAfter {
    ExitsAfter {
        after: Duration::from_secs(u64::from(1 + random.below(12))),
        code: [0, 1, 137][random.below(3) as usize],
        signal: None,
        oom_killed: false,
        restarts: [None, Some(0), Some(1), Some(2)][random.below(4) as usize],
    }
}
