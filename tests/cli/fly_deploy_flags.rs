//! Every flag of `fly deploy` is a flag here or is refused with what it is here, and docs/from-flyctl.md lists them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use aeroform::cli::args;
use aeroform::cli::fly_deploy_flags::{FLAGS, Here};

use crate::sandbox::Sandbox;

/// The flags of `fly deploy` without `--app` and `--config` (flyctl at ad0172f, 2026-08).
const FLYCTL: &str = "access-token debug verbose image now remote-only local-only push wg https-failover detach \
    strategy dockerfile ignorefile image-label build-arg build-secret build-target build-context-warn-size no-cache \
    depot depot-scope nixpacks buildkit-addr buildkit-image buildkit build-only buildpacks-docker-host \
    buildpacks-volume recreate-builder builder-pool compression compression-level yes vm-size vm-cpus vm-cpu-kind \
    vm-memory vm-max-memory vm-gpus vm-gpu-kind host-dedication-id env wait-timeout release-command-timeout \
    lease-timeout force-machines ha smoke-checks dns-checks max-unavailable no-public-ips flycast file-local \
    file-literal file-secret primary-region regions exclude-regions only-machines exclude-machines process-groups \
    label max-concurrent immediate-max-concurrent volume-initial-size signal deploy-retries update-only \
    skip-release-command export-manifest from-manifest";

/// Verbs that plan or apply, with what they need.
const VERBS: [&[&str]; 5] = [
    &["plan"],
    &["apply"],
    &["restart"],
    &["machine", "replace", "148ed599c14189"],
    &["scale", "count", "3"],
];

#[test]
fn every_flag_of_fly_deploy_has_one_entry() {
    let names: Vec<&str> = FLAGS.iter().map(|flag| flag.name).collect();
    let flyctl: Vec<&str> = FLYCTL.split_whitespace().collect();
    assert_eq!(names, flyctl);
    let unique: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(unique.len(), names.len());
    let shorts: Vec<char> = FLAGS.iter().filter_map(|flag| flag.short).collect();
    assert_eq!(
        shorts.iter().collect::<BTreeSet<_>>().len(),
        shorts.len(),
        "{shorts:?}"
    );
}

#[test]
fn a_flag_of_fly_deploy_is_one_here_or_says_what_it_is() {
    let mut command = args::command();
    command.build();
    let apply = command.find_subcommand("apply").unwrap();
    let ours: BTreeSet<String> = apply
        .get_arguments()
        .flat_map(|arg| {
            let aliases = arg.get_all_aliases().unwrap_or_default();
            arg.get_long().into_iter().chain(aliases)
        })
        .map(str::to_owned)
        .collect();
    for flag in FLAGS {
        let is_here = flag.here == Here::Flag;
        assert_eq!(
            ours.contains(flag.name),
            is_here,
            "`--{}` is {} of apply: see src/cli/fly_deploy_flags.rs",
            flag.name,
            if is_here { "no flag" } else { "a flag" }
        );
    }
}

#[test]
fn a_flag_that_lives_elsewhere_is_refused_with_its_place_and_without_its_value() {
    let sandbox = Sandbox::with_app();
    let value = "hunter2";
    for flag in FLAGS {
        let Here::Instead(sentence) = flag.here else {
            continue;
        };
        let name = flag.name;
        let mut forms = vec![
            vec![format!("--{name}={value}")],
            vec![format!("--{name}"), value.to_owned()],
            vec![format!("--no-{name}")],
        ];
        forms.extend(
            flag.short
                .map(|short| vec![format!("-{short}"), value.to_owned()]),
        );
        forms.extend(flag.short.map(|short| vec![format!("-{short}{value}")]));
        for (at, form) in forms.iter().enumerate() {
            let verb = VERBS[(at + name.len()) % VERBS.len()];
            let words: Vec<&str> = verb
                .iter()
                .copied()
                .chain(form.iter().map(String::as_str))
                .collect();
            let shown = sandbox.run(&words);
            assert!(shown.starts_with("exit 64\n"), "{words:?}: {shown}");
            assert!(
                shown.contains(&format!("tip: in aeroform: {sentence}\n")),
                "{words:?}: {shown}"
            );
            assert!(!shown.contains(value), "{words:?}: {shown}");
            assert_eq!(shown.matches("tip:").count(), 1, "{words:?}: {shown}");
        }
    }
}

#[test]
fn other_verbs_say_nothing_about_fly_deploy() {
    let shown = Sandbox::with_app().run(&["status", "--detach"]);
    assert!(!shown.contains("in aeroform"), "{shown}");
}

#[test]
fn the_page_lists_every_flag() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/from-flyctl.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (start, end) = ("| flag | in Aeroform |\n", "\n\n");
    let at = page.find(start).unwrap();
    let length = page[at..].find(end).unwrap() + 1;
    let expected = table();
    if std::env::var_os("AEROFORM_UPDATE_DOCS").is_some() {
        let page = format!("{}{expected}{}", &page[..at], &page[at + length..]);
        std::fs::write(&path, page).unwrap();
        return;
    }
    assert_eq!(
        &page[at..at + length],
        expected,
        "`AEROFORM_UPDATE_DOCS=1 cargo test --test cli fly_deploy_flags` writes it"
    );
}

/// One row per sentence.
fn table() -> String {
    let mut rows: Vec<(Here, Vec<&str>)> = Vec::new();
    for flag in FLAGS {
        match rows.iter_mut().find(|(here, _)| *here == flag.here) {
            Some((_, names)) => names.push(flag.name),
            None => rows.push((flag.here, vec![flag.name])),
        }
    }
    let mut table = String::from("| flag | in Aeroform |\n| --- | --- |\n");
    for (here, names) in rows {
        let names: Vec<String> = names.iter().map(|name| format!("`--{name}`")).collect();
        let here = match here {
            Here::Flag => "the same flag",
            Here::Instead(sentence) => sentence,
        };
        writeln!(table, "| {} | {here} |", names.join(", ")).unwrap();
    }
    table
}
