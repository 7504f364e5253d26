//! `aeroform plan`: shows what apply would change. Changes nothing and takes no lock.

use std::path::Path;

use super::Context;
use super::args::PlanArgs as Args;
use super::base::{Base, NO_STATE};
use super::codes;
use super::expected_plan;
use super::formats::{self, CommandOutput};
use super::manifests::Warnings;
use super::saved_plan::{PlanFile, load_plan};
use super::session::{self, Session};
use crate::core::code::ExitClass;
use crate::core::fleet::Desired;
use crate::core::fleet::quoting::shell_word;
use crate::core::plan::codes as plan_codes;
use crate::core::plan::{DriftKind, Options, Plan, PlanMode, Requested, SavedPlan};
use crate::run::Preview;
use crate::ui::{Exit, Failure, Signals};

/// Shows the plan, and saves it with `--out`.
pub(super) async fn run(context: &Context<'_>, args: &Args) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    // An unwritable path fails before the work.
    let out = args.out.as_deref().map(PlanFile::open).transpose()?;
    let expected = args.expect.as_deref().map(load_plan).transpose()?;
    let warnings = if args.destroy {
        Warnings::Hidden
    } else {
        Warnings::WithPlan
    };
    let online = args.refresh.refresh;
    let mut base = match &args.base {
        Some(dir) => Some(Base::read(context, dir, online).await),
        None => None,
    };
    let flag = args.state_file.as_deref();
    let state = Base::given_state(base.as_ref(), flag);
    if let Some(file) = flag.filter(|file| *file != Path::new(NO_STATE) && !file.exists()) {
        return Err(no_state_file(file));
    }
    let mut session = Session::for_plan(context, warnings, online, state).await?;
    if let Some(base) = &mut base {
        base.check_state(context, &mut session, flag).await;
    }
    session.history().set_fetch(!args.recovery_flags.no_fetch);
    if base.is_some() {
        session.history().do_not_judge();
    }
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
    // What the flags of this command want besides the manifests is part of this change.
    let options_of_base = Options {
        requested: Requested::default(),
        ..options.clone()
    };
    let desired_of_base = base
        .as_ref()
        .and_then(|base| base.desired_of(&session.desired));
    let of_base = desired_of_base.map(|desired| (desired, &options_of_base));
    let planned = preview_both(context, &mut signals, &session, (&options, online), of_base);
    let (preview, plan_of_base) = Box::pin(planned).await?;
    let comparison = base
        .as_ref()
        .map(|base| base.compare(&session, &preview, plan_of_base.as_ref()));
    session.report_open_runs(context.ui, &preview).await?;
    let exceeds = expected.as_ref().map(|expected| {
        expected_plan::check(context, expected, (&preview.plan, &session.desired), "plan")
    });
    formats::print(
        context.ui,
        match &comparison {
            Some(comparison) => CommandOutput::ComparedPlan(&preview.plan, comparison),
            None => CommandOutput::Plan(&preview.plan),
        },
    );
    if let Some(out) = out {
        let path = out.write(&SavedPlan::of(&preview.plan))?;
        let path = shell_word(&path);
        let text = if !preview.plan.online {
            format!(
                "saved; it was made without calling the provider: review it, and use `aeroform apply --expect {path}`"
            )
        } else if preview.plan.refusals.is_empty() {
            format!("saved; `aeroform apply {path}` applies this plan")
        } else {
            format!("saved to {path}; it cannot be applied while it is refused")
        };
        context.ui.say(&text);
    }
    exceeds.unwrap_or(Ok(()))?;
    Ok(match &comparison {
        _ if is_usage_error(&preview.plan) => Exit::Usage,
        _ if !args.detailed_exitcode => Exit::Done,
        Some(comparison) if comparison.edits_state() => Exit::Refused,
        Some(comparison) => detailed(&comparison.this_change(&preview.plan)),
        None => detailed(&preview.plan),
    })
}

/// The preview, and the plan of the base for the same snapshot.
async fn preview_both(
    context: &Context<'_>,
    signals: &mut Signals,
    session: &Session,
    (options, online): (&Options, bool),
    of_base: Option<(&Desired, &Options)>,
) -> Result<(Preview, Option<Plan>), Failure> {
    if !online {
        let offline = Preview::offline(&session.desired, &*session.store, options);
        let preview = signals.or_interrupted(offline).await??;
        let plan_of_base =
            of_base.map(|(desired, options)| preview.offline_plan_of(desired, options));
        return Ok((preview, plan_of_base));
    }
    let provider = session.provider(context)?;
    let journal = session::journal(context)?;
    let run_context = session.run_context(context, &*provider, &journal);
    let preview = signals
        .or_interrupted(run_context.preview(options))
        .await??;
    let plan_of_base = match of_base {
        Some((desired, options)) => {
            let planned = run_context.plan_of(desired, &preview, options);
            Some(signals.or_interrupted(planned).await??)
        }
        None => None,
    };
    Ok((preview, plan_of_base))
}

fn no_state_file(file: &Path) -> Failure {
    let message = format!("there is no `{}`", file.display());
    Failure::new(codes::NO_STATE_FILE, message)
        .hint("name an existing state file, or `none` if there is no state yet")
}

/// Whether flags contradict each other, as only the plan can tell.
fn is_usage_error(plan: &Plan) -> bool {
    let first = plan.refusals.first();
    let code = first.and_then(|refusal| plan_codes::named(&refusal.code));
    code.is_some_and(|code| code.exit_class() == ExitClass::Usage)
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
