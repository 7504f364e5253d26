//! `--format` and its short form `--json`, on every verb that prints a result, and `--also` and `--budget` on those
//! that report a plan.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Command};

use crate::core::view::markdown::{DEFAULT_BUDGET, MIN_BUDGET};
use crate::ui::OutputFormat;

/// What standard output holds.
#[derive(Debug, Clone, Copy, Args)]
pub struct OutputFlags {
    /// Output format: text or json; with json, a run that changes Machines prints one event per line
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = output_format_parser(&[OutputFormat::Text, OutputFormat::Json]))]
    format: OutputFormat,
    /// Print JSON, like `--format json`
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

impl OutputFlags {
    /// The form of standard output.
    pub fn format(self) -> OutputFormat {
        if self.json {
            OutputFormat::Json
        } else {
            self.format
        }
    }
}

/// What standard output and other files hold: several forms of one result.
#[derive(Debug, Clone, Args)]
pub struct ReportFlags {
    /// Output format: text, json, markdown (a comment of a pull request), or github (annotations, step summary and
    /// outputs)
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = output_format_parser(&OutputFormat::OF_RUNS))]
    format: OutputFormat,
    /// Print JSON, like `--format json`
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Write the same result in another format to a file: text, json or markdown; any number of times
    #[arg(long, value_name = "FORMAT=FILE")]
    pub also: Vec<AlsoFile>,
    /// Maximum bytes of markdown; details beyond are left out and counted
    #[arg(long, value_name = "BYTES", default_value_t = DEFAULT_BUDGET, value_parser = parse_budget)]
    pub budget: usize,
}

/// One `--also`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlsoFile {
    /// The form.
    pub format: OutputFormat,
    /// The file.
    pub path: PathBuf,
}

impl FromStr for AlsoFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, path) = text
            .split_once('=')
            .ok_or("expected FORMAT=FILE, such as `markdown=plan.md`")?;
        let formats = OutputFormat::OF_FILES;
        let format = formats.into_iter().find(|one| one.name() == format);
        let format = format.ok_or_else(|| {
            let names = formats.map(OutputFormat::name).join("`, `");
            format!("a file has one of the formats `{names}`")
        })?;
        match path {
            "" => Err("the file has no name".to_owned()),
            "-" => Err("`-` is no file; `--format` says what standard output holds".to_owned()),
            path => Ok(Self {
                format,
                path: PathBuf::from(path),
            }),
        }
    }
}

fn parse_budget(text: &str) -> Result<usize, String> {
    let budget: Option<usize> = text.parse().ok();
    budget
        .filter(|budget| *budget >= MIN_BUDGET)
        .ok_or_else(|| format!("expected a number of bytes, at least {MIN_BUDGET}"))
}

impl ReportFlags {
    /// The form of standard output.
    pub fn format(&self) -> OutputFormat {
        if self.json {
            OutputFormat::Json
        } else {
            self.format
        }
    }

    /// Every requested format.
    pub fn formats(&self) -> impl Iterator<Item = OutputFormat> {
        let also = self.also.iter().map(|file| file.format);
        std::iter::once(self.format()).chain(also)
    }
}

impl From<OutputFlags> for ReportFlags {
    fn from(flags: OutputFlags) -> Self {
        Self {
            format: flags.format(),
            json: false,
            also: Vec::new(),
            budget: DEFAULT_BUDGET,
        }
    }
}

/// Adds the format that only `plan` has: GitLab's widget counts what a plan would do.
pub(super) fn with_gitlab(plan: Command) -> Command {
    plan.mut_args(|arg| match arg.get_id().as_str() {
        "format" => arg.value_parser(output_format_parser(&OutputFormat::ALL)).help(
            "Output format: text, json, markdown (a comment of a pull request), github (annotations, step summary and \
             outputs), or gitlab (the counts of its widget)",
        ),
        "also" => arg.help(
            "Write the same result in another format to a file: text, json, markdown or gitlab; any number of times",
        ),
        _ => arg,
    })
}

/// Reads one of these formats; the message for any other value lists them.
pub(super) fn output_format_parser(
    formats: &[OutputFormat],
) -> impl TypedValueParser<Value = OutputFormat> + use<> {
    PossibleValuesParser::new(formats.iter().map(|format| format.name()))
        .map(|name| OutputFormat::parse(&name).expect("clap accepts only the names of formats"))
}
