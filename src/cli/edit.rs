//! The flow of every verb that edits the manifests: read → preview → edit in memory → show → plan → approve →
//! lock → write → apply.
//!
//! A verb only chooses the edits; the plan of the edited files decides what happens to Machines. The files are
//! written after approval, just before the first call (rule 35).

use super::apply_flow::{self, ApplyRequest};
use super::args::EditFlags;
use super::can_begin::check_can_begin;
use super::file_edits::FileEdits;
use super::formats::{self, CommandOutput};
use super::manifests::{self, ManifestQuery, Manifests, Purpose, Warnings};
use super::saved_plan::ReviewedPlan;
use super::session::{self, Session};
use super::{Context, codes, init, views};
use crate::core::fleet::Desired;
use crate::core::manifest::edit::{Edit, EditError};
use crate::core::plan::codes::FILTER_EXCLUDES_REQUEST;
use crate::core::plan::{Options, Plan, PlanMode, Requested};
use crate::core::view::escape::safe;
use crate::core::view::terminal;
use crate::journal::SqliteJournal;
use crate::provider::Provider;
use crate::run::{self, Preview};
use crate::ui::{Exit, Failure, Signals, Ui};

/// What a verb can use to choose its edits.
pub(super) struct EditContext<'a> {
    /// The files before the edit.
    pub(super) desired: &'a Desired,
    /// The plan of these files: how many Machines exist, and where.
    pub(super) preview: &'a Preview,
}

