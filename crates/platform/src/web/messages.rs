//! Sealed messages over HTTP: one path for each interface, and an answer with a respCode whatever
//! comes in. Those of insurers and of the credential centre, which share one path each, are in
//! `insurers` and `centre`.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::post;
use banyan_protocol::catalogue::{Direction, Interface, Route};
use banyan_protocol::envelope::{CONTENT_TYPE, SIGN_VERSION, SIGN_VERSION_HEADER};
use banyan_protocol::result_code::ResultCode;
use banyan_web::{BodyRoom, ReadBody, Unread};
use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::app::App;
use crate::inbound::{self, Received};
use crate::refusal::Refusal;

/// Room for the bodies of all calls under way: 32 of the greatest, or any number that is usual.
const ROOM_BYTES: usize = 256 << 20;

/// What bounds the calls under way.
pub(super) struct Bounds {
    room: BodyRoom,
    places: Semaphore,
}

/// A message that may be worked on: its body, and the place that it takes until it is answered.
pub(super) struct Taken<'a> {
    body: ReadBody<'a>,
    _place: SemaphorePermit<'a>,
}

impl Taken<'_> {
    /// The body.
    pub(super) const fn body(&self) -> &Bytes {
        &self.body.bytes
    }
}

impl Bounds {
    fn new(places: usize) -> Self {
        Self {
            room: BodyRoom::new(ROOM_BYTES),
            places: Semaphore::new(places),
        }
    }

    /// The body, of at most so many bytes, and a place to work on it.
    pub(super) async fn take(&self, body: Body, limit: usize) -> Result<Taken<'_>, Untaken> {
        let busy = || {
            (
                StatusCode::TOO_MANY_REQUESTS,
                ResultCode::RateLimited,
                "系统繁忙，本次请求未处理，请稍后以新的时间戳重试".to_owned(),
            )
        };
        let body = self
            .room
            .read(body, limit)
            .await
            .map_err(|unread| match unread {
                Unread::NoRoom => busy(),
                Unread::TooLong => (
                    StatusCode::PAYLOAD_TOO_LARGE,
                    ResultCode::BadParameter,
                    format!("报文过大，最多 {limit} 字节"),
                ),
                Unread::NotWhole => (
                    StatusCode::REQUEST_TIMEOUT,
                    ResultCode::BadRequest,
                    "报文未完整送达".to_owned(),
                ),
            })?;
        // Only now, for whoever sends slowly must not keep others from being answered.
        let place = self.places.try_acquire().map_err(|_| busy())?;
        Ok(Taken {
            body,
            _place: place,
        })
    }
}

/// The paths of every interface that partners call at a path of its own, and of those that are
/// found by a code inside the message.
pub(super) fn routes(app: &App) -> Router<App> {
    let bounds = Arc::new(Bounds::new(app.settings.inbound.max_concurrent));
    let mut router = Router::new();
    for interface in Interface::ALL {
        let spec = interface.spec();
        if let (Direction::ToPlatform, Route::Path(path)) = (spec.direction, spec.route) {
            let bounds = bounds.clone();
            let handler = move |State(app): State<App>, request: Request| async move {
                receive(&app, &bounds, interface, request).await
            };
            router = router.route(path, post(handler));
        }
    }
    router = super::centre::routes(router, &bounds);
    super::insurers::routes(router, &bounds)
}

async fn receive(app: &App, bounds: &Bounds, interface: Interface, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let limit = app.settings.inbound.max_body_bytes;
    let taken = match bounds.take(body, limit).await {
        Ok(taken) => taken,
        Err((status, code, message)) => return refuse(app, status, code, &message),
    };
    let sign_version = head
        .headers
        .get(SIGN_VERSION_HEADER)
        .map(|value| value.to_str().unwrap_or("?"));
    let received = Received {
        interface,
        sign_version,
        body: taken.body(),
    };
    let reply = inbound::receive(app, &received).await;
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    json(status, reply.body)
}

/// Why a message is not even looked at.
pub(super) type Untaken = (StatusCode, ResultCode, String);

pub(super) async fn unknown_path(State(app): State<App>) -> Response {
    let code = ResultCode::UnknownPath;
    refuse(&app, StatusCode::NOT_FOUND, code, code.label())
}

pub(super) async fn wrong_method(State(app): State<App>) -> Response {
    refuse(
        &app,
        StatusCode::METHOD_NOT_ALLOWED,
        ResultCode::UnknownPath,
        "请求方式错误：报文接口须以 POST 调用，页面须以 GET 打开",
    )
}

fn refuse(app: &App, status: StatusCode, code: ResultCode, message: &str) -> Response {
    app.meters.stranger(code);
    let refusal = Refusal::caller(code, message);
    json(status, inbound::unsigned_refusal(&refusal, app.now_ms()))
}

pub(super) fn json(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    headers.insert(SIGN_VERSION_HEADER, HeaderValue::from_static(SIGN_VERSION));
    response
}
