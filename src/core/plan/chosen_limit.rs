//! A limit of Machines in whole numbers, so that the text of a plan has one form: what `--max-unavailable` chooses.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::core::fleet::Limit;

/// A number of Machines, or a share of a group in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChosenLimit {
    /// This many.
    Machines(u32),
    /// This share of them, in millionths: more than none and less than all.
    Millionths(u32),
}

impl From<Limit> for ChosenLimit {
    fn from(limit: Limit) -> Self {
        match limit {
            Limit::Count(n) => Self::Machines(n),
            Limit::Share(share) => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a share from 0 to 1"
                )]
                let millionths = (share.clamp(0.0, 1.0) * 1e6).round() as u32;
                // A whole would be read as one Machine.
                Self::Millionths(millionths.clamp(1, 999_999))
            }
        }
    }
}

impl From<ChosenLimit> for Limit {
    fn from(chosen: ChosenLimit) -> Self {
        match chosen {
            ChosenLimit::Machines(n) => Self::Count(n),
            ChosenLimit::Millionths(share) => Self::Share(f64::from(share) / 1e6),
        }
    }
}

impl fmt::Display for ChosenLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machines(n) => write!(f, "{n}"),
            Self::Millionths(share) => write!(f, "{}", f64::from(*share) / 1e6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_written_as_the_flag_takes_it() {
        for (number, text) in [
            (0.33, "0.33"),
            (0.5, "0.5"),
            (1.0, "1"),
            (2.9, "2"),
            (1e-9, "0.000001"),
            (0.999_999_9, "0.999999"),
        ] {
            let chosen = ChosenLimit::from(Limit::of_number(number).unwrap());
            assert_eq!(chosen.to_string(), text);
        }
        let third = ChosenLimit::from(Limit::Share(1.0 / 3.0));
        assert_eq!(Limit::from(third).to_count_ceil(3), 1);
    }
}
