//! The clauses: each a sentence and its check.

use std::time::Duration;

use serde_json::Value;

use super::{Clause, ContractContext, Verdict, ensure};
use aeroform::core::fleet::{
    Call, Machine, MachineConfig, MachineId, MachineState, Stamps, WaitUntil, normalise,
};
use aeroform::provider::{ErrorClass, LogQuery, LogScope, ProviderError};

/// Every clause.
pub(super) const ALL: &[(&str, Clause)] = &[
    ("describe gives one scope per app, always the same", |s| {
        Box::pin(scopes(s))
    }),
    (
        "a created Machine has the requested config, by id and in the list",
        |s| Box::pin(created(s)),
    ),
    (
        "a second Machine of one name is a conflict and is not made",
        |s| Box::pin(one_name(s)),
    ),
    (
        "of two creates of one name at the same time one wins",
        |s| Box::pin(name_race(s)),
    ),
    (
        "a Machine created without launch stays stopped until it is started",
        |s| Box::pin(skip_launch(s)),
    ),
    (
        "an update changes config, group and instance and nothing else",
        |s| Box::pin(updated(s)),
    ),
    (
        "an update of another instance is a conflict and changes nothing",
        |s| Box::pin(stale_update(s)),
    ),
    ("an update without launch leaves a Machine stopped", |s| {
        Box::pin(update_stopped(s))
    }),
    (
        "stop and start keep the instance and can be repeated",
        |s| Box::pin(stop_and_start(s)),
    ),
    (
        "a restart is of a Machine that runs and keeps the instance",
        |s| Box::pin(restart(s)),
    ),
    (
        "a suspend ends suspended, or is refused and changes nothing",
        |s| Box::pin(suspend(s)),
    ),
    ("only a stopped Machine is destroyed without force", |s| {
        Box::pin(destroy(s))
    }),
    ("a destroy with force ends a running Machine", |s| {
        Box::pin(destroy_by_force(s))
    }),
    (
        "every question about a Machine that there is not is not found",
        |s| Box::pin(not_found(s)),
    ),
    ("a stamp changes the stamps and restarts nothing", |s| {
        Box::pin(stamped(s))
    }),
    (
        "a Machine is created cordoned on request, and cordon and uncordon are shown and restart nothing",
        |s| Box::pin(cordoned(s)),
    ),
    (
        "the mark of a swap comes by a create or a stamp and goes with an update without it",
        |s| Box::pin(swap_mark(s)),
    ),
    ("a wait that is not fulfilled ends as transient", |s| {
        Box::pin(wait_in_vain(s))
    }),
    ("unknown fields are kept", |s| Box::pin(carried(s))),
    (
        "a volume is created as requested and belongs to one Machine at a time",
        |s| Box::pin(volumes(s)),
    ),
    (
        "logs without follow end, and stop when the sink has enough",
        |s| Box::pin(logs(s)),
    ),
];

async fn scopes(s: &ContractContext<'_>) -> Verdict {
    let text = |error: ProviderError| format!("describe failed: {error}");
    let first = s.provider.describe(&s.app).await.map_err(text)?;
    s.started("web-a").await?;
    let second = s.provider.describe(&s.app).await.map_err(text)?;
    let other = s.provider.describe(&s.other).await.map_err(text)?;
    ensure(first.scope == second.scope, "the scope changed")?;
    ensure(first.scope != other.scope, "two apps share a scope")?;
    ensure(first.machine_count == Some(0), "a new app has Machines")?;
    ensure(
        second.machine_count == Some(1),
        "one Machine is not counted as one",
    )?;
    ensure(
        other.machine_count == Some(0),
        "a Machine counts for another app",
    )
}

