//! The HTTP side: paths, limits, health, metrics, and the server itself.

mod centre;
mod health;
mod insurers;
mod messages;
mod server;

use axum::Router;
use axum::extract::DefaultBodyLimit;

use crate::app::App;
use crate::{docs, h5};

pub use server::{Extras, Server};

/// Every path of the platform, and those given besides.
pub fn router(app: &App, besides: Router<App>) -> Router {
    Router::new()
        .merge(besides)
        .merge(messages::routes(app))
        .merge(health::routes())
        .merge(h5::routes(app))
        .merge(docs::routes(app))
        .fallback(messages::unknown_path)
        .method_not_allowed_fallback(messages::wrong_method)
        .layer(DefaultBodyLimit::disable())
        .with_state(app.clone())
}
