//! `aeroform import`: writes aeroform.toml and the state of an existing app.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::num::NonZeroUsize;

use super::apply_flow::{self, ApplyRequest};
use super::args::{ApplyFlags, GlobalFlags, ImportArgs, PlanOptions, RecoveryFlags};
use super::formats::{self, CommandOutput};
use super::init::{self, InitTarget, toml_string};
use super::manifests::Warnings;
use super::saved_plan::ReviewedPlan;
use super::session::{self, Session};
use super::{Context, codes, manual};
use crate::core::fleet::profile::FLY;
use crate::core::fleet::{GroupName, Known, Machine, Management, Observed, Region};
use crate::core::plan::{Action, Options, Plan, PlanMode, Requested, plan};
use crate::observe::observe;
use crate::ui::{Exit, Failure, Signals};

/// Writes both files, and shows what fly.toml would change.
pub(super) async fn run(context: &Context<'_>, args: &ImportArgs) -> Result<Exit, Failure> {
    if let Some(id) = &args.id {
        return manual::import_machine(context, args, id).await;
    }
    let global = default_to_fly(context.global);
    let beginning = init::find_target(&Context {
        global: &global,
        ..*context
    })?;
    let (found, observed) = preview(context, &beginning).await?;
    let text = render_manifest(context, args, &beginning, &found, &observed)?;
    context.ui.mark_changing();
    let written = beginning.write(&text, None)?;
    let ui = context.ui;
    formats::print(
        ui,
        CommandOutput::Import {
            app: &beginning.desired.app,
            written: &written,
        },
    );
    if global.image.is_some() && !args.pin_image {
        ui.say("note: no image was written; `--pin-image` writes the one of `--image`");
    }
    let flags = ApplyFlags {
        auto_approve: true,
        allow_destroy: Vec::new(),
        allow_revert: false,
        no_wait_release: false,
        parallelism: NonZeroUsize::MIN,
        lock_timeout: args.lock_timeout,
        options: PlanOptions::default(),
        recovery_flags: RecoveryFlags::default(),
    };
    let request = ApplyRequest {
        command: "import",
        mode: PlanMode::RefreshOnly,
        requested: Requested::default(),
        reviewed: ReviewedPlan::None,
        flags: &flags,
    };
    let exit = apply_flow::run(context, &request).await?;
    if exit != Exit::Done || ui.format().is_for_programs() {
        return Ok(exit);
    }
    show_remaining_plan(context).await
}

/// `import` defaults to Fly.
fn default_to_fly(global: &GlobalFlags) -> GlobalFlags {
    GlobalFlags {
        provider: Some(
            global
                .provider
                .clone()
                .unwrap_or_else(|| FLY.name.to_owned()),
        ),
        ..global.clone()
    }
}

async fn preview(
    context: &Context<'_>,
    beginning: &InitTarget,
) -> Result<(Plan, Observed), Failure> {
    let mut signals = Signals::listen()?;
    let provider = session::fly_provider(context)?;
    let desired = &beginning.desired;
    let known = Known::empty(desired.app.clone(), &desired.provider);
    let preview = observe(&provider, &desired.app, &known);
    let observed = signals.or_interrupted(preview).await??;
    let found = plan(desired, &known, Some(&observed), &Options::default());
    Ok((found, observed))
}

/// Shows what fly.toml would change with the written counts and regions.
async fn show_remaining_plan(context: &Context<'_>) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let session = Session::open_online(context, Warnings::WithPlan).await?;
    let provider = session.provider(context)?;
    let journal = session::journal(context)?;
    let run_context = session.run_context(context, &*provider, &journal);
    let options = session::planner_options(
        &RecoveryFlags::default(),
        PlanMode::Normal,
        Requested::default(),
    );
    let preview = signals
        .or_interrupted(run_context.preview(&options))
        .await??;
    context.ui.data("\nWhat the files would still change:\n\n");
    formats::print(context.ui, CommandOutput::Plan(&preview.plan));
    Ok(Exit::Done)
}

