//! `aeroform state migrate`: moves the state to another place.
//!
//! Under the locks of both places: the state is copied, then the old place gets the record `moved`, then aeroform.toml
//! names the new one. Until the record is there, the old place counts and nobody reads the copy; from then on every
//! command that finds the old place refuses it, so that never two places are written. The same command again
//! continues at the step that is missing.

use super::Context;
use super::args::MigrateArgs;
use super::codes;
use super::edit::edit_error;
use super::file_edits::FileEdits;
use super::formats::{self, CommandOutput};
use super::init;
use super::lock;
use super::manifests::{self, Manifests, Purpose};
use super::newest_state::missing_run;
use super::session::Session;
use super::state_place::{StatePlace, store_at};
use super::views;
use crate::core::fleet::Known;
use crate::core::fleet::quoting::shell_word;
use crate::core::manifest::StateLocation;
use crate::core::manifest::edit::Edit;
use crate::core::plan::short_commit;
use crate::core::state::{self, MovedRecord, StateError};
use crate::core::view::{StateMove, terminal};
use crate::run::state_note;
use crate::store::{Holder, LockStatus, StateLock, StateStore, Version};
use crate::ui::{Exit, Failure, Signals, prompt};

/// One of the two places.
struct Side {
    place: StatePlace,
    location: StateLocation,
    store: Box<dyn StateStore>,
}

/// What is still to be done.
struct Remaining {
    /// The state; none before the first apply.
    state: Option<Moving>,
    /// The version of the new place, if the state is not there.
    copy_over: Option<Version>,
    /// The version of the old place, if its record is missing.
    record_over: Option<Version>,
}

/// The state that is moved.
struct Moving {
    known: Known,
    /// As the new place gets it.
    text: String,
    /// Digest of the text that was read.
    digest: String,
}

/// Shows what is moved, asks, and moves it.
pub(super) async fn run(context: &Context<'_>, args: &MigrateArgs) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let read = manifests::read(context, Purpose::Run)?;
    read.check_names_app(context.global)?;
    let session = Session::from_manifests_before_edit(context, read.clone())?;
    session.check_provider_named(context)?;
    let migration = Migration::new(context, args, &session, read)?;
    let reading = migration.remaining();
    let shown = signals.or_interrupted(reading).await??;
    if shown.is_done() && migration.edits.is_empty() {
        migration.print(&shown, false);
        return Ok(Exit::Done);
    }
    migration.propose(&shown);
    if !args.auto_approve && !migration.confirm(&mut signals).await? {
        context.ui.say("nothing was changed");
        return Ok(Exit::Refused);
    }
    let moved = migration.move_locked(&mut signals).await?;
    migration.print(&moved, true);
    Ok(Exit::Done)
}

struct Migration<'a> {
    context: &'a Context<'a>,
    args: &'a MigrateArgs,
    session: &'a Session,
    old: Side,
    new: Side,
    /// Of aeroform.toml; none if it names the new place.
    edits: FileEdits,
}

impl<'a> Migration<'a> {
    fn new(
        context: &'a Context<'_>,
        args: &'a MigrateArgs,
        session: &'a Session,
        read: Manifests,
    ) -> Result<Self, Failure> {
        let (project, app) = (session.project(), &session.desired.app);
        let side = |(place, location)| {
            let store = store_at(context, project, app, &place)?;
            Ok::<_, Failure>(Side {
                place,
                location,
                store,
            })
        };
        let written = read.loaded.settings.state_location(app);
        let new = side(StatePlace::typed(project, app, &args.to)?)?;
        let old = side(match &args.from {
            Some(from) => StatePlace::typed(project, app, from)?,
            None => (
                StatePlace::of(project, app, &read.loaded.settings)?,
                written.clone(),
            ),
        })?;
        let edits = if written == new.location {
            FileEdits::default()
        } else {
            let beginning = init::head(&session.desired, &read.fly_path);
            let edit = Edit::State(new.location.clone());
            let edited = read.with_edits(&session.desired, &[edit], &beginning);
            let by_hand = |error| {
                edit_error(context.ui, error).hint(format!(
                    "make this edit by hand, then run `{} state migrate --from {} --to {}`",
                    context.global.program(),
                    shell_word(old.name()),
                    shell_word(new.name())
                ))
            };
            edited.map_err(by_hand)?.1
        };
        Ok(Self {
            context,
            args,
            session,
            old,
            new,
            edits,
        })
    }

