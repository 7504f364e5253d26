//! The codes of steps that fail for a reason of the run itself; what a provider answers keeps its own.

use crate::core::code::codes;

codes! {
    DESTROY_TIMEOUT "destroy_timeout" Incomplete:
        "Machine … is still …",
        "It was told to go and is still there.",
        "Run the command again.";
    GATE_TIMEOUT "gate_timeout" Incomplete:
        "Machine … was not ready within … s: …",
        "It did not start or its checks did not pass in time.",
        "Look at its logs: `aeroform logs ID`; `wait_timeout` in `[deploy]` gives it longer.";
    HOST_SILENT "host_silent" Incomplete:
        "the host of … does not answer, its config cannot be read",
        "An update has to begin from what is there.",
        "Wait for the host, then run the command again.";
    PLAN_MISMATCH "plan_mismatch" Incomplete:
        "the plan …",
        "The plan and the manifests do not belong together; a bug, or a file that was changed between the two.",
        "Plan again; report it if it stays.";
    REVERTED "reverted" Incomplete:
        "Machine … was updated and runs the version of before again",
        "The platform took the new version and went back to the old one.",
        "Look at the Machine with `aeroform machine status ID`, then apply again.";
    WRONG_REGION "wrong_region" Incomplete:
        "Machine … is in …, not …",
        "The platform has made the Machine in another region than it was asked for.",
        "Destroy it or let its region stand in aeroform.toml, then run `aeroform plan`.";
    STOP_TIMEOUT "stop_timeout" Incomplete:
        "Machine … was told to stop and is … after … s",
        "It neither ends nor lets itself be stopped.",
        "Run the command again; look at its logs.";
}
