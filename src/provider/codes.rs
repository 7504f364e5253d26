//! Error codes that all providers share, with the same meaning.

use crate::core::code::codes;

codes! {
    ALREADY_EXISTS "already_exists" Error:
        "… already_exists …",
        "A Machine with that name already exists.",
        "Apply again: the plan finds the Machine and uses it.";
    BUSY "busy" Error:
        "failed_precondition: …",
        "The Machine is changing its state.",
        "Nothing: Aeroform retries the call.";
    CONFLICT "conflict" Error:
        "… is gone",
        "The Machine was changed or destroyed outside this run after the plan was made.",
        "Run the command again: it makes a new plan.";
    FAILED_PRECONDITION "failed_precondition" Error:
        "failed_precondition: …",
        "The Machine's state does not allow this action.",
        "Check the Machine with `aeroform status`.";
    IMAGE_NOT_FOUND "image_not_found" Error:
        "… MANIFEST_UNKNOWN …",
        "The registry does not have the image. Aeroform waits up to 30 s, because an image that was just pushed can take that long to appear.",
        "Check the image's name and that it was pushed, then apply again.";
    LEASED "leased" Error:
        "Machine … is leased by … until …: …",
        "Another client holds the Machine's lease, which blocks changes by others.",
        "Wait until the lease is released or expires, then apply again.";
    MACHINE_FAILED "machine_failed" Error:
        "Machine … has failed: …",
        "The Machine does not start, exits at once, or was destroyed while Aeroform waited for it.",
        "Read its logs: `aeroform logs ID`.";
    MACHINE_KEEPS_ENDING "machine_keeps_ending" Error:
        "Machine … does not stay up: …",
        "The Machine's program starts and exits again and again (a crash loop).",
        "Read its logs: `aeroform logs ID`.";
    NO_ACCESS "no_access" Error:
        "…",
        "The token has no access to this app.",
        "Log in, or use a token of the app's organisation.";
    NOT_FOUND "not_found" Error:
        "… not found",
        "There is no such app or Machine.",
        "Check the app's name.";
    NOT_REACHED "not_reached" Error:
        "machine failed to reach desired state, currently …",
        "The Machine did not reach the expected state.",
        "Check the Machine with `aeroform status`.";
    NOT_STOPPED "not_stopped" Error:
        "… not stopped",
        "A running Machine is destroyed only with force.",
        "Stop it first.";
    NO_ROOM "no_room" Error:
        "… could not reserve resource for machine: …",
        "The Machine's host does not have enough capacity, or accepts no deploys for now. The Machine cannot move to another host: its volume is on this one, or the region is full.",
        "Apply again later, or with a smaller size or another region.";
    QUOTA "quota" Error:
        "… over the allowed quota",
        "The organisation has reached its limit of Machines or of this size, or has no payment method.",
        "Destroy Machines that are not needed, lower the count, or ask Fly for a higher limit.";
    RATE_LIMITED "rate_limited" Error:
        "rate limit exceeded",
        "The API received too many calls in a short time.",
        "Nothing: Aeroform waits and retries.";
    REFUSED "refused" Error:
        "invalid config: …",
        "The platform rejects the call.",
        "Change what the message names.";
    SERVER_ERROR "server_error" Error:
        "the response was lost",
        "The platform had an error. It is unknown whether the call took effect.",
        "Run the command again: it checks whether the call took effect.";
    TIMED_OUT "timed_out" Error:
        "the response was lost",
        "No response arrived in time. It is unknown whether the call took effect.",
        "Run the command again: it checks whether the call took effect.";
    UNREADABLE_ANSWER "unreadable_answer" Error:
        "cannot parse the response to …: …",
        "The response does not match the platform's schema.",
        "Update Aeroform; report it if that does not help.";
    VOLUME_CLAIMED "volume_claimed" Error:
        "volume already claimed by machine …",
        "The volume was attached to another Machine after the plan was made.",
        "Run the command again: the new plan uses another volume or creates one.";
}
