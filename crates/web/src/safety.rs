//! Headers that keep a page safe, the same for every page that a person opens.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;

/// Puts them on an answer, with what its pages may load; what a handler has set stays.
pub fn protect(response: &mut Response, content_security_policy: &'static str) {
    let policy = (header::CONTENT_SECURITY_POLICY, content_security_policy);
    for (name, value) in SAFETY.into_iter().chain([policy]) {
        response
            .headers_mut()
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
}

const SAFETY: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];
