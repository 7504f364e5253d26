"""What the programs of this example have in common: who they are and how they are stopped."""

import os
import signal
import sys


def about():
    """The Machine that this process is, as its environment says."""
    return {
        "group": os.environ.get("FLY_PROCESS_GROUP", "-"),
        "machine": os.environ.get("FLY_MACHINE_ID", "-"),
        "region": os.environ.get("FLY_REGION", "-"),
    }


def on_stop(stop):
    """Calls `stop` once when the Machine is stopped, whichever of the usual signals is sent."""

    def handle(number, _frame):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print(f"{about()['group']}: stopping on {signal.Signals(number).name}", flush=True)
        stop()

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)


def number(name, default):
    """A variable that must be a whole number from 1 on, or the default."""
    text = os.environ.get(name) or str(default)
    if not text.isdigit() or int(text) < 1:
        sys.exit(f"{name} must be a whole number from 1 on, not {text!r}")
    return int(text)
