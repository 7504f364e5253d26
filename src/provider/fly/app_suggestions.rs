//! Suggests existing apps for a mistyped name.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::timeout;

use super::client::ApiRequest;
use super::provider::FlyProvider;
use super::transport::{Method, Transport};
use crate::core::fleet::AppName;
use crate::core::manifest::did_you_mean;

/// The total time for a suggestion.
const SUGGESTION_TIMEOUT: Duration = Duration::from_secs(5);
/// The maximum of organisations to search.
const MAX_ORGANISATIONS: usize = 8;

impl<T: Transport> FlyProvider<T> {
    /// A hint for a missing app: the most similar existing app first. A token that may not list apps gets no
    /// suggestion.
    pub(super) async fn suggest_apps(&self, app: &AppName) -> String {
        let make = format!("`fly apps create {app}` creates it");
        let listed = timeout(SUGGESTION_TIMEOUT, self.list_visible_apps())
            .await
            .unwrap_or_default();
        match did_you_mean(app.as_str(), listed.iter().map(AppName::as_str)) {
            Some(meant) => format!("{meant} Otherwise {make}"),
            None => format!("if the name is correct, {make}"),
        }
    }

    /// The apps that the token may list.
    async fn list_visible_apps(&self) -> Vec<AppName> {
        #[derive(Deserialize)]
        struct Tokens {
            tokens: Vec<Token>,
        }
        #[derive(Deserialize)]
        struct Token {
            org_slug: Option<String>,
        }
        #[derive(Deserialize)]
        struct List {
            apps: Vec<Row>,
        }
        #[derive(Deserialize)]
        struct Row {
            name: String,
        }
        let of_tokens = self
            .client
            .call_machines_api(ApiRequest::new(Method::Get, "/v1/tokens/current"));
        let tokens = of_tokens
            .await
            .and_then(|response| response.parse::<Tokens>());
        let tokens = tokens.map_or_else(|_| Vec::new(), |list| list.tokens);
        let mut slugs: BTreeSet<String> = tokens.into_iter().filter_map(|t| t.org_slug).collect();
        // Every user has this organisation, and user tokens name none.
        slugs.insert("personal".to_owned());
        let is_slug = |slug: &&String| {
            let mut bytes = slug.bytes();
            bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let mut apps = Vec::new();
        for slug in slugs.iter().filter(is_slug).take(MAX_ORGANISATIONS) {
            let request = ApiRequest::new(Method::Get, format!("/v1/apps?org_slug={slug}"));
            let response = self.client.call_machines_api(request).await;
            if let Ok(list) = response.and_then(|response| response.parse::<List>()) {
                let names = list.apps.into_iter().map(|row| AppName::new(row.name));
                apps.extend(names.filter_map(Result::ok));
            }
        }
        apps
    }
}
