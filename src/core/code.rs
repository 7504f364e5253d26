//! Stable names of what goes wrong or is worth saying, each with its row of docs/errors.md.
//!
//! A code can be made only by [`codes!`], and each room has its own list of them in a file `codes.rs`:
//! what a room can say stands there, and nothing is said under a name that stands nowhere. Knows no
//! exit codes: that is the edge's business, and [`Ends`] is what it decides by. Names never change their
//! meaning.

/// How a command ends that meets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// It goes on: there is something to know.
    Not,
    /// With an error that nothing else says more about.
    Error,
    /// After an apply that is not complete.
    Incomplete,
    /// Because plan, state and world do not belong together any more.
    Stale,
    /// Because somebody else holds the state's lock.
    Locked,
    /// Because there is no consent, or a guard refuses.
    Refused,
    /// By a bug of our own.
    Bug,
    /// By a signal.
    Interrupted,
}

/// A stable code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Code(&'static Entry);

/// What docs/errors.md says about a code.
#[derive(PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) ends: Ends,
    pub(crate) message: &'static str,
    pub(crate) cause: &'static str,
    pub(crate) hint: &'static str,
}

impl Code {
    /// For [`codes!`] alone.
    pub(crate) const fn declared(entry: &'static Entry) -> Self {
        Self(entry)
    }

    /// The name (`stale_plan`).
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// How a command ends that meets it.
    pub const fn exit_class(self) -> Ends {
        self.0.ends
    }

    /// What is said, with `…` where values stand.
    pub const fn message(self) -> &'static str {
        self.0.message
    }

    /// What is behind it.
    pub const fn cause(self) -> &'static str {
        self.0.cause
    }

    /// What to do.
    pub const fn hint(self) -> &'static str {
        self.0.hint
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Declares the codes of a room: name, how a command ends that meets it, what is said, why, and what to
/// do. Makes a constant of each, and the list `ALL` of them.
macro_rules! codes {
    ($($constant:ident $name:literal $ends:ident: $message:literal, $cause:literal, $hint:literal;)+) => {
        $(
            #[doc = concat!("`", $name, "`: ", $cause, ".")]
            pub const $constant: $crate::core::code::Code =
                $crate::core::code::Code::declared(&$crate::core::code::Entry {
                    name: $name,
                    ends: $crate::core::code::Ends::$ends,
                    message: $message,
                    cause: $cause,
                    hint: $hint,
                });
        )+

        /// Every code of this room, as docs/errors.md lists them.
        pub const ALL: &[$crate::core::code::Code] = &[$($constant),+];
    };
}

pub(crate) use codes;
