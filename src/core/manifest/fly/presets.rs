//! The sizes that Fly sells by name (facts/fly-platform.toml).

use crate::core::fleet::config::Guest;

/// Name, kind of CPU, number of CPUs, memory in MiB, GPU.
type Preset = (&'static str, &'static str, u32, u32, Option<&'static str>);

const PRESETS: [Preset; 18] = [
    ("shared-cpu-1x", "shared", 1, 256, None),
    ("shared-cpu-2x", "shared", 2, 512, None),
    ("shared-cpu-4x", "shared", 4, 1024, None),
    ("shared-cpu-6x", "shared", 6, 1536, None),
    ("shared-cpu-8x", "shared", 8, 2048, None),
    ("performance-1x", "performance", 1, 2048, None),
    ("performance-2x", "performance", 2, 4096, None),
    ("performance-4x", "performance", 4, 8192, None),
    ("performance-6x", "performance", 6, 12288, None),
    ("performance-8x", "performance", 8, 16384, None),
    ("performance-10x", "performance", 10, 20480, None),
    ("performance-12x", "performance", 12, 24576, None),
    ("performance-14x", "performance", 14, 28672, None),
    ("performance-16x", "performance", 16, 32768, None),
    ("a100-40gb", "performance", 8, 32768, Some("a100-pcie-40gb")),
    ("a100-80gb", "performance", 8, 32768, Some("a100-sxm4-80gb")),
    ("l40s", "performance", 8, 32768, Some("l40s")),
    ("a10", "performance", 8, 32768, Some("a10")),
];

/// The CPU and memory of a size.
pub(super) fn preset(name: &str) -> Option<Guest> {
    let (_, kind, cpus, memory, gpu) = PRESETS.iter().find(|preset| preset.0 == name)?;
    Some(Guest {
        cpu_kind: Some((*kind).to_owned()),
        cpus: Some(*cpus),
        memory_mb: Some(*memory),
        gpu_kind: gpu.map(str::to_owned),
        gpus: gpu.map(|_| 1),
        ..Guest::default()
    })
}

/// All names.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|preset| preset.0)
}
