//! How a step reaches the provider: every read, call and wait passes through here, so that limits,
//! retries, cancellation and the events about waiting are the same everywhere.
//!
//! Decides nothing about a Machine. A call without an answer is returned as an unknown result; the
//! caller settles it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::Duration;

use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep, sleep_until};

use super::apply_context::{ApplyContext, CallState};
use super::run_input::Halt;
use super::step_error::{CallError, PartError, PartResult, StepError, TryError, WaitResult};
use super::turns::Turn;
use crate::core::fleet::{
    Call, GroupName, Machine, MachineId, MachineName, MachineState, Receipt, WaitUntil,
};
use crate::core::plan::{Event, StepEvent, StepId};
use crate::provider::backoff::Backoff;
use crate::provider::codes as answers;
use crate::provider::retry::{self, CALL, CALL_RATE_LIMIT, CREATED_LISTED, FailedTry, Retry};
use crate::provider::{ErrorClass, Listing, ProviderError};

/// One step's hands.
pub(super) struct StepContext<'a> {
    pub(super) shared: &'a ApplyContext<'a>,
    step: StepId,
    backoff: Backoff,
    touched: Cell<bool>,
    /// Machines whose leases this step holds.
    pub(super) leased: RefCell<BTreeSet<MachineId>>,
    /// Its turn, while it has one.
    pub(super) turn: RefCell<Option<Turn>>,
}

impl<'a> StepContext<'a> {
    pub(super) fn new(shared: &'a ApplyContext<'a>, step: StepId) -> Self {
        Self {
            shared,
            step,
            backoff: shared.backoff.with_salt(u64::from(step.0)),
            touched: Cell::new(false),
            leased: RefCell::default(),
            turn: RefCell::default(),
        }
    }

    /// Whether a call of this step has changed something, or may have.
    pub(super) fn has_touched(&self) -> bool {
        self.touched.get()
    }

