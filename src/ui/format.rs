//! The form of standard output, and of files that hold the same result.

/// `--format`. `cli::formats` has a module for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// For people.
    Text,
    /// For programs: one document, or one event per line.
    Json,
    /// A comment of a pull request.
    Markdown,
    /// Text, and annotations, summary and outputs for a GitHub workflow.
    Github,
    /// The report of GitLab's widget of a merge request.
    Gitlab,
}

impl OutputFormat {
    /// Every format.
    pub const ALL: [Self; 5] = [
        Self::Text,
        Self::Json,
        Self::Markdown,
        Self::Github,
        Self::Gitlab,
    ];

    /// The formats of a run and of drift, on standard output.
    pub const OF_RUNS: [Self; 4] = [Self::Text, Self::Json, Self::Markdown, Self::Github];

    /// The formats of a file: a workflow reads the commands of `github` on standard output only.
    pub const OF_FILES: [Self; 4] = [Self::Text, Self::Json, Self::Markdown, Self::Gitlab];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Markdown => "markdown",
            Self::Github => "github",
            Self::Gitlab => "gitlab",
        }
    }

    /// Whether a program reads standard output as data: then nothing but documents goes there, failures too.
    pub fn is_for_programs(self) -> bool {
        match self {
            Self::Json | Self::Markdown | Self::Gitlab => true,
            Self::Text | Self::Github => false,
        }
    }

    /// The format of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}
