//! Reads the file: settings, `[state]`, `[deploy]`, `[policy]`.

use crate::core::fleet::{Limit, OnFailure, Policy};
use crate::core::manifest::codes;

use super::super::diagnostics::{Diagnostic, quote_text};
use super::super::duration::NumberUnit;
use super::super::fields::Fields;
use super::super::fly::once::{self, WrittenCommand};
use super::super::settings::{PROVIDERS, StateLocation};
use super::super::suggest::closest;
use super::super::tree::{Located, ManifestFile};
use super::super::value::{Table, Value};
use super::group_settings::{self, GroupSettings};
use super::hold::{self, HoldSettings};
use super::moved::{self, Moves};
use super::order::{self, GroupLists};

/// The content of aeroform.toml.
#[derive(Debug, Default)]
pub(in crate::core::manifest) struct AeroformDocument {
    pub(in crate::core::manifest) provider: Option<String>,
    pub(in crate::core::manifest) config: Option<String>,
    pub(in crate::core::manifest) image: Option<String>,
    pub(in crate::core::manifest) state: Option<StateLocation>,
    pub(in crate::core::manifest) groups: Vec<GroupSettings>,
    pub(in crate::core::manifest) moves: Moves,
    pub(in crate::core::manifest) policy: Policy,
    pub(in crate::core::manifest) deploy: DeploySettings,
    pub(in crate::core::manifest) hold: Option<HoldSettings>,
}

/// `[deploy]`.
#[derive(Debug, Default)]
pub(in crate::core::manifest) struct DeploySettings {
    pub(in crate::core::manifest) on_failure: Option<OnFailure>,
    pub(in crate::core::manifest) verify: Option<WrittenCommand>,
    pub(in crate::core::manifest) groups_order: Option<Located<GroupLists>>,
}

/// Reads every key of a parsed aeroform.toml.
///
/// `otherwise` is the provider if it sets none.
pub(in crate::core::manifest) fn read(
    file: &ManifestFile<'_>,
    tree: &Table<'_>,
    otherwise: &str,
) -> AeroformDocument {
    let mut fields = Fields::new(file, tree, 0..0, String::new());
    let provider = provider(&mut fields);
    file.set_provider(provider.as_deref().unwrap_or(otherwise));
    let aeroform = AeroformDocument {
        provider,
        config: string_value(&mut fields, "config"),
        image: image(&mut fields),
        state: state(&mut fields),
        groups: group_settings::read(&mut fields),
        moves: moved::read(&mut fields),
        policy: policy(&mut fields),
        deploy: deploy(&mut fields),
        hold: hold::read(&mut fields),
    };
    fields.report_unknown_keys();
    aeroform
}

/// A known provider. An unknown one is reported and kept, to avoid follow-up errors.
fn provider(fields: &mut Fields<'_, '_>) -> Option<String> {
    let text = non_empty_string(fields, "provider")?;
    if !PROVIDERS.contains(&text.value.as_str()) {
        let message = format!("unknown provider {}", quote_text(&text.value));
        let meant = fields.file.suggestion(&text.value, PROVIDERS);
        let all = || "the providers are `local` and `fly`".to_owned();
        let help = meant.unwrap_or_else(all);
        fields.file.bad_value(text.span, message, Some(help));
    }
    Some(text.value)
}

fn image(fields: &mut Fields<'_, '_>) -> Option<String> {
    let text = non_empty_string(fields, "image")?;
    Some(fields.file.image(text)?.value)
}

fn string_value(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<String> {
    Some(non_empty_string(fields, key)?.value)
}

/// A string that is not empty.
fn non_empty_string(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<Located<String>> {
    let text = fields.string(key)?;
    if text.value.is_empty() {
        let message = format!("`{}` is empty", fields.path(key));
        let help = "set a value, or remove the line".to_owned();
        fields.file.bad_value(text.span, message, Some(help));
        return None;
    }
    Some(text)
}

fn state(fields: &mut Fields<'_, '_>) -> Option<StateLocation> {
    let mut fields = fields.table("state")?;
    let (path, url) = (
        string_value(&mut fields, "path"),
        string_value(&mut fields, "url"),
    );
    if path.is_some() && url.is_some() {
        fields.file.report(
            Diagnostic::error(codes::STATE_TWICE, "[state] has both `path` and `url`")
                .with_location(fields.file.location(fields.span.clone(), ""))
                .help("keep the one where the state is stored"),
        );
    }
    fields.report_unknown_keys();
    path.map(StateLocation::Path)
        .or(url.map(StateLocation::Url))
}

fn deploy(fields: &mut Fields<'_, '_>) -> DeploySettings {
    let Some(mut fields) = fields.table("deploy") else {
        return DeploySettings::default();
    };
    let settings = DeploySettings {
        on_failure: on_failure(&mut fields),
        verify: verify(&mut fields),
        groups_order: order::groups(&mut fields),
    };
    fields.report_unknown_keys();
    settings
}

/// `verify` and `verify_timeout`.
fn verify(fields: &mut Fields<'_, '_>) -> Option<WrittenCommand> {
    let command = once::read(fields, ("verify", "verify_timeout"), NumberUnit::Seconds)?;
    if command.has_words() {
        return Some(command);
    }
    let message = format!("`{}` is empty", fields.path("verify"));
    let help = "write a command, or remove the line".to_owned();
    fields.file.bad_value(command.span, message, Some(help));
    None
}

fn on_failure(fields: &mut Fields<'_, '_>) -> Option<OnFailure> {
    let word = fields.string("on_failure")?;
    let chosen = OnFailure::parse(&word.value);
    if chosen.is_none() {
        let path = fields.path("on_failure");
        let message = format!("`{path}`: unknown value {}", quote_text(&word.value));
        let help = match closest(&word.value, OnFailure::ALL.map(|(name, _)| name)) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => {
                "write \"stop\" (a failure stops the release), \"group\" (it stops its group) or \
                 \"rollback\" (it stops the release and undoes it)"
                    .to_owned()
            }
        };
        fields.file.bad_value(word.span, message, Some(help));
    }
    chosen
}

fn policy(fields: &mut Fields<'_, '_>) -> Policy {
    let Some(mut fields) = fields.table("policy") else {
        return Policy::default();
    };
    let policy = Policy {
        max_destroy: max_destroy(&mut fields),
    };
    fields.report_unknown_keys();
    policy
}

/// A number of Machines, or a percentage like `"25%"`.
fn max_destroy(fields: &mut Fields<'_, '_>) -> Option<Limit> {
    let node = fields.take("max_destroy")?;
    let path = fields.path("max_destroy");
    let Value::String(text) = node.get_ref() else {
        let count = fields
            .file
            .integer(&path, node, 0..group_settings::MAX_COUNT + 1)?;
        return Some(Limit::Count(count.value));
    };
    let percent = text
        .strip_suffix('%')
        .and_then(|number| number.trim().parse::<f64>().ok());
    let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
    if percent.is_none() {
        let message = format!(
            "`{path}`: {} is neither a number nor a percentage",
            quote_text(text)
        );
        let help = "write 2, or \"25%\"".to_owned();
        fields.file.bad_value(node.span(), message, Some(help));
    }
    Some(Limit::Share(percent? / 100.0))
}
