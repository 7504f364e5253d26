//! Finds secrets in texts by patterns, whatever surrounds them.
//!
//! One detector for commands, URLs, headers, paths, image references, lines of files and values of variables.
//! It finds issuer prefixes, passwords in URLs, flags and assignments with secret-looking names, and long
//! random strings. Start at [`find_secrets`]. [`super::name`] judges names, [`super::value`] single values.

use std::borrow::Cow;
use std::ops::Range;

use super::HIDDEN;
use super::issuers;
use super::name::{NameHint, classify_name};
use super::value::{is_placeholder, is_random, is_secret};
use crate::core::scrub::floor_char_boundary;

/// The ranges of the secrets in a text, sorted and disjoint.
pub fn find_secrets(text: &str) -> Vec<Range<usize>> {
    if is_short_word(text) {
        Vec::new()
    } else {
        search(text)
    }
}

fn search(text: &str) -> Vec<Range<usize>> {
    let mut found = certain_parts(text);
    found.extend(assignments(text));
    found.extend(flags(text));
    found.extend(schemes_of_headers(text));
    found.extend(random_words(text));
    merge_ranges(text, found)
}

/// Whether no detector can find anything: one word, shorter than every issuer's token and every random word,
/// without a separator in front of a value. Most values of a config are such words.
fn is_short_word(text: &str) -> bool {
    text.len() < issuers::MIN_TOKEN_LEN.min(MIN_RANDOM_LEN)
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'=' | b':' | b'@'))
}

/// Only certain secrets: issuer tokens, private keys, and passwords in URLs.
pub fn find_certain(text: &str) -> Vec<Range<usize>> {
    merge_ranges(text, certain_parts(text))
}

/// Whether the text contains a secret.
pub fn has_secret(text: &str) -> bool {
    !find_secrets(text).is_empty()
}

/// Replaces each secret with [`HIDDEN`].
pub fn redact(text: &str) -> Cow<'_, str> {
    redact_ranges(text, &find_secrets(text))
}

/// The same for certain secrets only.
pub fn redact_certain(text: &str) -> Cow<'_, str> {
    redact_ranges(text, &find_certain(text))
}

/// [`redact`] for a line of a file; also returns the moved byte range of `spot`.
pub fn redact_excerpt(text: &str, spot: Range<usize>) -> (Cow<'_, str>, Range<usize>) {
    let found = find_secrets(text);
    let moved = |at: usize, is_end: bool| {
        let mut shift = at;
        for range in &found {
            if range.end <= at {
                shift = shift + HIDDEN.len() - range.len();
            } else if range.start < at {
                // A spot inside a hidden part covers all of it.
                let edge = if is_end { HIDDEN.len() } else { 0 };
                return shift + edge + range.start - at;
            }
        }
        shift
    };
    let spot = moved(spot.start, false)..moved(spot.end, true);
    (redact_ranges(text, &found), spot)
}

/// The words of a command that are or contain secrets; a flag's value may be the next word.
pub fn secret_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<bool> {
    let words: Vec<&str> = words.into_iter().collect();
    let announced = announced_words(words.iter().copied());
    let judged = announced.into_iter().zip(words);
    judged
        .map(|(announced, word)| announced || has_secret(word))
        .collect()
}

/// The words of a command that are secrets because of the flag in front of them.
pub(super) fn announced_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<bool> {
    let mut program = "";
    let mut before = "";
    let judged = words.into_iter().enumerate().map(|(at, word)| {
        if at == 0 || before == "&&" || before == "|" {
            program = word;
        }
        let announced = precedes_secret(program, before, word);
        before = word;
        announced
    });
    judged.collect()
}

fn certain_parts(text: &str) -> Vec<Range<usize>> {
    let mut found = issuers::find_issuer_tokens(text);
    found.extend(login_passwords(text));
    found.extend(private_keys(text));
    found.extend(url_passwords(text));
    found
}

fn merge_ranges(text: &str, mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    found.retain(|range| !range.is_empty() && &text[range.clone()] != HIDDEN);
    found.sort_by_key(|range| range.start);
    let mut apart: Vec<Range<usize>> = Vec::new();
    for range in found {
        match apart.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => apart.push(range),
        }
    }
    apart
}

fn redact_ranges<'t>(text: &'t str, found: &[Range<usize>]) -> Cow<'t, str> {
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    for range in found {
        shown.push_str(&text[from..range.start]);
        shown.push_str(HIDDEN);
        from = range.end;
    }
    shown.push_str(&text[from..]);
    Cow::Owned(shown)
}

