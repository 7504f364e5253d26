//! The project folder, and the limit for paths in manifests.
//!
//! A manifest in a pull request must not make Aeroform read other files of this computer: every path in a
//! manifest is resolved, with links, and must be in the project (the enclosing git work tree, otherwise the
//! folder of aeroform.toml). A path from a flag may be anywhere.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::codes;
use super::git_index::is_tracked;
use super::gitignore::is_ignored;
use crate::core::view::escape::is_hazard;
use crate::ui::Failure;

/// File name of our manifest.
pub(super) const AEROFORM_TOML: &str = "aeroform.toml";

/// Default file name of Fly's manifest.
pub(super) const FLY_TOML: &str = "fly.toml";

/// The folder of aeroform.toml, or of fly.toml without an aeroform.toml.
#[derive(Debug, Clone)]
pub(super) struct Project {
    /// Relative to the current folder; empty for that folder.
    display_dir: PathBuf,
    /// Resolved.
    folder: PathBuf,
    /// Resolved; the limit for reads.
    root: PathBuf,
}

impl Project {
    /// The project of this folder.
    pub(super) fn open(dir: &Path) -> Result<Self, Failure> {
        let shown = if dir == Path::new("") {
            Path::new(".")
        } else {
            dir
        };
        let folder = fs::canonicalize(shown).map_err(|error| {
            Failure::new(
                codes::NO_FOLDER,
                format!("cannot find the folder `{}`", shown.display()),
            )
            .cause(error)
        })?;
        let root = folder
            .ancestors()
            .find(|dir| dir.join(".git").exists())
            .unwrap_or(&folder)
            .to_owned();
        Ok(Self {
            display_dir: dir.to_owned(),
            folder,
            root,
        })
    }

    /// The limit of reads: the resolved top folder of its work tree.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Its resolved folder, the working directory of local Machines.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A path relative to the project, as relative to the current folder.
    pub(super) fn path(&self, written: &str) -> PathBuf {
        self.display_dir.join(written)
    }

    /// A path relative to the current folder, as a manifest of the project writes it.
    pub(super) fn written_path(&self, path: &Path) -> Result<String, Failure> {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        // The file and its folders may be missing: the nearest folder that exists is resolved.
        let resolved = absolute.ancestors().skip(1).find_map(|folder| {
            let rest = absolute.strip_prefix(folder).ok()?;
            Some(fs::canonicalize(folder).ok()?.join(rest))
        });
        let inside = resolved
            .as_deref()
            .and_then(|path| path.strip_prefix(&self.folder).ok())
            .and_then(Path::to_str);
        inside.map(str::to_owned).ok_or_else(|| {
            Failure::new(
                codes::OUTSIDE_PROJECT,
                format!("`{}` is outside the project", path.display()),
            )
            .cause(format!(
                "the folder of aeroform.toml is `{}`",
                self.folder.display()
            ))
            .hint("a manifest names the state by a path in its own folder: use one there")
        })
    }

    /// A path relative to the repository, as a forge shows it.
    pub(super) fn repository_path(&self, shown: &str) -> String {
        let resolved = fs::canonicalize(shown).ok();
        let inside = resolved
            .as_deref()
            .and_then(|path| path.strip_prefix(&self.root).ok());
        inside.map_or_else(|| shown.to_owned(), |path| path.display().to_string())
    }

    /// Refuses a path outside the project. For a missing file the nearest existing folder decides.
    pub(super) fn check_inside(&self, path: &Path) -> Result<(), Failure> {
        self.check_not_git(path)?;
        let (absolute, resolved) = resolve(&self.within_folder(path));
        let climbs = absolute
            .components()
            .any(|part| part == std::path::Component::ParentDir);
        if resolved.starts_with(&self.root) && (!climbs || absolute.exists()) {
            return Ok(());
        }
        Err(Failure::new(
            codes::OUTSIDE_PROJECT,
            format!("`{}` is outside the project", path.display()),
        )
        .cause(format!("the project is `{}`", self.root.display()))
        .hint("a manifest can only name files in its project; a flag can name any file"))
    }

    /// The path from the resolved project folder; the path to that folder comes from the user and may contain
    /// `..`.
    fn within_folder(&self, path: &Path) -> PathBuf {
        let inside = path.strip_prefix(&self.display_dir);
        inside.map_or_else(|_| path.to_owned(), |path| self.folder.join(path))
    }

    /// Refuses a path into a `.git` folder, existing or not.
    fn check_not_git(&self, path: &Path) -> Result<(), Failure> {
        let (absolute, resolved) = resolve(&self.within_folder(path));
        if !self.is_in_git_dir(&absolute) && !self.is_in_git_dir(&resolved) {
            return Ok(());
        }
        Err(Failure::new(
            codes::IN_GIT_FOLDER,
            format!("`{}` is in a `.git` folder", path.display()),
        )
        .hint("use another file: a `.git` folder can contain credentials"))
    }

    /// Whether a component of this path inside the project is `.git`. Some file systems ignore case and
    /// invisible characters.
    fn is_in_git_dir(&self, path: &Path) -> bool {
        let inside = path.strip_prefix(&self.root).unwrap_or(path);
        inside.components().any(|part| {
            let name = part.as_os_str().to_string_lossy();
            let seen: String = name.chars().filter(|c| !is_hazard(*c)).collect();
            let seen = seen.trim_end_matches([' ', '.']);
            seen.eq_ignore_ascii_case(".git") || seen.eq_ignore_ascii_case("git~1")
        })
    }

