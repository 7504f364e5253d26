//! The HTTP API: the Machines API under `/v1`, and the releases of `api.fly.io` under `/api/v1`.
//!
//! It parses requests and builds responses; [`World`] implements the endpoints. Calls
//! take simulated time on tokio's clock, so that a paused clock drives them. It opens no socket; start at
//! [`router`].

mod apps;
mod endpoint;
mod machines;
mod query;
mod regions;
mod releases;
mod response;
mod server;
mod wait;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post, put};

use self::endpoint::{of_app, of_app_with_body, of_id, of_id_with_body};
use super::world::World;
pub use server::Server;

/// The API for this server's world.
pub fn router(server: Server) -> Router {
    let machine = "/v1/apps/{app}/machines/{id}";
    let volume = "/v1/apps/{app}/volumes/{id}";
    let under = |base: &str, rest: &str| format!("{base}/{rest}");
    Router::new()
        .route("/v1/platform/regions", get(regions::list))
        .route("/v1/apps", get(apps::list).post(apps::create))
        .route(
            "/v1/apps/{app}",
            get(of_app(World::app)).delete(apps::delete),
        )
        .route(
            "/v1/apps/{app}/machines",
            get(machines::list).post(of_app_with_body(World::create)),
        )
        .route(
            machine,
            get(of_id(World::get))
                .post(of_id_with_body(World::update))
                .delete(machines::destroy),
        )
        .route(&under(machine, "wait"), get(wait::wait))
        .route(&under(machine, "events"), get(machines::events))
        .route(&under(machine, "versions"), get(of_id(World::versions)))
        .route(&under(machine, "ps"), get(of_id(World::processes)))
        .route(
            &under(machine, "lease"),
            get(of_id(World::read_lease))
                .post(machines::lease)
                .delete(of_id(World::release_lease)),
        )
        .route(
            &under(machine, "metadata"),
            get(of_id(World::read_metadata))
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
            get(of_app(World::volumes)).post(of_app_with_body(World::create_volume)),
        )
        .route(
            volume,
            get(of_id(World::volume))
                .put(of_id_with_body(World::update_volume))
                .delete(of_id(World::delete_volume)),
        )
        .route(
            &under(volume, "extend"),
            put(of_id_with_body(World::extend_volume)),
        )
        .route("/api/v1/releases", post(releases::create))
        .route("/api/v1/releases/{id}", patch(releases::update))
        .route("/api/v1/apps/{app}/releases", get(releases::list))
        .route(
            "/api/v1/apps/{app}/releases/current",
            get(of_app(World::current_release)),
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
