//! `[state] url`: `git+REMOTE[?branch=…&path=…&skip_ci=…]`.

use crate::core::fleet::AppName;
use crate::core::fleet::secret::patterns;
use crate::git::{Remote, WorkTree};

/// The branch that a state has to itself.
const DEFAULT_BRANCH: &str = "aeroform-state";

/// Where a state is in git.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitAddress {
    /// The remote.
    pub remote: Remote,
    /// The branch.
    pub branch: String,
    /// The path of the file on it.
    pub path: String,
    /// Whether its commits ask pipelines to skip them.
    pub skip_ci: bool,
    /// Whether the branch is named, and may hold other files.
    pub(super) is_branch_named: bool,
    url: String,
}

/// Why an address is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is not of the form.
    #[error("{0}")]
    Invalid(String),
    /// The work tree has no such remote.
    #[error("this repository has no remote `{0}`")]
    NoSuchRemote(String),
    /// Its host is none of the remotes' hosts.
    #[error("the host of `{url}` is not the host of a remote of this repository")]
    ForeignHost {
        /// The URL.
        url: String,
    },
}

impl AddressError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Invalid(_) => "write `url = \"git+origin\"`, or \
                `\"git+origin?branch=main&path=state/shop.json\"`"
                .to_owned(),
            Self::NoSuchRemote(name) => {
                format!("add it: `git remote add {name} URL`; `git remote -v` lists the remotes")
            }
            Self::ForeignHost { url } => format!(
                "add it as a remote and write its name, or allow it outside of the manifests: \
                 `AEROFORM_STATE_REMOTE={url}`"
            ),
        }
    }
}

impl GitAddress {
    /// Parses the text of `[state] url`; the path is `<app>.json` if it has none.
    ///
    /// # Errors
    /// If it is not of the form.
    pub fn parse(text: &str, app: &AppName) -> Result<Self, AddressError> {
        let invalid = |what: String| AddressError::Invalid(what);
        let shown = patterns::redact(text).into_owned();
        let Some(rest) = text.strip_prefix("git+") else {
            return Err(invalid(format!(
                "`{shown}` is not supported: a state is in a file, or in git (`git+origin`)"
            )));
        };
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let remote = if place.contains("://") {
            if shown != text {
                return Err(invalid(
                    "the url contains a password; credentials come from git's configuration"
                        .to_owned(),
                ));
            }
            if host(place).is_none() {
                return Err(invalid(format!(
                    "`{place}` is not a URL of a repository (https, ssh, git or file)"
                )));
            }
            Remote::Url(place.to_owned())
        } else {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if place.is_empty() || !place.chars().all(plain) || place.starts_with(['-', '.']) {
                return Err(invalid(format!("`{place}` is not the name of a remote")));
            }
            Remote::Named(place.to_owned())
        };
        let mut address = Self {
            remote,
            branch: DEFAULT_BRANCH.to_owned(),
            path: format!("{app}.json"),
            skip_ci: true,
            is_branch_named: false,
            url: text.to_owned(),
        };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match (&*key, &*value) {
                ("branch", name) if is_branch_name(name) => {
                    name.clone_into(&mut address.branch);
                    address.is_branch_named = true;
                }
                ("path", path) if is_file_path(path) => path.clone_into(&mut address.path),
                ("skip_ci", "true" | "false") => address.skip_ci = value == "true",
                ("branch" | "path" | "skip_ci", _) => {
                    return Err(invalid(format!(
                        "`{key}={value}` in `{shown}` is not valid"
                    )));
                }
                _ => {
                    return Err(invalid(format!(
                        "`{key}` in `{shown}` is unknown: `branch`, `path` and `skip_ci` are known"
                    )));
                }
            }
        }
        Ok(address)
    }

    /// Checks that the remote is one of this work tree, or on the host of one, or the one that a variable
    /// allows (rule 38).
    ///
    /// # Errors
    /// If it is not.
    pub fn check(&self, clone: &WorkTree, allowed: Option<&str>) -> Result<(), AddressError> {
        match &self.remote {
            Remote::Named(name) if clone.remotes().contains(name.as_str()) => Ok(()),
            Remote::Named(name) => Err(AddressError::NoSuchRemote(name.clone())),
            Remote::Url(url) => {
                let ours = host(url).filter(|host| !host.is_empty());
                let known = clone
                    .remotes()
                    .into_iter()
                    .filter_map(|name| host(clone.remote_url(name)?));
                let is_known = ours.is_some_and(|ours| known.into_iter().any(|host| host == ours));
                if is_known || allowed == Some(url.as_str()) {
                    return Ok(());
                }
                Err(AddressError::ForeignHost { url: url.clone() })
            }
        }
    }

    /// The address as people write it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The branch's full name.
    pub fn branch_ref(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }
}

