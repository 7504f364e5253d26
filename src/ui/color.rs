//! Whether a stream gets colour, and the colours of the ui's own text. Everything is readable without colour.

use owo_colors::{OwoColorize, Style};

use crate::env::Env;

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ColorChoice {
    /// Colour on a terminal, unless the environment disables it.
    #[default]
    Auto,
    /// Colour everywhere.
    Always,
    /// No colour.
    Never,
}

impl ColorChoice {
    /// Whether a stream gets colour. The flag overrides the environment; `NO_COLOR` overrides `CLICOLOR_FORCE`;
    /// otherwise a terminal that is not `dumb` gets it.
    pub fn resolve(self, env: &Env, is_terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                let forced = env.var("CLICOLOR_FORCE").is_some_and(|value| value != "0");
                let able = is_terminal
                    && env.var("TERM") != Some("dumb")
                    && env.var("CLICOLOR") != Some("0");
                env.var("NO_COLOR").is_none() && (forced || able)
            }
        }
    }
}

/// The role of a piece of the ui's own text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextRole {
    /// The label of an error.
    Error,
    /// The label of a warning.
    Warning,
    /// A hint or a path.
    Hint,
    /// Success.
    Good,
    /// Secondary text.
    Dim,
    /// A question.
    Strong,
}

/// The text in its colour, if enabled.
pub fn paint(text: &str, ink: TextRole, color: bool) -> String {
    if !color {
        return text.to_owned();
    }
    let style = match ink {
        TextRole::Error => Style::new().red().bold(),
        TextRole::Warning => Style::new().yellow().bold(),
        TextRole::Hint => Style::new().cyan(),
        TextRole::Good => Style::new().green(),
        TextRole::Dim => Style::new().dimmed(),
        TextRole::Strong => Style::new().bold(),
    };
    text.style(style).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn env(vars: &[(&str, &str)]) -> Env {
        let vars: BTreeMap<_, _> = vars
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Env::from_vars(vars)
    }

    #[test]
    fn the_flag_beats_the_environment_and_no_color_beats_force() {
        let auto = ColorChoice::Auto;
        assert!(auto.resolve(&env(&[]), true));
        assert!(!auto.resolve(&env(&[]), false));
        assert!(!auto.resolve(&env(&[("TERM", "dumb")]), true));
        assert!(!auto.resolve(&env(&[("NO_COLOR", "1")]), true));
        assert!(auto.resolve(&env(&[("NO_COLOR", "")]), true));
        assert!(auto.resolve(&env(&[("CLICOLOR_FORCE", "1")]), false));
        assert!(!auto.resolve(&env(&[("CLICOLOR_FORCE", "0")]), false));
        assert!(!auto.resolve(&env(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]), true));
        assert!(ColorChoice::Always.resolve(&env(&[("NO_COLOR", "1")]), false));
        assert!(!ColorChoice::Never.resolve(&env(&[("CLICOLOR_FORCE", "1")]), true));
    }
}
