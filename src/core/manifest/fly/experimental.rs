//! `[experimental]`: what is run, and keys that have moved elsewhere since.

use crate::core::fleet::config::Metrics;

use super::super::duration::{Number, text};
use super::super::fields::Fields;
use super::super::value::Value;
use super::service_parts::port;

/// What of the section matters.
#[derive(Debug, Clone, Default)]
pub(super) struct Experimental {
    /// The command of groups without one of their own.
    pub(super) cmd: Option<Vec<String>>,
    /// Replaces the image's entrypoint, in every group.
    pub(super) entrypoint: Option<Vec<String>>,
    /// Replaces both, in every group.
    pub(super) exec: Option<Vec<String>>,
    /// Old place of `kill_timeout`.
    pub(super) kill_timeout: Option<String>,
    /// Old place of `[metrics]`.
    pub(super) metrics: Option<Metrics>,
}

/// Reads the section.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Experimental {
    let Some(mut fields) = fields.table("experimental") else {
        return Experimental::default();
    };
    let port = port(&mut fields, "metrics_port", true);
    let path = fields.text("metrics_path");
    let experimental = Experimental {
        cmd: words(&mut fields, "cmd"),
        entrypoint: words(&mut fields, "entrypoint"),
        exec: words(&mut fields, "exec"),
        kill_timeout: fields.duration("kill_timeout", Number::Seconds).map(text),
        metrics: port.map(|port| Metrics {
            port: Some(port),
            path,
            ..Metrics::default()
        }),
    };
    fields.accept(&[
        "auto_rollback",
        "enable_consul",
        "enable_etcd",
        "lazy_load_images",
        "attached",
        "machine_config",
        // Written by flyctl in the days of Nomad, and in a great many files.
        "allowed_public_ports",
        "private_network",
    ]);
    fields.finish();
    experimental
}

/// A list of words; one string is a list of one, and is not split.
fn words(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<Vec<String>> {
    let node = fields.take(key)?;
    let path = fields.path(key);
    if let Value::String(text) = node.get_ref() {
        return Some(vec![text.clone().into_owned()]);
    }
    let list = fields.file.strings(&path, node)?;
    let words: Vec<String> = list.into_iter().map(|at| at.value).collect();
    (!words.is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::fly_fields;
    use super::*;

    #[test]
    fn a_string_is_one_word_and_is_not_split() {
        let text = "[experimental]\ncmd = \"run it\"\nentrypoint = [\"a\", \"b c\"]\nexec = []\n";
        let (read, found) = fly_fields(text, read);
        assert_eq!(read.cmd, Some(vec!["run it".to_owned()]));
        assert_eq!(read.entrypoint.unwrap().len(), 2);
        assert_eq!(read.exec, None);
        assert!(found.is_empty());
    }
}