    /// Reads both places.
    async fn remaining(&self) -> Result<Remaining, Failure> {
        let app = &self.session.desired.app;
        let there = self.new.store.read().await?;
        let target = there
            .text
            .as_deref()
            .map(|text| (text, state::read(text, app)));
        if self.old.place.is_same(&self.new.place) {
            return self.remaining_of_same(target);
        }
        let here = self.old.store.read().await?;
        let Some(text) = here.text else {
            // Before the first apply, or with a state that is in its new place only.
            let state = match target {
                None => None,
                Some((text, Ok(known))) => Some(Moving::new(text, known)),
                Some((_, Err(error))) => return Err(self.new.refused(&error)),
            };
            return Ok(Remaining::nothing(state));
        };
        let known = match state::read(&text, app) {
            Ok(known) => known,
            Err(StateError::Moved { moved, .. }) if moved.to == self.new.name() => {
                return self.remaining_after_record(&moved, target);
            }
            Err(error) => return Err(self.old.refused(&error)),
        };
        let state = Moving::new(&text, known);
        let is_there = match target {
            None => false,
            Some((text, _)) if text == state.text => true,
            Some((_, target)) => {
                self.check_replaceable(&state.known, target)?;
                false
            }
        };
        Ok(Remaining {
            state: Some(state),
            copy_over: (!is_there).then_some(there.version),
            record_over: Some(here.version),
        })
    }

    /// aeroform.toml names the new place already.
    fn remaining_of_same(&self, target: Option<Read<'_>>) -> Result<Remaining, Failure> {
        match target {
            Some((text, Ok(known))) => Ok(Remaining::nothing(Some(Moving::new(text, known)))),
            Some((_, Err(error))) => Err(self.new.refused(&error)),
            None => {
                let place = self.new.store.location();
                let message =
                    format!("aeroform.toml names `{place}` already, and there is no state");
                Err(Failure::new(codes::NO_STATE_FILE, message)
                    .hint("name the place where the state is: `--from state/APP.json`, `--from git+origin`"))
            }
        }
    }

    /// The record is written, and aeroform.toml is not.
    fn remaining_after_record(
        &self,
        moved: &MovedRecord,
        target: Option<Read<'_>>,
    ) -> Result<Remaining, Failure> {
        let place = self.new.store.location();
        match target {
            Some((text, Ok(known)))
                if known.lineage == moved.lineage && known.serial >= moved.serial =>
            {
                Ok(Remaining::nothing(Some(Moving::new(text, known))))
            }
            Some((_, Err(error))) => Err(self.new.refused(&error)),
            Some((_, Ok(known))) => Err(self.not_empty(&known, "that is not the moved state")),
            None => {
                let message = format!(
                    "`{}` says that its state was moved to `{place}`, and there is none",
                    self.old.store.location()
                );
                Err(Failure::new(codes::NO_STATE_FILE, message).hint(
                    "restore one of the two from version control: the old place as it was before, or the new one",
                ))
            }
        }
    }

    /// Refuses a state that this one does not follow.
    fn check_replaceable(
        &self,
        ours: &Known,
        target: Result<Known, StateError>,
    ) -> Result<(), Failure> {
        let there = match target {
            Ok(there) => there,
            // The state comes back to where it was.
            Err(StateError::Moved { moved, .. })
                if moved.lineage == ours.lineage && moved.serial <= ours.serial =>
            {
                return Ok(());
            }
            Err(error) => return Err(self.new.refused(&error)),
        };
        if there.lineage != ours.lineage {
            return Err(self.not_empty(&there, "it is of another lineage"));
        }
        if there.serial >= ours.serial {
            return Err(self.not_empty(&there, &format!("this one has serial {}", ours.serial)));
        }
        match missing_run(ours, &there) {
            None => Ok(()),
            Some(run) => {
                let commit = run.commit.as_deref().map(short_commit);
                let commit = commit.map_or(String::new(), |commit| format!(" of commit {commit}"));
                let why = format!(
                    "this one does not list its run {}{commit} by {}",
                    run.run, run.by
                );
                Err(self.not_empty(&there, &why))
            }
        }
    }

