//! What every page has around its own content: title, menu, type size, the way out.

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::assets::{ASSETS, Assets};
use super::problem::Problem;
use super::{
    APPEALS_PATH, CARD_PATH, CREDENTIAL_PATH, LEAVE_PATH, LIST_PATH, LOOKS_PATH, SIZE_PATH,
};

/// The frame of a page.
pub(super) struct Frame {
    /// The page's title, its one first heading.
    pub(super) title: &'static str,
    /// 大字版.
    pub(super) large: bool,
    /// What only a visitor whose forms we know again is offered.
    pub(super) visitor: Option<Signed>,
    pub(super) assets: &'static Assets,
    /// Where the form goes that switches the type size.
    pub(super) size_path: &'static str,
    /// Where the form goes that ends the session.
    pub(super) leave_path: &'static str,
}

/// The part of a frame whose forms need a code.
pub(super) struct Signed {
    /// The pages of this kind of session.
    pub(super) menu: &'static [Entry],
    /// The path of the page itself, to come back to.
    pub(super) here: String,
    /// The code of the form that switches the type size; none where coming back would lose what
    /// the page holds.
    pub(super) size_code: Option<String>,
    /// The code of the form that ends the session, where there is one.
    pub(super) leave_code: Option<String>,
}

/// An entry of the menu.
pub(super) struct Entry {
    pub(super) path: &'static str,
    pub(super) label: &'static str,
}

/// The pages of whoever came in by a link of ORG_MDL_004.
pub(super) const OVERDUE_MENU: &[Entry] = &[
    Entry {
        path: LIST_PATH,
        label: "欠费名单",
    },
    Entry {
        path: APPEALS_PATH,
        label: "我的申诉",
    },
    Entry {
        path: LOOKS_PATH,
        label: "谁查过我",
    },
    Entry {
        path: CARD_PATH,
        label: "电子健康卡",
    },
    Entry {
        path: CREDENTIAL_PATH,
        label: "医保码",
    },
];

impl Frame {
    /// A frame; without a visitor for whoever has no session.
    pub(super) fn new(title: &'static str, large: bool, visitor: Option<Signed>) -> Self {
        Self {
            title,
            large,
            visitor,
            assets: &ASSETS,
            size_path: SIZE_PATH,
            leave_path: LEAVE_PATH,
        }
    }

    /// Whether there is a session to be ended.
    pub(super) fn has_session(&self) -> bool {
        let signed = self.visitor.as_ref();
        signed.is_some_and(|signed| signed.leave_code.is_some())
    }
}

/// A page that went well.
pub(super) fn page(template: &impl Template) -> Result<Response, Problem> {
    page_with(StatusCode::OK, template)
}

/// A page with another status.
pub(super) fn page_with(status: StatusCode, template: &impl Template) -> Result<Response, Problem> {
    let html = template.render().map_err(|error| {
        tracing::error!(%error, "a page could not be written");
        Problem::Broken
    })?;
    Ok((status, [(header::CONTENT_TYPE, HTML)], html).into_response())
}

/// Leads the browser on after a form: reloading the next page sends nothing twice.
pub(super) fn lead_to(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, path.to_owned())]).into_response()
}

const HTML: &str = "text/html; charset=utf-8";
