//! The flow of `apply`, `destroy`, `refresh` and `import`: preview → show → refuse → ask → lock → preview again
//! → execute → publish.
//!
//! The order matters: nothing is locked while the user decides, nothing is executed that was not shown, and
//! every completed change is in the state before the program ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::args::ApplyFlags;
use super::can_begin::check_can_begin;
use super::changed_meanwhile;
use super::codes;
use super::consent::{self, Consent};
use super::expected_plan;
use super::file_edits::FileEdits;
use super::formats::{self, CommandOutput};
use super::lock;
use super::manifests::Warnings;
use super::newest_state::check_newest;
use super::refused_plan::{check_refusals, conflicting_run};
use super::saved_plan::{ReviewedPlan, check_unused};
use super::session::{self, Session};
use super::stale_plan::{stale_plan, stale_plan_since};
use super::{Context, run_and_report, views};
use crate::core::fleet::RunId;
use crate::core::plan::releases::{release_in_progress, release_name as named_release};
use crate::core::plan::{
    ApprovalFlags, Options, Plan, PlanMode, Requested, RunOutcome, changed_ports,
};
use crate::core::view::escape;
use crate::core::view::phrases::human_limit;
use crate::core::view::terminal::questions::CONFIRM_WRITE;
use crate::journal::Journal;
use crate::provider::Provider;
use crate::run::{self, Preview, ReleaseWait, RunContext};
use crate::store::{StateLock, StoreError};
use crate::ui::{Exit, Failure, Signals, Ui, prompt};

/// What to apply.
pub(super) struct ApplyRequest<'a> {
    /// The verb, for run records.
    pub(super) command: &'static str,
    /// The target of the plan.
    pub(super) mode: PlanMode,
    /// Requests beyond the manifests.
    pub(super) requested: Requested,
    /// The reviewed plan, if it was saved: the file counts as approval.
    pub(super) reviewed: ReviewedPlan,
    /// Flags.
    pub(super) flags: &'a ApplyFlags,
}

/// Plans, asks for approval, and applies.
pub(super) async fn run(
    context: &Context<'_>,
    request: &ApplyRequest<'_>,
) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    // A destroy does not need valid manifests.
    let session = if request.mode == PlanMode::Destroy && request.reviewed.applied().is_none() {
        Session::open_lenient_online(context).await?
    } else {
        let warnings = match request.mode {
            PlanMode::Normal => Warnings::WithPlan,
            PlanMode::Destroy | PlanMode::RefreshOnly => Warnings::Hidden,
        };
        Session::open_online(context, warnings).await?
    };
    let provider = session.provider(context)?;
    let journal = session::journal(context)?;
    let work = ApplyFlow {
        context,
        request,
        session: &session,
        provider: &*provider,
        journal: &journal,
        allow: ApprovalFlags {
            reviewed: request.reviewed.expected().is_some(),
            ..consent::allow(request.flags)
        },
        edits: None,
        waited: AtomicBool::new(false),
    };
    let shown = work.preview(&mut signals).await?;
    work.run_flow(&mut signals, shown).await
}

/// Edited manifests, and the preview that they were edited for.
pub(super) struct EditedManifests<'a> {
    /// The session of the edited files.
    pub(super) session: &'a Session,
    /// The provider.
    pub(super) provider: &'a dyn Provider,
    /// The journal.
    pub(super) journal: &'a dyn Journal,
    /// The plan of the edited files.
    pub(super) shown: Preview,
    /// The edits, written just before the first call (rule 35).
    pub(super) edits: &'a FileEdits,
}

/// Applies the plan of an edit and writes the edit.
pub(super) async fn run_edited(
    context: &Context<'_>,
    signals: &mut Signals,
    request: &ApplyRequest<'_>,
    edited: EditedManifests<'_>,
) -> Result<Exit, Failure> {
    let work = ApplyFlow {
        context,
        request,
        session: edited.session,
        provider: edited.provider,
        journal: edited.journal,
        allow: consent::allow(request.flags),
        edits: Some(edited.edits),
        waited: AtomicBool::new(false),
    };
    Box::pin(work.run_flow(signals, edited.shown)).await
}

/// Whether the plan was already printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    No,
    Yes,
}

pub(super) struct ApplyFlow<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) request: &'a ApplyRequest<'a>,
    pub(super) session: &'a Session,
    pub(super) provider: &'a dyn Provider,
    journal: &'a dyn Journal,
    allow: ApprovalFlags,
    edits: Option<&'a FileEdits>,
    /// Whether this run waited for another client.
    pub(super) waited: AtomicBool,
}

