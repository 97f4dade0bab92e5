//! The pages over HTTP. They need no key: they show nobody's identity, and what is tried out on
//! them carries its own.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use banyan_protocol::envelope::CONTENT_TYPE;
use banyan_protocol::result_code::ResultCode;
use banyan_store::db::StoreError;
use banyan_web::protect;

use super::overdue::time;
use crate::edge::Edge;
use crate::health::Health;
use crate::pages::{self, CallView, OutboxView, StatusView};

/// More rows say nothing more at a glance.
const MOST_RECENT: usize = 20;

/// The pages and what they load.
pub(super) fn routes() -> Router<Edge> {
    let mut routes = Router::new()
        .route(pages::STATUS_PATH, get(status))
        .route(pages::DOCS_PATH, get(docs))
        .route(pages::OPENAPI_PATH, get(openapi));
    for asset in pages::ASSETS {
        let kind = [
            (header::CONTENT_TYPE, asset.content_type),
            (header::CACHE_CONTROL, "max-age=300"),
        ];
        routes = routes.route(asset.path, get(async move || (kind, asset.content)));
    }
    routes.route_layer(middleware::from_fn(dress))
}

async fn status(State(edge): State<Edge>) -> Response {
    match view(&edge).await {
        Ok(view) => page(pages::status(&view)),
        Err(error) => {
            tracing::error!(%error, "the status can't be read");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "前置机的数据库没有应答，请查看前置机日志与磁盘空间",
            )
                .into_response()
        }
    }
}

async fn docs(State(edge): State<Edge>, headers: HeaderMap) -> Response {
    page(pages::docs(&base_url(&edge, &headers)))
}

async fn openapi(State(edge): State<Edge>, headers: HeaderMap) -> Response {
    let document = pages::openapi(&base_url(&edge, &headers)).to_string();
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], document).into_response()
}

async fn view(edge: &Edge) -> Result<StatusView, StoreError> {
    let health = Health::of(edge).await?;
    let backlog = health.backlog;
    Ok(StatusView {
        org_id: edge.sender.org_id.as_str().to_owned(),
        org_name: edge.sender.org_name.as_str().to_owned(),
        version: env!("CARGO_PKG_VERSION"),
        now: time(edge.now_ms()),
        lights: health.lights,
        overall: health.overall,
        outbox: OutboxView {
            waiting_items: backlog.waiting_items,
            sending_messages: backlog.unsent,
            awaiting_outcome: backlog.awaited,
            refused_items: backlog.refused_items,
            last_report_at: backlog.last_accepted_ms.map(time),
            next_window_at: backlog.next_due_ms.map(time),
            oldest_waiting: backlog.oldest_unsent_ms.map(time),
        },
        recent: edge
            .recent()
            .into_iter()
            .take(MOST_RECENT)
            .map(|call| CallView {
                time: time(call.at_ms),
                code: call.interface.code(),
                name: call.interface.spec().name,
                outcome: outcome(&call.outcome),
                millis: call.millis,
            })
            .collect(),
    })
}

/// A respCode with its meaning, or why none came.
fn outcome(said: &str) -> String {
    if let Some(code) = ResultCode::from_code(said) {
        return if code == ResultCode::Success {
            code.label().to_owned()
        } else {
            format!("{said} {}", code.label())
        };
    }
    let meaning = match said {
        "forbidden" => "平台地址不允许访问",
        "connect" => "连接不上",
        "tls" => "TLS 握手失败",
        "timeout" => "超时未答",
        "status" => "网关返回错误",
        "too_large" => "应答过长",
        "http" => "连接中断",
        "not_opened" => "应答解不开",
        "bad_reply" => "应答不合规范",
        other => other,
    };
    meaning.to_owned()
}

fn page(rendered: Result<String, askama::Error>) -> Response {
    match rendered {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// As whoever looks reaches the edge; the examples are to work from where he sits.
fn base_url(edge: &Edge, headers: &HeaderMap) -> String {
    let scheme = if edge.settings.tls.is_some() {
        "https"
    } else {
        "http"
    };
    said_host(headers).map_or_else(
        || format!("{scheme}://{}", edge.settings.listen),
        |host| format!("{scheme}://{host}"),
    )
}

/// The host that was asked for, where it can stand in a command.
fn said_host(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    host.bytes().all(is_in_a_host).then_some(host)
}

const fn is_in_a_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'-' | b'[' | b']')
}

/// Puts on every answer the headers that keep it safe.
async fn dress(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    protect(&mut response, pages::CONTENT_SECURITY_POLICY);
    response
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_a_host_gets_into_a_command() {
        for (host, wanted) in [
            ("edge.hospital.example:8081", true),
            ("[::1]:8081", true),
            ("a';rm -rf ~;'", false),
            ("a$(id)", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            assert_eq!(said_host(&headers).is_some(), wanted, "{host}");
        }
    }

    #[test]
    fn an_outcome_is_said_in_chinese() {
        assert_eq!(outcome("000000"), "成功");
        assert!(outcome("000102").starts_with("000102 核验签名"));
        assert_eq!(outcome("timeout"), "超时未答");
    }
}
