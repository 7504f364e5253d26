//! kill -9 at moments spread over an apply with creates, updates and destroys, and then the same apply
//! again: with the journal kept and with it deleted, in turn.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::app::{App, PROTECTED, Shape, names};
use crate::moments::{self, Moment};
use crate::phase::{self, Phase};

/// How many moments are tried, unless `AEROFORM_KILLS` says so.
const KILLS: usize = 50;
/// How many apps are killed side by side. A run mostly waits for its processes to settle.
const SIDE_BY_SIDE: usize = 16;

/// What came of one moment.
struct Hit {
    /// Else it had ended before its moment came.
    in_time: bool,
    phase: Phase,
}

pub(crate) fn an_apply_killed_at_any_moment_and_repeated_leaves_exactly_what_is_wanted() {
    let kills = std::env::var("AEROFORM_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let next = AtomicUsize::new(0);
    let hits = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE.min(kills) {
            scope.spawn(|| {
                let mut chain = Chain::begin();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= kills {
                        return;
                    }
                    let hit = chain.kill(index, kills);
                    hits.lock().unwrap().push(hit);
                }
            });
        }
    });
    let hits = hits.into_inner().unwrap();
    let killed = hits.iter().filter(|hit| hit.in_time);
    let phases: Vec<Phase> = killed.map(|hit| hit.phase).collect();
    println!(
        "{kills} moments, {} kills while work was under way:\n{}",
        phases.len(),
        phase::tally(&phases)
    );
    assert_eq!(hits.len(), kills);
    assert!(phases.len() * 10 >= kills * 9, "too many came too late");
    let between = |phase| phases.contains(&phase);
    assert!(between(Phase::BeforeItsIntent) && between(Phase::BetweenResults));
}

/// One app that goes from day to night and back, killed on every way.
struct Chain {
    app: App,
    shape: Shape,
    /// How many writes a whole way has.
    writes: usize,
}

impl Chain {
    fn begin() -> Self {
        let app = App::applied(Shape::Day);
        app.wants(Shape::Night);
        let writes = moments::whole(&app);
        app.is_exactly(Shape::Night, "undisturbed");
        Self {
            app,
            shape: Shape::Night,
            writes,
        }
    }

    fn kill(&mut self, index: usize, of: usize) -> Hit {
        let wanted = self.shape.other();
        self.app.wants(wanted);
        let before = phase::state(&self.app);
        let moment = Moment {
            writes: index * self.writes / of,
            pause: [0, 1, 0, 17][index / 2 % 4] * Duration::from_millis(1),
        };
        let in_time = moments::killed(&self.app, moment).code.is_none();
        let phase = phase::of(&self.app, &before);
        let with_journal = index % 2 == 0;
        let when = format!("moment {index} of {of}, {moment:?}, {phase}, {wanted:?}");
        self.still_protected(&when);
        if !with_journal {
            for name in names(&self.app.state_dir()) {
                if name.starts_with("journal.db") {
                    std::fs::remove_file(self.app.state_dir().join(name)).unwrap();
                }
            }
        }
        let again = self.app.run(&App::APPLY);
        assert_eq!(
            again.code,
            Some(0),
            "{when}, journal {with_journal}: {again:?}"
        );
        self.app.is_exactly(
            wanted,
            &format!("{when}, journal {with_journal}\n{}", again.out),
        );
        self.shape = wanted;
        Hit { in_time, phase }
    }

    /// No Machine of the protected group is away, and at most the one that is being updated is down.
    fn still_protected(&self, when: &str) {
        let table = self.app.table();
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
