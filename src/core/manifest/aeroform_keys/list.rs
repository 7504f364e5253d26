//! The list itself.

use super::super::rollout_settings::STRATEGIES;
use super::super::settings::PROVIDERS;
use super::{AeroformKey, AeroformTable, KeyRule, ValueType};
use crate::core::fleet::OnFailure;

const ON_FAILURE: &[&str] = &[
    OnFailure::ALL[0].0,
    OnFailure::ALL[1].0,
    OnFailure::ALL[2].0,
];

/// All tables, in the order of the page.
pub fn tables() -> &'static [AeroformTable] {
    TABLES
}

const TABLES: &[AeroformTable] = &[
    AeroformTable {
        path: "",
        heading: "Top level",
        about: "Write these keys above the first `[table]`.",
        keys: TOP,
        key_rule: KeyRule::No,
    },
    AeroformTable {
        path: "state",
        heading: "`[state]`",
        about: "Where the state file is. See [state-format.md](state-format.md) for what it holds.",
        keys: STATE,
        key_rule: KeyRule::AtMostOne(&["path", "url"]),
    },
    AeroformTable {
        path: "groups.*",
        heading: "`[groups.NAME]`",
        about: "One process group of fly.toml: how many Machines it has, and where. Without `[processes]` in \
                fly.toml the only group is `app`. A table for a group that fly.toml does not have is an error, \
                unless a `[[moved]]` renames that group.",
        keys: GROUP,
        key_rule: KeyRule::No,
    },
    AeroformTable {
        path: "groups.*.deploy",
        heading: "`[groups.NAME.deploy]`",
        about: "How changes of this group are applied. `strategy`, `max_unavailable` and `wait_timeout` override \
                those in `[deploy]` of fly.toml, see [fly-toml.md](fly-toml.md).",
        keys: GROUP_DEPLOY,
        key_rule: KeyRule::No,
    },
    AeroformTable {
        path: "groups.*.deploy.canary",
        heading: "`[groups.NAME.deploy.canary]`",
        about: "Settings of the canary of this group, see [rollouts.md](rollouts.md#canary).",
        keys: GROUP_CANARY,
        key_rule: KeyRule::No,
    },
    AeroformTable {
        path: "groups.*.local",
        heading: "`[groups.NAME.local]`",
        about: "Settings for provider `local` only.",
        keys: GROUP_LOCAL,
        key_rule: KeyRule::No,
    },
    AeroformTable {
        path: "moved",
        heading: "`[[moved]]`",
        about: "Renames a group, or moves a Machine to another group. The Machines get the config of their new group in \
                place; none is destroyed. Write `to`, and either `from` or `machine`.",
        keys: MOVED,
        key_rule: KeyRule::OneWith(&["from", "machine"], "to"),
    },
    AeroformTable {
        path: "removed",
        heading: "`[[removed]]`",
        about: "The Machine to destroy first when a group shrinks. The entry does not lower a written `count`; without a \
                `count` the group loses that Machine. It has no effect once the Machine is gone.",
        keys: REMOVED,
        key_rule: KeyRule::Required("machine"),
    },
    AeroformTable {
        path: "deploy",
        heading: "`[deploy]`",
        about: "How a release is applied, for all groups.",
        keys: DEPLOY,
        key_rule: KeyRule::No,
    },
    AeroformTable {
        path: "hold",
        heading: "`[hold]`",
        about: "The release that the app follows: while this table is here, images and configs are those of that release, \
                and counts and regions those of the files. `aeroform rollback` writes it, and `aeroform rollback --end` \
                removes it. See [going-back.md](going-back.md).",
        keys: HOLD,
        key_rule: KeyRule::Required("release"),
    },
    AeroformTable {
        path: "policy",
        heading: "`[policy]`",
        about: "Limits on every plan. A plan beyond a limit is shown and refused; no flag lifts the limit.",
        keys: POLICY,
        key_rule: KeyRule::No,
    },
];

const TOP: &[AeroformKey] = &[
    AeroformKey {
        name: "provider",
        value_type: ValueType::Word(&PROVIDERS),
        default: "`local`; must be written where a Fly token is set or an image is named",
        about: "Where Machines run: on Fly, or as processes of this computer. `--provider` overrides it. See \
                [providers.md](providers.md).",
        example: "provider = \"fly\"",
    },
    AeroformKey {
        name: "config",
        value_type: ValueType::Text,
        default: "the fly.toml that goes with the name of this file",
        about: "The fly.toml of this app, relative to the folder of this file. \
                [fly-toml.md](fly-toml.md#what-holds-everywhere) says which names go together.",
        example: "config = \"deploy/fly.toml\"",
    },
    AeroformKey {
        name: "image",
        value_type: ValueType::Text,
        default: "`[build] image` of fly.toml; without it, the running image",
        about: "The image of every group. `--image` overrides it.",
        example: "image = \"registry.example/shop:v43\"",
    },
    AeroformKey {
        name: "state",
        value_type: ValueType::Table("state"),
        default: "",
        about: "Where the state file is.",
        example: "[state]",
    },
    AeroformKey {
        name: "groups",
        value_type: ValueType::Named("groups.*"),
        default: "",
        about: "The process groups.",
        example: "[groups.web]",
    },
    AeroformKey {
        name: "moved",
        value_type: ValueType::List("moved"),
        default: "",
        about: "Renamed groups, and Machines that change their group.",
        example: "[[moved]]",
    },
    AeroformKey {
        name: "removed",
        value_type: ValueType::List("removed"),
        default: "",
        about: "Machines to destroy first.",
        example: "[[removed]]",
    },
    AeroformKey {
        name: "deploy",
        value_type: ValueType::Table("deploy"),
        default: "",
        about: "How a release is applied.",
        example: "[deploy]",
    },
    AeroformKey {
        name: "hold",
        value_type: ValueType::Table("hold"),
        default: "",
        about: "The release that the app follows.",
        example: "[hold]",
    },
    AeroformKey {
        name: "policy",
        value_type: ValueType::Table("policy"),
        default: "",
        about: "Limits on every plan.",
        example: "[policy]",
    },
];

