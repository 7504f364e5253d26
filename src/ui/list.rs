//! A list to choose one row from, with keys and a filter.
//!
//! dialoguer reads the keys and draws, on its own thread; this module restores the terminal. Rows never wrap,
//! because dialoguer counts its own lines. However the question ends (answer, Esc, Ctrl-C or a signal), the
//! terminal is as before. For one-line questions see [`super::prompt`].

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dialoguer::FuzzySelect;
use dialoguer::console::{Term, set_colors_enabled_stderr};
use dialoguer::theme::Theme;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::oneshot;

use super::color::{TextRole, paint};
use super::terminal::MIN_WIDTH;
use super::{Failure, Signals, Ui};
use crate::core::view::escape::safe;
use crate::core::view::line::{display_width, truncate};

/// dialoguer's prefix of a row.
const MARKER_COLUMNS: usize = 2;

/// Minimum height of a list: the question, a row, and the line of the cursor.
const MIN_LINES: u16 = 3;

/// Columns reserved for the filter next to a long question.
const MIN_FILTER_COLUMNS: usize = 12;

/// How long to wait for a key that was pressed together with a signal.
const LAST_KEY_TIMEOUT: Duration = Duration::from_millis(50);

const HELP: &str = "type to filter, ↑ ↓ and Enter choose, Esc cancels";

/// A list to choose from.
pub struct ChoiceList<'a> {
    /// The question.
    pub question: &'a str,
    /// The rows for a given width; longer ones are cut.
    pub rows: &'a dyn Fn(usize) -> Vec<String>,
    /// The error if no list can be drawn; the rows become its causes.
    pub fallback: Failure,
}

impl ChoiceList<'_> {
    /// The error if it cannot be drawn.
    fn into_fallback(self) -> Failure {
        let rows = (self.rows)(usize::MAX);
        rows.into_iter().fold(self.fallback, Failure::cause)
    }
}

/// Asks for a row and returns its index. Without a terminal that can draw lists, or on one too small to
/// distinguish the rows, it fails and lists them.
pub async fn choose(
    ui: &Ui,
    signals: &mut Signals,
    list: ChoiceList<'_>,
) -> Result<usize, Failure> {
    let over = Arc::new(AtomicBool::new(false));
    let Some(mut sheet) = ListView::of(ui, &list, String::new(), &over) else {
        return Err(list.into_fallback());
    };
    let keys = RawKeys::begin().map_err(|_| Failure::no_answer())?;
    loop {
        let (sender, mut answer) = oneshot::channel();
        // After a signal the receiver is gone.
        std::thread::spawn(move || sender.send(sheet.pick()));
        let picked = tokio::select! {
            biased;
            _ = signals.next() => {
                over.store(true, Ordering::SeqCst);
                keys.end();
                // The thread waits for a key and ends with the program. If a key was just pressed, it sets the
                // terminal modes once more, and `keys` must be dropped after that.
                let _ = tokio::time::timeout(LAST_KEY_TIMEOUT, &mut answer).await;
                return Err(Failure::interrupted());
            }
            picked = &mut answer => picked,
        };
        match picked {
            Ok(ListOutcome::Row(at, said)) => {
                ui.talk(&said);
                return Ok(at);
            }
            Ok(ListOutcome::Cancelled) => return Err(Failure::no_answer()),
            Ok(ListOutcome::Interrupted) => return Err(Failure::interrupted()),
            Ok(ListOutcome::Resized(typed)) => match ListView::of(ui, &list, typed, &over) {
                Some(anew) => sheet = anew,
                None => return Err(list.into_fallback()),
            },
            Err(_) => return Err(Failure::bug("internal error in the list; see above")),
        }
    }
}

/// The end of a list.
#[derive(Debug)]
enum ListOutcome {
    /// This row, and the text that remains on the terminal.
    Row(usize, String),
    /// Esc, or no response from the terminal.
    Cancelled,
    /// Ctrl-C.
    Interrupted,
    /// The terminal was resized, and the list is drawn again with this filter.
    Resized(String),
}

/// Keys of standard input, without echo and unbuffered, until dropped. dialoguer uses raw mode only while it
/// reads a key; without this, keys pressed in between would be echoed.
struct RawKeys {
    before: Termios,
}

impl RawKeys {
    /// Input typed before the list is discarded.
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self { before })
    }

    /// Restores the terminal; errors of a closed one are ignored.
    fn end(&self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
        let _ = Term::stderr().show_cursor();
    }
}

impl Drop for RawKeys {
    fn drop(&mut self) {
        self.end();
    }
}

/// The list for a terminal of one size.
struct ListView {
    question: String,
    rows: Vec<String>,
    /// Lines and columns of the terminal.
    size: (u16, u16),
    width: usize,
    color: bool,
    typed: RefCell<String>,
    /// The question has ended: nothing more is drawn.
    over: Arc<AtomicBool>,
}

impl ListView {
    /// `None` if no list can be drawn.
    fn of(ui: &Ui, list: &ChoiceList<'_>, typed: String, over: &Arc<AtomicBool>) -> Option<Self> {
        if ui.format().is_for_programs() || !ui.streams().can_ask() || !ui.can_draw() {
            return None;
        }
        let size = Term::stderr().size();
        let columns = usize::from(size.1);
        // The last column stays empty: some terminals wrap as soon as it is written.
        let width = ui.width().min(columns).saturating_sub(1);
        let room = width.saturating_sub(MARKER_COLUMNS);
        let rows: Vec<String> = (list.rows)(room)
            .iter()
            .map(|row| fitting(row, room, columns))
            .collect();
        // dialoguer identifies the chosen row by its text.
        let distinct = rows.iter().collect::<BTreeSet<_>>().len() == rows.len();
        let roomy = size.0 >= MIN_LINES && columns >= MIN_WIDTH;
        (distinct && roomy).then(|| Self {
            question: list.question.to_owned(),
            rows,
            size,
            width,
            color: ui.color_talk(),
            typed: RefCell::new(typed),
            over: Arc::clone(over),
        })
    }

