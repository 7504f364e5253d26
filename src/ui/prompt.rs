//! Asks a person. The question goes to standard error, the answer is one line of standard input.
//!
//! The line is read as the terminal gives it, in its own line mode: no raw mode and no hidden cursor,
//! so nothing has to be restored whichever way the program ends, and paste, Ctrl-C and Ctrl-D mean
//! what they always mean. Prompt libraries that read key by key give that away, which only a choice among many
//! is worth ([`super::list`]).

use std::io::{self, BufRead};

use tokio::sync::oneshot;

use super::color::{TextRole, paint};
use super::{Failure, Signals, Ui};
use crate::core::view::escape::safe;

/// Asks a question that `y` or `yes` answers with yes; Enter alone is no.
pub async fn yes_or_no(ui: &Ui, signals: &mut Signals, question: &str) -> Result<bool, Failure> {
    loop {
        let answer = read_answer(ui, signals, &format!("{question} [y/N] ")).await?;
        match answer.to_ascii_lowercase().as_str() {
            "y" | "yes" => return Ok(true),
            "" | "n" | "no" => return Ok(false),
            _ => ui.talk("  please answer y or n"),
        }
    }
}

/// Asks for a name to be typed; anything else is no, and a slip of the finger is told from a no.
pub async fn typed_name(
    ui: &Ui,
    signals: &mut Signals,
    prompt: &str,
    name: &str,
) -> Result<bool, Failure> {
    let answer = read_answer(ui, signals, &format!("{prompt}: ")).await?;
    let is_it = answer == name;
    if !is_it && !answer.is_empty() {
        ui.talk(&format!("  `{}` is not `{}`", safe(&answer), safe(name)));
    }
    Ok(is_it)
}

/// One line of answer, without the blanks around it. The thread that reads cannot be stopped and need
/// not be: the program ends when a signal comes, and the thread with it.
async fn read_answer(ui: &Ui, signals: &mut Signals, prompt: &str) -> Result<String, Failure> {
    let text = paint(prompt, TextRole::Strong, ui.color_talk());
    // A terminal that cannot be written to cannot be read from either: the read says so.
    ui.write_stderr(&text);
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line);
        // Nobody listens any more once a signal came.
        let _ = sender.send(read.map(|bytes| (bytes > 0).then(|| line.trim().to_owned())));
    });
    let answer = tokio::select! {
        biased;
        _ = signals.next() => {
            ui.talk("");
            return Err(Failure::interrupted());
        }
        answer = receiver => answer,
    };
    if let Ok(Ok(Some(line))) = answer {
        return Ok(line);
    }
    ui.talk("");
    Err(Failure::no_answer())
}
