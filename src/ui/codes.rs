//! The codes of this module, and those for errors of the modules below.

use crate::core::code::codes;

codes! {
    BUG "bug" Bug:
        "…",
        "An internal check failed: a bug in Aeroform.",
        "Report it with the message.";
    INTERRUPTED "interrupted" Interrupted:
        "interrupted; nothing was changed",
        "SIGINT, SIGTERM or SIGHUP came before the first call.",
        "Run the command again.";
    JOURNAL "journal" Error:
        "the journal …: …",
        "The journal cannot be read or written, is damaged, or has a newer format.",
        "Follow the message. The journal can be deleted; nothing depends on it.";
    LOCKED "locked" Locked:
        "the state is locked by …",
        "Another command is changing this app.",
        "Wait for the holder, or use `--lock-timeout`.";
    NO_ANSWER "no_answer" Refused:
        "the question was not answered; nothing was changed",
        "The terminal was closed, Ctrl-D was pressed, or Esc in a list.",
        "Answer the question, or use the flag for it.";
    OUTPUT "output" Error:
        "cannot write to standard output",
        "The disk is full, or the device is gone. A closed pipe is not an error.",
        "Check where the output goes.";
    SIGNALS "signals" Error:
        "cannot listen for signals",
        "The system refuses it.",
        "See the cause.";
    STATE_ADDRESS "state_address" Error:
        "…",
        "`[state] url` is not of the form `git+REMOTE`, names a remote that the repository lacks, or a host that none of its remotes has.",
        "Follow the hint.";
    STATE_CHANGED "state_changed" Stale:
        "… was changed since it was read",
        "Another command wrote the state in between.",
        "Run the command again with the new state.";
    STATE_IO "state_io" Error:
        "cannot … …",
        "The state file cannot be read or written.",
        "Check its permissions and free space.";
    STATE_REMOTE "state_remote" Error:
        "cannot … git+…: …",
        "The git remote of the state did not answer, or refused the push.",
        "Follow the hint; docs/gitops.md lists who may push what.";
    UNWRITABLE "unwritable" Error:
        "cannot write `…`",
        "The system denies access, the disk is full, or the name is a symbolic link or anything but an ordinary file.",
        "Check permissions and free space, or name another file.";
}
