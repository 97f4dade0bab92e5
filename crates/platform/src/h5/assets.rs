//! The stylesheet, the script and the mark. Their names carry a digest of what they hold, so a
//! browser may keep them for a year and still sees a new one at once.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use banyan_protocol::crypto::sm3;

use super::problem::Problem;

/// Where they are.
pub(super) struct Assets {
    /// The stylesheet.
    pub(super) style: Asset,
    /// The script.
    pub(super) script: Asset,
    /// The mark.
    pub(super) mark: Asset,
}

pub(super) struct Asset {
    /// Its path with the digest.
    pub(super) path: String,
    kind: &'static str,
    text: &'static str,
}

pub(super) static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: Asset::new(
        "h5",
        "css",
        "text/css; charset=utf-8",
        include_str!("../../templates/h5/h5.css"),
    ),
    script: Asset::new(
        "h5",
        "js",
        "text/javascript; charset=utf-8",
        include_str!("../../templates/h5/h5.js"),
    ),
    mark: Asset::new(
        "mark",
        "svg",
        "image/svg+xml",
        include_str!("../../templates/h5/mark.svg"),
    ),
});

impl Asset {
    fn new(name: &str, extension: &str, kind: &'static str, text: &'static str) -> Self {
        let digest = hex::encode(&sm3::digest(text.as_bytes())[..8]);
        Self {
            path: format!("/h5/assets/{name}.{digest}.{extension}"),
            kind,
            text,
        }
    }
}

/// Serves one of them.
pub(super) async fn serve(Path(name): Path<String>) -> Result<Response, Problem> {
    let assets = [&ASSETS.style, &ASSETS.script, &ASSETS.mark];
    let asset = assets
        .into_iter()
        .find(|asset| asset.path.rsplit('/').next() == Some(name.as_str()))
        .ok_or(Problem::NotFound)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)),
        (
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable"),
        ),
    ];
    Ok((headers, asset.text).into_response())
}
