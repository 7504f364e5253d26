//! kill -9 at moments spread over an apply with creates, updates and destroys, and then the same apply
//! again: with the journal kept and with it deleted, in turn.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::fixture::{KillFixture, Manifests, PROTECTED, names};
use crate::kill_points::{self, KillPoint};
use crate::run_phase::{self, RunPhase};

/// How many moments are tried, unless `AEROFORM_KILLS` says so.
const KILLS: usize = 50;
/// How many apps are killed side by side. A run mostly waits for its processes to settle.
const PARALLEL_APPS: usize = 16;

/// What came of one moment.
struct KillResult {
    /// Else it had ended before its moment came.
    was_running: bool,
    phase: RunPhase,
}

pub(crate) fn an_apply_killed_at_any_moment_and_repeated_leaves_exactly_the_desired_fleet() {
    let kills = std::env::var("AEROFORM_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let next = AtomicUsize::new(0);
    let hits = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..PARALLEL_APPS.min(kills) {
            scope.spawn(|| {
                let mut chain = AlternatingApp::begin();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= kills {
                        return;
                    }
                    let hit = chain.kill_in_time(index, kills);
                    hits.lock().unwrap().push(hit);
                }
            });
        }
    });
    let hits = hits.into_inner().unwrap();
    let killed = hits.iter().filter(|hit| hit.was_running);
    let phases: Vec<RunPhase> = killed.map(|hit| hit.phase).collect();
    println!(
        "{kills} moments, {} kills while work was under way:\n{}",
        phases.len(),
        run_phase::tally(&phases)
    );
    assert_eq!(hits.len(), kills);
    assert!(phases.len() * 10 >= kills * 9, "too many came too late");
    let between = |phase| phases.contains(&phase);
    assert!(between(RunPhase::BeforeItsIntent) && between(RunPhase::BetweenResults));
}

/// One app that goes from day to night and back, killed on every way.
struct AlternatingApp {
    app: KillFixture,
    shape: Manifests,
    /// How many writes a whole way has.
    writes: usize,
}

impl AlternatingApp {
    fn begin() -> Self {
        let app = KillFixture::applied(Manifests::Day);
        app.write_manifests(Manifests::Night);
        let writes = kill_points::whole(&app);
        app.assert_matches(Manifests::Night, "undisturbed");
        Self {
            app,
            shape: Manifests::Night,
            writes,
        }
    }

    /// Kills at its moment; where the run was over by then, the next one a little earlier.
    fn kill_in_time(&mut self, index: usize, of: usize) -> KillResult {
        let mut writes = index * self.writes / of;
        loop {
            let hit = self.kill(index, of, writes);
            if hit.was_running || writes == 0 {
                return hit;
            }
            writes -= writes.div_ceil(10);
        }
    }

    fn kill(&mut self, index: usize, of: usize, writes: usize) -> KillResult {
        let expected = self.shape.other();
        self.app.write_manifests(expected);
        let before = run_phase::state(&self.app);
        let moment = KillPoint {
            writes,
            pause: [0, 1, 0, 17][index / 2 % 4] * Duration::from_millis(1),
        };
        let in_time = kill_points::killed(&self.app, moment).code.is_none();
        let phase = run_phase::of(&self.app, &before);
        let with_journal = index.is_multiple_of(2);
        let when = format!("moment {index} of {of}, {moment:?}, {phase}, {expected:?}");
        self.still_protected(&when);
        if !with_journal {
            for name in names(&self.app.state_dir()) {
                if name.starts_with("journal.db") {
                    std::fs::remove_file(self.app.state_dir().join(name)).unwrap();
                }
            }
        }
        let again = self.app.run(&KillFixture::APPLY);
        assert_eq!(
            again.code,
            Some(0),
            "{when}, journal {with_journal}: {again:?}"
        );
        self.app.assert_matches(
            expected,
            &format!("{when}, journal {with_journal}\n{}", again.out),
        );
        self.shape = expected;
        KillResult {
            was_running: in_time,
            phase,
        }
    }

    /// No Machine of the protected group is away, and at most the one that is being updated is down.
    fn still_protected(&self, when: &str) {
        let table = self.app.process_table();
        let up = table.counts().get("web").copied().unwrap_or_default();
        assert!(up + 1 >= PROTECTED, "{when}: {table:#?}");
        let records = names(&self.app.machines()).into_iter().filter(|id| {
            let record = self.app.machines().join(id).join("record.json");
            let text = std::fs::read_to_string(record).unwrap_or_default();
            text.contains("\"group\":\"web\"")
        });
        assert_eq!(records.count(), PROTECTED, "{when}");
    }
}
