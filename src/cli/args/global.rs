//! Flags of every verb.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::Args;

use super::TypedCommand;
use super::parse::{parse_app_name, parse_image};
use crate::core::fleet::AppName;
use crate::core::fleet::ids::InvalidName;
use crate::core::fleet::quoting::shell_word;
use crate::env::Env;
use crate::ui::{ColorChoice, Loudness};

/// flyctl reads the app's name from it, too.
const APP_VARIABLE: &str = "FLY_APP";

/// Flags of every verb.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalFlags {
    /// Run as if started in this folder
    #[arg(short = 'C', long = "chdir", value_name = "DIR", global = true)]
    pub chdir: Option<PathBuf>,
    /// Path of fly.toml or its folder; its settings file is read with it
    #[arg(short, long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// App name; overrides `FLY_APP`, which overrides `app` in fly.toml
    #[arg(short, long, value_name = "NAME", global = true, value_parser = parse_app_name)]
    pub app: Option<AppName>,
    /// The variable that the app's name was read from, if any.
    #[arg(skip)]
    pub app_variable: Option<&'static str>,
    /// The folder that the command was started in, if `-C` names another.
    #[arg(skip)]
    pub started_in: Option<PathBuf>,
    /// The verb and its arguments as typed.
    #[arg(skip)]
    pub typed_command: TypedCommand,
    /// Where Machines run: fly or local; overrides `provider` in aeroform.toml
    #[arg(long, value_name = "PROVIDER", global = true)]
    pub provider: Option<String>,
    /// Image of every group; overrides both files
    #[arg(long, value_name = "REF", global = true, value_parser = parse_image)]
    pub image: Option<String>,
    /// Maximum requests per second to Fly's API
    #[arg(long, value_name = "N", global = true)]
    pub max_rps: Option<NonZeroU32>,
    /// When to use colour
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        global = true
    )]
    pub color: ColorChoice,
    /// Print no progress, only results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print more: every Machine with its id
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

impl GlobalFlags {
    /// No flag given.
    pub fn empty() -> Self {
        Self {
            chdir: None,
            config: None,
            app: None,
            app_variable: None,
            started_in: None,
            typed_command: TypedCommand::default(),
            provider: None,
            image: None,
            max_rps: None,
            color: ColorChoice::Auto,
            quiet: false,
            verbose: false,
        }
    }

    /// Takes the app from `FLY_APP` if no flag names one, like flyctl.
    ///
    /// # Errors
    /// If the variable's value is not a valid app name.
    pub fn with_app_from_env(mut self, env: &Env) -> Result<Self, InvalidName> {
        if self.app.is_none()
            && let Some(text) = env.var(APP_VARIABLE)
        {
            self.app = Some(AppName::new(text)?);
            self.app_variable = Some(APP_VARIABLE);
        }
        Ok(self)
    }

    /// A path relative to where the command was started, as relative to the current folder.
    pub fn from_start(&self, path: &Path) -> PathBuf {
        let started_in = self.started_in.as_deref().unwrap_or(Path::new(""));
        started_in.join(path)
    }

    /// The flag or variable that the app's name comes from.
    pub fn app_source(&self) -> &'static str {
        self.app_variable.unwrap_or("--app")
    }

    /// The program with the flags that select the project, for commands shown to the user.
    pub fn program(&self) -> String {
        let mut words = vec!["aeroform".to_owned()];
        for (flag, path) in [("-C", &self.chdir), ("-c", &self.config)] {
            if let Some(path) = path {
                words.extend([
                    flag.to_owned(),
                    shell_word(&path.display().to_string()).into_owned(),
                ]);
            }
        }
        // The variable still applies when the command is typed.
        let app = self.app.as_ref().filter(|_| self.app_variable.is_none());
        words.extend(
            app.into_iter()
                .flat_map(|app| ["-a".to_owned(), shell_word(app.as_str()).into_owned()]),
        );
        let provider = self.provider.iter();
        words.extend(
            provider.flat_map(|name| ["--provider".to_owned(), shell_word(name).into_owned()]),
        );
        words.join(" ")
    }

    /// The same with this fly.toml.
    pub fn program_for(&self, fly: &Path) -> String {
        let config = Some(fly.to_owned());
        let flags = Self {
            config,
            ..self.clone()
        };
        flags.program()
    }

    /// How much to print.
    pub fn loudness(&self) -> Loudness {
        if self.quiet {
            Loudness::Quiet
        } else if self.verbose {
            Loudness::Verbose
        } else {
            Loudness::Normal
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::args::Cli;

    #[test]
    fn a_printed_command_selects_the_same_project() {
        let program = |words: &[&str]| Cli::try_parse_from(words).unwrap().global.program();
        assert_eq!(program(&["aeroform", "apply"]), "aeroform");
        assert_eq!(
            program(&["aeroform", "-C", "my shop", "apply", "-c", "prod/fly.toml"]),
            "aeroform -C 'my shop' -c prod/fly.toml"
        );
        assert_eq!(
            program(&["aeroform", "status", "--provider", "fly", "-a", "shop-2"]),
            "aeroform -a shop-2 --provider fly"
        );
    }
}