async fn created(s: &ContractContext<'_>) -> Verdict {
    let call = s.create_call("web-a");
    let result = s.create(call.clone()).await?;
    let found = s.wait(&result.id, WaitUntil::Started).await?;
    ensure(found.state == MachineState::Started, "it is not started")?;
    ensure(found.name == call.name, "another name")?;
    ensure(found.group.as_ref() == Some(&call.group), "another group")?;
    ensure(found.region == call.region, "another region")?;
    ensure(found.stamps == call.stamps, "other stamps")?;
    ensure(
        call.port.is_none() || found.port == call.port,
        "another port",
    )?;
    ensure(!found.instance.is_empty(), "no instance")?;
    ensure(has(&found, &call.config), "another config")?;
    let listed = s.list().await?;
    ensure(
        listed.len() == 1 && listed[0].id == found.id && listed[0].config == found.config,
        "the list says something else",
    )
}

/// Whether a Machine shows the sent config; a platform may add defaults.
fn has(machine: &Machine, sent: &MachineConfig) -> bool {
    fn is_in(shown: &Value, sent: &Value) -> bool {
        match (shown, sent) {
            (Value::Object(shown), Value::Object(sent)) => sent
                .iter()
                .all(|(key, sent)| shown.get(key).is_some_and(|shown| is_in(shown, sent))),
            (Value::Array(shown), Value::Array(sent)) => {
                shown.len() == sent.len()
                    && shown
                        .iter()
                        .zip(sent)
                        .all(|(shown, sent)| is_in(shown, sent))
            }
            _ => shown == sent,
        }
    }
    let shown = machine.config.as_deref().map(normalise::normalise_config);
    shown.is_some_and(|shown| is_in(&shown, &normalise::normalise_config(sent)))
}

async fn one_name(s: &ContractContext<'_>) -> Verdict {
    s.create(s.create_call("web-a")).await?;
    let again = s.call(Call::Create(Box::new(s.create_call("web-a")))).await;
    refused(again, &ErrorClass::Conflict)?;
    ensure(s.list().await?.len() == 1, "it was made all the same")
}

async fn name_race(s: &ContractContext<'_>) -> Verdict {
    let create = || s.call(Call::Create(Box::new(s.create_call("web-a"))));
    let (one, two) = futures_util::future::join(create(), create()).await;
    ensure(one.is_ok() != two.is_ok(), "not exactly one of them won")?;
    refused(if one.is_ok() { two } else { one }, &ErrorClass::Conflict)?;
    ensure(s.list().await?.len() == 1, "there is not exactly one")
}

async fn skip_launch(s: &ContractContext<'_>) -> Verdict {
    let mut call = s.create_call("web-a");
    call.skip_launch = true;
    let id = s.create(call).await?.id;
    let at_rest = s.wait(&id, WaitUntil::Settled).await?;
    ensure(at_rest.state == MachineState::Stopped, "it is not stopped")?;
    s.expect_ok(Call::Start { id: id.clone() }).await?;
    s.wait(&id, WaitUntil::Started).await.map(drop)
}

async fn updated(s: &ContractContext<'_>) -> Verdict {
    let before = s.started("web-a").await?;
    let call = s.update_call(&before);
    s.expect_ok(Call::Update(Box::new(call.clone()))).await?;
    let after = s.wait(&before.id, WaitUntil::Started).await?;
    ensure(after.instance != before.instance, "the same instance")?;
    ensure(after.group.as_ref() == Some(&call.group), "another group")?;
    ensure(after.stamps == call.stamps, "other stamps")?;
    ensure(has(&after, &call.config), "another config")?;
    ensure(
        after.name == before.name && after.region == before.region && after.port == before.port,
        "name, region or port changed",
    )?;
    ensure(s.list().await?.len() == 1, "there is another Machine now")
}

async fn stale_update(s: &ContractContext<'_>) -> Verdict {
    let first = s.started("web-a").await?;
    let call = s.update_call(&first);
    s.expect_ok(Call::Update(Box::new(call.clone()))).await?;
    let second = s.wait(&first.id, WaitUntil::Started).await?;
    let again = s.call(Call::Update(Box::new(call))).await;
    refused(again, &ErrorClass::Conflict)?;
    let now = s.get(&first.id).await?;
    ensure(now.instance == second.instance, "it changed all the same")
}

