//! The codes of steps that fail for a reason of the run; errors of a provider keep their own codes.

use crate::core::code::codes;

codes! {
    DESTROY_TIMEOUT "destroy_timeout" Incomplete:
        "Machine … is still …",
        "The platform accepted the call, but the Machine still exists.",
        "Run the command again.";
    GATE_TIMEOUT "gate_timeout" Incomplete:
        "Machine … was not ready within … s: …",
        "It did not start, or its checks did not pass in time.",
        "Check its logs: `aeroform logs ID`; `wait_timeout` in `[deploy]` allows more time.";
    HOST_SILENT "host_silent" Incomplete:
        "the host of … is unreachable, so its config cannot be read",
        "An update starts from the current config.",
        "Wait for the host, then run the command again.";
    PLAN_MISMATCH "plan_mismatch" Incomplete:
        "the plan …",
        "The plan does not match the manifests: a bug, or a file changed in between.",
        "Plan again; report it if it happens again.";
    REVERTED "reverted" Incomplete:
        "Machine … was updated but runs its previous version again",
        "The platform accepted the new version and then restored the previous one.",
        "Check the Machine with `aeroform machine status ID`, then apply again.";
    WRONG_REGION "wrong_region" Incomplete:
        "Machine … is in …, not …",
        "The platform created the Machine in another region than requested.",
        "Destroy it, or add its region to aeroform.toml, then run `aeroform plan`.";
    STOP_TIMEOUT "stop_timeout" Incomplete:
        "Machine … is still … after … s",
        "The Machine neither exits nor can be stopped.",
        "Run the command again; check its logs.";
}
