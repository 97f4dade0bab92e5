//! 大字版: larger type, kept in a cookie that says nothing else.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

use super::LIST_PATH;
use super::frame::lead_to;
use super::guest::{Guest, Purpose};
use super::posted::Posted;
use super::problem::Problem;
use crate::app::App;

const COOKIE: &str = "banyan_size=large";
const KEPT_SECONDS: u32 = 365 * 86_400;
/// Longer than any path of ours with its query.
const MOST_WAY: usize = 300;

/// Switches the type size and leads back.
pub(super) async fn switch(
    State(app): State<App>,
    guest: Guest,
    posted: Posted,
) -> Result<Response, Problem> {
    let fields = posted.confirm(&app, &guest, Purpose::Size, "")?;
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
    way.starts_with("/h5/overdue")
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
            "/h5/overdue/\\evil",
        ] {
            assert!(!leads_home(way), "{way:?}");
        }
        assert_eq!(way_back("/h5/refresh", None), LIST_PATH);
    }
}
