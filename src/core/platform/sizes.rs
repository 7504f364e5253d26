//! VM sizes: named ones, and the rules for custom ones.

use super::data::{CPU_KINDS, SIZES};
use super::prices::Rates;
use crate::core::fleet::schema::Guest;

/// A kind of CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CpuKind {
    /// A share of a core.
    Shared,
    /// A dedicated core.
    Performance,
}

impl CpuKind {
    /// The platform's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Performance => "performance",
        }
    }
}

/// The rules for VMs of one CPU kind.
#[derive(Debug, Clone, Copy)]
pub struct CpuKindRules {
    /// The kind.
    pub kind: CpuKind,
    /// The allowed numbers of CPUs.
    pub cpus: &'static [u32],
    /// The minimum memory per CPU, MB.
    pub min_mb_per_cpu: u32,
    /// The maximum memory per CPU, MB.
    pub max_mb_per_cpu: u32,
    /// The step of memory sizes, MB.
    pub step_mb: u32,
    pub(super) rates: Rates,
}

/// A named size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VmSize {
    /// Its name (`shared-cpu-1x`).
    pub name: &'static str,
    /// The kind of its CPUs.
    pub kind: CpuKind,
    /// The number of CPUs.
    pub cpus: u32,
    /// The default memory, MB.
    pub memory_mb: u32,
    /// Its GPU; such sizes are discontinued.
    pub gpu: Option<&'static str>,
}

/// flyctl's default size (docs/platform/fly-toml.md 6).
pub const DEFAULT_SIZE: &str = "shared-cpu-1x";

/// flyctl's default size with a GPU.
pub const DEFAULT_GPU_SIZE: &str = "performance-8x";

/// All memory is a multiple of this, for every kind (from the API's documentation).
const MIN_STEP_MB: u32 = 256;

impl VmSize {
    /// The size as part of a Machine's config.
    pub fn guest(&self) -> Guest {
        Guest {
            cpu_kind: Some(self.kind.as_str().to_owned()),
            cpus: Some(self.cpus),
            memory_mb: Some(self.memory_mb),
            gpu_kind: self.gpu.map(str::to_owned),
            gpus: self.gpu.map(|_| 1),
            ..Guest::default()
        }
    }

    /// The maximum memory, MB.
    pub fn max_memory_mb(&self) -> u32 {
        rules_for(self.kind).max_mb_per_cpu * self.cpus
    }
}

/// All sizes, including discontinued ones.
pub fn all() -> impl Iterator<Item = &'static VmSize> {
    SIZES.iter()
}

/// The size with this name.
pub fn find(name: &str) -> Option<&'static VmSize> {
    SIZES.iter().find(|size| size.name == name)
}

/// The rules for a kind by its name.
pub fn find_rules(kind: &str) -> Option<&'static CpuKindRules> {
    CPU_KINDS.iter().find(|rules| rules.kind.as_str() == kind)
}

/// The rules for a kind.
pub fn rules_for(kind: CpuKind) -> &'static CpuKindRules {
    let found = CPU_KINDS.iter().find(|rules| rules.kind == kind);
    found.expect("every kind has its rules")
}

/// Formats memory for people: `512 MB`, `2 GB`.
pub fn format_memory(mb: u32) -> String {
    if mb >= 1024 && mb.is_multiple_of(1024) {
        format!("{} GB", mb / 1024)
    } else {
        format!("{mb} MB")
    }
}

/// The field of a size that is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeField {
    /// `cpu_kind`.
    Kind,
    /// `cpus`.
    Cpus,
    /// Memory, wherever it is written.
    Memory,
}

/// Why a size is invalid, and a valid alternative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SizeViolation {
    /// The invalid field.
    pub part: SizeField,
    /// The problem, for people.
    pub problem: String,
    /// The nearest valid value, for people.
    pub help: String,
    /// Only flyctl checks this; the platform may accept it.
    pub only_flyctl: bool,
}

/// Checks a size against the platform's rules. A missing field is valid, because the platform fills it in.
/// GPU sizes are not checked.
pub fn check_size(guest: &Guest) -> Option<SizeViolation> {
    if guest.gpu_kind.is_some() {
        return None;
    }
    let kind = guest.cpu_kind.as_deref()?;
    let Some(rules) = find_rules(kind) else {
        return Some(SizeViolation {
            part: SizeField::Kind,
            problem: format!("unknown CPU kind `{}`", kind.escape_debug()),
            help: "the kinds are `shared` and `performance`".to_owned(),
            only_flyctl: false,
        });
    };
    let cpus = guest.cpus?;
    if !rules.cpus.contains(&cpus) {
        return Some(SizeViolation {
            part: SizeField::Cpus,
            problem: format!("a VM cannot have {cpus} {kind} CPU{}", plural(cpus)),
            help: format!("the nearest {}", nearest_cpus(rules, cpus)),
            only_flyctl: false,
        });
    }
    check_memory(rules, cpus, guest.memory_mb?)
}

