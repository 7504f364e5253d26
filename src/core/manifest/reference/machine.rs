//! Sections about a Machine: size, volume, restart policy, metrics.

use super::{FlyKey, FlySection, key, passed_through};

const PROCESSES: FlyKey = key("processes", "groups", "groups that it applies to");

const SIZE: FlyKey = key(
    "size",
    "name of a size",
    "`guest.cpu_kind`, `cpus`, `memory_mb`; default `shared-cpu-1x`, with a GPU `performance-8x`",
);
const MEMORY: FlyKey = key(
    "memory",
    "`\"512mb\"`, `\"1gb\"`; a plain number is MiB",
    "`guest.memory_mb`, overrides the size",
);
const CPU_KIND: FlyKey = key(
    "cpu_kind",
    "`\"shared\"` or `\"performance\"`",
    "`guest.cpu_kind`, overrides the size",
);
const CPUS: FlyKey = key("cpus", "number", "`guest.cpus`, overrides the size");
const MEMORY_MB: FlyKey = key("memory_mb", "MiB", "`guest.memory_mb`; overrides `memory`");
const MAX_MEMORY: FlyKey = key("max_memory_mb", "MiB", "`guest.max_memory_mb`");
const GPU_KIND: FlyKey = key("gpu_kind", "string", "`guest.gpu_kind`");
const GPUS: FlyKey = key("gpus", "number", "`guest.gpus`");
const HOST: FlyKey = key(
    "host_dedication_id",
    "string",
    "`guest.host_dedication_id`; overrides the top-level key",
);
const KERNEL_ARGS: FlyKey = key(
    "kernel_args",
    "list of words",
    "`guest.kernel_args`; flyctl too rejects a string, although the docs show one",
);
const ROOTFS: FlyKey = key("persist_rootfs", "string", "`guest.persist_rootfs`");

const VM: &[FlyKey] = &[
    SIZE,
    MEMORY,
    CPU_KIND,
    CPUS,
    MEMORY_MB,
    MAX_MEMORY,
    GPU_KIND,
    GPUS,
    HOST,
    KERNEL_ARGS,
    ROOTFS,
    PROCESSES,
];

pub(super) const RELEASE_VM: &[FlyKey] = &[
    SIZE,
    MEMORY,
    CPU_KIND,
    CPUS,
    MEMORY_MB,
    MAX_MEMORY,
    GPU_KIND,
    GPUS,
    HOST,
    KERNEL_ARGS,
    ROOTFS,
    PROCESSES,
];

const MOUNTS: &[FlyKey] = &[
    key("source", "name of a volume", "`mounts[].name`; required"),
    key("destination", "path", "`mounts[].path`; required"),
    key(
        "initial_size",
        "`\"10gb\"`; a plain number is GB",
        "size of new volumes; at least 1 GB",
    ),
    key("snapshot_retention", "days, 1 to 60", "of new volumes"),
    key("scheduled_snapshots", "true or false", "of new volumes"),
    key(
        "auto_extend_size_threshold",
        "percent, 50 to 99",
        "`mounts[].extend_threshold_percent`",
    ),
    key(
        "auto_extend_size_increment",
        "1 to 100 GB",
        "`mounts[].add_size_gb`",
    ),
    key(
        "auto_extend_size_limit",
        "1 to 500 GB",
        "`mounts[].size_gb_limit`",
    ),
    PROCESSES,
];

const RESTART: &[FlyKey] = &[
    key(
        "policy",
        "`\"always\"`, `\"on-failure\"` or `\"never\"`",
        "`restart.policy`; `never` becomes `no`",
    ),
    key("retries", "number", "`restart.max_retries`"),
    PROCESSES,
];

const METRICS: &[FlyKey] = &[
    key("port", "port", "`metrics.port`"),
    key("path", "path", "`metrics.path`"),
    passed_through("https", "true or false", "`metrics.https`"),
    PROCESSES,
];

pub(super) const SECTIONS: &[FlySection] = &[
    FlySection {
        path: "vm",
        syntax: "`[[vm]]` or one `[vm]`, formerly `compute` and `computes`",
        about: "The groups of `processes`; without it every group that no other entry names. Of \
                several entries that name a group the last one applies, of several without \
                `processes` the first. Without any, a Machine keeps its size.",
        keys: VM,
    },
    FlySection {
        path: "mounts",
        syntax: "`[[mounts]]` or one `[mounts]`, formerly `mount`",
        about: "The groups of `processes`; without it the default group. A Machine can have one: two \
                for a group are an error.",
        keys: MOUNTS,
    },
    FlySection {
        path: "restart",
        syntax: "`[[restart]]`",
        about: "The groups of `processes`; without it the default group only, with a warning if there \
                are others. The last entry applies.",
        keys: RESTART,
    },
    FlySection {
        path: "metrics",
        syntax: "`[[metrics]]` or one `[metrics]`, formerly `metric`",
        about: "The groups of `processes`; without it the default group. The first entry applies.",
        keys: METRICS,
    },
];
