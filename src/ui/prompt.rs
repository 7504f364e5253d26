//! Asks a person. The question goes to standard error, the answer is one line of standard input.
//!
//! The line is read as the terminal gives it, in its own line mode: no raw mode and no hidden cursor,
//! so nothing has to be restored whichever way the program ends, and paste, Ctrl-C and Ctrl-D mean
//! what they always mean. Prompt libraries that read key by key give that away.

use std::io::{self, BufRead, Write};

use tokio::sync::oneshot;

use super::color::{Ink, paint};
use super::{Failure, Signals, Ui, codes};
use crate::core::view::escape::safe;

/// Asks a question that `y` or `yes` answers with yes; Enter alone is no.
pub async fn yes_or_no(ui: &Ui, signals: &mut Signals, question: &str) -> Result<bool, Failure> {
    loop {
        let answer = ask(ui, signals, &format!("{question} [y/N] ")).await?;
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
    let answer = ask(ui, signals, &format!("{prompt}: ")).await?;
    let is_it = answer == name;
    if !is_it && !answer.is_empty() {
        ui.talk(&format!("  `{}` is not `{}`", safe(&answer), safe(name)));
    }
    Ok(is_it)
}

/// Something that may be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What is chosen.
    pub value: String,
    /// What a person should know of it.
    pub about: String,
}

/// Asks which of these is meant: by its number, by its beginning, or by words that narrow the list until one
/// is left. Enter alone is no answer, and nothing is chosen.
pub async fn choose(
    ui: &Ui,
    signals: &mut Signals,
    question: &str,
    choices: &[Choice],
) -> Result<String, Failure> {
    let mut left: Vec<&Choice> = choices.iter().collect();
    loop {
        ui.talk(question);
        for (at, choice) in left.iter().enumerate() {
            let line = format!("{:>4}  {}  {}", at + 1, choice.value, choice.about);
            ui.talk(&safe(&line));
        }
        let answer = ask(ui, signals, "number, id, or words to narrow the list: ").await?;
        if answer.is_empty() {
            return Err(Failure::new(
                codes::NO_ANSWER,
                "the question was not answered; nothing was changed",
            ));
        }
        if let Some(chosen) = picked(&left, &answer) {
            return Ok(chosen.value.clone());
        }
        let narrowed: Vec<&Choice> = left
            .iter()
            .filter(|choice| fits(choice, &answer))
            .copied()
            .collect();
        match narrowed.as_slice() {
            [] => ui.talk(&format!("  nothing fits `{}`", safe(&answer))),
            [one] => return Ok(one.value.clone()),
            _ => left = narrowed,
        }
    }
}

/// By number, or by the whole value.
fn picked<'c>(left: &[&'c Choice], answer: &str) -> Option<&'c Choice> {
    let whole = left.iter().find(|choice| choice.value == answer);
    let number = || left.get(answer.parse::<usize>().ok()?.checked_sub(1)?);
    whole.or_else(number).copied()
}

/// Whether every word is part of it, or begins it.
fn fits(choice: &Choice, answer: &str) -> bool {
    let text = format!("{} {}", choice.value, choice.about).to_lowercase();
    answer
        .to_lowercase()
        .split_whitespace()
        .all(|word| text.contains(word))
}

/// One line of answer, without the blanks around it. The thread that reads cannot be stopped and need
/// not be: the program ends when a signal comes, and the thread with it.
async fn ask(ui: &Ui, signals: &mut Signals, prompt: &str) -> Result<String, Failure> {
    let text = paint(prompt, Ink::Strong, ui.color_talk());
    // A terminal that cannot be written to cannot be read from either: the read says so.
    let _ = io::stderr().write_all(text.as_bytes());
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
    Err(Failure::new(
        codes::NO_ANSWER,
        "the question was not answered; nothing was changed",
    ))
}
