//! The waves of a group below its changes: which Machines change together, what each waits for, and how many serve at
//! least.
//!
//! Where all serve, the line of the strategy says the waves; only who is first, the gate and the last line are added.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::ids;
use crate::core::fleet::Region;
use crate::core::plan::{GateKind, GroupChange, LowestServing, StepId, Wake, Wave, WaveName};
use crate::core::view::change_bundle::{ChangeBundle, MachineChange};
use crate::core::view::line::{Line, LineWriter, display_width};
use crate::core::view::outline::Section;
use crate::core::view::phrases;
use crate::core::view::style::Label;
use crate::core::view::waves;

/// Maximum ids per region and wave.
const MAX_IDS: usize = 8;
/// Maximum checks named.
const MAX_CHECKS: usize = 3;

/// The waves of a section.
pub(super) struct WaveBlock<'s, 'a> {
    group: &'a GroupChange,
    waves: Vec<(&'a Wave, Vec<&'s MachineChange<'a>>)>,
    lowest: Option<&'a LowestServing>,
}

impl<'s, 'a> WaveBlock<'s, 'a> {
    /// The waves and what serves at least; none if there is nothing to say.
    pub(super) fn of(section: &'s Section<'a>) -> Option<Self> {
        let group = section.group?;
        let machines: BTreeMap<StepId, &MachineChange<'_>> = section
            .bundles
            .iter()
            .flat_map(|bundle| &bundle.machines)
            .map(|item| (item.first_step, item))
            .collect();
        let waves = group.waves.iter().map(|wave| {
            let steps = wave.steps.iter();
            let own: Vec<_> = steps
                .filter_map(|step| machines.get(step).copied())
                .collect();
            (wave, own)
        });
        let waves: Vec<_> = waves.filter(|(_, own)| !own.is_empty()).collect();
        let lowest = group.lowest_serving.as_ref();
        let lowest = lowest.filter(|lowest| lowest.of > 0 && section.takes_down());
        (!waves.is_empty() || lowest.is_some()).then_some(Self {
            group,
            waves,
            lowest,
        })
    }

    /// Whether all its Machines have this change, so that the waves stand in place of its ids.
    pub(super) fn is_of(&self, bundle: &ChangeBundle<'_>) -> bool {
        let steps = bundle.machines.iter().map(|item| item.first_step);
        let steps: BTreeSet<StepId> = steps.collect();
        let own = self.waves.iter().flat_map(|(_, own)| own);
        let own: BTreeSet<StepId> = own.map(|item| item.first_step).collect();
        steps == own
    }

    /// Whether its waves name every Machine.
    pub(super) fn names_machines(&self) -> bool {
        let of_strategy = |name: WaveName| match name {
            WaveName::First | WaveName::Running | WaveName::All => true,
            WaveName::ToStartAgain | WaveName::Down | WaveName::Unproven | WaveName::Stopped => {
                false
            }
        };
        let plain = |(wave, own): &(&Wave, Vec<_>)| of_strategy(wave.name) && woken(own).is_none();
        // Several that run are the regions of `order`.
        let running = |(wave, _): &&(&Wave, Vec<_>)| wave.name == WaveName::Running;
        self.waves.iter().filter(running).count() > 1 || !self.waves.iter().all(plain)
    }

    /// Writes the waves, the gate, and how many serve.
    pub(super) fn write(&self, indent: usize, page: &mut LineWriter<'_>) -> fmt::Result {
        if page.detail.ids && self.names_machines() {
            self.write_waves(indent, page)?;
        } else if page.detail.ids {
            self.write_gate(indent, page)?;
        }
        self.lowest
            .map_or(Ok(()), |lowest| page.line(&serving_line(lowest, indent)))
    }

    /// The same behind several changes, each of which lists its Machines.
    pub(super) fn write_after(&self, page: &mut LineWriter<'_>) -> fmt::Result {
        if !self.names_machines() || !page.detail.ids {
            return self.write(4, page);
        }
        page.line(&Line::new(4).plain("in this order:"))?;
        self.write(8, page)
    }

