//! What was played of each fault and passed, as a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How many cases of each fault were played and passed: with a journal that is kept and one that is lost, of
/// rolling updates and of immediate ones.
#[derive(Default)]
pub(crate) struct FaultMatrix(BTreeMap<&'static str, [CaseCount; 4]>);

#[derive(Debug, Clone, Copy, Default)]
struct CaseCount {
    played: usize,
    passed: usize,
}

impl FaultMatrix {
    /// Counts a case of a fault: whether the update is immediate, whether the journal was lost, whether it passed.
    pub(crate) fn count(
        &mut self,
        fault: &'static str,
        (immediate, lost): (bool, bool),
        passed: bool,
    ) {
        let row = self.0.entry(fault).or_default();
        let cell = &mut row[usize::from(immediate) * 2 + usize::from(lost)];
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
        let columns = ["rolling", "journal lost", "immediate", "journal lost"];
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
