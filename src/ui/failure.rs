//! The one error type at the edge. Libraries below know what went wrong; only here it gets its code,
//! its hint and its exit code.

use std::io;

use serde::Serialize;

use super::{Exit, codes};
use crate::core::code::Code;
use crate::core::manifest::Diagnostic;
use crate::core::state::StateError;
use crate::core::view::line::{Line, LineWriter};
use crate::core::view::style::Label;
use crate::core::view::{Style, json};
use crate::journal::JournalError;
use crate::provider::{ErrorClass, ProviderError};
use crate::store::StoreError;

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Stable code (`stale_plan`); programs may rely on it.
    pub code: &'static str,
    /// What happened: lower case, values in backticks.
    pub message: String,
    /// Why, the nearest cause first.
    pub causes: Vec<String>,
    /// What to do next.
    pub hint: Option<String>,
    /// How the program ends.
    pub exit: Exit,
    /// What is wrong with the manifests, where that is the reason. People have read it before.
    pub diagnostics: Vec<Diagnostic>,
    /// The reason is trouble outside of this program, which may come in the middle of a change as well.
    pub external: bool,
}

impl Failure {
    /// A failure without cause and hint that ends as its code says.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code: code.name(),
            message: message.into(),
            causes: Vec::new(),
            hint: None,
            exit: code.exit_class().into(),
            diagnostics: Vec::new(),
            external: false,
        }
    }

    /// A failure because the system refused, with what to do where its reason says it.
    pub fn from_io(code: Code, message: impl Into<String>, error: &io::Error) -> Self {
        let failure = Self {
            external: true,
            ..Self::new(code, message).cause(error)
        };
        match io_hint(error.kind()) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    /// The same of a command that has not begun to change anything: where the reason leaves that open, it is
    /// said.
    #[must_use]
    pub fn with_nothing_changed(mut self) -> Self {
        const SAID: &str = "nothing was changed";
        let is_said = |text: &String| text.contains(SAID);
        if self.external && !is_said(&self.message) && !self.hint.as_ref().is_some_and(is_said) {
            self.message = format!("{}; {SAID}", self.message);
        }
        self
    }

    /// The same with one cause more, farther away than those it has.
    #[must_use]
    pub fn cause(mut self, cause: impl std::fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A signal came before anything was changed.
    pub fn interrupted() -> Self {
        Self::new(codes::INTERRUPTED, "interrupted; nothing was changed")
    }

    /// A person was asked and did not answer.
    pub fn no_answer() -> Self {
        Self::new(
            codes::NO_ANSWER,
            "the question was not answered; nothing was changed",
        )
    }

    /// Something that cannot be, unless the program is wrong.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(codes::BUG, message)
            .hint("this is a bug in Aeroform; please report it with this message")
    }

    /// The text for people, with a line end.
    pub fn render(&self, style: &Style) -> String {
        let mut text = String::new();
        let page = &mut LineWriter::new(style, &mut text);
        let hint = self.hint.iter().flat_map(|hint| {
            let mut rows = hint.lines();
            let first = Line::new(0).push(Label::Hint, "hint:").plain(" ");
            let first = rows.next().map(|row| first.plain(row));
            // What stands on lines of its own is there to be copied.
            first
                .into_iter()
                .chain(rows.map(|row| Line::new(2).plain(row)))
        });
        let causes = self.causes.iter();
        let causes = causes.map(|cause| Line::new(2).plain("caused by: ").plain(cause));
        let error = Line::new(0).push(Label::Error, "error:").plain(" ");
        let lines = [error.plain(&self.message)]
            .into_iter()
            .chain(causes)
            .chain(hint);
        for line in lines {
            page.line(&line).expect("writing to a String cannot fail");
        }
        text
    }

    /// The form for programs.
    pub fn json(&self) -> impl Serialize {
        json::error::error(
            self.code,
            &self.message,
            &self.causes,
            self.hint.as_deref(),
            self.exit.code(),
        )
        .with_diagnostics(self.diagnostics.iter().map(Into::into).collect())
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Self::new(error.code(), error.to_string()).hint(error.hint())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::Changed { .. } => Self::new(codes::STATE_CHANGED, message)
                .hint("run the command again: it reads the state anew"),
            StoreError::Locked { .. } => Self::new(codes::LOCKED, message)
                .hint("wait for it, or give `--lock-timeout=5m` to wait here"),
            StoreError::Io {
                what,
                place,
                source,
            } => Self::from_io(codes::STATE_IO, format!("cannot {what} {place}"), &source),
        }
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        let failure = Self {
            external: true,
            ..Self::new(codes::JOURNAL, error.to_string())
        };
        match error.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        let outside = matches!(error.class, ErrorClass::Transient | ErrorClass::Unknown);
        Self {
            external: outside,
            code: error.code,
            message: error.message,
            causes: Vec::new(),
            hint: error.hint,
            exit: Exit::Error,
            diagnostics: Vec::new(),
        }
    }
}

