//! 申诉: writing one, its progress, taking it back, and the list of them.

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use banyan_store::ids::AppealId;
use banyan_store::overdue::appeals::{Filed, Reason, Standing};

use super::frame::{self, Frame, lead_to};
use super::guest::{Guest, Purpose};
use super::list::{page_number, value};
use super::posted::{Fields, Posted};
use super::problem::Problem;
use super::record::{number, own_record};
use super::visits::Doing;
use super::words::{self, Moment};
use super::{APPEALS_PATH, ITEM_PATH, LIST_PATH};
use crate::app::App;
use crate::overdue::appeal::{
    self, MOST_CONTACT, MOST_TEXT, NamedAppeal, OpenedAppeal, Plea, PleaFaults,
};
use crate::overdue::list::OwnRecord;

/// Appeals on one page.
const PAGE: i64 = 20;

#[derive(Template)]
#[template(path = "h5/appeal_write.html")]
struct WritePage {
    frame: Frame,
    record: OwnRecord,
    code: String,
    reason: String,
    text: String,
    contact: String,
    faults: PleaFaults,
    too_many: bool,
}

impl WritePage {
    fn has_faults(&self) -> bool {
        self.faults != PleaFaults::default()
    }
}

#[derive(Template)]
#[template(path = "h5/appeal.html")]
struct ProgressPage {
    frame: Frame,
    opened: OpenedAppeal,
    /// `None` where the record is no longer his.
    record: Option<OwnRecord>,
    code: String,
    filed_now: bool,
}

impl ProgressPage {
    fn is_open(&self) -> bool {
        self.opened.appeal.standing == Standing::Open
    }
}

#[derive(Template)]
#[template(path = "h5/appeals.html")]
struct ListPage {
    frame: Frame,
    rows: Vec<NamedAppeal>,
    page: i64,
    more: bool,
}

/// The form, empty.
pub(super) async fn write(
    State(app): State<App>,
    Path(id): Path<String>,
    guest: Guest,
) -> Result<Response, Problem> {
    let record = own_record(&app, &guest, &id).await?;
    if let Some(path) = elsewhere(&record) {
        return Ok(lead_to(&path));
    }
    let page = WritePage {
        code: guest.code(&app, Purpose::Appeal, &id),
        frame: guest.frame(&app, "对这条记录提出申诉"),
        record,
        reason: String::new(),
        text: String::new(),
        contact: String::new(),
        faults: PleaFaults::default(),
        too_many: false,
    };
    frame::page(&page)
}

/// Where to go instead of the form: to the appeal that is open already, or to the record that
/// can't be contested any more.
fn elsewhere(record: &OwnRecord) -> Option<String> {
    let open = record
        .appeals
        .iter()
        .find(|appeal| appeal.standing == Standing::Open);
    match open {
        Some(appeal) => Some(format!("{APPEALS_PATH}/{}", appeal.id)),
        None if record.item.state == banyan_store::overdue::items::State::Unpaid => None,
        None => Some(format!("{ITEM_PATH}/{}", record.item.id)),
    }
}

/// Takes the form in and leads to the appeal's progress; a second time to the same appeal.
pub(super) async fn file(
    State(app): State<App>,
    Path(id): Path<String>,
    guest: Guest,
    posted: Posted,
) -> Result<Response, Problem> {
    let fields = posted.confirm(&app, &guest, Purpose::Appeal, &id)?;
    let record = own_record(&app, &guest, &id).await?;
    let now_ms = app.now_ms();
    if !app
        .visits
        .allow(guest.visitor.person, Doing::Appeal, now_ms)
    {
        return Err(Problem::TooOften);
    }
    let plea = Plea::parse(
        fields.get("reason"),
        fields.get("text"),
        fields.get("contact"),
    );
    let plea = match plea {
        Ok(plea) => plea,
        Err(faults) => return again(&app, &guest, &id, record, &fields, faults, false),
    };
    let (new, filed) = appeal::file(&app, &guest.visitor, record.item.id, &plea).await?;
    match filed {
        Filed::New(_) => Ok(lead_to(&format!("{APPEALS_PATH}/{new}?filed=1"))),
        Filed::Already(open) => Ok(lead_to(&format!("{APPEALS_PATH}/{open}"))),
        Filed::NotUnpaid => Ok(lead_to(&format!("{ITEM_PATH}/{}", record.item.id))),
        Filed::Unknown => Err(Problem::NotFound),
        Filed::TooMany => {
            let faults = PleaFaults::default();
            again(&app, &guest, &id, record, &fields, faults, true)
        }
    }
}

/// The form as it was filled in, with what is wrong.
fn again(
    app: &App,
    guest: &Guest,
    id: &str,
    record: OwnRecord,
    fields: &Fields,
    faults: PleaFaults,
    too_many: bool,
) -> Result<Response, Problem> {
    let page = WritePage {
        code: guest.code(app, Purpose::Appeal, id),
        frame: guest.frame(app, "对这条记录提出申诉"),
        record,
        reason: fields.get("reason").to_owned(),
        text: fields.get("text").to_owned(),
        contact: fields.get("contact").to_owned(),
        faults,
        too_many,
    };
    let status = if too_many {
        StatusCode::TOO_MANY_REQUESTS
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    frame::page_with(status, &page)
}

/// An appeal's progress.
pub(super) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    guest: Guest,
) -> Result<Response, Problem> {
    let opened = own(&app, &guest, &id).await?;
    let item = opened.appeal.item;
    let page = ProgressPage {
        record: crate::overdue::list::own_record(&app, &guest.visitor, item).await?,
        code: guest.code(&app, Purpose::Withdraw, &id),
        frame: guest.frame(&app, "申诉进度"),
        filed_now: value(&query.unwrap_or_default(), "filed").is_some(),
        opened,
    };
    frame::page(&page)
}

/// Takes an appeal back; one that has ended stays as it is, and the page says how.
pub(super) async fn withdraw(
    State(app): State<App>,
    Path(id): Path<String>,
    guest: Guest,
    posted: Posted,
) -> Result<Response, Problem> {
    posted.confirm(&app, &guest, Purpose::Withdraw, &id)?;
    let opened = own(&app, &guest, &id).await?;
    appeal::withdraw(&app, &guest.visitor, opened.appeal.id).await?;
    Ok(lead_to(&format!("{APPEALS_PATH}/{id}")))
}

/// The visitor's appeals.
pub(super) async fn list(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    guest: Guest,
) -> Result<Response, Problem> {
    let page = page_number(&query.unwrap_or_default());
    let (rows, more) = appeal::own_appeals(&app, &guest.visitor, page, PAGE).await?;
    let page = ListPage {
        frame: guest.frame(&app, "我的申诉"),
        rows,
        page,
        more,
    };
    frame::page(&page)
}

/// The visitor's own appeal that a path names; whatever else it names is not found.
async fn own(app: &App, guest: &Guest, id: &str) -> Result<OpenedAppeal, Problem> {
    let id = number(id).map(AppealId).ok_or(Problem::NotFound)?;
    appeal::own_appeal(app, &guest.visitor, id)
        .await?
        .ok_or(Problem::NotFound)
}
