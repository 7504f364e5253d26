//! Parses the fault file (docs/emulator.md).

use std::time::Duration;

use jiff::SignedDuration;
use serde::Deserialize;

use super::world::{ACTIONS, ExitsAfter, Fault, FaultEffect, RefusalKind};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultFile {
    #[serde(default)]
    fault: Vec<FaultEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultEntry {
    on: String,
    effect: String,
    group: Option<String>,
    machine: Option<String>,
    nth: Option<u32>,
    times: Option<u32>,
    chance: Option<f64>,
    status: Option<u16>,
    message: Option<String>,
    code: Option<i32>,
    signal: Option<i32>,
    oom_killed: Option<bool>,
    restarts: Option<u32>,
    region: Option<String>,
    field: Option<String>,
    #[serde(rename = "for")]
    lasts: Option<String>,
}

/// Parses the file.
///
/// # Errors
/// A message for people.
pub fn parse_faults(text: &str) -> Result<Vec<Fault>, String> {
    let file: FaultFile = toml::from_str(text).map_err(|error| error.to_string())?;
    let numbered = file.fault.iter().zip(1..);
    numbered
        .map(|(entry, number)| {
            let place = |what| format!("fault {number}: {what}");
            entry.fault().map_err(place)
        })
        .collect()
}

impl FaultEntry {
    fn fault(&self) -> Result<Fault, String> {
        if !ACTIONS.contains(&self.on.as_str()) {
            let (unknown, all) = (&self.on, ACTIONS.join(", "));
            return Err(format!(
                "there is no action `{unknown}`; the actions are {all}"
            ));
        }
        let mut fault = Fault::on(&self.on, self.effect()?);
        if let Some(group) = &self.group {
            fault = fault.in_group(group);
        }
        if let Some(machine) = &self.machine {
            fault = fault.of_machine(machine);
        }
        if let Some(nth) = self.nth {
            fault = fault.nth(nth);
        }
        let endless = self.chance.map(|_| u32::MAX);
        if let Some(times) = self.times.or(endless) {
            fault = fault.times(times);
        }
        if let Some(chance) = self.chance {
            fault = fault.chance(per_mille(chance)?);
        }
        Ok(fault)
    }

    fn effect(&self) -> Result<FaultEffect, String> {
        let lost = self.status(500, &[408, 500, 502, 503, 504]);
        Ok(match self.effect.as_str() {
            "refuse" => FaultEffect::Refuse {
                status: self.status.unwrap_or(400),
                message: self.message.clone().unwrap_or_else(|| "refused".to_owned()),
            },
            "no-room" => FaultEffect::NoRoom {
                message: self.message.clone(),
            },
            "no-capacity" => FaultEffect::Refusal(RefusalKind::Capacity),
            "quota" => FaultEffect::Refusal(RefusalKind::Quota),
            "machine-limit" => FaultEffect::Refusal(RefusalKind::MachineLimit),
            "image-unknown" => FaultEffect::Refusal(RefusalKind::ImageUnknown),
            "name-taken" => FaultEffect::Refusal(RefusalKind::NameTaken),
            "rate-limited" => FaultEffect::RateLimited {
                retry_after: self.lasts(1)?,
            },
            "lose-before" => FaultEffect::LoseBefore { status: lost? },
            "lose-after" => FaultEffect::LoseAfter { status: lost? },
            "break-before" => FaultEffect::BreakBefore,
            "break-after" => FaultEffect::BreakAfter,
            "slow-answer" => FaultEffect::SlowAnswer(self.lasts(10)?),
            "slow-start" => FaultEffect::SlowStart(self.lasts(30)?),
            "ends" => FaultEffect::ExitsAtOnce(self.code.unwrap_or(0)),
            "exits-after" => FaultEffect::ExitsAfter(ExitsAfter {
                after: self.lasts(2)?,
                code: self.code.unwrap_or(1),
                signal: self.signal,
                oom_killed: self.oom_killed == Some(true),
                restarts: self.restarts,
            }),
            "stopped-after" => FaultEffect::StoppedAfter(self.lasts(2)?),
            "reverts" => FaultEffect::Reverts,
            "starts-stopped" => FaultEffect::StartsStopped,
            "stays-created" => FaultEffect::StaysCreated,
            "wrong-region" => {
                FaultEffect::WrongRegion(self.region.clone().unwrap_or_else(|| "emu".to_owned()))
            }
            "fail-start" => FaultEffect::FailStart,
            "checks-never-pass" => FaultEffect::ChecksNeverPass,
            "list-lag" => FaultEffect::ListLag(self.lasts(5)?),
            "empty-list" => FaultEffect::EmptyList,
            "omits" => {
                let field = self.field.clone().filter(|field| !field.is_empty());
                FaultEffect::Omits(
                    field.ok_or("`omits` needs `field`: the field that the response lacks")?,
                )
            }
            "host-unreachable" => FaultEffect::HostUnreachable { in_part: true },
            "host-migration" => FaultEffect::Migrates,
            "host-silent" => FaultEffect::HostUnreachable { in_part: false },
            "lease-held" => FaultEffect::LeaseHeld(self.lasts(20)?),
            unknown => return Err(format!("there is no effect `{unknown}`")),
        })
    }

    fn status(&self, usual: u16, known: &[u16]) -> Result<u16, String> {
        let status = self.status.unwrap_or(usual);
        let fits = known.contains(&status);
        fits.then_some(status)
            .ok_or_else(|| format!("`status` is {status}; a lost response has one of {known:?}"))
    }

    fn lasts(&self, usual: u64) -> Result<Duration, String> {
        let Some(text) = &self.lasts else {
            return Ok(Duration::from_secs(usual));
        };
        let parsed: Option<SignedDuration> = text.parse().ok();
        parsed
            .and_then(|lasts| Duration::try_from(lasts).ok())
            .ok_or_else(|| format!("`for` is `{text}`; use a duration like \"5s\" or \"300ms\""))
    }
}

fn per_mille(chance: f64) -> Result<u32, String> {
    if !(0.0..=1.0).contains(&chance) {
        return Err(format!("`chance` is {chance}; use a number from 0 to 1"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is from 0 to 1000"
    )]
    Ok((chance * 1000.0).round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_goes_wrong_and_a_mistake_in_it_is_named() {
        let text = "[[fault]]\non = \"create\"\neffect = \"lose-after\"\nstatus = 502\nnth = 2\n\
                    [[fault]]\non = \"get\"\neffect = \"slow-answer\"\nfor = \"300ms\"\nchance = 0.5\n\
                    [[fault]]\non = \"update\"\ngroup = \"web\"\neffect = \"no-room\"\ntimes = 1000\n";
        assert_eq!(parse_faults(text).unwrap().len(), 3);
        for (text, said) in [
            ("x = 1", "unknown field `x`"),
            (
                "[[fault]]\non = \"make\"\neffect = \"refuse\"",
                "no action `make`",
            ),
            (
                "[[fault]]\non = \"get\"\neffect = \"odd\"",
                "no effect `odd`",
            ),
            (
                "[[fault]]\non = \"get\"\neffect = \"lose-after\"\nstatus = 404",
                "is 404",
            ),
            (
                "[[fault]]\non = \"get\"\neffect = \"slow-start\"\nfor = \"x\"",
                "`for` is `x`",
            ),
            (
                "[[fault]]\non = \"app\"\neffect = \"omits\"",
                "needs `field`",
            ),
            (
                "[[fault]]\non = \"get\"\neffect = \"refuse\"\nchance = 7",
                "`chance` is 7",
            ),
        ] {
            let error = parse_faults(text).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
