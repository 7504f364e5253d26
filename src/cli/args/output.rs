//! `--format` and its short form `--json`, on every verb that prints a result.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

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

/// Reads one of these formats; the message for any other value lists them.
pub(super) fn output_format_parser(
    formats: &[OutputFormat],
) -> impl TypedValueParser<Value = OutputFormat> + use<> {
    PossibleValuesParser::new(formats.iter().map(|format| format.name()))
        .map(|name| OutputFormat::parse(&name).expect("clap accepts only the names of formats"))
}
