//! Sealed messages over HTTP: one path for each interface, and an answer with a respCode whatever
//! comes in. Those of insurers and of the credential centre, which share one path each, are in
//! `insurers` and `centre`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::post;
use banyan_protocol::catalogue::{Direction, Interface, Route};
use banyan_protocol::envelope::{CONTENT_TYPE, SIGN_VERSION, SIGN_VERSION_HEADER};
use banyan_protocol::result_code::ResultCode;
use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::app::App;
use crate::inbound::{self, Received, within};
use crate::refusal::Refusal;

/// A body that takes longer is not coming. A place is taken only once the body is there.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How much beyond the limit is read only to be thrown away.
const DRAINED: usize = 32 << 20;

/// The paths of every interface that partners call at a path of its own, and of those that are
/// found by a code inside the message.
pub(super) fn routes(app: &App) -> Router<App> {
    let places = Arc::new(Semaphore::new(app.settings.inbound.max_concurrent));
    let mut router = Router::new();
    for interface in Interface::ALL {
        let spec = interface.spec();
        if let (Direction::ToPlatform, Route::Path(path)) = (spec.direction, spec.route) {
            let places = places.clone();
            let handler = move |State(app): State<App>, request: Request| async move {
                receive(&app, &places, interface, request).await
            };
            router = router.route(path, post(handler));
        }
    }
    router = super::centre::routes(router, &places);
    super::insurers::routes(router, &places)
}

async fn receive(
    app: &App,
    places: &Semaphore,
    interface: Interface,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let limit = app.settings.inbound.max_body_bytes;
    let (body, _place) = match taken(body, limit, places).await {
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
        body: &body,
    };
    let reply = inbound::receive(app, &received).await;
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    json(status, reply.body)
}

/// Why a message is not even looked at.
pub(super) type Unread = (StatusCode, ResultCode, String);

/// The body, of at most so many bytes, and a place to work on it.
pub(super) async fn taken(
    body: Body,
    limit: usize,
    places: &Semaphore,
) -> Result<(Bytes, SemaphorePermit<'_>), Unread> {
    let body = read(body, limit).await?;
    let place = places.try_acquire().map_err(|_| {
        (
            StatusCode::TOO_MANY_REQUESTS,
            ResultCode::RateLimited,
            "系统繁忙，本次请求未处理，请稍后以新的时间戳重试".to_owned(),
        )
    })?;
    Ok((body, place))
}

async fn read(body: Body, limit: usize) -> Result<Bytes, Unread> {
    match within(BODY_TIMEOUT, collect(body, limit)).await {
        Ok(Ok(Some(body))) => Ok(body),
        Ok(Ok(None)) => Err((
            StatusCode::PAYLOAD_TOO_LARGE,
            ResultCode::BadParameter,
            format!("报文过大，最多 {limit} 字节"),
        )),
        Ok(Err(_)) | Err(_) => Err((
            StatusCode::REQUEST_TIMEOUT,
            ResultCode::BadRequest,
            "报文未完整送达".to_owned(),
        )),
    }
}

/// The whole body; `None` where it is larger than `limit`.
///
/// What is too large is read to its end, if that is not too far, and thrown away: a client that is
/// still sending when the connection closes sees a broken line instead of the answer.
async fn collect(mut body: Body, limit: usize) -> Result<Option<Bytes>, axum::Error> {
    let mut whole: Vec<u8> = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        // A body of one frame, which nearly all are, is taken as it is.
        if length == 0 && body.is_end_stream() && data.len() <= limit {
            return Ok(Some(data));
        }
        length += data.len();
        if length <= limit {
            whole.extend_from_slice(&data);
        } else if length > limit + DRAINED {
            break;
        } else {
            whole = Vec::new();
        }
    }
    Ok((length <= limit).then(|| whole.into()))
}

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