/// From `-----BEGIN … PRIVATE KEY-----` to its end or the end of the text.
fn private_keys(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find("-----BEGIN ").map(|at| from + at) {
        let head = &text[at..];
        let kind = &head[11..floor_char_boundary(head, 11 + 64)];
        let is_private = kind
            .find("PRIVATE KEY")
            .is_some_and(|at| !kind[..at].contains("-----"));
        if !is_private {
            from = at + 11;
            continue;
        }
        // Inside JSON the key ends with its string.
        let head = &head[..head.find('"').unwrap_or(head.len())];
        let end = head
            .find("-----END ")
            .and_then(|end| Some(end + 9 + head[end + 9..].find("-----")? + 5))
            .unwrap_or(head.len());
        found.push(at..at + end);
        from = at + end;
    }
    found
}

/// Passwords and tokens in URLs: `scheme://user:PASSWORD@host`, `https://TOKEN@host`.
fn url_passwords(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("://") {
        let scheme = text[ceil_char_boundary(text, at.saturating_sub(32))..at]
            .rsplit(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '-' | '.'))
            .next()
            .unwrap_or_default();
        let from = at + 3;
        let is_boundary =
            |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>' | '\\');
        let whole = &text[from..floor_char_boundary(text, from + MAX_SCAN_LEN)];
        let whole = &whole[..whole.find(is_boundary).unwrap_or(whole.len())];
        let authority = whole.split(['/', '?', '#']).next().unwrap_or_default();
        let user = match authority.rsplit_once('@') {
            Some((user, _)) => user,
            // A password with a slash; a number in front of the slash is a port.
            None => match (authority.split_once(':'), whole.rfind('@')) {
                (Some((_, rest)), Some(end)) if !rest.bytes().all(|b| b.is_ascii_digit()) => {
                    &whole[..end]
                }
                _ => continue,
            },
        };
        match user.split_once(':') {
            Some((name, password)) if !is_placeholder(password) && !password.is_empty() => {
                let start = from + name.len() + 1;
                found.push(start..start + password.len());
            }
            Some((name, "")) if is_random(name) => found.push(from..from + name.len()),
            Some(_) => {}
            None => {
                let scheme = scheme.to_ascii_lowercase();
                let of_web = scheme.ends_with("http") || scheme.ends_with("https");
                let is_token = of_web && user != "git" || is_random(user);
                if is_token && !user.is_empty() && !is_placeholder(user) {
                    found.push(from..from + user.len());
                }
            }
        }
    }
    found
}

/// `user:PASSWORD@host` without a scheme, as in image references.
fn login_passwords(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('@') {
        let behind = ceil_char_boundary(text, at.saturating_sub(MAX_SCAN_LEN));
        let before = &text[behind..at];
        let start = before
            .rmatch_indices(|c: char| {
                c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '=' | ',' | '/')
            })
            .next()
            .map_or(0, |(start, gap)| start + gap.len());
        let Some((user, password)) = before[start..].split_once(':') else {
            continue;
        };
        let start = behind + start;
        let host = &text[at + 1..floor_char_boundary(text, at + 1 + MAX_SCAN_LEN)];
        let host = &host[..host
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '/' | ','))
            .unwrap_or(host.len())];
        let is_host = host.contains('.') || host.starts_with("localhost") || {
            // `name:tag@sha256:…` is an image reference.
            let (name, port) = host.split_once(':').unwrap_or((host, ""));
            !name.is_empty()
                && !port.is_empty()
                && port.bytes().all(|b| b.is_ascii_digit())
                && port.len() < 6
        };
        if is_host && !user.is_empty() && !password.is_empty() && !is_placeholder(password) {
            found.push(start + user.len() + 1..at);
        }
    }
    found
}

