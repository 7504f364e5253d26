//! `[[files]]` (docs/platform/fly-toml.md 7.3). They apply to every group, whatever `processes` says.

use data_encoding::BASE64;

use crate::core::fleet::schema::File as MachineFile;
use crate::core::manifest::codes;

use super::super::diagnostics::Diagnostic;
use super::super::fields::Fields;
use super::super::settings::Overrides;
use super::super::tree::Located;
use super::group_scope::GroupScoped;
use super::local_files::{self, MissingFile};

/// Shorter texts may be valid base64 by chance.
const MIN_BASE64_LENGTH: usize = 8;

/// Reads the section. Of two entries for one path the later one applies; one without content removes the earlier one.
pub(super) fn read(
    fields: &mut Fields<'_, '_>,
    overrides: &Overrides,
) -> Vec<GroupScoped<MachineFile>> {
    let mut files: Vec<Option<GroupScoped<MachineFile>>> = Vec::new();
    let mut positions = std::collections::BTreeMap::new();
    for table in fields.tables("files") {
        let Some((path, entry)) = entry(table, overrides) else {
            continue;
        };
        let MachineFile {
            raw_value,
            secret_name,
            ..
        } = &entry.body;
        let is_file = raw_value.is_some() || secret_name.is_some();
        let entry = Some(entry).filter(|_| is_file);
        if let Some(at) = positions.get(&path) {
            files[*at] = entry;
        } else {
            positions.insert(path, files.len());
            files.push(entry);
        }
    }
    files.into_iter().flatten().collect()
}

fn entry(
    mut fields: Fields<'_, '_>,
    overrides: &Overrides,
) -> Option<(String, GroupScoped<MachineFile>)> {
    let file = fields.file;
    let local = fields
        .string("local_path")
        .filter(|path| !path.value.is_empty());
    let secret = fields.text("secret_name");
    let raw = fields
        .string("raw_value")
        .filter(|text| !text.value.is_empty());
    let guest_path = fields.text("guest_path");
    if guest_path.is_none() {
        let location = file.location(fields.span.clone(), "");
        file.report(
            Diagnostic::error(codes::MISSING_KEY, "a file needs `guest_path`")
                .with_location(location),
        );
    }
    let (secret_name, raw_value) = match (&local, secret, &raw) {
        (Some(local), _, _) => {
            let content =
                local_files::content(file, local, overrides, MissingFile::RefusedByDeploys);
            (None, content.map(|bytes| BASE64.encode(bytes)))
        }
        (None, Some(secret), _) => (Some(secret), None),
        (None, None, Some(raw)) => {
            warn_of_base64(&fields, raw);
            (None, Some(BASE64.encode(raw.value.as_bytes())))
        }
        (None, None, None) => {
            file.report(
                Diagnostic::warning(codes::FILE_WITHOUT_CONTENT, "this file has no content")
                    .with_location(file.location(fields.span.clone(), ""))
                    .help("add `local_path`, `secret_name` or `raw_value`"),
            );
            (None, None)
        }
    };
    let entry = MachineFile {
        guest_path: guest_path.clone(),
        secret_name,
        raw_value,
        ..MachineFile::default()
    };
    let section = GroupScoped::of(&mut fields, entry);
    fields.report_unknown_keys();
    Some((guest_path?, section))
}

/// Warns of base64: Fly's docs ask for it, but flyctl encodes any value, so the file would contain base64.
fn warn_of_base64(fields: &Fields<'_, '_>, raw: &Located<String>) {
    let text = raw.value.trim();
    if text.len() < MIN_BASE64_LENGTH || BASE64.decode(text.as_bytes()).is_err() {
        return;
    }
    let message = "`raw_value` is base64 already, and flyctl encodes it again: the file will hold \
                   this very text";
    fields.file.report(
        Diagnostic::warning(codes::ENCODED_TWICE, message)
            .with_location(fields.file.location(raw.span.clone(), ""))
            .help("write the plain content, or put it in a file and set `local_path`"),
    );
}

#[cfg(test)]
mod tests {
    use super::super::super::settings::LocalFile;
    use super::super::super::testing::fly_fields;
    use super::*;

    fn with(found: LocalFile) -> Overrides {
        Overrides {
            files: [("x".to_owned(), found)].into(),
            ..Overrides::default()
        }
    }

    #[test]
    fn a_raw_value_is_encoded_and_gives_way_to_a_secret_and_to_a_local_file() {
        let file = |text: &str| {
            let text = format!("[[files]]\nguest_path = \"/a\"\nraw_value = \"hi\"\n{text}");
            let overrides = with(LocalFile::Content(b"local".to_vec()));
            let (files, found) = fly_fields(&text, |f| read(f, &overrides));
            assert!(found.is_empty(), "{found:?}");
            let file = files.into_iter().next().unwrap().body;
            (file.raw_value, file.secret_name)
        };
        assert_eq!(file(""), (Some("aGk=".to_owned()), None));
        assert_eq!(file("secret_name = \"S\""), (None, Some("S".to_owned())));
        let local = file("secret_name = \"S\"\nlocal_path = \"x\"");
        assert_eq!(local, (Some("bG9jYWw=".to_owned()), None));
    }

    #[test]
    fn a_local_file_that_is_not_there_is_an_error_only_where_a_machine_would_get_it() {
        let text = "[[files]]\nguest_path = \"/a\"\nlocal_path = \"x\"\n";
        let found = |provider: &'static str, overrides: Overrides| {
            let (_, found) = fly_fields(text, |f| {
                f.file.set_provider(provider);
                read(f, &overrides)
            });
            (found.errors(), found.warnings())
        };
        assert_eq!(found("fly", with(LocalFile::Missing)), (1, 0));
        assert_eq!(found("local", with(LocalFile::Missing)), (0, 1));
        let validates = Overrides {
            validate_only: true,
            ..with(LocalFile::Missing)
        };
        assert_eq!(found("fly", validates), (0, 1));
        let outside = with(LocalFile::Refused("it is outside".to_owned()));
        assert_eq!(found("local", outside), (1, 0));
        assert_eq!(found("fly", Overrides::default()), (0, 1));
    }

    #[test]
    fn base64_that_flyctl_encodes_once_more_is_reported() {
        for (raw, warnings) in [("aGVsbG8gd29ybGQ=", 1), ("aGk=", 0), ("hello world", 0)] {
            let text = format!("[[files]]\nguest_path = \"/a\"\nraw_value = \"{raw}\"\n");
            let (_, found) = fly_fields(&text, |f| read(f, &Overrides::default()));
            assert_eq!(found.warnings(), warnings, "{raw}");
        }
    }

    #[test]
    fn of_two_entries_for_a_path_the_later_one_counts() {
        let text = "[[files]]\nguest_path = \"/a\"\nraw_value = \"1\"\n[[files]]\nguest_path = \"/b\"\n\
            raw_value = \"2\"\n[[files]]\nguest_path = \"/a\"\nsecret_name = \"S\"\n";
        let (files, _) = fly_fields(text, |f| read(f, &Overrides::default()));
        assert_eq!(files.len(), 2);
        assert_eq!(files[0].body.secret_name.as_deref(), Some("S"));
    }

    #[test]
    fn a_file_needs_a_path() {
        let text = "[[files]]\nraw_value = \"hi\"\n";
        let (_, found) = fly_fields(text, |f| read(f, &Overrides::default()));
        assert_eq!(found.errors(), 1);
    }
}
