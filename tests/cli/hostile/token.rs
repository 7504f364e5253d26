//! A server that shows back the token that it was sent, in every place of its answers and in every encoding.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};

use super::everything_in;
use crate::sandbox::Sandbox;

const TOKEN: &str =
    "FlyV1 fm2_lJPE/CAAA+Q9x_Kz8Jk3-Lw7RtYuIoPaSdFgHjKlZxCvBnM==,fm2_QwErTyUiOp12/34AsDfGhJkL";

/// One of the parts that are secret.
const PART: &str = "fm2_lJPE/CAAA+Q9x_Kz8Jk3-Lw7RtYuIoPaSdFgHjKlZxCvBnM==";

type Answer = Box<dyn Fn(&str, &str) -> (u16, String) + Send>;

/// Answers each request, given by method and path.
fn serve(answer: Answer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = reply(stream.unwrap(), &answer);
        }
    });
    base
}

fn reply(mut stream: TcpStream, answer: &Answer) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    lines.read_line(&mut head)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        lines.read_line(&mut line)?;
        let lower = line.to_ascii_lowercase();
        if let Some(n) = lower.strip_prefix("content-length:") {
            length = n.trim().parse().unwrap_or(0);
        }
        if line.trim().is_empty() {
            break;
        }
    }
    lines.read_exact(&mut vec![0; length])?;
    let mut words = head.split_whitespace();
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let (status, body) = answer(method, path.split('?').next().unwrap_or(""));
    let head = format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

fn app(id: &str) -> Value {
    json!({"id": id, "name": "shop", "machine_count": 1, "volume_count": 0, "status": "deployed",
        "organization": {"name": "x", "slug": "personal"}})
}

fn machine() -> Value {
    json!({"id": "148ed599c14189", "name": "web-one", "state": "started", "region": "ams",
        "instance_id": "01JX", "private_ip": "fdaa::3", "host_status": "ok",
        "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z",
        "image_ref": {"repository": "shop", "digest": format!("sha256:{}", "1".repeat(64))},
        "config": {"image": "registry.fly.io/shop:1", "init": {}, "env": {"A": "b"},
            "guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256},
            "metadata": {"fly_process_group": "app", "fly_platform_version": "v2"}},
        "checks": [{"name": "up", "status": "passing", "output": "fine", "updated_at": "2026-01-02T03:04:05Z"}],
        "events": []})
}

fn world(app: Value, machine: Value) -> Answer {
    Box::new(move |method, path| match (method, path) {
        (_, "/v1/apps/shop") => (200, app.to_string()),
        ("GET", "/v1/apps/shop/machines") => (200, json!([machine]).to_string()),
        ("GET", path) if path.ends_with("/volumes") => (200, "[]".to_owned()),
        ("GET", path) if path.ends_with("/metadata") => {
            (200, machine["config"]["metadata"].to_string())
        }
        ("GET", path) if path.ends_with("/lease") => (404, "{\"error\": \"no lease\"}".to_owned()),
        ("GET", path) if path.contains("/machines/") => (200, machine.to_string()),
        _ => (403, json!({"error": format!("not for {PART}")}).to_string()),
    })
}

const COMMANDS: &[&[&str]] = &[
    &["plan"],
    &["plan", "--json", "-v"],
    &["status"],
    &["status", "--json"],
    &["machine", "status", "148ed599c14189"],
    &["machine", "status", "148ed599c14189", "--json"],
    &["logs"],
    &["refresh", "-y"],
    &["state", "show"],
];

/// Every piece of sixteen characters of the token, as it is.
fn pieces() -> Vec<String> {
    let parts = TOKEN.split([' ', ',']).filter(|part| part.len() > 16);
    let windows = parts.flat_map(|part| part.as_bytes().windows(16));
    windows
        .map(|piece| String::from_utf8(piece.to_vec()).unwrap())
        .collect()
}

#[track_caller]
fn assert_clean(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let joined: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let decoded = joined
        .replace("\\/", "/")
        .replace("%2F", "/")
        .replace("%2f", "/")
        .replace("%3D", "=")
        .replace("%2B", "+");
    for piece in pieces() {
        assert!(!decoded.contains(&piece), "{what} has {piece}:\n{text}");
    }
    let base64 = BASE64.encode(PART.as_bytes());
    assert!(
        !joined.contains(&base64[..24]),
        "{what} has it in base64:\n{text}"
    );
    assert!(
        !joined.contains(&HEXLOWER.encode(&PART.as_bytes()[..16])),
        "{what} has it in hex:\n{text}"
    );
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("fly.toml", "app = \"shop\"\nprimary_region = \"ams\"\n");
    sandbox.write("aeroform.toml", "provider = \"fly\"\n");
    sandbox
}

fn check(what: &str, answer: Answer, commands: &[&[&str]]) -> String {
    let sandbox = sandbox();
    let base = serve(answer);
    let mut said = String::new();
    for args in commands {
        let mut command = sandbox.command(args);
        command
            .env("FLY_FLAPS_BASE_URL", &base)
            .env("FLY_API_TOKEN", TOKEN)
            .stdin(Stdio::null());
        let output = command.output().unwrap();
        assert_clean(&format!("{what}: stdout of {args:?}"), &output.stdout);
        assert_clean(&format!("{what}: stderr of {args:?}"), &output.stderr);
        said += &sandbox.show(&output);
    }
    for folder in [sandbox.project(), sandbox.state_dir()] {
        for (name, bytes) in everything_in(&folder) {
            assert_clean(&format!("{what}: {name}"), &bytes);
        }
    }
    said
}