const STATE: &[AeroformKey] = &[
    AeroformKey {
        name: "path",
        value_type: ValueType::Text,
        default: "`state/APP.json`",
        about: "The state file, relative to the folder of this file. Two apps need two files.",
        example: "path = \"state/shop.json\"",
    },
    AeroformKey {
        name: "url",
        value_type: ValueType::Text,
        default: "",
        about: "A git remote that stores the state instead of a file: `git+REMOTE` on the branch `aeroform-state`; \
                `?branch=…&path=…` names another one, `&skip_ci=false` lets pipelines run on its commits. See \
                [gitops.md](gitops.md).",
        example: "url = \"git+origin\"",
    },
];

const GROUP: &[AeroformKey] = &[
    AeroformKey {
        name: "count",
        value_type: ValueType::Count(0),
        default: "the group's existing Machines; a new group gets 2 with services, 1 with a mount, and 1 with \
                  a standby otherwise",
        about: "Number of Machines without standbys. With `count` and no `standby` the \
                group has no standbys. 0 keeps the group in the files and removes its Machines.",
        example: "count = 8",
    },
    AeroformKey {
        name: "regions",
        value_type: ValueType::Regions,
        default: "every Machine stays in its region; a new group starts in `primary_region` of fly.toml",
        about: "A list spreads Machines evenly: counts differ by at most 1, within `max_per_region`, and a Machine with \
                a mount is never moved for it. A table sets exact counts; a `count` with it must be their sum.",
        example: "regions = { gru = 5, bog = 3 }",
    },
    AeroformKey {
        name: "max_per_region",
        value_type: ValueType::Count(1),
        default: "no limit",
        about: "The most Machines of the group in one region. Additions respect it. With a list of regions the \
                count must fit.",
        example: "max_per_region = 5",
    },
    AeroformKey {
        name: "standby",
        value_type: ValueType::FlagOrCount,
        default: "0 where `count` is written; a new group without services and mounts gets 1",
        about: "Stopped Machines that start when the host of their primary Machine fails. `true` is \
                1. An error for a group with services.",
        example: "standby = true",
    },
    AeroformKey {
        name: "ha",
        value_type: ValueType::Flag,
        default: "`true`",
        about: "`false` gives a new group 1 Machine and no standby where no `count` is written. It changes \
                nothing for a group that has Machines.",
        example: "ha = false",
    },
    AeroformKey {
        name: "protect",
        value_type: ValueType::Flag,
        default: "`false`",
        about: "`true` refuses every plan that lowers the count of the group or detaches one of its volumes. \
                The state records it: the apply that removes the protection still protects, and only the next plan \
                may destroy.",
        example: "protect = true",
    },
    AeroformKey {
        name: "deploy",
        value_type: ValueType::Table("groups.*.deploy"),
        default: "",
        about: "How changes of this group are applied.",
        example: "[groups.web.deploy]",
    },
    AeroformKey {
        name: "local",
        value_type: ValueType::Table("groups.*.local"),
        default: "",
        about: "Settings for provider `local` only.",
        example: "[groups.web.local]",
    },
];