    /// Whether git ignores this file or its link target, and does not track it.
    pub(super) fn is_ignored(&self, path: &Path) -> bool {
        let named = std::path::absolute(path).ok();
        let named = named.and_then(|path| {
            let folder = fs::canonicalize(path.parent()?).ok()?;
            Some(folder.join(path.file_name()?))
        });
        let resolved = fs::canonicalize(path).ok();
        let mut both = named.into_iter().chain(resolved);
        both.any(|path| is_ignored(&self.root, &path) && !is_tracked(&self.root, &path))
    }

    /// Reads a manifest of the project; `None` if it is missing.
    pub(super) fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, Failure> {
        self.read_limited(path, SizeLimit::Manifest)
    }

    /// Reads another file of the project; `None` if it is missing.
    pub(super) fn read_data(&self, path: &Path) -> Result<Option<Vec<u8>>, Failure> {
        self.read_limited(path, SizeLimit::Data)
    }

    fn read_limited(&self, path: &Path, limit: SizeLimit) -> Result<Option<Vec<u8>>, Failure> {
        self.check_not_git(path)?;
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(_) | Ok(_) => self.check_inside(path)?,
        }
        read_file(path, limit)
    }
}

/// How large a file may be; a larger one is not read.
#[derive(Debug, Clone, Copy)]
pub(super) enum SizeLimit {
    /// A manifest, 1 MiB.
    Manifest,
    /// A state, a saved plan, or a file that a manifest names, 64 MiB.
    Data,
}

impl SizeLimit {
    fn bytes(self) -> u64 {
        match self {
            Self::Manifest => 1 << 20,
            Self::Data => 64 << 20,
        }
    }
}

/// An absolute path, as written and with links resolved; for a missing one its nearest existing folder.
fn resolve(path: &Path) -> (PathBuf, PathBuf) {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let resolved = absolute
        .ancestors()
        .find_map(|part| match fs::canonicalize(part) {
            Ok(resolved) => Some(resolved),
            // A dangling link may have another target when it is followed.
            Err(_) if fs::symlink_metadata(part).is_ok() => Some(PathBuf::from("/")),
            Err(_) => None,
        })
        .unwrap_or_else(|| PathBuf::from("/"));
    (absolute, resolved)
}

/// Reads a regular file; `None` if it is missing. A device or pipe could block forever.
pub(super) fn read_file(path: &Path, limit: SizeLimit) -> Result<Option<Vec<u8>>, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(
            codes::UNREADABLE,
            format!("cannot read `{}`", path.display()),
        )
        .cause(error)
    };
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&error)),
        Ok(meta) if !meta.is_file() => Err(failed(&"it is not a regular file")),
        Ok(meta) if meta.len() > limit.bytes() => Err(too_large(path, meta.len(), limit)),
        // The file may grow meanwhile.
        Ok(_) => fs::File::open(path)
            .and_then(|file| {
                let mut bytes = Vec::new();
                file.take(limit.bytes()).read_to_end(&mut bytes)?;
                Ok(Some(bytes))
            })
            .map_err(|error| failed(&error)),
    }
}

fn too_large(path: &Path, size: u64, limit: SizeLimit) -> Failure {
    let message = format!(
        "cannot read `{}`: it has {size} bytes, and the limit is {}",
        path.display(),
        limit.bytes()
    );
    Failure::new(codes::TOO_LARGE, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_outside_or_is_linked_outside_is_refused() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "x").unwrap();
        let inside = tempfile::tempdir().unwrap();
        let app = inside.path().join("app");
        fs::create_dir_all(&app).unwrap();
        fs::write(inside.path().join("fly.toml"), "").unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), app.join("link")).unwrap();
        std::os::unix::fs::symlink("/nowhere/at/all", app.join("dangling")).unwrap();
        let project = Project::open(&app).unwrap();

        assert!(
            project
                .check_inside(&project.path("state/shop.json"))
                .is_ok()
        );
        assert!(project.check_inside(&project.path("../fly.toml")).is_err());
        assert!(
            project
                .check_inside(&project.path("new/../../../x"))
                .is_err()
        );
        assert!(project.check_inside(&project.path("/etc/passwd")).is_err());
        assert!(project.check_inside(&project.path("link")).is_err());
        assert!(project.check_inside(&project.path("dangling")).is_err());

        fs::create_dir(inside.path().join(".git")).unwrap();
        fs::write(inside.path().join(".git/config"), "x").unwrap();
        std::os::unix::fs::symlink("../.git", app.join("harmless")).unwrap();
        std::os::unix::fs::symlink("../.git/config", app.join("config.toml")).unwrap();
        let project = Project::open(&app).unwrap();
        assert!(project.check_inside(&project.path("../fly.toml")).is_ok());
        assert!(project.check_inside(&project.path("link")).is_err());
        let code = |path: &str| project.check_inside(&project.path(path)).unwrap_err().code;
        for path in [
            "../.git/config",
            "../.GIT/config",
            "x/.Git/none",
            "harmless/config",
            "config.toml",
            ".git",
            "sub/.git/modules/x",
        ] {
            assert_eq!(code(path), "in_git_folder", "{path}");
        }
        for path in [
            ".github/workflows/x.toml",
            ".gitignore",
            "x.git/y",
            "git/config",
        ] {
            assert!(project.check_inside(&project.path(path)).is_ok(), "{path}");
        }
        assert!(project.read(&project.path("none.toml")).unwrap().is_none());
        assert!(project.read(&app).is_err());
    }
}
