//! Machine events in place of logs, which another service stores.

use std::time::Duration;

use serde_json::Value;

use super::client::ApiRequest;
use super::codes;
use super::provider::{FlyProvider, machines_path};
use super::transport::{Method, Transport};
use crate::core::fleet::{AppName, GroupName, MachineId};
use crate::provider::{ErrorClass, LogLine, LogQuery, LogScope, LogSink, ProviderError};

impl<T: Transport> FlyProvider<T> {
    pub(super) async fn send_machine_events(
        &self,
        app: &AppName,
        query: &LogQuery,
        sink: &mut LogSink<'_>,
    ) -> Result<(), ProviderError> {
        if query.follow {
            let message = "the Machines API cannot stream logs";
            let error = ProviderError::new(ErrorClass::Invalid, codes::LOGS_ELSEWHERE, message);
            return Err(error.hint(format!("use `fly logs -a {app}`")));
        }
        let list = ApiRequest::new(Method::Get, machines_path(app));
        let shown: Vec<Value> = self.client.call_machines_api(list).await?.parse()?;
        let mut lines: Vec<LogLine> = shown
            .iter()
            .filter(|machine| is_in_scope(machine, &query.scope))
            .flat_map(machine_log_lines)
            .collect();
        lines.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.machine.cmp(&b.machine)));
        let skipped = query
            .tail
            .map_or(0, |tail| lines.len().saturating_sub(tail));
        for line in lines.into_iter().skip(skipped) {
            if !sink(line) {
                break;
            }
        }
        Ok(())
    }
}

fn group(shown: &Value) -> Option<GroupName> {
    let name = shown.pointer("/config/metadata/fly_process_group")?;
    GroupName::new(name.as_str()?).ok()
}

fn is_in_scope(shown: &Value, of: &LogScope) -> bool {
    match of {
        LogScope::App => true,
        LogScope::Group(name) => group(shown).as_ref() == Some(name),
        LogScope::Machine(id) => shown.get("id").and_then(Value::as_str) == Some(id.as_str()),
    }
}

fn machine_log_lines(shown: &Value) -> Vec<LogLine> {
    let id = shown.get("id").and_then(Value::as_str);
    let Some(machine) = id.and_then(|id| MachineId::new(id).ok()) else {
        return Vec::new();
    };
    let events = shown.get("events").and_then(Value::as_array);
    let line = |event: &Value| {
        let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default();
        let millis = event.get("timestamp").and_then(Value::as_u64)?;
        Some(LogLine {
            machine: machine.clone(),
            group: group(shown),
            at: format_timestamp(Duration::from_millis(millis)),
            text: format!(
                "{} {} ({}){}",
                text("type"),
                text("status"),
                text("source"),
                exit(event)
            ),
        })
    };
    events.into_iter().flatten().filter_map(line).collect()
}

fn exit(event: &Value) -> String {
    let nested = event.pointer("/request/MonitorEvent/exit_event");
    let exit = nested.or_else(|| event.pointer("/request/exit_event"));
    let Some(exit) = exit else {
        return String::new();
    };
    let code = exit.get("exit_code").and_then(Value::as_i64).unwrap_or(0);
    let yes = |key: &str| exit.get(key) == Some(&Value::Bool(true));
    let why = match (yes("oom_killed"), yes("requested_stop")) {
        (true, _) => ", out of memory",
        (false, true) => ", as requested",
        (false, false) => "",
    };
    format!(": exit code {code}{why}")
}

fn format_timestamp(since: Duration) -> String {
    let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    let moment = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    format!("{moment:.3}")
}
