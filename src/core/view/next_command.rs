//! Which command does what a run has left undone, as it can be pasted.

use crate::core::fleet::quoting::shell_word;
use crate::core::fleet::{GroupName, MachineId, OnFailure};
use crate::core::plan::{ChosenStrategy, ReleaseCommandMode, Requested, RestartScope};

/// The command that goes on where a run has ended before its plan was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NextCommand {
    /// The verb with what it takes, without the program and its flags for the project.
    pub command: String,
    /// What it does of what is left.
    pub continuation: Continuation,
    /// The flags in use that change how a plan is made, each after a space.
    pub options: String,
    /// The same without the image.
    pub options_without_image: String,
}

/// What a command does of what a run has left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Continuation {
    /// It was typed before, and does it.
    #[default]
    SameCommand,
    /// It does it, and is another than was typed.
    OtherCommand,
    /// It starts over, with what is done as well.
    StartsOver,
}

/// The flags of a command line that ask for this, quoted for a shell.
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
    if !requested.exclude.is_empty() {
        let ids = comma_separated(requested.exclude.iter().map(MachineId::as_str));
        add("--exclude-machines", &ids);
    }
    if requested.release_command == ReleaseCommandMode::Never {
        add("--release-command", "never");
    }
    match requested.strategy {
        None => {}
        Some(ChosenStrategy::Rolling) => add("--strategy", "rolling"),
        Some(ChosenStrategy::Immediate) => add("--strategy", "immediate"),
    }
    if let Some(ms) = requested.steady_ms {
        let steady = match ms % 1000 {
            0 => format!("{}s", ms / 1000),
            _ => format!("{ms}ms"),
        };
        add("--steady", &steady);
    }
    if let Some(chosen) = requested.on_failure {
        let word = OnFailure::ALL.into_iter().find(|(_, one)| *one == chosen);
        add("--on-failure", word.map_or("stop", |(word, _)| word));
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

    #[test]
    fn every_flag_in_use_is_written() {
        let id = |text: &str| MachineId::new(text).unwrap();
        let asked = Requested {
            replace: [id("b"), id("a")].into(),
            restart: RestartScope::All,
            clone_source: None,
            image: Some("a b".to_owned()),
            exclude: [id("c")].into(),
            on_failure: Some(OnFailure::Group),
            release_command: ReleaseCommandMode::Never,
            strategy: Some(ChosenStrategy::Rolling),
            steady_ms: Some(1500),
        };
        assert_eq!(
            with_leading_spaces(&request_flags(&asked)),
            " --image 'a b' --replace a,b --restart all --exclude-machines c --release-command never \
             --strategy rolling --steady 1500ms --on-failure group"
        );
        assert!(request_flags(&Requested::default()).is_empty());
    }
}
