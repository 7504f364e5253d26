//! Stable codes of errors and warnings, each with its row of docs/errors.md.
//!
//! Only [`codes!`] creates codes; each module lists its own in a file `codes.rs`. Exit codes are decided
//! elsewhere, by [`ExitClass`]. A code never changes its meaning.

/// How a command ends after this code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitClass {
    /// It continues after a warning.
    Warning,
    /// A general error.
    Error,
    /// The apply is incomplete.
    Incomplete,
    /// The plan does not match the current state any more.
    Stale,
    /// The state's lock is held by another process.
    Locked,
    /// Approval is missing, or a guard refused.
    Refused,
    /// A bug in Aeroform.
    Bug,
    /// The command line is wrong.
    Usage,
    /// Interrupted by a signal.
    Interrupted,
}

/// A stable code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Code(&'static Entry);

/// A code's row of docs/errors.md.
#[derive(PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) exit_class: ExitClass,
    pub(crate) message: &'static str,
    pub(crate) cause: &'static str,
    pub(crate) hint: &'static str,
}

impl Code {
    /// Only for [`codes!`].
    pub(crate) const fn declared(entry: &'static Entry) -> Self {
        Self(entry)
    }

    /// The name (`stale_plan`).
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// How a command ends after this code.
    pub const fn exit_class(self) -> ExitClass {
        self.0.exit_class
    }

    /// The message, with `…` for values.
    pub const fn message(self) -> &'static str {
        self.0.message
    }

    /// The cause.
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

/// Declares the codes of a module: name, exit class, message, cause and hint. Defines a constant for each,
/// and the list `ALL`.
macro_rules! codes {
    ($($constant:ident $name:literal $exit_class:ident: $message:literal, $cause:literal, $hint:literal;)+) => {
        $(
            #[doc = concat!("`", $name, "`: ", $cause, ".")]
            pub const $constant: $crate::core::code::Code =
                $crate::core::code::Code::declared(&$crate::core::code::Entry {
                    name: $name,
                    exit_class: $crate::core::code::ExitClass::$exit_class,
                    message: $message,
                    cause: $cause,
                    hint: $hint,
                });
        )+

        /// Every code of this module, in the order of docs/errors.md.
        pub const ALL: &[$crate::core::code::Code] = &[$($constant),+];
    };
}

pub(crate) use codes;