/// Edits, plans, asks and applies, depending on the flags. `command` is the verb for run records.
pub(super) async fn run(
    context: &Context<'_>,
    command: &'static str,
    args: &EditFlags,
    requested: Requested,
    edits: impl FnOnce(&EditContext<'_>) -> Result<Vec<Edit>, Failure>,
) -> Result<Exit, Failure> {
    let refresh = args.refresh.refresh;
    // The future is large, and every verb would contain it.
    Box::pin(run_edit(
        context,
        command,
        args,
        (refresh, requested),
        edits,
    ))
    .await
}

/// The same for edits that do not depend on existing Machines: `--edit-only` does not read the provider.
pub(super) async fn run_without_context(
    context: &Context<'_>,
    command: &'static str,
    args: &EditFlags,
    edits: impl FnOnce(&EditContext<'_>) -> Result<Vec<Edit>, Failure>,
) -> Result<Exit, Failure> {
    let refresh = args.refresh.refresh && !args.edit_only;
    Box::pin(run_edit(
        context,
        command,
        args,
        (refresh, Requested::default()),
        edits,
    ))
    .await
}

/// Refuses an edit of groups that the filters of the same command leave out.
fn check_filter(requested: &Requested, edits: &[Edit]) -> Result<(), Failure> {
    let groups: Vec<_> = edits.iter().filter_map(Edit::group).collect();
    if groups.iter().any(|group| requested.covers_group(group)) {
        return Ok(());
    }
    let Some(group) = groups.first() else {
        return Ok(());
    };
    let filter = requested.filter_flags().join(" ");
    let message = format!("a change of group `{group}` is requested, but `{filter}` leaves it out");
    Err(Failure::new(FILTER_EXCLUDES_REQUEST, message).hint("remove one of the two"))
}

async fn run_edit(
    context: &Context<'_>,
    command: &'static str,
    args: &EditFlags,
    (refresh, requested): (bool, Requested),
    edits: impl FnOnce(&EditContext<'_>) -> Result<Vec<Edit>, Failure>,
) -> Result<Exit, Failure> {
    if !refresh && !args.plan_only && !args.edit_only {
        return Err(Failure::new(
            codes::NEEDS_REFRESH,
            "`--refresh=false` cannot be combined with an apply",
        )
        .hint("add `--plan-only` or `--edit-only`, or remove `--refresh=false`"));
    }
    let requested = session::with_plan_options(context, &args.apply_flags.options, requested)?;
    let mut signals = Signals::listen()?;
    let (read, before) = BeforeEdit::read(context, &mut signals, args, refresh).await?;
    let edits = edits(&EditContext {
        desired: &before.session.desired,
        preview: &before.preview,
    })?;
    check_filter(&requested, &edits)?;
    let (edited, files) = before
        .apply_edits(context, &mut signals, read, &edits)
        .await?;
    if files.is_empty() {
        return Ok(nothing_to_edit(context, &before.preview.plan));
    }
    let warnings = if args.edit_only {
        Warnings::WithEdit
    } else {
        Warnings::WithPlan
    };
    let after = AfterEdit {
        context,
        session: Session::from_manifests(context, edited, warnings)?,
        files,
        options: Options {
            parallelism: Some(args.apply_flags.parallelism.get()),
            ..session::planner_options(
                &args.apply_flags.recovery_flags,
                PlanMode::Normal,
                requested.clone(),
            )
        },
    };
    if args.edit_only {
        return after.write_only();
    }
    let Some(world) = before.backends else {
        return after.plan_offline(&mut signals).await;
    };
    let run_context = after.run_context(&world);
    let replanned = run_context.replan(&before.preview, &after.options);
    let mut shown = signals.or_interrupted(replanned).await??;
    if args.plan_only {
        return after.plan_only(&shown).await;
    }
    let begins = (
        command,
        after.session.lock_patience(args.apply_flags.lock_timeout),
    );
    let (session, journal) = (&after.session, &world.journal);
    if check_can_begin(context, &mut signals, session, journal, begins).await? {
        let run_context = after.run_context(&world);
        shown = signals
            .or_interrupted(run_context.preview(&after.options))
            .await??;
    }
    let request = ApplyRequest {
        command,
        mode: PlanMode::Normal,
        requested,
        reviewed: ReviewedPlan::None,
        flags: &args.apply_flags,
    };
    after.carry_out(&mut signals, &request, &world, shown).await
}

/// Provider and journal, if the verb is online.
struct Backends {
    provider: Box<dyn Provider>,
    journal: SqliteJournal,
}

/// The project before the edit.
struct BeforeEdit {
    session: Session,
    backends: Option<Backends>,
    preview: Preview,
}

impl BeforeEdit {
    async fn read(
        context: &Context<'_>,
        signals: &mut Signals,
        args: &EditFlags,
        refresh: bool,
    ) -> Result<(Manifests, Self), Failure> {
        let read = if refresh {
            session::read_online(context, Purpose::Run, ManifestQuery::default()).await?
        } else {
            manifests::read(context, Purpose::Run)?
        };
        read.check_names_app(context.global)?;
        let session = Session::from_manifests_before_edit(context, read.clone())?;
        session.check_provider_named(context)?;
        let no_fetch = args.apply_flags.recovery_flags.no_fetch;
        session.history().set_fetch(!no_fetch);
        let options = session::planner_options(
            &args.apply_flags.recovery_flags,
            PlanMode::Normal,
            Requested::default(),
        );
        let (world, preview) = if refresh {
            let world = Backends {
                provider: session.provider(context)?,
                journal: session::journal(context)?,
            };
            let run_context = session.run_context(context, &*world.provider, &world.journal);
            let preview = signals
                .or_interrupted(run_context.preview(&options))
                .await??;
            (Some(world), preview)
        } else {
            let offline = Preview::offline(&session.desired, &*session.store, &options);
            (None, signals.or_interrupted(offline).await??)
        };
        let before = Self {
            session,
            backends: world,
            preview,
        };
        Ok((read, before))
    }

    /// Applies the edits in memory.
    async fn apply_edits(
        &self,
        context: &Context<'_>,
        signals: &mut Signals,
        read: Manifests,
        edits: &[Edit],
    ) -> Result<(Manifests, FileEdits), Failure> {
        let desired = &self.session.desired;
        let beginning = init::head(desired, &read.fly_path);
        let mut edited = read.with_edits(desired, edits, &beginning);
        // The provider knows whether an unknown region exists.
        let lacks = edited
            .as_ref()
            .is_ok_and(|(edited, _)| manifests::has_unknown_region(&edited.loaded.diagnostics));
        if lacks && self.backends.is_some() {
            let fly = session::fly_provider(context)?;
            let named = signals.or_interrupted(fly.regions()).await??;
            let read = manifests::read_with_regions(context, Purpose::Run, named)?;
            edited = read.with_edits(desired, edits, &beginning);
        }
        edited.map_err(|error| edit_error(context.ui, error))
    }
}

/// The project after the edit, in memory.
struct AfterEdit<'a> {
    context: &'a Context<'a>,
    session: Session,
    files: FileEdits,
    options: Options,
}

impl AfterEdit<'_> {
    fn run_context<'g>(&'g self, world: &'g Backends) -> run::RunContext<'g> {
        self.session
            .run_context(self.context, &*world.provider, &world.journal)
    }

    /// Writes the edit without an apply.
    fn write_only(self) -> Result<Exit, Failure> {
        self.files.write()?;
        self.tell(true, None);
        self.context.ui.say(&format!(
            "wrote {}; apply it with `aeroform apply`",
            self.files.names()
        ));
        Ok(Exit::Done)
    }

    async fn plan_offline(&self, signals: &mut Signals) -> Result<Exit, Failure> {
        let session = &self.session;
        let offline = Preview::offline(&session.desired, &*session.store, &self.options);
        let shown = signals.or_interrupted(offline).await??;
        self.tell(false, Some(&shown.plan));
        Ok(Exit::Done)
    }

    async fn plan_only(&self, shown: &Preview) -> Result<Exit, Failure> {
        self.session
            .report_open_runs(self.context.ui, shown)
            .await?;
        self.tell(false, Some(&shown.plan));
        Ok(Exit::Done)
    }

    async fn carry_out(
        &self,
        signals: &mut Signals,
        request: &ApplyRequest<'_>,
        world: &Backends,
        shown: Preview,
    ) -> Result<Exit, Failure> {
        self.tell(false, None);
        let edited = apply_flow::EditedManifests {
            session: &self.session,
            provider: &*world.provider,
            journal: &world.journal,
            shown,
            edits: &self.files,
        };
        apply_flow::run_edited(self.context, signals, request, edited).await
    }

    fn tell(&self, written: bool, plan: Option<&Plan>) {
        tell(
            self.context,
            &self.session.desired,
            &self.files,
            written,
            plan,
        );
    }
}

/// Prints the edit, and the plan if no apply follows.
fn tell(
    context: &Context<'_>,
    desired: &Desired,
    files: &FileEdits,
    written: bool,
    plan: Option<&Plan>,
) {
    let ui = context.ui;
    let view = files.to_view();
    let output = CommandOutput::Edit {
        app: &desired.app,
        files: &view,
        written,
        plan,
    };
    formats::print(ui, output);
    let is_asked_about = plan.is_none() && !written;
    if ui.format().is_for_programs() && ui.streams().can_ask() && is_asked_about {
        views::write_stderr(ui, |style, text| terminal::edits(&view, style, text));
    }
}

/// The files already contain the edit. The Machines may still differ.
fn nothing_to_edit(context: &Context<'_>, plan: &Plan) -> Exit {
    let ui = context.ui;
    formats::print(ui, CommandOutput::NoEdit(&plan.app));
    if !plan.is_empty() {
        ui.say("`aeroform plan` shows the changes that are not applied yet");
    }
    Exit::Done
}

/// An edit that is not possible: prints the edit to make by hand.
pub(super) fn edit_error(ui: &Ui, error: EditError) -> Failure {
    let (failure, change) = match error {
        EditError::NotToml { path, change } => {
            let message =
                format!("`{path}` is not TOML; only TOML files can be edited; nothing was changed");
            (Failure::new(codes::NOT_TOML, message), change)
        }
        EditError::UnsupportedForm { path, change } => {
            let message = format!(
                "`{path}` cannot be edited without changing other entries; \
                 nothing was changed"
            );
            (Failure::new(codes::NOT_EDITABLE, message), change)
        }
        EditError::Invalid {
            diagnostics,
            change,
        } => {
            manifests::show_diagnostics(&diagnostics, ui);
            let message = "this edit would make the manifests invalid; nothing was changed";
            let lines = indented(&change);
            ui.talk(&format!("the rejected edit:\n{lines}\n"));
            let failure = Failure {
                diagnostics: diagnostics.iter().cloned().collect(),
                ..Failure::new(codes::EDIT_INVALID, message)
            };
            return failure.hint("change the conflicting setting first, or use other values");
        }
    };
    ui.talk(&format!("the edit to make:\n{}\n", indented(&change)));
    failure.hint("make this edit by hand, then run `aeroform plan`")
}

fn indented(change: &str) -> String {
    let lines = change.lines().map(|line| format!("  {}", safe(line)));
    lines.collect::<Vec<String>>().join("\n")
}