fn check_memory(rules: &CpuKindRules, cpus: u32, mb: u32) -> Option<SizeViolation> {
    let (min, max) = (cpus * rules.min_mb_per_cpu, cpus * rules.max_mb_per_cpu);
    let kind = rules.kind.as_str();
    let problem = if mb < min || mb > max {
        format!(
            "{cpus} {kind} CPU{} {} to {} of memory, not {}",
            if cpus == 1 { " takes" } else { "s take" },
            format_memory(min),
            format_memory(max),
            format_memory(mb)
        )
    } else if mb.is_multiple_of(rules.step_mb) {
        return None;
    } else {
        let step = format_memory(rules.step_mb);
        format!(
            "{} of memory is not a multiple of {step}",
            format_memory(mb)
        )
    };
    let below = (mb / rules.step_mb * rules.step_mb).clamp(min, max);
    let above = (below + rules.step_mb).clamp(min, max);
    let mut help = match (below, above) {
        _ if mb < min => format!("the minimum is {}", format_memory_toml(min)),
        _ if mb > max => format!("the maximum is {}", format_memory_toml(max)),
        (below, above) => format!(
            "the nearest are {} and {}",
            format_memory_toml(below),
            format_memory_toml(above)
        ),
    };
    if let Some(size) = smallest_for_memory(rules.kind, mb).filter(|size| size.cpus != cpus) {
        help = format!(
            "{help}; {} of memory fits `{}`",
            format_memory(mb),
            size.name
        );
    }
    Some(SizeViolation {
        part: SizeField::Memory,
        problem,
        help,
        only_flyctl: (min..=max).contains(&mb) && mb.is_multiple_of(MIN_STEP_MB),
    })
}

/// The size of this kind with the fewest CPUs that supports this much memory.
fn smallest_for_memory(kind: CpuKind, mb: u32) -> Option<&'static VmSize> {
    SIZES.iter().find(|size| {
        let fits = (size.memory_mb..=size.max_memory_mb()).contains(&mb);
        size.kind == kind
            && size.gpu.is_none()
            && fits
            && mb.is_multiple_of(rules_for(kind).step_mb)
    })
}

fn nearest_cpus(rules: &CpuKindRules, cpus: u32) -> String {
    let below = rules.cpus.iter().rev().find(|n| **n < cpus);
    let above = rules.cpus.iter().find(|n| **n > cpus);
    let both: Vec<String> = below.into_iter().chain(above).map(u32::to_string).collect();
    let verb = if both.len() == 1 { "is" } else { "are" };
    format!("{verb} {}", both.join(" and "))
}

/// Formats memory as in fly.toml, in quotes.
pub fn format_memory_toml(mb: u32) -> String {
    if mb.is_multiple_of(1024) {
        format!("\"{}gb\"", mb / 1024)
    } else {
        format!("\"{mb}mb\"")
    }
}

fn plural(n: u32) -> &'static str {
    if n == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: &str, cpus: u32, memory_mb: u32) -> Option<SizeViolation> {
        check_size(&Guest {
            cpu_kind: Some(kind.to_owned()),
            cpus: Some(cpus),
            memory_mb: Some(memory_mb),
            ..Guest::default()
        })
    }

    fn describe(kind: &str, cpus: u32, memory_mb: u32) -> String {
        let found = of(kind, cpus, memory_mb).unwrap();
        format!("{}; {}", found.problem, found.help)
    }

    #[test]
    fn every_size_with_a_name_fits() {
        for size in all() {
            assert_eq!(check_size(&size.guest()), None, "{}", size.name);
            if size.gpu.is_none() {
                assert_eq!(
                    size.memory_mb,
                    super::rules_for(size.kind).min_mb_per_cpu * size.cpus
                );
                assert_eq!(
                    check_size(&Guest {
                        memory_mb: Some(size.max_memory_mb()),
                        ..size.guest()
                    }),
                    None
                );
            }
        }
    }

    #[test]
    fn an_impossible_size_is_reported_with_the_nearest_possible_one() {
        insta::assert_snapshot!(describe("fast", 1, 256), @"unknown CPU kind `fast`; the kinds are `shared` and `performance`");
        insta::assert_snapshot!(describe("shared", 3, 768), @"a VM cannot have 3 shared CPUs; the nearest are 2 and 4");
        insta::assert_snapshot!(describe("shared", 16, 4096), @"a VM cannot have 16 shared CPUs; the nearest is 8");
        insta::assert_snapshot!(describe("shared", 4, 256), @r#"4 shared CPUs take 1 GB to 8 GB of memory, not 256 MB; the minimum is "1gb"; 256 MB of memory fits `shared-cpu-1x`"#);
        insta::assert_snapshot!(describe("shared", 1, 4096), @r#"1 shared CPU takes 256 MB to 2 GB of memory, not 4 GB; the maximum is "2gb"; 4 GB of memory fits `shared-cpu-2x`"#);
        insta::assert_snapshot!(describe("shared", 1, 500), @r#"500 MB of memory is not a multiple of 256 MB; the nearest are "256mb" and "512mb""#);
        insta::assert_snapshot!(describe("performance", 1, 512), @r#"1 performance CPU takes 2 GB to 8 GB of memory, not 512 MB; the minimum is "2gb""#);
    }

    #[test]
    fn a_step_that_only_flyctl_requires_is_distinguished() {
        assert!(of("performance", 1, 2304).unwrap().only_flyctl);
        assert!(!of("performance", 1, 2300).unwrap().only_flyctl);
        assert!(!of("shared", 1, 300).unwrap().only_flyctl);
        assert!(!of("shared", 4, 256).unwrap().only_flyctl);
    }
}
