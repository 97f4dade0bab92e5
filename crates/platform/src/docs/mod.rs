//! Pages for developers, at `/docs`. So far one: the doctor for signatures.
//!
//! They exist in test environments alone; in production their paths are unknown ones like any
//! other. They keep nothing: what a form carries lives as long as its request, the secret above
//! all, which is in the body only, is wiped afterwards, and never comes back in an answer.
//!
//! Server-rendered, no script; nothing is asked of any other host.

mod doctor;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use banyan_protocol::envelope::Environment;

use crate::app::App;

const DOCTOR_PATH: &str = "/docs/doctor";
const STYLE_PATH: &str = "/docs/docs.css";

/// A captured message of the largest size that the platform takes, each byte written as three,
/// and room for the rest.
const MOST_BYTES: usize = 4 << 20;

/// The routes of the pages, where there are any.
pub fn routes(app: &App) -> Router<App> {
    if app.environment != Environment::Test {
        return Router::new();
    }
    Router::new()
        .route(DOCTOR_PATH, get(doctor::form).post(doctor::examined))
        .route(STYLE_PATH, get(style))
        .route_layer(middleware::from_fn(dress))
        .route_layer(DefaultBodyLimit::max(MOST_BYTES))
}

async fn style() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/css; charset=utf-8")];
    (kind, include_str!("../../templates/docs/docs.css")).into_response()
}

/// Puts on every answer the headers that keep it safe.
async fn dress(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    banyan_web::protect(&mut response, CONTENT_SECURITY_POLICY);
    response
}

/// As on the citizens' pages, and without scripts and images altogether.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; \
     base-uri 'none'";