async fn update_stopped(s: &ContractContext<'_>) -> Verdict {
    let machine = s.started("web-a").await?;
    let id = machine.id.clone();
    s.expect_ok(Call::Stop { id: id.clone() }).await?;
    s.wait(&id, WaitUntil::Stopped).await?;
    let mut call = s.update_call(&machine);
    call.skip_launch = true;
    s.expect_ok(Call::Update(Box::new(call))).await?;
    let after = s.wait(&id, WaitUntil::Settled).await?;
    ensure(after.state == MachineState::Stopped, "it was started")?;
    ensure(after.instance != machine.instance, "it was not updated")
}

async fn stop_and_start(s: &ContractContext<'_>) -> Verdict {
    let machine = s.started("web-a").await?;
    let id = machine.id;
    for _ in 0..2 {
        s.expect_ok(Call::Stop { id: id.clone() }).await?;
        s.wait(&id, WaitUntil::Stopped).await?;
    }
    for _ in 0..2 {
        s.expect_ok(Call::Start { id: id.clone() }).await?;
        let now = s.wait(&id, WaitUntil::Started).await?;
        ensure(now.instance == machine.instance, "another instance")?;
    }
    Ok(())
}

async fn restart(s: &ContractContext<'_>) -> Verdict {
    let machine = s.started("web-a").await?;
    let id = machine.id;
    s.expect_ok(Call::Restart { id: id.clone() }).await?;
    let now = s.wait(&id, WaitUntil::Started).await?;
    ensure(now.instance == machine.instance, "another instance")?;
    s.expect_ok(Call::Stop { id: id.clone() }).await?;
    s.wait(&id, WaitUntil::Stopped).await?;
    let refused = s.call(Call::Restart { id: id.clone() }).await;
    ensure(refused.is_err(), "a stopped Machine was restarted")?;
    let still = s.get(&id).await?;
    ensure(still.state == MachineState::Stopped, "it runs")
}

async fn suspend(s: &ContractContext<'_>) -> Verdict {
    let machine = s.started("web-a").await?;
    let id = machine.id;
    if let Err(error) = s.call(Call::Suspend { id: id.clone() }).await {
        ensure(error.class == ErrorClass::Invalid, "another class")?;
        let still = s.get(&id).await?;
        return ensure(still.state == MachineState::Started, "it runs no more");
    }
    let now = s.wait(&id, WaitUntil::Stopped).await?;
    ensure(now.state == MachineState::Suspended, "it is not suspended")?;
    s.expect_ok(Call::Start { id: id.clone() }).await?;
    let now = s.wait(&id, WaitUntil::Started).await?;
    ensure(now.instance == machine.instance, "another instance")
}

async fn destroy(s: &ContractContext<'_>) -> Verdict {
    let id = s.started("web-a").await?.id;
    let force = false;
    let running = s
        .call(Call::Destroy {
            id: id.clone(),
            force,
        })
        .await;
    refused(running, &ErrorClass::Invalid)?;
    let still = s.get(&id).await?;
    ensure(still.state == MachineState::Started, "it runs no more")?;
    s.expect_ok(Call::Stop { id: id.clone() }).await?;
    s.wait(&id, WaitUntil::Stopped).await?;
    s.expect_ok(Call::Destroy {
        id: id.clone(),
        force,
    })
    .await?;
    is_gone(s, &id).await
}

async fn destroy_by_force(s: &ContractContext<'_>) -> Verdict {
    let id = s.started("web-a").await?.id;
    let force = true;
    s.expect_ok(Call::Destroy {
        id: id.clone(),
        force,
    })
    .await?;
    is_gone(s, &id).await
}

async fn is_gone(s: &ContractContext<'_>, id: &MachineId) -> Verdict {
    let last = s.wait(id, WaitUntil::Destroyed).await?;
    ensure(last.state == MachineState::Destroyed, "it is not destroyed")?;
    match s.provider.get(&s.app, id).await {
        Ok(machine) => ensure(machine.state.is_gone(), "get still finds it")?,
        Err(error) => ensure(error.class == ErrorClass::NotFound, "get fails otherwise")?,
    }
    ensure(s.list().await?.is_empty(), "the list still has it")
}