    /// Draws and reads keys until there is an answer.
    fn pick(&self) -> ListOutcome {
        set_colors_enabled_stderr(self.color);
        let terminal = Term::buffered_stderr();
        let typed = self.typed.take();
        let picked = FuzzySelect::with_theme(self)
            .with_prompt(&self.question)
            .with_initial_text(typed)
            .items(&self.rows)
            .default(0)
            .report(false)
            .interact_on_opt(&terminal)
            .map_err(io::Error::from);
        let picked = match picked {
            Ok(Some(at)) => {
                let said = format!("{} {}", self.question, self.rows[at]);
                ListOutcome::Row(at, truncate(&said, self.width).into_owned())
            }
            Ok(None) => ListOutcome::Cancelled,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                return ListOutcome::Interrupted;
            }
            Err(_) if self.is_over() || !self.is_resized() => return ListOutcome::Cancelled,
            Err(_) => ListOutcome::Resized(self.typed.take()),
        };
        // dialoguer considers its lines cleared, but a resized terminal may have moved them.
        let _ = terminal
            .clear_to_end_of_screen()
            .and_then(|()| terminal.flush());
        picked
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    fn is_resized(&self) -> bool {
        Term::stderr().size() != self.size
    }

    /// The question and the filter on one line. If they do not fit, the part around the cursor is shown.
    fn head(&self, before: &str, after: &str) -> String {
        let most = self
            .width
            .saturating_sub(MIN_FILTER_COLUMNS)
            .max(self.width / 2);
        let question = truncate(&self.question, most);
        let room = self.width.saturating_sub(display_width(&question) + 2);
        let before = cut_front(before, room - usize::from(!after.is_empty()));
        let after = truncate(after, room - display_width(&before));
        let how = if before.is_empty() && after.is_empty() {
            paint(&truncate(HELP, room), TextRole::Dim, self.color)
        } else {
            String::new()
        };
        let question = paint(&question, TextRole::Strong, self.color);
        format!("{question} {before}|{after}{how}")
    }
}

impl Theme for ListView {
    fn format_fuzzy_select_prompt(
        &self,
        out: &mut dyn fmt::Write,
        _question: &str,
        typed: &str,
        at: usize,
    ) -> fmt::Result {
        typed.clone_into(&mut self.typed.borrow_mut());
        if self.is_over() || self.is_resized() {
            return Err(fmt::Error);
        }
        let (before, after) = typed.split_at(at);
        out.write_str(&self.head(before, after))
    }
}

/// The row cut to this width. dialoguer considers a row with more bytes than columns as wrapped, and would
/// clear lines above the list.
fn fitting(row: &str, room: usize, columns: usize) -> String {
    (0..=room)
        .rev()
        .map(|room| truncate(row, room))
        .find(|row| row.len() <= columns)
        .unwrap_or_default()
        .into_owned()
}

/// The text cut at its front to a width, with `…` for the missing part.
fn cut_front(text: &str, room: usize) -> String {
    let text = safe(text);
    if display_width(&text) <= room {
        return text.into_owned();
    }
    let mut starts = text.char_indices().map(|(at, _)| at);
    let rest = starts
        .find(|at| display_width(&text[*at..]) < room)
        .map_or("", |at| &text[at..]);
    truncate(&format!("…{rest}"), room).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(width: usize) -> ListView {
        ListView {
            question: "Which Machine to destroy?".to_owned(),
            rows: Vec::new(),
            size: (24, 80),
            width,
            color: false,
            typed: RefCell::default(),
            over: Arc::default(),
        }
    }

    #[test]
    fn the_question_and_what_is_typed_are_never_wider_than_the_terminal() {
        let long = "web started ams ".repeat(9);
        for width in MIN_WIDTH - 1..100 {
            for before in ["", "web", &long, "日本"] {
                for after in ["", "x", &long] {
                    let head = sheet(width).head(before, after);
                    assert!(display_width(&head) <= width, "{width}: {head:?}");
                }
            }
        }
        assert_eq!(
            sheet(79).head("", ""),
            "Which Machine to destroy? |type to filter, ↑ ↓ and Enter choose, Esc cancels"
        );
        assert_eq!(
            sheet(39).head(&long, "xyz"),
            "Which Machine to destroy? …arted ams |…"
        );
    }

    #[test]
    fn what_is_typed_and_the_rows_cannot_move_the_cursor() {
        assert_eq!(
            sheet(79).head("a\u{9b}2J", "b\u{202e}"),
            "Which Machine to destroy? a\\u{9b}2J|b\\u{202e}"
        );
        assert_eq!(fitting("a\u{1b}[2Jb", 40, 43), "a\\u{1b}[2Jb");
    }

    #[test]
    fn a_row_has_no_more_columns_than_its_room_and_no_more_bytes_than_the_terminal_has_columns() {
        assert_eq!(fitting("148ed599c14189  web", 12, 15), "148ed599c14…");
        let row = fitting(&"日本".repeat(20), 37, 40);
        assert!(display_width(&row) <= 37 && row.len() <= 40, "{row:?}");
        assert!(row.ends_with('…'), "{row:?}");
    }
}
