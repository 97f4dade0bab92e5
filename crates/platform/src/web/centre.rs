//! Messages of the credential centre over HTTP: one path for all of them, in GB18030 or UTF-8.
//! Whatever comes in, what goes back has the shape of an answer: `orgId`, `code`, `message`.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use banyan_protocol::envelope::centre::{Charset, PATH};
use tokio::sync::Semaphore;

use super::messages::{busy, read};
use crate::app::App;
use crate::inbound::centre::{self, CentreReply};
use crate::refusal::Refusal;

pub(super) fn routes(router: Router<App>, places: &Arc<Semaphore>) -> Router<App> {
    let places = places.clone();
    let handler = move |State(app): State<App>, headers: HeaderMap, body: Body| async move {
        receive(&app, &places, &headers, body).await
    };
    router.route(PATH, post(handler))
}

async fn receive(app: &App, places: &Semaphore, headers: &HeaderMap, body: Body) -> Response {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let charset = content_type.and_then(Charset::named).unwrap_or_default();
    let body = match read(body, app.settings.inbound.max_body_bytes).await {
        Ok(body) => body,
        Err(unread) => return refused(app, charset, unread),
    };
    let Ok(_place) = places.try_acquire() else {
        return refused(app, charset, busy());
    };
    respond(centre::receive(app, content_type, &body).await)
}

fn refused(
    app: &App,
    charset: Charset,
    (status, code, message): super::messages::Unread,
) -> Response {
    app.meters.stranger(code);
    respond(CentreReply {
        status: status.as_u16(),
        charset,
        body: centre::unsigned_refusal(&Refusal::caller(code, message)),
    })
}

fn respond(reply: CentreReply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    let content_type = HeaderValue::from_static(reply.charset.content_type());
    let bytes = reply.charset.encode(&reply.body).into_owned();
    (status, [(header::CONTENT_TYPE, content_type)], bytes).into_response()
}
