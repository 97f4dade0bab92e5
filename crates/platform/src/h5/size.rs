//! 大字版: larger type, kept in a cookie that says nothing else.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

use super::frame::lead_to;
use super::guest::{Keys, Purpose};
use super::posted::Posted;
use super::problem::Problem;
use super::{CARD_PATH, CREDENTIAL_PATH, LIST_PATH, REQUESTS_PATH};
use crate::app::App;
use crate::health_card::AUTHORISATION_PATH;

const COOKIE: &str = "banyan_size=large";
const KEPT_SECONDS: u32 = 365 * 86_400;
/// Longer than any path of ours with its query.
const MOST_WAY: usize = 300;

/// Switches the type size and leads back.
pub(super) async fn switch(
    State(app): State<App>,
    keys: Keys,
    posted: Posted,
) -> Result<Response, Problem> {
    let fields = posted.confirm_by(&app, keys.tokens(), Purpose::Size, "")?;
    let seconds = match fields.get("size") {
        "large" => KEPT_SECONDS,
        "normal" => 0,
        _ => return Err(Problem::BadForm),
    };
    let way = Some(fields.get("back")).filter(|way| leads_home(way));
    let mut response = lead_to(way.unwrap_or(LIST_PATH));
    let secure = if app.public_url.starts_with("https:") {
        "; Secure"
    } else {
        ""
    };
    let cookie = format!("{COOKIE}; Path=/h5; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    let cookie = HeaderValue::from_str(&cookie).map_err(|_| Problem::Broken)?;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Whether the visitor wants large type.
pub(super) fn is_large(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .any(|cookie| cookie.trim() == COOKIE)
}

/// The page to come back to; the list where this one can't be.
pub(super) fn way_back(path: &str, query: Option<&str>) -> String {
    // An answer to a request is no page that could be opened again.
    if path.starts_with(REQUESTS_PATH) {
        return REQUESTS_PATH.to_owned();
    }
    let way = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    if leads_home(&way) {
        way
    } else {
        LIST_PATH.to_owned()
    }
}

/// Only to pages of ours: nobody is led away by a field of a form.
fn leads_home(way: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/?=&._-".contains(letter);
    let homes = [LIST_PATH, CARD_PATH, CREDENTIAL_PATH, AUTHORISATION_PATH];
    homes.iter().any(|home| way.starts_with(home))
        && way.len() <= MOST_WAY
        && !way.contains("//")
        && way.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_away() {
        for way in [
            "/h5/overdue",
            "/h5/overdue/item/12?page=2",
            "/h5/overdue/looks?page=3",
            "/h5/ehc/card",
            "/h5/ec/password",
            "/h5/ehc/auth/AAAA_-x",
        ] {
            assert!(leads_home(way), "{way}");
        }
        for way in [
            "",
            "//evil.example",
            "https://evil.example",
            "/h5/overdue//evil.example",
            "/h5/overdue\r\nx: y",
            "/h5/in/AAAA",
            "/h5/ehc/auth/..%2f..%2fin",
            "/h5/ehc//evil.example",
            "/h5/overdue/\\evil",
        ] {
            assert!(!leads_home(way), "{way:?}");
        }
        assert_eq!(way_back("/h5/refresh", None), LIST_PATH);
        assert_eq!(way_back("/h5/ec/requests/12", None), REQUESTS_PATH);
    }
}
