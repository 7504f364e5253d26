//! The API's addresses and the token (docs/platform/machines-api.md 1.1, 1.2, 14).

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use super::codes;
use crate::core::code::Code;
use crate::core::scrub::TokenScrubber;

const MACHINES: &str = "https://api.machines.dev";
const RELEASES: &str = "https://api.fly.io";
const MACHINES_VAR: &str = "FLY_FLAPS_BASE_URL";
const RELEASES_VAR: &str = "FLY_API_BASE_URL";
/// The variables for the token; the first one that is set counts.
pub const TOKEN_VARS: [&str; 2] = ["FLY_API_TOKEN", "FLY_ACCESS_TOKEN"];

/// The addresses and the token; `Debug` shows only the addresses.
#[derive(Clone)]
pub struct Access {
    machines: Url,
    releases: Url,
    machines_header: String,
    releases_header: String,
    /// Hides the token in all texts.
    scrub: TokenScrubber,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("machines", &self.machines.as_str())
            .field("releases", &self.releases.as_str())
            .finish_non_exhaustive()
    }
}

/// Why the API cannot be accessed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AccessError {
    /// The error code.
    pub code: Code,
    /// The problem.
    pub message: String,
    /// The hint.
    pub hint: &'static str,
}

impl Access {
    /// Reads addresses and token from `FLY_API_TOKEN` or `FLY_ACCESS_TOKEN`, `FLY_FLAPS_BASE_URL` and
    /// `FLY_API_BASE_URL`. Manifests cannot set them (rule 38).
    pub fn from_vars<'a>(var: impl Fn(&str) -> Option<&'a str>) -> Result<Self, AccessError> {
        let machines = var(MACHINES_VAR)
            .map(|text| parse_base_url(MACHINES_VAR, text))
            .transpose()?;
        let releases = match (var(RELEASES_VAR), &machines) {
            (Some(text), _) => parse_base_url(RELEASES_VAR, text)?,
            // A server at another address is not Fly, so Fly's own host must not get its requests.
            (None, Some(machines)) if !is_fly_url(machines) => machines.clone(),
            (None, _) => parse_known_url(RELEASES),
        };
        let found = TOKEN_VARS
            .into_iter()
            .find_map(|name| Some((name, var(name)?)));
        let (name, token) = found.ok_or_else(|| AccessError {
            code: codes::NO_TOKEN,
            message: "no token for Fly is set".to_owned(),
            hint: "`export FLY_API_TOKEN=$(fly auth token)`; in a pipeline, the output of `fly tokens create deploy`",
        })?;
        let tokens = Tokens::parse(token).map_err(|what| AccessError {
            code: codes::BAD_TOKEN,
            message: format!("the token in `{name}` is not valid: {what}"),
            hint: "`export FLY_API_TOKEN=$(fly auth token)`",
        })?;
        Ok(Self {
            machines: machines.unwrap_or_else(|| parse_known_url(MACHINES)),
            releases,
            machines_header: tokens.for_machines(),
            releases_header: tokens.for_releases(),
            scrub: TokenScrubber::new([token]),
        })
    }

    /// The variable that contains a token, valid or not.
    pub fn token_variable<'a>(var: impl Fn(&str) -> Option<&'a str>) -> Option<&'static str> {
        TOKEN_VARS.into_iter().find(|name| var(name).is_some())
    }

    /// The full URL of a Machines API path, and its authorization header.
    pub(super) fn machines_endpoint(&self, path: &str) -> (String, &str) {
        (join_url(&self.machines, path), &self.machines_header)
    }

    /// The same for releases.
    pub(super) fn releases_endpoint(&self, path: &str) -> (String, &str) {
        (join_url(&self.releases, path), &self.releases_header)
    }

    /// Removes the token from foreign text, because some servers and proxies echo requests.
    pub(super) fn scrub_token(&self, text: String) -> String {
        match self.scrub.scrubbed(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(hidden) => hidden,
        }
    }

    /// Whether this text contains the token or a part of it.
    pub(super) fn contains_token(&self, text: &str) -> bool {
        self.scrub.contains_token(text)
    }

    /// Whether the API is Fly's own, whose limits are documented.
    pub(super) fn is_fly(&self) -> bool {
        is_fly_url(&self.machines)
    }

    /// Whether the Machines API is on this computer.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.machines)
    }
}

