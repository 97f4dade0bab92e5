//! Coming in by a link of ORG_MDL_004, and going.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use banyan_store::overdue::links;

use super::frame::{self, Frame, lead_to};
use super::guest::{self, Keys, Purpose};
use super::posted::Posted;
use super::problem::Problem;
use super::session::{CARD_COOKIE, OVERDUE_COOKIE, SessionCookie};
use super::{LIST_PATH, size};
use crate::app::App;
use crate::token::Token;

#[derive(Template)]
#[template(path = "h5/left.html")]
struct Left {
    frame: Frame,
}

/// Uses a link up and leads to the list. HEAD, which previews and scanners send, uses nothing up.
pub(super) async fn enter(
    State(app): State<App>,
    method: Method,
    headers: HeaderMap,
    Path(token): Path<String>,
) -> Result<Response, Problem> {
    if method == Method::HEAD {
        return Ok(StatusCode::OK.into_response());
    }
    let link = Token::parse(&token).ok_or(Problem::LinkOver)?;
    let session = Token::generate(&*app.world.random);
    let link = link.code(&app.vault);
    let session_code = OVERDUE_COOKIE.code(&session, &app.vault);
    let now_ms = app.now_ms();
    // Whoever tries tokens costs a look, not a write.
    if !links::can_enter(&app.db, link, now_ms).await? {
        return Err(Problem::LinkOver);
    }
    let ttl_ms = app.settings.overdue.session_ttl_ms;
    let entered = app
        .db
        .write(move |tx| links::enter(tx, link, session_code, now_ms, now_ms + ttl_ms))
        .await?;
    if !entered {
        return Err(Problem::LinkOver);
    }
    let cookie = OVERDUE_COOKIE.set(&session, ttl_ms / 1000, is_secure(&app));
    let response = with_cookie(lead_to(LIST_PATH), &cookie)?;
    // Whoever came in last holds the browser: nobody is shown the card of who was there before.
    forget_if_held(&app, &headers, CARD_COOKIE, response)
}

/// Ends the session.
pub(super) async fn leave(
    State(app): State<App>,
    headers: HeaderMap,
    keys: Keys,
    posted: Posted,
) -> Result<Response, Problem> {
    posted.confirm_by(&app, keys.tokens(), Purpose::Leave, "")?;
    keys.leave(&app).await?;
    let left = Left {
        frame: Frame::new("您已退出", size::is_large(&headers), None),
    };
    let response = forget_if_held(&app, &headers, OVERDUE_COOKIE, frame::page(&left)?)?;
    forget_if_held(&app, &headers, CARD_COOKIE, response)
}

/// Has the browser forget a cookie that it holds.
pub(super) fn forget_if_held(
    app: &App,
    headers: &HeaderMap,
    cookie: SessionCookie,
    response: Response,
) -> Result<Response, Problem> {
    match guest::token(headers, cookie) {
        Some(_) => with_cookie(response, &cookie.forget(is_secure(app))),
        None => Ok(response),
    }
}

/// Whether cookies are to travel over HTTPS alone.
pub(super) fn is_secure(app: &App) -> bool {
    app.public_url.starts_with("https:")
}

/// Gives a cookie along.
pub(super) fn with_cookie(mut response: Response, cookie: &str) -> Result<Response, Problem> {
    let cookie = HeaderValue::from_str(cookie).map_err(|_| Problem::Broken)?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}
