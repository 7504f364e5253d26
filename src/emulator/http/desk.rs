//! What every endpoint passes through: who calls, the world behind its lock, and how long it takes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{answer, query};
use crate::emulator::data::Keeper;
use crate::emulator::world::{Answer, Bearer, Refusal, World};

/// The world as the API's handlers reach it. Clones share it.
#[derive(Clone)]
pub struct Desk {
    world: Arc<Mutex<World>>,
    keeper: Option<Arc<Mutex<Keeper>>>,
    served: Arc<AtomicU64>,
}

impl Desk {
    /// A desk in front of this world.
    pub fn new(world: World) -> Self {
        Self::over(Arc::new(Mutex::new(world)))
    }

    /// A desk in front of a world that others reach, too.
    pub fn over(world: Arc<Mutex<World>>) -> Self {
        Self {
            world,
            keeper: None,
            served: Arc::default(),
        }
    }

    /// The same, which keeps what happens in a file.
    #[must_use]
    pub fn kept_by(mut self, keeper: Keeper) -> Self {
        self.keeper = Some(Arc::new(Mutex::new(keeper)));
        self
    }

    /// The world, to script and to look at. Not to be held across an await.
    pub fn world(&self) -> MutexGuard<'_, World> {
        // Whoever panicked while it held the world has said so already.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves one call and answers it with this status if it succeeds.
    pub(super) async fn serve(
        &self,
        headers: &HeaderMap,
        success: StatusCode,
        call: impl FnOnce(&mut World) -> Answer,
    ) -> Response {
        let result = self.ask(headers, call).await;
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
        match query::body(bytes) {
            Ok(body) => {
                self.serve(headers, success, |world| call(world, &body))
                    .await
            }
            Err(refusal) => self.answer(success, Err(refusal)),
        }
    }

    /// The same without an answer yet.
    pub(super) async fn ask(
        &self,
        headers: &HeaderMap,
        call: impl FnOnce(&mut World) -> Answer,
    ) -> Result<Value, Refusal> {
        let bearer = bearer(headers)?;
        let answer = {
            let mut world = self.world();
            let answer = call(world.bearing(bearer));
            self.keep(&mut world)?;
            answer
        };
        if !answer.delay.is_zero() {
            tokio::time::sleep(answer.delay).await;
        }
        answer.result
    }

    fn keep(&self, world: &mut World) -> Result<(), Refusal> {
        let Some(keeper) = &self.keeper else {
            return Ok(());
        };
        let mut keeper = keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |why: String| answer::refusal(500, &format!("the data file: {why}"));
        keeper.keep(world).map_err(failed)
    }

    /// An answer of the API, with a request id.
    pub(super) fn answer(&self, success: StatusCode, result: Result<Value, Refusal>) -> Response {
        let number = self.served.fetch_add(1, Ordering::Relaxed) + 1;
        answer::of(success, result, &format!("emulated-{number:08}"))
    }
}

/// Who calls. Any token is taken, a missing one is not.
fn bearer(headers: &HeaderMap) -> Result<Bearer, Refusal> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let words = text(header::AUTHORIZATION.as_str()).unwrap_or_default();
    let token = match words.split_once(' ') {
        Some(("Bearer" | "FlyV1", token)) if !token.trim().is_empty() => token,
        _ => {
            let message = "Authenticate: token validation error";
            return Err(answer::refusal(401, message));
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
    Ok(Bearer {
        nonce: text("fly-machine-lease-nonce").map(str::to_owned),
        owner: Some(format!("{uuid}@tokens.fly.io")),
    })
}