fn join_url(base: &Url, path: &str) -> String {
    format!("{}{path}", base.as_str().trim_end_matches('/'))
}

/// Scheme, host and port of a URL; a message may show only these.
pub(super) fn origin(url: &str) -> String {
    Url::parse(url).map_or_else(
        |_| "an invalid address".to_owned(),
        |url| url.origin().ascii_serialization(),
    )
}

fn parse_known_url(text: &str) -> Url {
    Url::parse(text).expect("a constant of this file is an address")
}

fn parse_base_url(name: &str, text: &str) -> Result<Url, AccessError> {
    let bad = || AccessError {
        code: codes::BAD_BASE_URL,
        message: format!("`{name}` is `{text}`, which is not a valid API address"),
        hint: "use an http or https address without user, query or fragment, or unset the variable",
    };
    // A URL may contain a user and a password, which must not be shown.
    if text.contains('@') {
        return Err(AccessError {
            message: format!(
                "`{name}` contains a user name, which is not allowed in an API address"
            ),
            ..bad()
        });
    }
    let url = Url::parse(text).map_err(|_| bad())?;
    let plain = match url.scheme() {
        "https" => false,
        "http" => true,
        _ => return Err(bad()),
    };
    if url.host_str().is_none() || url.query().is_some() || url.fragment().is_some() {
        return Err(bad());
    }
    if plain && !is_loopback(&url) && !is_internal(&url) {
        return Err(AccessError {
            code: codes::PLAIN_HTTP,
            message: format!("`{name}` is `{text}`: refusing to send a token without encryption"),
            hint: "use https://; plain http is allowed only for this computer and `.internal` hosts",
        });
    }
    Ok(url)
}

fn host(url: &Url) -> &str {
    let host = url.host_str().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']')
}

fn is_loopback(url: &Url) -> bool {
    let host = host(url);
    let address: Option<IpAddr> = host.parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}

fn is_internal(url: &Url) -> bool {
    host(url).ends_with(".internal")
}

fn is_fly_url(url: &Url) -> bool {
    is_internal(url) || Some(host(url)) == parse_known_url(MACHINES).host_str()
}

/// The parts of a token: macaroons and user tokens.
struct Tokens {
    macaroons: Vec<String>,
    user_tokens: Vec<String>,
}

