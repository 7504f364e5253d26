# For people; `just` alone lists what there is. Each recipe is short enough to be typed without just.

[private]
default:
    @just --list --unsorted

# Everything that CI runs
ci:
    .ci/run

# The tests of one layer or all (`just test architecture`)
test layer="":
    cargo test {{ if layer == "" { "" } else { "--test " + layer } }}

# Format, then the same lints as CI
fix:
    cargo fmt
    cargo clippy --all-targets -- -D warnings

# Accept what the tests print as the new snapshots, then read the difference in git
snapshots:
    INSTA_UPDATE=always SNAPSHOTS=overwrite cargo test

# How long reading, planning and applying take, and how that grows (`just bench plan` runs one)
bench name="":
    cargo bench {{ if name == "" { "--bench plan --bench manifest --bench hostile --bench state --bench apply --bench fly --bench git" } else { "--bench " + name } }}

# Damaged input for every reader of foreign text, for so many seconds (`just fuzz 600`)
fuzz seconds="60":
    AEROFORM_FUZZ_SECONDS={{ seconds }} cargo test --test fuzz -- --nocapture

# What CI plays in part, at length: histories, faults, kills, random fleets and damaged input
long:
    AEROFORM_SEEDS=160..2000 cargo test --test simulation histories -- --nocapture
    AEROFORM_SEEDS=4294967576..4294969296 cargo test --test simulation histories -- --nocapture
    AEROFORM_FAULTS=all cargo test --test faults -- --nocapture
    AEROFORM_KILLS=200 AEROFORM_GIT_KILLS=all cargo test --test kill -- --nocapture
    AEROFORM_CASES=200 cargo test --test properties --test fly
    AEROFORM_RACES=50 AEROFORM_GRAPHS=20 cargo test --test cli -- racing_jobs order_of_commits
    AEROFORM_FUZZ_SECONDS=600 cargo test --test fuzz -- --nocapture

# Spelling (`pip install typos`)
typos:
    typos

# Advisories, licences and sources of all crates (`cargo install cargo-deny`)
deny:
    cargo deny check

# Start the example
up:
    cargo run -- -C examples/storefront apply

# Take the example down
down:
    cargo run -- -C examples/storefront destroy
