//! `aeroform rollback`: `[hold]`, as an edit of aeroform.toml (rule 41).

use super::args::RollbackArgs;
use super::edit::{self, EditContext};
use super::manifests::{self, Purpose};
use super::scale::find_group;
use super::{Context, codes};
use crate::core::escape::safe;
use crate::core::fleet::{Desired, Hold};
use crate::core::manifest::edit::Edit;
use crate::core::plan::hold::{image_before_hold, release_to_go_back_to, releases_there};
use crate::core::plan::{DriftKind, Requested};
use crate::ui::{Exit, Failure, Ui};

/// Edits, plans, asks and applies.
pub(super) async fn run(context: &Context<'_>, args: &RollbackArgs) -> Result<Exit, Failure> {
    let before = manifests::read(context, Purpose::Run)?.loaded.desired;
    let before = before.and_then(|desired| desired.hold);
    let edits = |edit_context: &EditContext<'_>| {
        let hold = if args.end {
            warn_of_kept_image(context.ui, edit_context);
            None
        } else {
            Some(hold(args, edit_context)?)
        };
        Ok(vec![Edit::Hold(hold)])
    };
    let flags = &args.edit_flags;
    let ended = edit::run(context, "rollback", flags, Requested::default(), edits).await;
    if !flags.plan_only {
        tell_to_commit(context, before.as_ref());
    }
    ended
}

/// The hold that the arguments name.
fn hold(args: &RollbackArgs, edit_context: &EditContext<'_>) -> Result<Hold, Failure> {
    let EditContext { desired, preview } = edit_context;
    let known = &preview.stored_state.known;
    let groups = args
        .group
        .iter()
        .map(|name| find_group(desired, name.as_str()))
        .collect::<Result<_, _>>()?;
    let release = if let Some(number) = args.release {
        let is_there = known.releases.iter().any(|record| record.release == number);
        is_there.then_some(number).ok_or_else(|| {
            let message = format!("the state has no release v{number}");
            Failure::new(codes::UNKNOWN_RELEASE, message).hint(releases_there(known))
        })?
    } else {
        let has_drift = preview
            .plan
            .drift
            .iter()
            .any(|drift| drift.kind == DriftKind::Changed);
        release_to_go_back_to(known, desired.hold.as_ref(), has_drift).ok_or_else(|| {
            let message = "there is no complete release to go back to";
            Failure::new(codes::UNKNOWN_RELEASE, message).hint(releases_there(known))
        })?
    };
    Ok(Hold {
        release,
        groups: (!args.group.is_empty()).then_some(groups),
    })
}

/// Where no file names an image, what runs stays, and that is the image of the release.
fn warn_of_kept_image(ui: &Ui, edit_context: &EditContext<'_>) {
    let known = &edit_context.preview.stored_state.known;
    let Some((release, image)) = image_before_hold(edit_context.desired, known) else {
        return;
    };
    ui.warn(&safe(&format!(
        "no file names an image, so the Machines keep the one they run; release v{release} ran another: \
         `--image {image}`"
    )));
}

/// The edit only lasts in version control: a pipeline applies what is committed.
fn tell_to_commit(context: &Context<'_>, before: Option<&Hold>) {
    let Ok(read) = manifests::read(context, Purpose::Run) else {
        return;
    };
    let after = read
        .loaded
        .desired
        .as_ref()
        .map(|desired: &Desired| desired.hold.as_ref());
    let Some(after) = after.filter(|after| *after != before) else {
        return;
    };
    let next = match after {
        Some(_) => "goes forward again",
        None => "goes back again",
    };
    context.ui.say(&format!(
        "commit `{}`: until then the next pipeline {next}",
        read.main_file()
    ));
}
