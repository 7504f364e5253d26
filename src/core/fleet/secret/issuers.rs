//! Tokens with a prefix of their issuer: Fly, code hosts, payment, chat, clouds and registries.

use std::ops::Range;

use super::patterns::MAX_SCAN_LEN;
use crate::core::scrub::floor_char_boundary;

/// A prefix, and the minimum number of characters after it; with fewer it may start a normal word.
const TOKEN_PREFIXES: [(&str, usize); 77] = [
    ("fm1_", 12),
    ("fm1a_", 12),
    ("fm1r_", 12),
    ("fm2_", 12),
    ("fo1_", 12),
    ("ghp_", 16),
    ("gho_", 16),
    ("ghu_", 16),
    ("ghs_", 16),
    ("ghr_", 16),
    ("github_pat_", 16),
    ("glpat-", 12),
    ("gldt-", 12),
    ("glrt-", 12),
    ("glptt-", 12),
    ("glcbt-", 12),
    ("sk_live_", 10),
    ("sk_test_", 10),
    ("rk_live_", 10),
    ("rk_test_", 10),
    ("whsec_", 16),
    ("sk-ant-", 16),
    ("sk-proj-", 16),
    ("sk-or-", 16),
    ("xoxa-", 10),
    ("xoxb-", 10),
    ("xoxc-", 10),
    ("xoxd-", 10),
    ("xoxe-", 10),
    ("xoxp-", 10),
    ("xoxr-", 10),
    ("xoxs-", 10),
    ("xapp-", 10),
    ("AIza", 30),
    ("ya29.", 20),
    ("GOCSPX-", 16),
    ("npm_", 20),
    ("pypi-", 20),
    ("rubygems_", 20),
    ("dop_v1_", 20),
    ("doo_v1_", 20),
    ("dor_v1_", 20),
    ("dckr_pat_", 16),
    ("hf_", 20),
    ("r8_", 20),
    ("shpat_", 16),
    ("shpca_", 16),
    ("shppa_", 16),
    ("shpss_", 16),
    ("sntrys_", 20),
    ("sntryu_", 20),
    ("sq0atp-", 16),
    ("sq0csp-", 16),
    ("lin_api_", 16),
    ("ntn_", 20),
    ("sbp_", 20),
    ("sb_secret_", 12),
    ("tskey-", 12),
    ("hvs.", 20),
    ("hvb.", 20),
    ("PMAK-", 20),
    ("NRAK-", 16),
    ("phx_", 20),
    ("pscale_tkn_", 16),
    ("pscale_pw_", 16),
    ("EAACEdEose0cBA", 10),
    ("AGE-SECRET-KEY-1", 20),
    ("figd_", 20),
    ("glsa_", 20),
    ("glc_", 20),
    ("atlasv1.", 20),
    ("ATATT3", 20),
    ("ATCTT3", 20),
    ("vercel_blob_rw_", 16),
    ("re_live_", 12),
    ("gsk_", 24),
    ("xai-", 24),
];

/// The minimum length of a text that has such a token and no separator, bytes.
pub(super) const MIN_TOKEN_LEN: usize = {
    let mut min = usize::MAX;
    let mut at = 0;
    while at < TOKEN_PREFIXES.len() {
        let (mark, min_len) = TOKEN_PREFIXES[at];
        if mark.len() + min_len < min {
            min = mark.len() + min_len;
        }
        at += 1;
    }
    min
};

/// Prefixes of tokens that have a form of their own, all longer than [`MIN_TOKEN_LEN`].
const OTHER_PREFIXES: [&str; 5] = ["AKIA", "ASIA", "eyJ", "sk-", "SG."];

/// Which ASCII characters begin a prefix.
const BEGINS_PREFIX: [bool; 128] = {
    let mut begins = [false; 128];
    let mut at = 0;
    while at < TOKEN_PREFIXES.len() {
        begins[TOKEN_PREFIXES[at].0.as_bytes()[0] as usize] = true;
        at += 1;
    }
    let mut at = 0;
    while at < OTHER_PREFIXES.len() {
        begins[OTHER_PREFIXES[at].as_bytes()[0] as usize] = true;
        at += 1;
    }
    begins
};

