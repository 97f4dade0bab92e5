//! 医疗欠费名单用户应用: the pages of a citizen.
//!
//! A link of ORG_MDL_004 is opened once; it gives a session of half an hour, bound to one person,
//! that shows that person's own list and who asked about him, has it refreshed, and nothing else. Server-rendered, no script, no request to
//! any other host.

mod page;
mod refresh;
pub mod session;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use banyan_store::db::StoreError;
use banyan_store::overdue::links::{self, Visitor};

use crate::app::App;
use crate::overdue::list;
use session::Token;

/// Entry links are this path and a token.
pub const ENTRY_PATH: &str = "/h5/in";
const LIST_PATH: &str = "/h5/overdue";
const REFRESH_PATH: &str = "/h5/refresh";
const STYLE_PATH: &str = "/h5/style.css";

/// The routes of the pages.
pub fn routes() -> Router<App> {
    Router::new()
        .route(&format!("{ENTRY_PATH}/{{token}}"), get(enter))
        .route(LIST_PATH, get(show_list))
        .route(REFRESH_PATH, post(refresh::handle))
        .route(STYLE_PATH, get(style))
}

async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, page::STYLE).into_response()
}

/// Uses a link up and leads to the list. HEAD, which previews and scanners send, uses nothing up.
async fn enter(State(app): State<App>, method: Method, Path(token): Path<String>) -> Response {
    if method == Method::HEAD {
        return respond(StatusCode::OK, String::new());
    }
    match open_session(&app, &token).await {
        Ok(Some(cookie)) => (
            StatusCode::SEE_OTHER,
            [
                (header::LOCATION, LIST_PATH.to_owned()),
                (header::SET_COOKIE, cookie),
                (header::CACHE_CONTROL, "no-store".to_owned()),
                (header::REFERRER_POLICY, "no-referrer".to_owned()),
            ],
        )
            .into_response(),
        Ok(None) => respond(StatusCode::GONE, page::link_is_over()),
        Err(error) => failed(&app, &error),
    }
}

async fn open_session(app: &App, token: &str) -> Result<Option<String>, StoreError> {
    let Some(link) = Token::parse(token) else {
        return Ok(None);
    };
    let session = Token::generate(&*app.world.random);
    let (link, session_code) = (link.code(&app.vault), session.code(&app.vault));
    let now_ms = app.now_ms();
    // Whoever tries tokens costs a look, not a write.
    if !links::can_enter(&app.db, link, now_ms).await? {
        return Ok(None);
    }
    let ttl_ms = app.settings.overdue.session_ttl_ms;
    let entered = app
        .db
        .write(move |tx| links::enter(tx, link, session_code, now_ms, now_ms + ttl_ms))
        .await?;
    let secure = app.public_url.starts_with("https:");
    Ok(entered.then(|| session.set_cookie(ttl_ms / 1000, secure)))
}

async fn show_list(
    State(app): State<App>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let shown = async {
        let Some(visitor) = visitor(&app, &headers).await? else {
            return Ok(respond(StatusCode::UNAUTHORIZED, page::no_session()));
        };
        let own = list::own_list(&app, &visitor).await?;
        let news = query.as_deref().and_then(page::News::from_query);
        Ok::<_, StoreError>(respond(StatusCode::OK, page::own_list(&own, news)))
    };
    shown.await.unwrap_or_else(|error| failed(&app, &error))
}

/// Who holds the session that the cookie names.
async fn visitor(app: &App, headers: &HeaderMap) -> Result<Option<Visitor>, StoreError> {
    let token = headers
        .get(header::COOKIE)
        .and_then(|cookies| cookies.to_str().ok())
        .and_then(Token::from_cookies);
    match token {
        Some(token) => links::visitor(&app.db, token.code(&app.vault), app.now_ms()).await,
        None => Ok(None),
    }
}

fn failed(app: &App, error: &StoreError) -> Response {
    app.meters.failure("page");
    tracing::error!(%error, "a page failed");
    respond(StatusCode::SERVICE_UNAVAILABLE, page::unavailable())
}

fn respond(status: StatusCode, html: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; \
             base-uri 'none'",
        ),
    ];
    (status, headers, html).into_response()
}
