//! `state rm` and `import ID`: remove or add one Machine of the state. No Machine is changed.

use std::time::Duration;

use super::Context;
use super::args::ImportArgs;
use super::codes;
use super::formats::{self, CommandOutput};
use super::lock;
use super::manifests::Warnings;
use super::session::Session;
use crate::core::fleet::quoting::shell_word;
use crate::core::fleet::{Desired, GroupName, Known, Lineage, Machine, MachineId, Observed};
use crate::core::plan::RunInfo;
use crate::core::plan::manual::{self, AdoptError};
use crate::core::state;
use crate::core::view::escape;
use crate::observe::observe;
use crate::run::{CommitHistory as _, StoredState, state_note};
use crate::ui::{Exit, Failure, Signals, Ui, prompt};

/// Removes a Machine from the state; its id is ignored until it is imported.
pub(super) async fn remove_machine(
    context: &Context<'_>,
    session: &Session,
    id_or_name: &str,
    patience: Duration,
) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let me = lock::holder(context, "state rm", None);
    let lock = lock::lock_state(context.ui, &mut signals, &*session.store, &me, patience).await?;
    let written = async {
        let there = session.load_state().await?;
        let (id, group, lineage) = find_known(&there.known, id_or_name)?;
        let facts = run_facts(context, session, "state rm", lineage, &there).await;
        let next = manual::forget_machine(&there.known, &id, &facts);
        context.ui.mark_changing();
        session
            .store
            .write(
                &state::write(&next),
                &there.version,
                &state_note(&next, "one Machine removed from the state"),
            )
            .await?;
        Ok::<_, Failure>((id, group, next.serial))
    };
    let written = written.await;
    let released = lock.release().await;
    let (id, group, serial) = written?;
    released?;
    let more = format!(
        "Machine {id} keeps running and is no longer managed; the next apply creates what group `{group}` lacks.\n\
         `aeroform import {id}` adds it again"
    );
    report(context, session, (&id, &group, serial), &more);
    Ok(())
}

fn find_known(known: &Known, id_or_name: &str) -> Result<(MachineId, GroupName, Lineage), Failure> {
    let is_it = |(id, machine): &(&MachineId, &crate::core::fleet::KnownMachine)| {
        id.as_str() == id_or_name || machine.name.as_str() == id_or_name
    };
    let found = known
        .machines
        .iter()
        .find(is_it)
        .zip(known.lineage.as_ref());
    let ((id, machine), lineage) = found.ok_or_else(|| {
        Failure::new(
            codes::NO_SUCH_MACHINE,
            format!("the state has no Machine `{id_or_name}`"),
        )
        .hint("`aeroform state list` lists the Machines")
    })?;
    Ok((id.clone(), machine.group.clone(), lineage.clone()))
}

/// Adds a Machine to the state, after approval.
pub(super) async fn import_machine(
    context: &Context<'_>,
    args: &ImportArgs,
    id_or_name: &str,
) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let session = Session::open_online(context, Warnings::Hidden).await?;
    let provider = session.provider(context)?;
    let app = &session.desired.app;
    let ui = context.ui;
    let there = session.load_state().await?;
    let observing = observe(&*provider, app, &there.known);
    let observed = signals.or_interrupted(observing).await??;
    let machine = find_observed(&observed, id_or_name)?;
    check_importable(&there.known, machine)?;
    let group = manual::group_of(machine, &session.desired);
    ui.talk(&escape::safe(&describe_machine(machine, &group)));
    if observed.other_projects.contains_key(&machine.id) {
        let folder = machine.project.as_deref().unwrap_or_default();
        ui.warn(&format!(
            "Machine {} belongs to the project in `{folder}`: both projects would manage it, unless you run `aeroform -C {} state rm {}`",
            machine.id,
            shell_word(folder),
            machine.id
        ));
    }
    if !session.desired.groups.contains_key(&group) {
        ui.warn(&format!(
            "group `{group}` is not in fly.toml: the next apply would destroy it"
        ));
    }
    if !args.auto_approve && !confirm(ui, &mut signals).await? {
        ui.say("nothing was changed");
        return Ok(Exit::Refused);
    }
    let me = lock::holder(context, "import", None);
    let patience = session.lock_patience(args.lock_timeout);
    let lock = lock::lock_state(ui, &mut signals, &*session.store, &me, patience).await?;
    let written = async {
        let there = session.load_state().await?;
        let machine = provider.get(app, &machine.id).await?;
        check_importable(&there.known, &machine)?;
        let lineage = observed.description.scope.clone();
        check_lineage(&there.known, &lineage, &session.desired)?;
        let facts = run_facts(context, &session, "import", lineage, &there).await;
        let next = manual::adopt_machine(&there.known, &machine, &session.desired, &facts);
        context.ui.mark_changing();
        session
            .store
            .write(
                &state::write(&next),
                &there.version,
                &state_note(&next, "one Machine imported"),
            )
            .await?;
        Ok::<_, Failure>(next.serial)
    };
    let written = written.await;
    let released = lock.release().await;
    let serial = written?;
    released?;
    let id = &machine.id;
    let more = format!(
        "Machine {id} is now in group `{group}`; `aeroform plan` shows what an apply would change"
    );
    report(context, &session, (id, &group, serial), &more);
    Ok(Exit::Done)
}

