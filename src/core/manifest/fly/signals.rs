//! `kill_signal` and `kill_timeout`: how a Machine is stopped (docs/platform/fly-toml.md 3.6).

use crate::core::fleet::schema::StopConfig;

use super::super::codes;
use super::super::diagnostics::{Diagnostic, quote_text};
use super::super::duration::{NumberUnit, to_platform_text};
use super::super::fields::Fields;
use super::super::tree::Located;

/// Signals that the Machines API lists for `stop_config.signal`.
const SIGNALS: [&str; 7] = [
    "SIGINT", "SIGTERM", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGKILL", "SIGHUP",
];

/// Other signals; whether the platform accepts them is unknown.
const UNLISTED_SIGNALS: [&str; 12] = [
    "SIGABRT", "SIGALRM", "SIGCHLD", "SIGCONT", "SIGFPE", "SIGILL", "SIGPIPE", "SIGSEGV",
    "SIGSTOP", "SIGTRAP", "SIGTSTP", "SIGWINCH",
];

/// Fly's maximum wait in nanoseconds.
const MAX_KILL_TIMEOUT: u64 = 300 * 1_000_000_000;

/// Reads the two top-level keys; `old_timeout` is that of `[experimental]`.
pub(super) fn stop(
    fields: &mut Fields<'_, '_>,
    old_timeout: Option<Located<u64>>,
) -> Option<StopConfig> {
    let signal = signal(fields);
    let timeout = timeout(fields, NumberUnit::Seconds)
        .or(old_timeout)
        .map(to_platform_text);
    if signal.is_none() && timeout.is_none() {
        return None;
    }
    Some(StopConfig {
        signal,
        timeout,
        ..StopConfig::default()
    })
}

/// `kill_signal` as written; without this check a wrong one would be noticed only at a stop.
pub(super) fn signal(fields: &mut Fields<'_, '_>) -> Option<String> {
    let signal = fields
        .string("kill_signal")
        .filter(|signal| !signal.value.is_empty())?;
    let name = signal.value.as_str();
    if SIGNALS.contains(&name) {
        return Some(signal.value);
    }
    let file = fields.file;
    let path = fields.path("kill_signal");
    let upper = name.to_ascii_uppercase();
    let whole = if upper.starts_with("SIG") {
        upper
    } else {
        format!("SIG{upper}")
    };
    let known = SIGNALS.contains(&whole.as_str()) || UNLISTED_SIGNALS.contains(&whole.as_str());
    let diagnostic = if known {
        let message = format!(
            "`{path}`: Fly does not document the signal {}",
            quote_text(name)
        );
        Diagnostic::warning(codes::UNLISTED_SIGNAL, message)
    } else {
        Diagnostic::error(
            codes::NO_SUCH_SIGNAL,
            format!("unknown signal {}", quote_text(name)),
        )
    };
    let all = || format!("the signals are {}", SIGNALS.join(", "));
    let help = if known && SIGNALS.contains(&whole.as_str()) {
        format!("write it as `{whole}`")
    } else {
        file.suggestion(&whole, SIGNALS).unwrap_or_else(all)
    };
    file.report(
        diagnostic
            .with_location(file.location(signal.span, ""))
            .help(help),
    );
    Some(signal.value)
}

/// `kill_timeout`, in nanoseconds.
pub(super) fn timeout(fields: &mut Fields<'_, '_>, number: NumberUnit) -> Option<Located<u64>> {
    let timeout = fields.duration("kill_timeout", number)?;
    if timeout.value > MAX_KILL_TIMEOUT {
        let message = format!(
            "`{}` is more than 5 minutes, Fly's maximum",
            fields.path("kill_timeout")
        );
        let location = fields.file.location(timeout.span.clone(), "");
        fields.file.report(
            Diagnostic::warning(codes::KILL_TIMEOUT_TOO_LONG, message)
                .with_location(location)
                .help("write at most \"5m\""),
        );
    }
    Some(timeout)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::fly_fields;
    use super::*;

    #[test]
    fn a_stop_config_has_only_what_is_said() {
        let (stop, _) = fly_fields("kill_signal = \"SIGTERM\"", |f| stop(f, None));
        let stop = stop.unwrap();
        assert_eq!(
            (stop.signal.as_deref(), stop.timeout),
            (Some("SIGTERM"), None)
        );
        assert_eq!(fly_fields("", |f| super::stop(f, None)).0, None);
        let old = |f: &mut Fields<'_, '_>| super::stop(f, Some(Located::new(3_000_000_000, 0..0)));
        assert_eq!(
            fly_fields("", old).0.unwrap().timeout.as_deref(),
            Some("3s")
        );
        let (both, _) = fly_fields("kill_timeout = 7", old);
        assert_eq!(both.unwrap().timeout.as_deref(), Some("7s"));
    }

    #[test]
    fn unknown_signals_and_times_that_are_too_long_are_reported() {
        for (text, errors, warnings) in [
            ("kill_signal = \"SIGTERM\"", 0, 0),
            ("kill_signal = \"TERM\"", 0, 1),
            ("kill_signal = \"sigterm\"", 0, 1),
            ("kill_signal = \"SIGWINCH\"", 0, 1),
            ("kill_signal = \"SIGTREM\"", 1, 0),
            ("kill_timeout = 300", 0, 0),
            ("kill_timeout = \"301s\"", 0, 1),
        ] {
            let (_, found) = fly_fields(text, |f| stop(f, None));
            assert_eq!(
                (found.errors(), found.warnings()),
                (errors, warnings),
                "{text}"
            );
        }
    }
}
