//! Messages of the 统一对外接口 over HTTP: one path for all of them and two for tokens. Whatever comes in, what
//! goes back has the shape of an answer: `code`, `data`, `message`, `type`.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use tokio::sync::Semaphore;

use super::messages::{Unread, json, taken};
use crate::app::App;
use crate::inbound::{Reply, oauth, unified};
use crate::refusal::Refusal;

/// A body at the paths of tokens has four short members.
const MOST_OAUTH_BYTES: usize = 16 << 10;

pub(super) fn routes(router: Router<App>, places: &Arc<Semaphore>) -> Router<App> {
    let (api, code, token) = (places.clone(), places.clone(), places.clone());
    router
        .route(
            "/fjs/api",
            post(move |State(app): State<App>, body: Body| async move {
                let limit = app.settings.inbound.max_insurer_body_bytes;
                match taken(body, limit, &api).await {
                    Ok((body, _place)) => answer(unified::receive(&app, body).await),
                    Err(unread) => refused(&app, unread),
                }
            }),
        )
        .route(
            "/fjs/oauth/code",
            post(move |State(app): State<App>, body: Body| async move {
                match taken(body, MOST_OAUTH_BYTES, &code).await {
                    Ok((body, _place)) => answer(oauth::code(&app, &body).await),
                    Err(unread) => refused(&app, unread),
                }
            }),
        )
        .route(
            "/fjs/oauth/token",
            post(move |State(app): State<App>, body: Body| async move {
                match taken(body, MOST_OAUTH_BYTES, &token).await {
                    Ok((body, _place)) => answer(oauth::token(&app, &body).await),
                    Err(unread) => refused(&app, unread),
                }
            }),
        )
}

fn answer(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    json(status, reply.body)
}

fn refused(app: &App, (status, code, message): Unread) -> Response {
    app.meters.stranger(code);
    let refusal = Refusal::caller(code, message);
    json(status, unified::unsigned_refusal(&refusal, app.now_ms()))
}
