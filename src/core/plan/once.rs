//! The commands that run once, each on a Machine of its own: the release command before everything else, and
//! `verify` before the first destroy (rule 28).
//!
//! Decides whether they run. What an earlier run's Machine says about its command is read here, too; the executor
//! only follows the step.

use std::collections::{BTreeMap, BTreeSet};

use super::codes;
use super::command_modes::ReleaseCommandMode;
use super::decision::GroupDecision;
use super::group_notes;
use super::members::Member;
use super::notes::{Remarks, note};
use super::options::{Options, PlanMode};
use super::release_need::ReleaseNeed;
use super::releases;
use super::running::{self, RunningImage};
use super::swap_checks;
use super::types::{Action, Change, GateKind, MachineRef, Note};
use crate::core::fleet::schema::Guest;
use crate::core::fleet::{
    ConfigDigest, Desired, Exit, GroupName, Known, LaunchId, Lineage, Machine, MachineConfig,
    MachineName, MachineState, Observed, OnceCommand, OnceKind, ProcessEventKind, Region,
    StoredConfig,
};
use crate::core::platform::sizes;

/// The size of a release command without a written size and without Machines (docs/platform/fly-toml.md 11.1).
const DEFAULT_SIZE: &str = "shared-cpu-2x";
/// More launch ids of one command than this are not looked at beyond the Machines that exist.
const MORE_SLOTS: u32 = 8;

/// The steps of these commands, and what the plan says about them.
#[derive(Default)]
pub(super) struct OnceSteps {
    pub(super) release_command: Option<Change>,
    pub(super) verify: Option<Change>,
    /// The config of the release command, if it does not run because it ended with code 0 before.
    pub(super) done: Option<ConfigDigest>,
    pub(super) remarks: Remarks,
}

/// The parts of a decided plan on which they depend.
pub(super) struct OncePlanner<'p, 'a> {
    pub(super) desired: &'p Desired,
    pub(super) known: &'p Known,
    pub(super) observed: Option<&'p Observed>,
    pub(super) decisions: &'p BTreeMap<GroupName, GroupDecision<'a>>,
    pub(super) lineage: &'a Lineage,
    pub(super) options: &'p Options,
}

