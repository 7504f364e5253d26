//! Where the state is: a file of the project, or a branch of a git remote.

use std::path::{Path, PathBuf};

use super::Context;
use super::project::Project;
use super::session::state_dir;
use crate::core::fleet::AppName;
use crate::core::manifest::{Settings, StateLocation};
use crate::store::{GitAddress, GitStore, LocalStore, StateStore, StoreError};
use crate::ui::Failure;

/// Where `[state]` stores the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StatePlace {
    /// In a file of the project.
    File(PathBuf),
    /// On a branch of a git remote.
    Git(GitAddress),
}

impl StatePlace {
    /// The place, from the settings.
    pub(super) fn of(
        project: &Project,
        app: &AppName,
        settings: &Settings,
    ) -> Result<Self, Failure> {
        match settings.state_location(app) {
            StateLocation::Path(written) => {
                let path = project.path(&written);
                project.check_inside(&path)?;
                Ok(Self::File(path))
            }
            StateLocation::Url(url) => {
                let address = GitAddress::parse(&url, app).map_err(StoreError::from)?;
                Ok(Self::Git(address))
            }
        }
    }
}

impl StatePlace {
    /// The place that a flag names, and how aeroform.toml says it: a url, or a path relative to the current folder.
    pub(super) fn typed(
        project: &Project,
        app: &AppName,
        text: &str,
    ) -> Result<(Self, StateLocation), Failure> {
        if text.starts_with("git+") || text.contains("://") {
            let address = GitAddress::parse(text, app).map_err(StoreError::from)?;
            return Ok((Self::Git(address), StateLocation::Url(text.to_owned())));
        }
        let written = project.written_path(Path::new(text))?;
        let path = project.path(&written);
        project.check_inside(&path)?;
        Ok((Self::File(path), StateLocation::Path(written)))
    }

    /// Whether both are written as the same place.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(other)) => one == other,
            (Self::Git(one), Self::Git(other)) => {
                one.remote == other.remote && self.is_same_file(&Self::Git(other.clone()))
            }
            (Self::File(_), Self::Git(_)) | (Self::Git(_), Self::File(_)) => false,
        }
    }

    /// Whether two places with one lock are the same: two names of a file, or one file of a branch.
    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(_), Self::File(_)) => true,
            (Self::Git(one), Self::Git(other)) => {
                one.branch == other.branch && one.path == other.path
            }
            (Self::File(_), Self::Git(_)) | (Self::Git(_), Self::File(_)) => false,
        }
    }
}

/// The store of a place.
pub(super) fn store_at(
    context: &Context<'_>,
    project: &Project,
    app: &AppName,
    place: &StatePlace,
) -> Result<Box<dyn StateStore>, Failure> {
    Ok(match place {
        StatePlace::File(path) => Box::new(state_store(context, path)),
        StatePlace::Git(address) => Box::new(git_store(context, project, app, address)?),
    })
}

/// The path of the state, if it is a file.
pub(super) fn state_path(
    project: &Project,
    app: &AppName,
    settings: &Settings,
) -> Result<Option<PathBuf>, Failure> {
    Ok(match StatePlace::of(project, app, settings)? {
        StatePlace::File(path) => Some(path),
        StatePlace::Git(_) => None,
    })
}

/// The store of a state in git.
pub(super) fn git_store(
    context: &Context<'_>,
    project: &Project,
    app: &AppName,
    address: &GitAddress,
) -> Result<GitStore, Failure> {
    let folder = project.folder();
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    Ok(GitStore::new(
        context.env,
        state_dir(context)?,
        folder,
        address.clone(),
        app,
    ))
}

/// The store of a state file, shown relative to the user's folder and not to that of `-C`.
pub(super) fn state_store(context: &Context<'_>, path: &Path) -> LocalStore {
    let from = context.global.chdir.as_deref().unwrap_or(Path::new(""));
    LocalStore::new(path.to_owned(), from.join(path).display().to_string())
}
