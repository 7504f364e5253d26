//! Asks the user. The question goes to standard error, the answer is one line of standard input.
//!
//! The terminal stays in line mode, without raw mode or hidden cursor: nothing must be restored however the
//! program ends, and paste, Ctrl-C and Ctrl-D work as usual. Only a list of choices ([`super::list`]) is worth
//! reading single keys.

use std::io::{self, BufRead};

use tokio::sync::oneshot;

use super::color::{TextRole, paint};
use super::{Failure, Signals, Ui};
use crate::core::view::escape::safe;

/// Asks a question; `y` and `yes` mean yes, Enter alone means no.
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

/// Asks for a typed name; anything else means no, and a typo is reported.
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

/// Reads one trimmed line. The reading thread cannot be stopped; it ends with the program.
async fn read_answer(ui: &Ui, signals: &mut Signals, prompt: &str) -> Result<String, Failure> {
    let text = paint(prompt, TextRole::Strong, ui.color_talk());
    // If the terminal is not writable, the read fails too.
    ui.write_stderr(&text);
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line);
        // After a signal the receiver is gone.
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
