//! What the platform asks of the hospital and tells it (定点机构提供接口, access guide 4.4): sealed
//! calls in, sealed answers out.

mod org_001;
mod org_002;

use std::sync::Arc;

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
use banyan_web::{BodyRoom, Unread};
use tokio::sync::Semaphore;

use crate::edge::Edge;

/// A notice of a hundred items with every field full is about 60 kB.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Calls under way at a time; more than a platform makes to one hospital. Whoever calls has shown no
/// key yet.
const MOST_CALLS: usize = 64;

/// What bounds the calls under way: room for as many bodies, and places to work on them.
struct Bounds {
    room: BodyRoom,
    places: Semaphore,
}

/// The paths of every interface that the platform calls.
pub(crate) fn routes() -> Router<Edge> {
    let mut router = Router::new();
    let bounds = Arc::new(Bounds {
        room: BodyRoom::new(MOST_CALLS * MAX_BODY_BYTES),
        places: Semaphore::new(MOST_CALLS),
    });
    for interface in Interface::ALL {
        let spec = interface.spec();
        if let (Direction::ToHospital, Route::Path(path)) = (spec.direction, spec.route) {
            let bounds = Arc::clone(&bounds);
            let handler = async move |State(edge): State<Edge>, body: Body| {
                let body = match bounds.room.read(body, MAX_BODY_BYTES).await {
                    Ok(body) => body,
                    Err(fault) => return unread(fault),
                };
                // Only now, for whoever sends slowly must not keep others from being answered.
                let Ok(_place) = bounds.places.try_acquire() else {
                    return unread(Unread::NoRoom);
                };
                receive(edge, interface, &body.bytes).await
            };
            router = router.route(path, post(handler));
        }
    }
    router
}

async fn receive(edge: Edge, interface: Interface, body: &Bytes) -> Response {
    let began_ms = edge.now_ms();
    let call = match open(&edge, body) {
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

fn unread(unread: Unread) -> Response {
    let (status, code, message) = match unread {
        Unread::NoRoom => (
            StatusCode::TOO_MANY_REQUESTS,
            ResultCode::RateLimited,
            "同时进行的调用过多，请稍后重试".to_owned(),
        ),
        Unread::TooLong => (
            StatusCode::PAYLOAD_TOO_LARGE,
            ResultCode::BadParameter,
            format!("报文过大，最多 {MAX_BODY_BYTES} 字节"),
        ),
        Unread::NotWhole => (
            StatusCode::REQUEST_TIMEOUT,
            ResultCode::BadRequest,
            "报文未完整送达".to_owned(),
        ),
    };
    json(status, Refusal::new(code, message).unsigned())
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
