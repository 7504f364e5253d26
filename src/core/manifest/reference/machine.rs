//! What a Machine is: its size, its volume, how it ends, what is scraped.

use super::{FlyKey, FlySection, key, passed_through};

const PROCESSES: FlyKey = key("processes", "groups", "which groups have it");

const SIZE: FlyKey = key(
    "size",
    "name of a size",
    "`guest.cpu_kind`, `cpus`, `memory_mb`; else `shared-cpu-1x`, with a GPU `performance-8x`",
);
const MEMORY: FlyKey = key(
    "memory",
    "`\"512mb\"`, `\"1gb\"`; a number counts MiB",
    "`guest.memory_mb`, instead of the size's",
);
const CPU_KIND: FlyKey = key(
    "cpu_kind",
    "`\"shared\"` or `\"performance\"`",
    "`guest.cpu_kind`, instead of the size's",
);
const CPUS: FlyKey = key("cpus", "number", "`guest.cpus`, instead of the size's");
const MEMORY_MB: FlyKey = key("memory_mb", "MiB", "`guest.memory_mb`; beats `memory`");
const MAX_MEMORY: FlyKey = key("max_memory_mb", "MiB", "`guest.max_memory_mb`");
const GPU_KIND: FlyKey = key("gpu_kind", "text", "`guest.gpu_kind`");
const GPUS: FlyKey = key("gpus", "number", "`guest.gpus`");
const HOST: FlyKey = key(
    "host_dedication_id",
    "text",
    "`guest.host_dedication_id`; beats the top-level key",
);
const KERNEL_ARGS: FlyKey = key(
    "kernel_args",
    "list of words",
    "`guest.kernel_args`; a text, as the docs show it, is refused by flyctl as well",
);
const ROOTFS: FlyKey = key("persist_rootfs", "text", "`guest.persist_rootfs`");

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
    key(
        "source",
        "name of a volume",
        "`mounts[].name`; has to be there",
    ),
    key("destination", "path", "`mounts[].path`; has to be there"),
    key(
        "initial_size",
        "`\"10gb\"`; a number counts GB",
        "size of volumes that are created; at least 1 GB",
    ),
    key(
        "snapshot_retention",
        "days, 1 to 60",
        "of volumes that are created",
    ),
    key(
        "scheduled_snapshots",
        "true or false",
        "of volumes that are created",
    ),
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
        "`restart.policy`; `never` is `no` there",
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
        syntax: "`[[vm]]` or one `[vm]`, of old `compute` and `computes`",
        about: "The groups of `processes`; without it every group that no other entry names. Of \
                several entries that name a group the last one counts, of several that name none \
                the first. Without any, a Machine keeps the size that it has.",
        keys: VM,
    },
    FlySection {
        path: "mounts",
        syntax: "`[[mounts]]` or one `[mounts]`, of old `mount`",
        about: "The groups of `processes`; without it the default group. A Machine takes one: two \
                of a group are an error.",
        keys: MOUNTS,
    },
    FlySection {
        path: "restart",
        syntax: "`[[restart]]`",
        about: "The groups of `processes`; without it the default group only, which is warned about \
                where there are others. The last one counts.",
        keys: RESTART,
    },
    FlySection {
        path: "metrics",
        syntax: "`[[metrics]]` or one `[metrics]`, of old `metric`",
        about: "The groups of `processes`; without it the default group. The first one counts.",
        keys: METRICS,
    },
];
