//! Converts API errors to error classes and codes (rule 25; docs/platform/machines-api.md 1.6, 1.7).

use std::time::Duration;

use serde_json::Value;

use super::codes as own;
use super::transport::{Response, TransportError};
use crate::core::code::Code;
use crate::core::scrub;
use crate::provider::codes as shared;
use crate::provider::{ErrorClass, ProviderError};

/// Phrases of error messages and their meaning, for any status from 400 to 499: the platform uses several
/// statuses for one problem (docs/platform/machines-api.md 1.7, 20a). The first matching row counts.
const REFUSAL_PATTERNS: &[(&[&str], ErrorClass, Code)] = &[
    (
        &[
            "could not reserve resource for machine",
            "deploys to this host are temporarily disabled",
            "insufficient resources",
            "insufficient memory",
            "insufficient CPUs",
            "no capacity",
            "insufficient_capacity",
            "volume_placement_capacity",
        ],
        ErrorClass::NoRoom,
        shared::NO_ROOM,
    ),
    (
        &[
            "over the allowed quota",
            "machine limit",
            "please add a payment method",
        ],
        ErrorClass::Invalid,
        shared::QUOTA,
    ),
    (
        &["MANIFEST_UNKNOWN", "manifest unknown"],
        ErrorClass::Transient,
        shared::IMAGE_NOT_FOUND,
    ),
    (
        &[
            "already_exists",
            "unique machine name violation",
            "already been taken",
            "name_taken",
        ],
        ErrorClass::Conflict,
        shared::ALREADY_EXISTS,
    ),
];

/// Phrases for a Machine in a transient state.
const BUSY_PHRASES: &[&str] = &["getting replaced", "still active", "current state"];

/// The phrase for a lease held by another client.
pub(super) const LEASE_HELD_PHRASE: &str = "lease currently held by";

/// The upper limit for `Retry-After`.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(600);

/// Beyond this `Retry-After` the error is fatal.
const FATAL_RETRY_DELAY: Duration = Duration::from_secs(60 * 60);

/// Classifies an error response.
pub fn classify(status: u16, message: &str, retry_after: Option<Duration>) -> (ErrorClass, Code) {
    let says = |words: &[&str]| words.iter().any(|part| message.contains(part));
    // Lease owners and names in a message are foreign text.
    if (400..500).contains(&status)
        && !matches!(status, 401 | 404 | 408 | 429)
        && !message.contains(LEASE_HELD_PHRASE)
        && let Some((_, class, code)) = REFUSAL_PATTERNS.iter().find(|(words, _, _)| says(words))
    {
        return (class.clone(), *code);
    }
    match status {
        401 | 403 => (ErrorClass::Fatal, shared::NO_ACCESS),
        404 => (ErrorClass::NotFound, shared::NOT_FOUND),
        408 => (ErrorClass::Unknown, shared::TIMED_OUT),
        429 if retry_after.is_some_and(|pause| pause > FATAL_RETRY_DELAY) => {
            (ErrorClass::Fatal, shared::RATE_LIMITED)
        }
        429 => {
            let pause = retry_after.map(|pause| pause.min(MAX_RETRY_DELAY));
            (ErrorClass::RateLimited(pause), shared::RATE_LIMITED)
        }
        // No response, or one that does not say whether the call took effect.
        0 | 500.. => (ErrorClass::Unknown, shared::SERVER_ERROR),
        409 if message.contains(LEASE_HELD_PHRASE) => (ErrorClass::Conflict, shared::LEASED),
        409 => (ErrorClass::Conflict, shared::CONFLICT),
        412 if says(BUSY_PHRASES) => (ErrorClass::Conflict, shared::BUSY),
        412 if message.contains("not currently stopped") => {
            (ErrorClass::Invalid, shared::NOT_STOPPED)
        }
        412 if message.contains("volume already claimed") => {
            (ErrorClass::Conflict, shared::VOLUME_CLAIMED)
        }
        412 => (ErrorClass::Conflict, shared::FAILED_PRECONDITION),
        _ => (ErrorClass::Invalid, shared::REFUSED),
    }
}

