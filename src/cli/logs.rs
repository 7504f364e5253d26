//! `aeroform logs`: prints the logs of Machines.

use super::Context;
use super::args::LogsArgs;
use super::codes;
use super::formats::{self, CommandOutput};
use super::session::Session;
use crate::core::fleet::{AppName, GroupName, Known, MachineId};
use crate::observe::read_with_retry;
use crate::provider::retry;
use crate::provider::{ErrorClass, LogLine, LogQuery, LogScope, Provider, ProviderError};
use crate::ui::{Exit, Failure, Signals, Ui};

/// Prints lines until the end, a closed pipe or a signal.
pub(super) async fn run(context: &Context<'_>, args: &LogsArgs) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let session = Session::open_lenient_online(context).await?;
    let provider = session.provider(context)?;
    let ui = context.ui;
    let read = async {
        let known = session.load_state_or_warn(ui).await;
        let known = known.unwrap_or_else(|| session.empty_state());
        let of = args.of.as_deref().or(args.group.as_deref());
        let of = parse_source(&session, &*provider, &known, of).await?;
        if let LogScope::Machine(id) = &of {
            say_folder(ui, &*provider, &session.desired.app, &known, id).await?;
        }
        let query = LogQuery {
            scope: of,
            known_machines: known.machines.keys().cloned().collect(),
            follow: args.follow,
            tail: args.tail,
        };
        let app = &session.desired.app;
        let mut sink = |line: LogLine| {
            formats::print(ui, CommandOutput::Log(&line));
            ui.accepts_data()
        };
        let read = async || provider.logs(app, &query, &mut sink).await;
        let read = retry::retry(retry::of_rate_limited_read, read, retry::sleep_between).await;
        of_app(&*provider, app, read).await?;
        Ok::<_, Failure>(Exit::Done)
    };
    tokio::select! {
        biased;
        // Ctrl-C is the normal end of `-f`.
        _ = signals.next() => Ok(Exit::Interrupted),
        read = read => read,
    }
}

/// Resolves a desired or known group, otherwise a Machine by id or name.
async fn parse_source(
    session: &Session,
    provider: &dyn Provider,
    known: &Known,
    of: Option<&str>,
) -> Result<LogScope, Failure> {
    let Some(of) = of else {
        return Ok(LogScope::App);
    };
    let group = GroupName::new(of).ok();
    if let Some(group) = &group {
        let remembered = || {
            known
                .machines
                .values()
                .any(|machine| machine.group == *group)
        };
        if session.desired.groups.contains_key(group) || remembered() {
            return Ok(LogScope::Group(group.clone()));
        }
    }
    let app = &session.desired.app;
    let listing = read_with_retry(|| provider.list(app)).await;
    let listing = of_app(provider, app, listing).await?;
    // The Machine may be missing in files and state.
    let is_there = |group: &GroupName| {
        let mut machines = listing.machines.iter();
        machines.any(|machine| machine.group.as_ref() == Some(group))
    };
    if let Some(group) = group.filter(is_there) {
        return Ok(LogScope::Group(group));
    }
    listing
        .machines
        .into_iter()
        .find(|machine| machine.id.as_str() == of || machine.name.as_str() == of)
        .map(|machine| LogScope::Machine(machine.id))
        // The log of a destroyed Machine may still exist.
        .or_else(|| {
            let id = MachineId::new(of).ok()?;
            known
                .machines
                .contains_key(&id)
                .then_some(LogScope::Machine(id))
        })
        .ok_or_else(|| {
            Failure::new(
                codes::NO_SUCH_MACHINE,
                format!("there is no group or Machine `{of}`"),
            )
            .hint("`aeroform status` lists groups and Machines")
        })
}

/// Maps an error of the provider; a missing app gets the app description, which suggests a similar name.
async fn of_app<T>(
    provider: &dyn Provider,
    app: &AppName,
    answer: Result<T, ProviderError>,
) -> Result<T, ProviderError> {
    if matches!(&answer, Err(error) if error.class == ErrorClass::NotFound) {
        read_with_retry(|| provider.describe(app)).await?;
    }
    answer
}

/// Refuses a Machine of another project folder.
async fn say_folder(
    ui: &Ui,
    provider: &dyn Provider,
    app: &AppName,
    known: &Known,
    id: &MachineId,
) -> Result<(), Failure> {
    if known.machines.contains_key(id) {
        return Ok(());
    }
    let Ok(machine) = read_with_retry(|| provider.get(app, id)).await else {
        return Ok(());
    };
    let Some(folder) = &machine.project else {
        return Ok(());
    };
    let described = read_with_retry(|| provider.describe(app)).await?;
    if described.belongs_to_other_project(&machine) {
        ui.warn(&format!(
            "Machine {id} belongs to the project in `{folder}`"
        ));
    }
    Ok(())
}
