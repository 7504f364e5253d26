//! `[build]`: only its key `image` affects Machines.

use super::super::codes;
use super::super::diagnostics::{Diagnostic, quote_text};
use super::super::fields::Fields;
use super::super::settings::Overrides;
use super::local_files;

/// The keys of `[build]` that affect Machines.
#[derive(Debug, Default)]
pub(in crate::core::manifest) struct Build {
    /// The image, if set.
    pub(in crate::core::manifest) image: Option<String>,
    /// Where a compose file is named (`fly.toml:4`).
    pub(in crate::core::manifest) compose: Option<String>,
}

/// Reads the section.
pub(super) fn read(fields: &mut Fields<'_, '_>, overrides: &Overrides) -> Build {
    let Some(mut fields) = fields.table("build") else {
        return Build::default();
    };
    let image = fields
        .string("image")
        .filter(|image| !image.value.is_empty());
    let image = image.and_then(|image| fields.file.image(image));
    warn_two_builds(&mut fields);
    compression(&mut fields);
    check_build_types(&mut fields);
    let mut compose = None;
    if let Some((span, _)) = fields.take_entry("compose") {
        compose = Some(fields.file.source.line_ref(span.start));
        let message = "containers of a compose file are not supported: existing Machines keep theirs, and a plan that \
                       creates Machines on Fly is refused";
        fields.file.report(
            Diagnostic::warning(codes::COMPOSE_NOT_READ, message)
                .with_location(fields.file.location(span, ""))
                .help("write the containers as `machine_config`"),
        );
        let named = fields.table("compose");
        if let Some(path) = named.and_then(|mut compose| compose.string("file")) {
            local_files::check_exists(fields.file, &path, overrides);
        }
    }
    fields.report_unknown_keys();
    Build {
        image: image.map(|image| image.value),
        compose,
    }
}

/// Warns of two build methods: flyctl silently ignores one.
fn warn_two_builds(fields: &mut Fields<'_, '_>) {
    let ways = [
        &["image"][..],
        &["builder", "buildpacks"],
        &["dockerfile", "build-target", "build_target"],
        &["builtin"],
    ];
    let mut written = ways.into_iter().filter_map(|keys| {
        keys.iter()
            .find_map(|key| Some((*key, fields.take_entry(key)?.0)))
    });
    let (Some(first), Some(second)) = (written.next(), written.next()) else {
        return;
    };
    drop(written);
    let message = format!(
        "`build.{}` and `build.{}` both say how to get the image",
        first.0, second.0
    );
    fields.file.report(
        Diagnostic::warning(codes::TWO_BUILDS, message)
            .with_location(fields.file.location(second.1, "second one here"))
            .with_related(fields.file.location(first.1, "first one here"))
            .help("keep one of the two"),
    );
}

/// Checks types of keys that only a build reads.
fn check_build_types(fields: &mut Fields<'_, '_>) {
    for key in [
        "builder",
        "builtin",
        "dockerfile",
        "ignorefile",
        "build-target",
        "build_target",
    ] {
        fields.string(key);
    }
    fields.strings("buildpacks");
    fields.integer("compression_level", 0..u32::MAX);
    fields.table("settings");
    let Some(args) = fields.table("args") else {
        return;
    };
    for (key, _, value) in args.entries() {
        if value.get_ref().as_str().is_some() || value.is_null() {
            continue;
        }
        let found = value.get_ref().kind();
        let path = args.path(key);
        fields.file.report(
            Diagnostic::error(
                codes::WRONG_TYPE,
                format!("`{}` takes a string, not {found}", shown_path(&path)),
            )
            .with_location(fields.file.location(value.span(), found))
            .help("write it in quotes"),
        );
    }
}

fn shown_path(path: &str) -> String {
    quote_text(path).trim_matches('`').to_owned()
}

fn compression(fields: &mut Fields<'_, '_>) {
    let Some(word) = fields.string("compression") else {
        return;
    };
    if !matches!(word.value.as_str(), "" | "gzip" | "zstd") {
        let message = format!(
            "`build.compression` is gzip or zstd, not {}",
            quote_text(&word.value)
        );
        fields.file.bad_value(word.span, message, None);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::settings::LocalFile;
    use super::super::super::testing::fly_fields;
    use super::*;

    #[test]
    fn of_a_build_only_the_image_counts_and_odd_ones_are_reported() {
        for (text, errors, warnings) in [
            ("dockerfile = \"D\"\n[build.args]\nA = \"1\"", 0, 0),
            ("builder = \"b\"\nbuildpacks = [\"x\"]", 0, 0),
            ("image = \"i\"\ndockerfile = \"D\"", 0, 1),
            ("compression = \"xz\"", 1, 0),
            ("image = \"\"", 0, 0),
            ("image = \"registry.example/shop:\"", 1, 0),
            ("image = \"shop@sha256:\"", 1, 0),
            ("image = \"my shop\"", 1, 0),
            ("[build.compose]\nfile = \"c.yml\"", 0, 1),
        ] {
            let (_, found) = fly_fields(&format!("[build]\n{text}\n"), |fields| {
                read(fields, &Overrides::default())
            });
            assert_eq!(
                (found.errors(), found.warnings()),
                (errors, warnings),
                "{text}"
            );
        }
    }

    #[test]
    fn a_compose_file_that_is_not_there_is_an_error() {
        let text = "[build]\ncompose.file = \"c.yml\"\n";
        for (found, errors) in [
            (LocalFile::Missing, 1),
            (
                LocalFile::Refused("it leads out of the project".to_owned()),
                1,
            ),
            (LocalFile::Content(b"services: {}".to_vec()), 0),
        ] {
            let overrides = Overrides {
                files: [("c.yml".to_owned(), found)].into(),
                ..Overrides::default()
            };
            let (_, found) = fly_fields(text, |fields| read(fields, &overrides));
            assert_eq!((found.errors(), found.warnings()), (errors, 1));
        }
    }
}