#[test]
fn a_success_that_shows_the_token_back_is_hidden_or_refused_wherever_it_stands() {
    let put = |place: &[&str], value: Value| {
        let mut machine = machine();
        let mut at = &mut machine;
        for key in place {
            at = if let Ok(n) = key.parse::<usize>() {
                &mut at[n]
            } else {
                &mut at[*key]
            };
        }
        *at = value;
        machine
    };
    // In a name it is refused.
    for place in [
        &["id"][..],
        &["name"],
        &["region"],
        &["instance_id"],
        &["config", "metadata", "fly_process_group"],
    ] {
        let said = check(
            &format!("{place:?}"),
            world(app("a1"), put(place, PART.into())),
            &[&["plan"], &["apply", "-y"], &["status", "--json"]],
        );
        assert!(
            said.contains("contains the token") || said.contains("cannot parse the response"),
            "{place:?}: {said}"
        );
    }
    let said = check(
        "the id of the app",
        world(app(PART), machine()),
        &[&["plan"], &["apply", "-y"]],
    );
    assert!(said.contains("contains the token, in `id`"), "{said}");
    // Elsewhere it is hidden.
    for place in [
        &["config", "env", "A"][..],
        &["config", "image"],
        &["config", "metadata", "mine"],
        &["checks", "0", "name"],
        &["checks", "0", "output"],
        &["state"],
        &["host_status"],
        &["private_ip"],
        &["created_at"],
    ] {
        check(
            &format!("{place:?}"),
            world(app("a1"), put(place, format!("x {PART}").into())),
            COMMANDS,
        );
    }
    // And where something else was expected.
    for place in [
        &["cordoned"][..],
        &["config", "guest", "cpus"],
        &["config", "services"],
        &["checks"],
    ] {
        check(
            &format!("{place:?}"),
            world(app("a1"), put(place, PART.into())),
            &[&["plan", "--json"], &["status"]],
        );
    }
    let mut odd = app("a1");
    odd["machine_count"] = PART.into();
    let said = check(
        "the count",
        world(odd, machine()),
        &[&["plan"], &["plan", "--json"], &["logs"]],
    );
    assert!(!said.contains("fm2_"), "{said}");
}

#[test]
fn a_refusal_that_shows_the_token_back_is_hidden_in_every_encoding() {
    let each = |form: fn(u8) -> String| PART.bytes().map(form).collect::<Vec<_>>().concat();
    let percent: String = each(|byte| format!("%{byte:02X}"));
    let html: String = each(|byte| format!("&#{byte};"));
    let json_escaped: String = each(|byte| format!("\\u{byte:04x}"));
    let (one, two) = PART.split_at(20);
    for (what, body) in [
        ("plain", format!("no {PART}")),
        ("percent", format!("{{\"error\": \"no {percent}\"}}")),
        (
            "reserved alone",
            format!(
                "{{\"error\": \"no {}\"}}",
                PART.replace('/', "%2F").replace('=', "%3D")
            ),
        ),
        (
            "slashes",
            format!("{{\"error\": \"no {}\"}}", PART.replace('/', "\\/")),
        ),
        (
            "no JSON, slashes",
            format!("no {}", PART.replace('/', "\\/")),
        ),
        ("unicode", format!("{{\"error\": \"no {json_escaped}\"}}")),
        ("no JSON, unicode", format!("no {json_escaped}")),
        ("a line end", format!("{{\"error\": \"no {one}\\n{two}\"}}")),
        ("no JSON, a line end", format!("no {one}\r\n   {two}")),
        (
            "base64",
            format!(
                "{{\"error\": \"no {}\"}}",
                BASE64.encode(format!("x:{PART}").as_bytes())
            ),
        ),
        (
            "hex",
            format!("{{\"error\": \"no {}\"}}", HEXLOWER.encode(PART.as_bytes())),
        ),
        ("HTML", format!("<p>no {html}</p>")),
        ("cut", format!("{} {PART}", "y".repeat(480))),
        (
            "header",
            format!("{{\"error\": \"Authorization: {TOKEN}\"}}"),
        ),
    ] {
        let answer = body.clone();
        let said = check(
            what,
            Box::new(move |_, _| (403, answer.clone())),
            &[&["plan"], &["plan", "--json"], &["status"], &["logs"]],
        );
        assert!(said.contains("answered 403"), "{what}: {said}");
    }
}

#[test]
fn a_server_that_says_nothing_is_named_before_it_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let sandbox = sandbox();
    let mut command = sandbox.command(&["plan"]);
    command
        .env("FLY_FLAPS_BASE_URL", &base)
        .env("FLY_API_TOKEN", TOKEN);
    let begun = Instant::now();
    let mut child = command
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let _ = child.kill();
    let _ = child.wait();
    let expected = format!("from {base}, at most 75 s\n");
    assert!(
        line.starts_with("waiting for the response to GET /v1/apps/shop")
            && line.ends_with(&expected),
        "{line}"
    );
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_retry_after_of_years_is_not_waited_for() {
    let base = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(b"HTTP/1.1 429 X\r\nretry-after: 99999999999999999999\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            }
        });
        base
    };
    let sandbox = sandbox();
    let mut command = sandbox.command(&["plan"]);
    command
        .env("FLY_FLAPS_BASE_URL", &base)
        .env("FLY_API_TOKEN", TOKEN)
        .stdin(Stdio::null());
    let shown = sandbox.show(&command.output().unwrap());
    assert!(
        shown.contains("it asks to wait 1000000 years, which is too long to wait"),
        "{shown}"
    );
}
