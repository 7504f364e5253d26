//! The two streams.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use serde::Serialize;

use super::color::ColorChoice;
use super::terminal::{self, Streams};
use super::{Exit, Failure, OutputFile, OutputFormat, StepReport, codes};
use crate::core::fleet::secret::patterns;
use crate::core::scrub;
use crate::core::view::command_hints::{expand_commands, expand_commands_in_json};
use crate::core::view::escape::sanitize_output;
use crate::core::view::line::Line;
use crate::core::view::markdown::DEFAULT_BUDGET;
use crate::core::view::style::Label;
use crate::core::view::{Style, json};
use crate::env::Env;

/// How much is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loudness {
    /// Warnings, errors and data only (`-q`).
    Quiet,
    /// Normal output.
    Normal,
    /// Everything (`-v`).
    Verbose,
}

/// Which streams get colour.
#[derive(Debug, Clone, Copy)]
struct Colors {
    data: bool,
    talk: bool,
}

/// A text that is safe to print: without the token, without certain secrets, and without sequences that a terminal or
/// a CI runner would execute.
fn sanitize(text: &str, colored: bool) -> Cow<'_, str> {
    let text = map_cow(Cow::Borrowed(text), scrub::scrubbed);
    let text = map_cow(text, patterns::redact_certain);
    map_cow(text, |text| sanitize_output(text, colored))
}

fn map_cow(text: Cow<'_, str>, with: impl Fn(&str) -> Cow<'_, str>) -> Cow<'_, str> {
    match with(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(changed) => Cow::Owned(changed),
    }
}

/// The output of the program. Shared by reference; any task may use it.
#[derive(Debug)]
pub struct Ui {
    streams: Streams,
    color: Colors,
    width: usize,
    draws: bool,
    loudness: Loudness,
    format: OutputFormat,
    /// Progress rows are drawn, which other lines would break; the rows show what the run waits for.
    drawing: Arc<AtomicBool>,
    program: &'static str,
    /// Bytes of a Markdown document.
    budget: usize,
    /// Whether the command may have changed anything.
    may_have_changed: AtomicBool,
    /// Where results go; none is standard output.
    file: Option<Mutex<OutputFile>>,
    /// The same results in other forms, in files.
    also: OnceLock<Vec<Ui>>,
    /// The last result of a form that is written once, at the end.
    held: Mutex<Option<String>>,
    /// What a workflow's step reports at the end.
    step: Mutex<StepReport>,
    /// A result that could not be put into its form.
    defect: Mutex<Option<Failure>>,
    write_error: Mutex<Option<io::Error>>,
}

impl Ui {
    /// Inspects the streams once, for the complete run.
    pub fn new(env: &Env, color: ColorChoice, loudness: Loudness, format: OutputFormat) -> Self {
        let streams = Streams::of_process();
        Self {
            streams,
            color: Colors {
                data: color.resolve(env, streams.stdout),
                talk: color.resolve(env, streams.stderr),
            },
            width: terminal::width(env, streams),
            draws: streams.stderr && env.var("TERM").is_some_and(|term| term != "dumb"),
            loudness,
            format,
            drawing: Arc::default(),
            program: "aeroform",
            budget: DEFAULT_BUDGET,
            may_have_changed: AtomicBool::new(false),
            file: None,
            also: OnceLock::new(),
            held: Mutex::default(),
            step: Mutex::default(),
            defect: Mutex::default(),
            write_error: Mutex::new(None),
        }
    }

    /// Output in another form to a file, with the settings of this one.
    fn for_file(&self, format: OutputFormat, file: OutputFile) -> Self {
        Self {
            streams: self.streams,
            color: Colors {
                data: false,
                talk: false,
            },
            width: self.width,
            draws: false,
            loudness: self.loudness,
            format,
            drawing: Arc::clone(&self.drawing),
            program: self.program,
            budget: self.budget,
            may_have_changed: AtomicBool::new(false),
            file: Some(Mutex::new(file)),
            also: OnceLock::new(),
            held: Mutex::default(),
            step: Mutex::default(),
            defect: Mutex::default(),
            write_error: Mutex::new(None),
        }
    }

    /// Sends results to these files, too.
    ///
    /// # Panics
    /// If it was called before.
    pub fn add_files(&self, files: Vec<(OutputFormat, OutputFile)>) {
        let files = files.into_iter();
        let also = files.map(|(format, file)| self.for_file(format, file));
        self.also
            .set(also.collect())
            .expect("the files of a run are opened once");
    }

