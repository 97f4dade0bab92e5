//! Whether the platform lives and can work, and its figures.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use banyan_protocol::crypto::sm3;

use crate::app::App;

/// A database that takes longer to answer is as good as away.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

async fn ready(State(app): State<App>) -> Response {
    let fault = match tokio::time::timeout(PING_TIMEOUT, app.db.ping()).await {
        Ok(Ok(())) => match app.worker_missing() {
            None => return "ready\n".into_response(),
            Some(part) => format!("the worker is not seen: {part}"),
        },
        Ok(Err(error)) => format!("the database: {error}"),
        Err(_) => "the database does not answer".to_owned(),
    };
    // The reason is the operator's; whoever can reach this path need not be one.
    tracing::warn!(fault, "not ready");
    (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response()
}

async fn metrics(State(app): State<App>, headers: HeaderMap) -> Response {
    if let Some(token) = &app.settings.metrics_token {
        let wanted = format!("Bearer {}", token.0);
        let given = headers.get(header::AUTHORIZATION);
        // Compared by digest, so that the time it takes says nothing of the token.
        let same = given
            .is_some_and(|given| sm3::digest(given.as_bytes()) == sm3::digest(wanted.as_bytes()));
        if !same {
            return (StatusCode::UNAUTHORIZED, "unauthorized\n").into_response();
        }
    }
    let kind = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (kind, app.meters.render()).into_response()
}
