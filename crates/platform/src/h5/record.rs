//! One record with its history, and the way to contest it.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use banyan_store::ids::ItemId;
use banyan_store::overdue::appeals::Standing;
use banyan_store::overdue::items;

use super::frame::{self, Frame};
use super::guest::Guest;
use super::problem::Problem;
use super::words::{self, Moment};
use super::{APPEALS_PATH, ITEM_PATH, LIST_PATH};
use crate::app::App;
use crate::overdue::list::{self, OwnRecord};

#[derive(Template)]
#[template(path = "h5/record.html")]
struct Page {
    frame: Frame,
    record: OwnRecord,
}

impl Page {
    fn is_unpaid(&self) -> bool {
        self.record.item.state == items::State::Unpaid
    }

    /// Whether the hospital was asked about it since it last changed.
    fn was_asked_about(&self) -> bool {
        self.is_unpaid() && self.record.item.checked_ms > self.record.item.changed_ms
    }

    /// Whether he may appeal now.
    fn may_appeal(&self) -> bool {
        let open = |standing| standing == Standing::Open;
        self.is_unpaid()
            && !self
                .record
                .appeals
                .iter()
                .any(|appeal| open(appeal.standing))
    }
}

/// Shows a record.
pub(super) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    guest: Guest,
) -> Result<Response, Problem> {
    let record = own_record(&app, &guest, &id).await?;
    let page = Page {
        frame: guest.frame(&app, "欠费记录详情"),
        record,
    };
    frame::page(&page)
}

/// The visitor's own record that a path names; whatever else it names is not found.
pub(super) async fn own_record(app: &App, guest: &Guest, id: &str) -> Result<OwnRecord, Problem> {
    let id = number(id).map(ItemId).ok_or(Problem::NotFound)?;
    list::own_record(app, &guest.visitor, id)
        .await?
        .ok_or(Problem::NotFound)
}

/// A number of a path, in its one spelling.
pub(super) fn number(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    (number > 0 && number.to_string() == text).then_some(number)
}
