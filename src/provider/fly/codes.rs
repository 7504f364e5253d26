//! The codes of this provider beside those that all share.

use crate::core::code::codes;

codes! {
    BAD_BASE_URL "bad_base_url" Error:
        "`…` is `…`, which is not a valid API address",
        "`FLY_FLAPS_BASE_URL` or `FLY_API_BASE_URL` is not an http or https address.",
        "Correct it, or unset it to use Fly's own address.";
    BAD_TOKEN "bad_token" Error:
        "the token in `…` is not valid: …",
        "The variable's value cannot be a token.",
        "`export FLY_API_TOKEN=$(fly auth token)`.";
    CONNECTION_LOST "connection_lost" Error:
        "… got an incomplete response from …: …",
        "The connection closed before the response was complete. It is unknown whether the call took effect.",
        "Run the command again: it checks whether the call took effect.";
    LOGS_ELSEWHERE "logs_elsewhere" Error:
        "the Machines API cannot stream logs",
        "Fly serves logs from another service, which Aeroform does not use.",
        "Use `fly logs`; without `-f`, Aeroform prints the Machines' events.";
    NO_CONNECTION "no_connection" Error:
        "…: cannot connect to …: …",
        "The connection failed; nothing was changed.",
        "Check the network, and `FLY_FLAPS_BASE_URL` if it is set.";
    NO_TLS "no_tls" Error:
        "cannot use TLS: …",
        "The system has no trusted certificates.",
        "Install CA certificates, or set `SSL_CERT_FILE` to a file that contains them.";
    NO_TOKEN "no_token" Error:
        "no token for Fly is set",
        "Neither `FLY_API_TOKEN` nor `FLY_ACCESS_TOKEN` is set.",
        "`export FLY_API_TOKEN=$(fly auth token)`; in a pipeline, the output of `fly tokens create deploy`.";
    PLAIN_HTTP "plain_http" Error:
        "`…` is `…`: refusing to send a token without encryption",
        "The address is http://, and its host is neither this computer nor in `.internal`.",
        "Use https://.";
    TOKEN_IN_NAME "token_in_name" Error:
        "the response to … contains the token, in `…`",
        "An id, a name or a region in the response contains the token and would be stored in the state.",
        "Revoke the token, and report this to the operator of the API.";
    TOO_LARGE "too_large_answer" Error:
        "the response to … is too large: …",
        "The response is larger than any that the Machines API sends.",
        "Check `FLY_FLAPS_BASE_URL`. After a change, run the command again: it checks whether the call took effect.";
}
