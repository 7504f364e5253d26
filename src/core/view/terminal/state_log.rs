//! The runs in the state, the newest first.

use std::fmt;

use super::platform::table;
use crate::core::fleet::Known;
use crate::core::plan::short_commit;
use crate::core::view::line::LineWriter;
use crate::core::view::style::Style;

/// Writes one line for each run.
pub fn state_log(known: &Known, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let page = &mut LineWriter::new(style, out);
    let rows = known.runs.iter().rev().map(|run| {
        [
            run.serial.to_string(),
            run.at.clone(),
            run.run.to_string(),
            run.commit
                .as_deref()
                .map_or_else(|| "-".to_owned(), short_commit),
            run.by.clone(),
            run.command.clone(),
            run.outcome.clone(),
        ]
    });
    let heads = [
        "SERIAL", "WHEN", "RUN", "COMMIT", "BY", "COMMAND", "OUTCOME",
    ];
    table(heads, rows, page)
}
