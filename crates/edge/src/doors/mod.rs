//! What the platform asks of the hospital and tells it (定点机构提供接口, access guide 4.4): sealed
//! calls in, sealed answers out.

mod org_001;
mod org_002;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use banyan_protocol::catalogue::{Direction, Interface, Route};
use banyan_protocol::envelope::{CONTENT_TYPE, OpenedCall, Refusal, open_call};
use banyan_protocol::overdue::OrgId;
use banyan_protocol::result_code::ResultCode;
use banyan_protocol::wire::FieldFault;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::sync::Semaphore;

use crate::edge::Edge;

/// A notice of a hundred items with every field full is about 60 kB.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// A partner that takes longer than this to send his body is not one.
const PATIENCE: Duration = Duration::from_secs(30);
/// Calls under way at a time; more than a platform makes to one hospital. Whoever calls has shown no
/// key yet.
const MOST_CALLS: usize = 64;

/// The paths of every interface that the platform calls.
pub(crate) fn routes() -> Router<Edge> {
    let mut router = Router::new();
    let places = Arc::new(Semaphore::new(MOST_CALLS));
    for interface in Interface::ALL {
        let spec = interface.spec();
        if let (Direction::ToHospital, Route::Path(path)) = (spec.direction, spec.route) {
            let places = Arc::clone(&places);
            let handler = async move |State(edge): State<Edge>, body: Body| {
                let Ok(_place) = places.try_acquire() else {
                    let refusal =
                        Refusal::new(ResultCode::RateLimited, "同时进行的调用过多，请稍后重试");
                    return json(StatusCode::TOO_MANY_REQUESTS, refusal.unsigned());
                };
                receive(edge, interface, body).await
            };
            router = router.route(path, post(handler));
        }
    }
    router
}

async fn receive(edge: Edge, interface: Interface, body: Body) -> Response {
    let began_ms = edge.now_ms();
    let body = match read(body).await {
        Ok(body) => body,
        Err((status, refusal)) => return json(status, refusal.unsigned()),
    };
    let call = match open(&edge, &body) {
        Ok(call) => call,
        Err(refusal) => {
            edge.note_call(interface, began_ms, refusal.code.code().to_owned());
            return json(StatusCode::OK, refusal.unsigned());
        }
    };
    let answer = match interface {
        Interface::Org001 => org_001::answer(&edge, &call.business).await,
        Interface::Org002 => org_002::answer(&edge, &call.business).await,
        _ => Err(Refusal::new(
            ResultCode::UnknownPath,
            ResultCode::UnknownPath.label(),
        )),
    };
    let now_ms = edge.now_ms() + edge.line.skew_ms();
    let (code, text) = match answer {
        Ok(business) => (ResultCode::Success, call.success(&business, now_ms)),
        Err(refusal) => (refusal.code, call.refused(&refusal, now_ms)),
    };
    edge.note_call(interface, began_ms, code.code().to_owned());
    json(StatusCode::OK, text)
}

async fn read(body: Body) -> Result<Bytes, (StatusCode, Refusal)> {
    let whole = Limited::new(body, MAX_BODY_BYTES).collect();
    match tokio::time::timeout(PATIENCE, whole).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err((
            StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::new(
                ResultCode::BadParameter,
                format!("报文过大，最多 {MAX_BODY_BYTES} 字节"),
            ),
        )),
        Ok(Err(_)) | Err(_) => Err((
            StatusCode::REQUEST_TIMEOUT,
            Refusal::new(ResultCode::BadRequest, "报文未完整送达"),
        )),
    }
}

/// Under the secret of today, or the one before it: the platform may not have changed over yet.
fn open<'a>(edge: &'a Edge, body: &[u8]) -> Result<OpenedCall<'a>, Refusal> {
    let now_ms = edge.now_ms() + edge.line.skew_ms();
    let mut first = None;
    for account in &edge.accounts {
        // The guide's plain examples name no appId; such a caller means us.
        let mine =
            |app_id: &str| (app_id.is_empty() || app_id == account.app_id).then_some(account);
        match open_call(body, mine, edge.checked.environment, now_ms) {
            Ok(call) => return Ok(call),
            Err(refusal) => first = first.or(Some(refusal)),
        }
    }
    Err(first
        .unwrap_or_else(|| Refusal::new(ResultCode::UnknownApp, ResultCode::UnknownApp.label())))
}

fn is_for_us(edge: &Edge, org_id: &OrgId) -> Result<(), Refusal> {
    if *org_id == edge.sender.org_id {
        Ok(())
    } else {
        Err(Refusal::new(ResultCode::BadParameter, "orgId：不是本机构"))
    }
}

fn unfit(fault: FieldFault) -> Refusal {
    Refusal::new(ResultCode::BadParameter, fault.to_string())
}

/// The log has why; the platform asks again.
fn ours(what: &'static str, error: &banyan_store::db::StoreError) -> Refusal {
    tracing::error!(%error, what, "a call of the platform failed");
    Refusal::new(ResultCode::SystemError, "前置机内部错误，请稍后重试")
}

fn json(status: StatusCode, body: String) -> Response {
    let mut response = (status, body).into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    response
}
