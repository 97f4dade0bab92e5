//! 医疗欠费名单: the list itself.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use banyan_store::overdue::items::State as Standing;

use super::frame::{self, Frame};
use super::guest::{Guest, Purpose};
use super::problem::Problem;
use super::refresh::{self, Said};
use super::words::{self, Moment};
use super::{ITEM_PATH, LIST_PATH, LOOKS_PATH, REFRESH_PATH};
use crate::app::App;
use crate::overdue::list::{self, Group, OwnList};

/// Pages beyond this are nobody's.
const MOST_PAGES: i64 = 10_000;

#[derive(Template)]
#[template(path = "h5/list.html")]
struct Page {
    frame: Frame,
    list: OwnList,
    page: i64,
    said: Vec<Said>,
    refresh_code: String,
}

impl Page {
    /// The records of one state.
    fn groups(&self, state: Standing) -> impl Iterator<Item = &Group> {
        self.list
            .groups
            .iter()
            .filter(move |group| group.state == state)
    }

    fn has(&self, state: Standing) -> bool {
        self.groups(state).next().is_some()
    }
}

/// Shows a page of the list.
pub(super) async fn show(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    guest: Guest,
) -> Result<Response, Problem> {
    let query = query.unwrap_or_default();
    let page = page_number(&query);
    let page = Page {
        list: list::own_list(&app, &guest.visitor, page).await?,
        page,
        said: refresh::said(&app, &guest, &query),
        refresh_code: guest.code(&app, Purpose::Refresh, ""),
        frame: guest.frame(&app, "医疗欠费名单"),
    };
    frame::page(&page)
}

/// The page that a query asks for; the first where it names none.
pub(super) fn page_number(query: &str) -> i64 {
    value(query, "page")
        .and_then(|text| text.parse().ok())
        .filter(|page| (1..=MOST_PAGES).contains(page))
        .unwrap_or(1)
}

/// A value of a query.
pub(super) fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(its_name, _)| *its_name == name)
        .map(|(_, value)| value)
}
