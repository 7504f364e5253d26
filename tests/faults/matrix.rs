//! What was played of each fault and passed, as a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::gallery::PlanScenario;

/// How many cases of each fault were played and passed: with a journal that is kept and one that is lost, of
/// each strategy.
#[derive(Default)]
pub(crate) struct FaultMatrix(BTreeMap<&'static str, [CaseCount; 6]>);

/// How the groups of a plan are updated.
#[derive(Debug, Clone, Copy)]
pub(crate) enum MatrixColumn {
    Rolling,
    Immediate,
    Bluegreen,
}

impl MatrixColumn {
    pub(crate) fn of(plan: &PlanScenario) -> Self {
        if plan.is_swap() {
            Self::Bluegreen
        } else if plan.is_immediate() {
            Self::Immediate
        } else {
            Self::Rolling
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct CaseCount {
    played: usize,
    passed: usize,
}

impl FaultMatrix {
    /// Counts a case of a fault: of which strategy, whether the journal was lost, whether it passed.
    pub(crate) fn count(
        &mut self,
        fault: &'static str,
        (column, lost): (MatrixColumn, bool),
        passed: bool,
    ) {
        let row = self.0.entry(fault).or_default();
        let cell = &mut row[column as usize * 2 + usize::from(lost)];
        cell.played += 1;
        cell.passed += usize::from(passed);
    }

    pub(crate) fn add(&mut self, other: Self) {
        for (name, cells) in other.0 {
            let row = self.0.entry(name).or_default();
            for (all, cell) in row.iter_mut().zip(cells) {
                all.played += cell.played;
                all.passed += cell.passed;
            }
        }
    }

    /// One line per fault, in this order.
    pub(crate) fn table(&self, faults: impl Iterator<Item = &'static str>) -> String {
        let columns = [
            "rolling",
            "journal lost",
            "immediate",
            "journal lost",
            "bluegreen",
            "journal lost",
        ];
        let mut text = format!("{:<22}", "passed");
        for column in columns {
            write!(text, " {column:>13}").unwrap();
        }
        for fault in faults {
            let cells = self.0.get(fault).copied().unwrap_or_default();
            write!(text, "\n{fault:<22}").unwrap();
            for CaseCount { played, passed } in cells {
                let cell = match played {
                    0 => "-".to_owned(),
                    _ if passed == played => played.to_string(),
                    _ => format!("{passed} of {played}"),
                };
                write!(text, " {cell:>13}").unwrap();
            }
        }
        text
    }
}
