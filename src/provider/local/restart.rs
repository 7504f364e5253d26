//! Decides what to do after the main process exits, by the restart policy; pure functions.

use std::time::Duration;

use super::record::ProcessExit;
use crate::core::fleet::schema::Restart;

/// After this uptime, retries and backoff are reset.
const STABLE_AFTER: Duration = Duration::from_secs(10);
/// The platform's default for `on-failure` (docs/platform/machines-api.md 3).
const DEFAULT_RETRIES: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// When to restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RestartPolicy {
    Always,
    OnFailure { retries: u32 },
    Never,
}

/// What to do after an exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RestartDecision {
    /// Restart after this delay.
    Restart(Duration),
    /// Done; no restart.
    Done,
    /// Give up.
    GiveUp,
}

/// The restarts since one start.
#[derive(Debug, Clone)]
pub(super) struct Restarts {
    policy: RestartPolicy,
    in_a_row: u32,
    /// Total since the start, for people.
    pub(super) total: u32,
}

impl Restarts {
    /// Reads the policy; an absent or unknown one means `on-failure`, as on the platform.
    pub(super) fn from_config(restart: Option<&Restart>) -> Self {
        let policy = match restart.and_then(|restart| restart.policy.as_deref()) {
            Some("always") => RestartPolicy::Always,
            Some("no") => RestartPolicy::Never,
            _ => RestartPolicy::OnFailure {
                retries: restart
                    .and_then(|restart| restart.max_retries)
                    .unwrap_or(DEFAULT_RETRIES),
            },
        };
        Self {
            policy,
            in_a_row: 0,
            total: 0,
        }
    }

    /// Decides, and counts the restart if there is one.
    pub(super) fn decide_after_exit(&mut self, exit: ProcessExit, up: Duration) -> RestartDecision {
        if up >= STABLE_AFTER {
            self.in_a_row = 0;
        }
        let again = match self.policy {
            RestartPolicy::Always => true,
            RestartPolicy::OnFailure { retries } => !exit.is_success() && self.in_a_row < retries,
            RestartPolicy::Never => false,
        };
        if again {
            let pause = FIRST_PAUSE
                .saturating_mul(2_u32.saturating_pow(self.in_a_row))
                .min(LONGEST_PAUSE);
            self.in_a_row += 1;
            self.total += 1;
            return RestartDecision::Restart(pause);
        }
        if exit.is_success() {
            RestartDecision::Done
        } else {
            RestartDecision::GiveUp
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRASH: ProcessExit = ProcessExit::Code(3);
    const SHORT: Duration = Duration::from_millis(50);

    fn under(policy: Option<&str>, max_retries: Option<u32>) -> Restarts {
        Restarts::from_config(Some(&Restart {
            policy: policy.map(str::to_owned),
            max_retries,
            ..Restart::default()
        }))
    }

    #[test]
    fn pauses_double_up_to_a_limit_and_reset_after_a_while_up() {
        let mut restarts = under(Some("always"), None);
        let mut pause = |up| match restarts.decide_after_exit(CRASH, up) {
            RestartDecision::Restart(pause) => pause.as_millis(),
            other => panic!("{other:?}"),
        };
        assert_eq!([pause(SHORT), pause(SHORT), pause(SHORT)], [200, 400, 800]);
        for _ in 0..40 {
            pause(SHORT);
        }
        assert_eq!(pause(SHORT), 30_000);
        assert_eq!(pause(STABLE_AFTER), 200);
        assert_eq!(restarts.total, 45);
    }

    #[test]
    fn on_failure_is_the_default_and_ends_after_its_retries() {
        let mut restarts = under(None, Some(1));
        assert_eq!(
            restarts.decide_after_exit(ProcessExit::Code(0), SHORT),
            RestartDecision::Done
        );
        assert!(matches!(
            restarts.decide_after_exit(CRASH, SHORT),
            RestartDecision::Restart(_)
        ));
        assert_eq!(
            restarts.decide_after_exit(CRASH, SHORT),
            RestartDecision::GiveUp
        );
        assert_eq!(restarts.total, 1);
        let mut absent = Restarts::from_config(None);
        assert!((0..10).all(|_| matches!(
            absent.decide_after_exit(CRASH, SHORT),
            RestartDecision::Restart(_)
        )));
        assert_eq!(
            absent.decide_after_exit(CRASH, SHORT),
            RestartDecision::GiveUp
        );
    }

    #[test]
    fn always_starts_again_after_success_and_no_never_does() {
        let always = under(Some("always"), None).decide_after_exit(ProcessExit::Code(0), SHORT);
        assert!(matches!(always, RestartDecision::Restart(_)));
        assert_eq!(
            under(Some("no"), None).decide_after_exit(ProcessExit::Code(0), SHORT),
            RestartDecision::Done
        );
        assert_eq!(
            under(Some("no"), None).decide_after_exit(CRASH, SHORT),
            RestartDecision::GiveUp
        );
    }
}
