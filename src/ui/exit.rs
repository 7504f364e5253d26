//! The exit codes. A test compares this table with docs/exit-codes.md.

use crate::core::code::ExitClass;
use crate::core::plan::RunOutcome;

/// How the program ends. Scripts may rely on the numbers; they never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done,
    /// An error without a more specific code.
    Error,
    /// Changes or drift are present (`--detailed-exitcode`).
    Changes,
    /// An apply that is incomplete, not verified or not published.
    Incomplete,
    /// The plan or the state is out of date.
    Stale,
    /// Another process holds the state's lock.
    Locked,
    /// The plan was not approved, or a guard refused it.
    Refused,
    /// A usage error.
    Usage,
    /// A bug in Aeroform.
    Bug,
    /// Ended by a signal.
    Interrupted,
}

impl Exit {
    /// Every exit, by number.
    pub const ALL: [Self; 10] = [
        Self::Done,
        Self::Error,
        Self::Changes,
        Self::Incomplete,
        Self::Stale,
        Self::Locked,
        Self::Refused,
        Self::Usage,
        Self::Bug,
        Self::Interrupted,
    ];

    /// The exit code.
    pub fn code(self) -> u8 {
        self.row().0
    }

    /// Its meaning in docs/exit-codes.md.
    pub fn meaning(self) -> &'static str {
        self.row().1
    }

    /// Its advice in docs/exit-codes.md.
    pub fn advice(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> (u8, &'static str, &'static str) {
        match self {
            Self::Done => (0, "done, or no changes", "nothing"),
            Self::Error => (1, "error", "read the message"),
            Self::Changes => (
                2,
                "changes or drift are present (only with `--detailed-exitcode`, of `plan` and `drift`)",
                "review the plan and apply it",
            ),
            Self::Incomplete => (
                3,
                "the apply is incomplete or not verified, or its state is not published",
                "run `aeroform apply` again to do the rest; \
                 if a `state push` command was printed, run that first",
            ),
            Self::Stale => (
                4,
                "the plan or the state is out of date, or the provider lists no Machines or too few",
                "create a new plan and review it; for `drift`, try again in a moment",
            ),
            Self::Locked => (
                5,
                "the state is locked by another client",
                "wait for the holder that the message names, or use `--lock-timeout`",
            ),
            Self::Refused => (
                6,
                "the plan was not approved, or protect or policy refused it (with `plan --detailed-exitcode` also: the plan has refusals, or a change edits the state)",
                "use the flag that the message names, or change the manifest",
            ),
            Self::Usage => (64, "the command line is wrong", "see `aeroform help`"),
            Self::Bug => (
                70,
                "a bug in Aeroform, found by its own check; that step changed nothing",
                "report it with the message",
            ),
            Self::Interrupted => (
                130,
                "interrupted by SIGINT, SIGTERM or SIGHUP; completed changes are in the state",
                "run the command again to do the rest",
            ),
        }
    }
}

impl From<ExitClass> for Exit {
    fn from(class: ExitClass) -> Self {
        match class {
            ExitClass::Warning => Self::Done,
            ExitClass::Error => Self::Error,
            ExitClass::Incomplete => Self::Incomplete,
            ExitClass::Stale => Self::Stale,
            ExitClass::Locked => Self::Locked,
            ExitClass::Refused => Self::Refused,
            ExitClass::Bug => Self::Bug,
            ExitClass::Usage => Self::Usage,
            ExitClass::Interrupted => Self::Interrupted,
        }
    }
}

impl From<RunOutcome> for Exit {
    fn from(outcome: RunOutcome) -> Self {
        match outcome {
            RunOutcome::Complete => Self::Done,
            RunOutcome::Stale => Self::Stale,
            RunOutcome::Incomplete | RunOutcome::Failed | RunOutcome::Overtaken => Self::Incomplete,
            RunOutcome::Interrupted => Self::Interrupted,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
