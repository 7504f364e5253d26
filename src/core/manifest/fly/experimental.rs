//! `[experimental]`: commands, and keys that have moved elsewhere.

use crate::core::fleet::schema::Metrics;

use super::super::duration::NumberUnit;
use super::super::fields::Fields;
use super::super::tree::Located;
use super::super::value::Value;
use super::service_parts::port;
use super::signals;

/// The supported keys of the section.
#[derive(Debug, Clone, Default)]
pub(super) struct Experimental {
    /// The command of groups without one of their own.
    pub(super) cmd: Option<Vec<String>>,
    /// Replaces the image's entrypoint, in every group.
    pub(super) entrypoint: Option<Vec<String>>,
    /// Replaces both, in every group.
    pub(super) exec: Option<Vec<String>>,
    /// Old place of `kill_timeout`.
    pub(super) kill_timeout: Option<Located<u64>>,
    /// Old place of `[metrics]`.
    pub(super) metrics: Option<Metrics>,
    /// Old form of the top-level key, which it overrides.
    pub(super) machine_config: Option<Located<String>>,
}

/// Reads the section.
pub(super) fn read(fields: &mut Fields<'_, '_>) -> Experimental {
    let Some(mut fields) = fields.table("experimental") else {
        return Experimental::default();
    };
    let port = fields
        .is_moved("metrics_port")
        .then(|| port(&mut fields, "metrics_port", true))
        .flatten();
    let path = fields
        .is_moved("metrics_path")
        .then(|| fields.text("metrics_path"))
        .flatten();
    let kill_timeout = fields
        .is_moved("kill_timeout")
        .then(|| signals::timeout(&mut fields, NumberUnit::Seconds))
        .flatten();
    let experimental = Experimental {
        cmd: words(&mut fields, "cmd"),
        entrypoint: words(&mut fields, "entrypoint"),
        exec: words(&mut fields, "exec"),
        kill_timeout,
        metrics: (port.is_some() || path.is_some()).then(|| Metrics {
            path,
            port,
            ..Metrics::default()
        }),
        machine_config: fields.string("machine_config"),
    };
    for key in [
        "auto_rollback",
        "enable_consul",
        "enable_etcd",
        "lazy_load_images",
    ] {
        fields.boolean(key);
    }
    fields.table("attached");
    fields.report_unknown_keys();
    experimental
}

/// A list of words; one string is a list of one where flyctl's patches reach it, and is not split.
fn words(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<Vec<String>> {
    let node = fields.take(key)?;
    let path = fields.path(key);
    if let Value::String(text) = node.get_ref()
        && fields.patches(key)
    {
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

    #[test]
    fn old_syntax_is_read_in_lower_case_only() {
        for (text, errors, warnings) in [
            ("[experimental]\nCmd = \"run\"", 1, 0),
            ("[Experimental]\nentrypoint = \"run\"", 1, 0),
            ("[Experimental]\nExec = [\"run\"]", 0, 0),
            ("[Experimental]\nkill_timeout = 5", 0, 1),
            ("[experimental]\nKill_timeout = 5", 0, 1),
            (
                "[Experimental]\nmetrics_port = 5\nmetrics_path = \"/x\"",
                0,
                2,
            ),
        ] {
            let (read, found) = fly_fields(text, read);
            let counts = (found.errors(), found.warnings());
            assert_eq!(counts, (errors, warnings), "{text}");
            assert!(
                read.kill_timeout.is_none() && read.metrics.is_none(),
                "{text}"
            );
        }
    }
}
