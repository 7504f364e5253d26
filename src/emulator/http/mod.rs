//! The HTTP API: the Machines API under `/v1`, and the releases of `api.fly.io` under `/api/v1`.
//!
//! It parses requests and builds responses; [`World`](super::world::World) implements the endpoints. Calls
//! take simulated time on tokio's clock, so that a paused clock drives them. It opens no socket; start at
//! [`router`].

mod apps;
mod machines;
mod query;
mod regions;
mod releases;
mod response;
mod server;
mod volumes;
mod wait;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post, put};

pub use server::Server;

/// The API for this server's world.
pub fn router(server: Server) -> Router {
    let machine = "/v1/apps/{app}/machines/{id}";
    let volume = "/v1/apps/{app}/volumes/{id}";
    let under = |base: &str, rest: &str| format!("{base}/{rest}");
    Router::new()
        .route("/v1/platform/regions", get(regions::list))
        .route("/v1/apps", get(apps::list).post(apps::create))
        .route("/v1/apps/{app}", get(apps::read).delete(apps::delete))
        .route(
            "/v1/apps/{app}/machines",
            get(machines::list).post(machines::create),
        )
        .route(
            machine,
            get(machines::read)
                .post(machines::update)
                .delete(machines::destroy),
        )
        .route(&under(machine, "wait"), get(wait::wait))
        .route(&under(machine, "events"), get(machines::events))
        .route(&under(machine, "versions"), get(machines::versions))
        .route(&under(machine, "ps"), get(machines::processes))
        .route(
            &under(machine, "lease"),
            get(machines::read_lease)
                .post(machines::lease)
                .delete(machines::release_lease),
        )
        .route(
            &under(machine, "metadata"),
            get(machines::read_metadata)
                .put(machines::put_metadata)
                .patch(machines::patch_metadata),
        )
        .route(
            &under(machine, "metadata/{key}"),
            get(machines::read_entry)
                .post(machines::write_entry)
                .delete(machines::delete_entry),
        )
        .route(&under(machine, "{action}"), post(machines::act))
        .route(
            "/v1/apps/{app}/volumes",
            get(volumes::list).post(volumes::create),
        )
        .route(
            volume,
            get(volumes::read)
                .put(volumes::update)
                .delete(volumes::delete),
        )
        .route(&under(volume, "extend"), put(volumes::extend))
        .route("/api/v1/releases", post(releases::create))
        .route("/api/v1/releases/{id}", patch(releases::update))
        .route("/api/v1/apps/{app}/releases", get(releases::list))
        .route(
            "/api/v1/apps/{app}/releases/current",
            get(releases::current),
        )
        .fallback(route_not_found)
        .method_not_allowed_fallback(route_not_found)
        // The platform documents no limit.
        .layer(DefaultBodyLimit::disable())
        .with_state(server)
}

/// The API's response for an unknown path, before authentication.
async fn route_not_found() -> Response {
    (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
}
