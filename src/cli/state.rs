//! `aeroform state`: lists, shows, edits, moves and publishes the state.

use std::path::Path;
use std::time::Duration;

use super::Context;
use super::args::StateVerb;
use super::codes;
use super::formats::{self, CommandOutput};
use super::lock;
use super::manual;
use super::project::{SizeLimit, read_file};
use super::session::{self, GivenState, Session};
use super::state_migrate;
use crate::core::fleet::Known;
use crate::core::state;
use crate::journal::{Journal, RunStatus};
use crate::run::{StoredState, state_note};
use crate::ui::{Exit, Failure, OutputFile, Readers, Signals};

/// Runs the verb.
pub(super) async fn run(context: &Context<'_>, args: &StateVerb) -> Result<Exit, Failure> {
    let given = match args {
        StateVerb::Log {
            state_file: Some(file),
            ..
        } => {
            check_there(file)?;
            GivenState::ByFlag(file)
        }
        _ => GivenState::None,
    };
    if let StateVerb::Migrate(args) = args {
        return state_migrate::run(context, args).await;
    }
    let session = Session::open_lenient_with(context, given)?;
    session.say_other_state(context);
    match args {
        StateVerb::List { .. } => {
            let known = session.load_state().await?.known;
            formats::print(context.ui, CommandOutput::StateList(&known));
        }
        // Never the file's own text: that holds digests of hidden values, which are not printed (rule 37).
        StateVerb::Show { id, .. } => {
            let mut known = session.load_state().await?.known;
            if let Some(id) = id {
                known = only_machine(known, id)?;
            }
            formats::print(context.ui, CommandOutput::StateShow(&known));
        }
        // It needs valid manifests, and has returned.
        StateVerb::Migrate(_) => {}
        StateVerb::Log { .. } => {
            let known = session.load_state().await?.known;
            formats::print(context.ui, CommandOutput::StateLog(&known));
        }
        StateVerb::Rm {
            id, lock_timeout, ..
        } => {
            manual::remove_machine(context, &session, id, session.lock_patience(*lock_timeout))
                .await?;
        }
        StateVerb::Pull { file, at, .. } => pull(context, &session, file, at.as_deref()).await?,
        StateVerb::Push {
            file, lock_timeout, ..
        } => {
            push(
                context,
                &session,
                file,
                session.lock_patience(*lock_timeout),
            )
            .await?;
        }
    }
    Ok(Exit::Done)
}

/// A state file that a flag names is there, or it is an error.
fn check_there(file: &Path) -> Result<(), Failure> {
    if file.exists() {
        return Ok(());
    }
    let message = format!("there is no `{}`", file.display());
    Err(Failure::new(codes::NO_STATE_FILE, message).hint("name an existing state file"))
}

/// The state as if it knew only that Machine.
fn only_machine(mut known: Known, id_or_name: &str) -> Result<Known, Failure> {
    known
        .machines
        .retain(|id, machine| id.as_str() == id_or_name || machine.name.as_str() == id_or_name);
    let Some(machine) = known.machines.values().next() else {
        return Err(Failure::new(
            codes::NO_SUCH_MACHINE,
            format!("the state has no Machine `{id_or_name}`"),
        )
        .hint("`aeroform state list` lists the Machines"));
    };
    known.configs.retain(|digest, _| *digest == machine.config);
    known.releases.clear();
    known.runs.clear();
    Ok(known)
}

/// Copies the state into a file. Never to standard output: it holds digests of hidden values (rule 37).
async fn pull(
    context: &Context<'_>,
    session: &Session,
    file: &Path,
    at: Option<&str>,
) -> Result<(), Failure> {
    let mut out = OutputFile::open(file, Readers::Owner)?;
    let store = &*session.store;
    let location = &store.location();
    let text = match at {
        Some(commit) => store.read_at(commit).await?,
        None => store.read().await?.text,
    };
    let Some(text) = text else {
        let message = format!("there is no state at `{location}`");
        return Err(Failure::new(codes::NO_STATE_FILE, message)
            .hint("before the first apply there is none; `plan --state none` plans without it"));
    };
    let pulled = state::read(&text, &session.desired.app)
        .map_err(|error| Failure::of_state(&error, location))?;
    out.write(&text)
        .and_then(|()| out.sync())
        .map_err(|error| out.write_error(&error))?;
    let shown = file.display().to_string();
    let output = CommandOutput::StatePulled {
        file: &shown,
        location,
        serial: pulled.serial,
    };
    formats::print(context.ui, output);
    Ok(())
}

/// Publishes the state of a run that could not write it. The file must follow the current state.
async fn push(
    context: &Context<'_>,
    session: &Session,
    file: &Path,
    patience: Duration,
) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let shown = file.display();
    let bytes = read_file(file, SizeLimit::Data)?
        .ok_or_else(|| Failure::new(codes::NO_STATE_FILE, format!("there is no `{shown}`")))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let pushed = state::read(&text, &session.desired.app)
        .map_err(|error| Failure::of_state(&error, &shown.to_string()))?;
    let me = lock::holder(context, "state push", None);
    let lock = lock::lock_state(context.ui, &mut signals, &*session.store, &me, patience).await?;
    let location = session.store.location();
    let published = async {
        let there = session.load_state().await?;
        check_follows(&pushed, &there, &location)?;
        context.ui.mark_changing();
        let note = state_note(&pushed, "pushed by hand");
        session.store.write(&text, &there.version, &note).await?;
        Ok::<_, Failure>(())
    };
    let published = published.await;
    let released = lock.release().await;
    published?;
    released?;
    close_run(context, &pushed)?;
    let (location, serial) = (&location, pushed.serial);
    formats::print(context.ui, CommandOutput::StatePushed { location, serial });
    Ok(())
}

fn check_follows(pushed: &Known, there: &StoredState, location: &str) -> Result<(), Failure> {
    if pushed.parent == there.digest {
        return Ok(());
    }
    let (ours, theirs) = (pushed.serial, there.known.serial);
    let cause = if pushed.run == there.known.run && ours == theirs {
        format!("`{location}` already contains this run")
    } else {
        format!(
            "the file has serial {ours} and does not follow `{location}`, which has serial {theirs}"
        )
    };
    Err(Failure::new(
        codes::STATE_MOVED_ON,
        "cannot publish this state: it does not follow the current one",
    )
    .cause(cause)
    .hint("run `aeroform plan`: it shows the Machines of that run that the state does not list"))
}

fn close_run(context: &Context<'_>, pushed: &Known) -> Result<(), Failure> {
    if let Some(run) = &pushed.run {
        session::journal(context)?.mark_run(run, RunStatus::Closed)?;
    }
    Ok(())
}
