//! Error codes of provider `local`, about processes and files.

use crate::core::code::codes;

codes! {
    APP_BUSY "app_busy" Error:
        "another process holds the lock of …",
        "Aeroform waited for the lock of the app's folder and did not get it.",
        "Look for a hanging aeroform process.";
    DAMAGED_RECORD "damaged_record" Error:
        "the record of a Machine is damaged: …",
        "A file of the Machine was truncated or edited.",
        "Stop the Machine's processes and remove its folder, then apply again.";
    INSTANCE_CHANGED "instance_changed" Error:
        "Machine … was changed in the meantime",
        "Another process updated it first.",
        "Run the command again: it makes a new plan.";
    LOCAL_FILES "local_files" Error:
        "cannot … …: …",
        "The system denied access to a file or folder of the Machines.",
        "Check the permissions of that folder and the free disk space.";
    MACHINE_NOT_FOUND "machine_not_found" Error:
        "there is no Machine …",
        "It was removed outside this run.",
        "Run the command again: it makes a new plan.";
    NO_SUSPEND "no_suspend" Error:
        "provider `local` cannot suspend: …",
        "A suspended local process would keep its port.",
        "Stop the Machine instead.";
    PORT_IN_USE "port_in_use" Error:
        "no port is free",
        "Other processes use every port from the app's first port on.",
        "Stop what uses the ports, or set `AEROFORM_LOCAL_PORTS` to a lower number.";
    PROCESSES_REMAIN "processes_remain" Error:
        "processes of Machine … survive SIGKILL",
        "The system cannot kill them: they wait for a disk or a device.",
        "Inspect them with `ps`; apply again when they are gone.";
    SUPERVISOR_NOT_STARTED "supervisor_not_started" Error:
        "cannot start a supervisor (`…`): …",
        "The aeroform binary was moved, or the system cannot start a process.",
        "See the cause.";
    SUPERVISOR_SILENT "supervisor_silent" Error:
        "the supervisor of … does not respond",
        "The supervisor was started and did not report itself ready.",
        "Read the file `log` in that folder.";
    UNKNOWN_SIGNAL "unknown_signal" Error:
        "there is no signal `…`",
        "`kill_signal` names a signal that this system does not have.",
        "Use a signal like `SIGTERM`.";
    MACHINE_STOPPED "machine_stopped" Error:
        "Machine … has stopped: …",
        "The Machine stopped while Aeroform waited for it to start.",
        "Read its logs: `aeroform logs ID`.";
    WAIT_TIMEOUT "wait_timeout" Error:
        "Machine … is still … after …",
        "The Machine did not reach the expected state in time.",
        "Read its logs: `aeroform logs ID`.";
}
