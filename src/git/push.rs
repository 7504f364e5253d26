//! What a push came to: git's own words, sorted into what a caller can do about it.

/// The outcome of a push as git reports it. Only a fetch afterwards shows what is true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushOutcome {
    /// It was accepted.
    Accepted,
    /// Another client changed the ref meanwhile.
    Moved,
    /// It was refused, or not answered.
    Refused(PushRefusal, String),
}

/// Why a push was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushRefusal {
    /// By a protected branch or a ruleset.
    Protected,
    /// By a hook of the server.
    Hook,
    /// The credentials are missing or do not allow it.
    Rights,
    /// The server takes no push from a shallow clone.
    Shallow,
    /// The server has no space left, or a quota is exceeded.
    Space,
    /// The server could not be reached, or did not answer.
    Network,
    /// For another reason.
    Other,
}

impl PushRefusal {
    /// Whether the same push may succeed a moment later.
    pub fn may_pass(self) -> bool {
        self == Self::Network
    }
}

/// Reads the output of `git push --porcelain` that did not succeed.
pub(super) fn refusal(stdout: &str, stderr: &str) -> PushOutcome {
    let lines: Vec<&str> = stdout
        .lines()
        .filter(|line| line.starts_with('!'))
        .collect();
    let rejected = lines.join("; ");
    let moved = [
        "(fetch first)",
        "(non-fast-forward)",
        "(stale info)",
        "cannot lock ref",
        "incorrect old value",
        "reference already exists",
        "failed to update ref",
        "(failed to lock)",
    ];
    if moved.iter().any(|text| rejected.contains(text)) {
        return PushOutcome::Moved;
    }
    let all = format!("{rejected}\n{stderr}");
    let kinds: [(PushRefusal, &[&str]); 6] = [
        (
            PushRefusal::Protected,
            &[
                "GH006",
                "GH013",
                "protected branch",
                "not allowed to push code to protected",
                "not allowed to push into this branch",
                "rule violations",
                "not allowed to force push",
                "You can only push",
            ],
        ),
        (PushRefusal::Shallow, &["shallow update not allowed"]),
        (
            PushRefusal::Space,
            &[
                "No space left",
                "disk quota",
                "Disk quota",
                "quota exceeded",
                "over quota",
                "exceeded its size limit",
                "storage limit",
            ],
        ),
        (
            PushRefusal::Rights,
            &[
                "Permission to",
                "denied to",
                "Authentication failed",
                "could not read Username",
                "could not read Password",
                "Permission denied",
                "not allowed to push",
                "error: 403",
                "error: 401",
                "Repository not found",
                "insufficient permission",
                "deploy key",
                "read only",
                "service not enabled",
            ],
        ),
        (PushRefusal::Hook, &["hook declined", "pre-receive hook"]),
        (
            PushRefusal::Network,
            &[
                "Could not resolve",
                "Couldn't connect",
                "Failed to connect",
                "Connection refused",
                "Connection timed out",
                "Connection reset",
                "timed out",
                "hung up unexpectedly",
                "early EOF",
                "RPC failed",
                "Could not read from remote",
                "unable to access",
                "unable to connect",
                "unable to look up",
                "error: 5",
            ],
        ),
    ];
    let kind = kinds
        .into_iter()
        .find(|(_, texts)| texts.iter().any(|text| all.contains(text)))
        .map_or(PushRefusal::Other, |(kind, _)| kind);
    // The last column of a line is the reason; those before it are ids and refs.
    let reasons = lines.iter().filter_map(|line| line.rsplit('\t').next());
    let says_more = |line: &&str| !line.starts_with("error: failed to push some refs");
    let said: Vec<&str> = reasons.chain(stderr.lines().filter(says_more)).collect();
    let said = super::command::last_words(&said.join("\n"));
    PushOutcome::Refused(kind, said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_becomes_what_can_be_done_about_it() {
        let of = |text: &str| match refusal("", text) {
            PushOutcome::Refused(kind, _) => kind,
            other => panic!("{other:?}"),
        };
        for (text, kind) in [
            (
                "remote: error: GH006: Protected branch update failed for refs/heads/main.",
                PushRefusal::Protected,
            ),
            (
                "remote: error: GH013: Repository rule violations found for refs/heads/main.",
                PushRefusal::Protected,
            ),
            (
                "remote: GitLab: You are not allowed to push code to protected branches on this \
                 project.",
                PushRefusal::Protected,
            ),
            (
                "remote: Permission to a/b.git denied to github-actions[bot].\nfatal: unable to access \
                 'https://host/a/b.git/': The requested URL returned error: 403",
                PushRefusal::Rights,
            ),
            (
                "fatal: could not read Username for 'https://host': terminal prompts disabled",
                PushRefusal::Rights,
            ),
            (
                "fatal: unable to access 'https://host/': Could not resolve host: host",
                PushRefusal::Network,
            ),
            (
                "fatal: the remote end hung up unexpectedly",
                PushRefusal::Network,
            ),
            ("remote: fatal: No space left on device", PushRefusal::Space),
            ("something else", PushRefusal::Other),
        ] {
            assert_eq!(of(text), kind, "{text}");
        }
        let line = |why: &str| format!("!\tabc:refs/heads/a\t[remote rejected] ({why})\n");
        assert_eq!(
            refusal("!\tabc:refs/heads/a\t[rejected] (fetch first)\n", ""),
            PushOutcome::Moved
        );
        let locked = "cannot lock ref 'refs/heads/a': is at 1 but expected 2";
        assert_eq!(refusal(&line(locked), ""), PushOutcome::Moved);
        let declined = refusal(
            &line("pre-receive hook declined"),
            "remote: no\nerror: failed to push some refs to 'srv'\n",
        );
        assert_eq!(
            declined,
            PushOutcome::Refused(
                PushRefusal::Hook,
                "[remote rejected] (pre-receive hook declined); remote: no".to_owned()
            )
        );
        assert!(matches!(
            refusal(&line("shallow update not allowed"), ""),
            PushOutcome::Refused(PushRefusal::Shallow, _)
        ));
    }
}