    fn not_empty(&self, there: &Known, why: &str) -> Failure {
        let place = self.new.store.location();
        let message = format!("cannot move the state to `{place}`: another state is there");
        let lineage = there.lineage.as_ref();
        let lineage = lineage.map_or(String::new(), |lineage| format!(" of lineage {lineage}"));
        Failure::new(codes::STATE_THERE, message)
            .cause(format!("it has serial {}{lineage}; {why}", there.serial))
            .hint(
                "name another file or branch; to use the state that is there, name its place in `[state]` of \
                 aeroform.toml",
            )
    }

    fn propose(&self, remaining: &Remaining) {
        let view = self.view(remaining);
        let edits = self.edits.to_view();
        let ui = self.context.ui;
        let output = CommandOutput::StateMove {
            view: &view,
            edits: &edits,
        };
        formats::print(ui, output);
        if ui.format().is_for_programs() && ui.streams().can_ask() && !self.args.auto_approve {
            views::write_stderr(ui, |style, text| {
                terminal::state_move(&view, style, text)?;
                terminal::edits(&edits, style, text)
            });
        }
    }

    fn view(&self, remaining: &Remaining) -> StateMove {
        let known = remaining.state.as_ref().map(|state| &state.known);
        StateMove {
            app: self.session.desired.app.clone(),
            from: self.old.store.location(),
            to: self.new.store.location(),
            target: match &self.new.place {
                StatePlace::File(_) => None,
                StatePlace::Git(address) => {
                    Some(format!("branch {}, file {}", address.branch, address.path))
                }
            },
            serial: known.map(|known| known.serial),
            lineage: known.and_then(|known| known.lineage.clone()),
        }
    }

    async fn confirm(&self, signals: &mut Signals) -> Result<bool, Failure> {
        let ui = self.context.ui;
        if ui.streams().can_ask() {
            return prompt::yes_or_no(ui, signals, "Move the state?").await;
        }
        let message =
            "moving the state needs approval and stdin is not a terminal; nothing was changed";
        let failure = Failure::new(codes::CONSENT_NEEDED, message);
        Err(failure.hint("check both places, then add `--auto-approve`"))
    }

    /// Takes the locks and moves it.
    async fn move_locked(&self, signals: &mut Signals) -> Result<Remaining, Failure> {
        let context = self.context;
        let me = Holder {
            run: Some(context.env.new_run_id().to_string()),
            ..lock::holder(context, "state migrate", None)
        };
        let lock = self.lock(signals, &me, &*self.old.store).await?;
        let moved = self.move_in(signals, &me).await;
        let released = lock.release().await;
        let moved = moved?;
        released?;
        Ok(moved)
    }

    async fn lock(
        &self,
        signals: &mut Signals,
        me: &Holder,
        store: &dyn StateStore,
    ) -> Result<Box<dyn StateLock>, Failure> {
        let patience = self.args.lock_timeout;
        let patience = patience.unwrap_or_else(|| store.default_lock_patience());
        lock::lock_state(self.context.ui, signals, store, me, patience).await
    }

    /// Under the lock of the old place. Two places of one remote have one lock.
    async fn move_in(&self, signals: &mut Signals, me: &Holder) -> Result<Remaining, Failure> {
        let store = &*self.new.store;
        let is_ours = match store.holder().await? {
            LockStatus::Held(Some(holder)) => holder == *me,
            LockStatus::Held(None) | LockStatus::Free => false,
        };
        if is_ours {
            // The same place under another name: a link, or another URL of the remote.
            if self.old.place.is_same_file(&self.new.place) {
                let message = format!(
                    "`{}` and `{}` are the same place",
                    self.old.store.location(),
                    store.location()
                );
                return Err(Failure::new(codes::STATE_THERE, message).hint(
                    "write its new name in `[state]` of aeroform.toml; the state stays where it is",
                ));
            }
            return self.move_now().await;
        }
        let lock = self.lock(signals, me, store).await?;
        let moved = self.move_now().await;
        let released = lock.release().await;
        let moved = moved?;
        released?;
        Ok(moved)
    }

