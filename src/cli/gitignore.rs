//! Which files git ignores, by the patterns of the work tree: starts no process and reads nothing outside (rule
//! 38).

use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Whether git ignores this file. Both paths are resolved; `root` is the top of the work tree. Without a work
/// tree nothing is ignored.
pub(super) fn is_ignored(root: &Path, file: &Path) -> bool {
    if !root.join(".git").exists() {
        return false;
    }
    let Ok(inside) = file.strip_prefix(root) else {
        return false;
    };
    let exclude = load_patterns(root, &root.join(".git/info/exclude"));
    let mut found: Vec<Gitignore> = exclude.into_iter().collect();
    let mut path = root.to_owned();
    let mut parts = inside.components().peekable();
    while let Some(part) = parts.next() {
        // The deepest pattern file takes precedence.
        found.extend(load_patterns(&path, &path.join(".gitignore")));
        path.push(part);
        let is_dir = parts.peek().is_some();
        let said = found
            .iter()
            .rev()
            .find_map(|patterns| match patterns.matched(&path, is_dir) {
                Match::Ignore(_) => Some(true),
                Match::Whitelist(_) => Some(false),
                Match::None => None,
            });
        // A file in an ignored folder cannot be re-included.
        if said == Some(true) {
            return true;
        }
    }
    false
}

/// The patterns of one file, relative to `folder`. An unreadable file has none, like in git; a link is not part
/// of the project.
fn load_patterns(folder: &Path, file: &PathBuf) -> Option<Gitignore> {
    let is_file = std::fs::symlink_metadata(file).is_ok_and(|meta| meta.is_file());
    if !is_file {
        return None;
    }
    let mut builder = GitignoreBuilder::new(folder);
    // Invalid lines are skipped.
    let _ = builder.add(file);
    builder.build().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn patterns_count_as_they_do_for_git() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            ".gitignore",
            ".env*\n!.env.example\n/build/\n*.key\nlogs/*\n!logs/keep\n",
        );
        write("app/.gitignore", "local.json\n!public.key\n");
        let ignored = |path: &str| is_ignored(&root, &root.join(path));
        assert!(!ignored(".env"), "without git nothing is ignored");
        write(".git/info/exclude", "mine.txt\n");
        for path in [
            ".env",
            ".env.local",
            "app/.env",
            "build/x/y",
            "a.key",
            "app/local.json",
            "mine.txt",
            "app/mine.txt",
            "logs/a",
        ] {
            assert!(ignored(path), "{path}");
        }
        for path in [
            ".env.example",
            "app/build/x",
            "app/public.key",
            "local.json",
            "fly.toml",
            "logs/keep",
        ] {
            assert!(!ignored(path), "{path}");
        }
        assert!(!is_ignored(&root, Path::new("/etc/passwd")));
    }
}
