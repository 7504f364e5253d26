//! Signals by name, and sending them safely to one process.

use rustix::process::{Pid, Signal};

/// The signal with this name in fly.toml, if there is one.
pub(super) fn by_name(name: &str) -> Option<Signal> {
    let name = name.to_ascii_uppercase();
    Some(match name.strip_prefix("SIG").unwrap_or(&name) {
        "HUP" => Signal::HUP,
        "INT" => Signal::INT,
        "QUIT" => Signal::QUIT,
        "ABRT" => Signal::ABORT,
        "KILL" => Signal::KILL,
        "USR1" => Signal::USR1,
        "USR2" => Signal::USR2,
        "ALRM" => Signal::ALARM,
        "TERM" => Signal::TERM,
        "TRAP" => Signal::TRAP,
        "WINCH" => Signal::WINCH,
        "STOP" => Signal::STOP,
        _ => return None,
    })
}

/// Sends a signal if the process is still the one that `still_meant` recognises. The handle is opened before
/// the check, so a reused pid is never signalled.
#[cfg(target_os = "linux")]
pub(super) fn send_if(pid: i32, signal: Signal, still_meant: impl Fn() -> bool) {
    use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
    let Some(number) = Pid::from_raw(pid) else {
        return;
    };
    // An exited process needs no signal; if it may not be signalled, the caller finds it still alive and
    // reports it.
    if let Ok(handle) = pidfd_open(number, PidfdFlags::empty())
        && still_meant()
    {
        let _ = pidfd_send_signal(handle, signal);
    }
}

/// The same without process handles: checks, then sends.
#[cfg(not(target_os = "linux"))]
pub(super) fn send_if(pid: i32, signal: Signal, still_meant: impl Fn() -> bool) {
    if let Some(number) = Pid::from_raw(pid)
        && still_meant()
    {
        let _ = rustix::process::kill_process(number, signal);
    }
}
