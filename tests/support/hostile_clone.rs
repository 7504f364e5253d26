//! What a person has in a clone, and everything by which a repository can make git run something.

#![allow(dead_code, reason = "each binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::git_command::git;

/// What a person has in a clone: a stash, an index with changes, a file without a commit, a tag.
pub(crate) fn work_in(clone: &Path) {
    git(clone, &["tag", "mine"]);
    fs::create_dir_all(clone.join("app")).unwrap();
    fs::write(clone.join("app/stashed"), "stashed").unwrap();
    git(clone, &["add", "--sparse", "app/stashed"]);
    git(clone, &["stash", "--quiet"]);
    fs::create_dir_all(clone.join("app")).unwrap();
    fs::write(clone.join("app/staged"), "staged").unwrap();
    git(clone, &["add", "--sparse", "app/staged"]);
    fs::write(clone.join("untracked"), "untracked").unwrap();
}

/// Lets everything that a repository can make git run touch a file: tracked attributes, tracked hooks, and the
/// drivers, aliases and programs that its configuration names.
pub(crate) fn set_traps(clone: &Path, trap: &Path) {
    let touch = trap.with_file_name("touch-trap");
    fs::write(
        &touch,
        format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\ncat\n", trap.display()),
    )
    .unwrap();
    fs::set_permissions(&touch, fs::Permissions::from_mode(0o755)).unwrap();
    let run = touch.to_str().unwrap();
    fs::write(
        clone.join(".gitattributes"),
        "* filter=evil diff=evil merge=evil ident text eol=crlf working-tree-encoding=UTF-16\n",
    )
    .unwrap();
    // A file that only looks like configuration.
    let tracked =
        format!("[core]\n\tsshCommand = {run}\n\tfsmonitor = {run}\n[alias]\n\tfetch = !{run}\n");
    fs::write(clone.join(".gitconfig"), tracked).unwrap();
    let hooks = clone.join("hooks");
    fs::create_dir_all(&hooks).unwrap();
    let git_hooks = PathBuf::from(git(clone, &["rev-parse", "--git-path", "hooks"]));
    let git_hooks = clone.join(git_hooks);
    fs::create_dir_all(&git_hooks).unwrap();
    for hook in [
        "pre-push",
        "reference-transaction",
        "post-index-change",
        "fsmonitor-watchman",
        "pre-auto-gc",
        "post-checkout",
        "post-rewrite",
        "pre-commit",
        "commit-msg",
        "post-commit",
        "post-merge",
    ] {
        for folder in [&hooks, &git_hooks] {
            fs::copy(&touch, folder.join(hook)).unwrap();
        }
    }
    for (key, value) in [
        ("filter.evil.clean", run),
        ("filter.evil.smudge", run),
        ("filter.evil.process", run),
        ("filter.evil.required", "true"),
        ("diff.evil.command", run),
        ("diff.evil.textconv", run),
        ("diff.external", run),
        ("merge.evil.driver", run),
        ("core.hooksPath", "hooks"),
        ("core.fsmonitor", run),
        ("core.editor", run),
        ("core.pager", run),
        ("core.alternateRefsCommand", run),
        ("gpg.program", run),
        ("commit.gpgSign", "true"),
        ("push.gpgSign", "if-asked"),
        ("gc.auto", "1"),
        ("alias.fetch", &format!("!{run}")),
        ("alias.push", &format!("!{run}")),
        ("alias.ls-remote", &format!("!{run}")),
        ("alias.cat-file", &format!("!{run}")),
    ] {
        git(clone, &["config", key, value]);
    }
}