    /// Under both locks.
    async fn move_now(&self) -> Result<Remaining, Failure> {
        let (old, new) = (&*self.old.store, &*self.new.store);
        new.can_write().await?;
        let remaining = self.remaining().await?;
        if remaining.record_over.is_some() {
            old.can_write().await?;
        }
        self.context.ui.mark_changing();
        if let (Some(state), Some(version)) = (&remaining.state, &remaining.copy_over) {
            let what = format!("moved from {}", self.old.name());
            let note = state_note(&state.known, &what);
            new.write(&state.text, version, &note).await?;
        }
        if let (Some(state), Some(version)) = (&remaining.state, &remaining.record_over) {
            let env = self.context.env;
            let moved = MovedRecord {
                to: self.new.name().to_owned(),
                at: env.now(),
                by: env.user(),
                lineage: state.known.lineage.clone(),
                serial: state.known.serial,
            };
            let text = state::write_moved(&state.known, &state.digest, &moved);
            let note = state_note(&state.known, &format!("moved to {}", self.new.name()));
            let written = old.write(&text, version, &note).await;
            written.map_err(|error| {
                let what = "the state is copied, and the old place still counts";
                Failure::from(error).cause(what).hint(AGAIN)
            })?;
        }
        self.edits.write().map_err(|failure| {
            let place = new.location();
            failure
                .cause(format!(
                    "the state is at `{place}`, and aeroform.toml does not name it"
                ))
                .hint(AGAIN)
        })?;
        Ok(remaining)
    }

    /// What is to be committed: files that git does not ignore.
    fn to_commit(&self, remaining: &Remaining) -> Vec<String> {
        let project = self.session.project();
        if !project.root().join(".git").exists() {
            return Vec::new();
        }
        let files = self.edits.to_view();
        let mut names: Vec<String> = files.into_iter().map(|file| file.path).collect();
        if remaining.state.is_some() {
            for side in [&self.old, &self.new] {
                match &side.place {
                    StatePlace::File(path) if path.exists() && !project.is_ignored(path) => {
                        names.push(path.display().to_string());
                    }
                    StatePlace::File(_) | StatePlace::Git(_) => {}
                }
            }
        }
        names
    }

    fn print(&self, remaining: &Remaining, moved: bool) {
        let view = self.view(remaining);
        let commit = if moved {
            self.to_commit(remaining)
        } else {
            Vec::new()
        };
        formats::print(
            self.context.ui,
            CommandOutput::StateMoved {
                view: &view,
                moved,
                commit: &commit,
            },
        );
    }
}

/// What to do after a step that failed.
const AGAIN: &str = "run the same command again: it continues here";

/// A text, and what it says.
type Read<'t> = (&'t str, Result<Known, StateError>);

impl Side {
    /// As aeroform.toml says it.
    fn name(&self) -> &str {
        match &self.location {
            StateLocation::Path(text) | StateLocation::Url(text) => text,
        }
    }

    fn refused(&self, error: &StateError) -> Failure {
        Failure::of_state(error, &self.store.location())
    }
}

impl Moving {
    /// The bytes stay, so that the next state names the same parent; but no secret in clear is copied.
    fn new(text: &str, known: Known) -> Self {
        let digest = state::digest(text);
        let text = if known.configs_with_cleartext == 0 {
            text.to_owned()
        } else {
            state::write(&known)
        };
        Self {
            known,
            text,
            digest,
        }
    }
}

impl Remaining {
    fn nothing(state: Option<Moving>) -> Self {
        Self {
            state,
            copy_over: None,
            record_over: None,
        }
    }

    fn is_done(&self) -> bool {
        self.copy_over.is_none() && self.record_over.is_none()
    }
}
