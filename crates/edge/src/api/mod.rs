//! What the HIS asks of the edge: plain JSON over HTTP, with a key.
//!
//! Every answer is `{"respCode","respMsg","data"}`; 000000 is success, anything else says what to
//! do. HTTP status 200 carries all of them but a wrong key (401), an unknown path (404), a wrong
//! method (405), a body that does not come whole (408) or is too long (413), and too many calls at a
//! time (429).

mod body;
pub(crate) mod call;
mod health_card;
mod overdue;
mod pages;
mod place;
mod refused;
mod reply;
pub(crate) mod shapes;
mod site;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use banyan_protocol::crypto::sm3;
use banyan_protocol::result_code::ResultCode;
use banyan_web::{BodyRoom, ReadBody};
use subtle::{Choice, ConstantTimeEq as _};
use tokio::sync::Semaphore;

use crate::doors;
use crate::edge::Edge;
use reply::Reply;

/// Calls of the HIS under way at a time; more than any HIS makes.
const MOST_CALLS: usize = 512;

/// What the calls under way share.
struct Bounds {
    places: Semaphore,
    room: BodyRoom,
}

/// Every path of the edge.
pub(crate) fn routes(edge: &Edge) -> Router {
    let bounds = Arc::new(Bounds {
        places: Semaphore::new(MOST_CALLS),
        room: BodyRoom::new(body::ROOM_BYTES),
    });
    let his = Router::new()
        .route("/v1/overdue/report", post(overdue::report))
        .route("/v1/overdue/settle", post(overdue::settle))
        .route("/v1/overdue/revoke", post(overdue::revoke))
        .route("/v1/overdue/realname", post(overdue::realname))
        .route("/v1/overdue/query", post(overdue::query))
        .route("/v1/overdue/entry-link", post(overdue::entry_link))
        .route("/v1/overdue/batches/{id}", get(overdue::batch))
        .route("/v1/overdue/items/{org_trace_id}", get(overdue::item))
        .route("/v1/overdue/outcomes", get(overdue::outcomes))
        .route("/v1/overdue/refused", get(refused::refused))
        .route("/v1/health-card/authorize", post(health_card::authorize))
        .route(
            "/v1/health-card/authorizations/{out_auth_no}",
            get(health_card::authorization),
        )
        .route("/v1/health-card/verify", post(health_card::verify))
        .route("/v1/health-card/lookup", post(health_card::lookup))
        .route(
            "/v1/health-card/index",
            get(health_card::index).post(health_card::retain),
        )
        .route("/v1/health-card/index/query", post(health_card::index_of))
        .route("/v1/call/{code}", post(call::call))
        .route("/v1/notices", get(overdue::notices))
        .route("/v1/status", get(site::status_json))
        .layer(middleware::from_fn_with_state(
            (edge.clone(), bounds),
            admit,
        ));
    Router::new()
        .merge(his)
        .merge(doors::routes())
        .merge(site::routes())
        .merge(pages::routes())
        .fallback(async || {
            Reply::refused(ResultCode::UnknownPath, "没有这个地址；全部接口见 /docs")
                .with(StatusCode::NOT_FOUND)
        })
        .method_not_allowed_fallback(async || {
            Reply::refused(
                ResultCode::UnknownPath,
                "请求方式不对；各接口的请求方式见 /docs",
            )
            .with(StatusCode::METHOD_NOT_ALLOWED)
        })
        .layer(DefaultBodyLimit::disable())
        .with_state(edge.clone())
}

/// Lets in whoever has a key, as many at a time as there are places and room for what they bring.
async fn admit(
    State((edge, bounds)): State<(Edge, Arc<Bounds>)>,
    request: Request,
    next: Next,
) -> Response {
    let said = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    if !said.is_some_and(|key| is_known(&edge, key.trim())) {
        return Reply::refused(
            ResultCode::NotGranted,
            "请在请求头给出 Authorization: Bearer <前置机密钥>，密钥见前置机配置 api_keys",
        )
        .with(StatusCode::UNAUTHORIZED)
        .into_response();
    }
    let Ok(_place) = bounds.places.try_acquire() else {
        return Reply::refused(ResultCode::RateLimited, "同时进行的调用过多，请稍后重试")
            .with(StatusCode::TOO_MANY_REQUESTS)
            .into_response();
    };
    let (head, body) = request.into_parts();
    let ReadBody { bytes, room: _room } = match bounds.room.read(body, body::MAX_BODY_BYTES).await {
        Ok(read) => read,
        Err(unread) => return body::unread(unread).into_response(),
    };
    let request = Request::from_parts(head, Body::from(bytes));
    // Whoever merely watches is no HIS at work.
    if request.method() == Method::POST {
        edge.note_his();
    }
    next.run(request).await
}

/// Compared by digest, in the same time whatever was said.
fn is_known(edge: &Edge, key: &str) -> bool {
    let said = sm3::digest(key.as_bytes());
    let known = edge
        .settings
        .api_keys
        .iter()
        .fold(Choice::from(0), |known, key| {
            known | sm3::digest(key.0.as_bytes()).ct_eq(&said)
        });
    known.into()
}
