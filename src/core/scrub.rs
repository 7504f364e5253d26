//! Hides the token in all output, in any encoding.
//!
//! A server may echo the token that it received: percent-encoded, with JSON or HTML escapes, in base64 or
//! hex, broken by line ends, truncated. Text and token are converted to a canonical form, and every part of
//! [`MIN_FRAGMENT_LEN`] characters is hidden. The process-wide instance is set once, before any output
//! ([`install`]); nothing else in the core has state.

mod canonical;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use data_encoding::{BASE32_NOPAD, BASE64_NOPAD, HEXLOWER};

use canonical::{MappedByte, canonical, canonical_plain, colors, fold_byte};

/// The minimum length of a token part that is hidden, characters.
pub const MIN_FRAGMENT_LEN: usize = 16;

/// Shorter tokens are not hidden, because they may be common words; characters.
const MIN_TOKEN_LEN: usize = 8;

/// The replacement for a token.
pub const HIDDEN: &str = "(the token)";

/// Bytes per index lookup.
const GRAM: usize = 8;

/// Long texts are scanned in chunks, bytes, because the canonical form takes much more memory.
const CHUNK: usize = 64 << 10;

/// The overlap of chunks, bytes; a token part in any encoding is shorter.
const OVERLAP: usize = 4 << 10;

/// The tokens to hide.
#[derive(Debug, Clone, Default)]
pub struct TokenScrubber {
    needles: Vec<Needle>,
    /// Index of each run of [`GRAM`] bytes: needle and offset.
    grams: BTreeMap<[u8; GRAM], Vec<(usize, usize)>>,
    /// Which values of [`bucket`] the index has: a lookup that finds nothing costs little.
    buckets: Vec<bool>,
    /// The distance between lookups in a text.
    stride: usize,
}

/// One encoded form of a token.
#[derive(Debug, Clone)]
struct Needle {
    bytes: Vec<u8>,
    /// The minimum length of a part that is hidden.
    min_match: usize,
}

static INSTALLED: OnceLock<TokenScrubber> = OnceLock::new();

/// Sets the tokens that this process hides. Only the first call has an effect.
pub fn install(scrub: TokenScrubber) {
    // Only tests that run the program in-process call it twice.
    let _ = INSTALLED.set(scrub);
}

/// The text without this process's tokens.
pub fn scrubbed(text: &str) -> Cow<'_, str> {
    match INSTALLED.get() {
        Some(scrub) => scrub.scrubbed(text),
        None => Cow::Borrowed(text),
    }
}

/// Whether this text contains a token of this process or a part of one.
pub fn contains_token(text: &str) -> bool {
    INSTALLED
        .get()
        .is_some_and(|scrub| scrub.contains_token(text))
}

impl TokenScrubber {
    /// Hides these tokens, each as in its variable: with a scheme in front, or several separated by commas.
    pub fn new<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Self {
        let mut forms: BTreeSet<(Vec<u8>, usize)> = BTreeSet::new();
        for part in tokens.into_iter().flat_map(split_tokens) {
            let length = part.chars().count();
            if length >= MIN_TOKEN_LEN {
                forms.extend(encodings_of(part, length));
            }
        }
        let mut scrub = Self {
            stride: GRAM,
            buckets: vec![false; BUCKETS],
            ..Self::default()
        };
        for (bytes, min_match) in forms {
            scrub.stride = scrub.stride.min(min_match + 1 - GRAM);
            for (at, gram) in bytes.windows(GRAM).enumerate() {
                let gram = gram.try_into().expect("a window has its length");
                scrub.buckets[bucket(gram)] = true;
                let occurrences = scrub.grams.entry(gram).or_default();
                occurrences.push((scrub.needles.len(), at));
            }
            scrub.needles.push(Needle { bytes, min_match });
        }
        scrub
    }

