//! The one error type at the edge. Libraries below know what went wrong; only here it gets its code,
//! its hint and its exit code.

use std::fmt::Write as _;

use serde::Serialize;

use super::color::{Ink, paint};
use super::{Exit, codes};
use crate::core::code::Code;
use crate::core::manifest::Diagnostic;
use crate::core::state::StateError;
use crate::core::view::escape::safe;
use crate::core::view::json;
use crate::journal::JournalError;
use crate::provider::ProviderError;
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
}

impl Failure {
    /// A failure without cause and hint that ends as its code says.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code: code.name(),
            message: message.into(),
            causes: Vec::new(),
            hint: None,
            exit: code.ends().into(),
            diagnostics: Vec::new(),
        }
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
    pub fn render(&self, color: bool) -> String {
        let mut text = String::new();
        let error = paint("error:", Ink::Error, color);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{error} {}", safe(&self.message));
        for cause in &self.causes {
            let _ = writeln!(text, "  caused by: {}", safe(cause));
        }
        if let Some(hint) = &self.hint {
            let word = paint("hint:", Ink::Hint, color);
            let _ = writeln!(text, "{word} {}", safe(hint));
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
        .with(self.diagnostics.iter().map(Into::into).collect())
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
            } => Self::new(codes::STATE_IO, format!("cannot {what} {place}")).cause(source),
        }
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        let failure = Self::new(codes::JOURNAL, error.to_string());
        match error.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        Self {
            code: error.code,
            message: error.message,
            causes: Vec::new(),
            hint: error.hint,
            exit: Exit::Error,
            diagnostics: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_why_and_what_next() {
        let failure = Failure::new(codes::STATE_CHANGED, "cannot apply the saved plan")
            .cause("the plan was made at serial 41, the state is at serial 43")
            .hint("run `aeroform plan --out next.plan` and review it again");
        assert_eq!(failure.exit, Exit::Stale);
        insta::assert_snapshot!(failure.render(false), @r"
        error: cannot apply the saved plan
          caused by: the plan was made at serial 41, the state is at serial 43
        hint: run `aeroform plan --out next.plan` and review it again
        ");
        let document: serde_json::Value = serde_json::to_value(failure.json()).unwrap();
        assert_eq!(document["error"]["code"], "state_changed");
    }
}
