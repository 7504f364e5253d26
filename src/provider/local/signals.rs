//! Signals by name, and sending them to exactly the process that was meant.

use rustix::process::{Pid, Signal};

/// The signal that fly.toml calls so; none for a name that there is not.
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

/// Sends a signal to a process if it still is the one that `still_meant` recognises. The handle is
/// taken before the question is asked, so a number that was used again is never hit.
#[cfg(target_os = "linux")]
pub(super) fn send_if(pid: i32, signal: Signal, still_meant: impl Fn() -> bool) {
    use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
    let Some(number) = Pid::from_raw(pid) else {
        return;
    };
    // A process that is gone needs no signal, and one that may not be signalled is reported by the
    // caller, which finds it still there.
    if let Ok(handle) = pidfd_open(number, PidfdFlags::empty())
        && still_meant()
    {
        let _ = pidfd_send_signal(handle, signal);
    }
}

/// The same where there are no process handles: asked first, sent then.
#[cfg(not(target_os = "linux"))]
pub(super) fn send_if(pid: i32, signal: Signal, still_meant: impl Fn() -> bool) {
    if let Some(number) = Pid::from_raw(pid)
        && still_meant()
    {
        let _ = rustix::process::kill_process(number, signal);
    }
}