    /// The Machine that had this name when the snapshot was taken.
    pub(super) fn observed_id(&self, name: &MachineName) -> Option<&'a MachineId> {
        self.shared.observed_names.get(name).copied()
    }

    /// How long a Machine of this group must stay up before its change counts as done.
    pub(super) fn steady(&self, group: &GroupName) -> Duration {
        self.shared.input.plan.steady_window(group)
    }

    /// The mark that a Machine keeps as long as its swap has not ended.
    pub(super) fn open_swap(&self, live: &Machine) -> Option<String> {
        let open = self.shared.input.plan.swap.as_ref()?;
        live.stamps.swap.clone().filter(|tag| *tag == open.tag)
    }

    /// Keeps a Machine as it is before the first call of this step, for a rollback.
    pub(super) fn record_body(&self, machine: &Machine) {
        let mut bodies = self.shared.bodies.borrow_mut();
        let body = bodies.entry((self.step, machine.id.clone()));
        body.or_insert_with(|| machine.clone());
    }

    /// Says which Machine the step has made.
    pub(super) fn report_created(&self, id: &MachineId) {
        self.emit(StepEvent::Created { id: id.clone() });
    }

    /// Reports what the step waits for, and the longest wait.
    pub(super) fn report_waiting(&self, on: impl Into<String>, at_most: Duration) {
        self.emit(StepEvent::Waiting {
            on: on.into(),
            up_to_ms: u64::try_from(at_most.as_millis()).ok(),
        });
    }

    /// Makes one call: waits for limits first, and retries after failures that certainly changed nothing. A cancel
    /// drops it only after the grace period.
    pub(super) async fn call(&self, call: &Call) -> Result<Receipt, CallError> {
        self.call_or(call, |error| CallError::Step(self.fatal(&error)))
            .await
    }

    /// The same, but a token that may not make this call ends only the step.
    pub(super) async fn call_if_allowed(&self, call: &Call) -> Result<Receipt, CallError> {
        self.call_or(call, CallError::Invalid).await
    }

    async fn call_or(
        &self,
        call: &Call,
        fatal: impl FnOnce(ProviderError) -> CallError,
    ) -> Result<Receipt, CallError> {
        let limits = RateLimited::of(call.action(), call.machine());
        let policy = |failed: &TryError| self.seeded(failed.provider().and_then(retry::of_call));
        let send = async || self.send(call, &limits).await;
        let on_wait = async |failed| self.wait_for_retry(failed, &limits).await;
        let error = match retry::retry(policy, send, on_wait).await {
            Ok(receipt) => return Ok(receipt),
            Err(TryError::Step(end)) => return Err(CallError::Step(end)),
            Err(TryError::Provider(error)) => error,
        };
        Err(match error.class {
            ErrorClass::Conflict => CallError::Conflict(error),
            ErrorClass::NoRoom => CallError::NoRoom(error),
            ErrorClass::NotFound => CallError::NotFound(error),
            ErrorClass::Unknown => CallError::Unknown(error),
            ErrorClass::Invalid => CallError::Invalid(error),
            ErrorClass::Fatal => fatal(error),
            ErrorClass::RateLimited(_) | ErrorClass::Transient => {
                CallError::Step(StepError::from_provider(&error))
            }
        })
    }

    /// Makes one call once.
    async fn send(&self, call: &Call, limits: &RateLimited<'_>) -> Result<Receipt, TryError> {
        let job = &self.shared.input;
        self.acquire_permit(limits).await?;
        if !job.lock.is_held() {
            self.shared.halt(Halt::LockLost);
        }
        if self.shared.is_halted() {
            return Err(halted_error(format!("before `{}`", call.action())).into());
        }
        let sent = |sent| self.shared.open_calls.borrow_mut().insert(self.step, sent);
        sent(CallState::Unanswered);
        let answer = tokio::select! {
            biased;
            answer = job.provider.call(&job.plan.app, call) => answer,
            () = self.shared.cancel.aborted() => {
                self.touched.set(true);
                let message = format!("interrupted before `{}` was answered", call.action());
                return Err(StepError::Unknown { message }.into());
            }
        };
        match &answer {
            Err(error) if error.class != ErrorClass::Unknown && !self.has_touched() => {
                self.shared.open_calls.borrow_mut().remove(&self.step);
            }
            Ok(_) | Err(_) => {
                sent(CallState::Answered);
            }
        }
        match answer {
            Ok(receipt) => {
                self.touched.set(true);
                self.shared.limits.record_success();
                if let Some(text) = receipt.remark.clone() {
                    self.emit(StepEvent::Remark { text });
                }
                Ok(receipt)
            }
            Err(error) => {
                if error.class == ErrorClass::Unknown {
                    self.touched.set(true);
                }
                Err(TryError::Provider(error))
            }
        }
    }

    /// Reads one Machine; none when there is none.
    pub(super) async fn get(&self, id: &MachineId) -> PartResult<Option<Machine>> {
        let job = &self.shared.input;
        let read = || job.provider.get(&job.plan.app, id);
        let machine = self.read("get", Some(id), read).await?;
        if let Some(machine) = &machine {
            self.shared
                .additions
                .record_read(machine, self.shared.lineage());
        }
        Ok(machine)
    }

    /// Lists the app.
    pub(super) async fn list(&self) -> PartResult<Listing> {
        let job = &self.shared.input;
        let listing = self
            .read("list", None, || job.provider.list(&job.plan.app))
            .await?;
        listing.ok_or_else(|| StepError::failed(answers::NOT_FOUND, "the app is gone"))
    }

    /// What `find` finds in the list; read again as long as a list may lack it.
    pub(super) async fn find_listed<T>(
        &self,
        what: &str,
        find: impl Fn(Listing) -> PartResult<Option<T>>,
    ) -> PartResult<Option<T>> {
        // An error without a cause: the list lacks it.
        let read = async || find(self.list().await?)?.ok_or(None);
        let policy = |error: &Option<StepError>| error.is_none().then(|| CREATED_LISTED.retry());
        let on_wait = async |failed: FailedTry<_>| {
            if failed.failed == 1 {
                let left = failed.left.unwrap_or(failed.pause);
                self.report_waiting(format!("{what} to be listed"), left);
            }
            Ok(self.pause(failed.pause).await?)
        };
        match retry::retry(policy, read, on_wait).await {
            Ok(found) => Ok(Some(found)),
            Err(None) => Ok(None),
            Err(Some(error)) => Err(error),
        }
    }

    /// Waits for a Machine; what is waited for was said before. A cancel drops it at once.
    pub(super) async fn wait(
        &self,
        id: &MachineId,
        until: WaitUntil,
        deadline: Instant,
    ) -> PartResult<WaitResult> {
        let job = &self.shared.input;
        let wait = async || {
            let at_most = deadline.saturating_duration_since(Instant::now());
            tokio::select! {
                biased;
                () = self.shared.cancel.stopping() => {
                    let during = format!("while waiting until it is {}", until_name(until));
                    Err(halted_error(during).into())
                }
                answer = job.provider.wait(&job.plan.app, id, until, at_most) => {
                    answer.map_err(TryError::Provider)
                }
            }
        };
        let at_most = deadline.saturating_duration_since(Instant::now());
        let policy = |failed: &TryError| self.seeded(retry::of_wait(failed.provider()?, at_most));
        let on_wait = async |failed: FailedTry<_>| Ok(self.pause(failed.pause).await?);
        let error = match retry::retry(policy, wait, on_wait).await {
            Ok(machine) => {
                self.shared
                    .additions
                    .record_read(&machine, self.shared.lineage());
                return Ok(WaitResult::Reached(Box::new(machine)));
            }
            Err(TryError::Step(end)) => return Err(end),
            Err(TryError::Provider(error)) => error,
        };
        match error.class {
            ErrorClass::NotFound => Ok(WaitResult::Gone),
            ErrorClass::Transient | ErrorClass::Conflict => Ok(WaitResult::NotYet(error.hint)),
            ErrorClass::Unknown | ErrorClass::RateLimited(_) => Ok(WaitResult::NotYet(None)),
            ErrorClass::Invalid | ErrorClass::NoRoom | ErrorClass::Fatal => Err(self.fatal(&error)),
        }
    }

    /// The same as [`Self::wait_settled`], but one that is `created` is waited for this long: it may rest so.
    pub(super) async fn wait_settled_or_created(
        &self,
        id: &MachineId,
        (at_most, created): (Duration, Duration),
    ) -> PartResult<Option<Machine>> {
        match self.get(id).await? {
            Some(machine) if machine.state == MachineState::Created => {
                if created.is_zero() {
                    return Ok(Some(machine));
                }
                self.wait_settled_from(machine, at_most.min(created)).await
            }
            Some(machine) => self.wait_settled_from(machine, at_most).await,
            None => Ok(None),
        }
    }

    /// The Machine once it does not change by itself, waited for at most so long; none when there is
    /// none.
    pub(super) async fn wait_settled(
        &self,
        id: &MachineId,
        at_most: Duration,
    ) -> PartResult<Option<Machine>> {
        match self.get(id).await? {
            Some(machine) => self.wait_settled_from(machine, at_most).await,
            None => Ok(None),
        }
    }

    async fn wait_settled_from(
        &self,
        machine: Machine,
        at_most: Duration,
    ) -> PartResult<Option<Machine>> {
        let id = &machine.id.clone();
        // A Machine that restarts repeatedly may be about to get the change that repairs it.
        if !machine.state.is_transient() || machine.is_restart_looping() {
            return Ok(Some(machine));
        }
        self.report_waiting(
            format!("the Machine, which is {}", machine.state.as_str()),
            at_most,
        );
        match self
            .wait(id, WaitUntil::Settled, Instant::now() + at_most)
            .await?
        {
            WaitResult::Reached(machine) => Ok(Some(*machine)),
            WaitResult::Gone => Ok(None),
            WaitResult::NotYet(_) => self.get(id).await,
        }
    }

    /// Reports why the step continues in another way.
    pub(super) fn report_fallback(&self, cause: impl Into<String>) {
        self.emit(StepEvent::Retrying {
            cause: cause.into(),
        });
    }

    /// Repeats a part of the step that looks before it calls, as long as its failures may pass.
    pub(super) async fn retry<T>(
        &self,
        part: impl AsyncFnMut() -> Result<T, PartError>,
    ) -> PartResult<T> {
        let policy = |failed: &PartError| match failed {
            PartError::Again { .. } => self.seeded(Some(CALL.retry())),
            PartError::End(_) => None,
        };
        let on_wait = async |failed: FailedTry<PartError>| match &failed.error {
            PartError::Again { error, .. } if self.report_retry(error, failed.pause) => {
                Ok(self.pause(failed.pause).await?)
            }
            PartError::Again { .. } | PartError::End(_) => Err(failed.error),
        };
        let ended = retry::retry(policy, part, on_wait).await;
        ended.map_err(PartError::into_step_error)
    }

    /// Lets the pause before another try pass, and reports it; the failure itself when the run has made too many
    /// retries.
    pub(super) async fn wait_for_retry(
        &self,
        failed: FailedTry<TryError>,
        limits: &RateLimited<'_>,
    ) -> Result<(), TryError> {
        let Some(error) = failed.error.provider() else {
            return Err(failed.error);
        };
        if let ErrorClass::RateLimited(until) = error.class {
            self.report_rate_limited(limits, until);
            return Ok(());
        }
        if error.code == answers::IMAGE_NOT_FOUND.name() {
            let left = failed.left.unwrap_or(failed.pause);
            self.report_waiting("the registry to have the image", left);
        } else if !self.report_retry(error, failed.pause) {
            return Err(failed.error);
        }
        Ok(self.pause(failed.pause).await?)
    }

    /// Reports another try; false when the run has made too many.
    fn report_retry(&self, error: &ProviderError, pause: Duration) -> bool {
        if !self.shared.limits.take_retry() {
            return false;
        }
        self.emit(StepEvent::Retrying {
            cause: error.message.clone(),
        });
        self.report_waiting("the next try", pause);
        true
    }

    /// The same retry, at another moment than other steps.
    pub(super) fn seeded(&self, again: Option<Retry>) -> Option<Retry> {
        again.map(|again| again.with_seed(self.backoff.seed()))
    }

    /// Lets time pass, at most until a cancel.
    pub(super) async fn pause(&self, pause: Duration) -> PartResult {
        tokio::select! {
            biased;
            () = self.shared.cancel.stopping() => Err(halted_error("while waiting".to_owned())),
            () = sleep(pause) => Ok(()),
        }
    }

    pub(super) async fn read<T, F>(
        &self,
        action: &'static str,
        id: Option<&MachineId>,
        read: impl Fn() -> F,
    ) -> PartResult<Option<T>>
    where
        F: Future<Output = Result<T, ProviderError>>,
    {
        let limits = RateLimited::of(action, id);
        let read = async || {
            self.acquire_permit(&limits).await?;
            tokio::select! {
                biased;
                () = self.shared.cancel.stopping() => {
                    Err(halted_error("while reading".to_owned()).into())
                }
                answer = read() => answer.map_err(TryError::Provider),
            }
        };
        let policy = |failed: &TryError| {
            let again = match failed.provider()?.class {
                ErrorClass::RateLimited(retry_after) => CALL_RATE_LIMIT.retry_after(retry_after),
                ErrorClass::Conflict | ErrorClass::Transient | ErrorClass::Unknown => CALL.retry(),
                ErrorClass::NotFound
                | ErrorClass::Invalid
                | ErrorClass::NoRoom
                | ErrorClass::Fatal => return None,
            };
            self.seeded(Some(again))
        };
        let on_wait = async |failed| self.wait_for_retry(failed, &limits).await;
        let error = match retry::retry(policy, read, on_wait).await {
            Ok(answer) => return Ok(Some(answer)),
            Err(TryError::Step(end)) => return Err(end),
            Err(TryError::Provider(error)) => error,
        };
        match error.class {
            ErrorClass::NotFound => Ok(None),
            ErrorClass::Invalid | ErrorClass::NoRoom | ErrorClass::Fatal => Err(self.fatal(&error)),
            ErrorClass::RateLimited(_)
            | ErrorClass::Conflict
            | ErrorClass::Transient
            | ErrorClass::Unknown => Err(StepError::from_provider(&error)),
        }
    }

    /// Waits until the limits allow a call. One that was put off before comes back a little later than
    /// it may, so that all of them do not come at once.
    async fn acquire_permit(&self, limits: &RateLimited<'_>) -> PartResult {
        let RateLimited { action, id, .. } = *limits;
        // A provider that answers at once would keep the whole run going without a pause, and no signal
        // would be heard before its end.
        consume_budget().await;
        let mut from = self.shared.limits.reserve(action, id);
        if let Some(before) = limits.times.get().checked_sub(1) {
            from += self.backoff.delay(before);
        }
        let pause = from.saturating_duration_since(Instant::now());
        if !pause.is_zero() {
            let _place = (action == "create").then(|| self.shared.join_create_queue());
            self.report_waiting("the rate limit", pause);
            tokio::select! {
                biased;
                () = self.shared.cancel.stopping() => {
                    return Err(halted_error("while waiting for the rate limit".to_owned()));
                }
                () = sleep_until(from) => {}
            }
        }
        self.wait_for_max_rps().await
    }

    /// Waits for the limit that the operator has set, so that a cancel meets no call that was never sent.
    async fn wait_for_max_rps(&self) -> PartResult {
        let provider = self.shared.input.provider;
        let mut reported = false;
        loop {
            let pause = provider.rate_limit_wait();
            if pause.is_zero() {
                return Ok(());
            }
            if !reported {
                self.report_waiting("its turn (`--max-rps`)", pause);
                reported = true;
            }
            self.pause(pause).await?;
        }
    }

    fn report_rate_limited(&self, limits: &RateLimited<'_>, until: Option<Duration>) {
        self.emit(StepEvent::Retrying {
            cause: "the rate limit was reached".to_owned(),
        });
        let times = limits.times.get();
        let pause = until.unwrap_or_else(|| self.backoff.delay(times));
        self.shared.limits.block(limits.action, limits.id, pause);
        limits.times.set(times + 1);
    }

    pub(super) fn fatal(&self, error: &ProviderError) -> StepError {
        if error.class == ErrorClass::Fatal {
            self.shared.halt(Halt::Provider(error.message.clone()));
        }
        StepError::from_provider(error)
    }

    pub(super) fn emit(&self, what: StepEvent) {
        let event = Event::Step {
            step: self.step,
            what,
        };
        // The receiver outlives every step; a closed channel has no listener.
        let _ = self.shared.events.send(event);
    }
}

/// A call or read, and how often a rate limit has put it off.
pub(super) struct RateLimited<'c> {
    action: &'static str,
    id: Option<&'c MachineId>,
    times: Cell<u32>,
}

impl<'c> RateLimited<'c> {
    pub(super) fn of(action: &'static str, id: Option<&'c MachineId>) -> Self {
        Self {
            action,
            id,
            times: Cell::new(0),
        }
    }
}

fn halted_error(during: String) -> StepError {
    StepError::Halted { during }
}

fn until_name(until: WaitUntil) -> &'static str {
    match until {
        WaitUntil::Started => "started",
        WaitUntil::Stopped => "stopped",
        WaitUntil::Destroyed => "destroyed",
        WaitUntil::Settled => "settled",
    }
}
