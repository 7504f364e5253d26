//! Every code of the manifests, provoked.

use aeroform::core::manifest::{Loaded, LocalFile, Overrides, codes};

use crate::broken::{FLY, IN_AEROFORM, IN_FLY};
use crate::provoked::assert_all_provoked;
use crate::{numbered, on, project};

fn codes_of(loaded: &Loaded) -> Vec<String> {
    let found = loaded.diagnostics.iter();
    found.map(|found| found.code.to_owned()).collect()
}

#[test]
fn every_code_of_the_manifests_is_provoked() {
    let mut seen = Vec::new();
    let mut see = |fly: &[u8], aeroform: Option<&str>, provider: &str| {
        seen.extend(codes_of(&project(
            fly,
            aeroform.map(str::as_bytes),
            &on(provider),
        )));
    };
    for (_, text) in IN_FLY {
        see(text.as_bytes(), None, "fly");
    }
    for (_, text) in IN_AEROFORM {
        see(FLY.as_bytes(), Some(text), "fly");
    }
    see(b"\xff", None, "fly");
    see(b"app = \"a\"\n", None, "local");
    see(b"app = \"a\"\n[http_service]\n", None, "fly");
    see(
        b"app = \"a\"\n[[files]]\nguest_path = \"/a\"\nlocal_path = \"a\"\n",
        None,
        "fly",
    );
    let file = "app = \"a\"\n[[files]]\nguest_path = \"/a\"\nlocal_path = \"a\"\n";
    let missing = Overrides {
        files: [("a".to_owned(), LocalFile::Missing)].into(),
        ..on("fly")
    };
    seen.extend(codes_of(&project(file.as_bytes(), None, &missing)));
    let least = b"app = \"a\"\n[http_service]\ninternal_port = 1\nmin_machines_running = 2\n";
    let one = b"[groups.app]\ncount = 1\n";
    seen.extend(codes_of(&project(least, Some(one), &on("fly"))));
    let mut see = |fly: &[u8], aeroform: Option<&str>, provider: &str| {
        seen.extend(codes_of(&project(
            fly,
            aeroform.map(str::as_bytes),
            &on(provider),
        )));
    };
    see(b"app = \"a\"\n[[vm]]\nsize = \"a10\"\n", None, "fly");
    see(b"app = \"a\"\n[[vm]]\ncpus = 3\n", None, "fly");
    for region in ["bog", "nai"] {
        let fly = format!("app = \"a\"\nprimary_region = \"{region}\"\n");
        see(fly.as_bytes(), None, "fly");
    }
    see(
        format!("app = {}", "[".repeat(1000)).as_bytes(),
        None,
        "fly",
    );
    let groups = numbered(12_000, |n| format!("g{n} = \"x\"\n"));
    see(
        format!("app = \"a\"\n[processes]\n{groups}").as_bytes(),
        None,
        "fly",
    );
    assert_all_provoked(codes::ALL, seen, &[]);
}
