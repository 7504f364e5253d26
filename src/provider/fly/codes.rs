//! The codes of this provider beside those that all share.

use crate::core::code::codes;

codes! {
    BAD_BASE_URL "bad_base_url" Error:
        "`…` is `…`, which is no address to ask at",
        "`FLY_FLAPS_BASE_URL` or `FLY_API_BASE_URL` holds something else than an http or https address.",
        "Correct it, or unset it to ask Fly itself.";
    BAD_TOKEN "bad_token" Error:
        "the token in `…` is none: …",
        "The variable holds nothing that could be a token.",
        "`export FLY_API_TOKEN=$(fly auth token)`.";
    CONNECTION_LOST "connection_lost" Error:
        "… got no whole answer from …: …",
        "The connection ended before the answer was whole, and it is not known whether the call was carried out.",
        "Run the command again: it asks what came of it.";
    LOGS_ELSEWHERE "logs_elsewhere" Error:
        "the Machines API has no logs to follow",
        "Fly keeps logs on another service, which Aeroform does not ask.",
        "`fly logs` follows them; without `-f` you see what happened to the Machines.";
    NO_CONNECTION "no_connection" Error:
        "… could not be asked at …: …",
        "No connection came about; nothing was changed.",
        "Check the network, and `FLY_FLAPS_BASE_URL` if it is set.";
    NO_TLS "no_tls" Error:
        "cannot speak TLS: …",
        "The system has no certificates to trust.",
        "Install them, or name a file of them in `SSL_CERT_FILE`.";
    NO_TOKEN "no_token" Error:
        "there is no token for Fly",
        "Neither `FLY_API_TOKEN` nor `FLY_ACCESS_TOKEN` is set.",
        "`export FLY_API_TOKEN=$(fly auth token)`; in a pipeline, the output of `fly tokens create deploy`.";
    PLAIN_HTTP "plain_http" Error:
        "`…` is `…`: a token does not travel without encryption",
        "The address begins with http:// and leads neither to this computer nor to a `.internal` host.",
        "Write https://.";
    TOKEN_IN_NAME "token_in_name" Error:
        "… answered with the token that it was sent, in `…`",
        "An id, a name or a region of an answer has the token in it, and would be remembered in the state.",
        "Replace the token, and ask whoever runs the API why it shows it.";
    TOO_LARGE "too_large_answer" Error:
        "… is not read to its end: …",
        "An answer is larger than any that the Machines API gives.",
        "Check `FLY_FLAPS_BASE_URL`; after a change, run the command again: it asks what came of it.";
}
