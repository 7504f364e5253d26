//! The codes of steps that fail for a reason of the run; errors of a provider keep their own codes.

use crate::core::code::codes;

codes! {
    CANARY_FAILED "canary_failed" Incomplete:
        "the canary of … did not work under traffic: …",
        "It passed its gate, and then exited, or a check failed. It was destroyed, and no Machine of the groups with canaries was changed.",
        "Check its logs, correct the release, and apply again.";
    DESTROY_TIMEOUT "destroy_timeout" Incomplete:
        "Machine … is still …",
        "The platform accepted the call, but the Machine still exists.",
        "Run the command again.";
    GATE_TIMEOUT "gate_timeout" Incomplete:
        "Machine … was not ready within … s: …",
        "It did not start, or its checks did not pass in time.",
        "Check its logs: `aeroform logs ID`; `--wait-timeout` or `wait_timeout` in `[groups.NAME.deploy]` allows more time.";
    GREEN_FAILED "green_failed" Incomplete:
        "the new Machine … of … … after the switch; no old Machine was removed, and both sets serve",
        "In the first seconds under traffic a new Machine of a bluegreen group crashed or failed a check.",
        "Check its logs: `aeroform logs ID`. The next apply waits for it and goes on; with other files it destroys the new Machines first.";
    HOST_SILENT "host_silent" Incomplete:
        "the host of … is unreachable, so its config cannot be read",
        "An update starts from the current config.",
        "Wait for the host, then run the command again.";
    ONCE_BUSY "once_busy" Incomplete:
        "Machine … still runs the release command of an earlier run or of somebody else; nothing was changed",
        "A release command is never destroyed. This one did not end within `release_command_timeout`.",
        "Read its output with `fly logs --machine ID`, and apply again when it has ended.";
    ONCE_TIMEOUT "once_timeout" Incomplete:
        "the … did not end on Machine … within … s; …",
        "`release_command_timeout` or `verify_timeout` has passed. No Machine of the app was changed by a release command that timed out.",
        "Allow more time with `--release-command-timeout`, and apply again.";
    RELEASE_COMMAND_FAILED "release_command_failed" Incomplete:
        "the … (…) failed on Machine … after … s: …",
        "It ended with another code than 0. No Machine was changed.",
        "Read its output with `fly logs --machine ID`, correct it, and apply again: it runs again.";
    VERIFY_FAILED "verify_failed" Incomplete:
        "the … (…) failed on Machine … after … s: …",
        "`[deploy] verify` found that the new release does not work. Nothing was destroyed.",
        "Read its output with `fly logs --machine ID`; `aeroform rollback` goes back.";
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
    SWITCH_FAILED "switch_failed" Incomplete:
        "… of … new Machines of … could not be added to the load balancing: …; no old Machine was touched",
        "The platform refused to uncordon them, five times.",
        "Run `aeroform apply` again: it goes on with the switch.";
    STOP_TIMEOUT "stop_timeout" Incomplete:
        "Machine … is still … after … s",
        "The Machine neither exits nor can be stopped.",
        "Run the command again; check its logs.";
}
