//! Releases, on another host of the platform (docs/platform/machines-api.md 14).
//!
//! A missing endpoint, or one that rejects the token, means that releases are unknown. Any other unsuccessful
//! response is an error.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{ApiRequest, ApiResponse};
use super::provider::FlyProvider;
use super::transport::{Method, Transport};
use crate::core::fleet::{AppName, NewRelease, Release, ReleaseStatus};
use crate::provider::codes::{NO_ACCESS, RATE_LIMITED};
use crate::provider::{ErrorClass, ProviderError};

/// The timeout: some networks cannot reach that host, and nothing depends on it.
const RELEASES_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct ReleaseJson {
    id: Value,
    version: u64,
    in_progress: Option<bool>,
    #[serde(default)]
    status: Value,
    #[serde(default)]
    user: Value,
    #[serde(default)]
    created_at: Value,
    #[serde(default)]
    image_ref: Option<String>,
}

impl<T: Transport> FlyProvider<T> {
    pub(super) async fn current_release(
        &self,
        app: &AppName,
    ) -> Result<Option<Release>, ProviderError> {
        let path = format!("/api/v1/apps/{app}/releases/current");
        let response = self.call_releases_api(Method::Get, path, None).await?;
        response
            .map(|response| parse_release(&response))
            .transpose()
    }

    pub(super) async fn list_releases(
        &self,
        app: &AppName,
        limit: usize,
    ) -> Result<Option<Vec<Release>>, ProviderError> {
        let path = format!("/api/v1/apps/{app}/releases?limit={limit}");
        let Some(response) = self.call_releases_api(Method::Get, path, None).await? else {
            return Ok(None);
        };
        let tree: Value = response.parse()?;
        let listed = tree.get("releases").unwrap_or(&tree).as_array();
        let listed = listed.ok_or_else(|| response.unreadable("there is no list of releases"))?;
        let releases = listed
            .iter()
            .map(|shown| read_release(shown.clone(), &response));
        releases.collect::<Result<_, _>>().map(Some)
    }

    pub(super) async fn new_release(
        &self,
        app: &AppName,
        release: &NewRelease<'_>,
    ) -> Result<Option<Release>, ProviderError> {
        let mut body = json!({"app_name": app, "strategy": release.strategy});
        if let Some(image) = release.image {
            body["image"] = image.into();
        }
        if let Some(definition) = release.definition {
            body["definition"] = definition.clone();
        }
        let path = "/api/v1/releases".to_owned();
        let response = self
            .call_releases_api(Method::Post, path, Some(body))
            .await?;
        response
            .map(|response| parse_release(&response))
            .transpose()
    }

    pub(super) async fn send_release_status(
        &self,
        id: &str,
        status: ReleaseStatus,
    ) -> Result<(), ProviderError> {
        let path = format!("/api/v1/releases/{id}");
        let body = json!({"status": status.as_str()});
        let response = self.call_releases_api(Method::Patch, path, Some(body));
        response.await.map(drop)
    }

    async fn call_releases_api(
        &self,
        method: Method,
        path: String,
        body: Option<Value>,
    ) -> Result<Option<ApiResponse>, ProviderError> {
        let request = ApiRequest {
            body,
            timeout: RELEASES_TIMEOUT,
            ..ApiRequest::new(method, path)
        };
        match self.client.call_releases_api(request).await {
            Ok(response) => Ok(Some(response)),
            Err(error) if error.class == ErrorClass::NotFound => Ok(None),
            Err(error) if error.code == NO_ACCESS.name() => Ok(None),
            Err(mut error) => {
                if let ErrorClass::RateLimited(Some(pause)) = &mut error.class {
                    *pause = RELEASES_TIMEOUT.min(*pause);
                } else if error.code == RATE_LIMITED.name() && error.class == ErrorClass::Fatal {
                    // A very long `Retry-After` is replaced by one short retry, because releases are
                    // optional.
                    error.class = ErrorClass::RateLimited(Some(RELEASES_TIMEOUT));
                }
                Err(error)
            }
        }
    }
}

fn parse_release(response: &ApiResponse) -> Result<Release, ProviderError> {
    let tree: Value = response.parse()?;
    read_release(tree.get("release").unwrap_or(&tree).clone(), response)
}

fn read_release(shown: Value, response: &ApiResponse) -> Result<Release, ProviderError> {
    let shown: ReleaseJson =
        serde_json::from_value(shown).map_err(|why| response.unreadable(why))?;
    // The id becomes part of a path.
    let id = match &shown.id {
        Value::String(id) => id.clone(),
        Value::Number(id) => id.to_string(),
        _ => String::new(),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if id.is_empty() || !id.chars().all(plain) {
        return Err(response.unreadable("the release has no id"));
    }
    Ok(Release {
        id,
        version: shown.version,
        in_progress: shown.in_progress.unwrap_or(false),
        status: shown.status.as_str().map(str::to_owned),
        user: parse_user(&shown.user),
        image: shown.image_ref.filter(|image| !image.is_empty()),
        created_at: parse_timestamp(&shown.created_at),
    })
}

/// The form of a user is undocumented: a text, or an object with one of these keys.
fn parse_user(shown: &Value) -> Option<String> {
    let inside = ["email", "name", "id"].iter().map(|key| shown.get(key));
    let mut texts = std::iter::once(Some(shown)).chain(inside).flatten();
    texts.find_map(|value| Some(value.as_str()?.to_owned()))
}

fn parse_timestamp(shown: &Value) -> Option<i64> {
    let parsed: Option<jiff::Timestamp> = shown.as_str().and_then(|text| text.parse().ok());
    parsed.map(jiff::Timestamp::as_second).or(shown.as_i64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_and_a_moment_have_several_forms() {
        assert_eq!(parse_user(&json!("ana")).as_deref(), Some("ana"));
        let email = json!({"id": "u1", "email": "ana@example.com"});
        assert_eq!(parse_user(&email).as_deref(), Some("ana@example.com"));
        assert_eq!(parse_user(&Value::Null), None);
        assert_eq!(parse_timestamp(&json!("1970-01-01T00:01:00Z")), Some(60));
        assert_eq!(parse_timestamp(&json!(60)), Some(60));
        assert_eq!(parse_timestamp(&json!("then")), None);
    }
}