    fn write_waves(&self, indent: usize, page: &mut LineWriter<'_>) -> fmt::Result {
        let heads: Vec<String> = self.waves.iter().map(head).collect();
        let head_width = heads.iter().map(String::len).max().unwrap_or(0);
        let column = indent + head_width + 2;
        let room = page.style.width.saturating_sub(column);
        let ids: Vec<String> = self
            .waves
            .iter()
            .map(|(_, own)| {
                page.marks_standbys |= own.iter().any(|item| item.is_standby());
                ids_within(own, room, page.style.verbose)
            })
            .collect();
        let texts: Vec<String> = (0..self.waves.len()).map(|at| self.text(at)).collect();
        let widest = |texts: &[String]| texts.iter().map(|text| display_width(text)).max();
        let ids_width = widest(&ids).unwrap_or(0);
        let beside = ids_width + 2 + widest(&texts).unwrap_or(0) <= room;
        for ((head, ids), text) in heads.iter().zip(&ids).zip(&texts) {
            let line = Line::new(indent)
                .hang(column)
                .plain(head)
                .pad_to_column(column)
                .plain(ids);
            if text.is_empty() {
                page.line(&line)?;
            } else if beside {
                let line = line.pad_to_column(column + ids_width + 2);
                page.line(&line.push(Label::Dim, text))?;
            } else {
                page.line(&line)?;
                page.line(&Line::new(column).push(Label::Dim, text))?;
            }
        }
        Ok(())
    }

    /// What a wave waits for: `alone: up 10s and check /up passing, at most 5m`.
    fn text(&self, at: usize) -> String {
        let (wave, own) = &self.waves[at];
        let is_alone = wave.first_alone || wave.name == WaveName::First;
        let prefix = match (own.len(), at) {
            (1, 0) if is_alone => "first and alone",
            (1, _) if is_alone => "alone",
            (2.., _) if wave.first_alone => "one, then the others",
            (_, _) => "",
        };
        let text = match (&wave.reason, woken(own)) {
            (Some(reason), _) => reason.clone(),
            (None, Some(then)) => {
                let then = match then {
                    Wake::LeaveToProxy => "stays started",
                    Wake::StopAgain => "is stopped again",
                };
                format!("started, {}; then it {then}", self.gate_text(wave, 1))
            }
            (None, None) => self.gate_text(wave, own.len()),
        };
        match (prefix, text.as_str()) {
            ("", text) => text.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, text) => format!("{prefix}: {text}"),
        }
    }

    fn gate_text(&self, wave: &Wave, machines: usize) -> String {
        let one = machines == 1;
        if wave.name == WaveName::Stopped {
            let stay = if one { "stays stopped" } else { "stay stopped" };
            let checks = match (self.group.checks.len(), one) {
                (0, _) => "",
                (1, true) => ", its check does not run",
                (_, true) => ", its checks do not run",
                (_, false) => ", their checks do not run",
            };
            return format!("{stay}{checks}");
        }
        let Some(gate) = self.gate(wave.gate) else {
            return String::new();
        };
        let each = if one || wave.first_alone { "" } else { " each" };
        format!("{gate}{each}")
    }

    /// `up 10s and check /up passing, at most 5m`.
    fn gate(&self, gate: GateKind) -> Option<String> {
        let up = self.group.steady_ms.map(phrases::human_duration);
        let up = up.map(|time| format!("up {time}"));
        let text = match gate {
            GateKind::Healthy => {
                let checks = checks_text(&self.group.checks);
                up.map_or_else(|| checks.clone(), |up| format!("{up} and {checks}"))
            }
            GateKind::Started => up.unwrap_or_else(|| "started".to_owned()),
            GateKind::None | GateKind::Settled | GateKind::Gone | GateKind::Ended => return None,
        };
        let at_most = self.group.wait_timeout_ms.map_or_else(String::new, |ms| {
            format!(", at most {}", phrases::human_duration(ms))
        });
        Some(format!("{text}{at_most}"))
    }