/// The host of a repository's URL in lower case; empty for a file, `None` if it is none.
fn host(url: &str) -> Option<String> {
    let authority = match url.split_once("://") {
        Some(("file", _)) => return Some(String::new()),
        Some(("https" | "http" | "ssh" | "git" | "git+ssh", rest)) => {
            rest.split('/').next().unwrap_or_default()
        }
        Some(_) => return None,
        // `user@host:path`; a path on this computer has no colon before its first slash.
        None => {
            let (before, _) = url.split_once(':')?;
            if before.contains('/') {
                return None;
            }
            before
        }
    };
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.split_once(']') {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_host = !host.is_empty() && !host.starts_with('-');
    is_host.then(|| host.to_ascii_lowercase())
}

/// The rules of `git check-ref-format` for a branch.
fn is_branch_name(name: &str) -> bool {
    let bad = |c: char| {
        c.is_ascii_control()
            || c.is_whitespace()
            || matches!(c, '~' | '^' | ':' | '?' | '*' | '[' | '\\' | '"')
    };
    !name.is_empty()
        && name.len() < 200
        && !name.contains(bad)
        && !name.contains("..")
        && !name.contains("@{")
        && !name.contains("//")
        && !name.starts_with(['-', '/', '.'])
        && !name.ends_with(['/', '.'])
        && name != "HEAD"
        && !name
            .split('/')
            .any(|part| part.starts_with('.') || part.to_ascii_lowercase().ends_with(".lock"))
}

fn is_file_path(path: &str) -> bool {
    !path.is_empty()
        && path.len() < 1000
        && !path.contains(|c: char| c.is_control() || c == '\\')
        && path.split('/').all(|part| {
            !part.is_empty() && part != "." && part != ".." && !part.eq_ignore_ascii_case(".git")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> AppName {
        AppName::new("shop").unwrap()
    }

    #[test]
    fn an_address_names_a_remote_a_branch_and_a_file() {
        let of = |text: &str| GitAddress::parse(text, &app()).unwrap();
        let plain = of("git+origin");
        assert_eq!(plain.remote, Remote::Named("origin".to_owned()));
        assert_eq!(
            (plain.branch.as_str(), plain.path.as_str(), plain.skip_ci),
            ("aeroform-state", "shop.json", true)
        );
        let named = of("git+origin?branch=main&path=state/shop.json&skip_ci=false");
        assert_eq!(
            (named.branch.as_str(), named.path.as_str(), named.skip_ci),
            ("main", "state/shop.json", false)
        );
        let url = of("git+https://host/infra/state.git?branch=shop");
        assert_eq!(
            url.remote,
            Remote::Url("https://host/infra/state.git".to_owned())
        );
    }

    #[test]
    fn what_is_no_address_is_refused_and_a_password_is_not_repeated() {
        for text in [
            "https://host/state",
            "git+",
            "git+-u",
            "git+ext::sh -c x",
            "git+ext://sh",
            "git+../other",
            "git+origin?branch=-x",
            "git+origin?branch=a..b",
            "git+origin?path=../x",
            "git+origin?path=/etc/passwd",
            "git+origin?path=.git/config",
            "git+origin?skip_ci=maybe",
            "git+origin?other=1",
            "git+https://-oProxyCommand=x/y",
        ] {
            assert!(GitAddress::parse(text, &app()).is_err(), "{text}");
        }
        let with_password = "git+https://user:hunter2hunter2@host/a.git";
        let error = GitAddress::parse(with_password, &app()).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn hosts_are_compared_however_a_url_is_written() {
        for (url, expected) in [
            ("https://Git.Host/a.git", Some("git.host")),
            ("https://user@git.host:8443/a.git", Some("git.host")),
            ("git@git.host:a/b.git", Some("git.host")),
            ("ssh://git@git.host:22/a.git", Some("git.host")),
            ("file:///srv/a.git", Some("")),
            ("/srv/a.git", None),
            ("../a.git", None),
            ("ext::sh", Some("ext")),
        ] {
            assert_eq!(host(url).as_deref(), expected, "{url}");
        }
    }
}
