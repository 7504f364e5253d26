//! `[[files]]` (facts/fly-toml-to-machine.md 7.3). They go to every group, whatever `processes`
//! says.

use data_encoding::BASE64;

use crate::core::fleet::config::File as MachineFile;
use crate::core::manifest::codes;

use super::super::diagnostics::{Diagnostic, shown};
use super::super::fields::Fields;

/// Reads the section.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Vec<MachineFile> {
    fields
        .tables("files")
        .into_iter()
        .filter_map(entry)
        .collect()
}

fn entry(mut fields: Fields<'_, '_>) -> Option<MachineFile> {
    let file = fields.file;
    let local = fields
        .string("local_path")
        .filter(|path| !path.value.is_empty());
    let secret = fields.text("secret_name");
    let raw = fields.text("raw_value");
    let guest_path = fields.text("guest_path");
    fields.strings("processes");
    if guest_path.is_none() {
        let place = file.place(fields.span.clone(), "");
        file.report(Diagnostic::error(codes::MISSING_KEY, "a file needs `guest_path`").at(place));
    }
    if let Some(local) = &local {
        // An entry without content keeps what a Machine has: it is matched by its path.
        file.report(
            Diagnostic::warning(
                codes::FILE_NOT_READ,
                format!(
                    "{} is not read: the file keeps the content it has",
                    shown(&local.value)
                ),
            )
            .at(file.place(local.span.clone(), "")),
        );
    }
    let entry = MachineFile {
        guest_path,
        secret_name: secret.clone().filter(|_| local.is_none()),
        raw_value: raw
            .filter(|_| local.is_none() && secret.is_none())
            .map(|text| BASE64.encode(text.as_bytes())),
        ..MachineFile::default()
    };
    fields.finish();
    entry.guest_path.is_some().then_some(entry)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::fly_fields;
    use super::*;

    #[test]
    fn a_raw_value_is_encoded_and_gives_way_to_a_secret_and_to_a_local_file() {
        let file = |text: &str| {
            let text = format!("[[files]]\nguest_path = \"/a\"\nraw_value = \"hi\"\n{text}");
            let (files, found) = fly_fields(&text, read);
            let file = files.into_iter().next().unwrap();
            (file.raw_value, file.secret_name, found.warnings())
        };
        assert_eq!(file(""), (Some("aGk=".to_owned()), None, 0));
        assert_eq!(file("secret_name = \"S\""), (None, Some("S".to_owned()), 0));
        assert_eq!(
            file("secret_name = \"S\"\nlocal_path = \"x\""),
            (None, None, 1)
        );
    }

    #[test]
    fn a_file_needs_a_path() {
        assert_eq!(
            fly_fields("[[files]]\nraw_value = \"hi\"\n", read)
                .1
                .errors(),
            1
        );
    }
}
