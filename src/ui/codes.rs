//! The codes of what this floor does itself, and those that it gives to the floors below.

use crate::core::code::codes;

codes! {
    BUG "bug" Bug:
        "…",
        "Something that cannot be, unless the program is wrong.",
        "Report it with the message.";
    INTERRUPTED "interrupted" Interrupted:
        "interrupted; nothing was changed",
        "SIGINT, SIGTERM or SIGHUP came before the first call.",
        "Run the command again.";
    JOURNAL "journal" Error:
        "the journal …: …",
        "It cannot be read or written, is damaged, or belongs to a newer version.",
        "Do what the message says; nothing depends on the journal, it can be deleted.";
    LOCKED "locked" Locked:
        "the state is locked by …",
        "Another command is at work on this app.",
        "Wait for the holder that is named, or give `--lock-timeout`.";
    NO_ANSWER "no_answer" Refused:
        "the question was not answered; nothing was changed",
        "The terminal was closed, Ctrl-D was typed, or Esc at a list.",
        "Answer it, or give the flag that answers.";
    OUTPUT "output" Error:
        "cannot write to standard output",
        "The disk is full, or the device is gone. A reader that went away is no error.",
        "Look at where the output goes.";
    SIGNALS "signals" Error:
        "cannot listen for signals",
        "The system refuses it.",
        "See the cause.";
    STATE_CHANGED "state_changed" Stale:
        "… was changed since it was read",
        "Another command wrote the state in between.",
        "Run the command again: it reads the state anew.";
    STATE_IO "state_io" Error:
        "cannot … …",
        "The system refuses to read or write the state file.",
        "Look at its permissions and the space there.";
}
