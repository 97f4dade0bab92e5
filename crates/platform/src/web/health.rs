//! Whether the platform lives and can work, and its figures.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

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
        Ok(Ok(())) if !app.worker_alive() => "the worker does not run".to_owned(),
        Ok(Ok(())) => return "ready\n".into_response(),
        Ok(Err(error)) => format!("the database: {error}"),
        Err(_) => "the database does not answer".to_owned(),
    };
    (StatusCode::SERVICE_UNAVAILABLE, format!("{fault}\n")).into_response()
}

async fn metrics(State(app): State<App>) -> Response {
    let kind = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (kind, app.meters.render()).into_response()
}