const GROUP_DEPLOY: &[AeroformKey] = &[
    AeroformKey {
        name: "strategy",
        value_type: ValueType::Word(STRATEGIES),
        default: "that of fly.toml, else `\"rolling\"`",
        about: "How the group is updated: one Machine first and then a few at a time (`\"rolling\"`), all at the same time \
                without waiting for health (`\"immediate\"`), one extra Machine first and then as rolling (`\"canary\"`), or a \
                second set of Machines that replaces the first (`\"bluegreen\"`). `--strategy` overrides it.",
        example: "strategy = \"rolling\"",
    },
    AeroformKey {
        name: "max_unavailable",
        value_type: ValueType::Limit,
        default: "that of fly.toml, else `0.33`",
        about: "How many Machines of the group a rolling update takes down at once: a number from 1, or below 1 a share of \
                the group. `--max-unavailable` overrides it.",
        example: "max_unavailable = 2",
    },
    AeroformKey {
        name: "wait_timeout",
        value_type: ValueType::Timeout,
        default: "that of fly.toml, else `5m`",
        about: "How long a Machine may take to start and pass its checks. `--wait-timeout` overrides it.",
        example: "wait_timeout = \"10m\"",
    },
    AeroformKey {
        name: "steady",
        value_type: ValueType::Duration,
        default: "`10s` on Fly, `3s` with provider `local`, at most half of `wait_timeout`",
        about: "How long a Machine must stay up after its start before its change is complete; 0 turns it off. \
                It must be shorter than `wait_timeout`. `--steady` overrides it.",
        example: "steady = \"30s\"",
    },
    AeroformKey {
        name: "order",
        value_type: ValueType::RegionOrder,
        default: "all regions together",
        about: "The regions that an update goes through, each after the Machines of the one before are healthy. `\"*\"` is \
                all regions that are not named, together; where it is not written they come last. `[\"gru\"]` updates \
                one region first, `[\"*\", \"ams\"]` one last.",
        example: "order = [\"gru\", \"*\"]",
    },
    AeroformKey {
        name: "canary",
        value_type: ValueType::Table("groups.*.deploy.canary"),
        default: "",
        about: "Settings for `strategy = \"canary\"` only.",
        example: "canary = { soak = \"2m\" }",
    },
];

const GROUP_CANARY: &[AeroformKey] = &[AeroformKey {
    name: "soak",
    value_type: ValueType::Duration,
    default: "`0s`",
    about: "How long the canary stays under traffic after it has passed its gate. It must stay up without an exit, and its \
            checks must pass. `--canary-soak` overrides it.",
    example: "soak = \"2m\"",
}];

const GROUP_LOCAL: &[AeroformKey] = &[AeroformKey {
    name: "command",
    value_type: ValueType::Text,
    default: "the command of the group in `[processes]`",
    about: "The command that runs on this computer instead of the one in fly.toml. It is split into words as on Fly, \
            without a shell.",
    example: "command = \"python3 -m http.server 8080\"",
}];

const MOVED: &[AeroformKey] = &[
    AeroformKey {
        name: "from",
        value_type: ValueType::Group,
        default: "",
        about: "The old name of the group. fly.toml must no longer have a group of this name.",
        example: "from = \"worker\"",
    },
    AeroformKey {
        name: "to",
        value_type: ValueType::Group,
        default: "required",
        about: "The new group of the Machines, one of fly.toml.",
        example: "to = \"jobs\"",
    },
    AeroformKey {
        name: "machine",
        value_type: ValueType::Machine,
        default: "",
        about: "The Machine that changes its group.",
        example: "machine = \"148ed599c14189\"",
    },
];

const REMOVED: &[AeroformKey] = &[AeroformKey {
    name: "machine",
    value_type: ValueType::Machine,
    default: "required",
    about: "The Machine to destroy.",
    example: "machine = \"148ed599c14189\"",
}];

const DEPLOY: &[AeroformKey] = &[
    AeroformKey {
        name: "on_failure",
        value_type: ValueType::Word(ON_FAILURE),
        default: "`\"stop\"`",
        about: "What the first failed or unconfirmed change stops: the release in all groups, or in its own group only. \
                `\"rollback\"` stops the release and, after a failed gate or `verify`, undoes it. `--on-failure` \
                overrides it.",
        example: "on_failure = \"group\"",
    },
    AeroformKey {
        name: "verify",
        value_type: ValueType::Text,
        default: "",
        about: "The command that tests a release, once, in the applies that run the release command: after every create, \
                update and move, and before the first destroy. It runs like the release command, with the same image, env \
                and size, and with `AEROFORM_VERIFY=1` instead of `RELEASE_COMMAND=1`. An exit code other than 0 fails \
                the release. `--verify=never` leaves it out.",
        example: "verify = \"bin/smoke\"",
    },
    AeroformKey {
        name: "verify_timeout",
        value_type: ValueType::Duration,
        default: "`5m`",
        about: "How long `verify` may run; after that it has failed. 0 is no limit.",
        example: "verify_timeout = \"10m\"",
    },
    AeroformKey {
        name: "groups_order",
        value_type: ValueType::GroupLists,
        default: "all groups side by side",
        about: "Lists of groups: the groups of a list are updated after those of the list before are healthy. A group that \
                is not named goes with the last list.",
        example: "groups_order = [[\"jobs\"], [\"web\"]]",
    },
];

const HOLD: &[AeroformKey] = &[
    AeroformKey {
        name: "release",
        value_type: ValueType::Release,
        default: "required",
        about: "One of the releases that the state remembers; `aeroform releases` lists them.",
        example: "release = 41",
    },
    AeroformKey {
        name: "groups",
        value_type: ValueType::Groups,
        default: "every group",
        about: "The groups that follow the release; the others follow the files.",
        example: "groups = [\"web\"]",
    },
];

const POLICY: &[AeroformKey] = &[AeroformKey {
    name: "max_destroy",
    value_type: ValueType::CountOrShare,
    default: "no limit",
    about: "The most Machines that one plan may remove; a percentage applies to all Machines, rounded down. \
            It counts removals that lower a group's count, and replacements that detach a volume.",
    example: "max_destroy = \"25%\"",
}];