/// The adopted Machines by group.
fn adopted_by_group<'a>(
    found: &Plan,
    observed: &'a Observed,
) -> BTreeMap<GroupName, Vec<&'a Machine>> {
    let mut groups: BTreeMap<GroupName, Vec<&Machine>> = BTreeMap::new();
    for (_, change) in found.changes() {
        let id = change.machine.id.as_ref();
        let machine = id.and_then(|id| observed.machines.get(id));
        if let (Action::Adopt | Action::Wait | Action::Start, Some(machine)) =
            (&change.action, machine)
        {
            groups
                .entry(change.group.clone())
                .or_default()
                .push(machine);
        }
    }
    groups
}

fn render_manifest(
    context: &Context<'_>,
    args: &ImportArgs,
    beginning: &InitTarget,
    found: &Plan,
    observed: &Observed,
) -> Result<String, Failure> {
    let mut groups = adopted_by_group(found, observed);
    if groups.is_empty() {
        let app = &beginning.desired.app;
        return Err(Failure::new(
            codes::NOTHING_TO_IMPORT,
            format!("app `{app}` has no Machine to import"),
        )
        .hint("use `aeroform init` for a new app; `aeroform status` lists the Machines"));
    }
    // They count for their groups, and are added to the state once their configs can be read.
    for machine in observed.machines.values().filter(|m| m.config.is_none()) {
        let counts = matches!(machine.management, Management::Ours | Management::FlyLaunch);
        if let (true, Some(group)) = (counts, &machine.group) {
            groups.entry(group.clone()).or_default().push(machine);
        }
    }
    let mut text = beginning.header();
    if args.pin_image {
        let image = match &context.global.image {
            Some(image) => image.clone(),
            None => running_image(&groups)?,
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "image = {}", toml_string(&image));
    }
    for name in beginning.desired.groups.keys() {
        let key = toml_edit::Key::new(name.as_str());
        let _ = write!(text, "\n[groups.{key}]\n");
        text.push_str(&render_regions(
            groups.get(name).map_or(&[][..], Vec::as_slice),
        ));
    }
    Ok(text)
}

/// The only running image.
fn running_image(groups: &BTreeMap<GroupName, Vec<&Machine>>) -> Result<String, Failure> {
    let images = groups.values().flatten();
    let images: BTreeSet<String> = images.filter_map(|machine| machine.image()).collect();
    let mut names = images.iter();
    if let (Some(only), None) = (names.next(), names.next()) {
        return Ok(only.clone());
    }
    let message = match images.len() {
        0 => "cannot pin the running image: no Machine reports its image".to_owned(),
        n => format!("cannot pin the running image: {n} different images run"),
    };
    let failure = Failure::new(codes::NO_IMAGE_TO_PIN, message);
    let failure = images.iter().fold(failure, Failure::cause);
    Err(failure.hint("choose one with `--image`, or omit `--pin-image`"))
}

/// The exact counts per region, without standbys.
fn render_regions(machines: &[&Machine]) -> String {
    let is_standby = |machine: &&&Machine| !machine.standby_for.is_empty();
    let standbys = machines.iter().filter(is_standby).count();
    let mut regions: BTreeMap<&Region, usize> = BTreeMap::new();
    for machine in machines.iter().filter(|machine| !is_standby(machine)) {
        *regions.entry(&machine.region).or_default() += 1;
    }
    let mut text = if regions.is_empty() {
        "count = 0\n".to_owned()
    } else {
        let pairs = regions.iter();
        let pairs: Vec<String> = pairs
            .map(|(region, n)| format!("{} = {n}", toml_edit::Key::new(region.as_str())))
            .collect();
        format!("regions = {{ {} }}\n", pairs.join(", "))
    };
    match standbys {
        0 => {}
        1 => text.push_str("standby = true\n"),
        n => {
            let _ = writeln!(text, "standby = {n}");
        }
    }
    text
}
