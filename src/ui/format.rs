//! The form of standard output.

/// `--format`. `cli::formats` has a module for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// For people.
    Text,
    /// For programs: one document, or one event per line.
    Json,
    /// Annotations for a GitHub workflow.
    Github,
}

impl OutputFormat {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Text, Self::Json, Self::Github];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Github => "github",
        }
    }

    /// Whether a program reads standard output as data: then nothing but documents goes there, failures too.
    pub fn is_for_programs(self) -> bool {
        match self {
            Self::Json => true,
            Self::Text | Self::Github => false,
        }
    }

    /// The format of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}
