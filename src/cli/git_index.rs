//! Which files git tracks, from the index of the work tree: starts no process and reads nothing outside (rule
//! 38). A tracked file is not ignored, whatever the patterns say.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Largest index that is read, in bytes; one with a million files has about a tenth.
const MAX_INDEX_BYTES: u64 = 1 << 30;
/// Bytes of an entry before its name: ten numbers, an object id and flags.
const ENTRY_HEADER_BYTES: usize = 62;
/// Marks an entry with two more bytes of flags.
const EXTENDED_FLAG: u16 = 0x4000;

/// Whether git tracks this file. Both paths are resolved; `root` is the top of the work tree. Unknown counts as
/// not tracked: an index elsewhere (linked work tree) or in an unknown format.
pub(super) fn is_tracked(root: &Path, file: &Path) -> bool {
    let place = root.join(".git/index");
    let is_readable = fs::symlink_metadata(root.join(".git")).is_ok_and(|git| git.is_dir())
        && fs::symlink_metadata(&place)
            .is_ok_and(|index| index.is_file() && index.len() <= MAX_INDEX_BYTES);
    let Some(inside) = file.strip_prefix(root).ok().filter(|_| is_readable) else {
        return false;
    };
    let index = fs::read(place).unwrap_or_default();
    has_entry(&index, inside.as_os_str().as_bytes()).unwrap_or(false)
}

/// Whether an index has an entry with this name; `None` if it cannot be read.
fn has_entry(index: &[u8], searched: &[u8]) -> Option<bool> {
    let number = |at: usize| Some(u32::from_be_bytes(index.get(at..at + 4)?.try_into().ok()?));
    let (version, entries) = (number(4)?, number(8)?);
    if index.get(..4)? != b"DIRC" || !(2..=4).contains(&version) {
        return None;
    }
    let mut name: Vec<u8> = Vec::new();
    let mut at = 12;
    for _ in 0..entries {
        let flags = u16::from_be_bytes(index.get(at + 60..at + 62)?.try_into().ok()?);
        let begin = at + ENTRY_HEADER_BYTES + if flags & EXTENDED_FLAG == 0 { 0 } else { 2 };
        let begin = if version == 4 {
            // Version 4 stores only the difference from the previous name.
            let (cut, length) = parse_varint(index.get(begin..)?)?;
            name.truncate(name.len().checked_sub(cut)?);
            begin + length
        } else {
            name.clear();
            begin
        };
        let rest = index.get(begin..)?;
        let length = rest.iter().position(|byte| *byte == 0)?;
        name.extend_from_slice(&rest[..length]);
        if name == searched {
            return Some(true);
        }
        let end = begin + length;
        at = if version == 4 {
            end + 1
        } else {
            // Padded to a multiple of eight, with at least one zero.
            at + (end - at + 1).next_multiple_of(8)
        };
    }
    Some(false)
}

/// A variable-length number of version 4, and its length.
fn parse_varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0_usize;
    for (at, byte) in bytes.iter().enumerate().take(8) {
        value += usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
        value = (value + 1) << 7;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An index of this version with these names, in git's format.
    fn index(version: u32, names: &[&str]) -> Vec<u8> {
        let mut bytes = b"DIRC".to_vec();
        bytes.extend(version.to_be_bytes());
        bytes.extend(u32::try_from(names.len()).unwrap().to_be_bytes());
        let mut before = "";
        for name in names {
            let begin = bytes.len();
            bytes.extend([7; 60]);
            bytes.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
            if version == 4 {
                let same = before
                    .bytes()
                    .zip(name.bytes())
                    .take_while(|(a, b)| a == b)
                    .count();
                bytes.push(u8::try_from(before.len() - same).unwrap());
                bytes.extend(&name.as_bytes()[same..]);
                bytes.push(0);
            } else {
                bytes.extend(name.as_bytes());
                bytes.push(0);
                while !(bytes.len() - begin).is_multiple_of(8) {
                    bytes.push(0);
                }
            }
            before = name;
        }
        bytes
    }

    #[test]
    fn tracked_files_are_found_in_every_version_of_the_index() {
        let names = [
            ".env",
            "config/a.yml",
            "config/ab.yml",
            "config/abcdefgh.yml",
        ];
        for version in [2, 3, 4] {
            let bytes = index(version, &names);
            for name in names {
                assert_eq!(
                    has_entry(&bytes, name.as_bytes()),
                    Some(true),
                    "{version} {name}"
                );
            }
            assert_eq!(has_entry(&bytes, b"config/b.yml"), Some(false));
            assert_eq!(has_entry(&bytes[..90], b"config/b.yml"), None, "cut off");
        }
        assert_eq!(has_entry(&index(5, &names), b".env"), None);
        assert_eq!(has_entry(b"", b".env"), None);
    }

    #[test]
    fn without_an_index_nothing_is_tracked() {
        let folder = tempfile::tempdir().unwrap();
        let (root, file) = (folder.path(), folder.path().join("a"));
        assert!(!is_tracked(root, &file));
        fs::create_dir(root.join(".git")).unwrap();
        fs::write(root.join(".git/index"), index(2, &["a"])).unwrap();
        assert!(is_tracked(root, &file));
        assert!(!is_tracked(root, &root.join("b")));
    }
}
