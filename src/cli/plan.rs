//! `aeroform plan`: shows what apply would change. Changes nothing and takes no lock.

use super::Context;
use super::args::PlanArgs as Args;
use super::formats::{self, CommandOutput};
use super::manifests::{Purpose, Warnings};
use super::saved_plan::PlanFile;
use super::session::{self, Session};
use crate::core::fleet::quoting::shell_word;
use crate::core::plan::{DriftKind, Options, Plan, PlanMode, SavedPlan};
use crate::run::Preview;
use crate::ui::{Exit, Failure, Signals};

/// Shows the plan, and saves it with `--out`.
pub(super) async fn run(context: &Context<'_>, args: &Args) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    // An unwritable path fails before the work.
    let out = args.out.as_deref().map(PlanFile::open).transpose()?;
    let warnings = if args.destroy {
        Warnings::Hidden
    } else {
        Warnings::WithPlan
    };
    let session = if args.refresh.refresh {
        Session::open_online_for(context, Purpose::Plan, warnings).await?
    } else {
        Session::open(context, Purpose::Plan, warnings)?
    };
    let mode = if args.destroy {
        PlanMode::Destroy
    } else {
        PlanMode::Normal
    };
    let requested =
        session::with_plan_options(context, &args.options, args.requested_flags.requested())?;
    let options = Options {
        parallelism: Some(args.parallelism.get()),
        ..session::planner_options(&args.recovery_flags, mode, requested)
    };
    let preview = if args.refresh.refresh {
        let provider = session.provider(context)?;
        let journal = session::journal(context)?;
        let run_context = session.run_context(context, &*provider, &journal);
        signals
            .or_interrupted(run_context.preview(&options))
            .await??
    } else {
        let offline = Preview::offline(&session.desired, &*session.store, &options);
        signals.or_interrupted(offline).await??
    };
    session.report_open_runs(context.ui, &preview).await?;
    formats::print(context.ui, CommandOutput::Plan(&preview.plan));
    if let Some(out) = out {
        let path = out.write(&SavedPlan::of(&preview.plan))?;
        let path = shell_word(&path);
        let text = if preview.plan.refusals.is_empty() {
            format!("saved; `aeroform apply {path}` applies this plan")
        } else {
            format!("saved to {path}; it cannot be applied while it is refused")
        };
        context.ui.say(&text);
    }
    Ok(if args.detailed_exitcode {
        detailed(&preview.plan)
    } else {
        Exit::Done
    })
}

/// Machines created or destroyed by other clients are bookkeeping, not changes (rule 15).
fn detailed(plan: &Plan) -> Exit {
    let drifted = plan
        .drift
        .iter()
        .any(|drift| drift.kind == DriftKind::Changed);
    if !plan.refusals.is_empty() {
        Exit::Refused
    } else if plan.calls_provider()
        || plan.waits_for_unproven()
        || !plan.records.is_empty()
        || drifted
    {
        Exit::Changes
    } else {
        Exit::Done
    }
}