    /// `148ed599c14189 first; waits for each: up 10s and check /up passing, at most 5m`. Nothing where a start is all
    /// that is waited for.
    fn write_gate(&self, indent: usize, page: &mut LineWriter<'_>) -> fmt::Result {
        let Some((wave, own)) = self.waves.first() else {
            return Ok(());
        };
        let machines: usize = self.waves.iter().map(|(_, own)| own.len()).sum();
        let only_starts = wave.gate == GateKind::Started && self.group.steady_ms.is_none();
        let Some(gate) = self.gate(wave.gate).filter(|_| !only_starts) else {
            return Ok(());
        };
        let is_first = wave.first_alone || wave.name == WaveName::First;
        let first = own.first().and_then(|item| item.id());
        let first = first.filter(|_| is_first && machines > 1);
        let text = match first {
            Some(first) => format!("{first} first; waits for each: {gate}"),
            None if machines > 1 => format!("waits for each: {gate}"),
            None => format!("waits until {gate}"),
        };
        page.line(&Line::new(indent).push(Label::Dim, text))
    }
}

fn head((wave, own): &(&Wave, Vec<&MachineChange<'_>>)) -> String {
    let n = phrases::group_digits(own.len());
    let what = match woken(own) {
        Some(_) => waves::machines(WaveName::Stopped),
        None => waves::machines(wave.name),
    };
    format!("{n} {what}")
}

/// What happens to the one that is started for its gate.
fn woken(own: &[&MachineChange<'_>]) -> Option<Wake> {
    own.iter().find_map(|item| item.change.wake)
}

/// `check /up passing`.
fn checks_text(checks: &[String]) -> String {
    match checks {
        [] => "checks passing".to_owned(),
        [one] => format!("check {one} passing"),
        several if several.len() <= MAX_CHECKS => format!("checks {} passing", several.join(", ")),
        many => format!("{} passing", phrases::count_noun(many.len(), "check")),
    }
}

/// `gru 148ed… 6e82… · bog 3d8d…`, with as many ids as fit.
fn ids_within(own: &[&MachineChange<'_>], columns: usize, verbose: bool) -> String {
    let mut regions: BTreeMap<&Region, Vec<String>> = BTreeMap::new();
    for item in own {
        let ids = regions.entry(&item.change.region).or_default();
        ids.extend(
            item.id()
                .map(|id| ids::marked(id.as_str(), item.is_standby())),
        );
    }
    let text = |limit: usize| {
        let regions = regions.iter().map(|(region, ids)| {
            let more = match ids.len().saturating_sub(limit) {
                0 => String::new(),
                more => format!(" + {} more", phrases::group_digits(more)),
            };
            let shown = ids[..ids.len().min(limit)].join(" ");
            format!("{region} {shown}{more}")
        });
        regions.collect::<Vec<_>>().join(" · ")
    };
    if verbose {
        return text(usize::MAX);
    }
    let fits = (1..=MAX_IDS).rev().map(text);
    fits.into_iter()
        .find(|text| display_width(text) <= columns)
        .unwrap_or_else(|| text(1))
}

/// `at least 4 of 6 serve (ams 2 of 4, gru 1 of 2)`; a warning where nothing does.
pub(in crate::core::view) fn serving_line(lowest: &LowestServing, indent: usize) -> Line {
    let is_outage = lowest.machines == 0 || lowest.regions.values().any(|(least, _)| *least == 0);
    let label = if is_outage {
        Label::Warning
    } else {
        Label::Dim
    };
    Line::new(indent).push(label, serving_text(lowest))
}

/// How many serve at least, in the group and in each of its regions.
pub(in crate::core::view) fn serving_text(lowest: &LowestServing) -> String {
    let regions = lowest.regions.iter();
    let regions = regions.map(|(region, (least, of))| format!("{region} {least} of {of}"));
    let regions: Vec<String> = regions.filter(|_| lowest.regions.len() > 1).collect();
    let regions = match regions.as_slice() {
        [] => String::new(),
        regions => format!(" ({})", regions.join(", ")),
    };
    format!(
        "at least {} of {} serve{regions}",
        phrases::group_digits(lowest.machines as usize),
        phrases::group_digits(lowest.of as usize)
    )
}
