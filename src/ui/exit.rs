//! The exit codes: one table, one match. docs/exit-codes.md says the same and a test compares them.

use crate::core::code::ExitClass;

/// How the program ends. Scripts may rely on the numbers; they never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done,
    /// An error; nothing else says more.
    Error,
    /// Changes or drift are present (`--detailed-exitcode`).
    Changes,
    /// An apply that is not complete, not verified or not published.
    Incomplete,
    /// The plan or the state is older than the world.
    Stale,
    /// Somebody else holds the state's lock.
    Locked,
    /// Consent was not given, or a guard refuses.
    Refused,
    /// The command line is wrong.
    Usage,
    /// A bug of Aeroform's own.
    Bug,
    /// A signal ended it.
    Interrupted,
}

impl Exit {
    /// Every way to end, in the order of the numbers.
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

    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        self.row().0
    }

    /// What it means, as docs/exit-codes.md writes it.
    pub fn meaning(self) -> &'static str {
        self.row().1
    }

    /// What to do about it, as docs/exit-codes.md writes it.
    pub fn advice(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> (u8, &'static str, &'static str) {
        match self {
            Self::Done => (0, "done, or no changes", "nothing"),
            Self::Error => (1, "error", "read the message; nothing more is known"),
            Self::Changes => (
                2,
                "changes or drift are present (only with `--detailed-exitcode`, of `plan` and `drift`)",
                "review the plan and apply it",
            ),
            Self::Incomplete => (
                3,
                "the apply is not complete, not verified, or its state is not published",
                "run `aeroform apply` again to do the rest; \
                 if a `state push` command was printed, run that first",
            ),
            Self::Stale => (
                4,
                "the plan or the state is older than the world",
                "plan again and review it again",
            ),
            Self::Locked => (
                5,
                "the state is locked by somebody else",
                "wait for the holder that the message names, or give `--lock-timeout`",
            ),
            Self::Refused => (
                6,
                "consent was not given, or protect or policy refused \
                 (with `plan --detailed-exitcode` also: the plan has refusals)",
                "give the flag that the message names, or change the manifest",
            ),
            Self::Usage => (64, "the command line is wrong", "see `aeroform help`"),
            Self::Bug => (
                70,
                "a bug in Aeroform, found by its own check; nothing was changed by that step",
                "report it with the message",
            ),
            Self::Interrupted => (
                130,
                "interrupted by SIGINT, SIGTERM or SIGHUP; what was done is in the state",
                "run the command again to do the rest",
            ),
        }
    }
}

impl From<ExitClass> for Exit {
    fn from(class: ExitClass) -> Self {
        match class {
            ExitClass::Not => Self::Done,
            ExitClass::Error => Self::Error,
            ExitClass::Incomplete => Self::Incomplete,
            ExitClass::Stale => Self::Stale,
            ExitClass::Locked => Self::Locked,
            ExitClass::Refused => Self::Refused,
            ExitClass::Bug => Self::Bug,
            ExitClass::Interrupted => Self::Interrupted,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