/// The error for an unsuccessful response.
pub(super) fn error_from_response(label: &str, response: &Response) -> ProviderError {
    let error_body = parse_error_body(&response.body);
    let (class, code) = classify(response.status, &error_body.text, response.retry_after);
    if class == ErrorClass::Conflict
        && let Some(held) = lease_holder(&error_body.text)
    {
        return ProviderError::new(class, code, held);
    }
    let mut message = format!("{label} answered {}: {}", response.status, error_body.text);
    let too_long = response
        .retry_after
        .filter(|pause| response.status == 429 && *pause > FATAL_RETRY_DELAY);
    if let Some(pause) = too_long {
        message = format!(
            "{message}; it asks to wait {}, which is too long to wait",
            format_long_delay(pause)
        );
    }
    if let Some(id) = &response.request_id {
        message = format!("{message} (request {id})");
    }
    let error = ProviderError::new(class, code, message);
    if code == shared::QUOTA {
        return error.hint(
            "destroy Machines that are not needed, lower the count, or ask Fly for a higher limit of the \
             organisation (https://fly.io/dashboard shows it)",
        );
    }
    if code == shared::IMAGE_NOT_FOUND {
        return error.hint("check the image's name and that it was pushed");
    }
    match response.status {
        401 => error.hint(
            "check that the token is valid and not expired, or `export FLY_API_TOKEN=$(fly auth token)`",
        ),
        429 if too_long.is_some() => {
            error.hint("run the command again later, or ask the operator of the API")
        }
        403 => error.hint("the token has no access to this app: use a token of the app's organisation"),
        _ => error,
    }
}

/// Formats hours, days or years.
fn format_long_delay(pause: Duration) -> String {
    let hours = pause.as_secs() / 3600;
    match hours {
        0..48 => format!("{hours} hours"),
        48..17520 => format!("{} days", hours / 24),
        _ => format!("{} years", (hours / 24 / 365).min(1_000_000)),
    }
}

/// Describes another client's lease: Machine, owner, expiry.
fn lease_holder(error_body: &str) -> Option<String> {
    let (id, rest) = error_body
        .split_once("machine ID ")?
        .1
        .split_once(LEASE_HELD_PHRASE)?;
    let (owner, until) = rest.split_once(", expires at ")?;
    Some(format!(
        "Machine {} is leased by {} until {}",
        id.trim(),
        owner.trim(),
        until.trim()
    ))
}

/// Adds a hint to a server error. `at` is the server's address; `fly` says whether it is Fly's own.
pub(super) fn with_outage_hint(
    error: ProviderError,
    status: u16,
    at: &str,
    fly: bool,
) -> ProviderError {
    if status < 500 || error.hint.is_some() {
        return error;
    }
    error.hint(if fly {
        "Fly's API reports an error: check https://status.flyio.net and run the command again later"
            .to_owned()
    } else {
        format!(
            "the server at {at} reports an error or is not the Machines API: check `FLY_FLAPS_BASE_URL`, or run the \
             command again later"
        )
    })
}

/// The hint for a failed connection, by the system's message.
fn connection_hint(why: &str, fly: bool) -> &'static str {
    let says = |words: &[&str]| words.iter().any(|word| why.contains(word));
    match (says(&["dns error", "lookup address"]), fly) {
        (true, true) => "the host name does not resolve: is this computer online?",
        (true, false) => {
            "the host name does not resolve: check `FLY_FLAPS_BASE_URL`, and that this computer is online"
        }
        (false, false) if says(&["Connection refused"]) => {
            "no server listens there: check `FLY_FLAPS_BASE_URL`, and that the server (or `aeroform emulator`) is running"
        }
        (false, _) => {
            "check that this computer is online and that no firewall or proxy blocks the connection, then run the command again"
        }
    }
}

/// The error for a request without a response. `at` is the server's address.
pub(super) fn error_from_transport(
    label: &str,
    at: &str,
    error: TransportError,
    fly: bool,
) -> ProviderError {
    match error {
        TransportError::NotSent(why) => ProviderError::new(
            ErrorClass::Transient,
            own::NO_CONNECTION,
            format!("{label}: cannot connect to {at}: {why}"),
        )
        .hint(connection_hint(&why, fly)),
        // A retry would get the same response.
        TransportError::TooLarge(why) => ProviderError::new(
            if label.starts_with("GET ") {
                ErrorClass::Fatal
            } else {
                ErrorClass::Unknown
            },
            own::TOO_LARGE,
            format!("the response to {label} is too large: {why}"),
        )
        .hint("check that `FLY_FLAPS_BASE_URL` is the Machines API"),
        TransportError::Lost(why) => ProviderError::new(
            ErrorClass::Unknown,
            own::CONNECTION_LOST,
            format!("{label} got an incomplete response from {at}: {why}"),
        )
        .hint("run the command again; if that does not help, check the platform's status page"),
    }
}

