//! Messages of the 统一对外接口 over HTTP: one path for all of them and two for tokens. Whatever comes in, what
//! goes back has the shape of an answer: `code`, `data`, `message`, `type`.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;

use super::messages::{Bounds, Untaken, json};
use crate::app::App;
use crate::inbound::{Reply, oauth, unified};
use crate::refusal::Refusal;

/// A body at the paths of tokens has four short members.
const MOST_OAUTH_BYTES: usize = 16 << 10;

pub(super) fn routes(router: Router<App>, bounds: &Arc<Bounds>) -> Router<App> {
    let (api, code, token) = (bounds.clone(), bounds.clone(), bounds.clone());
    router
        .route(
            "/fjs/api",
            post(move |State(app): State<App>, body: Body| async move {
                let limit = app.settings.inbound.max_insurer_body_bytes;
                match api.take(body, limit).await {
                    Ok(taken) => answer(unified::receive(&app, taken.body().clone()).await),
                    Err(untaken) => refused(&app, untaken),
                }
            }),
        )
        .route(
            "/fjs/oauth/code",
            post(move |State(app): State<App>, body: Body| async move {
                match code.take(body, MOST_OAUTH_BYTES).await {
                    Ok(taken) => answer(oauth::code(&app, taken.body()).await),
                    Err(untaken) => refused(&app, untaken),
                }
            }),
        )
        .route(
            "/fjs/oauth/token",
            post(move |State(app): State<App>, body: Body| async move {
                match token.take(body, MOST_OAUTH_BYTES).await {
                    Ok(taken) => answer(oauth::token(&app, taken.body()).await),
                    Err(untaken) => refused(&app, untaken),
                }
            }),
        )
}

fn answer(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    json(status, reply.body)
}

fn refused(app: &App, (status, code, message): Untaken) -> Response {
    app.meters.stranger(code);
    let refusal = Refusal::caller(code, message);
    json(status, unified::unsigned_refusal(&refusal, app.now_ms()))
}
