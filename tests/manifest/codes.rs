//! Every code of the manifests, provoked.

use aeroform::core::manifest::{LocalFile, Overrides, codes};

use crate::broken::on_fly;
use crate::mistakes::{FLY, IN_AEROFORM, IN_FLY, ON_FLY};
use crate::provoked::assert_all_provoked;
use crate::{named, numbered, on, project};

#[test]
fn every_code_of_the_manifests_is_provoked() {
    let mut seen = Vec::new();
    let mut see = |fly: &[u8], aeroform: Option<&str>, provider: &str| {
        let loaded = project(fly, aeroform.map(str::as_bytes), &on(provider));
        seen.extend(loaded.diagnostics.iter().map(|found| found.code.to_owned()));
    };
    for (_, text) in IN_FLY {
        see(text.as_bytes(), None, "fly");
    }
    for (_, text) in IN_AEROFORM {
        see(FLY.as_bytes(), Some(text), "fly");
    }
    for (_, fly, aeroform) in ON_FLY {
        let loaded = on_fly(fly, aeroform);
        seen.extend(loaded.diagnostics.iter().map(|found| found.code.to_owned()));
    }
    let mut see = |fly: &[u8], provider: &str| {
        let loaded = project(fly, None, &on(provider));
        seen.extend(loaded.diagnostics.iter().map(|found| found.code.to_owned()));
    };
    see(b"\xff", "fly");
    let yaml = b"app: a\nkill_timeout: 30\n";
    let loaded = named("fly.yaml", yaml, &on("fly"));
    seen.extend(loaded.diagnostics.iter().map(|found| found.code.to_owned()));
    let mut see = |fly: &[u8], provider: &str| {
        let loaded = project(fly, None, &on(provider));
        seen.extend(loaded.diagnostics.iter().map(|found| found.code.to_owned()));
    };
    see(b"app = \"a\"\n", "local");
    see(b"app = \"a\"\n[http_service]\n", "fly");
    see(
        b"app = \"a\"\n[[files]]\nguest_path = \"/a\"\nlocal_path = \"a\"\n",
        "fly",
    );
    see(format!("app = {}", "[".repeat(1000)).as_bytes(), "fly");
    let groups = numbered(12_000, |n| format!("g{n} = \"x\"\n"));
    see(
        format!("app = \"a\"\n[processes]\n{groups}").as_bytes(),
        "fly",
    );
    let ignored = Overrides {
        files: [("a".to_owned(), LocalFile::Content(b"x".to_vec()))].into(),
        ignored: ["a".to_owned()].into(),
        ..on("fly")
    };
    let file = b"app = \"a\"\n[[files]]\nguest_path = \"/a\"\nlocal_path = \"a\"\n";
    let loaded = project(file, None, &ignored);
    seen.extend(loaded.diagnostics.iter().map(|found| found.code.to_owned()));
    assert_all_provoked(codes::ALL, seen, &[]);
}
