//! Converts results to HTTP responses (docs/platform/machines-api.md 1.3, 1.6).

use std::io;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};

use crate::emulator::world::Refusal;

/// The response; `success` is its status if the call succeeded.
pub(super) fn to_response(
    success: StatusCode,
    result: Result<Value, Refusal>,
    request_id: &str,
) -> Response {
    let mut response = match result {
        Ok(Value::Null) => success.into_response(),
        Ok(value) => json_with(success, &value),
        Err(refusal) if refusal.status == 0 => truncated_response(),
        Err(refusal) => refusal_response(&refusal),
    };
    if let Ok(id) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert("fly-request-id", id);
    }
    response
}

/// A refusal by the HTTP layer.
pub(super) fn refusal(status: u16, message: &str) -> Refusal {
    Refusal {
        status,
        message: message.to_owned(),
        kind: None,
        enveloped: false,
        retry_after: None,
    }
}

fn json_with(status: StatusCode, value: &Value) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (status, json, value.to_string()).into_response()
}

fn refusal_response(refusal: &Refusal) -> Response {
    let body = match refusal.kind {
        _ if refusal.enveloped => {
            json!({"status": "error", "message": refusal.message, "code": "invalid"})
        }
        Some(kind) => json!({"error": refusal.message, "status": kind}),
        None => json!({"error": refusal.message}),
    };
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = json_with(status, &body);
    if let Some(pause) = refusal.retry_after {
        let whole = pause.as_secs() + u64::from(pause.subsec_nanos() > 0);
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(whole));
    }
    response
}

/// A connection that closes after the first bytes of a response.
fn truncated_response() -> Response {
    let parts = [
        Ok(Bytes::from_static(b"{")),
        Err(io::Error::from(io::ErrorKind::ConnectionReset)),
    ];
    let body = Body::from_stream(stream::iter(parts));
    (StatusCode::OK, body).into_response()
}
