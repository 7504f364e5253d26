//! Converts a text to the canonical form for comparing it with a token: escapes decoded, without white space
//! and colours, case folded. Each byte keeps its position in the original text.

/// The depth of nested escape sequences that is decoded.
const MAX_NESTED_ESCAPES: usize = 4;

/// One byte of the canonical form, and its origin.
#[derive(Debug, Clone, Copy)]
pub(super) struct MappedByte {
    pub(super) byte: u8,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Folds case and both base64 alphabets.
pub(super) fn fold_byte(byte: u8) -> u8 {
    match byte {
        b'-' => b'+',
        b'_' => b'/',
        byte => byte.to_ascii_lowercase(),
    }
}

/// The canonical form of a text.
pub(super) fn canonical(text: &str) -> Vec<MappedByte> {
    let mut units: Vec<MappedByte> = Vec::with_capacity(text.len());
    let mut escapes = false;
    let mut skip = 0;
    for (start, c) in text.char_indices() {
        if start < skip {
            continue;
        }
        if c == '\u{1b}' {
            skip = start + color(&text[start..]).map_or(1, str::len);
            continue;
        }
        let end = start + c.len_utf8();
        match u8::try_from(c) {
            Ok(byte) if byte.is_ascii() => {
                escapes |= matches!(byte, b'%' | b'\\' | b'&' | b'=');
                units.push(MappedByte { byte, start, end });
            }
            _ if crate::core::escape::is_hazard(c) || c.is_whitespace() => {}
            _ => units.push(MappedByte {
                byte: 0xff,
                start,
                end,
            }),
        }
    }
    if escapes {
        for _ in 0..MAX_NESTED_ESCAPES {
            let Some(decoded) = decode_once(&units) else {
                break;
            };
            units = decoded;
        }
    }
    units.retain(|unit| !unit.byte.is_ascii_whitespace() && !unit.byte.is_ascii_control());
    for unit in &mut units {
        unit.byte = fold_byte(unit.byte);
    }
    units
}

/// The bytes of the canonical form, where nothing is to be decoded: ASCII without colours and escapes.
pub(super) fn canonical_plain(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    let mut bytes = Vec::with_capacity(text.len());
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            b'\\' | b'&' | 0x1b | 0x80.. => return None,
            b'%' | b'=' if text.get(at + 1).is_some_and(u8::is_ascii_hexdigit) => return None,
            0..=b' ' | 0x7f => {}
            byte => bytes.push(fold_byte(byte)),
        }
    }
    Some(bytes)
}

/// Decodes one level of escape sequences; `None` if there are none.
fn decode_once(units: &[MappedByte]) -> Option<Vec<MappedByte>> {
    let mut decoded = Vec::with_capacity(units.len());
    let mut changed = false;
    let mut at = 0;
    while at < units.len() {
        let sequence = match units[at].byte {
            b'%' | b'=' => hex(units, at + 1, 2, 2),
            b'\\' => backslash(units, at),
            b'&' => entity(units, at),
            _ => None,
        };
        let Some((byte, length)) = sequence else {
            decoded.push(units[at]);
            at += 1;
            continue;
        };
        changed = true;
        if let Some(byte) = byte {
            let (start, end) = (units[at].start, units[at + length - 1].end);
            decoded.push(MappedByte { byte, start, end });
        }
        at += length;
    }
    changed.then_some(decoded)
}

/// The decoded byte, if it is compared, and the length of the sequence.
type Sequence = (Option<u8>, usize);

fn ascii(code: u32) -> Option<u8> {
    let c = char::from_u32(code).unwrap_or('\u{fffd}');
    match u8::try_from(c) {
        Ok(byte) if byte.is_ascii() => Some(byte),
        _ if crate::core::escape::is_hazard(c) || c.is_whitespace() => None,
        _ => Some(0xff),
    }
}

/// A hex number with `min_digits` to `max_digits` digits; the byte in front belongs to the sequence.
fn hex(
    units: &[MappedByte],
    from: usize,
    min_digits: usize,
    max_digits: usize,
) -> Option<Sequence> {
    let (code, digits) = number(units, from, max_digits, 16)?;
    (digits >= min_digits).then(|| (ascii(code), digits + 1))
}

fn number(
    units: &[MappedByte],
    from: usize,
    max_digits: usize,
    radix: u32,
) -> Option<(u32, usize)> {
    let digits = units[from.min(units.len())..].iter().take(max_digits);
    let mut code: u32 = 0;
    let mut count = 0;
    for unit in digits {
        let Some(digit) = char::from(unit.byte).to_digit(radix) else {
            break;
        };
        code = code.saturating_mul(radix).saturating_add(digit);
        count += 1;
    }
    (count > 0).then_some((code, count))
}

/// `\/`, `\"`, `\\`, `\n`, `\x2f`, `\u002f`, `\u{2f}`.
fn backslash(units: &[MappedByte], at: usize) -> Option<Sequence> {
    let next = units.get(at + 1)?.byte;
    match next {
        b'/' | b'"' | b'\\' | b'\'' => Some((Some(next), 2)),
        b'n' | b'r' | b't' | b'b' | b'f' => Some((None, 2)),
        b'x' => hex(units, at + 2, 2, 2).map(|(byte, length)| (byte, length + 1)),
        b'u' | b'U' if units.get(at + 2).is_some_and(|unit| unit.byte == b'{') => {
            let (code, digits) = number(units, at + 3, 6, 16)?;
            let closed = units.get(at + 3 + digits)?.byte == b'}';
            closed.then(|| (ascii(code), digits + 4))
        }
        b'u' => hex(units, at + 2, 4, 4).map(|(byte, length)| (byte, length + 1)),
        b'U' => hex(units, at + 2, 8, 8).map(|(byte, length)| (byte, length + 1)),
        // A line continuation.
        next if next.is_ascii_whitespace() => Some((None, 2)),
        _ => None,
    }
}

/// `&#47;`, `&#x2f;`, `&amp;`.
fn entity(units: &[MappedByte], at: usize) -> Option<Sequence> {
    const NAMES: [(&str, u8); 10] = [
        ("amp;", b'&'),
        ("sol;", b'/'),
        ("plus;", b'+'),
        ("equals;", b'='),
        ("comma;", b','),
        ("lowbar;", b'_'),
        ("lt;", b'<'),
        ("gt;", b'>'),
        ("quot;", b'"'),
        ("nbsp;", b' '),
    ];
    if units.get(at + 1)?.byte == b'#' {
        let is_hex = units.get(at + 2)?.byte.eq_ignore_ascii_case(&b'x');
        let (skip, radix) = if is_hex { (3, 16) } else { (2, 10) };
        let (code, digits) = number(units, at + skip, 8, radix)?;
        let closed = units
            .get(at + skip + digits)
            .is_some_and(|unit| unit.byte == b';');
        return Some((ascii(code), skip + digits + usize::from(closed)));
    }
    NAMES.iter().find_map(|(name, byte)| {
        let rest = units[at + 1..].iter().map(|unit| unit.byte);
        let same = rest.take(name.len()).eq(name.bytes());
        same.then_some((Some(*byte), name.len() + 1))
    })
}

/// The colour sequence at the start of this text.
fn color(text: &str) -> Option<&str> {
    let codes = text.strip_prefix("\u{1b}[")?;
    let end = codes.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    codes[end..].starts_with('m').then(|| &text[..end + 3])
}

pub(super) fn colors(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('\u{1b}')
        .filter_map(|(at, _)| color(&text[at..]))
}
