//! The error type of the cli. Libraries report what happened; here the error gets its code, hint and exit code.

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
use crate::store::{PushRefusal, StoreError};

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
    /// Diagnostics of the manifests, if they are the reason. They were already printed.
    pub diagnostics: Vec<Diagnostic>,
    /// The reason is external, such as a full disk; it can occur in the middle of a change too.
    pub external: bool,
}

impl Failure {
    /// A failure without cause and hint; the code defines the exit.
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

    /// A failure of the system, with a hint if its kind has one.
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

    /// Adds that nothing was changed, for a command that changed nothing, if an external reason leaves this
    /// open.
    #[must_use]
    pub fn with_nothing_changed(mut self) -> Self {
        const SAID: &str = "nothing was changed";
        let is_said = |text: &String| text.contains(SAID);
        if self.external && !is_said(&self.message) && !self.hint.as_ref().is_some_and(is_said) {
            self.message = format!("{}; {SAID}", self.message);
        }
        self
    }

    /// Adds a more distant cause.
    #[must_use]
    pub fn cause(mut self, cause: impl std::fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Sets the hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A signal before the first change.
    pub fn interrupted() -> Self {
        Self::new(codes::INTERRUPTED, "interrupted; nothing was changed")
    }

    /// A question that was not answered.
    pub fn no_answer() -> Self {
        Self::new(
            codes::NO_ANSWER,
            "the question was not answered; nothing was changed",
        )
    }

    /// A bug in Aeroform.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(codes::BUG, message)
            .hint("this is a bug in Aeroform; please report it with this message")
    }

    /// The text with a line end.
    pub fn render(&self, style: &Style) -> String {
        let mut text = String::new();
        let page = &mut LineWriter::new(style, &mut text);
        let hint = self.hint.iter().flat_map(|hint| {
            let mut rows = hint.lines();
            let first = Line::new(0).push(Label::Hint, "hint:").plain(" ");
            let first = rows.next().map(|row| first.plain(row));
            // Further lines of a hint are there to be copied.
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

    /// The JSON form.
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

impl Failure {
    /// The text of the state at this place was refused.
    pub fn of_state(error: &StateError, place: &str) -> Self {
        Self::new(error.code(), error.to_string())
            .cause(format!("it is in `{place}`"))
            .hint(error.hint(place))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::Changed { .. } => Self::new(codes::STATE_CHANGED, message)
                .hint("run the command again with the new state"),
            StoreError::Locked { .. } => {
                Self::new(codes::LOCKED, message).hint("wait for it, or use `--lock-timeout=5m`")
            }
            StoreError::Address(error) => {
                Self::new(codes::STATE_ADDRESS, message).hint(error.hint())
            }
            StoreError::UntrustedClone { command, .. } => Self {
                external: true,
                ..Self::new(codes::STATE_REMOTE, message)
            }
            .hint(format!("trust it, if you trust its content: `{command}`")),
            StoreError::Remote { refusal, .. } => {
                let failure = Self {
                    external: true,
                    ..Self::new(codes::STATE_REMOTE, message)
                };
                match refusal.and_then(push_hint) {
                    Some(hint) => failure.hint(hint),
                    None => failure,
                }
            }
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

/// What to do about a refused push.
pub fn push_hint(refusal: PushRefusal) -> Option<&'static str> {
    match refusal {
        PushRefusal::Protected => Some(
            "keep the state on a branch of its own (`url = \"git+origin\"`); if that is refused as well, except \
             `aeroform-state` from the rule, or use a repository of its own",
        ),
        PushRefusal::Hook => Some("a hook of the server refuses the push: ask who runs it"),
        PushRefusal::Rights => Some(
            "the credentials that git uses here may not push: on GitHub give the job `permissions: contents: \
             write`, on GitLab use a project access token",
        ),
        PushRefusal::Shallow => Some("the server refuses pushes from a shallow clone"),
        PushRefusal::Space => Some("the server has no space left"),
        PushRefusal::Network => Some("check the connection, and try again"),
        PushRefusal::Other => None,
    }
}

/// The hint for an error of the system.
fn io_hint(kind: io::ErrorKind) -> Option<&'static str> {
    Some(match kind {
        io::ErrorKind::StorageFull => {
            "the disk is full: free some space, then run the command again"
        }
        io::ErrorKind::QuotaExceeded => {
            "the disk quota is exceeded: free some space, then run the command again"
        }
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only: use another folder",
        io::ErrorKind::PermissionDenied => {
            "permission denied: check owner and mode of the file and its folder"
        }
        io::ErrorKind::NotFound => "a folder in the path is missing: create it first",
        io::ErrorKind::NotADirectory => "a part of the path is a file, not a folder",
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
        let failure = |kind: io::ErrorKind| {
            let error = StoreError::Io {
                what: "lock",
                place: "state/shop.json".to_owned(),
                source: kind.into(),
            };
            Failure::from(error).with_nothing_changed()
        };
        insta::assert_snapshot!(failure(io::ErrorKind::StorageFull).render(&PLAIN), @r"
        error: cannot lock state/shop.json; nothing was changed
          caused by: no storage space
        hint: the disk is full: free some space, then run the command again
        ");
        for kind in [
            io::ErrorKind::ReadOnlyFilesystem,
            io::ErrorKind::PermissionDenied,
        ] {
            let failure = failure(kind);
            assert!(failure.hint.is_some());
            assert!(failure.message.ends_with("; nothing was changed"));
            assert_eq!(failure.clone().with_nothing_changed(), failure, "said once");
        }
        let refused = Failure::new(codes::STATE_CHANGED, "no").with_nothing_changed();
        assert_eq!(refused.message, "no");
    }

    #[test]
    fn on_a_narrow_terminal_words_and_commands_are_not_split() {
        let failure = Failure::new(codes::STATE_CHANGED, "the Machines or the state changed since the plan was shown")
            .hint("run `aeroform plan --out next.plan` and review it; then write\n[[moved]]\nfrom = \"a\"");
        let narrow = Style {
            width: 40,
            program: "aeroform -C 'my shop'",
            ..PLAIN
        };
        insta::assert_snapshot!(failure.render(&narrow), @r#"
        error: the Machines or the state changed
          since the plan was shown
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
