//! Common parts of all endpoints: authentication, the lock around the world, and latency.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{query, response};
use crate::emulator::storage::WorldStore;
use crate::emulator::world::{Answer, Caller, Refusal, World};

/// The world as shared by the API's handlers; clones share it.
#[derive(Clone)]
pub struct Server {
    world: Arc<Mutex<World>>,
    store: Option<Arc<Mutex<WorldStore>>>,
    served: Arc<AtomicU64>,
}

impl Server {
    /// A server for this world.
    pub fn new(world: World) -> Self {
        Self::from_shared(Arc::new(Mutex::new(world)))
    }

    /// A server for a shared world.
    pub fn from_shared(world: Arc<Mutex<World>>) -> Self {
        Self {
            world,
            store: None,
            served: Arc::default(),
        }
    }

    /// Persists changes in a file.
    #[must_use]
    pub fn with_store(mut self, keeper: WorldStore) -> Self {
        self.store = Some(Arc::new(Mutex::new(keeper)));
        self
    }

    /// The world, for scripting and inspection. Do not hold it across an await.
    pub fn world(&self) -> MutexGuard<'_, World> {
        // A thread that panicked while holding the lock has already reported it.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves one call; `success` is the response's status if it succeeds.
    pub(super) async fn serve(
        &self,
        headers: &HeaderMap,
        success: StatusCode,
        call: impl FnOnce(&mut World) -> Answer,
    ) -> Response {
        let result = self.call_world(headers, call).await;
        self.answer(success, result)
    }

    /// The same for a call with a body.
    pub(super) async fn serve_body(
        &self,
        headers: &HeaderMap,
        success: StatusCode,
        bytes: &Bytes,
        call: impl FnOnce(&mut World, &Value) -> Answer,
    ) -> Response {
        match query::parse_body(bytes) {
            Ok(body) => {
                self.serve(headers, success, |world| call(world, &body))
                    .await
            }
            Err(refusal) => self.answer(success, Err(refusal)),
        }
    }

    /// The same without building the response.
    pub(super) async fn call_world(
        &self,
        headers: &HeaderMap,
        call: impl FnOnce(&mut World) -> Answer,
    ) -> Result<Value, Refusal> {
        let caller = parse_caller(headers)?;
        let answer = {
            let mut world = self.world();
            let answer = call(world.as_caller(caller));
            self.save(&mut world)?;
            answer
        };
        if !answer.delay.is_zero() {
            tokio::time::sleep(answer.delay).await;
        }
        answer.result
    }

    fn save(&self, world: &mut World) -> Result<(), Refusal> {
        let Some(keeper) = &self.store else {
            return Ok(());
        };
        let mut keeper = keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |why: String| response::refusal(500, &format!("the data file: {why}"));
        keeper.save(world).map_err(failed)
    }

    /// A response with a request id.
    pub(super) fn answer(&self, success: StatusCode, result: Result<Value, Refusal>) -> Response {
        let number = self.served.fetch_add(1, Ordering::Relaxed) + 1;
        response::to_response(success, result, &format!("emulated-{number:08}"))
    }
}

/// Identifies the caller. Any token is accepted, but one is required.
fn parse_caller(headers: &HeaderMap) -> Result<Caller, Refusal> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let words = text(header::AUTHORIZATION.as_str()).unwrap_or_default();
    let token = match words.split_once(' ') {
        Some(("Bearer" | "FlyV1", token)) if !token.trim().is_empty() => token,
        _ => {
            let message = "Authenticate: token validation error";
            return Err(response::refusal(401, message));
        }
    };
    let hex = HEXLOWER.encode(&Sha256::digest(token.as_bytes())[..16]);
    let uuid = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-");
    Ok(Caller {
        nonce: text("fly-machine-lease-nonce").map(str::to_owned),
        owner: Some(format!("{uuid}@tokens.fly.io")),
    })
}