/// What to do about a refusal of the system.
fn io_hint(kind: io::ErrorKind) -> Option<&'static str> {
    Some(match kind {
        io::ErrorKind::StorageFull => {
            "the disk is full: make room there, and run the command again"
        }
        io::ErrorKind::QuotaExceeded => {
            "this user may use no more of that disk: make room there, and run the command again"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "nothing can be written on that disk: work in a folder where that is possible"
        }
        io::ErrorKind::PermissionDenied => {
            "this user has no right to it: look at the owner and the mode of the file and of its folder"
        }
        io::ErrorKind::NotFound => "a folder of that path is missing: make it first",
        io::ErrorKind::NotADirectory => "a part of that path is a file, and no folder",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style {
        color: false,
        width: usize::MAX,
        verbose: false,
        program: "aeroform",
        cut_words: false,
    };

    #[test]
    fn trouble_outside_has_a_way_out_and_says_that_nothing_was_changed() {
        let told = |kind: io::ErrorKind| {
            let error = StoreError::Io {
                what: "lock",
                place: "state/shop.json".to_owned(),
                source: kind.into(),
            };
            Failure::from(error).with_nothing_changed()
        };
        insta::assert_snapshot!(told(io::ErrorKind::StorageFull).render(&PLAIN), @r"
        error: cannot lock state/shop.json; nothing was changed
          caused by: no storage space
        hint: the disk is full: make room there, and run the command again
        ");
        for kind in [
            io::ErrorKind::ReadOnlyFilesystem,
            io::ErrorKind::PermissionDenied,
        ] {
            let failure = told(kind);
            assert!(failure.hint.is_some());
            assert!(failure.message.ends_with("; nothing was changed"));
            assert_eq!(failure.clone().with_nothing_changed(), failure, "said once");
        }
        let refused = Failure::new(codes::STATE_CHANGED, "no").with_nothing_changed();
        assert_eq!(refused.message, "no");
    }

    #[test]
    fn on_a_narrow_terminal_words_and_commands_stay_whole() {
        let failure = Failure::new(codes::STATE_CHANGED, "the world has changed since the plan was shown")
            .hint("run `aeroform plan --out next.plan` and review it; then write\n[[moved]]\nfrom = \"a\"");
        let narrow = Style {
            width: 40,
            program: "aeroform -C 'my shop'",
            ..PLAIN
        };
        insta::assert_snapshot!(failure.render(&narrow), @r#"
        error: the world has changed since the
          plan was shown
        hint: run
          `aeroform -C 'my shop' plan --out next.plan`
          and review it; then write
          [[moved]]
          from = "a"
        "#);
    }

    #[test]
    fn a_failure_says_what_why_and_what_next() {
        let failure = Failure::new(codes::STATE_CHANGED, "cannot apply the saved plan")
            .cause("the plan was made at serial 41, the state is at serial 43")
            .hint("run `aeroform plan --out next.plan` and review it again");
        assert_eq!(failure.exit, Exit::Stale);
        insta::assert_snapshot!(failure.render(&PLAIN), @r"
        error: cannot apply the saved plan
          caused by: the plan was made at serial 41, the state is at serial 43
        hint: run `aeroform plan --out next.plan` and review it again
        ");
        let document: serde_json::Value = serde_json::to_value(failure.json()).unwrap();
        assert_eq!(document["error"]["code"], "state_changed");
    }
}