/// Asks for approval.
async fn confirm(ui: &Ui, signals: &mut Signals) -> Result<bool, Failure> {
    if ui.streams().can_ask() {
        return prompt::yes_or_no(ui, signals, "Add it to the state?").await;
    }
    let message = "this plan needs approval and stdin is not a terminal; nothing was changed";
    let failure = Failure::new(codes::CONSENT_NEEDED, message);
    Err(failure.hint("check the Machine, then add `--auto-approve`"))
}

fn find_observed<'o>(observed: &'o Observed, id_or_name: &str) -> Result<&'o Machine, Failure> {
    let is_it = |machine: &&Machine| {
        let named = machine.id.as_str() == id_or_name || machine.name.as_str() == id_or_name;
        named && !machine.state.is_gone()
    };
    let mut machines = observed.all_machines();
    machines.find(is_it).ok_or_else(|| {
        let app = &observed.app;
        let message = format!("app `{app}` has no Machine `{id_or_name}`");
        Failure::new(codes::NO_SUCH_MACHINE, message)
            .hint("`aeroform status` lists groups and Machines")
    })
}

fn check_importable(known: &Known, machine: &Machine) -> Result<(), Failure> {
    let Err(why) = manual::check_adoptable(known, machine) else {
        return Ok(());
    };
    let why = match why {
        AdoptError::AlreadyKnown => "it is already in the state",
        AdoptError::Special => {
            "it was created by another tool, for a release command, a console or a test"
        }
        AdoptError::Unreachable => "its host is unreachable; try again later",
    };
    let id = &machine.id;
    let message = format!("Machine {id} cannot be added to the state: {why}");
    Err(Failure::new(codes::NOT_TO_BE_TAKEN, message))
}

/// Refuses a state of an earlier app with the same name.
fn check_lineage(known: &Known, scope: &Lineage, desired: &Desired) -> Result<(), Failure> {
    if known
        .lineage
        .as_ref()
        .is_none_or(|lineage| lineage == scope)
    {
        return Ok(());
    }
    let app = &desired.app;
    let message = format!("the state belongs to an earlier app named `{app}`");
    Err(
        Failure::new(crate::core::plan::codes::OTHER_LINEAGE, message)
            .hint("`aeroform plan` shows what to do"),
    )
}

/// The Machine in one line.
fn describe_machine(machine: &Machine, group: &GroupName) -> String {
    let mut parts = vec![
        format!(
            "= {group} {} {} {}",
            machine.id, machine.region, machine.name
        ),
        machine.state.as_str().to_owned(),
    ];
    let image = machine
        .config
        .as_ref()
        .and_then(|config| config.image.clone());
    parts.extend(image.map(|image| format!("image {image}")));
    let volumes = machine
        .volumes
        .iter()
        .map(|volume| format!("volume {volume}"));
    parts.extend(volumes);
    if !machine.standby_for.is_empty() {
        parts.push("a standby".to_owned());
    }
    parts.join(" · ")
}

async fn run_facts(
    context: &Context<'_>,
    session: &Session,
    command: &str,
    lineage: Lineage,
    there: &StoredState,
) -> RunInfo {
    RunInfo {
        run: context.env.new_run_id(),
        lineage,
        at: context.env.now(),
        by: context.env.user(),
        command: command.to_owned(),
        outcome: "complete".to_owned(),
        commit: session.history().applied().await,
        url: context.env.job_url(),
        parent: there.digest.clone(),
        plan: None,
        release: None,
    }
}

fn report(
    context: &Context<'_>,
    session: &Session,
    (id, group, serial): (&MachineId, &GroupName, u64),
    more: &str,
) {
    let (ui, location) = (context.ui, session.store.location());
    let output = CommandOutput::StateMachine {
        location: &location,
        serial,
        id,
        group,
        advice: more,
    };
    formats::print(ui, output);
}
