//! How a step reaches the provider: every read, call and wait passes through here, so that limits,
//! retries, cancellation and the events about waiting are the same everywhere.
//!
//! Decides nothing about a Machine. A call whose answer is lost is handed back as such; whoever made
//! it settles it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::Duration;

use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep, sleep_until};

use super::apply_context::{ApplyContext, CallState};
use super::run_input::Halt;
use super::step_error::{CallError, PartResult, StepError, WaitResult};
use crate::core::fleet::{
    Call, GroupName, Machine, MachineId, MachineName, MachineState, Receipt, WaitUntil,
};
use crate::core::plan::{Event, StepEvent, StepId};
use crate::provider::backoff::Backoff;
use crate::provider::codes as answers;
use crate::provider::{ErrorClass, Listing, ProviderError};

/// Tries of one call or read after failures that may pass.
const MAX_TRIES: u32 = 6;
/// How long a step lets itself be put off by rate limits.
const RATE_LIMIT_PATIENCE: Duration = Duration::from_secs(600);

/// How long an image is waited for that the registry does not have: one that was pushed a moment ago is there in
/// less than 10 s (docs/platform/machines-api.md 20a).
const IMAGE_PATIENCE: Duration = Duration::from_secs(30);
/// How often is looked whether it is there.
const IMAGE_POLL_INTERVAL: Duration = Duration::from_secs(2);

/// One step's hands.
pub(super) struct StepContext<'a> {
    pub(super) shared: &'a ApplyContext<'a>,
    step: StepId,
    backoff: Backoff,
    touched: Cell<bool>,
    /// Machines whose leases this step holds.
    pub(super) leased: RefCell<BTreeSet<MachineId>>,
}

