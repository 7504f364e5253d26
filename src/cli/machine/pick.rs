//! Which Machine is meant, where none was named: asked on a terminal, listed elsewhere.

use super::super::session::Session;
use super::super::{Context, codes};
use crate::core::fleet::Management;
use crate::core::view::{StatusView, escape};
use crate::observe::observe;
use crate::ui::prompt::{self, Choice};
use crate::ui::{Failure, Signals};

/// The names that were typed, or the one that a person chooses now.
pub(super) async fn or_ask(
    context: &Context<'_>,
    typed: &[String],
    verb: &str,
) -> Result<Vec<String>, Failure> {
    if !typed.is_empty() {
        return Ok(typed.to_vec());
    }
    let ui = context.ui;
    let mut signals = Signals::listen()?;
    let session = Session::open_asking(context).await?;
    let provider = session.provider(context)?;
    let look = async {
        let known = session.remember().await?.known;
        let observed = observe(&*provider, &session.desired.app, &known).await?;
        Ok::<_, Failure>((known, observed))
    };
    let (known, observed) = signals.or_interrupted(look).await??;
    let view = StatusView::of(provider.name(), None, Some(&known), &observed);
    let choices: Vec<Choice> = view
        .machines
        .iter()
        .filter(|machine| matches!(machine.management, Management::Ours | Management::Launch))
        .map(|machine| Choice {
            value: machine.id.to_string(),
            about: format!(
                "{}  {}  {}{}",
                machine.group.as_ref().map_or("of no group", |g| g.as_str()),
                machine.region,
                machine.state.as_str(),
                if machine.standby { "  † standby" } else { "" }
            ),
        })
        .collect();
    if choices.is_empty() {
        return Err(Failure::new(
            codes::NO_MACHINE_NAMED,
            "no Machine is named, and there is none",
        )
        .hint("`aeroform plan` shows what an apply would create"));
    }
    if ui.json() || !ui.streams().can_ask() {
        let failure = Failure::new(codes::NO_MACHINE_NAMED, "no Machine is named");
        let failure = choices.iter().fold(failure, |failure, choice| {
            failure.cause(escape::safe(&format!("{}  {}", choice.value, choice.about)))
        });
        return Err(failure.hint(format!("name one of these: `aeroform machine {verb} ID`")));
    }
    let question = format!("Which Machine to {verb}?");
    let chosen = prompt::choose(ui, &mut signals, &question, &choices).await?;
    Ok(vec![chosen])
}
