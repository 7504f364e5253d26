//! How a step, a call or a wait ends without success.

use crate::core::code::Code;
use crate::core::fleet::Machine;
use crate::provider::{ProviderError, codes};

/// Why a step ends early.
#[derive(Debug)]
pub(super) enum StepError {
    /// Cancelled.
    Halted {
        /// What it was doing, as text.
        during: String,
    },
    /// Certain failure.
    Failed {
        /// Stable code.
        code: String,
        /// What happened.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// Unknown outcome.
    Unknown {
        /// The call without a response.
        message: String,
    },
}

/// The result of a part of a step.
pub(super) type PartResult<T = ()> = Result<T, StepError>;

impl StepError {
    pub(super) fn failed(code: Code, message: impl Into<String>) -> Self {
        Self::Failed {
            code: code.name().to_owned(),
            message: message.into(),
            hint: None,
        }
    }

    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::Failed {
            code: codes::CONFLICT.name().to_owned(),
            message: message.into(),
            hint: Some(
                "`aeroform plan` shows the current Machines and what an apply would revert"
                    .to_owned(),
            ),
        }
    }

    pub(super) fn from_provider(error: &ProviderError) -> Self {
        Self::Failed {
            code: error.code.to_owned(),
            message: error.message.clone(),
            hint: error.hint.clone(),
        }
    }
}

/// Why one try of a call or a read failed.
#[derive(Debug)]
pub(super) enum TryError {
    /// The provider has refused it, or its answer was lost.
    Provider(ProviderError),
    /// The step ends.
    Step(StepError),
}

impl TryError {
    /// The provider's error, if it is one.
    pub(super) fn provider(&self) -> Option<&ProviderError> {
        match self {
            Self::Provider(error) => Some(error),
            Self::Step(_) => None,
        }
    }
}

impl From<StepError> for TryError {
    fn from(error: StepError) -> Self {
        Self::Step(error)
    }
}

/// Why one try of a part of a step failed.
#[derive(Debug)]
pub(super) enum PartError {
    /// It may pass.
    Again {
        /// What the provider said.
        error: ProviderError,
        /// How the step ends when it is not tried again.
        otherwise: StepError,
    },
    /// The step ends.
    End(StepError),
}

impl PartError {
    /// A failure of which it is not known whether the call did its work.
    pub(super) fn unknown(error: ProviderError) -> Self {
        let message = error.message.clone();
        Self::Again {
            error,
            otherwise: StepError::Unknown { message },
        }
    }

    /// A call that something else was faster than.
    pub(super) fn conflict(error: ProviderError) -> Self {
        let otherwise = StepError::conflict(error.message.clone());
        Self::Again { error, otherwise }
    }

    /// A call that certainly did nothing.
    pub(super) fn refused(error: ProviderError) -> Self {
        let otherwise = StepError::from_provider(&error);
        Self::Again { error, otherwise }
    }

    /// How the step ends with it.
    pub(super) fn into_step_error(self) -> StepError {
        match self {
            Self::Again { otherwise, .. } => otherwise,
            Self::End(end) => end,
        }
    }
}

impl From<StepError> for PartError {
    fn from(error: StepError) -> Self {
        Self::End(error)
    }
}

/// Why a call returned no receipt.
#[derive(Debug)]
pub(super) enum CallError {
    /// Another client was faster.
    Conflict(ProviderError),
    /// There is no such Machine.
    NotFound(ProviderError),
    /// No capacity on the Machine's host or in the region.
    NoRoom(ProviderError),
    /// The provider does not support this call in that state, or at all.
    Invalid(ProviderError),
    /// It may have succeeded; a read decides.
    Unknown(ProviderError),
    /// The step ends.
    Step(StepError),
}

/// The result of a wait.
#[derive(Debug)]
pub(super) enum WaitResult {
    /// Reached.
    Reached(Box<Machine>),
    /// It is gone.
    Gone,
    /// Not reached, with the provider's detail.
    NotYet(Option<String>),
}