/// Webhook URLs: everything after these prefixes is secret.
const WEBHOOKS: [&str; 4] = [
    "hooks.slack.com/services/",
    "hooks.slack.com/workflows/",
    "discord.com/api/webhooks/",
    "discordapp.com/api/webhooks/",
];

/// The parts of a text that have an issuer's prefix.
pub(super) fn find_issuer_tokens(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut before = None;
    let mut passed = 0;
    for (at, c) in text.char_indices() {
        let begins =
            before.is_none_or(|before: char| !before.is_ascii_alphanumeric() && before != '_');
        before = Some(c);
        if !begins || at < passed || !c.is_ascii_alphanumeric() {
            continue;
        }
        let rest = &text[at..];
        let end = if has_token_prefix(rest) {
            // A trailing full stop ends the sentence and not the token.
            let token = &rest[..prefix_len(rest, is_token_char)];
            Some((0, token.trim_end_matches('.').len()))
        } else if let Some(key) = rest.strip_prefix("FlyV1 ") {
            let end = prefix_len(key, |c| is_token_char(c) || c == ',');
            (end >= 8).then_some((6, 6 + end))
        } else {
            telegram_token_len(rest).map(|end| (0, end))
        };
        if let Some((from, to)) = end {
            found.push(at + from..at + to);
            passed = at + to;
        }
    }
    let hooks = if text.contains('/') {
        &WEBHOOKS[..]
    } else {
        &[]
    };
    for hook in hooks {
        for (at, _) in text.match_indices(hook) {
            let from = at + hook.len();
            let rest = &text[from..];
            let end = rest
                .find(|c: char| !is_token_char(c) && c != '/')
                .unwrap_or(rest.len());
            if end >= 16 {
                found.push(from..from + end);
            }
        }
    }
    found
}

fn has_token_prefix(rest: &str) -> bool {
    // Most words end here: a token is longer, or begins otherwise.
    let first = rest.bytes().next().map_or(128, usize::from);
    if rest.len() < MIN_TOKEN_LEN || !BEGINS_PREFIX.get(first).is_some_and(|begins| *begins) {
        return false;
    }
    let begins = |mark: &str| rest.starts_with(mark);
    if !TOKEN_PREFIXES.iter().any(|(mark, _)| begins(mark))
        && !OTHER_PREFIXES.iter().any(|mark| begins(mark))
    {
        return false;
    }
    let short = &rest[..floor_char_boundary(rest, MAX_SCAN_LEN)];
    let body = &short[..prefix_len(short, is_token_char)];
    let marked = TOKEN_PREFIXES
        .iter()
        .any(|(mark, min_len)| body.starts_with(mark) && body.len() >= mark.len() + min_len);
    marked || is_cloud_key(body) || is_jwt(body) || is_plain_sk(body) || is_sendgrid(body)
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+' | '/' | '=')
}

/// The length in bytes of the prefix made of such characters.
fn prefix_len(text: &str, is_of_it: impl Fn(char) -> bool) -> usize {
    text.find(|c: char| !is_of_it(c)).unwrap_or(text.len())
}

