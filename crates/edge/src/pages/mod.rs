//! What people look at: how the edge is, and how it is called.
//!
//! Pages are rendered from plain data and show nobody's identity. They ask nothing of any other
//! host and need no script; the one that there is sends what somebody tries out. What the API's
//! page and its OpenAPI document say stands in one table (`routes`).

mod docs;
mod member;
mod openapi;
mod routes;
mod sample;
mod status;
#[cfg(test)]
mod tests;

pub(crate) use docs::docs;
pub(crate) use openapi::openapi;
pub(crate) use status::{CallView, OutboxView, StatusView, status};

/// What pages may load: their own style, script and mark, and calls of the edge itself.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; \
     script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; \
     frame-ancestors 'none'; base-uri 'none'";

pub(crate) const STATUS_PATH: &str = "/";
pub(crate) const DOCS_PATH: &str = "/docs";
pub(crate) const OPENAPI_PATH: &str = "/openapi.json";

/// A file that pages load, by its path.
pub(crate) struct Asset {
    pub(crate) path: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) content: &'static str,
}

pub(crate) const STYLE: Asset = Asset {
    path: "/assets/edge.css",
    content_type: "text/css; charset=utf-8",
    content: include_str!("../../templates/edge.css"),
};
pub(crate) const SCRIPT: Asset = Asset {
    path: "/assets/try.js",
    content_type: "text/javascript; charset=utf-8",
    content: include_str!("../../templates/try.js"),
};
pub(crate) const MARK: Asset = Asset {
    path: "/assets/mark.svg",
    content_type: "image/svg+xml",
    content: include_str!("../../templates/mark.svg"),
};
/// An empty table for the file drop, as a spreadsheet opens it.
pub(crate) const TABLE: Asset = Asset {
    path: "/assets/template.csv",
    content_type: "text/csv; charset=utf-8",
    content: include_str!("../../templates/template.csv"),
};
pub(crate) const ASSETS: [Asset; 4] = [STYLE, SCRIPT, MARK, TABLE];