/// Assignments: a name, a separator and a value (`NAME=VALUE`, `"name": "value"`).
fn assignments(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut passed = 0;
    for (at, sign) in text.match_indices(['=', ':']) {
        if at < passed {
            continue;
        }
        let behind = ceil_char_boundary(text, at.saturating_sub(MAX_SCAN_LEN));
        let before = text[behind..at].trim_end_matches([' ', '\t', '"', '\'', '\\']);
        let name = before
            .rsplit(|c: char| !is_name_char(c))
            .next()
            .unwrap_or_default();
        let says = classify_name(name);
        if says == NameHint::Unrelated {
            continue;
        }
        let rest = &text[at + 1..];
        let lead = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        // A colon within a word separates names, hosts and ports.
        if sign == ":" && lead == 0 && !rest.starts_with(['"', '\'']) {
            continue;
        }
        let (start, value) = value_at(text, at + 1 + lead);
        // After a colon a bare word is a value only if its name begins the line; else it is prose.
        if sign == ":" && text.as_bytes()[start - 1] != b'"' && text.as_bytes()[start - 1] != b'\''
        {
            let line = before[..before.len() - name.len()]
                .rsplit('\n')
                .next()
                .unwrap_or_default();
            if !line.trim_start_matches([' ', '\t', '-']).is_empty()
                && !line.ends_with(['"', '\'', '{', ','])
            {
                continue;
            }
        }
        // Comparisons, and flags with nested assignments, are not assignments.
        if rest.starts_with('=') || text[..at].ends_with(['!', '<', '>', '=']) {
            continue;
        }
        if is_secret(says, value) {
            found.push(start..start + value.len());
        }
        passed = if value.len() > MAX_SCAN_LEN {
            start + value.len()
        } else {
            passed
        };
    }
    found
}

/// `--token VALUE`, and a few well-known short flags.
fn flags(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut program = "";
    let mut before = "";
    let mut begins = true;
    for (at, word) in words(text) {
        if begins {
            program = word;
        }
        // Skips variables in front of the program.
        begins = begins && word.contains('=') || matches!(word, "&&" | "|" | ";");
        let bare = word.trim_matches(['"', '\'', '`']);
        if precedes_secret(program, before, bare) {
            let start = at + word.find(bare).unwrap_or(0);
            found.push(start..start + bare.len());
        }
        // The program's own name is no password, even if it begins like the flag.
        let is_argument = !std::ptr::eq(word, program);
        let glued = bare
            .strip_prefix("-p")
            .filter(|_| is_argument && is_mysql(program));
        if let Some(password) = glued.filter(|rest| rest.len() > 2 && !is_placeholder(rest)) {
            let end = at + word.find(bare).unwrap_or(0) + bare.len();
            found.push(end - password.len()..end);
        }
        before = word;
    }
    found
}

/// `Bearer VALUE` and `Basic VALUE`, in any header.
fn schemes_of_headers(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut before = "";
    for (at, word) in words(text) {
        let scheme = before.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
        let scheme = scheme.rsplit(['=', ':']).next().unwrap_or_default();
        let value = word.trim_matches(['"', '\'', '`', ',', ';']);
        let named = ["bearer", "basic", "token"].contains(&scheme.to_ascii_lowercase().as_str());
        let long =
            value.len() >= 8 && (value.len() >= 20 || value.contains(|c: char| c.is_ascii_digit()));
        if named && long && is_value(value) && !value.contains(['(', '/', ':']) {
            let start = at + word.find(value).unwrap_or(0);
            found.push(start..start + value.len());
        }
        before = word;
    }
    found
}

/// The minimum length of a random word that is hidden, bytes.
const MIN_RANDOM_LEN: usize = 24;

/// Long random strings with both cases and digits.
fn random_words(text: &str) -> Vec<Range<usize>> {
    if text.len() < MIN_RANDOM_LEN {
        return Vec::new();
    }
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '_' | '-');
    let mut found = Vec::new();
    let mut from = 0;
    for word in text.split(|c: char| !is_of_word(c)) {
        // The parts of a path are judged separately; in base64 a slash is a normal character.
        let parts: Vec<&str> = if is_random(word) {
            vec![word]
        } else {
            word.split('/').collect()
        };
        let mut start = from;
        for part in parts {
            let cased = part.contains(|c: char| c.is_ascii_uppercase())
                && part.contains(|c: char| c.is_ascii_lowercase());
            if part.len() >= MIN_RANDOM_LEN && cased && is_random(part) {
                let padding = text[start + part.len()..]
                    .bytes()
                    .take_while(|b| *b == b'=')
                    .count();
                found.push(start..start + part.len() + padding);
            }
            start += part.len() + 1;
        }
        from += word.len()
            + text[from + word.len()..]
                .chars()
                .next()
                .map_or(0, char::len_utf8);
    }
    found
}

/// The number of bytes to scan around a separator. Longer texts are no name, URL or password, and hostile
/// input has many separators.
pub(super) const MAX_SCAN_LEN: usize = 256;

/// The nearest character boundary at or after this byte.
fn ceil_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// The words of a text and their positions.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let start = text.as_ptr() as usize;
    text.split_whitespace()
        .map(move |word| (word.as_ptr() as usize - start, word))
}

