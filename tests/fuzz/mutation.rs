//! One damaged text out of others.

use proptest::prelude::Rng;
use proptest::test_runner::TestRng;

/// Inputs do not grow beyond this: large ones are the business of `growth`.
const MOST: usize = 16 * 1024;

/// Numbers at which arithmetic breaks.
const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "1",
    "255",
    "65535",
    "65536",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "1e308",
    "1e999",
    "-0.0",
    "0.1",
    "nan",
    "inf",
];

/// Bytes that readers and terminals stumble over.
const BYTES: &[&[u8]] = &[
    b"\0",
    b"\r",
    b"\n",
    b"\x1b[31m",
    b"\xff",
    b"\xc3",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xae",
    b"\xf0\x9f\xa6\x80",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\"",
    b"'",
    b"\"\"\"",
    b"'''",
    b"#",
];

pub(crate) fn below(rng: &mut TestRng, most: usize) -> usize {
    let drawn = rng.next_u64() % most.max(1) as u64;
    usize::try_from(drawn).unwrap()
}

fn one<'a, T: ?Sized>(rng: &mut TestRng, of: &[&'a T]) -> &'a T {
    of[below(rng, of.len())]
}

/// A child of one text, with parts of others and words of the reader's own language.
pub(crate) fn child(rng: &mut TestRng, corpus: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
    let mut text = corpus[below(rng, corpus.len())].clone();
    for _ in 0..=below(rng, 5) {
        damage(rng, &mut text, corpus, words);
    }
    text.truncate(MOST);
    text
}

fn damage(rng: &mut TestRng, text: &mut Vec<u8>, corpus: &[Vec<u8>], words: &[&str]) {
    let at = below(rng, text.len() + 1);
    let to = (at + below(rng, 40)).min(text.len());
    match below(rng, 9) {
        0 => drop(text.drain(at..to)),
        1 => drop(text.splice(at..at, one(rng, words).bytes())),
        2 => drop(text.splice(at..at, one(rng, BYTES).iter().copied())),
        3 => number(rng, text, at),
        4 => {
            let part = text[at..to].to_vec();
            let most = 1 << below(rng, 9);
            let times = below(rng, most);
            drop(text.splice(at..at, part.repeat(times)));
        }
        5 => line(rng, text, at, corpus),
        6 => {
            let other = &corpus[below(rng, corpus.len())];
            let from = below(rng, other.len() + 1);
            text.truncate(at);
            text.extend_from_slice(&other[from..]);
        }
        7 => {
            if let Some(byte) = text.get_mut(at) {
                *byte = rng.next_u32().to_le_bytes()[0];
            }
        }
        _ => {
            let word = one(rng, words).bytes();
            drop(text.splice(at..to, word));
        }
    }
    text.truncate(MOST);
}

/// Puts an extreme number in the place of the next one.
fn number(rng: &mut TestRng, text: &mut Vec<u8>, at: usize) {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let from = text[at..]
        .iter()
        .position(is_digit)
        .map_or(at, |found| at + found);
    let length = text[from..]
        .iter()
        .take_while(|byte| is_digit(byte))
        .count();
    drop(text.splice(from..from + length, one(rng, NUMBERS).bytes()));
}

/// Puts a whole line of some text before the next line of this one.
fn line(rng: &mut TestRng, text: &mut Vec<u8>, at: usize, corpus: &[Vec<u8>]) {
    let other = &corpus[below(rng, corpus.len())];
    let lines: Vec<&[u8]> = other.split_inclusive(|byte| *byte == b'\n').collect();
    let start = text[at..]
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(text.len(), |end| at + end + 1);
    if let Some(line) = lines.get(below(rng, lines.len())) {
        drop(text.splice(start..start, line.iter().copied()));
    }
}
