//! The codes that only provider `local` answers with: what can be wrong with processes and files.

use crate::core::code::codes;

codes! {
    APP_BUSY "app_busy" Error:
        "another program is changing … all the time",
        "Its lock was not free for a long while.",
        "Look for an aeroform that hangs.";
    DAMAGED_RECORD "damaged_record" Error:
        "the record of a Machine is damaged: …",
        "A file of the Machine was cut off or edited.",
        "Stop its processes and remove the folder, then apply again.";
    INSTANCE_CHANGED "instance_changed" Error:
        "Machine … was changed in the meantime",
        "Another program updated it first.",
        "Run the command again: it plans from what is there now.";
    LOCAL_FILES "local_files" Error:
        "cannot … …: …",
        "The system refuses a file or folder of the Machines.",
        "Look at the permissions and the space of the folder that is named.";
    MACHINE_NOT_FOUND "machine_not_found" Error:
        "there is no Machine …",
        "Somebody removed it.",
        "Run the command again: it plans from what is there now.";
    NO_SUSPEND "no_suspend" Error:
        "provider `local` cannot suspend: …",
        "A process of this computer cannot keep its memory and give up its port.",
        "Stop the Machine instead.";
    PORT_IN_USE "port_in_use" Error:
        "no port is free",
        "Other processes listen on every port from the app's first one on.",
        "Stop what uses the ports, or set `AEROFORM_LOCAL_PORTS` to a lower number.";
    PROCESSES_REMAIN "processes_remain" Error:
        "processes of Machine … do not end when killed",
        "The system cannot end them: they wait for a disk or a device.",
        "Look at them with `ps`; apply again once they are gone.";
    SUPERVISOR_NOT_STARTED "supervisor_not_started" Error:
        "cannot start a supervisor (`…`): …",
        "The program's own file was moved, or no process can be started.",
        "Look at the cause.";
    SUPERVISOR_SILENT "supervisor_silent" Error:
        "no supervisor answers for …",
        "It was started and did not take up its work.",
        "Look into `log` in that folder.";
    UNKNOWN_SIGNAL "unknown_signal" Error:
        "there is no signal `…`",
        "`kill_signal` names one that this system has not.",
        "Use one like `SIGTERM`.";
    MACHINE_STOPPED "machine_stopped" Error:
        "Machine … has stopped: …",
        "It was waited for and somebody or itself stopped it.",
        "Look at its logs: `aeroform logs ID`.";
    WAIT_TIMEOUT "wait_timeout" Error:
        "Machine … is still … after …",
        "It did not come to the state that was waited for in time.",
        "Look at its logs: `aeroform logs ID`.";
}
