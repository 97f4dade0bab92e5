//! What people look at: the status, and how the edge is called.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::overdue::time;
use super::reply::{Answer, Reply};
use crate::edge::Edge;
use crate::health::Health;

/// The paths that need no key: they show nobody's identity.
pub(super) fn routes() -> Router<Edge> {
    Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(ready))
}

async fn ready(State(edge): State<Edge>) -> Response {
    match edge.outbox.db.ping().await {
        Ok(()) => "ok".into_response(),
        Err(error) => {
            tracing::error!(%error, "not ready");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "the outbox does not answer",
            )
                .into_response()
        }
    }
}

/// `GET /v1/status`
pub(super) async fn status_json(State(edge): State<Edge>) -> Answer {
    let health = Health::of(&edge).await?;
    let lights: Vec<Value> = health
        .lights
        .iter()
        .map(|light| {
            json!({
                "code": light.code,
                "name": light.name,
                "level": light.level.code(),
                "text": light.text,
                "advice": light.advice,
            })
        })
        .collect();
    let backlog = &health.backlog;
    Ok(Reply::done(json!({
        "orgId": edge.sender.org_id.as_str(),
        "level": health.overall.code(),
        "lights": lights,
        "skewMs": edge.line.skew_ms(),
        "waitingItems": backlog.waiting_items,
        "unsentMessages": backlog.unsent,
        "awaitedMessages": backlog.awaited,
        "refusedItems": backlog.refused_items,
        "lastAcceptedAt": backlog.last_accepted_ms.map(time),
        "nextDueAt": backlog.next_due_ms.map(time),
        "now": time(edge.now_ms()),
    })))
}