/// The value at this position, without quotes.
fn value_at(text: &str, at: usize) -> (usize, &str) {
    let rest = &text[at..];
    let quote = ["\\\"", "\"", "'"]
        .iter()
        .find(|quote| rest.starts_with(**quote));
    if let Some(quote) = quote {
        let inner = &rest[quote.len()..];
        let end = inner.find(quote).unwrap_or(inner.len());
        let end = inner[..end].find('\n').unwrap_or(end);
        return (at + quote.len(), &inner[..end]);
    }
    let is_boundary = |c: char| {
        c.is_whitespace() || matches!(c, '&' | ',' | ';' | '"' | '\'' | '`' | ')' | '}' | ']')
    };
    (at, &rest[..rest.find(is_boundary).unwrap_or(rest.len())])
}

/// Whether a flag marks the next word as a secret.
fn precedes_secret(program: &str, flag: &str, word: &str) -> bool {
    let program = program.rsplit('/').next().unwrap_or(program);
    let flag = flag.trim_matches(['"', '\'', '`']);
    match flag {
        "-p" => (program == "sshpass" || is_mysql(program)) && is_value(word),
        "-a" => program.starts_with("redis-cli") && is_value(word),
        "-u" | "--user" => {
            let password = word.split_once(':').map(|(_, password)| password);
            program == "curl" && password.is_some_and(|password| !is_placeholder(password))
        }
        _ => {
            let name = flag.strip_prefix("--").filter(|name| !name.contains('='));
            name.is_some_and(|name| classify_name(name) == NameHint::Secret) && is_value(word)
        }
    }
}

fn is_mysql(program: &str) -> bool {
    let program = program.rsplit('/').next().unwrap_or(program);
    program.starts_with("mysql") || program.starts_with("mariadb")
}

/// Whether this could be a secret value.
fn is_value(text: &str) -> bool {
    is_secret(NameHint::Secret, text)
}

#[cfg(test)]
mod tests {
    use proptest::strategy::Strategy as _;

    use super::*;

    #[test]
    fn secrets_are_found_inside_of_texts() {
        for (text, shown) in [
            (
                "bin/x --token=sk_live_abcdefghijklmnop -v",
                "bin/x --token=(hidden) -v",
            ),
            ("bin/x --token kjhGFd765 -v", "bin/x --token (hidden) -v"),
            ("bin/x --password hunter2", "bin/x --password (hidden)"),
            (
                "bin/x --db-password='hunter2 x'",
                "bin/x --db-password='(hidden)'",
            ),
            ("API_TOKEN=kjhGFd765 bin/x", "API_TOKEN=(hidden) bin/x"),
            (
                "env SECRET_KEY_BASE=abcdef bin/x",
                "env SECRET_KEY_BASE=(hidden) bin/x",
            ),
            ("redis://:pw@host:6379/0", "redis://:(hidden)@host:6379/0"),
            (
                "run --url redis://:pw@host x",
                "run --url redis://:(hidden)@host x",
            ),
            ("postgres://u:p/w#1@db/x", "postgres://u:(hidden)@db/x"),
            (
                "https://abcTOKEN@example.com/x",
                "https://(hidden)@example.com/x",
            ),
            (
                "git+https://x-access-token:abc@github.com/x",
                "git+https://x-access-token:(hidden)@github.com/x",
            ),
            (
                "ana:hunter2@registry.example/shop:1",
                "ana:(hidden)@registry.example/shop:1",
            ),
            ("/health?token=abcd1234&x=1", "/health?token=(hidden)&x=1"),
            (
                "/health?x=1&api_key=abcd1234",
                "/health?x=1&api_key=(hidden)",
            ),
            ("Bearer abcdefgh12345678", "Bearer (hidden)"),
            (
                "curl -H 'Authorization: Bearer abcdefgh1234' x",
                "curl -H 'Authorization: Bearer (hidden)' x",
            ),
            (
                "curl -u ana:hunter2 https://x",
                "curl -u (hidden) https://x",
            ),
            ("mysql -uroot -phunter2 db", "mysql -uroot -p(hidden) db"),
            ("sshpass -p hunter2 ssh x", "sshpass -p (hidden) ssh x"),
            ("redis-cli -a hunter2 ping", "redis-cli -a (hidden) ping"),
            ("  API_TOKEN = \"kjhGFd765", "  API_TOKEN = \"(hidden)"),
            (
                "\"api_token\": \"kjhGFd765\",",
                "\"api_token\": \"(hidden)\",",
            ),
            ("password: hunter2", "password: (hidden)"),
            ("x FlyV1 fm2_lJPECAAAAAAAAAAA y", "x FlyV1 (hidden) y"),
            ("arg Zk3Jd9fQ2mX7vB1nR5tY8wL0 x", "arg (hidden) x"),
            (
                "a -----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\nb",
                "a (hidden)\nb",
            ),
        ] {
            assert_eq!(redact(text), shown);
            assert!(!has_secret(&redact(text)), "{shown} is clean");
        }
    }

