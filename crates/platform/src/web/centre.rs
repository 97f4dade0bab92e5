//! Messages of the credential centre over HTTP: one path for all of them, in GB18030 or UTF-8.
//! Whatever comes in, what goes back has the shape of an answer: `orgId`, `code`, `message`.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use banyan_protocol::envelope::centre::{Charset, PATH};

use super::messages::{Bounds, Untaken};
use crate::app::App;
use crate::inbound::centre::{self, CentreReply};
use crate::refusal::Refusal;

pub(super) fn routes(router: Router<App>, bounds: &Arc<Bounds>) -> Router<App> {
    let bounds = bounds.clone();
    let handler = move |State(app): State<App>, request: Request| async move {
        receive(&app, &bounds, request).await
    };
    router.route(PATH, post(handler))
}

async fn receive(app: &App, bounds: &Bounds, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let content_type = head
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let charset = content_type.and_then(Charset::named).unwrap_or_default();
    let limit = app.settings.inbound.max_body_bytes;
    match bounds.take(body, limit).await {
        Ok(taken) => respond(centre::receive(app, content_type, taken.body()).await),
        Err(untaken) => refused(app, charset, untaken),
    }
}

fn refused(app: &App, charset: Charset, (status, code, message): Untaken) -> Response {
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