    /// Every output of results: this one, then the files.
    pub fn outputs(&self) -> impl Iterator<Item = &Self> {
        let also = self.also.get().map(Vec::as_slice);
        std::iter::once(self).chain(also.unwrap_or_default())
    }

    /// Sets the bytes of a Markdown document.
    #[must_use]
    pub fn with_budget(mut self, budget: usize) -> Self {
        self.budget = budget;
        self
    }

    /// Bytes of a Markdown document.
    pub fn budget(&self) -> usize {
        self.budget
    }

    /// Keeps a finished document until the command ends; a later one replaces it.
    pub fn hold(&self, document: String) {
        *self.held.lock().expect("no writer panics") = Some(document);
    }

    /// Whether a finished document is kept.
    pub fn is_holding(&self) -> bool {
        self.held.lock().expect("no writer panics").is_some()
    }

    /// What the step of a workflow reports at the end.
    pub fn step(&self) -> MutexGuard<'_, StepReport> {
        self.step.lock().expect("no writer panics")
    }

    /// Notes a result that could not be put into its form; [`Ui::finish`] fails with it.
    pub fn note_defect(&self, failure: Failure) {
        *self.defect.lock().expect("no writer panics") = Some(failure);
    }

    /// The same with the start of the command line (`aeroform -C shop`), which printed commands begin with.
    #[must_use]
    pub fn with_program(mut self, program: String) -> Self {
        // Once per process, and needed until its end.
        self.program = program.leak();
        self
    }

    /// The command line of this run up to the verb.
    pub fn program(&self) -> &'static str {
        self.program
    }

    /// Which streams are terminals.
    pub fn streams(&self) -> Streams {
        self.streams
    }

    /// Whether standard output gets colour.
    pub fn color_data(&self) -> bool {
        self.color.data
    }

    /// Whether standard error gets colour.
    pub fn color_talk(&self) -> bool {
        self.color.talk
    }

    /// The width in columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Whether standard error is a terminal whose lines can be redrawn.
    pub fn can_draw(&self) -> bool {
        self.draws
    }

    /// How much is printed.
    pub fn loudness(&self) -> Loudness {
        self.loudness
    }

    /// The format of standard output.
    pub fn format(&self) -> OutputFormat {
        self.format
    }

    /// Writes a text to standard output, without sequences that a terminal or a CI runner would execute. After a
    /// failed write (closed pipe, full disk) all further output is dropped, so that the work continues;
    /// [`Ui::finish`] reports it.
    pub fn data(&self, text: &str) {
        self.verbatim(&self.sanitized_stdout(text));
    }

    /// The same with secrets shown: for `--show-secrets`, and for the output of programs. The token stays hidden.
    pub fn data_with_secrets(&self, text: &str) {
        self.verbatim(&sanitize_output(&scrub::scrubbed(text), self.color.data));
    }

    /// Writes to standard output unchanged: text that a CI runner or a shell executes.
    pub fn verbatim(&self, text: &str) {
        let mut trouble = self.write_error.lock().expect("no writer panics");
        if trouble.is_none() {
            *trouble = self.write(text).err();
        }
    }

    fn write(&self, text: &str) -> io::Result<()> {
        if let Some(file) = &self.file {
            return file.lock().expect("no writer panics").write(text);
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }

    /// Writes commands for a runner to standard output, without secrets.
    pub fn runner_commands(&self, text: &str) {
        let text = map_cow(Cow::Borrowed(text), scrub::scrubbed);
        self.verbatim(&map_cow(text, patterns::redact_certain));
    }

    /// Writes one JSON document and a line end to standard output.
    pub fn document(&self, value: &impl Serialize) {
        let text = expand_commands_in_json(&json::to_line(value), self.program).into_owned() + "\n";
        self.verbatim(&sanitize(&text, self.color.data));
    }

    /// Whether standard output is still open; endless commands check this.
    pub fn accepts_data(&self) -> bool {
        self.write_error.lock().expect("no writer panics").is_none()
    }

    /// Writes a line to standard error at every verbosity.
    pub fn talk(&self, line: &str) {
        self.write_stderr(&format!("{line}\n"));
    }

    /// Writes a text to standard error, as safe as [`Ui::data`].
    pub(super) fn write_stderr(&self, text: &str) {
        // A failure of standard error cannot be reported anywhere.
        let _ = io::stderr().write_all(self.sanitized_stderr(text).as_bytes());
    }

    /// The text for standard output.
    pub fn sanitized_stdout<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.escaped(text, self.color.data)
    }

    fn escaped<'t>(&self, text: &'t str, color: bool) -> Cow<'t, str> {
        match expand_commands(text, self.program) {
            Cow::Borrowed(text) => sanitize(text, color),
            Cow::Owned(text) => Cow::Owned(sanitize(&text, color).into_owned()),
        }
    }

    /// Prints panic messages like every other text, since they may quote anything.
    pub fn sanitize_panics(&self) {
        std::panic::set_hook(Box::new(|panic| {
            let text = format!("{panic}\n");
            let _ = io::stderr().write_all(sanitize(&text, false).as_bytes());
        }));
    }

    /// The text for standard error.
    pub(super) fn sanitized_stderr<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.escaped(text, self.color.talk)
    }

    /// Writes sentences to standard error, one per line, unless `-q`.
    pub fn say(&self, text: &str) {
        if self.loudness == Loudness::Quiet {
            return;
        }
        for line in text.split('\n') {
            let sentence = line.trim_start_matches(' ');
            let line = Line::new(line.len() - sentence.len()).plain(sentence);
            self.write_stderr(&self.wrapped(&line));
        }
    }

    /// Reports what the run waits for, unless `-q` is set or progress rows are drawn.
    pub fn progress_writer(&self) -> Arc<dyn Fn(&str) + Send + Sync> {
        let (quiet, colored) = (self.loudness == Loudness::Quiet, self.color.talk);
        let drawing = Arc::clone(&self.drawing);
        Arc::new(move |line| {
            if !quiet && !drawing.load(Ordering::Relaxed) {
                let text = format!("{line}\n");
                let _ = io::stderr().write_all(sanitize(&text, colored).as_bytes());
            }
        })
    }

    /// Sets whether progress rows are drawn.
    pub(super) fn draw_rows(&self, drawn: bool) {
        self.drawing.store(drawn, Ordering::Relaxed);
    }

    /// Whether `-v` is given.
    pub fn is_verbose(&self) -> bool {
        self.loudness == Loudness::Verbose
    }

    /// Prints a warning.
    pub fn warn(&self, message: &str) {
        let line = Line::new(0).push(Label::Warning, "warning:").plain(" ");
        self.write_stderr(&self.wrapped(&line.plain(message)));
    }

    /// The wrapping width of sentences on standard error.
    pub fn sentence_width(&self) -> usize {
        self.sentence_style().width
    }

    /// The style of sentences on standard error: wrapped at words on a terminal, one line per sentence elsewhere.
    pub(super) fn sentence_style(&self) -> Style {
        Style {
            color: self.color.talk,
            width: if self.streams.stderr {
                self.width
            } else {
                usize::MAX
            },
            verbose: self.loudness == Loudness::Verbose,
            program: self.program,
            cut_words: false,
        }
    }

    fn wrapped(&self, line: &Line) -> String {
        let mut text = String::new();
        line.write(&self.sentence_style(), &mut text)
            .expect("writing to a String cannot fail");
        text
    }

    /// Records that something may have been changed.
    pub fn mark_changing(&self) {
        self.may_have_changed.store(true, Ordering::Relaxed);
    }

    /// Whether something may have been changed.
    pub fn has_changed(&self) -> bool {
        self.may_have_changed.load(Ordering::Relaxed)
    }

    /// Prints a failure; with JSON, in both forms.
    pub fn failure(&self, failure: &Failure) {
        for output in self.outputs() {
            if output.format == OutputFormat::Json {
                output.document(&failure.json());
            }
        }
        self.write_stderr(&failure.render(&self.sentence_style()));
    }

    /// The exit code of the program for that of its command: a closed pipe is no failure, any other failed write is.
    pub fn finish(&self, exit: Exit) -> Exit {
        let mut exit = exit;
        for output in self.outputs() {
            let held = output.held.lock().expect("no writer panics").take();
            if let Some(document) = held {
                output.verbatim(&document);
            }
            let defect = output.defect.lock().expect("no writer panics").take();
            for failure in defect.into_iter().chain(output.write_failure()) {
                self.write_stderr(&failure.render(&self.sentence_style()));
                if exit == Exit::Done {
                    exit = failure.exit;
                }
            }
        }
        exit
    }

    fn write_failure(&self) -> Option<Failure> {
        let error = self.write_error.lock().expect("no writer panics").take()?;
        match &self.file {
            Some(file) => Some(file.lock().expect("no writer panics").write_error(&error)),
            None if error.kind() == io::ErrorKind::BrokenPipe => None,
            None => {
                Some(Failure::new(codes::OUTPUT, "cannot write to standard output").cause(error))
            }
        }
    }
}