/// An AWS access key id; its secret key is often beside it.
fn is_cloud_key(text: &str) -> bool {
    text.len() == 20
        && ["AKIA", "ASIA"].iter().any(|mark| text.starts_with(mark))
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// Two or three parts in base64, the first with JSON in it.
fn is_jwt(text: &str) -> bool {
    let mut parts = text.split('.');
    text.starts_with("eyJ")
        && parts.next().is_some_and(|part| part.len() >= 10)
        && parts.next().is_some_and(|part| part.len() >= 10)
}

/// OpenAI's older keys; some CSS class names begin the same, followed by words.
fn is_plain_sk(text: &str) -> bool {
    text.strip_prefix("sk-").is_some_and(|rest| {
        rest.len() >= 20
            && rest.contains(|c: char| c.is_ascii_digit())
            && rest.contains(|c: char| c.is_ascii_uppercase())
    })
}

fn is_sendgrid(text: &str) -> bool {
    text.strip_prefix("SG.")
        .and_then(|rest| rest.split_once('.'))
        .is_some_and(|(id, key)| id.len() >= 16 && key.len() >= 16)
}

/// The length in bytes of a Telegram bot token.
fn telegram_token_len(text: &str) -> Option<usize> {
    let of_bot = text.strip_prefix("bot").unwrap_or(text);
    let lead = text.len() - of_bot.len();
    let id = of_bot
        .bytes()
        .take(11)
        .take_while(u8::is_ascii_digit)
        .count();
    let rest = of_bot[id..].strip_prefix(':')?;
    let key = rest.bytes().take(41);
    let key = key
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        .count();
    ((8..=10).contains(&id) && (33..=40).contains(&key)).then_some(lead + id + 1 + key)
}

/// All prefixes, for tests of other modules.
#[cfg(test)]
pub(super) fn prefixes() -> Vec<String> {
    let marks = TOKEN_PREFIXES.iter().map(|(mark, _)| *mark);
    marks.chain(OTHER_PREFIXES).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use proptest::strategy::Strategy as _;

    use super::*;

    /// What [`has_token_prefix`] passes over by the first character and the length.
    fn has_token_prefix_slowly(rest: &str) -> bool {
        let body = &rest[..prefix_len(rest, is_token_char)];
        let marked = TOKEN_PREFIXES
            .iter()
            .any(|(mark, min_len)| body.starts_with(mark) && body.len() >= mark.len() + min_len);
        marked || is_cloud_key(body) || is_jwt(body) || is_plain_sk(body) || is_sendgrid(body)
    }

    proptest::proptest! {
        #[test]
        fn a_prefix_is_found_by_its_first_character(
            mark in proptest::prop_oneof![
                proptest::sample::select(prefixes()),
                proptest::sample::select(&OTHER_PREFIXES[..]).prop_map(str::to_owned),
                "[a-zA-Z]{0,3}".prop_map(String::from),
            ],
            body in proptest::prop_oneof![
                "[a-zA-Z0-9._-]{0,20}[A-Z0-9.]{0,25}[ é]?[a-z]{0,3}",
                "[a-zA-Z0-9]{16,20}[.][a-zA-Z0-9]{16,20}",
                "[A-Z0-9]{16}",
            ],
        ) {
            let text = format!("{mark}{body}");
            proptest::prop_assert_eq!(has_token_prefix(&text), has_token_prefix_slowly(&text));
        }
    }

    #[test]
    fn marked_tokens_are_found_in_words_and_their_beginnings_are_not() {
        for text in [
            "fm2_lJPECAAAAAAAAAAA",
            "FlyV1 fm2_lJPECAAAAAAAAAAA",
            "FlyV1 abcdefghijkl",
            "x=ghp_abcdefghijklmnopqrstuvwxyz0123456789",
            "(sk_live_abcdefghijklmnopqrst)",
            "AKIAIOSFODNN7EXAMPLE",
            "AIzaSyA-1234567890abcdefghijklmnopqrstu",
            "npm_abcdefghijklmnopqrstuvwxyz0123456789",
            "dop_v1_0123456789abcdef0123456789abcdef",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
            "SG.abcdefghijklmnopqrstuv.abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
            "https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnop",
            "sk-abcdEFGH1234567890abcd",
            "123456789:AAabcdefghijklmnopqrstuvwxyz0123456",
        ] {
            assert_eq!(find_issuer_tokens(text).len().min(1), 1, "{text}");
        }
        for text in [
            "fm2_short",
            "AKIA-is-no-key",
            "sk-button-primary-large-x",
            "eyJ.x.y",
            "ghp_",
            "notaghp_abcdefghijklmnopqrstuvwxyz",
        ] {
            assert!(find_issuer_tokens(text).is_empty(), "{text}");
        }
    }
}