/// The error for a successful response with the token in a name that would be stored. `place` is the field.
pub(super) fn token_in_response(label: &str, place: &str) -> ProviderError {
    let message = format!("the response to {label} contains the token, in `{place}`");
    let class = if label.starts_with("GET ") {
        ErrorClass::Fatal
    } else {
        ErrorClass::Unknown
    };
    ProviderError::new(class, own::TOKEN_IN_NAME, message).hint(
        "Aeroform does not use this response: revoke the token, and report this to the operator of the API",
    )
}

/// The error for a successful response that cannot be parsed. The call may have taken effect.
pub fn unreadable_response(label: &str, why: impl std::fmt::Display) -> ProviderError {
    let why = scrub::describe_parse_error(&why.to_string());
    let message = format!("cannot parse the response to {label}: {why}");
    ProviderError::new(ErrorClass::Unknown, shared::UNREADABLE_ANSWER, message)
}

struct ApiErrorBody {
    text: String,
}

/// The maximum length of a foreign message.
const MAX_MESSAGE_LEN: usize = 500;

/// The error text of a body: `message`, else `error`, else the body itself.
fn parse_error_body(body: &[u8]) -> ApiErrorBody {
    let tree: Option<Value> = serde_json::from_slice(body).ok();
    let field = |name: &str| {
        let text = tree.as_ref()?.get(name)?.as_str()?;
        (!text.is_empty()).then(|| text.to_owned())
    };
    let mut text = match field("message").or_else(|| field("error")) {
        Some(text) => text,
        None => String::from_utf8_lossy(body).trim().to_owned(),
    };
    if let Some(kind) = field("status").filter(|kind| kind != "error" && kind != "unknown") {
        text = format!("{text} ({kind})");
    }
    if text.is_empty() {
        "nothing".clone_into(&mut text);
    }
    ApiErrorBody {
        text: text.chars().take(MAX_MESSAGE_LEN).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class_of(status: u16, body: &str) -> (ErrorClass, &'static str) {
        let response = Response {
            status,
            body: body.as_bytes().to_vec(),
            ..Response::default()
        };
        let error = error_from_response("GET /x", &response);
        (error.class, error.code)
    }

    #[test]
    fn the_catalogue_of_the_platforms_errors_has_its_classes() {
        use ErrorClass::{Conflict, Fatal, Invalid, NoRoom, NotFound, RateLimited, Unknown};
        for (status, body, class, code) in [
            (
                401,
                r#"{"error":"Authenticate: token validation error"}"#,
                Fatal,
                "no_access",
            ),
            (403, "", Fatal, "no_access"),
            (
                404,
                r#"{"error":"not_found: machine not found"}"#,
                NotFound,
                "not_found",
            ),
            (404, r#"{"error":"app not found"}"#, NotFound, "not_found"),
            (
                408,
                r#"{"error":"deadline_exceeded: machine failed"}"#,
                Unknown,
                "timed_out",
            ),
            (
                409,
                r#"{"error":"already_exists: … machine ID 1"}"#,
                Conflict,
                "already_exists",
            ),
            (
                409,
                r#"{"status":"error","message":"machine ID 1 lease currently held by x, expires at y","code":"invalid"}"#,
                Conflict,
                "leased",
            ),
            (
                412,
                r#"{"error":"failed_precondition: unable to start machine from current state: 'created'"}"#,
                Conflict,
                "busy",
            ),
            (
                412,
                r#"{"error":"failed_precondition: machine still active, refusing to start"}"#,
                Conflict,
                "busy",
            ),
            (
                412,
                r#"{"error":"failed_precondition: volume already claimed by machine 1"}"#,
                Conflict,
                "volume_claimed",
            ),
            (
                412,
                r#"{"error":"failed_precondition: unable to destroy machine, not currently stopped"}"#,
                Invalid,
                "not_stopped",
            ),
            (
                412,
                r#"{"error":"could not reserve resource for machine: insufficient CPUs available to fulfill request"}"#,
                NoRoom,
                "no_room",
            ),
            (
                412,
                r#"{"error":"no","status":"insufficient_capacity"}"#,
                NoRoom,
                "no_room",
            ),
            (
                422,
                r#"{"error":"no","status":"volume_placement_capacity"}"#,
                NoRoom,
                "no_room",
            ),
            (422, r#"{"error":"Validation failed"}"#, Invalid, "refused"),
            (
                429,
                "rate limit exceeded",
                RateLimited(None),
                "rate_limited",
            ),
            (500, "oops", Unknown, "server_error"),
            (503, "", Unknown, "server_error"),
        ] {
            assert_eq!(class_of(status, body), (class, code), "{status} {body}");
        }
    }

    #[test]
    fn a_refusal_is_read_by_its_words_whatever_its_status() {
        use ErrorClass::{Conflict, Invalid, NoRoom, Transient, Unknown};
        for (status, body, class, code) in [
            (400, r#"{"error":"no capacity"}"#, NoRoom, "no_room"),
            (409, r#"{"error":"insufficient memory"}"#, NoRoom, "no_room"),
            (
                422,
                r#"{"error":"no","status":"insufficient_capacity"}"#,
                NoRoom,
                "no_room",
            ),
            (
                403,
                r#"{"error":"over the allowed quota"}"#,
                Invalid,
                "quota",
            ),
            (
                422,
                r#"{"error":"your organization has reached its machine limit of 50"}"#,
                Invalid,
                "quota",
            ),
            (
                402,
                r#"{"error":"please add a payment method"}"#,
                Invalid,
                "quota",
            ),
            (
                400,
                r#"{"error":"could not resolve image: MANIFEST_UNKNOWN: manifest unknown"}"#,
                Transient,
                "image_not_found",
            ),
            (
                422,
                r#"{"error":"Validation failed: Name has already been taken","status":"name_taken"}"#,
                Conflict,
                "already_exists",
            ),
            (
                422,
                r#"{"error":"already_exists: unique machine name violation"}"#,
                Conflict,
                "already_exists",
            ),
            (500, r#"{"error":"no capacity"}"#, Unknown, "server_error"),
        ] {
            assert_eq!(class_of(status, body), (class, code), "{status} {body}");
        }
        let response = Response {
            status: 403,
            body: br#"{"error":"over the allowed quota"}"#.to_vec(),
            ..Response::default()
        };
        let hint = error_from_response("POST /x", &response).hint.unwrap();
        assert!(hint.contains("limit") && !hint.contains("token"), "{hint}");
    }

    #[test]
    fn a_lease_is_one_short_line_in_every_form_that_the_platform_has() {
        for body in [
            r#"{"status":"error","message":"machine ID 1 lease currently held by ana@example.com, expires at 2026-01-02T03:04:05Z","code":"invalid"}"#,
            r#"{"error":"aborted: machine ID 1 lease currently held by ana@example.com, expires at 2026-01-02T03:04:05Z"}"#,
        ] {
            let response = Response {
                status: 409,
                request_id: Some("01R".to_owned()),
                body: body.as_bytes().to_vec(),
                ..Response::default()
            };
            assert_eq!(
                error_from_response("POST /v1/apps/shop/machines/1/lease", &response).message,
                "Machine 1 is leased by ana@example.com until 2026-01-02T03:04:05Z"
            );
        }
    }

    #[test]
    fn every_retry_after_has_a_limit() {
        let too_fast = |retry_after| classify(429, "", retry_after).0;
        let some = Some(Duration::from_secs(7));
        assert_eq!(too_fast(some), ErrorClass::RateLimited(some));
        let most = ErrorClass::RateLimited(Some(MAX_RETRY_DELAY));
        assert_eq!(too_fast(Some(Duration::from_secs(3600))), most);
        for (seconds, asks) in [
            (7200, "2 hours"),
            (31_536_000 * 3, "3 years"),
            (u64::MAX, "1000000 years"),
        ] {
            let response = Response {
                status: 429,
                retry_after: Some(Duration::from_secs(seconds)),
                ..Response::default()
            };
            let error = error_from_response("GET /x", &response);
            assert_eq!(
                (&error.class, error.code),
                (&ErrorClass::Fatal, "rate_limited")
            );
            assert!(
                error.message.contains(&format!("asks to wait {asks},")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_message_names_the_call_the_status_and_the_request() {
        let response = Response {
            status: 400,
            request_id: Some("01R".to_owned()),
            body: br#"{"error":"invalid config"}"#.to_vec(),
            ..Response::default()
        };
        assert_eq!(
            error_from_response("POST /v1/apps/shop/machines", &response).message,
            "POST /v1/apps/shop/machines answered 400: invalid config (request 01R)"
        );
    }
}