/// What is known about an earlier run of the same command.
enum Earlier<'p> {
    /// There was none, or it failed; the next one has this slot.
    None(u32),
    /// Its Machine is there: the command has not ended, or it ended with code 0 and the Machine is to be destroyed.
    Open(&'p Machine, LaunchId),
    /// It ended with code 0.
    Ended,
    /// It may have run; its exit cannot be found.
    Unknown(Option<&'p Machine>, u32),
}

/// A command as it would run: its digest, and what its Machine takes from running ones.
struct Run {
    config: ConfigDigest,
    image: Option<String>,
    guest: Option<Box<Guest>>,
    region: Region,
    region_is_inherited: bool,
}

impl<'p, 'a> OncePlanner<'p, 'a> {
    pub(super) fn steps(&self) -> OnceSteps {
        let rollout = &self.desired.rollout;
        if self.options.mode != PlanMode::Normal {
            return OnceSteps::default();
        }
        let need = ReleaseNeed {
            known: self.known,
            decisions: self.decisions,
            lineage: self.lineage,
        };
        let why = need.reason();
        let mut steps = OnceSteps::default();
        if let Some(command) = rollout.release_command.as_deref() {
            self.add_release_command(command, why.as_deref(), &mut steps);
        }
        if let (Some(command), Some(why)) = (
            rollout.verify.as_deref(),
            why.or_else(|| self.unfinished_release()),
        ) {
            self.add_verify(command, &why, &mut steps);
        }
        steps
    }

    /// Why `verify` still has to run although nothing changes: a release whose Machines were updated did not get to
    /// its end.
    fn unfinished_release(&self) -> Option<String> {
        let last = self.known.releases.last();
        // What a filter left out has reasons of its own.
        if let Some(release) =
            last.filter(|release| !release.is_complete() && !release.is_partial())
        {
            let (number, outcome) = (release.release, release.outcome());
            return Some(format!("release v{number} is {outcome}"));
        }
        let mut members = self.decisions.values().flat_map(|d| &d.members);
        let unrecorded = members.any(|member| member.from_unrecorded_run);
        unrecorded.then(|| "an earlier run did not get to its end".to_owned())
    }

    fn mode(&self) -> ReleaseCommandMode {
        self.options.requested.release_command
    }

    fn add_release_command(
        &self,
        command: &'p OnceCommand,
        why: Option<&str>,
        steps: &mut OnceSteps,
    ) {
        let (mode, location) = (self.mode(), &command.location);
        if self.desired.hold.is_some() {
            steps.remarks.notes.extend(why.map(|why| {
                let message = format!(
                    "the release command ({location}) does not run: [hold] goes back to a release: {why}"
                );
                note(codes::RELEASE_COMMAND_HELD, message)
            }));
            return;
        }
        let always = (mode == ReleaseCommandMode::Always).then_some("`--release-command=always`");
        let (Some(why), false) = (why.or(always), mode == ReleaseCommandMode::Never) else {
            steps.remarks.extend_with(self.unneeded(command, why));
            return;
        };
        let Some(run) = self.run_of(OnceKind::ReleaseCommand, command) else {
            steps
                .remarks
                .refusals
                .extend(self.no_image(OnceKind::ReleaseCommand));
            return;
        };
        let said =
            |code, text: String| note(code, format!("the release command ({location}) {text}"));
        let slot = match self.earlier(&run.config) {
            Earlier::Open(machine, launch) => {
                let id = &machine.id;
                let (code, text) = match outcome_of(machine) {
                    OnceOutcome::Exited(_) => (
                        codes::RELEASE_COMMAND_DONE,
                        format!(
                            "does not run: an earlier run of the same content ended with code 0; its Machine {id} is destroyed"
                        ),
                    ),
                    OnceOutcome::Open | OnceOutcome::NeverStarted | OnceOutcome::Unknown => (
                        codes::RELEASE_COMMAND_RUNS,
                        format!(
                            "of an earlier run has not ended: this run continues with its Machine {id}"
                        ),
                    ),
                };
                steps.remarks.notes.push(said(code, text));
                let step = self.change(OnceKind::ReleaseCommand, command, run, launch, why);
                steps.release_command = Some(Change {
                    machine: MachineRef {
                        id: Some(machine.id.clone()),
                        name: machine.name.clone(),
                    },
                    region: machine.region.clone(),
                    state: Some(machine.state),
                    ..step
                });
                return;
            }
            Earlier::Ended if !self.runs_again() => {
                let text = "does not run: an earlier run of the same content ended with code 0";
                let done = said(codes::RELEASE_COMMAND_DONE, text.to_owned());
                steps.remarks.notes.push(done);
                steps.done = Some(run.config);
                return;
            }
            Earlier::Unknown(machine, _) if !self.runs_again() => {
                let place = machine
                    .map_or_else(String::new, |machine| format!(" on Machine {}", machine.id));
                if mode == ReleaseCommandMode::Skip {
                    let text = format!(
                        "does not run (`--release-command=skip`): it may have run before{place}"
                    );
                    let skipped = said(codes::RELEASE_COMMAND_SKIPPED, text);
                    steps.remarks.warnings.push(skipped);
                } else {
                    let text = format!(
                        "was started by an earlier run{place}, and how it ended cannot be found"
                    );
                    let refusal = said(codes::RELEASE_COMMAND_UNKNOWN, text).with_hint(
                        "look whether it did its work, then plan with `--release-command=rerun` or \
                         `--release-command=skip`",
                    );
                    steps.remarks.refusals.push(refusal);
                }
                return;
            }
            Earlier::None(slot) | Earlier::Unknown(_, slot) => slot,
            Earlier::Ended => self.free_slot(&run.config),
        };
        let place = if run.region_is_inherited {
            format!("{} (fly.toml sets no `primary_region`)", run.region)
        } else {
            run.region.to_string()
        };
        let text = format!("runs first, on its own Machine in {place}: {why}");
        steps
            .remarks
            .notes
            .push(said(codes::RELEASE_COMMAND_RUNS, text));
        steps.remarks.notes.extend(self.others_note(command));
        let launch = self.launch(&run.config, slot);
        steps.release_command =
            Some(self.change(OnceKind::ReleaseCommand, command, run, launch, why));
    }

    fn runs_again(&self) -> bool {
        matches!(
            self.mode(),
            ReleaseCommandMode::Always | ReleaseCommandMode::Rerun
        )
    }

    /// Why it does not run: not needed, or skipped by the flag. A plan without changes says nothing.
    fn unneeded(&self, command: &OnceCommand, why: Option<&str>) -> Remarks {
        let location = &command.location;
        let mut remarks = Remarks::default();
        match why {
            Some(why) => {
                let message = format!(
                    "the release command ({location}) is skipped (`--release-command=never`): {why}"
                );
                let skipped = note(codes::RELEASE_COMMAND_SKIPPED, message);
                remarks.warnings.push(skipped);
            }
            None if self.decisions.values().any(has_changes) => {
                let message = format!(
                    "the release command ({location}) does not run: no image, [env], [[files]] or command changes"
                );
                let unneeded = note(codes::RELEASE_COMMAND_NOT_NEEDED, message);
                remarks.notes.push(unneeded);
            }
            None => {}
        }
        remarks
    }

    /// A release command that somebody else runs.
    fn others_note(&self, command: &OnceCommand) -> Option<Note> {
        let once = &self.observed?.once;
        let other = once.iter().find(|machine| is_running(machine.state))?;
        let limit = command.timeout_s.map_or_else(
            || "for as long as it runs".to_owned(),
            |seconds| format!("for at most {seconds}s"),
        );
        let message = format!(
            "Machine {} runs a release command already; the apply waits for it {limit}",
            other.id
        );
        Some(note(codes::RELEASE_COMMAND_BUSY, message))
    }

    fn add_verify(&self, command: &'p OnceCommand, why: &str, steps: &mut OnceSteps) {
        let location = &command.location;
        if !self.options.requested.verify.is_auto() {
            let message = format!("the verify command ({location}) is skipped (`--verify=never`)");
            let skipped = note(codes::VERIFY_SKIPPED, message);
            steps.remarks.warnings.push(skipped);
            return;
        }
        let Some(run) = self.run_of(OnceKind::Verify, command) else {
            steps
                .remarks
                .refusals
                .extend(self.no_image(OnceKind::Verify));
            return;
        };
        let runs = swap_checks::verify_time(self.decisions);
        let message = format!("the verify command ({location}) {runs}: {why}");
        steps.remarks.notes.push(note(codes::VERIFY_RUNS, message));
        let observed = self.observed.into_iter().flat_map(Observed::all_machines);
        let used: BTreeSet<&str> = observed
            .filter_map(|machine| machine.name.launch_suffix())
            .collect();
        let group = OnceKind::Verify.group();
        let serial = self.known.serial;
        let launches = (0..)
            .map(|slot| LaunchId::derive_once(self.lineage, serial, &group, &run.config, slot));
        let mut free = launches.filter(|launch| !used.contains(launch.as_str()));
        let launch = free.next().expect("there are more slots than Machines");
        steps.verify = Some(self.change(OnceKind::Verify, command, run, launch, why));
    }

    fn change(
        &self,
        what: OnceKind,
        command: &OnceCommand,
        run: Run,
        launch: LaunchId,
        why: &str,
    ) -> Change {
        let timeout_s = match (what, self.options.requested.release_command_timeout_s) {
            (OnceKind::ReleaseCommand, Some(written)) => Some(written).filter(|s| *s > 0),
            (OnceKind::ReleaseCommand, None) | (OnceKind::Verify, _) => command.timeout_s,
        };
        Change {
            machine: MachineRef {
                id: None,
                name: MachineName::for_launch(&what.name_prefix(), &launch),
            },
            action: Action::Once {
                what,
                launch,
                config: run.config,
                image: run.image,
                guest: run.guest,
                timeout_s,
            },
            group: what.group(),
            region: run.region,
            reason: why.to_owned(),
            changes: Vec::new(),
            precondition: None,
            gate: GateKind::Ended,
            wake: None,
            branches: Vec::new(),
            state: None,
            reverts: None,
            standby: false,
        }
    }

    /// The command with what its Machine takes from running ones; none without an image.
    fn run_of(&self, what: OnceKind, command: &OnceCommand) -> Option<Run> {
        let image = self.image();
        if image.is_none() && self.desired.profile().runs_images && self.observed.is_some() {
            return None;
        }
        let written = self.desired.primary_region.clone();
        let region_is_inherited = written.is_none() && self.desired.profile().runs_images;
        let config = MachineConfig {
            image: image.clone(),
            ..(*command.template).clone()
        };
        Some(Run {
            config: StoredConfig::from_config(&config, self.lineage).digest(),
            image,
            guest: self.guest(what, command),
            region: written
                .or_else(|| self.inherited_region())
                .unwrap_or_else(Region::unknown),
            region_is_inherited,
        })
    }

    /// The refusal of a command without an image, unless a group already has it.
    fn no_image(&self, what: OnceKind) -> Option<Note> {
        let refused = |note: &Note| note.code == codes::NO_IMAGE.name();
        let mut decisions = self.decisions.values();
        if decisions.any(|d| d.refusal.as_ref().is_some_and(refused)) {
            return None;
        }
        let of = format!("the {}", what.as_str());
        Some(match running::running_image(self.members()) {
            RunningImage::Several(images) => group_notes::two_images_of(&of, &images),
            RunningImage::Single { .. } | RunningImage::Nothing => group_notes::no_image_of(&of),
        })
    }

    /// The Machines of the default group; of every group if it has none.
    fn members(&self) -> Vec<&Member<'a>> {
        let default = self.desired.rollout.default_group.as_ref();
        let own = default.and_then(|name| self.decisions.get(name));
        match own {
            Some(decision) if !decision.members.is_empty() => decision.members.iter().collect(),
            _ => self.decisions.values().flat_map(|d| &d.members).collect(),
        }
    }

    fn image(&self) -> Option<String> {
        if !self.desired.profile().runs_images {
            return None;
        }
        let default = self.desired.rollout.default_group.as_ref();
        let default = default.and_then(|name| self.desired.groups.get(name));
        let groups = default.into_iter().chain(self.desired.groups.values());
        let mut written = groups.filter_map(|group| group.template.image.as_ref());
        if let Some(image) = self.desired.image.as_ref().or_else(|| written.next()) {
            return Some(image.clone());
        }
        match running::running_image(self.members()) {
            RunningImage::Single { image, .. } => Some(image),
            RunningImage::Several(_) | RunningImage::Nothing => None,
        }
    }

    fn inherited_region(&self) -> Option<Region> {
        let first = self.members().into_iter().map(|member| member.region);
        let created = self.decisions.values().flat_map(|d| &d.creates);
        first.chain(created).next().cloned()
    }

    /// The written size, else that of the Machine with most memory.
    fn guest(&self, what: OnceKind, command: &OnceCommand) -> Option<Box<Guest>> {
        if !self.desired.profile().runs_images {
            return None;
        }
        let release = self.desired.rollout.release_command.as_deref();
        let written = command.guest.as_ref().or_else(|| match what {
            OnceKind::Verify => release?.guest.as_ref(),
            OnceKind::ReleaseCommand => None,
        });
        let members = self.members();
        let guests = members
            .iter()
            .filter_map(|member| member.observed?.config.as_deref()?.guest.as_ref());
        let largest = guests.max_by_key(|guest| guest.memory_mb);
        let guest = written.or(largest).cloned();
        let default = || Some(sizes::find(DEFAULT_SIZE)?.guest());
        let mut guest = guest.or_else(default)?;
        if command.host_dedication_id.is_some() {
            guest
                .host_dedication_id
                .clone_from(&command.host_dedication_id);
        }
        Some(Box::new(guest))
    }

    fn newest_complete(&self) -> u64 {
        let newest = releases::complete_releases(self.known).next();
        newest.map_or(0, |release| release.release)
    }

    fn launch(&self, config: &ConfigDigest, slot: u32) -> LaunchId {
        let group = OnceKind::ReleaseCommand.group();
        LaunchId::derive_once(self.lineage, self.newest_complete(), &group, config, slot)
    }

    /// The Machines that ran this command since the newest complete release, by slot.
    fn machines_of(&self, config: &ConfigDigest) -> Vec<(u32, LaunchId, &'p Machine)> {
        let Some(observed) = self.observed else {
            return Vec::new();
        };
        let machines: BTreeMap<&str, &Machine> = observed
            .once
            .iter()
            .filter_map(|machine| Some((machine.name.launch_suffix()?, machine)))
            .collect();
        let slots = u32::try_from(machines.len()).unwrap_or(u32::MAX);
        (0..slots.saturating_add(MORE_SLOTS))
            .filter_map(|slot| {
                let launch = self.launch(config, slot);
                let machine = *machines.get(launch.as_str())?;
                Some((slot, launch, machine))
            })
            .collect()
    }

    /// The newest run of this command since the newest complete release, as far as a Machine or this host's journal
    /// shows it: its slot, and its Machine.
    fn newest_run(&self, config: &ConfigDigest) -> Option<(u32, LaunchId, Option<&'p Machine>)> {
        let seen = self.machines_of(config).pop();
        let from = seen.as_ref().map_or(0, |(slot, ..)| slot + 1);
        let (ended, started) = (&self.options.ended_once, &self.options.started_once);
        let mut newest = seen.map(|(slot, launch, machine)| (slot, launch, Some(machine)));
        for slot in from..from.saturating_add(MORE_SLOTS) {
            let launch = self.launch(config, slot);
            if ended.contains(&launch) || started.contains(&launch) {
                newest = Some((slot, launch, None));
            }
        }
        newest
    }

    fn free_slot(&self, config: &ConfigDigest) -> u32 {
        self.newest_run(config).map_or(0, |(slot, ..)| slot + 1)
    }

    /// What happened to the newest run of this command since the newest complete release.
    fn earlier(&self, config: &ConfigDigest) -> Earlier<'p> {
        let newest = self.newest_complete();
        let mut releases = self.known.releases.iter();
        let noted = releases.any(|release| {
            release.release > newest && release.release_command.as_ref() == Some(config)
        });
        let Some((slot, launch, machine)) = self.newest_run(config) else {
            return if noted {
                Earlier::Ended
            } else {
                Earlier::None(0)
            };
        };
        let outcome = machine.map_or(OnceOutcome::Unknown, outcome_of);
        match outcome {
            OnceOutcome::Exited(exit) if exit.is_success() => match machine {
                // Where Machines do not destroy themselves the step does what the earlier run left.
                Some(machine) if !machine.state.is_gone() && !self.runs_again() => {
                    Earlier::Open(machine, launch)
                }
                Some(_) | None => Earlier::Ended,
            },
            _ if self.options.ended_once.contains(&launch) => Earlier::Ended,
            OnceOutcome::Exited(_) | OnceOutcome::NeverStarted => Earlier::None(slot + 1),
            OnceOutcome::Open => match machine {
                Some(machine) => Earlier::Open(machine, launch),
                None => Earlier::Unknown(None, slot + 1),
            },
            OnceOutcome::Unknown if noted => Earlier::Ended,
            OnceOutcome::Unknown => Earlier::Unknown(machine, slot + 1),
        }
    }
}

