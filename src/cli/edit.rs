//! What every verb that edits the manifests shares: read → look → edit in memory → show → plan → consent →
//! lock → write → apply.
//!
//! The files stay the truth: a verb only says which edits it means, and what happens to Machines is what
//! the plan makes of the edited files. Nothing is written before consent, and just before the first call
//! everything is (RULES 35).

use super::args::Editing;
use super::carry_out::{self, Errand};
use super::files::FileEdits;
use super::manifests::{self, Purpose};
use super::session::{self, Session};
use super::{Context, codes, init, show};
use crate::conduct::Look;
use crate::core::fleet::Desired;
use crate::core::manifest::edit::{Edit, EditError};
use crate::core::plan::{Aim, Asked, Plan};
use crate::core::view::{json, terminal};
use crate::ui::{Exit, Failure, Signals};

/// What a verb knows when it decides what to edit.
pub(super) struct Ground<'a> {
    /// What the files want before the edit.
    pub(super) desired: &'a Desired,
    /// What the plan would make of that: how many Machines there are, and where.
    pub(super) look: &'a Look,
}

/// Edits, plans, asks and applies, as far as the flags say. `command` is the verb as records name it.
pub(super) async fn run(
    context: &Context<'_>,
    command: &'static str,
    args: &Editing,
    asked_for: Asked,
    edits: impl FnOnce(&Ground<'_>) -> Result<Vec<Edit>, Failure>,
) -> Result<Exit, Failure> {
    let asks = args.refresh.refresh;
    // What a run holds is large, and each verb would hold it by value.
    Box::pin(go(context, command, args, (asks, asked_for), edits)).await
}

/// The same for edits that do not depend on what is there: with `--edit-only` nobody is asked.
pub(super) async fn run_blind(
    context: &Context<'_>,
    command: &'static str,
    args: &Editing,
    edits: impl FnOnce(&Ground<'_>) -> Result<Vec<Edit>, Failure>,
) -> Result<Exit, Failure> {
    let asks = args.refresh.refresh && !args.edit_only;
    Box::pin(go(context, command, args, (asks, Asked::default()), edits)).await
}

async fn go(
    context: &Context<'_>,
    command: &'static str,
    args: &Editing,
    (asks, asked_for): (bool, Asked),
    edits: impl FnOnce(&Ground<'_>) -> Result<Vec<Edit>, Failure>,
) -> Result<Exit, Failure> {
    if !asks && !args.plan_only && !args.edit_only {
        return Err(Failure::new(
            codes::NEEDS_REFRESH,
            "without looking at the provider nothing is applied",
        )
        .hint("add `--plan-only` or `--edit-only`, or take `--refresh=false` away"));
    }
    let mut signals = Signals::listen()?;
    let ui = context.ui;
    let read = if asks {
        session::read_asking(context).await?
    } else {
        manifests::read(context, Purpose::Run)?
    };
    let before = Session::before_edit(context, read.clone())?;
    let asks_nothing = Asked::default();
    let wishes = session::wishes(&args.doing.wishes, Aim::Manifests, asks_nothing);
    let asked = if asks {
        Some((before.provider(context)?, session::journal(context)?))
    } else {
        None
    };
    let look = if let Some((provider, journal)) = &asked {
        let ground = before.ground(context, &**provider, journal);
        signals.or_interrupted(ground.look(&wishes)).await??
    } else {
        let offline = Look::offline(&before.desired, &*before.store, &wishes);
        signals.or_interrupted(offline).await??
    };
    let wanted = edits(&Ground {
        desired: &before.desired,
        look: &look,
    })?;
    let beginning = init::head(&before.desired, &read.fly);
    let made = match read.edited(&before.desired, &wanted, &beginning) {
        // A region that is not known here is right if the platform itself names it.
        Err(EditError::Invalid { diagnostics, .. })
            if asks && manifests::only_lack_regions(&diagnostics) =>
        {
            let fly = session::fly(context)?;
            let named = signals.or_interrupted(fly.regions()).await??;
            let read = manifests::read_with(context, Purpose::Run, named)?;
            read.edited(&before.desired, &wanted, &beginning)
        }
        made => made,
    };
    let (edited, files) = made.map_err(|error| manifests::refused(ui, error))?;
    if files.is_empty() {
        return Ok(nothing_to_edit(context, &look.plan));
    }
    let after = Session::of(context, edited)?;
    let wishes = session::wishes(&args.doing.wishes, Aim::Manifests, asked_for.clone());
    if args.edit_only {
        files.write()?;
        tell(context, &after.desired, &files, true, None);
        ui.say(&format!(
            "wrote {}; `aeroform apply` carries it out",
            files.names()
        ));
        return Ok(Exit::Done);
    }
    let Some((provider, journal)) = &asked else {
        let offline = Look::offline(&after.desired, &*after.store, &wishes);
        let shown = signals.or_interrupted(offline).await??;
        tell(context, &after.desired, &files, false, Some(&shown.plan));
        return Ok(Exit::Done);
    };
    let ground = after.ground(context, &**provider, journal);
    let shown = ground.look_again(&look, &wishes)?;
    if args.plan_only {
        after.say_open_runs(ui, &shown).await?;
        tell(context, &after.desired, &files, false, Some(&shown.plan));
        return Ok(Exit::Done);
    }
    tell(context, &after.desired, &files, false, None);
    let errand = Errand {
        command,
        aim: Aim::Manifests,
        asked: asked_for,
        saved: None,
        doing: &args.doing,
    };
    let edited = carry_out::Edited {
        session: &after,
        provider: &**provider,
        journal,
        shown,
        edits: &files,
    };
    carry_out::run_edited(context, &mut signals, &errand, edited).await
}

/// Shows the edit, and where nothing else does, the plan that follows.
fn tell(
    context: &Context<'_>,
    desired: &Desired,
    files: &FileEdits,
    written: bool,
    plan: Option<&Plan>,
) {
    let ui = context.ui;
    let view = files.view();
    if ui.json() {
        ui.document(&json::edit::edit(&desired.app, &view, written, plan));
        if ui.streams().can_ask() && plan.is_none() && !written {
            show::talk(ui, |style, text| terminal::edits(&view, style, text));
        }
        return;
    }
    show::data(ui, |style, text| terminal::edits(&view, style, text));
    if let Some(plan) = plan {
        show::plan(ui, plan);
    }
}

/// The files say so already. That is not to say that it is so.
fn nothing_to_edit(context: &Context<'_>, plan: &Plan) -> Exit {
    let ui = context.ui;
    if ui.json() {
        ui.document(&json::edit::edit(&plan.app, &[], false, None));
    } else {
        ui.data("The files say so already; nothing was changed.\n");
    }
    if !plan.is_empty() {
        ui.say("`aeroform plan` shows what is still to be done for them");
    }
    Exit::Done
}
