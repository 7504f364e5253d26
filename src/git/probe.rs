//! Whether a server would take a push, without a change of it.
//!
//! Two refs are pushed as one, and the second one cannot be set. The server judges the push by its rules and hooks
//! before it fails, so that a refusal is a rule's, and any other failure is ours.

use super::ObjectId;
use super::command::{GitError, git_args};
use super::own_repository::{OwnRepository, REMOTE};
use super::push::{PushOutcome, PushRefusal, refusal};

impl OwnRepository {
    /// Asks whether a branch takes this commit, and changes nothing: `blocked` is a ref that cannot be set, and
    /// both are pushed as one. [`PushOutcome::Accepted`] if nothing spoke against it, also where the server
    /// takes no such push.
    ///
    /// # Errors
    /// If git does not answer.
    pub async fn probe_push(
        &self,
        commit: &ObjectId,
        name: &str,
        blocked: &str,
    ) -> Result<PushOutcome, GitError> {
        let (spec, second) = (format!("{commit}:{name}"), format!("{commit}:{blocked}"));
        let args = git_args![
            "push",
            "--porcelain",
            "--no-verify",
            "--atomic",
            REMOTE,
            &spec,
            &second
        ];
        let output = match self.call(args, &[], &[], true).await {
            Ok(output) => output,
            Err(GitError::TimedOut { .. }) => return Ok(PushOutcome::Accepted),
            Err(error) => return Err(error),
        };
        if output.success {
            // A server on which both can be set.
            self.push(None, blocked, None, &[]).await?;
            return Ok(PushOutcome::Accepted);
        }
        let stdout = String::from_utf8_lossy(&output.stdout);
        Ok(probe_outcome(&stdout, &output.stderr, name, blocked))
    }
}

/// Reads the output of a push that was to fail as a whole: what the server said of this ref.
fn probe_outcome(stdout: &str, stderr: &str, name: &str, blocked: &str) -> PushOutcome {
    let of_ref = stdout.lines().find(|line| {
        let mut parts = line.split('\t');
        let is_refused = parts.next() == Some("!");
        let target = parts.next().and_then(|spec| spec.split_once(':'));
        is_refused && target.is_some_and(|(_, target)| target == name)
    });
    // Without a line for it, the server takes no push of several refs as one.
    let Some(line) = of_ref else {
        return PushOutcome::Accepted;
    };
    let failed_as_one = ["atomic transaction failed", "atomic push fail"];
    if failed_as_one.iter().any(|text| line.contains(text)) {
        return PushOutcome::Accepted;
    }
    // A rule for names of branches is about the second ref, and no write pushes that one.
    if stderr.contains(blocked.trim_start_matches("refs/heads/")) {
        return PushOutcome::Accepted;
    }
    match refusal(line, stderr) {
        // Not a rule that we know.
        PushOutcome::Refused(PushRefusal::Other, _) => PushOutcome::Accepted,
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_counts_only_what_is_said_of_its_ref() {
        let name = "refs/heads/main";
        let of = |why: &str, stderr: &str| {
            let text = format!(
                "To srv\n!\tabc:refs/heads/main\t[remote rejected] ({why})\n!\tabc:refs/x/probe\t[remote rejected] \
                 (atomic push failure)\nDone\n"
            );
            probe_outcome(&text, stderr, name, "refs/x/probe")
        };
        assert_eq!(of("atomic transaction failed", ""), PushOutcome::Accepted);
        assert_eq!(of("atomic push failure", ""), PushOutcome::Accepted);
        assert_eq!(of("fetch first", ""), PushOutcome::Moved);
        let protected = of("pre-receive hook declined", "remote: error: GH006: no");
        assert!(
            matches!(protected, PushOutcome::Refused(PushRefusal::Protected, _)),
            "{protected:?}"
        );
        let hook = of("hook declined", "remote: no");
        assert!(
            matches!(hook, PushOutcome::Refused(PushRefusal::Hook, _)),
            "{hook:?}"
        );
        let without = "fatal: the receiving end does not support --atomic push";
        let none = probe_outcome("", without, name, "refs/x/probe");
        assert_eq!(none, PushOutcome::Accepted);
        // What is said of the second ref, or is no rule, keeps no state from being written.
        let of_name = "remote: GitLab: Branch name refs/x/probe does not follow the pattern";
        let of_second = of("pre-receive hook declined", of_name);
        assert_eq!(of_second, PushOutcome::Accepted);
        assert_eq!(of("internal error", ""), PushOutcome::Accepted);
    }
}
