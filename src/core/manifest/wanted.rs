//! The files that fly.toml asks for, before it is read for good: nothing here can open one.

use super::fields::Fields;
use super::fly::containers::is_inline;
use super::source::{Source, SourceFile};
use super::tree::{Dialect, File};

/// The paths of the files whose content the manifest needs, as they are written; relative ones
/// count from the folder of fly.toml. What is wrong with it is told by [`super::load()`].
pub fn wanted_files(fly: SourceFile<'_>) -> Vec<String> {
    let Ok(source) = Source::read(fly) else {
        return Vec::new();
    };
    let file = File::new(&source, Dialect::Fly);
    let Some(tree) = file.parse() else {
        return Vec::new();
    };
    let mut fields = Fields::new(&file, &tree, 0..0, String::new());
    let mut wanted: Vec<String> = fields
        .tables("files")
        .iter_mut()
        .filter_map(|entry| entry.text("local_path"))
        .collect();
    let experimental = fields.table("experimental");
    wanted.extend(experimental.and_then(|mut fields| fields.text("machine_config")));
    wanted.extend(fields.text("machine_config"));
    wanted.retain(|text| !is_inline(text));
    wanted.sort();
    wanted.dedup();
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_asked_for_by_their_paths_and_inline_configs_are_not() {
        let text = "machine_config = '{\"init\": {}}'\n[experimental]\nmachine_config = \"m.json\"\n\
            [[files]]\nlocal_path = \"b\"\n[[files]]\nraw_value = \"x\"\n[[files]]\nlocal_path = \"a\"\n";
        let wanted = |text: &str| {
            wanted_files(SourceFile {
                path: "fly.toml",
                bytes: text.as_bytes(),
            })
        };
        assert_eq!(wanted(text), ["a", "b", "m.json"]);
        assert_eq!(wanted("files = 7"), Vec::<String>::new());
        assert_eq!(wanted("= broken"), Vec::<String>::new());
    }
}