impl<'a> StepContext<'a> {
    pub(super) fn new(shared: &'a ApplyContext<'a>, step: StepId) -> Self {
        Self {
            shared,
            step,
            backoff: shared.backoff.with_salt(u64::from(step.0)),
            touched: Cell::new(false),
            leased: RefCell::default(),
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

    /// Says which Machine the step has made.
    pub(super) fn report_created(&self, id: &MachineId) {
        self.emit(StepEvent::Created { id: id.clone() });
    }

    /// Says what is waited for, and for how long at most.
    pub(super) fn report_waiting(&self, on: impl Into<String>, at_most: Duration) {
        self.emit(StepEvent::Waiting {
            on: on.into(),
            up_to_ms: u64::try_from(at_most.as_millis()).ok(),
        });
    }

    /// Makes one call, waiting for limits before it and trying again after failures that certainly
    /// changed nothing. Dropped by a cancel only when its grace is over.
    pub(super) async fn call(&self, call: &Call) -> Result<Receipt, CallError> {
        let job = &self.shared.input;
        let begun = Instant::now();
        let (mut tries, mut put_off) = (0, 0);
        loop {
            self.acquire_permit(call.action(), call.machine(), put_off)
                .await
                .map_err(CallError::Step)?;
            if !job.lock.is_held() {
                self.shared.halt(Halt::LockLost);
            }
            if self.shared.is_halted() {
                return Err(CallError::Step(halted_error(format!(
                    "before `{}`",
                    call.action()
                ))));
            }
            let sent = |sent| self.shared.open_calls.borrow_mut().insert(self.step, sent);
            sent(CallState::Unanswered);
            let answer = tokio::select! {
                biased;
                answer = job.provider.call(&job.plan.app, call) => answer,
                () = self.shared.cancel.aborted() => {
                    self.touched.set(true);
                    let message = format!("interrupted before `{}` was answered", call.action());
                    return Err(CallError::Step(StepError::Unknown { message }));
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
            let error = match answer {
                Ok(receipt) => {
                    self.touched.set(true);
                    self.shared.limits.record_success();
                    if let Some(text) = receipt.remark.clone() {
                        self.emit(StepEvent::Remark { text });
                    }
                    return Ok(receipt);
                }
                Err(error) => error,
            };
            match error.class {
                ErrorClass::Conflict => return Err(CallError::Conflict(error)),
                ErrorClass::NoRoom => return Err(CallError::NoRoom(error)),
                ErrorClass::NotFound => return Err(CallError::NotFound(error)),
                ErrorClass::Unknown => {
                    self.touched.set(true);
                    return Err(CallError::Unknown(error));
                }
                ErrorClass::Invalid => return Err(CallError::Invalid(error)),
                ErrorClass::Fatal => return Err(CallError::Step(self.fatal(&error))),
                ErrorClass::RateLimited(until) if begun.elapsed() < RATE_LIMIT_PATIENCE => {
                    self.report_rate_limited(call.action(), call.machine(), until, put_off);
                    put_off += 1;
                    continue;
                }
                ErrorClass::Transient
                    if error.code == answers::IMAGE_NOT_FOUND.name()
                        && begun.elapsed() < IMAGE_PATIENCE =>
                {
                    let left = IMAGE_PATIENCE.saturating_sub(begun.elapsed());
                    self.report_waiting("the registry to have the image", left);
                    self.pause(IMAGE_POLL_INTERVAL.min(left))
                        .await
                        .map_err(CallError::Step)?;
                    continue;
                }
                ErrorClass::Transient
                    if error.code != answers::IMAGE_NOT_FOUND.name()
                        && self.retry(tries, &error).await.map_err(CallError::Step)? => {}
                ErrorClass::RateLimited(_) | ErrorClass::Transient => {
                    return Err(CallError::Step(StepError::from_provider(&error)));
                }
            }
            tries += 1;
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

    /// Waits for a Machine; what is waited for was said before. A cancel drops it at once.
    pub(super) async fn wait(
        &self,
        id: &MachineId,
        until: WaitUntil,
        deadline: Instant,
    ) -> PartResult<WaitResult> {
        let job = &self.shared.input;
        let mut tries = 0;
        loop {
            let at_most = deadline.saturating_duration_since(Instant::now());
            let answer = tokio::select! {
                biased;
                () = self.shared.cancel.stopping() => {
                    return Err(halted_error(format!("while waiting until it is {}", until_name(until))));
                }
                answer = job.provider.wait(&job.plan.app, id, until, at_most) => answer,
            };
            let error = match answer {
                Ok(machine) => {
                    self.shared
                        .additions
                        .record_read(&machine, self.shared.lineage());
                    return Ok(WaitResult::Reached(Box::new(machine)));
                }
                Err(error) => error,
            };
            match error.class {
                ErrorClass::NotFound => return Ok(WaitResult::Gone),
                ErrorClass::Transient | ErrorClass::Conflict => {
                    return Ok(WaitResult::NotYet(error.hint));
                }
                ErrorClass::Invalid | ErrorClass::NoRoom | ErrorClass::Fatal => {
                    return Err(self.fatal(&error));
                }
                ErrorClass::Unknown | ErrorClass::RateLimited(_) => {}
            }
            if Instant::now() >= deadline {
                return Ok(WaitResult::NotYet(None));
            }
            self.pause(self.backoff.delay(tries)).await?;
            tries += 1;
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
        // One that starts and ends over and over may well be on its way to the change that mends it.
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

    /// Says why the step goes on in another way than before.
    pub(super) fn report_fallback(&self, cause: impl Into<String>) {
        self.emit(StepEvent::Retrying {
            cause: cause.into(),
        });
    }

    /// Pauses before another try of something that may pass, and says so; false when there were
    /// enough tries.
    pub(super) async fn retry(&self, tries: u32, error: &ProviderError) -> PartResult<bool> {
        if tries + 1 >= MAX_TRIES || !self.shared.limits.take_retry() {
            return Ok(false);
        }
        self.emit(StepEvent::Retrying {
            cause: error.message.clone(),
        });
        let pause = self.backoff.delay(tries);
        self.report_waiting("the next try", pause);
        self.pause(pause).await?;
        Ok(true)
    }

    /// Lets time pass, at most until a cancel.
    pub(super) async fn pause(&self, pause: Duration) -> PartResult {
        tokio::select! {
            biased;
            () = self.shared.cancel.stopping() => Err(halted_error("while waiting".to_owned())),
            () = sleep(pause) => Ok(()),
        }
    }

    async fn read<T, F>(
        &self,
        action: &'static str,
        id: Option<&MachineId>,
        read: impl Fn() -> F,
    ) -> PartResult<Option<T>>
    where
        F: Future<Output = Result<T, ProviderError>>,
    {
        let begun = Instant::now();
        let (mut tries, mut put_off) = (0, 0);
        loop {
            self.acquire_permit(action, id, put_off).await?;
            let answer = tokio::select! {
                biased;
                () = self.shared.cancel.stopping() => {
                    return Err(halted_error("while reading".to_owned()));
                }
                answer = read() => answer,
            };
            let error = match answer {
                Ok(answer) => return Ok(Some(answer)),
                Err(error) => error,
            };
            match error.class {
                ErrorClass::NotFound => return Ok(None),
                ErrorClass::Invalid | ErrorClass::NoRoom | ErrorClass::Fatal => {
                    return Err(self.fatal(&error));
                }
                ErrorClass::RateLimited(until) if begun.elapsed() < RATE_LIMIT_PATIENCE => {
                    self.report_rate_limited(action, id, until, put_off);
                    put_off += 1;
                    continue;
                }
                ErrorClass::RateLimited(_)
                | ErrorClass::Conflict
                | ErrorClass::Transient
                | ErrorClass::Unknown => {
                    if !self.retry(tries, &error).await? {
                        return Err(StepError::from_provider(&error));
                    }
                }
            }
            tries += 1;
        }
    }

    /// Waits until the limits allow a call. One that was put off before comes back a little later than
    /// it may, so that all of them do not come at once.
    async fn acquire_permit(
        &self,
        action: &'static str,
        id: Option<&MachineId>,
        put_off: u32,
    ) -> PartResult {
        // A provider that answers at once would keep the whole run going without a pause, and no signal
        // would be heard before its end.
        consume_budget().await;
        let mut from = self.shared.limits.reserve(action, id);
        if let Some(before) = put_off.checked_sub(1) {
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
        let mut told = false;
        loop {
            let owed = provider.rate_limit_wait();
            if owed.is_zero() {
                return Ok(());
            }
            if !told {
                self.report_waiting("its turn (`--max-rps`)", owed);
                told = true;
            }
            self.pause(owed).await?;
        }
    }

    fn report_rate_limited(
        &self,
        action: &'static str,
        id: Option<&MachineId>,
        until: Option<Duration>,
        put_off: u32,
    ) {
        self.emit(StepEvent::Retrying {
            cause: "the rate limit was reached".to_owned(),
        });
        let pause = until.unwrap_or_else(|| self.backoff.delay(put_off));
        self.shared.limits.block(action, id, pause);
    }

    pub(super) fn fatal(&self, error: &ProviderError) -> StepError {
        if error.class == ErrorClass::Fatal {
            self.shared.halt(Halt::Provider(error.message.clone()));
        }
        StepError::from_provider(error)
    }

    fn emit(&self, what: StepEvent) {
        let event = Event::Step {
            step: self.step,
            what,
        };
        // The receiver outlives every step; after it nobody listens any more.
        let _ = self.shared.events.send(event);
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