    /// The text with every token or part of one replaced by [`HIDDEN`].
    pub fn scrubbed<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let found = self.find(text);
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut shown = String::with_capacity(text.len());
        let mut from = 0;
        for (start, end) in found {
            shown.push_str(&text[from..start]);
            shown.push_str(HIDDEN);
            // Colours that are reset inside the hidden part must still be reset.
            colors(&text[start..end]).for_each(|color| shown.push_str(color));
            from = end;
        }
        shown.push_str(&text[from..]);
        Cow::Owned(shown)
    }

    /// Whether this text contains a token or a part of one.
    pub fn contains_token(&self, text: &str) -> bool {
        !self.find(text).is_empty()
    }

    /// The byte ranges of token parts, sorted and disjoint.
    fn find(&self, text: &str) -> Vec<(usize, usize)> {
        if self.needles.is_empty() || text.len() < MIN_TOKEN_LEN {
            return Vec::new();
        }
        let mut found: Vec<(usize, usize)> = Vec::new();
        let mut from = 0;
        loop {
            let to = floor_char_boundary(text, from + CHUNK);
            for (start, end) in self.find_in(&text[from..to]) {
                let (start, end) = (from + start, from + end);
                match found.last_mut() {
                    Some(last) if start <= last.1 => last.1 = last.1.max(end),
                    _ => found.push((start, end)),
                }
            }
            if to == text.len() {
                return found;
            }
            from = floor_char_boundary(text, to - OVERLAP);
        }
    }

    fn find_in(&self, text: &str) -> Vec<(usize, usize)> {
        // Most texts have nothing to decode and no part of a token: they need no positions.
        if canonical_plain(text).is_some_and(|bytes| !self.has_gram(&bytes)) {
            return Vec::new();
        }
        self.find_mapped(text)
    }

    /// Whether a lookup in these canonical bytes finds anything.
    fn has_gram(&self, bytes: &[u8]) -> bool {
        let mut at = 0;
        while at + GRAM <= bytes.len() {
            let gram = bytes[at..at + GRAM].try_into().expect("it has this length");
            if self.occurrences(gram).is_some() {
                return true;
            }
            at += self.stride;
        }
        false
    }

    fn occurrences(&self, gram: [u8; GRAM]) -> Option<&Vec<(usize, usize)>> {
        self.buckets[bucket(gram)]
            .then(|| self.grams.get(&gram))
            .flatten()
    }

    fn find_mapped(&self, text: &str) -> Vec<(usize, usize)> {
        let units = canonical(text);
        let mut found: Vec<(usize, usize)> = Vec::new();
        let mut at = 0;
        while at + GRAM <= units.len() {
            let mut gram = [0; GRAM];
            for (byte, unit) in gram.iter_mut().zip(&units[at..]) {
                *byte = unit.byte;
            }
            let longest = self
                .occurrences(gram)
                .into_iter()
                .flatten()
                .filter_map(|(needle, offset)| {
                    let needle = &self.needles[*needle];
                    let (from, to) = extend_match(&units, at, &needle.bytes, *offset);
                    (to - from >= needle.min_match).then_some((from, to))
                })
                .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
            let Some((from, to)) = longest else {
                at += self.stride;
                continue;
            };
            let (start, end) = (units[from].start, units[to - 1].end);
            match found.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => found.push((start, end)),
            }
            at = to.max(at + 1);
        }
        found
    }
}

/// How many buckets there are; the grams of a token fill about one in a hundred.
const BUCKETS: usize = 1 << 16;

/// The bucket of a gram: the upper bits of its product with a large odd number.
fn bucket(gram: [u8; GRAM]) -> usize {
    let product = u64::from_le_bytes(gram).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(product >> 48).expect("16 bits fit")
}

/// The nearest character boundary at or before this byte.
pub(crate) fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// How far text and needle match around these positions.
fn extend_match(units: &[MappedByte], at: usize, needle: &[u8], offset: usize) -> (usize, usize) {
    let before = units[..at].iter().rev().zip(needle[..offset].iter().rev());
    let before = before
        .take_while(|(unit, byte)| unit.byte == **byte)
        .count();
    let after = units[at..].iter().zip(&needle[offset..]);
    let after = after.take_while(|(unit, byte)| unit.byte == **byte).count();
    (at - before, at + after)
}

/// The tokens of one variable, without schemes.
fn split_tokens(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || c == ',')
        .filter(|part| !["bearer", "flyv1"].contains(&part.to_ascii_lowercase().as_str()))
}

/// The encoded forms of a token, each with the minimum length of a part that is hidden.
fn encodings_of(token: &str, length: usize) -> impl Iterator<Item = (Vec<u8>, usize)> {
    let piece = length.min(MIN_FRAGMENT_LEN);
    let plain: Vec<u8> = canonical(token).iter().map(|unit| unit.byte).collect();
    let mut forms = vec![(plain, piece)];
    // The preceding bytes decide the alignment of base64 groups.
    for before in 0..3 {
        let text = BASE64_NOPAD.encode(&shifted(token, before));
        forms.push((
            token_determined_chars(&text, before, 8, 6),
            piece * 8 / 6 - 1,
        ));
    }
    for before in 0..5 {
        let text = BASE32_NOPAD.encode(&shifted(token, before));
        forms.push((
            token_determined_chars(&text, before, 8, 5),
            piece * 8 / 5 - 1,
        ));
    }
    forms.push((HEXLOWER.encode(token.as_bytes()).into_bytes(), 2 * piece));
    forms.into_iter().filter_map(|(bytes, min_match)| {
        let min_match = min_match.min(bytes.len());
        (min_match >= GRAM).then_some((bytes, min_match))
    })
}

fn shifted(token: &str, before: usize) -> Vec<u8> {
    let mut bytes = vec![0; before];
    bytes.extend(token.as_bytes());
    bytes
}