async fn not_found(s: &ContractContext<'_>) -> Verdict {
    let id = MachineId::new("0000deadbeef00").expect("a valid id");
    let stamps = Stamps::default();
    let calls = [
        Call::Start { id: id.clone() },
        Call::Stop { id: id.clone() },
        Call::Destroy {
            id: id.clone(),
            force: true,
        },
        Call::Stamp {
            id: id.clone(),
            stamps,
        },
    ];
    for call in calls {
        let action = call.action();
        let result = s.call(call).await;
        refused(result, &ErrorClass::NotFound).map_err(|what| format!("{action}: {what}"))?;
    }
    let got = s.provider.get(&s.app, &id).await.map(Some);
    refused(got, &ErrorClass::NotFound)?;
    let waited = s
        .provider
        .wait(&s.app, &id, WaitUntil::Started, super::PATIENCE);
    refused(waited.await.map(Some), &ErrorClass::NotFound)?;
    s.wait(&id, WaitUntil::Destroyed).await.map(drop)
}

async fn stamped(s: &ContractContext<'_>) -> Verdict {
    let before = s.started("web-a").await?;
    let stamps = Stamps {
        commit: Some("c0ffee".to_owned()),
        ..Stamps::default()
    };
    let id = before.id.clone();
    s.expect_ok(Call::Stamp {
        id: id.clone(),
        stamps: stamps.clone(),
    })
    .await?;
    let after = s.get(&id).await?;
    ensure(after.stamps == stamps, "the stamps are not there")?;
    ensure(
        after.instance == before.instance && after.pid == before.pid,
        "it was restarted",
    )
}

async fn cordoned(s: &ContractContext<'_>) -> Verdict {
    let mut call = s.create_call("web-a");
    call.cordoned = true;
    let id = s.create(call).await?.id;
    let before = s.wait(&id, WaitUntil::Started).await?;
    ensure(before.cordoned, "it is not cordoned")?;
    // Each call twice: a repeated one changes nothing.
    let calls = [
        (Call::Uncordon { id: id.clone() }, false),
        (Call::Cordon { id: id.clone() }, true),
    ];
    for (call, cordoned) in calls {
        for _ in 0..2 {
            s.expect_ok(call.clone()).await?;
            let after = s.get(&id).await?;
            let action = call.action();
            ensure(
                after.cordoned == cordoned,
                &format!("{action} is not shown"),
            )?;
            ensure(
                after.instance == before.instance && after.pid == before.pid,
                &format!("{action} restarted it"),
            )?;
            let listed = s.list().await?;
            ensure(
                listed.len() == 1 && listed[0].cordoned == cordoned,
                "the list says something else",
            )?;
        }
    }
    let update = s.update_call(&before);
    s.expect_ok(Call::Update(Box::new(update))).await?;
    let after = s.wait(&id, WaitUntil::Started).await?;
    ensure(after.cordoned, "an update uncordons it")
}

async fn swap_mark(s: &ContractContext<'_>) -> Verdict {
    let mut call = s.create_call("web-a");
    call.stamps.swap = Some("t1".to_owned());
    let mut stamps = call.stamps.clone();
    let id = s.create(call).await?.id;
    let before = s.wait(&id, WaitUntil::Started).await?;
    ensure(before.stamps == stamps, "the create's mark is not there")?;
    stamps.swap = Some(Stamps::SAFE_TO_DESTROY.to_owned());
    let stamp = Call::Stamp {
        id: id.clone(),
        stamps: stamps.clone(),
    };
    s.expect_ok(stamp).await?;
    let now = s.get(&id).await?;
    ensure(now.stamps == stamps, "the stamp's mark is not there")?;
    ensure(
        now.instance == before.instance && now.pid == before.pid,
        "it was restarted",
    )?;
    let call = s.update_call(&now);
    s.expect_ok(Call::Update(Box::new(call.clone()))).await?;
    let after = s.wait(&id, WaitUntil::Started).await?;
    ensure(after.stamps == call.stamps, "the mark stays")
}

