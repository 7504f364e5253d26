//! The codes of what providers answer, each with one meaning for all of them.

use crate::core::code::codes;

codes! {
    ALREADY_EXISTS "already_exists" Error:
        "… already_exists …",
        "A Machine of that name is there.",
        "Apply again: it is found and taken.";
    BUSY "busy" Error:
        "failed_precondition: …",
        "The Machine is between two states.",
        "Nothing: it is tried again.";
    CONFLICT "conflict" Error:
        "… is gone",
        "The Machine was changed or destroyed by somebody else since the plan was made.",
        "Run the command again: it plans from what is there now.";
    FAILED_PRECONDITION "failed_precondition" Error:
        "failed_precondition: …",
        "The platform does not do this to a Machine in that state.",
        "Look at the Machine with `aeroform status`.";
    IMAGE_NOT_FOUND "image_not_found" Error:
        "… MANIFEST_UNKNOWN …",
        "The registry does not have the image; one that was pushed a moment ago is waited for, 30 s long.",
        "Was it pushed, and is its name right? Then apply again.";
    LEASED "leased" Error:
        "Machine … is leased by … until …: …",
        "Somebody else has taken the Machine's lease, so that nobody changes it meanwhile.",
        "Wait until that work is done, then apply again.";
    MACHINE_FAILED "machine_failed" Error:
        "Machine … has failed: …",
        "It does not start, ends at once, or was destroyed while it was waited for.",
        "Look at its logs: `aeroform logs ID`.";
    MACHINE_KEEPS_ENDING "machine_keeps_ending" Error:
        "Machine … does not stay up: …",
        "Its program starts and ends over and over, so that waiting for it is in vain.",
        "Look at its logs: `aeroform logs ID`.";
    NO_ACCESS "no_access" Error:
        "…",
        "The token is not for this app.",
        "Log in, or use a token of the right organisation.";
    NOT_FOUND "not_found" Error:
        "… not found",
        "There is no such app or Machine.",
        "Check the app's name.";
    NOT_REACHED "not_reached" Error:
        "machine failed to reach desired state, currently …",
        "It did not come to the state that was waited for.",
        "Look at the Machine with `aeroform status`.";
    NOT_STOPPED "not_stopped" Error:
        "… not stopped",
        "A Machine that runs is not destroyed without force.",
        "Stop it first.";
    NO_ROOM "no_room" Error:
        "… could not reserve resource for machine: …",
        "The Machine's host has no room for what is wanted, or takes no deploys for now, and the Machine cannot be replaced on another one: its volume is on that host, or its region is full.",
        "Apply again later, or with a smaller size or another region.";
    QUOTA "quota" Error:
        "… over the allowed quota",
        "The organisation may have no more Machines, or none of that size, or no way of payment is on record.",
        "Destroy Machines that are not needed, lower the count, or ask Fly for a higher limit.";
    RATE_LIMITED "rate_limited" Error:
        "rate limit exceeded",
        "Too many calls in a short time.",
        "Nothing: it is waited for.";
    REFUSED "refused" Error:
        "invalid config: …",
        "The platform does not take the call.",
        "Change what the message names.";
    SERVER_ERROR "server_error" Error:
        "the answer was lost",
        "The platform had a fault, and it is not known whether the call was carried out.",
        "Run the command again: it asks what came of it.";
    TIMED_OUT "timed_out" Error:
        "the answer was lost",
        "No answer came in time, and it is not known whether the call was carried out.",
        "Run the command again: it asks what came of it.";
    UNREADABLE_ANSWER "unreadable_answer" Error:
        "… answered something else than the API's form: …",
        "The answer has another form than the platform's.",
        "Update Aeroform; report it if that does not help.";
    VOLUME_CLAIMED "volume_claimed" Error:
        "volume already claimed by machine …",
        "Somebody else gave the volume to another Machine after the plan was made.",
        "Run the command again: it takes another volume, or makes one.";
}