fn has_changes(decision: &GroupDecision<'_>) -> bool {
    !decision.creates.is_empty()
        || !decision.standbys.is_empty()
        || decision.config_changes().next().is_some()
        || !decision.removed.is_empty()
}

/// What a Machine says about the command that it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnceOutcome {
    /// It runs, or was not started yet.
    Open,
    /// It ended.
    Exited(Exit),
    /// It is gone and was never started.
    NeverStarted,
    /// It is down or gone, and no event says how it ended.
    Unknown,
}

/// What a Machine says about its command, by its newest exit after its last start.
pub fn outcome_of(machine: &Machine) -> OnceOutcome {
    let kinds = || machine.events.iter().map(|event| event.kind);
    for kind in kinds() {
        match kind {
            ProcessEventKind::Exited(exit) => return OnceOutcome::Exited(exit),
            ProcessEventKind::Started => break,
            ProcessEventKind::StopRequested
            | ProcessEventKind::Changed
            | ProcessEventKind::Other => {}
        }
    }
    let started = kinds().any(|kind| kind == ProcessEventKind::Started);
    match machine.state {
        MachineState::Destroying | MachineState::Destroyed => {
            if started || machine.events.is_empty() {
                OnceOutcome::Unknown
            } else {
                OnceOutcome::NeverStarted
            }
        }
        MachineState::Stopped | MachineState::Suspended | MachineState::Failed if started => {
            OnceOutcome::Unknown
        }
        MachineState::Failed => OnceOutcome::NeverStarted,
        MachineState::Created
        | MachineState::Starting
        | MachineState::Started
        | MachineState::Stopping
        | MachineState::Stopped
        | MachineState::Suspending
        | MachineState::Suspended
        | MachineState::Replacing
        | MachineState::Unknown => OnceOutcome::Open,
    }
}

/// Whether its command may be at work.
pub fn is_running(state: MachineState) -> bool {
    match state {
        MachineState::Starting
        | MachineState::Started
        | MachineState::Stopping
        | MachineState::Suspending
        | MachineState::Replacing
        | MachineState::Unknown => true,
        MachineState::Created
        | MachineState::Stopped
        | MachineState::Suspended
        | MachineState::Failed
        | MachineState::Destroying
        | MachineState::Destroyed => false,
    }
}
