//! The checks of a Machine: their targets, and running them.
//!
//! A failing check is reported and restarts nothing, as on the platform.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::http;
use super::record::LocalRecord;
use crate::core::fleet::normalise::parse_duration;
use crate::core::fleet::schema::Check;
use crate::core::fleet::{CheckState, CheckStatus};
use crate::env::Env;

const DEFAULT_INTERVAL: Duration = Duration::from_secs(15);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_GRACE: Duration = Duration::from_secs(1);
/// The interval until the first success after a start, so that a gate need not wait for a full interval.
const STARTUP_INTERVAL: Duration = Duration::from_millis(250);

/// One check with its target.
#[derive(Debug, Clone)]
struct CheckTarget {
    name: String,
    check: Check,
    port: Option<u16>,
    /// The port is the Machine's own port.
    is_own: bool,
}

/// The result of one run of a check.
#[derive(Debug)]
pub(super) struct CheckResult {
    index: usize,
    result: Result<String, String>,
}

/// The checks of one running process; dropping it stops them.
#[derive(Debug)]
pub(super) struct Checks {
    targets: Vec<CheckTarget>,
    since: Instant,
    statuses: Vec<CheckStatus>,
    results: mpsc::Receiver<CheckResult>,
    _tasks: JoinSet<()>,
}

impl Checks {
    /// No checks, for a Machine that is not running.
    pub(super) fn none() -> Self {
        Self::run(Vec::new())
    }

    /// Starts all checks of this Machine.
    pub(super) fn start(record: &LocalRecord) -> Self {
        Self::run(check_targets(record))
    }

    fn run(planned: Vec<CheckTarget>) -> Self {
        let (sender, findings) = mpsc::channel(16);
        let mut tasks = JoinSet::new();
        for (index, one) in planned.iter().cloned().enumerate() {
            tasks.spawn(repeat(index, one, sender.clone()));
        }
        let statuses = planned.iter().map(not_yet_run).collect();
        Self {
            targets: planned,
            since: Instant::now(),
            statuses,
            results: findings,
            _tasks: tasks,
        }
    }

    /// Waits for the next result; forever if there are no checks.
    pub(super) async fn next(&mut self) -> CheckResult {
        match self.results.recv().await {
            Some(result) => result,
            None => std::future::pending().await,
        }
    }

    /// Updates the statuses with a result; returns whether the check passed.
    pub(super) fn apply_result(&mut self, result: CheckResult) -> bool {
        let grace = duration(self.targets[result.index].check.grace_period.as_deref());
        let in_grace = self.since.elapsed() < grace.unwrap_or(DEFAULT_GRACE);
        let status = &mut self.statuses[result.index];
        let passed = result.result.is_ok();
        status.status = match result.result {
            Ok(_) => CheckState::Passing,
            Err(_) if in_grace => CheckState::Warning,
            Err(_) => CheckState::Critical,
        };
        status.output = result.result.unwrap_or_else(|failure| failure);
        status.updated_at = Env::precise_now();
        passed
    }

    pub(super) fn statuses(&self) -> Vec<CheckStatus> {
        self.statuses.clone()
    }
}

fn not_yet_run(planned: &CheckTarget) -> CheckStatus {
    CheckStatus {
        name: planned.name.clone(),
        status: CheckState::Warning,
        output: "has not run yet".to_owned(),
        updated_at: String::new(),
    }
}

/// Top-level checks by name; service checks, which have no name, by what they do. A check of a service's
/// internal port, or without a port, uses the Machine's own port, where its process listens.
fn check_targets(record: &LocalRecord) -> Vec<CheckTarget> {
    let services: Vec<_> = record.config.services.iter().flatten().collect();
    let internal: BTreeSet<u16> = services.iter().filter_map(|s| s.internal_port).collect();
    let mut found: Vec<CheckTarget> = Vec::new();
    for (name, check) in record.config.checks.iter().flatten() {
        let own = check.port.filter(|port| !internal.contains(port));
        found.push(CheckTarget {
            name: name.clone(),
            check: check.clone(),
            port: own.or(record.port).or(check.port),
            is_own: own.is_none() && record.port.is_some(),
        });
    }
    for service in services {
        for check in service.checks.iter().flatten() {
            let port = record.port.or(service.internal_port);
            let name = service_check_name(check, service.internal_port);
            let same = found.iter().filter(|other| other.name == name).count();
            found.push(CheckTarget {
                name: if same == 0 {
                    name
                } else {
                    format!("{name}-{}", same + 1)
                },
                check: check.clone(),
                port,
                is_own: record.port.is_some(),
            });
        }
    }
    found
}

fn service_check_name(check: &Check, port: Option<u16>) -> String {
    let kind = if is_http(check) { "http" } else { "tcp" };
    let port = port.map_or_else(String::new, |port| format!("-{port}"));
    match &check.path {
        Some(path) if is_http(check) => format!("{kind}{port}-{path}"),
        _ => format!("{kind}{port}"),
    }
}

fn is_http(check: &Check) -> bool {
    match check.r#type.as_deref() {
        Some(kind) => kind.eq_ignore_ascii_case("http"),
        None => check.path.is_some() || check.method.is_some(),
    }
}

fn duration(text: Option<&str>) -> Option<Duration> {
    text.and_then(parse_duration).map(Duration::from_nanos)
}

async fn repeat(index: usize, planned: CheckTarget, findings: mpsc::Sender<CheckResult>) {
    let interval = duration(planned.check.interval.as_deref()).unwrap_or(DEFAULT_INTERVAL);
    // A zero interval would be a busy loop.
    let interval = interval.max(Duration::from_millis(100));
    let mut has_passed = false;
    loop {
        let result = run_once(&planned).await;
        has_passed |= result.is_ok();
        if findings.send(CheckResult { index, result }).await.is_err() {
            return;
        }
        sleep(if has_passed {
            interval
        } else {
            interval.min(STARTUP_INTERVAL)
        })
        .await;
    }
}

async fn run_once(planned: &CheckTarget) -> Result<String, String> {
    let limit = duration(planned.check.timeout.as_deref()).unwrap_or(DEFAULT_TIMEOUT);
    match timeout(limit, connect_and_ask(planned)).await {
        Ok(result) => result,
        Err(_) => Err(format!("no response within {limit:?}")),
    }
}

async fn connect_and_ask(planned: &CheckTarget) -> Result<String, String> {
    let Some(port) = planned.port else {
        return Err("neither the check nor the Machine has a port".to_owned());
    };
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| {
            let port_note = if planned.is_own {
                ", which the process gets as `PORT`"
            } else {
                ""
            };
            format!("cannot connect to port {port}{port_note}: {error}")
        })?;
    let check = &planned.check;
    if check.protocol.as_deref() == Some("https") {
        return Ok("connected; TLS is not checked on this computer".to_owned());
    }
    if is_http(check) {
        return http::probe(&mut stream, check).await;
    }
    Ok("connected".to_owned())
}