async fn wait_in_vain(s: &ContractContext<'_>) -> Verdict {
    let id = s.started("web-a").await?.id;
    let short = Duration::from_millis(50);
    let waited = s
        .provider
        .wait(&s.app, &id, WaitUntil::Stopped, short)
        .await;
    refused(waited.map(Some), &ErrorClass::Transient)
}

async fn carried(s: &ContractContext<'_>) -> Verdict {
    let mut call = s.create_call("web-a");
    let unknown = (
        "aeroform_contract".to_owned(),
        serde_json::json!({ "a": [1] }),
    );
    call.config.other.extend([unknown.clone()]);
    let id = s.create(call).await?.id;
    let config = s.get(&id).await?.config.unwrap_or_default();
    ensure(
        config.other.get(&unknown.0) == Some(&unknown.1),
        "an unknown field is lost",
    )
}

async fn volumes(s: &ContractContext<'_>) -> Verdict {
    let text = |error: ProviderError| format!("describe failed: {error}");
    let described = s.provider.describe(&s.app).await.map_err(text)?;
    let call = ContractContext::volume_call();
    let create = Call::CreateVolume(Box::new(call.clone()));
    let result = s.provider.call(&s.app, &create).await;
    if !described.capabilities.volumes {
        ensure(result.is_err(), "a provider without volumes made one")?;
        return ensure(s.volumes().await?.is_empty(), "it lists a volume");
    }
    let receipt = result.map_err(|error| format!("create-volume failed: {error}"))?;
    let volume = receipt
        .volume
        .ok_or("a create answered without the volume")?;
    ensure(volume.name == call.name, "another name")?;
    ensure(volume.region == call.region, "another region")?;
    ensure(volume.size_gb == call.size_gb, "another size")?;
    ensure(volume.encrypted, "not encrypted")?;
    ensure(volume.attached_to.is_none(), "a Machine has it already")?;
    ensure(s.volumes().await? == [volume.clone()], "the list differs")?;
    let first = s.create(s.mounting("web-a", &volume)).await?;
    ensure(first.volumes == [volume.id.clone()], "the Machine lacks it")?;
    let holder = s.volumes().await?.pop().and_then(|v| v.attached_to);
    ensure(holder.as_ref() == Some(&first.id), "the list has no holder")?;
    let again = Call::Create(Box::new(s.mounting("web-b", &volume)));
    refused(s.call(again).await, &ErrorClass::Conflict)?;
    let id = first.id;
    s.wait(&id, WaitUntil::Started).await?;
    let gone = Call::Destroy {
        id: id.clone(),
        force: true,
    };
    s.expect_ok(gone).await?;
    s.wait(&id, WaitUntil::Destroyed).await?;
    ensure(s.volumes().await? == [volume], "it went with its Machine")
}

async fn logs(s: &ContractContext<'_>) -> Verdict {
    let id = s.started("web-a").await?.id;
    let query = |of| LogQuery {
        known_machines: std::collections::BTreeSet::new(),
        scope: of,
        follow: false,
        tail: Some(2),
    };
    for of in [LogScope::App, LogScope::Machine(id.clone())] {
        let mut lines = Vec::new();
        let mut sink = |line| {
            lines.push(line);
            true
        };
        let sent = s.provider.logs(&s.app, &query(of), &mut sink).await;
        sent.map_err(|error| format!("logs failed: {error}"))?;
        ensure(lines.len() <= 2, "more lines than the tail")?;
        ensure(
            lines.iter().all(|line| line.machine == id),
            "a line of another Machine",
        )?;
    }
    Ok(())
}

fn refused<T>(result: Result<Option<T>, ProviderError>, class: &ErrorClass) -> Verdict {
    match result {
        Ok(_) => Err("it was not refused".to_owned()),
        Err(error) if error.class == *class => Ok(()),
        Err(error) => Err(format!("refused as {:?}: {error}", error.class)),
    }
}
