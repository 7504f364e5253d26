//! Finds the app and the referenced files of a fly.toml before loading it. Opens no files.

use std::collections::BTreeMap;

use crate::core::fleet::{AppName, GroupName};

use super::diagnostics::SourceLocation;
use super::fields::Fields;
use super::fly::containers::is_inline;
use super::source::{Source, SourceFile};
use super::tree::{Dialect, ManifestFile};

/// Paths of files that the manifest needs, as written; relative to the folder of fly.toml. [`super::load()`] reports
/// mistakes.
pub fn referenced_files(fly: SourceFile<'_>) -> Vec<String> {
    let Ok(source) = Source::read(fly) else {
        return Vec::new();
    };
    let file = ManifestFile::new(&source, Dialect::Fly);
    let Some(tree) = file.parse() else {
        return Vec::new();
    };
    let mut fields = Fields::new(&file, &tree, 0..0, String::new());
    let mut paths: Vec<String> = fields
        .tables("files")
        .iter_mut()
        .filter_map(|entry| entry.text("local_path"))
        .collect();
    let experimental = fields.table("experimental");
    paths.extend(experimental.and_then(|mut fields| fields.text("machine_config")));
    paths.extend(fields.text("machine_config"));
    let compose = fields
        .table("build")
        .and_then(|mut fields| fields.table("compose"));
    paths.extend(compose.and_then(|mut fields| fields.text("file")));
    paths.retain(|text| !is_inline(text));
    paths.sort();
    paths.dedup();
    paths
}

/// The app of fly.toml, even if other parts are wrong. With a TOML syntax error, the only value of `app` before the
/// first section.
pub fn find_app_name(fly: SourceFile<'_>) -> Option<AppName> {
    let source = Source::read(fly).ok()?;
    let file = ManifestFile::new(&source, Dialect::Fly);
    let name = match file.parse() {
        Some(tree) => Fields::new(&file, &tree, 0..0, String::new()).text("app")?,
        None => find_app_line(&source.text)?,
    };
    AppName::new(name).ok()
}

/// Where each group is written: the head of its table in aeroform.toml, else its line in `[processes]`.
pub fn group_locations(
    fly: SourceFile<'_>,
    aeroform: Option<SourceFile<'_>>,
) -> BTreeMap<GroupName, SourceLocation> {
    let mut found = keys_of(fly, "processes", Dialect::Fly);
    found.extend(
        aeroform
            .into_iter()
            .flat_map(|file| keys_of(file, "groups", Dialect::Aeroform)),
    );
    found
}

fn keys_of(
    file: SourceFile<'_>,
    table: &str,
    dialect: Dialect,
) -> BTreeMap<GroupName, SourceLocation> {
    let Ok(source) = Source::read(file) else {
        return BTreeMap::new();
    };
    let file = ManifestFile::new(&source, dialect);
    let tree = file.parse();
    let groups = tree
        .as_ref()
        .and_then(|tree| tree.get(table)?.1.get_ref().as_table());
    let keys = groups.into_iter().flat_map(super::value::Table::iter);
    keys.filter_map(|(name, span, _)| {
        let name = GroupName::new(name).ok()?;
        Some((name, source.bare_location(span)))
    })
    .collect()
}

fn find_app_line(text: &str) -> Option<String> {
    let lines = text.lines().map(str::trim_start);
    let top = lines.take_while(|line| !line.starts_with('['));
    let values = top.filter_map(|line| {
        let value = line.strip_prefix("app")?.trim_start().strip_prefix('=')?;
        let value = value.trim_start();
        let quote = value.chars().next().filter(|c| ['"', '\''].contains(c))?;
        Some(value[1..].split_once(quote)?.0.to_owned())
    });
    let mut names: Vec<String> = values.collect();
    names.dedup();
    let only = names.pop()?;
    names.is_empty().then_some(only)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_where_its_settings_are_or_its_command() {
        let fly = "app = \"shop\"\n[processes]\nweb = \"a\"\njobs = \"b\"\n";
        let ours = "provider = \"fly\"\n\n[groups.web]\ncount = 2\n";
        let file = |path, text: &'static str| SourceFile {
            path,
            bytes: text.as_bytes(),
        };
        let found = group_locations(file("fly.toml", fly), Some(file("aeroform.toml", ours)));
        let shown: Vec<String> = found
            .iter()
            .map(|(name, place)| format!("{name} {}:{}:{}", place.file, place.line, place.column))
            .collect();
        assert_eq!(shown, ["jobs fly.toml:4:1", "web aeroform.toml:3:9"]);
        let json = r#"{"processes": {"web": "a"}}"#;
        assert_eq!(group_locations(file("fly.json", json), None).len(), 1);
        assert!(group_locations(file("fly.toml", "= broken"), None).is_empty());
    }

    #[test]
    fn the_app_is_known_also_of_a_file_that_is_broken_elsewhere() {
        let app = |path: &str, text: &str| {
            let bytes = text.as_bytes();
            find_app_name(SourceFile { path, bytes }).map(|app| app.to_string())
        };
        let shop = Some("shop".to_owned());
        assert_eq!(
            app("fly.toml", "app = \"shop\"\n[deploy]\nstrategy = 7"),
            shop
        );
        assert_eq!(app("fly.toml", "APP = 'shop'"), shop);
        assert_eq!(
            app("fly.toml", "app = 'shop' # ours\n[processes\nweb = 1"),
            shop
        );
        assert_eq!(app("fly.toml", "= 1\n  app=\"shop\""), shop);
        assert_eq!(app("fly.json", r#"{"app": "shop"}"#), shop);
        let conflict = "<<<<<<< HEAD\napp = \"shop\"\n=======\napp = \"other\"\n>>>>>>> x\n";
        for (path, text) in [
            ("fly.toml", conflict),
            ("fly.toml", "= 1\n[x]\napp = \"shop\""),
            ("fly.toml", "app = \"$NAME\""),
            ("fly.toml", "app = 1\n= 2"),
            ("fly.toml", "apps = \"shop\"\n= 2"),
            ("fly.json", r#"{"app": "shop""#),
        ] {
            assert_eq!(app(path, text), None, "{text}");
        }
    }

    #[test]
    fn files_are_requested_by_their_paths_and_inline_configs_are_not() {
        let text = "machine_config = '{\"init\": {}}'\n[experimental]\nmachine_config = \"m.json\"\n\
            [[files]]\nlocal_path = \"b\"\n[[files]]\nraw_value = \"x\"\n[[files]]\nlocal_path = \"a\"\n";
        let paths = |text: &str| {
            referenced_files(SourceFile {
                path: "fly.toml",
                bytes: text.as_bytes(),
            })
        };
        assert_eq!(paths(text), ["a", "b", "m.json"]);
        assert_eq!(paths("files = 7"), Vec::<String>::new());
        assert_eq!(paths("= broken"), Vec::<String>::new());
    }
}