impl Tokens {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let mut rest = text.trim();
        // `fly tokens create` prints the scheme in front of the token.
        loop {
            let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            if !["bearer", "flyv1"].contains(&word.to_ascii_lowercase().as_str()) {
                break;
            }
            rest = after.trim_start();
        }
        let mut tokens = Self {
            macaroons: Vec::new(),
            user_tokens: Vec::new(),
        };
        let parts = rest.split(',').map(str::trim);
        for part in parts.filter(|part| !part.is_empty()) {
            if part.chars().any(|c| !c.is_ascii_graphic()) {
                return Err("it contains characters that an HTTP header cannot have");
            }
            let kind = part.split_once('_').map(|(kind, _)| kind);
            if matches!(kind, Some("fm1r" | "fm1a" | "fm2")) {
                tokens.macaroons.push(part.to_owned());
            } else {
                tokens.user_tokens.push(part.to_owned());
            }
        }
        if tokens.macaroons.is_empty() && tokens.user_tokens.is_empty() {
            return Err("it is empty");
        }
        Ok(tokens)
    }

    fn for_machines(&self) -> String {
        if self.macaroons.is_empty() {
            format!("Bearer {}", self.user_tokens.join(","))
        } else {
            format!("FlyV1 {}", self.macaroons.join(","))
        }
    }

    fn for_releases(&self) -> String {
        let all = self.macaroons.iter().chain(&self.user_tokens);
        let all: Vec<&str> = all.map(String::as_str).collect();
        format!("Bearer {}", all.join(","))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn access(vars: &[(&str, &str)]) -> Result<Access, AccessError> {
        let vars: BTreeMap<String, String> = vars
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Access::from_vars(|name| vars.get(name).map(String::as_str))
    }

    fn headers(token: &str) -> (String, String) {
        let access = access(&[("FLY_API_TOKEN", token)]).unwrap();
        (access.machines_header, access.releases_header)
    }

    #[test]
    fn both_kinds_of_tokens_are_written_as_flyctl_writes_them() {
        let plain = ("Bearer abc".to_owned(), "Bearer abc".to_owned());
        assert_eq!(headers("abc"), plain);
        assert_eq!(headers(" Bearer abc\n"), plain);
        let both = (
            "FlyV1 fm2_x,fm1r_y".to_owned(),
            "Bearer fm2_x,fm1r_y,abc".to_owned(),
        );
        assert_eq!(headers("FlyV1 bearer fm2_x,abc,fm1r_y"), both);
        assert_eq!(headers("FlyV1 fm2_x, abc,\n fm1r_y"), both);
        for bad in [
            "Bearer ,",
            "Bearer",
            "flyv1 ",
            "a b",
            "fm2_a\nfm2_b",
            "a\u{e9}",
        ] {
            let error = access(&[("FLY_API_TOKEN", bad)]).unwrap_err();
            assert_eq!(error.code, codes::BAD_TOKEN, "{bad}");
        }
        assert_eq!(access(&[]).unwrap_err().code, codes::NO_TOKEN);
    }

    #[test]
    fn a_token_is_never_shown() {
        let shown = format!("{:?}", access(&[("FLY_ACCESS_TOKEN", "s3cret")]).unwrap());
        assert!(!shown.contains("s3cret"), "{shown}");
        let error = access(&[("FLY_API_TOKEN", "s3cret s3cret")]).unwrap_err();
        assert!(!format!("{error:?}").contains("s3cret"));
        let access = access(&[("FLY_API_TOKEN", "fm2_s3cret,fm2_s3cret_too,none")]).unwrap();
        let said = "none of FlyV1 fm2_s3cret,fm2_s3cret_too is good".to_owned();
        assert_eq!(
            access.scrub_token(said),
            "none of FlyV1 (the token),(the token) is good"
        );
    }

    #[test]
    fn releases_of_machines_that_are_served_elsewhere_are_not_requested_from_fly() {
        let releases = |vars: &[(&str, &str)]| {
            let token = [("FLY_API_TOKEN", "t")];
            access(&[&token, vars].concat())
                .unwrap()
                .releases_endpoint("/x")
                .0
        };
        let flaps = |url| (MACHINES_VAR, url);
        assert_eq!(releases(&[]), "https://api.fly.io/x");
        let internal = flaps("http://_api.internal:4280");
        assert_eq!(releases(&[internal]), "https://api.fly.io/x");
        let own = flaps("http://127.0.0.1:4280/");
        assert_eq!(releases(&[own]), "http://127.0.0.1:4280/x");
        let named = (RELEASES_VAR, "https://api.example.com");
        assert_eq!(releases(&[own, named]), "https://api.example.com/x");
    }

    #[test]
    fn a_token_goes_without_encryption_only_over_loopback_and_fly_internal() {
        for (url, code) in [
            ("http://127.0.0.1:4280", None),
            ("http://localhost:1", None),
            ("http://[::1]:4280", None),
            ("http://_api.internal:4280", None),
            ("https://api.example.com/base/", None),
            ("http://api.machines.dev", Some(codes::PLAIN_HTTP)),
            ("http://localhost.example.com", Some(codes::PLAIN_HTTP)),
            ("http://internal", Some(codes::PLAIN_HTTP)),
            ("ftp://x", Some(codes::BAD_BASE_URL)),
            ("x", Some(codes::BAD_BASE_URL)),
            ("https://user:s3cret@x", Some(codes::BAD_BASE_URL)),
            ("https://x?y", Some(codes::BAD_BASE_URL)),
        ] {
            let found = access(&[("FLY_API_TOKEN", "t"), (MACHINES_VAR, url)]);
            assert_eq!(found.as_ref().err().map(|e| e.code), code, "{url}");
            assert!(!format!("{found:?}").contains("s3cret"));
        }
    }
}
