//! A minimal HTTP client for health checks on this computer.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::core::fleet::schema::Check;

/// The part of a response that is read: the head and the start of the body.
const MAX_RESPONSE_BYTES: u64 = 4096;

/// Sends the check's request. `Ok` with the status line for 2xx, else the problem with the start of the body.
pub(super) async fn probe(stream: &mut TcpStream, check: &Check) -> Result<String, String> {
    let said = |error: std::io::Error| error.to_string();
    stream
        .write_all(request(check).as_bytes())
        .await
        .map_err(said)?;
    let mut response = Vec::new();
    let mut limited = stream.take(MAX_RESPONSE_BYTES);
    // A connection reset after a response does not invalidate the response.
    if let Err(error) = limited.read_to_end(&mut response).await
        && response.is_empty()
    {
        return Err(said(error));
    }
    let text = String::from_utf8_lossy(&response);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let line = head.lines().next().unwrap_or_default();
    let Some((version, status)) = line.split_once(' ') else {
        return Err("the response is not HTTP".to_owned());
    };
    if !version.starts_with("HTTP/") {
        return Err("the response is not HTTP".to_owned());
    }
    if status.starts_with('2') {
        return Ok(status.to_owned());
    }
    let excerpt: String = body.trim().chars().take(200).collect();
    Err(format!("{status} {excerpt}").trim_end().to_owned())
}

fn request(check: &Check) -> String {
    let method = check.method.as_deref().unwrap_or("GET").to_uppercase();
    let path = check.path.as_deref().unwrap_or("/");
    let mut request = format!("{method} {path} HTTP/1.1\r\n");
    let headers = check.headers.iter().flatten();
    let mut names_host = false;
    for header in headers {
        let name = header.name.as_deref().unwrap_or_default();
        names_host |= name.eq_ignore_ascii_case("host");
        for value in header.values.iter().flatten() {
            for part in [&one_line(name), ": ", &one_line(value), "\r\n"] {
                request.push_str(part);
            }
        }
    }
    if !names_host {
        request.push_str("Host: localhost\r\n");
    }
    request.push_str("User-Agent: aeroform\r\nConnection: close\r\n\r\n");
    request
}

/// Removes line ends, which would start another header.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}
