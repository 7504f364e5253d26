//! The command that continues an unfinished run.

use crate::core::fleet::quoting::shell_word;
use crate::core::fleet::{GroupName, MachineId, OnFailure, Region};
use crate::core::plan::{Requested, RestartScope};

/// The command that continues an unfinished run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NextCommand {
    /// The verb with its arguments, without the program and the project flags.
    pub command: String,
    /// What it does with the remaining changes.
    pub continuation: Continuation,
    /// The planning flags in use, each after a space.
    pub options: String,
    /// The same without the image.
    pub options_without_image: String,
}

/// What a command does with the remaining changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Continuation {
    /// It is the command that was run, and does them.
    #[default]
    SameCommand,
    /// It is another command, and does them.
    OtherCommand,
    /// It starts over, including what is already done.
    StartsOver,
    /// It does them, but others have changed some of the Machines: a new plan has to be reviewed first, since an
    /// apply would revert their changes.
    AfterReview,
}

/// The flags for this request, quoted for a shell.
pub fn request_flags(requested: &Requested) -> Vec<String> {
    let mut words = Vec::new();
    let mut add = |flag: &str, value: &str| words.push(format!("{flag} {}", shell_word(value)));
    if let Some(image) = &requested.image {
        add("--image", image);
    }
    if !requested.replace.is_empty() {
        add(
            "--replace",
            &comma_separated(requested.replace.iter().map(MachineId::as_str)),
        );
    }
    match &requested.restart {
        RestartScope::None => {}
        RestartScope::Groups(names) => add(
            "--restart",
            &comma_separated(names.iter().map(GroupName::as_str)),
        ),
        RestartScope::All => add("--restart", "all"),
    }
    let groups = requested.groups.iter().map(GroupName::as_str);
    let regions = requested.regions.iter().map(Region::as_str);
    let exclude_regions = requested.exclude_regions.iter().map(Region::as_str);
    let only = requested.only.iter().map(MachineId::as_str);
    let exclude = requested.exclude.iter().map(MachineId::as_str);
    for (flag, words) in [
        ("--process-groups", comma_separated(groups)),
        ("--regions", comma_separated(regions)),
        ("--exclude-regions", comma_separated(exclude_regions)),
        ("--only-machines", comma_separated(only)),
        ("--exclude-machines", comma_separated(exclude)),
    ] {
        if !words.is_empty() {
            add(flag, &words);
        }
    }
    if !requested.release_command.is_auto() {
        add("--release-command", requested.release_command.as_str());
    }
    match requested.release_command_timeout_s {
        None => {}
        Some(0) => add("--release-command-timeout", "none"),
        Some(seconds) => add("--release-command-timeout", &format!("{seconds}s")),
    }
    for (flag, mode) in [
        ("--verify", requested.verify),
        ("--machine-checks", requested.machine_checks),
    ] {
        if !mode.is_auto() {
            add(flag, mode.as_str());
        }
    }
    if let Some(strategy) = requested.strategy {
        add("--strategy", strategy.as_str());
    }
    if let Some(limit) = requested.max_unavailable {
        add("--max-unavailable", &limit.to_string());
    }
    if let Some(seconds) = requested.wait_timeout_s {
        add("--wait-timeout", &format!("{seconds}s"));
    }
    for (flag, ms) in [
        ("--steady", requested.steady_ms),
        ("--canary-soak", requested.canary_soak_ms),
    ] {
        match ms {
            None => {}
            Some(ms) if ms % 1000 == 0 => add(flag, &format!("{}s", ms / 1000)),
            Some(ms) => add(flag, &format!("{ms}ms")),
        }
    }
    if let Some(chosen) = requested.on_failure {
        let word = OnFailure::ALL.into_iter().find(|(_, one)| *one == chosen);
        add("--on-failure", word.map_or("stop", |(word, _)| word));
    }
    if requested.wake {
        words.push("--wake".to_owned());
    }
    words
}

/// The same, each after a space.
pub fn with_leading_spaces(words: &[String]) -> String {
    let mut text = String::new();
    for word in words {
        text.push(' ');
        text.push_str(word);
    }
    text
}

fn comma_separated<'w>(words: impl Iterator<Item = &'w str>) -> String {
    words.collect::<Vec<&str>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::plan::{CheckMode, ChosenLimit, ChosenStrategy, ReleaseCommandMode};

    #[test]
    fn every_flag_in_use_is_written() {
        let id = |text: &str| MachineId::new(text).unwrap();
        let requested = Requested {
            replace: [id("b"), id("a")].into(),
            restart: RestartScope::All,
            clone_source: None,
            image: Some("a b".to_owned()),
            groups: [
                GroupName::new("web").unwrap(),
                GroupName::new("jobs").unwrap(),
            ]
            .into(),
            regions: [Region::new("ams").unwrap()].into(),
            exclude_regions: [Region::new("gru").unwrap()].into(),
            only: [id("d")].into(),
            exclude: [id("c")].into(),
            on_failure: Some(OnFailure::Group),
            release_command: ReleaseCommandMode::Rerun,
            release_command_timeout_s: Some(90),
            verify: CheckMode::Never,
            machine_checks: CheckMode::Never,
            strategy: Some(ChosenStrategy::Rolling),
            max_unavailable: Some(ChosenLimit::Millionths(250_000)),
            wait_timeout_s: Some(600),
            steady_ms: Some(1500),
            canary_soak_ms: Some(120_000),
            wake: true,
        };
        assert_eq!(
            with_leading_spaces(&request_flags(&requested)),
            " --image 'a b' --replace a,b --restart all --process-groups jobs,web --regions ams --exclude-regions gru \
             --only-machines d --exclude-machines c --release-command rerun \
             --release-command-timeout 90s --verify never --machine-checks never --strategy rolling \
             --max-unavailable 0.25 --wait-timeout 600s --steady 1500ms --canary-soak 120s --on-failure group --wake"
        );
        assert!(request_flags(&Requested::default()).is_empty());
        let unlimited = Requested {
            release_command_timeout_s: Some(0),
            ..Requested::default()
        };
        assert_eq!(
            request_flags(&unlimited),
            ["--release-command-timeout none"]
        );
    }
}
