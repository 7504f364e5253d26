//! What `state migrate` is about to do.

use std::fmt;

use crate::core::view::StateMove;
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::style::{Label, Style};

/// Writes both places.
pub fn state_move(view: &StateMove, style: &Style, out: &mut dyn fmt::Write) -> fmt::Result {
    let page = &mut LineWriter::new(style, out);
    let what = match view.serial {
        Some(serial) => format!("Move the state of app {}, serial {serial}", view.app),
        None => format!("App {} has no state yet; its place changes", view.app),
    };
    page.line(&Line::new(0).push(Label::Strong, what))?;
    page.blank()?;
    let row = |name: &str, place: &str| Line::new(2).plain(format!("{name:6}{place}"));
    page.line(&row("from", &view.from))?;
    let detail = view.target.as_ref();
    let detail = detail.map_or(String::new(), |detail| format!(" ({detail})"));
    page.line(&row("to", &format!("{}{detail}", view.to)))?;
    page.blank()
}