/// The characters of an encoding that depend only on the token.
fn token_determined_chars(text: &str, before: usize, byte: usize, character: usize) -> Vec<u8> {
    let from = (before * byte).div_ceil(character);
    let bits = text.len() * character;
    // The last character may include bits of the following text.
    let to = if bits.is_multiple_of(byte) && text.len().is_multiple_of(byte) {
        text.len()
    } else {
        text.len() - 1
    };
    text.as_bytes()[from.min(to)..to]
        .iter()
        .map(|byte| fold_byte(*byte))
        .collect()
}

/// Describes a parse error: what was expected and where. It repeats no input, which may contain a token or be
/// a private file.
pub fn describe_parse_error(why: &str) -> String {
    // serde's messages about the form, and our own; none contains foreign text.
    const OURS: [&str; 14] = [
        "missing field `",
        "EOF while parsing",
        "expected ",
        "trailing ",
        "control character",
        "invalid escape",
        "invalid number",
        "key must be",
        "lone ",
        "unexpected end",
        "recursion limit",
        "not a volume",
        "the lease has no",
        "the release has no",
    ];
    let (what, place) = match why.rsplit_once(" at line ") {
        Some((what, place))
            if place
                .bytes()
                .all(|b| b.is_ascii_digit() || b" column".contains(&b)) =>
        {
            (what, format!(" at line {place}"))
        }
        _ => (why, String::new()),
    };
    if OURS.iter().any(|ours| what.starts_with(ours)) {
        return why.to_owned();
    }
    match what.rsplit_once(", expected ") {
        Some((_, expected)) => format!("expected {expected}{place}"),
        None => format!("a value does not match the type of its field{place}"),
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::{BASE64, BASE64URL};
    use proptest::strategy::Strategy as _;

    use super::*;

    const TOKEN: &str = "FlyV1 fm2_lJPE/CAAA+Q9x_Kz8Jk3-Lw7RtYuIoPaSdFg==,fm2_ZxCvBnMqWeRtYu12";

    fn scrub() -> TokenScrubber {
        TokenScrubber::new([TOKEN])
    }

    fn percent(text: &str) -> String {
        let each = text.bytes().map(|byte| format!("%{byte:02X}"));
        each.collect::<Vec<_>>().concat()
    }

    #[test]
    fn a_token_is_hidden_in_every_encoding() {
        let part = "fm2_lJPE/CAAA+Q9x_Kz8Jk3-Lw7RtYuIoPaSdFg==";
        let each = |form: fn(u8) -> String| part.bytes().map(form).collect::<Vec<_>>().concat();
        let json = each(|byte| format!("\\u{byte:04x}"));
        let html = each(|byte| format!("&#x{byte:x};"));
        let broken: Vec<String> = part
            .as_bytes()
            .chunks(5)
            .map(|chunk| String::from_utf8(chunk.to_vec()).unwrap())
            .collect();
        for (form, shown) in [
            ("as it is", part.to_owned()),
            ("percent", percent(part)),
            ("percent twice", percent(&percent(part))),
            (
                "reserved alone",
                part.replace('/', "%2F").replace('=', "%3d"),
            ),
            ("slashes of JSON", part.replace('/', "\\/")),
            ("JSON", json.clone()),
            ("JSON in JSON", json.replace('\\', "\\\\")),
            ("HTML", html),
            ("line ends", broken.join("\n    ")),
            ("escaped line ends", broken.join("\\n")),
            ("colours", broken.join("\u{1b}[1m")),
            ("zero width", broken.join("\u{200b}")),
            ("upper case", part.to_ascii_uppercase()),
            ("base64", BASE64.encode(part.as_bytes())),
            (
                "base64 of more",
                BASE64.encode(format!("x:{part} y").as_bytes()),
            ),
            (
                "base64 of a header",
                BASE64URL.encode(format!("Bearer {part}").as_bytes()),
            ),
            (
                "base32",
                BASE32_NOPAD.encode(format!("ab{part}").as_bytes()),
            ),
            ("hex", HEXLOWER.encode(part.as_bytes()).to_uppercase()),
            (
                "what our own escaper makes of it",
                super::super::escape::safe(&broken.join("\r")).into_owned(),
            ),
        ] {
            let text = format!("said `{shown}` to us");
            let hidden = scrub().scrubbed(&text).into_owned();
            assert!(hidden.contains(HIDDEN), "{form}: {hidden}");
            assert!(hidden.ends_with("` to us"), "{form}: {hidden}");
            assert!(hidden.len() < 45 + 5 * broken.len(), "{form}: {hidden}");
        }
    }

    #[test]
    fn any_piece_of_sixteen_characters_is_hidden_and_fifteen_are_not() {
        let scrub = scrub();
        let part = "fm2_ZxCvBnMqWeRtYu12";
        for start in 0..=part.len() - MIN_FRAGMENT_LEN {
            let piece = &part[start..start + MIN_FRAGMENT_LEN];
            for lead in 0..9 {
                let text = format!("{}{piece}·", "·".repeat(lead));
                assert_eq!(
                    scrub.scrubbed(&text),
                    format!("{}(the token)·", "·".repeat(lead))
                );
                let text = format!("{}{}", "·".repeat(lead), percent(piece));
                assert!(scrub.contains_token(&text), "{text}");
            }
            let base64 = BASE64.encode(format!("ab{piece}c").as_bytes());
            assert!(scrub.contains_token(&base64), "{base64}");
            let short = &piece[..MIN_FRAGMENT_LEN - 1];
            assert_eq!(scrub.scrubbed(&format!("·{short}·")), format!("·{short}·"));
        }
    }

    #[test]
    fn a_short_token_is_hidden_completely_and_a_word_is_not() {
        let scrub = TokenScrubber::new(["hunter2-abc", "none"]);
        assert_eq!(scrub.scrubbed("a hunter2-abc b"), "a (the token) b");
        assert_eq!(scrub.scrubbed("a hunter2%2Dabc b"), "a (the token) b");
        assert_eq!(scrub.scrubbed("a hunter2-ab none"), "a hunter2-ab none");
        assert_eq!(TokenScrubber::new(["x"]).scrubbed("x x x"), "x x x");
    }

    #[test]
    fn the_colours_of_what_is_hidden_go_on_after_it() {
        let text = "\u{1b}[31mfm2_ZxCvBn\u{1b}[1mMqWeRtYu12\u{1b}[0m x";
        assert_eq!(
            scrub().scrubbed(text),
            "\u{1b}[31m(the token)\u{1b}[1m\u{1b}[0m x"
        );
    }

    #[test]
    fn a_token_in_a_long_text_is_hidden_wherever_it_stands() {
        for lead in [
            CHUNK - 60,
            CHUNK - 30,
            CHUNK - 8,
            CHUNK,
            2 * CHUNK - OVERLAP - 5,
        ] {
            let text = format!("{}fm2_ZxCvBnMqWeRtYu12 é", "·é ".repeat(lead / 5));
            let hidden = scrub().scrubbed(&text).into_owned();
            assert!(hidden.ends_with(" (the token) é"), "{lead}");
        }
    }

    #[test]
    fn an_unreadable_token_is_reported_without_any_part_of_it() {
        for (why, expected) in [
            (
                "invalid type: string \"FlyV1 fm2_x, expected y\", expected u64 at line 1 column 20",
                "expected u64 at line 1 column 20",
            ),
            (
                "missing field `id` at line 1 column 2",
                "missing field `id` at line 1 column 2",
            ),
            (
                "EOF while parsing a value at line 1 column 0",
                "EOF while parsing a value at line 1 column 0",
            ),
            (
                "`FlyV1 fm2_x` is not a valid name: it has blanks",
                "a value does not match the type of its field",
            ),
        ] {
            assert_eq!(describe_parse_error(why), expected);
        }
    }

    proptest::proptest! {
        /// The short way for texts without escapes finds what the long way finds.
        #[test]
        fn a_token_is_found_with_positions_and_without(
            parts in proptest::collection::vec(
                proptest::prop_oneof![
                    (0..56_usize, 0..30_usize).prop_map(|(from, len)| {
                        TOKEN[14..].chars().skip(from).take(len).collect::<String>()
                    }),
                    proptest::strategy::Just("fm2_ZxCvBnMqWeRtYu12".to_owned()),
                    proptest::strategy::Just(BASE64.encode(b"fm2_ZxCvBnMqWeRtYu12")),
                    "[ -~]{0,12}",
                    "[=%&\\\\][0-9a-f]{0,2}",
                    "[ \t\r\n\u{1b}\u{200b}é]{0,2}",
                ],
                0..8,
            ),
        ) {
            let text = parts.concat();
            proptest::prop_assert_eq!(scrub().find_in(&text), scrub().find_mapped(&text));
            if let Some(bytes) = canonical_plain(&text) {
                let mapped: Vec<u8> = canonical(&text).iter().map(|unit| unit.byte).collect();
                proptest::prop_assert_eq!(bytes, mapped);
            }
        }
    }

    #[test]
    fn ordinary_text_is_borrowed() {
        for text in [
            "",
            "FlyV1 fm2_",
            "Machine 148ed599c14189 in ams answered 500: nothing",
            "100% of 20% \\u00e9 &amp; &#233; %zz \\u{1f600}",
        ] {
            assert!(matches!(scrub().scrubbed(text), Cow::Borrowed(_)), "{text}");
        }
    }
}
