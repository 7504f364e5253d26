//! The effect of a verb on one Machine, as one line.

use std::fmt;

use crate::core::fleet::Machine;
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::style::{Label, Style};
use crate::core::view::terminal::status::cells::state_label;

/// Writes the Machine with its states before and after.
pub fn action(
    before: &Machine,
    after: &Machine,
    style: &Style,
    out: &mut dyn fmt::Write,
) -> fmt::Result {
    let page = &mut LineWriter::new(style, out);
    let mut line = Line::new(0).push(Label::Strong, after.id.as_str());
    if let Some(group) = &after.group {
        line.add(Label::Plain, format!("  {group}"));
    }
    line.add(Label::Dim, format!("  {}  ", after.region));
    line.add(state_label(after.state), after.state.as_str());
    if before.state != after.state {
        line.add(Label::Dim, format!(", was {}", before.state.as_str()));
    }
    match (before.cordoned, after.cordoned) {
        (false, true) => line.add(Label::Change, ", now cordoned"),
        (true, false) => line.add(Label::Success, ", no longer cordoned"),
        (true, true) => line.add(Label::Dim, ", cordoned"),
        (false, false) => {}
    }
    page.line(&line)
}
