//! 谁查过我: who looked, when, and what for.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;

use super::LOOKS_PATH;
use super::frame::{self, Frame};
use super::guest::Guest;
use super::list::page_number;
use super::problem::Problem;
use super::words::Moment;
use crate::app::App;
use crate::overdue::list::{self, OwnLooks};

#[derive(Template)]
#[template(path = "h5/looks.html")]
struct Page {
    frame: Frame,
    looks: OwnLooks,
    page: i64,
}

/// Shows a page of who looked.
pub(super) async fn show(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    guest: Guest,
) -> Result<Response, Problem> {
    let page = page_number(&query.unwrap_or_default());
    let page = Page {
        looks: list::own_looks(&app, &guest.visitor, page).await?,
        page,
        frame: guest.frame(&app, "谁查过我"),
    };
    frame::page(&page)
}
