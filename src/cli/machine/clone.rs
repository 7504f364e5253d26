//! `aeroform machine clone`: adds a Machine like another one.
//!
//! Settings that no manifest has are copied only by this run: an apply of the edit by another run creates the
//! Machine without them, and `--edit-only` lists them.

use std::collections::BTreeSet;

use super::super::args::MachineCloneArgs;
use super::super::edit::{self, EditContext};
use super::super::{Context, codes, scale};
use super::count_edits::{CountEdits, TargetMachine};
use crate::core::fleet::GroupName;
use crate::core::fleet::diff::diff_configs;
use crate::core::fleet::overlay::config_for;
use crate::core::plan::{CloneSource, Inherited, Requested};
use crate::ui::{Exit, Failure, Ui};

/// Runs the verb.
pub(super) async fn run(context: &Context<'_>, args: &MachineCloneArgs) -> Result<Exit, Failure> {
    let ui = context.ui;
    let requested = Requested {
        clone_source: Some(CloneSource {
            machine: args.id.clone(),
            group: args.group.clone(),
            region: args.region.clone(),
        }),
        ..Requested::default()
    };
    let edits = |edit_context: &EditContext<'_>| {
        let source = TargetMachine::find(edit_context, args.id.as_str())?;
        if source.standby {
            return Err(standby_error(&source));
        }
        let name = args.group.as_ref().unwrap_or(&source.group);
        let group = scale::find_group(edit_context.desired, name.as_str())?;
        let mut numbers = CountEdits::new(edit_context);
        numbers.add(&group, args.region.as_ref().unwrap_or(&source.region));
        let (edits, said) = numbers.into_edits();
        for text in &said {
            ui.say(text);
        }
        if edit_context.desired.groups[&group].template.has_mounts() {
            ui.say("the new Machine gets a new, empty volume; no data is copied");
        }
        if args.edit_flags.edit_only {
            warn_not_copied(ui, edit_context, &source, &group);
        }
        Ok(edits)
    };
    edit::run(context, "machine clone", &args.edit_flags, requested, edits).await
}

/// Prints the fields that a later apply of the edit would not copy.
fn warn_not_copied(
    ui: &Ui,
    edit_context: &EditContext<'_>,
    source: &TargetMachine,
    group: &GroupName,
) {
    let id = &source.id;
    let Some(observed) = &edit_context.preview.observed else {
        ui.warn(&format!(
            "the new Machine is created from the files only, without settings that only {id} has"
        ));
        return;
    };
    let Some(machine) = observed.machines.get(id) else {
        return;
    };
    let Some(config) = machine.config.as_deref() else {
        return;
    };
    let template = &edit_context.desired.groups[group].template;
    // Every new Machine takes these from its group.
    let inherited = Inherited {
        image: machine.image(),
        guest: config.guest.clone().filter(|_| source.group == *group),
        clone_source: None,
    };
    let like = config_for(template, Some(&inherited.base(Some(machine))), None);
    let alone = config_for(template, Some(&inherited.base(None)), None);
    // Every new Machine has its own volume.
    let fields: BTreeSet<String> = diff_configs(&alone, &like)
        .into_iter()
        .filter_map(|change| change.path.into_iter().next())
        .filter(|field| field != "mounts")
        .map(|field| format!("`{field}`"))
        .collect();
    if !fields.is_empty() {
        let fields: Vec<String> = fields.into_iter().collect();
        ui.warn(&format!(
            "the new Machine is created from the files only, without settings that only {id} has: {}; without `--edit-only` they are copied",
            fields.join(", ")
        ));
    }
}

/// Refuses a standby.
fn standby_error(source: &TargetMachine) -> Failure {
    Failure::new(
        codes::STANDBY,
        format!("Machine {} is a standby and cannot be cloned", source.id),
    )
    .hint(format!(
        "write `standby = 2` in `[groups.{}]`, or clone one of its primaries",
        source.group.toml_key()
    ))
}