    #[test]
    fn what_plainly_is_none_is_left_alone() {
        for text in [
            "",
            "bin/rails fly:server",
            "bundle exec sidekiq -q default -q mailers",
            "celery -A app worker --queues=high,default --concurrency=4",
            "gunicorn -b 0.0.0.0:8080 --access-logfile - app.wsgi:application",
            "AUTH_BACKEND=django.contrib.auth.backends.ModelBackend",
            "WORKER_QUEUE_KEY=jobs:default",
            "TOKEN_TTL=15m",
            "--token=$TOKEN --password ${PASSWORD} --secret \"$(cat x)\"",
            "--token-file /run/token --private-key ./key.pem",
            "--password-file=/run/password",
            "--secret-name shop",
            "--auth=basic --key-type ed25519",
            "https://example.com/a:b@c",
            "https://medium.com/@somebody",
            "http://host:8080/path/@x",
            "https://auth.example.com/oauth/token?grant_type=code",
            "postgres://app@db/shop",
            "git@github.com:ana/shop.git",
            "ssh://git@github.com/ana/shop",
            "ana:hunter2",
            "shop:v1@sha256:1111111111111111111111111111111111111111111111111111111111111111",
            "registry.fly.io/shop:deployment-01HXYZABCDEFGHJKMNPQRSTVWX@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "registry.fly.io/shop@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "--rev 3f786850e387550fdab836ed7e6dc881de23001b",
            "148ed599c14189 vol_vz3gr8x9yq5k2m1n fly-local-net:8080",
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36",
            "ProcessAllTheQueuesOfTheWorkerNumber2ForAllTenants2024",
            "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
            "fm2_short",
            "AKIA-is-no-key-at-all",
            "export FLY_API_TOKEN=$(fly auth token)",
            "python -c 'import key; key == 1'",
            "mkdir -p /data/storage && exec app -p 8080",
            "Basic authentication required",
            "token expired for this organisation",
            "cannot read the token: invalid character",
        ] {
            assert_eq!(redact(text), text);
        }
    }

    proptest::proptest! {
        /// A word that is passed over would have none for the detectors either.
        #[test]
        fn no_detector_finds_anything_in_a_short_word(
            parts in proptest::collection::vec(
                proptest::prop_oneof![
                    "[ -~é\u{a0}]",
                    "[a-zA-Z0-9]{1,5}",
                    "[a-zA-Z0-9]{8,16}",
                    proptest::sample::select(issuers::prefixes()),
                    proptest::sample::select(vec![
                        "--token", "-p", "-a", "mysql", "mariadb", "/", "=", ":", "://", "@", " ", "\"", "'",
                        "bot", "Bearer", "FlyV1", "-----BEGIN ", "PASSWORD",
                    ])
                    .prop_map(str::to_owned),
                ],
                0..5,
            ),
        ) {
            let text = parts.concat();
            if is_short_word(&text) {
                proptest::prop_assert!(search(&text).is_empty(), "{text}");
            }
        }
    }

    #[test]
    fn a_spot_moves_with_what_is_hidden_around_it() {
        let text = "A = 1 --token=kjhGFd765 x";
        for (spot, shown) in [
            ("A", "A"),
            ("x", "x"),
            ("hGFd", HIDDEN),
            ("token=kj", "token=(hidden)"),
        ] {
            let at = text.rfind(spot).unwrap();
            let (hidden, moved) = redact_excerpt(text, at..at + spot.len());
            assert_eq!(&hidden[moved], shown, "{spot}");
        }
    }

    #[test]
    fn a_flag_hides_the_word_after_it() {
        for (words, secret) in [
            (
                &["bin/x", "--token", "kjhGFd765", "-v"][..],
                &[false, false, true, false][..],
            ),
            (&["bin/x", "--token=kjhGFd765"], &[false, true]),
            (&["mysqldump", "-p", "hunter2"], &[false, false, true]),
            (&["app", "-p", "8080"], &[false, false, false]),
            (
                &["sh", "-c", "exec app --token kjhGFd765"],
                &[false, false, true],
            ),
        ] {
            assert_eq!(secret_words(words.iter().copied()), secret, "{words:?}");
        }
    }
}