impl ApplyFlow<'_> {
    async fn run_flow(&self, signals: &mut Signals, mut shown: Preview) -> Result<Exit, Failure> {
        let ui = self.context.ui;
        self.session.report_open_runs(ui, &shown).await?;
        self.session.history().report(ui).await;
        self.check_newest_state(signals, &shown).await?;
        self.check_plan_unused(&shown)?;
        if self.wait_for_releases(signals, &shown).await? {
            shown = self.preview(signals).await?;
        }
        if let Some(saved) = self.request.reviewed.applied() {
            expected_plan::check_target(saved, &shown.plan)?;
            let differences = saved.differences(&shown.plan);
            if !differences.is_empty() {
                formats::note_plan(ui, &shown.plan, None);
                let message = "cannot apply the saved plan: it is out of date";
                return Err(stale_plan_since(message, differences, &shown, None));
            }
        }
        self.check_expected(&shown.plan, Shown::No)?;
        if shown.plan.is_empty() && shown.plan.refusals.is_empty() {
            self.close_runs(signals, &shown).await?;
            return match self.edits {
                Some(edits) => self.write_without_changes(signals, &shown, edits).await,
                None => Ok(nothing_to_do(ui, &shown.plan)),
            };
        }
        let patience = self.session.lock_patience(self.request.flags.lock_timeout);
        let begins = (self.request.command, patience);
        // A refused plan is not started.
        if shown.plan.refusals.is_empty()
            && check_can_begin(self.context, signals, self.session, self.journal, begins).await?
        {
            // The previous holder of the lock may have changed something.
            shown = self.preview(signals).await?;
        }
        if shown.plan.refusals.is_empty() && self.let_leases_end(signals, &shown).await? {
            shown = self.preview(signals).await?;
        }
        if self.consent(signals, &shown.plan).await? == Consent::Denied {
            ui.say("nothing was changed");
            return Ok(Exit::Refused);
        }
        let run = self.context.env.new_run_id();
        let me = lock::holder(self.context, self.request.command, Some(run.to_string()));
        let store = &*self.session.store;
        let lock = lock::lock_state(ui, signals, store, &me, patience).await?;
        let ended = self.run_with_app_lease(signals, &shown, &*lock, run).await;
        let released = lock.release().await;
        let exit = ended?;
        released?;
        Ok(exit)
    }

    /// Writes an edit that needs no change of a Machine.
    async fn write_without_changes(
        &self,
        signals: &mut Signals,
        shown: &Preview,
        edits: &FileEdits,
    ) -> Result<Exit, Failure> {
        let ui = self.context.ui;
        formats::print(ui, CommandOutput::ProposedPlan(&shown.plan));
        if !self.allow.auto_approve {
            if !ui.streams().can_ask() {
                return Err(Failure::new(
                    codes::CONSENT_NEEDED,
                    "this edit needs approval and stdin is not a terminal; nothing was changed",
                )
                .hint("review the edit, then add `--auto-approve` or `--edit-only`"));
            }
            if !prompt::yes_or_no(ui, signals, CONFIRM_WRITE).await? {
                ui.say("nothing was changed");
                return Ok(Exit::Refused);
            }
        }
        let me = lock::holder(self.context, self.request.command, None);
        let patience = self.session.lock_patience(self.request.flags.lock_timeout);
        let lock = lock::lock_state(ui, signals, &*self.session.store, &me, patience).await?;
        let written = edits.write();
        lock.release().await?;
        written?;
        formats::print(ui, CommandOutput::EndOfEmptyRun(&shown.plan));
        let within = if shown.plan.left_out.is_empty() {
            ""
        } else {
            " within the filters"
        };
        ui.say(&format!(
            "wrote {}; no Machine{within} needed a change",
            edits.names()
        ));
        Ok(Exit::Done)
    }

    async fn preview(&self, signals: &mut Signals) -> Result<Preview, Failure> {
        let flags = self.request.flags;
        self.session
            .history()
            .set_fetch(!flags.recovery_flags.no_fetch);
        let requested = self.request.requested.clone();
        // A saved plan contains its own options; `--image` is compared with its image.
        let requested = match self.request.reviewed.applied() {
            Some(_) => Requested {
                image: self.context.global.image.clone(),
                ..requested
            },
            None => session::with_plan_options(self.context, &flags.options, requested)?,
        };
        let options = Options {
            parallelism: Some(flags.parallelism.get()),
            ..session::planner_options(&flags.recovery_flags, self.request.mode, requested)
        };
        Ok(signals
            .or_interrupted(self.run_context().preview(&options))
            .await??)
    }

    /// Refuses a tracked state file that is older than that of its branch.
    async fn check_newest_state(
        &self,
        signals: &mut Signals,
        preview: &Preview,
    ) -> Result<(), Failure> {
        if self.request.flags.recovery_flags.no_fetch {
            return Ok(());
        }
        let known = &preview.stored_state.known;
        let checked = check_newest(self.context, self.session, known);
        signals.or_interrupted(Box::pin(checked)).await?
    }

    /// Refuses a saved plan that was already applied.
    fn check_plan_unused(&self, preview: &Preview) -> Result<(), Failure> {
        let known = &preview.stored_state.known;
        let saved = self.request.reviewed.applied();
        saved.map_or(Ok(()), |saved| check_unused(saved, known))
    }

    fn run_context(&self) -> RunContext<'_> {
        self.session
            .run_context(self.context, self.provider, self.journal)
    }

    /// Closes runs without remaining work. If another run holds the lock, it does this itself.
    async fn close_runs(&self, signals: &mut Signals, shown: &Preview) -> Result<(), Failure> {
        let left = shown.unfinished_release().is_some_and(|left| left.is_over);
        if shown.open_runs.is_empty() && !left {
            return Ok(());
        }
        let me = lock::holder(self.context, self.request.command, None);
        let store = &*self.session.store;
        let lock = match store.lock(&me, Duration::ZERO, &mut |_| {}).await {
            Err(StoreError::Locked { .. }) => return Ok(()),
            lock => lock?,
        };
        let fresh = self.preview(signals).await?;
        let settled = if fresh.plan.is_empty() && fresh.plan.refusals.is_empty() {
            self.context.ui.mark_changing();
            if let Some(why) =
                Box::pin(self.run_context().end_unfinished_release(&fresh, false)).await
            {
                self.context.ui.warn(&why);
            }
            self.run_context().check_and_close_runs(&fresh)
        } else {
            Ok(())
        };
        lock.release().await?;
        Ok(settled?)
    }

    /// Shows the plan, checks refusals, and asks for approval.
    async fn consent(&self, signals: &mut Signals, plan: &Plan) -> Result<Consent, Failure> {
        let ui = self.context.ui;
        views::plan_before_question(ui, plan);
        check_refusals(plan)?;
        match &self.request.reviewed {
            ReviewedPlan::Applied(_) => return Ok(Consent::Given),
            ReviewedPlan::Expected(_) => {
                self.check_expected(plan, Shown::Yes)?;
                return consent::check_ceilings(plan, &self.allow);
            }
            ReviewedPlan::None => {}
        }
        consent::ask(ui, signals, plan, &self.allow).await
    }

    /// Refuses a plan that exceeds the expected one.
    fn check_expected(&self, plan: &Plan, shown: Shown) -> Result<(), Failure> {
        let Some(expected) = self.request.reviewed.expected() else {
            return Ok(());
        };
        expected_plan::check_target(expected, plan)?;
        let current = (plan, &self.session.desired);
        let checked = expected_plan::check(self.context, expected, current, "apply");
        if checked.is_err() && shown == Shown::No {
            views::plan_before_question(self.context.ui, plan);
            check_refusals(plan)?;
        }
        checked
    }

    /// Waits for another client's release in progress; returns whether there was one.
    pub(super) async fn wait_for_releases(
        &self,
        signals: &mut Signals,
        preview: &Preview,
    ) -> Result<bool, Failure> {
        if self.request.mode == PlanMode::RefreshOnly || self.request.flags.no_wait_release {
            return Ok(false);
        }
        let ui = self.context.ui;
        let mut waiting = |waiting: &ReleaseWait<'_>| {
            let limit = human_limit(waiting.at_most);
            let (release, until) = (named_release(waiting.release), &waiting.presumed_over_at);
            let text = format!(
                "waiting up to {limit} (until {until}) for {release}, which is in progress; `--no-wait-release` skips this"
            );
            ui.talk(&escape::safe(&text));
        };
        let ended = run::wait_for_releases(self.provider, preview, self.context.env, &mut waiting);
        let waited = signals.or_interrupted(Box::pin(ended)).await?;
        self.waited.fetch_or(waited, Ordering::Relaxed);
        Ok(waited)
    }

    /// Refuses to continue if a release started after the preview.
    fn check_no_new_release(&self, fresh: &Preview) -> Result<(), Failure> {
        let observed = fresh.observed.as_ref().filter(|_| {
            self.request.mode != PlanMode::RefreshOnly && !self.request.flags.no_wait_release
        });
        let (now, own) = (Some(self.context.env.unix_now()), fresh.own_releases());
        let begun = observed
            .and_then(|o| release_in_progress(o.release.as_ref(), &own, o.machines.values(), now))
            .map(|(release, _)| format!("{} has begun", named_release(release)));
        let stale = |begun| {
            stale_plan(
                "the Machines or the state changed since the plan was shown",
                vec![begun],
            )
        };
        begun.map_or(Ok(()), |begun| Err(stale(begun)))
    }

    /// Refuses to change Machines of a run that was in progress when this run started: the user cannot have
    /// known of them, whatever the plan shows now.
    fn check_no_conflicting_run(&self, fresh: &Preview) -> Result<(), Failure> {
        let adopted = &self.request.flags.recovery_flags.adopt_run;
        let waited = self.waited.load(Ordering::Relaxed);
        let undone = fresh.conflicting_run(adopted).filter(|_| waited);
        let Some((taken, machines)) = undone else {
            return Ok(());
        };
        Err(conflicting_run(taken, &machines))
    }

    /// Previews again under the lock, and executes if the plan is unchanged.
    pub(super) async fn run_locked(
        &self,
        signals: &mut Signals,
        reviewed: &Preview,
        lock: &dyn StateLock,
        run: RunId,
    ) -> Result<Exit, Failure> {
        let mut fresh = self.preview(signals).await?;
        if self.waited.load(Ordering::Relaxed) {
            // The other run may have published its state.
            self.check_newest_state(signals, &fresh).await?;
        }
        self.check_plan_unused(&fresh)?;
        self.check_no_conflicting_run(&fresh)?;
        self.check_no_new_release(&fresh)?;
        fresh.reviewed_plan = self.request.reviewed.applied().cloned();
        let differences = RunContext::differences(reviewed, &fresh);
        if !differences.is_empty() {
            let ui = self.context.ui;
            let is_saved = self.request.reviewed.applied().is_some();
            let is_done = fresh.plan.is_empty() && fresh.plan.refusals.is_empty();
            let by = changed_meanwhile::run_in_between(reviewed, &fresh);
            if let Some(by) = by.filter(|_| is_done && !is_saved && self.edits.is_none()) {
                self.run_context().check_and_close_runs(&fresh)?;
                let exit = nothing_to_do(ui, &fresh.plan);
                ui.say(&escape::safe(&format!("applied already: {by}")));
                return Ok(exit);
            }
            // What the expected plan covers, or the approved one, needs no question.
            let covered = self.request.reviewed.expected().is_some()
                || self.allow.auto_approve
                    && changed_meanwhile::is_part_of_shown(reviewed, &fresh, &self.session.desired);
            let may_ask = ui.streams().can_ask() && !self.allow.auto_approve;
            if !(may_ask || covered) || is_saved {
                let previews = (reviewed, &fresh);
                let context = self.context;
                return Err(changed_meanwhile::changed_since_shown(
                    context,
                    differences,
                    previews,
                ));
            }
            ui.warn(
                "the Machines or the state changed since the plan was shown; this is the new plan",
            );
            if self.consent(signals, &fresh.plan).await? == Consent::Denied {
                ui.say("nothing was changed");
                return Ok(Exit::Refused);
            }
        }
        if differences.is_empty() {
            for text in changed_ports(&reviewed.plan, &fresh.plan) {
                self.context.ui.say(&format!("note: {text}"));
            }
        }
        check_refusals(&fresh.plan)?;
        let run_context = self.run_context();
        run_context.check_and_close_runs(&fresh)?;
        let request = run::RunRequest {
            run: &run,
            command: self.request.command,
            parallelism: self.request.flags.parallelism.get(),
            copy_dir: &self.session.state_folder,
        };
        // Once the edit is in the files, repeating the verb would apply it twice.
        let next_command = match self.edits {
            Some(edits) => {
                edits.write()?;
                "apply"
            }
            None => request.command,
        };
        self.context.ui.mark_changing();
        let ran = run_and_report::execute_and_report(
            self.context,
            signals,
            &run_context,
            &fresh,
            lock,
            &request,
            next_command,
        )
        .await;
        let Some(edits) = self.edits else {
            return Ok(ran?.exit);
        };
        let untouched = !ran.as_ref().is_ok_and(|ran| ran.touched);
        if untouched {
            edits.revert()?;
        }
        let exit = ran?.exit;
        let options = run_and_report::flags_text(self.context, &fresh.plan.requested);
        self.report_file_edits(edits, exit, untouched, &options);
        Ok(exit)
    }

    /// Reports whether the edit was kept or reverted, if that is not obvious.
    fn report_file_edits(&self, edits: &FileEdits, exit: Exit, untouched: bool, options: &str) {
        let ui = self.context.ui;
        let names = edits.names();
        if exit == Exit::Done {
            ui.say(&format!("wrote {names}"));
        } else if untouched {
            ui.say(&format!(
                "nothing was changed; the edit of {names} was reverted"
            ));
        } else {
            ui.warn(&format!(
                "the edit of {names} is kept, because it describes the completed changes; continue with `aeroform apply{options}`"
            ));
        }
    }
}

/// Exit 0 of a refresh means that the state matches the provider, and of a destroy that nothing is left.
fn nothing_to_do(ui: &Ui, plan: &Plan) -> Exit {
    formats::print(ui, CommandOutput::EmptyRun(plan));
    RunOutcome::of_empty_run(plan).into()
}
